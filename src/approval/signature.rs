//! Signatures of `ssh-keygen -Y sign` (OpenSSH's PROTOCOL.sshsig).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NAMESPACE;
use super::key::PublicKey;
use super::wire::{WireReader, put_string};
use crate::plan_file::RawDigest;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
const MAGIC: &[u8] = b"SSHSIG";

/// A signature that was parsed, but not checked yet.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) key: PublicKey,
    hash: SignatureHash,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum SignatureHash {
    Sha256,
    Sha512,
}

impl Signature {
    /// Parses a signature for this program's namespace.
    ///
    /// # Errors
    /// When it is not such a signature. The error says why, in words.
    pub(super) fn read(file: &[u8]) -> Result<Signature, String> {
        let no = || "it is not a signature made with `ssh-keygen -Y sign`".to_owned();
        let text = std::str::from_utf8(file).map_err(|_| no())?;
        let (before, rest) = text.split_once(BEGIN).ok_or_else(no)?;
        let (armored, after) = rest.split_once(END).ok_or_else(no)?;
        if !before.trim_start_matches('\u{feff}').trim().is_empty() || !after.trim().is_empty() {
            return Err("it has other text besides the signature".to_owned());
        }
        let armored: String = armored.split_ascii_whitespace().collect();
        let blob = STANDARD.decode(armored).map_err(|_| no())?;
        let mut wire = WireReader(&blob);
        let parts = (|| {
            (wire.take(MAGIC.len())? == MAGIC).then_some(())?;
            let version = wire.number()?;
            let (key, namespace, _reserved) = (wire.string()?, wire.text()?, wire.string()?);
            let (hash, bytes) = (wire.text()?, wire.string()?);
            wire.is_empty().then_some((version, key, namespace, hash, bytes))
        })();
        let (version, key, namespace, hash, bytes) = parts.ok_or_else(no)?;
        if version != 1 {
            return Err("its version is unknown".to_owned());
        }
        if namespace != NAMESPACE {
            return Err(format!("it is for another purpose: sign with `-n {NAMESPACE}`"));
        }
        let hash = match hash {
            "sha256" => SignatureHash::Sha256,
            "sha512" => SignatureHash::Sha512,
            _ => return Err("its hash is neither sha256 nor sha512".to_owned()),
        };
        let key = PublicKey::read(key).map_err(|why| why.to_string())?;
        Ok(Signature { key, hash, bytes: bytes.to_vec() })
    }

    /// Whether its key signed a file with these hashes.
    pub(super) fn verifies(&self, file: &RawDigest) -> bool {
        let (name, hash): (&[u8], &[u8]) = match self.hash {
            SignatureHash::Sha256 => (b"sha256", &file.sha256),
            SignatureHash::Sha512 => (b"sha512", &file.sha512),
        };
        let mut data = MAGIC.to_vec();
        for part in [NAMESPACE.as_bytes(), b"", name, hash] {
            put_string(&mut data, part);
        }
        self.key.verifies(&data, &self.bytes)
    }
}
