//! The path to a file: all folders on it and all links that are followed, starting at the root. A user who may change
//! one of them decides what is read, even if the file itself is protected.
//!
//! Kubernetes mounts secrets as links to links (`token`, `..data/token`), in folders of root with the sticky bit.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::FileError;

/// Whether `--insecure-files` was used. It applies to the whole process, and only the flag sets it: a file or the
/// environment must not be able to switch off the protection.
static TRUST_ALL: AtomicBool = AtomicBool::new(false);

/// Trusts all files from now on (`--insecure-files`).
pub fn disable_trust_checks() {
    TRUST_ALL.store(true, Ordering::Relaxed);
}

/// Checks that only the caller and root decide what a file contains: the file, the folders above it and the links on
/// its path belong to one of them, and not everyone may write to them.
///
/// A file that is already open (`/dev/fd/63`, from a shell's `<(…)`) was opened by the caller, so it is trusted.
///
/// # Errors
/// When others may change what is read, or the path can't be followed.
pub fn check_path(path: &Path) -> Result<(), FileError> {
    match TRUST_ALL.load(Ordering::Relaxed) {
        true => Ok(()),
        false => imp::follow(path).map(drop),
    }
}

/// Whether a path is that of a file that this process has open, and not of one in a file system.
pub(super) fn is_descriptor(path: &Path) -> bool {
    imp::is_descriptor(path)
}

#[cfg(unix)]
mod imp {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::fs::Metadata;
    use std::io;
    use std::path::{Component, Path, PathBuf};

    use super::super::{PathRole, TrustError, TrustFault, check_metadata};
    use super::FileError;

    /// The same limit as on Linux.
    const MAX_LINKS: usize = 40;

    /// One step of the path.
    enum PathStep {
        Up,
        Into(OsString),
    }

    /// Where the path ends.
    #[derive(Debug, PartialEq, Eq)]
    pub(super) enum PathEnd {
        File(PathBuf),
        /// A file that is already open.
        Descriptor,
    }

    pub(super) fn is_descriptor(path: &Path) -> bool {
        walk(path, |_, _, _| Ok(())).is_ok_and(|end| end == PathEnd::Descriptor)
    }

    /// Follows the path and checks each part of it.
    pub(super) fn follow(path: &Path) -> Result<PathEnd, FileError> {
        walk(path, |path, metadata, part| match check_metadata(path, metadata, part) {
            // Kubernetes mounts config maps as folders with mode 0777, but read-only, so no account can write to them here.
            Err(TrustError { fault: TrustFault::Everyone { .. }, .. }) if is_read_only(path) => Ok(()),
            judged => Ok(judged?),
        })
    }

    /// Whether the file system is mounted read-only.
    fn is_read_only(path: &Path) -> bool {
        let flags = rustix::fs::statvfs(path).map(|found| found.f_flag);
        flags.is_ok_and(|flags| flags.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    }

    fn walk(
        path: &Path,
        look: impl Fn(&Path, &Metadata, PathRole) -> Result<(), FileError>,
    ) -> Result<PathEnd, FileError> {
        let mut steps = VecDeque::new();
        // The working directory is returned without links.
        let start = if path.is_absolute() { PathBuf::new() } else { std::env::current_dir()? };
        push(&mut steps, path);
        push(&mut steps, &start);
        let mut here = PathBuf::from("/");
        look(&here, &here.symlink_metadata()?, PathRole::Above)?;
        let mut links = 0;
        while let Some(step) = steps.pop_front() {
            let PathStep::Into(name) = step else {
                here.pop();
                continue;
            };
            let next = here.join(name);
            let metadata = next.symlink_metadata()?;
            if is_fd_table(&here) {
                return Ok(PathEnd::Descriptor);
            }
            if metadata.is_symlink() {
                look(&next, &metadata, PathRole::Link)?;
                links += 1;
                if links > MAX_LINKS {
                    return Err(io::Error::from(rustix::io::Errno::LOOP).into());
                }
                let target = std::fs::read_link(&next)?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                }
                push(&mut steps, &target);
                continue;
            }
            let part = if metadata.is_dir() { PathRole::Above } else { PathRole::File };
            look(&next, &metadata, part)?;
            here = next;
        }
        Ok(PathEnd::File(here))
    }

    /// Puts the steps of a path before the remaining ones.
    fn push(steps: &mut VecDeque<PathStep>, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::ParentDir => steps.push_front(PathStep::Up),
                Component::Normal(name) => steps.push_front(PathStep::Into(name.to_owned())),
                Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
            }
        }
    }

    /// Whether a folder lists the open files of this process.
    fn is_fd_table(folder: &Path) -> bool {
        let own = Path::new("/proc").join(std::process::id().to_string());
        folder == Path::new("/dev/fd")
            || folder.parent().is_some_and(|above| above == own) && folder.ends_with("fd")
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        fn mode(path: &Path, mode: u32) {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }

        fn fault(path: &Path) -> Option<(PathBuf, TrustFault)> {
            match follow(path) {
                Ok(_) => None,
                Err(FileError::Distrust(distrust)) => Some((distrust.path, distrust.fault)),
                Err(error) => panic!("{error}"),
            }
        }

        #[test]
        fn links_are_followed_as_kubernetes_lays_them_out() {
            let dir = tempfile::tempdir().unwrap();
            let mount = dir.path().canonicalize().unwrap().join("mount");
            let version = mount.join("..2026_11_30");
            std::fs::create_dir_all(&version).unwrap();
            std::fs::write(version.join("token"), "fake").unwrap();
            symlink("..2026_11_30", mount.join("..data")).unwrap();
            symlink("..data/token", mount.join("token")).unwrap();
            mode(&mount, 0o1777);
            let token = mount.join("token");
            assert_eq!(follow(&token).unwrap(), PathEnd::File(version.join("token")));
            assert_eq!(follow(&mount.join("..data/../token")).unwrap(), PathEnd::File(version.join("token")));
            for part in [mount.clone(), version.clone(), version.join("token")] {
                let was = part.metadata().unwrap().permissions();
                mode(&part, 0o777);
                assert_eq!(fault(&token), Some((part.clone(), TrustFault::Everyone { mode: 0o777 })));
                std::fs::set_permissions(&part, was).unwrap();
            }
            assert_eq!(fault(&token), None);
        }

        #[test]
        fn a_ring_of_links_and_a_way_that_ends_are_errors() {
            let dir = tempfile::tempdir().unwrap();
            let ring = dir.path().join("ring");
            symlink("ring", &ring).unwrap();
            assert!(matches!(follow(&ring), Err(FileError::Io(_))));
            assert!(matches!(follow(&dir.path().join("none")), Err(FileError::Io(_))));
        }

        #[test]
        fn what_is_open_already_is_the_callers() {
            use std::os::fd::AsRawFd;
            let file = tempfile::tempfile().unwrap();
            let path = PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
            assert!(is_descriptor(&path));
            assert_eq!(follow(&path).unwrap(), PathEnd::Descriptor);
            assert!(!is_descriptor(Path::new("/dev/null")));
        }
    }
}

/// On Windows everything is trusted: see [`super::check`].
#[cfg(not(unix))]
mod imp {
    use std::path::Path;

    use super::FileError;

    pub(super) fn is_descriptor(_: &Path) -> bool {
        false
    }

    pub(super) fn follow(_: &Path) -> Result<(), FileError> {
        Ok(())
    }
}
