//! The contents of a certificate file: certificates and private keys, and which of them belong together.

use std::path::Path;

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::signing_key::SigningKey;
use super::x509::CertificateFacts;
use super::{CertificateProblem, pem, pfx};
use crate::files::{self, FileError, PipePolicy};
use crate::identity::secret_text;

/// Largest file that is read, in bytes. Long chains have a few thousand.
const MAX_FILE: u64 = 1 << 20;

/// The DER of a private key, and its format.
pub(super) struct RawKey {
    pub(super) format: KeyFormat,
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// The formats of a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFormat {
    /// `RSA PRIVATE KEY` (RFC 8017).
    Pkcs1,
    /// `PRIVATE KEY` (RFC 5208).
    Pkcs8,
    /// `EC PRIVATE KEY` (RFC 5915).
    Sec1,
}

/// All certificates and keys of a file.
#[derive(Default)]
pub(super) struct KeyMaterial {
    /// Their DER, in the order of the file.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) keys: Vec<RawKey>,
}

impl KeyMaterial {
    /// Reads a file. The format follows from its content.
    pub(super) fn read(
        path: &Path,
        password: Option<&SecretString>,
    ) -> Result<KeyMaterial, CertificateProblem> {
        let bytes = files::read_secret(path, MAX_FILE, PipePolicy::Open).map_err(|error| match error {
            FileError::TooLong(_) => CertificateProblem::TooLarge,
            FileError::Distrust(_) => CertificateProblem::Insecure(error.to_string()),
            error => CertificateProblem::Unreadable(error.to_string()),
        })?;
        KeyMaterial::parse(&bytes, password)
    }

    /// Reads a file's bytes.
    pub(super) fn parse(
        bytes: &[u8],
        password: Option<&SecretString>,
    ) -> Result<KeyMaterial, CertificateProblem> {
        // PEM in UTF-16, as PowerShell's `>` writes it. DER is not text and does not begin with a byte order mark.
        if let Some(Ok(text)) = secret_text::decode_utf16(bytes) {
            return pem::read(text.as_bytes(), password);
        }
        if pem::is_pem(bytes) {
            return pem::read(bytes, password);
        }
        if CertificateFacts::from_der(bytes).is_ok() {
            return Ok(KeyMaterial { certificates: vec![bytes.to_vec()], keys: Vec::new() });
        }
        if let Some(key) = bare_key(bytes) {
            return Ok(KeyMaterial { certificates: Vec::new(), keys: vec![key] });
        }
        // A PFX file is DER, which begins with a sequence.
        if bytes.first() == Some(&0x30) {
            pfx::read(bytes, password)
        } else {
            Err(CertificateProblem::UnknownFormat)
        }
    }

    /// The key, all certificates with the key's certificate first, and the facts of that certificate.
    pub(super) fn match_key(
        mut self,
    ) -> Result<(SigningKey, Vec<Vec<u8>>, CertificateFacts), CertificateProblem> {
        if self.certificates.is_empty() {
            return Err(CertificateProblem::NoCertificate);
        }
        if self.keys.is_empty() {
            return Err(CertificateProblem::KeyMissing);
        }
        // An unreadable certificate may still be part of the chain of a readable one.
        let mut facts: Vec<Option<CertificateFacts>> =
            self.certificates.iter().map(|der| CertificateFacts::from_der(der).ok()).collect();
        let keys: Vec<SigningKey> = self.keys.iter().filter_map(SigningKey::from_raw).collect();
        if keys.is_empty() {
            return Err(CertificateProblem::BadKey);
        }
        let owner = |key: &SigningKey| {
            facts
                .iter()
                .position(|facts| facts.as_ref().is_some_and(|facts| facts.public_key == key.public_key()))
        };
        let found = keys.into_iter().find_map(|key| owner(&key).map(|at| (key, at)));
        let Some((key, at)) = found else {
            let all = facts.iter().all(Option::is_some);
            return Err(if all {
                CertificateProblem::KeyMismatch
            } else {
                CertificateProblem::BadCertificate
            });
        };
        let leaf = facts.swap_remove(at).ok_or(CertificateProblem::KeyMismatch)?;
        self.certificates[..=at].rotate_right(1);
        Ok((key, self.certificates, leaf))
    }
}

/// A private key as plain DER.
fn bare_key(bytes: &[u8]) -> Option<RawKey> {
    [KeyFormat::Pkcs8, KeyFormat::Pkcs1, KeyFormat::Sec1].into_iter().find_map(|form| {
        let key = RawKey { format: form, der: Zeroizing::new(bytes.to_vec()) };
        SigningKey::from_raw(&key).is_some().then_some(key)
    })
}
