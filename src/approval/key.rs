//! The public keys that approvers sign with.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::wire::{WireReader, padded};

/// The flag that says that a person touched the security key.
const FLAG_USER_PRESENT: u8 = 1;

/// Why a key can't be used to check signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("its key can't be read")]
    Unreadable,
    #[error("its key is a certificate, which is not supported: list the approver's own key")]
    Certificate,
    #[error("its key type is not supported: use ed25519, ecdsa, RSA, or a security key (sk-)")]
    Unsupported,
    #[error("its RSA key is shorter than 2048 bits or longer than 8192")]
    Length,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// The key in SSH's wire format. Two keys are equal if this is equal.
    blob: Vec<u8>,
    kind: PublicKeyKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PublicKeyKind {
    Ed25519(Vec<u8>),
    Ecdsa(KeyCurve, Vec<u8>),
    Rsa {
        e: Vec<u8>,
        n: Vec<u8>,
    },
    /// A security key with its application, which is part of the signed data.
    SecurityKey(Box<PublicKeyKind>, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyCurve {
    P256,
    P384,
    P521,
}

impl KeyCurve {
    const ALL: [KeyCurve; 3] = [KeyCurve::P256, KeyCurve::P384, KeyCurve::P521];

    fn name(self) -> &'static str {
        match self {
            KeyCurve::P256 => "nistp256",
            KeyCurve::P384 => "nistp384",
            KeyCurve::P521 => "nistp521",
        }
    }

    /// The length of a coordinate in bytes.
    fn width(self) -> usize {
        match self {
            KeyCurve::P256 => 32,
            KeyCurve::P384 => 48,
            KeyCurve::P521 => 66,
        }
    }
}

/// Whether a word begins like a key type.
pub(super) fn is_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|begin| word.starts_with(begin))
}

impl PublicKey {
    /// Parses a key in SSH's wire format.
    pub(super) fn read(blob: &[u8]) -> Result<PublicKey, KeyError> {
        let mut wire = WireReader(blob);
        let name = wire.text().ok_or(KeyError::Unreadable)?;
        if name.contains("-cert-v0") {
            return Err(KeyError::Certificate);
        }
        let kind = PublicKeyKind::read(name, &mut wire)?;
        match wire.is_empty() {
            true => Ok(PublicKey { blob: blob.to_vec(), kind }),
            false => Err(KeyError::Unreadable),
        }
    }

    /// The name of the key type, as it is before the key in a file.
    pub(super) fn type_name(&self) -> &str {
        WireReader(&self.blob).text().unwrap_or_default()
    }

    /// The fingerprint, as `ssh-keygen -l` shows it.
    pub(super) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest(&SHA256, &self.blob)))
    }

    /// Whether the signature of the data was made with this key. `signature` is in SSH's wire format.
    pub(super) fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        self.kind.verifies(data, signature).is_some()
    }
}

impl PublicKeyKind {
    fn read(name: &str, wire: &mut WireReader<'_>) -> Result<PublicKeyKind, KeyError> {
        let unreadable = KeyError::Unreadable;
        match name {
            "ssh-ed25519" => {
                let key = wire.string().filter(|key| key.len() == 32).ok_or(unreadable)?;
                Ok(PublicKeyKind::Ed25519(key.to_vec()))
            }
            "ssh-rsa" => {
                let (e, n) = wire.positive().zip(wire.positive()).ok_or(unreadable)?;
                // The crypto library supports only these lengths.
                match n.len() {
                    256..=1024 if !e.is_empty() => Ok(PublicKeyKind::Rsa { e: e.to_vec(), n: n.to_vec() }),
                    _ => Err(KeyError::Length),
                }
            }
            "sk-ssh-ed25519@openssh.com" => {
                let key = PublicKeyKind::read("ssh-ed25519", wire)?;
                let application = wire.text().ok_or(unreadable)?;
                Ok(PublicKeyKind::SecurityKey(Box::new(key), application.to_owned()))
            }
            "sk-ecdsa-sha2-nistp256@openssh.com" => {
                let key = PublicKeyKind::read("ecdsa-sha2-nistp256", wire)?;
                let application = wire.text().ok_or(unreadable)?;
                Ok(PublicKeyKind::SecurityKey(Box::new(key), application.to_owned()))
            }
            _ => {
                let curve = name.strip_prefix("ecdsa-sha2-");
                let curve = KeyCurve::ALL.into_iter().find(|known| Some(known.name()) == curve);
                let curve = curve.ok_or(KeyError::Unsupported)?;
                let (named, point) = wire.text().zip(wire.string()).ok_or(unreadable)?;
                let fits = named == curve.name()
                    && point.len() == 2 * curve.width() + 1
                    && point.first() == Some(&4);
                if fits { Ok(PublicKeyKind::Ecdsa(curve, point.to_vec())) } else { Err(unreadable) }
            }
        }
    }

    fn verifies(&self, data: &[u8], signature: &[u8]) -> Option<()> {
        let mut wire = WireReader(signature);
        let (algorithm, bytes) = (wire.text()?, wire.string()?);
        let checked = match self {
            PublicKeyKind::SecurityKey(key, application) => {
                let (flags, counter) = (wire.byte()?, wire.take(4)?);
                let expected = format!("sk-{}@openssh.com", key.algorithm());
                if algorithm != expected || flags & FLAG_USER_PRESENT == 0 {
                    return None;
                }
                let mut signed = digest(&SHA256, application.as_bytes()).as_ref().to_vec();
                signed.push(flags);
                signed.extend_from_slice(counter);
                signed.extend_from_slice(digest(&SHA256, data).as_ref());
                key.check(key.algorithm(), &signed, bytes)
            }
            _ => self.check(algorithm, data, bytes),
        };
        checked.filter(|()| wire.is_empty())
    }

    /// The algorithm of its signatures. Empty for RSA, which has two, and for security keys.
    fn algorithm(&self) -> &'static str {
        match self {
            PublicKeyKind::Ed25519(_) => "ssh-ed25519",
            PublicKeyKind::Ecdsa(KeyCurve::P256, _) => "ecdsa-sha2-nistp256",
            PublicKeyKind::Ecdsa(KeyCurve::P384, _) => "ecdsa-sha2-nistp384",
            PublicKeyKind::Ecdsa(KeyCurve::P521, _) => "ecdsa-sha2-nistp521",
            PublicKeyKind::Rsa { .. } | PublicKeyKind::SecurityKey(..) => "",
        }
    }

    fn check(&self, algorithm: &str, data: &[u8], signature: &[u8]) -> Option<()> {
        match self {
            PublicKeyKind::Rsa { e, n } => {
                // SHA-1 (`ssh-rsa`) is no longer secure.
                let parameters = match algorithm {
                    "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                    "rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
                    _ => return None,
                };
                let signature = padded(signature, n.len())?;
                RsaPublicKeyComponents { n, e }.verify(parameters, data, &signature).ok()
            }
            PublicKeyKind::SecurityKey(..) => None,
            _ if algorithm != self.algorithm() => None,
            PublicKeyKind::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(data, signature).ok(),
            PublicKeyKind::Ecdsa(curve, point) => {
                let mut wire = WireReader(signature);
                let (r, s) = (wire.positive()?, wire.positive()?);
                let width = curve.width();
                let fixed = [padded(r, width)?, padded(s, width)?].concat();
                let way = match curve {
                    KeyCurve::P256 => &ECDSA_P256_SHA256_FIXED,
                    KeyCurve::P384 => &ECDSA_P384_SHA384_FIXED,
                    KeyCurve::P521 => &ECDSA_P521_SHA512_FIXED,
                };
                let verified = UnparsedPublicKey::new(way, point).verify(data, &fixed).ok();
                verified.filter(|()| wire.is_empty())
            }
        }
    }
}
