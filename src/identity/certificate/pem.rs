//! PEM (RFC 7468) in all its real-world forms: blocks in any order, text between them, any line ends, a byte order
//! mark.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::key_material::{KeyFormat, KeyMaterial, RawKey};
use super::{CertificateProblem, pkcs8_decrypt};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Whether these bytes contain a PEM block.
pub(super) fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// The kind of a block, by its label.
#[derive(Clone, Copy)]
enum PemLabel {
    Certificate,
    Key(KeyFormat),
    Encrypted,
    Other,
}

impl PemLabel {
    fn from_label(label: &[u8]) -> (PemLabel, &'static str) {
        match label {
            b"CERTIFICATE" | b"X509 CERTIFICATE" => (PemLabel::Certificate, "CERTIFICATE"),
            b"RSA PRIVATE KEY" => (PemLabel::Key(KeyFormat::Pkcs1), "RSA PRIVATE KEY"),
            b"PRIVATE KEY" => (PemLabel::Key(KeyFormat::Pkcs8), "PRIVATE KEY"),
            b"EC PRIVATE KEY" => (PemLabel::Key(KeyFormat::Sec1), "EC PRIVATE KEY"),
            b"ENCRYPTED PRIVATE KEY" => (PemLabel::Encrypted, "ENCRYPTED PRIVATE KEY"),
            // For example EC PARAMETERS, which are also in the key.
            _ => (PemLabel::Other, "of another kind"),
        }
    }
}

/// Reads all blocks, except those of other kinds.
pub(super) fn read(bytes: &[u8], password: Option<&SecretString>) -> Result<KeyMaterial, CertificateProblem> {
    let mut material = KeyMaterial::default();
    let mut lines = bytes.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii);
    while let Some(line) = lines.next() {
        let Some(label) = label(line, BEGIN) else { continue };
        let (kind, name) = PemLabel::from_label(label);
        let body = body(&mut lines, label).ok_or(CertificateProblem::Damaged(name))?;
        let der = || body.der().ok_or(CertificateProblem::Damaged(name));
        match kind {
            PemLabel::Certificate => material.certificates.push(der()?.to_vec()),
            // OpenSSL's old encryption from before PKCS#8, whose key is a single MD5 of the password.
            PemLabel::Key(_) if body.headers => return Err(CertificateProblem::UnsupportedEncryption),
            PemLabel::Key(form) => material.keys.push(RawKey { format: form, der: der()? }),
            PemLabel::Encrypted => {
                let password = password.ok_or(CertificateProblem::PasswordMissing)?;
                let der = pkcs8_decrypt::pkcs8(&der()?, password)?;
                material.keys.push(RawKey { format: KeyFormat::Pkcs8, der });
            }
            PemLabel::Other => {}
        }
    }
    Ok(material)
}

/// The label of a line that begins or ends a block. A byte order mark may precede it.
fn label<'a>(line: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    line.strip_prefix(mark)?.strip_suffix(DASHES)
}

struct PemBlock {
    base64: Zeroizing<Vec<u8>>,
    /// Whether it has header lines, like keys in OpenSSL's old encryption.
    headers: bool,
}

impl PemBlock {
    fn der(&self) -> Option<Zeroizing<Vec<u8>>> {
        STANDARD.decode(self.base64.as_slice()).ok().map(Zeroizing::new)
    }
}

/// The lines up to the end of the block; `None` if it has no end.
fn body<'a>(lines: &mut impl Iterator<Item = &'a [u8]>, begun: &[u8]) -> Option<PemBlock> {
    let mut block = PemBlock { base64: Zeroizing::new(Vec::with_capacity(16 << 10)), headers: false };
    for line in lines {
        if let Some(ended) = label(line, END) {
            return (ended == begun).then_some(block);
        }
        if line.contains(&b':') {
            block.headers = true;
        } else {
            block.base64.extend(line.iter().filter(|byte| !byte.is_ascii_whitespace()));
        }
    }
    None
}
