//! Files that the user names to be written: a log, a certificate.
//!
//! In a folder of the caller's own the name means what it says: it may be a link, a pipe or a device, such as `/dev/stderr`.
//! Where others may put something in its place, as in `/tmp`, no link is followed, and the file is a plain one of the
//! caller's.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::trust::{CheckedPart, check_metadata};
use super::{Dir, FileRefusal};

/// Opens a file to write behind its end, for its owner alone where it is new.
///
/// # Errors
/// When it can't be opened, or lies where others may write and is no plain file of the caller's.
pub fn append_to(path: &Path) -> io::Result<File> {
    match shared(path)? {
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
/// When it can't be written, or a link lies in its place where others may write.
pub fn write_to(path: &Path, text: &[u8]) -> io::Result<()> {
    match shared(path)? {
        Some((folder, name)) if folder.is_link(&name) => {
            Err(FileRefusal::Link { path: path.to_owned() }.into())
        }
        Some((folder, name)) => folder.replace(name, |out| out.write_all(text)),
        None => fs::write(path, text),
    }
}

/// The folder in which the file lies, held open, and its name there, if others may write to that folder.
fn shared(path: &Path) -> io::Result<Option<(Dir, PathBuf)>> {
    let Some((above, name)) = path.parent().zip(path.file_name()) else { return Ok(None) };
    let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
    match check_metadata(above, &fs::metadata(above)?, CheckedPart::Own) {
        Ok(()) => Ok(None),
        Err(_) => Ok(Some((Dir::open_parent(above)?, PathBuf::from(name)))),
    }
}
