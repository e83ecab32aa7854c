//! The hashes of a file's bytes, computed while the file is read. So a signature is checked against the bytes
//! that were read, even if the file is replaced in the meantime.

use std::fmt;
use std::io::{self, Read};

use aws_lc_rs::digest::{Context, SHA256, SHA512};

/// The hashes of a file's bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct RawDigest {
    /// SHA-256.
    pub sha256: Vec<u8>,
    /// SHA-512.
    pub sha512: Vec<u8>,
}

impl RawDigest {
    /// Hashes these bytes.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn read(from: impl Read) -> io::Result<RawDigest> {
        let mut hashing = RawHashingReader::new(from);
        io::copy(&mut hashing, &mut io::sink())?;
        Ok(hashing.finish())
    }
}

impl fmt::Debug for RawDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.sha256))
    }
}

/// A reader that hashes all bytes that are read through it.
pub(super) struct RawHashingReader<R> {
    inner: R,
    sha256: Context,
    sha512: Context,
}

impl<R> RawHashingReader<R> {
    pub(super) fn new(inner: R) -> RawHashingReader<R> {
        RawHashingReader { inner, sha256: Context::new(&SHA256), sha512: Context::new(&SHA512) }
    }

    pub(super) fn finish(self) -> RawDigest {
        let (sha256, sha512) = (self.sha256.finish(), self.sha512.finish());
        RawDigest { sha256: sha256.as_ref().to_vec(), sha512: sha512.as_ref().to_vec() }
    }
}

impl<R: Read> Read for RawHashingReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.sha256.update(&out[..count]);
        self.sha512.update(&out[..count]);
        Ok(count)
    }
}
