//! Reads of files that others may have put there: only regular files, up to a size limit.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use secrecy::zeroize::Zeroizing;

use super::TrustError;
use super::path_check::{check_path, is_descriptor};

/// The contents of a file, overwritten in memory when they are dropped.
pub type SecretContents = Zeroizing<Vec<u8>>;

/// Why a file was not read. The text does not name the file; the caller does.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not a file, but a folder or a device.
    #[error("it is {0}: name a regular file")]
    NotPlain(&'static str),
    /// It is larger than allowed.
    #[error("it is too long: at most {0} bytes are allowed")]
    TooLong(u64),
    /// Others may change it.
    #[error("{0}; or, if this is intended, use --insecure-files")]
    Distrust(#[from] TrustError),
}

/// Which pipes are accepted instead of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipePolicy {
    /// Only one that is already open, such as `/dev/fd/63` from a shell's `<(…)`. A named pipe could keep the program
    /// waiting forever.
    Open,
    /// Also named pipes. The caller must limit the time.
    Named,
}

/// Reads a file that only the caller and root may change.
///
/// # Errors
/// When others may change it, it is not a regular file, it has more than `max` bytes, or it can't be read.
pub fn read_secret(path: &Path, max: u64, pipes: PipePolicy) -> Result<SecretContents, FileError> {
    // Opened before the check, because a missing file is the most frequent error.
    let file = open(path, pipes)?;
    check_path(path)?;
    read_limited(&file, max)
}

/// Reads a file of any owner.
///
/// # Errors
/// When it is not a regular file, it has more than `max` bytes, or it can't be read.
pub fn read(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    Ok(std::mem::take(&mut *read_limited(&open(path, PipePolicy::Open)?, max)?))
}

fn read_limited(file: &File, max: u64) -> Result<SecretContents, FileError> {
    // Allocated once, because a growing buffer leaves copies of a secret behind.
    let room = file.metadata().map_or(0, |metadata| metadata.len()).clamp(64 << 10, max.max(64 << 10));
    let mut bytes = Zeroizing::new(Vec::with_capacity(room as usize + 1));
    file.take(max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > max {
        true => Err(FileError::TooLong(max)),
        false => Ok(bytes),
    }
}

/// Opens a regular file or an accepted pipe, without waiting for a writer.
///
/// # Errors
/// When it is something else, or can't be opened.
pub fn open(path: &Path, pipes: PipePolicy) -> Result<File, FileError> {
    let file = imp::open(path, pipes)?;
    let metadata = file.metadata()?;
    if metadata.is_file() || is_descriptor(path) && !metadata.is_dir() {
        return Ok(file);
    }
    match imp::kind(&metadata) {
        PIPE if pipes == PipePolicy::Named => Ok(file),
        kind => Err(FileError::NotPlain(kind)),
    }
}

/// Whether an open file is a stream that also ends when its writer crashes: a pipe or a socket, not a file or a
/// terminal.
pub fn is_stream(file: &File) -> bool {
    use std::io::IsTerminal;
    // Windows does not show whether it is a pipe.
    !file.is_terminal() && file.metadata().map_or(true, |metadata| imp::kind(&metadata) == PIPE)
}

/// The same for standard input.
pub fn stdin_is_stream() -> bool {
    #[cfg(unix)]
    let owned = std::os::fd::AsFd::as_fd(&io::stdin()).try_clone_to_owned();
    #[cfg(windows)]
    let owned = std::os::windows::io::AsHandle::as_handle(&io::stdin()).try_clone_to_owned();
    owned.map_or(true, |owned| is_stream(&File::from(owned)))
}

const PIPE: &str = "a pipe";

#[cfg(unix)]
mod imp {
    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    use super::{PIPE, PipePolicy};

    pub(super) fn open(path: &Path, pipes: PipePolicy) -> io::Result<File> {
        let waits = pipes == PipePolicy::Named
            && path.metadata().is_ok_and(|metadata| metadata.file_type().is_fifo());
        let mut options = OpenOptions::new();
        options.read(true);
        if !waits {
            options.custom_flags(OFlags::NONBLOCK.union(OFlags::NOCTTY).bits() as i32);
        }
        let file = options.open(path)?;
        if !waits {
            // Reading from a pipe may block.
            fcntl_setfl(&file, fcntl_getfl(&file)?.difference(OFlags::NONBLOCK))?;
        }
        Ok(file)
    }

    pub(super) fn kind(metadata: &Metadata) -> &'static str {
        let kind = metadata.file_type();
        match () {
            () if kind.is_dir() => "a directory",
            () if kind.is_fifo() || kind.is_socket() => PIPE,
            () if kind.is_char_device() || kind.is_block_device() => "a device",
            () => "something else",
        }
    }
}

#[cfg(not(unix))]
mod imp {
    use std::fs::{File, Metadata};
    use std::io;
    use std::path::Path;

    use super::PipePolicy;

    pub(super) fn open(path: &Path, _: PipePolicy) -> io::Result<File> {
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory: name a file in it"));
        }
        File::open(path)
    }

    pub(super) fn kind(metadata: &Metadata) -> &'static str {
        if metadata.is_dir() { "a directory" } else { "something else" }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn only_plain_files_within_the_bound_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "12345678").unwrap();
        assert_eq!(read(&file, 8).unwrap(), b"12345678");
        assert!(matches!(read(&file, 7), Err(FileError::TooLong(7))));
        assert!(matches!(read(dir.path(), 8), Err(FileError::NotPlain("a directory"))));
        for device in ["/dev/zero", "/dev/null", "/dev/urandom"] {
            assert!(matches!(read(Path::new(device), 8), Err(FileError::NotPlain("a device"))), "{device}");
        }
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(read(&pipe, 8), Err(FileError::NotPlain(PIPE))), "it must not wait for a writer");
    }

    #[test]
    fn an_open_pipe_is_read_to_its_end() {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let (reader, mut writer) = io::pipe().unwrap();
        let path = PathBuf::from(format!("/dev/fd/{}", reader.as_raw_fd()));
        let late = std::thread::spawn(move || writer.write_all(b"12345678").unwrap());
        assert_eq!(*read_secret(&path, 8, PipePolicy::Open).unwrap(), b"12345678");
        late.join().unwrap();
    }
}
