//! Who may change a file or a folder: whose it is, and whether everybody may write to it.
//!
//! On Windows all is trusted: who may write there is said by access lists, not by an owner and a few bits. What
//! Windows makes below a user's own folder is that user's alone.

use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The part that a file or a folder plays, which decides who else may write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckedPart {
    /// A file that is read: not everybody may write to it. A group may: with `umask 002` each user has a group of
    /// their own, and all that they make is writable by it.
    File,
    /// A folder on the way to a file: not everybody may write to it, unless it is sticky, as `/tmp` is: there nobody can
    /// remove or replace what is another's.
    Above,
    /// A symbolic link on the way: its owner decides where it leads. It has no mode of its own.
    Link,
    /// A file or folder that this program makes and reads again, such as a run folder: nobody else may write to it, no
    /// group either but a user's own, of the same number, and a sticky folder is no exception, since others could still
    /// put files into it.
    Own,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustFault {
    /// It belongs to neither the caller nor root.
    Owner {
        /// Whose it is.
        uid: u32,
        /// Who runs this program.
        caller: u32,
    },
    /// Everybody may write to it.
    Everybody {
        /// Its permission bits.
        mode: u32,
    },
    /// Its group may write to it.
    Group {
        /// Its permission bits.
        mode: u32,
        /// The group.
        gid: u32,
    },
}

/// A file or a folder that others may change. As text it says whose it is and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError {
    /// Which.
    pub path: PathBuf,
    /// It is a folder.
    pub is_folder: bool,
    /// Why.
    pub fault: TrustFault,
}

impl std::error::Error for TrustError {}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_folder { "the folder" } else { "the file" };
        let (path, word) = (self.path.display(), crate::shell::path(&self.path));
        match self.fault {
            TrustFault::Owner { uid, caller: 0 } => {
                write!(
                    f,
                    "{what} {path} belongs to user {uid}, not to root, who runs this: see what is in it, then "
                )?;
                write!(f, "chown root {word}")
            }
            TrustFault::Owner { uid, caller } => {
                write!(
                    f,
                    "{what} {path} belongs to user {uid}, neither to you (user {caller}) nor to root: see what "
                )?;
                write!(f, "is in it, then chown {caller} {word}, or use a copy of your own")
            }
            TrustFault::Everybody { mode } => {
                write!(
                    f,
                    "everybody may write to {what} {path} (mode {mode:04o}): see what is in it, then "
                )?;
                write!(f, "chmod o-w {word}")
            }
            TrustFault::Group { mode, gid } => {
                write!(
                    f,
                    "the group {gid} may write to {what} {path} (mode {mode:04o}): see what is in it, then "
                )?;
                write!(f, "chmod go-w {word}")
            }
        }
    }
}

/// Judges what lies at `path` by its metadata, best taken from an open handle, so that it is of the very file that is
/// read.
///
/// # Errors
/// When it belongs to neither the caller nor root, or more people may write to it than its part allows.
#[cfg(unix)]
pub fn check_metadata(path: &Path, metadata: &Metadata, part: CheckedPart) -> Result<(), TrustError> {
    use std::os::unix::fs::MetadataExt;
    let owner = FileOwner { uid: metadata.uid(), gid: metadata.gid() };
    match fault(owner, metadata.mode(), part, caller()) {
        None => Ok(()),
        Some(fault) => Err(TrustError { path: path.to_owned(), is_folder: metadata.is_dir(), fault }),
    }
}

/// Trusts all: see above.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
pub fn check_metadata(_path: &Path, _metadata: &Metadata, _part: CheckedPart) -> Result<(), TrustError> {
    Ok(())
}

/// Whoever runs the program.
#[cfg(unix)]
fn caller() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(unix)]
#[derive(Clone, Copy)]
struct FileOwner {
    uid: u32,
    gid: u32,
}

#[cfg(unix)]
fn fault(owner: FileOwner, mode: u32, part: CheckedPart, caller: u32) -> Option<TrustFault> {
    const STICKY: u32 = 0o1000;
    let bits = mode & 0o7777;
    if owner.uid != 0 && owner.uid != caller {
        return Some(TrustFault::Owner { uid: owner.uid, caller });
    }
    let is_excused = part == CheckedPart::Link || part == CheckedPart::Above && bits & STICKY != 0;
    if bits & 0o002 != 0 && !is_excused {
        return Some(TrustFault::Everybody { mode: bits });
    }
    // By custom a user's own group has the user's number. Root's has other members on some systems.
    let is_own_group = owner.gid == caller && caller != 0;
    (part == CheckedPart::Own && bits & 0o020 != 0 && !is_own_group)
        .then_some(TrustFault::Group { mode: bits, gid: owner.gid })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn faults(uid: u32, mode: u32, part: CheckedPart) -> Option<TrustFault> {
        fault(FileOwner { uid, gid: 7 }, mode, part, 1000)
    }

    #[test]
    fn the_callers_and_roots_files_are_trusted() {
        for uid in [0, 1000] {
            for (mode, part) in [
                (0o100_600, CheckedPart::File),
                (0o100_664, CheckedPart::File),
                (0o100_444, CheckedPart::File),
                (0o040_755, CheckedPart::Above),
                (0o040_775, CheckedPart::Above),
                (0o041_777, CheckedPart::Above),
                (0o120_777, CheckedPart::Link),
                (0o040_700, CheckedPart::Own),
                (0o040_755, CheckedPart::Own),
                (0o042_755, CheckedPart::Own),
            ] {
                assert_eq!(faults(uid, mode, part), None, "{uid} {mode:o} {part:?}");
            }
        }
    }

    #[test]
    fn what_is_anothers_is_not() {
        for part in [CheckedPart::File, CheckedPart::Above, CheckedPart::Link, CheckedPart::Own] {
            for mode in [0o600, 0o1777, 0o400] {
                assert_eq!(faults(1001, mode, part), Some(TrustFault::Owner { uid: 1001, caller: 1000 }));
            }
        }
    }

    #[test]
    fn what_others_may_write_to_is_not() {
        assert_eq!(faults(0, 0o100_666, CheckedPart::File), Some(TrustFault::Everybody { mode: 0o666 }));
        assert_eq!(faults(1000, 0o100_602, CheckedPart::File), Some(TrustFault::Everybody { mode: 0o602 }));
        assert_eq!(
            faults(0, 0o101_666, CheckedPart::File),
            Some(TrustFault::Everybody { mode: 0o1666 }),
            "sticky says nothing here"
        );
        assert_eq!(faults(0, 0o040_777, CheckedPart::Above), Some(TrustFault::Everybody { mode: 0o777 }));
        assert_eq!(faults(1000, 0o041_777, CheckedPart::Own), Some(TrustFault::Everybody { mode: 0o1777 }));
        assert_eq!(
            faults(1000, 0o040_770, CheckedPart::Own),
            Some(TrustFault::Group { mode: 0o770, gid: 7 })
        );
        let of_own_group = |id| fault(FileOwner { uid: id, gid: id }, 0o100_660, CheckedPart::Own, id);
        assert_eq!(of_own_group(1000), None);
        assert_eq!(of_own_group(0), Some(TrustFault::Group { mode: 0o660, gid: 0 }));
    }

    #[test]
    fn it_says_whose_it_is_and_what_to_do() {
        let text = |fault| TrustError { path: "/a/b".into(), is_folder: true, fault }.to_string();
        for (fault, words) in [
            (TrustFault::Owner { uid: 1001, caller: 1000 }, ["user 1001", "chown 1000 /a/b"]),
            (TrustFault::Owner { uid: 1001, caller: 0 }, ["user 1001", "chown root /a/b"]),
            (
                TrustFault::Everybody { mode: 0o1777 },
                ["everybody may write to the folder /a/b (mode 1777)", "chmod o-w /a/b"],
            ),
            (TrustFault::Group { mode: 0o770, gid: 7 }, ["the group 7 may write", "chmod go-w /a/b"]),
        ] {
            let text = text(fault);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
