//! The digest of a source: its raw bytes are counted and hashed while they are read.

use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256};

use serde::{Deserialize, Serialize};

use super::SourceKind;

/// What was read from one source. As evidence, it shows later whether a file is the one that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDigest {
    /// The name shown to people: the path as given, or `stdin`.
    pub name: String,
    /// The kind of the source, as found by its content.
    pub kind: SourceKind,
    /// How many raw bytes it has, before any decoding.
    pub bytes: u64,
    /// SHA-256 of the raw bytes, 64 lower-case hex digits.
    pub sha256: String,
}

/// A reader that hashes and counts all bytes that are read through it.
pub(super) struct HashingReader {
    inner: Box<dyn Read + Send>,
    context: Context,
    bytes: u64,
}

impl HashingReader {
    pub(super) fn new(inner: Box<dyn Read + Send>) -> Self {
        Self { inner, context: Context::new(&SHA256), bytes: 0 }
    }

    /// Reads up to `limit` bytes. If there are fewer, the source has ended.
    pub(super) fn read_head(&mut self, limit: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(limit);
        self.by_ref().take(limit as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    /// Reads the rest and returns the digest of the whole source.
    pub(super) fn finish(mut self, name: String, kind: SourceKind) -> io::Result<InputDigest> {
        io::copy(&mut self, &mut io::sink())?;
        let sha256 = hex::encode(self.context.finish());
        Ok(InputDigest { name, kind, bytes: self.bytes, sha256 })
    }
}

impl Read for HashingReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(out)?;
        self.context.update(&out[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_the_head_and_what_was_never_asked_for() {
        let mut reader = HashingReader::new(Box::new(&b"abc"[..]));
        assert_eq!(reader.read_head(1).unwrap(), b"a");
        let digest = reader.finish("x".into(), SourceKind::List).unwrap();
        assert_eq!(digest.bytes, 3);
        assert_eq!(digest.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
