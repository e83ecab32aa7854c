//! Why a file or a folder is not touched, although the system would let us.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use super::trust::{self, CheckedPart, TrustError, TrustFault};

/// Why a file or a folder is not touched. As text it says what it is and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileRefusal {
    /// The folder is a link to another.
    #[error("{path} is a link to {to}: name the folder itself", path = path.display(), to = to.display())]
    FolderLink {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// A file is a link.
    #[error("{path} is a link: see who made it and where it leads, then put the file itself in its place, or remove it", path = path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A folder, a pipe, a socket, a device.
    #[error("{path} is no plain file: see who made it, then move it away", path = path.display())]
    Special {
        /// Which.
        path: PathBuf,
    },
    /// The file has another name elsewhere: whatever is written here changes it there.
    #[error("{path} has {names} names (hard links), so that writing to it may change a file elsewhere: use a copy of the folder (cp -r)", path = path.display())]
    SeveralNames {
        /// Which.
        path: PathBuf,
        /// How many.
        names: u64,
    },
    /// Others may change it.
    #[error("{0}{way_out}", way_out = way_out(.0))]
    Distrust(#[from] TrustError),
    /// Another folder stood in the place of the one that was just made.
    #[error("{path} was made, and another folder was put in its place at once: give a folder of your own with --output-dir", path = path.display())]
    Swapped {
        /// Which.
        path: PathBuf,
    },
}

impl FileRefusal {
    /// Takes it out of an error of the system, if it is one.
    pub fn find(error: &io::Error) -> Option<&FileRefusal> {
        error.get_ref()?.downcast_ref()
    }
}

impl From<FileRefusal> for io::Error {
    fn from(refusal: FileRefusal) -> io::Error {
        io::Error::other(refusal)
    }
}

/// What to do where the file system keeps no permission bits, so that `chmod` changes nothing.
fn way_out(distrust: &TrustError) -> &'static str {
    match distrust.fault {
        TrustFault::Owner { .. } => "",
        TrustFault::Everybody { .. } | TrustFault::Group { .. } => {
            ". Where that changes nothing, use a copy on a file system that keeps permissions (cp -r)"
        }
    }
}

/// Judges a file by the metadata of its open handle: it must be a plain file of one name, and no more people
/// may write to it than its part allows.
pub(super) fn judge_plain(path: &Path, metadata: &Metadata, part: CheckedPart) -> Result<(), FileRefusal> {
    let path_of = || path.to_owned();
    if metadata.is_symlink() {
        return Err(FileRefusal::Link { path: path_of() });
    }
    if !metadata.is_file() {
        return Err(FileRefusal::Special { path: path_of() });
    }
    let names = names(metadata);
    if names > 1 {
        return Err(FileRefusal::SeveralNames { path: path_of(), names });
    }
    Ok(trust::check_metadata(path, metadata, part)?)
}

#[cfg(unix)]
fn names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

/// Windows tells it only through calls that the standard library does not have yet.
#[cfg(not(unix))]
fn names(_metadata: &Metadata) -> u64 {
    1
}
