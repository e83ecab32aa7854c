//! PFX (PKCS#12, RFC 7292) from Windows, Key Vault and `openssl pkcs12 -export`, both modern (AES) and old (3DES).

use secrecy::SecretString;

use super::CertificateProblem;
use super::key_material::KeyMaterial;

/// Refuses the file, because this build does not have the feature `pfx`.
#[cfg(not(feature = "pfx"))]
pub(super) fn read(_: &[u8], _: Option<&SecretString>) -> Result<KeyMaterial, CertificateProblem> {
    Err(CertificateProblem::PfxUnsupported)
}

/// Reads all certificates and keys.
#[cfg(feature = "pfx")]
pub(super) fn read(bytes: &[u8], password: Option<&SecretString>) -> Result<KeyMaterial, CertificateProblem> {
    use super::key_material::{KeyFormat, RawKey};
    use p12_keystore::Pkcs12Archive;
    use secrecy::ExposeSecret;
    use secrecy::zeroize::Zeroizing;

    let text = password.map_or("", ExposeSecret::expose_secret);
    let archive = Pkcs12Archive::from_pkcs12(bytes, text).map_err(|error| problem(&error, password))?;
    let key = |der: &[u8]| RawKey { format: KeyFormat::Pkcs8, der: Zeroizing::new(der.to_vec()) };
    Ok(KeyMaterial {
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
        keys: archive.keys.iter().map(|bag| key(bag.key.as_der())).collect(),
    })
}

/// Maps an error. A wrong password appears as a wrong MAC, or as invalid padding if the file has no MAC.
#[cfg(feature = "pfx")]
fn problem(error: &p12_keystore::error::Error, password: Option<&SecretString>) -> CertificateProblem {
    use p12_keystore::error::Error;
    match (error, password) {
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), Some(_)) => {
            CertificateProblem::PasswordWrong
        }
        (Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_), None) => {
            CertificateProblem::PasswordMissing
        }
        _ => CertificateProblem::UnreadablePfx,
    }
}
