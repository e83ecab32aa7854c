//! SHA-256 of files and streams, which identifies inputs, plans and reports.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

/// SHA-256 of a file, in lower-case hex.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    sha256_of_reader(File::open(path)?)
}

/// SHA-256 of everything up to the end of the reader, in lower-case hex.
pub fn sha256_of_reader(file: impl Read) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut context = Context::new(&SHA256);
    loop {
        let part = reader.fill_buf()?;
        if part.is_empty() {
            return Ok(hex::encode(context.finish()));
        }
        context.update(part);
        let used = part.len();
        reader.consume(used);
    }
}

/// A writer that hashes the bytes it passes on.
pub struct HashingWriter<W> {
    context: Context,
    inner: W,
}

impl<W: Write> HashingWriter<W> {
    /// Begins to hash.
    pub fn new(inner: W) -> HashingWriter<W> {
        HashingWriter { context: Context::new(&SHA256), inner }
    }

    /// Returns the inner writer, and the SHA-256 of everything that was written, in lower-case hex.
    pub fn finish(self) -> (W, String) {
        (self.inner, hex::encode(self.context.finish()))
    }
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.context.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_stream_hash_alike() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("abc");
        let mut out = HashingWriter::new(File::create(&path).unwrap());
        out.write_all(b"abc").unwrap();
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(out.finish().1, known);
        assert_eq!(sha256_of_file(&path).unwrap(), known);
    }
}
