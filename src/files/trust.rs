//! Who may change a file or a folder: its owner, and whether everyone may write to it.
//!
//! On Windows everything is trusted, because access lists and not an owner and mode bits decide who may write. By
//! default, Windows lets only the user write below their own folder.

use std::fmt;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The part that a file or a folder plays. It decides who else may write to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRole {
    /// A file that is read. Not everyone may write to it, but a group may: with `umask 002` each user has a group of
    /// their own that may write to all of their files.
    File,
    /// A folder on the path to a file. Not everyone may write to it, unless it is sticky, as `/tmp` is: there, you
    /// can't remove or replace a file of another user.
    Above,
    /// A symbolic link on the path. Its owner decides where it leads. It has no mode of its own.
    Link,
    /// A file or folder that this program creates and reads again, such as a run folder. No other user may write to it,
    /// and no group except the user's own one with the same number. A sticky folder is not accepted either, because
    /// others could still put files into it.
    Own,
}

/// What is wrong with a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustFault {
    /// It belongs to neither the caller nor root.
    Owner {
        /// Its owner.
        uid: u32,
        /// The user that runs this program.
        caller: u32,
    },
    /// Everyone may write to it.
    Everyone {
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

/// A file or a folder that others may change. The text says what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustError {
    /// The path.
    pub path: PathBuf,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// What is wrong.
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
                    "{what} {path} belongs to user {uid}, but root runs this: look at what is in it, then "
                )?;
                write!(f, "chown root {word}")
            }
            TrustFault::Owner { uid, caller } => {
                write!(
                    f,
                    "{what} {path} belongs to user {uid}, not to you (user {caller}) or root: look at what "
                )?;
                write!(f, "is in it, then chown {caller} {word}, or use a copy of your own")
            }
            TrustFault::Everyone { mode } => {
                write!(
                    f,
                    "everyone may write to {what} {path} (mode {mode:04o}): look at what is in it, then "
                )?;
                write!(f, "chmod o-w {word}")
            }
            TrustFault::Group { mode, gid } => {
                write!(
                    f,
                    "the group {gid} may write to {what} {path} (mode {mode:04o}): look at what is in it, then "
                )?;
                write!(f, "chmod go-w {word}")
            }
        }
    }
}

/// Checks the file or folder at `path` by its metadata. They should come from an open handle, so that they are those of
/// the file that is read.
///
/// # Errors
/// When it belongs to neither the caller nor root, or more users may write to it than its part allows.
#[cfg(unix)]
pub fn check_metadata(path: &Path, metadata: &Metadata, part: PathRole) -> Result<(), TrustError> {
    use std::os::unix::fs::MetadataExt;
    let owner = FileOwner { uid: metadata.uid(), gid: metadata.gid() };
    match fault(owner, metadata.mode(), part, caller()) {
        None => Ok(()),
        Some(fault) => Err(TrustError { path: path.to_owned(), is_folder: metadata.is_dir(), fault }),
    }
}

/// Trusts everything: see the module's documentation.
#[cfg(not(unix))]
pub fn check_metadata(_path: &Path, _metadata: &Metadata, _part: PathRole) -> Result<(), TrustError> {
    Ok(())
}

/// The user that runs the program.
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
fn fault(owner: FileOwner, mode: u32, part: PathRole, caller: u32) -> Option<TrustFault> {
    const STICKY: u32 = 0o1000;
    let bits = mode & 0o7777;
    if owner.uid != 0 && owner.uid != caller {
        return Some(TrustFault::Owner { uid: owner.uid, caller });
    }
    let is_excused = part == PathRole::Link || part == PathRole::Above && bits & STICKY != 0;
    if bits & 0o002 != 0 && !is_excused {
        return Some(TrustFault::Everyone { mode: bits });
    }
    // By convention, a user's own group has the user's number. Root's group has other members on some systems.
    let is_own_group = owner.gid == caller && caller != 0;
    (part == PathRole::Own && bits & 0o020 != 0 && !is_own_group)
        .then_some(TrustFault::Group { mode: bits, gid: owner.gid })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn faults(uid: u32, mode: u32, part: PathRole) -> Option<TrustFault> {
        fault(FileOwner { uid, gid: 7 }, mode, part, 1000)
    }

    #[test]
    fn the_callers_and_roots_files_are_trusted() {
        for uid in [0, 1000] {
            for (mode, part) in [
                (0o100_600, PathRole::File),
                (0o100_664, PathRole::File),
                (0o100_444, PathRole::File),
                (0o040_755, PathRole::Above),
                (0o040_775, PathRole::Above),
                (0o041_777, PathRole::Above),
                (0o120_777, PathRole::Link),
                (0o040_700, PathRole::Own),
                (0o040_755, PathRole::Own),
                (0o042_755, PathRole::Own),
            ] {
                assert_eq!(faults(uid, mode, part), None, "{uid} {mode:o} {part:?}");
            }
        }
    }

    #[test]
    fn what_is_anothers_is_not() {
        for part in [PathRole::File, PathRole::Above, PathRole::Link, PathRole::Own] {
            for mode in [0o600, 0o1777, 0o400] {
                assert_eq!(faults(1001, mode, part), Some(TrustFault::Owner { uid: 1001, caller: 1000 }));
            }
        }
    }

    #[test]
    fn what_others_may_write_to_is_not() {
        assert_eq!(faults(0, 0o100_666, PathRole::File), Some(TrustFault::Everyone { mode: 0o666 }));
        assert_eq!(faults(1000, 0o100_602, PathRole::File), Some(TrustFault::Everyone { mode: 0o602 }));
        assert_eq!(
            faults(0, 0o101_666, PathRole::File),
            Some(TrustFault::Everyone { mode: 0o1666 }),
            "sticky says nothing here"
        );
        assert_eq!(faults(0, 0o040_777, PathRole::Above), Some(TrustFault::Everyone { mode: 0o777 }));
        assert_eq!(faults(1000, 0o041_777, PathRole::Own), Some(TrustFault::Everyone { mode: 0o1777 }));
        assert_eq!(faults(1000, 0o040_770, PathRole::Own), Some(TrustFault::Group { mode: 0o770, gid: 7 }));
        let of_own_group = |id| fault(FileOwner { uid: id, gid: id }, 0o100_660, PathRole::Own, id);
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
                TrustFault::Everyone { mode: 0o1777 },
                ["everyone may write to the folder /a/b (mode 1777)", "chmod o-w /a/b"],
            ),
            (TrustFault::Group { mode: 0o770, gid: 7 }, ["the group 7 may write", "chmod go-w /a/b"]),
        ] {
            let text = text(fault);
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
