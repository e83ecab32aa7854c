//! Why a file or a folder is not used, although the system would allow it.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::trust::{self, PathRole, TrustError, TrustFault};

/// Why a file or a folder is not used. The text says what it is and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileRefusal {
    /// The folder is a link to another folder.
    #[error("{path} is a link to {to}: name the folder itself", path = path.display(), to = to.display())]
    FolderLink {
        /// The link.
        path: PathBuf,
        /// Its target.
        to: PathBuf,
    },
    /// A file is a link.
    #[error("{path} is a link: find out who made it and where it leads, then replace it with the file itself, \
         or remove it", path = path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It is a folder, a pipe, a socket or a device.
    #[error("{path} is not a regular file: find out who made it, then move it away", path = path.display())]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// The file has another name elsewhere, so that a write here would change it there.
    #[error("{path} has {names} names (hard links), so writing to it may change a file elsewhere: use a \
         copy of the folder (cp -r)", path = path.display())]
    SeveralNames {
        /// The path.
        path: PathBuf,
        /// The number of its names.
        names: u64,
    },
    /// Others may change it.
    #[error("{0}{way_out}", way_out = permission_advice(.0))]
    Distrust(#[from] TrustError),
    /// The new folder was replaced with another one before it was opened.
    #[error("{path} was replaced with another folder right after it was created: name a folder of your own \
         with --output-dir", path = path.display())]
    Swapped {
        /// The path.
        path: PathBuf,
    },
}

impl FileRefusal {
    /// Finds it in an error of the system, if it is there.
    pub fn find(error: &io::Error) -> Option<&FileRefusal> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<FileRefusal> for io::Error {
    fn from(refusal: FileRefusal) -> io::Error {
        io::Error::other(refusal)
    }
}

/// What to do if the file system does not keep permission bits, so that `chmod` has no effect.
fn permission_advice(distrust: &TrustError) -> &'static str {
    match distrust.fault {
        TrustFault::Owner { .. } => "",
        TrustFault::Everyone { .. } | TrustFault::Group { .. } => {
            ". If that has no effect, use a copy on a file system that keeps permissions (cp -r)"
        }
    }
}

/// Checks a file by the metadata of its open handle. It must be a regular file with one name, and only the users that
/// its part allows may write to it.
pub(super) fn check_regular_file(
    path: &Path,
    metadata: &Metadata,
    part: PathRole,
) -> Result<(), FileRefusal> {
    let path_of = || path.to_owned();
    if metadata.is_symlink() {
        return Err(FileRefusal::Link { path: path_of() });
    }
    if !metadata.is_file() {
        return Err(FileRefusal::Special { path: path_of() });
    }
    let names = link_count(metadata);
    if names > 1 {
        return Err(FileRefusal::SeveralNames { path: path_of(), names });
    }
    Ok(trust::check_metadata(path, metadata, part)?)
}

#[cfg(unix)]
fn link_count(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// On Windows, this needs system calls that the standard library does not have yet.
#[cfg(not(unix))]
fn link_count(_metadata: &Metadata) -> u64 {
    1
}
