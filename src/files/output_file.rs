//! Files that you name for writing: a log, a certificate.
//!
//! In a folder that only you may write to, the file may be a link, a pipe or a device, such as `/dev/stderr`. In a
//! folder where others could replace it, such as `/tmp`, no link is followed, and the file must be a regular file of
//! yours.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::trust::{PathRole, check_metadata};
use super::{Dir, FileRefusal};

/// Opens a file for appending. A new file is accessible to its owner only.
///
/// # Errors
/// When it can't be opened, or others may write to its folder and it is not a regular file of the caller's.
pub fn append_to(path: &Path) -> io::Result<File> {
    match open_shared_folder(path)? {
        Some((folder, name)) => folder.append(name),
        None => {
            let mut options = OpenOptions::new();
            options.append(true).create(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)
        }
    }
}

/// Writes a file.
///
/// # Errors
/// When it can't be written, or it is a link in a folder that others may write to.
pub fn write_to(path: &Path, text: &[u8]) -> io::Result<()> {
    match open_shared_folder(path)? {
        Some((folder, name)) if folder.is_link(&name) => {
            Err(FileRefusal::Link { path: path.to_owned() }.into())
        }
        Some((folder, name)) => folder.replace(name, |out| out.write_all(text)),
        None => fs::write(path, text),
    }
}

/// If others may write to the file's folder: the folder, held open, and the file's name in it.
fn open_shared_folder(path: &Path) -> io::Result<Option<(Dir, PathBuf)>> {
    let Some((above, name)) = path.parent().zip(path.file_name()) else { return Ok(None) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    match check_metadata(above, &fs::metadata(above)?, PathRole::Own) {
        Ok(()) => Ok(None),
        Err(_) => Ok(Some((Dir::open_parent(above)?, PathBuf::from(name)))),
    }
}
