//! Temporary files: what is too much for memory. Their errors say where they lie, since nobody named that place.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

/// A file in memory that goes to the folder of temporary files when it grows.
#[derive(Debug)]
pub struct TemporaryFile(SpooledTempFile);

impl TemporaryFile {
    /// An empty one that stays in memory up to so many bytes.
    pub fn new(in_memory: usize) -> TemporaryFile {
        TemporaryFile(SpooledTempFile::new(in_memory))
    }
}

impl Read for TemporaryFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out).map_err(temporary)
    }
}

impl Write for TemporaryFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(temporary)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(temporary)
    }
}

impl Seek for TemporaryFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to).map_err(temporary)
    }
}

/// Writes to a temporary file that is one from the start.
pub struct TemporaryState<W>(pub W);

impl<W: Write> Write for TemporaryState<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(temporary)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(temporary)
    }
}

/// An error of a temporary file, with where it lies and what to do.
pub fn temporary(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::Interrupted {
        return error;
    }
    let folder = std::env::temp_dir();
    let variable = if cfg!(windows) { "TMP" } else { "TMPDIR" };
    let text = format!(
        "a temporary file in {} can't be used: {error}; make room there, or name another folder with {variable}",
        folder.display()
    );
    io::Error::new(error.kind(), text)
}
