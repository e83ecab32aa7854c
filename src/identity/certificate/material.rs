//! What a file holds: certificates and private keys, and which of them belong together.

use std::io::Read;
use std::path::Path;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::facts::Facts;
use super::key::SigningKey;
use super::{CertificateProblem, pem, pfx};

/// Largest file that is read, in bytes: long chains have some thousand.
const MAX_FILE: u64 = 1 << 20;

/// A private key's DER, and how it is written.
pub(super) struct RawKey {
    pub(super) form: KeyForm,
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// The ways to write a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyForm {
    /// `RSA PRIVATE KEY` (RFC 8017).
    Pkcs1,
    /// `PRIVATE KEY` (RFC 5208).
    Pkcs8,
    /// `EC PRIVATE KEY` (RFC 5915).
    Sec1,
}

/// All that a file holds.
#[derive(Default)]
pub(super) struct Material {
    /// DER, in the file's order.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<RawKey>,
}

impl Material {
    /// Reads a file; what it is, its content says.
    pub(super) fn read(path: &Path, password: Option<&SecretString>) -> Result<Material, CertificateProblem> {
        let unreadable = |error: std::io::Error| CertificateProblem::Unreadable(error.to_string());
        // Room for all of it from the start: a buffer that grows leaves copies behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(CertificateProblem::TooLarge);
        }
        Material::of(&bytes, password)
    }

    /// Reads a file's bytes.
    pub(super) fn of(bytes: &[u8], password: Option<&SecretString>) -> Result<Material, CertificateProblem> {
        if pem::is_pem(bytes) {
            return pem::read(bytes, password);
        }
        if Facts::of(bytes).is_ok() {
            return Ok(Material { certificates: vec![bytes.to_vec()], keys: Vec::new() });
        }
        // DER begins with a sequence.
        if bytes.first() == Some(&0x30) {
            pfx::read(bytes, password)
        } else {
            Err(CertificateProblem::Unknown)
        }
    }

    /// The key with its certificate, which comes first of all certificates.
    pub(super) fn pair(mut self) -> Result<(SigningKey, Vec<Vec<u8>>, Facts), CertificateProblem> {
        if self.certificates.is_empty() {
            return Err(CertificateProblem::NoCertificate);
        }
        if self.keys.is_empty() {
            return Err(CertificateProblem::NoKey);
        }
        let facts: Vec<Facts> =
            self.certificates.iter().map(|der| Facts::of(der)).collect::<Result<_, _>>()?;
        let keys: Vec<SigningKey> = self.keys.iter().filter_map(SigningKey::of).collect();
        if keys.is_empty() {
            return Err(CertificateProblem::BadKey);
        }
        for key in keys {
            if let Some(at) = facts.iter().position(|facts| facts.public_key == key.public()) {
                let leaf = self.certificates.remove(at);
                self.certificates.insert(0, leaf);
                let leaf = facts.into_iter().nth(at).ok_or(CertificateProblem::NoPair)?;
                return Ok((key, self.certificates, leaf));
            }
        }
        Err(CertificateProblem::NoPair)
    }
}
