//! Temporary files for data that is too large for memory. Their errors name the folder, because no flag does.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// A file in memory that moves to the folder of temporary files when it grows.
#[derive(Debug)]
pub struct TemporaryFile(SpooledTempFile);

impl TemporaryFile {
    /// An empty file that stays in memory up to this many bytes.
    pub fn new(in_memory: usize) -> TemporaryFile {
        TemporaryFile(SpooledTempFile::new(in_memory))
    }
}

impl Read for TemporaryFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(temporary_file_error)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(temporary_file_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(temporary_file_error)
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to).map_err(temporary_file_error)
    }
}

/// A writer to a temporary file that is on disk from the start.
pub struct TemporaryWriter<W>(pub W);

impl<W: Write> Write for TemporaryWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(temporary_file_error)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(temporary_file_error)
    }
}

/// An error of a temporary file, with its folder and what to do.
pub fn temporary_file_error(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    let folder = std::env::temp_dir();
    let variable = if cfg!(windows) { "TMP" } else { "TMPDIR" };
    let text = format!(
        "can't use a temporary file in {}: {error}; free up space there, or name another folder with \
         {variable}",
        folder.display()
    );
    io::Error::new(error.kind(), text)
}
