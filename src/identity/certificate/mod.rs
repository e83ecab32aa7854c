//! Sign-in of an app with a certificate. The private key signs an assertion and is never sent
//! (learn.microsoft.com/entra/identity-platform/certificate-credentials).
//!
//! ```text
//!  file ─▶ pem | pfx ─▶ certificates, keys ─▶ the matching pair ─▶ assertion, a new one for each request
//!             └▶ pkcs8_decrypt: keys with a password
//! ```

mod assertion;
mod error;
mod key_material;
mod pem;
mod pfx;
mod pkcs8_decrypt;
mod signing_key;
#[cfg(test)]
mod tests;
mod x509;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

pub use error::CertificateProblem;
use key_material::KeyMaterial;
use signing_key::SigningKey;
use x509::CertificateFacts;

use super::chain::{CredentialSetup, EnvLookup};
use super::{ClientProof, Credential, CredentialConfig, SignInError, secret_text, static_token};

/// An app's certificate with its private key, which is never shown.
pub struct Certificate {
    given: &'static str,
    path: PathBuf,
    key: SigningKey,
    /// DER: the key's certificate first, then the others in the order of the file.
    chain: Vec<Vec<u8>>,
    facts: CertificateFacts,
    /// Whether the chain is sent, for apps that trust a subject and issuer instead of one certificate.
    send_chain: bool,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// The certificate, if one is set.
pub(super) fn find(config: &CredentialConfig, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let Some(source) = CertificateSource::from_config(config, vars) else {
        return Ok(CredentialSetup::absent(
            "neither AZURE_CLIENT_CERTIFICATE_PATH nor --certificate-file is set",
        ));
    };
    let password = match &config.sources.certificate_password_file {
        Some(path) => Some(static_token::read_secret("--certificate-password-file", path)?),
        None => secret_text::from_variable(vars, "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    };
    let send_chain = vars("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN").is_some_and(|value| is_true(&value));
    let certificate = Certificate::read(&source, password.as_ref(), send_chain)?;
    let app = config.build_app(ClientProof::Certificate(Arc::new(certificate)), source.given_message)?;
    Ok(CredentialSetup::Ready(Credential::App(app)))
}

/// Whether a variable is on, by Azure Identity's rule: `1` and `true`.
fn is_true(value: &str) -> bool {
    value.trim() == "1" || value.trim().eq_ignore_ascii_case("true")
}

/// Where the certificate is, and which flag or variable names it.
struct CertificateSource {
    /// The flag or variable.
    named_by: &'static str,
    /// The same as the start of a sentence.
    given_message: &'static str,
    path: PathBuf,
    /// The file of the private key, if it is a separate one.
    key: Option<PathBuf>,
}

impl CertificateSource {
    fn from_config(config: &CredentialConfig, vars: EnvLookup<'_>) -> Option<CertificateSource> {
        let key = config.sources.certificate_key_file.clone();
        if let Some(path) = config.sources.certificate_file.clone() {
            return Some(CertificateSource {
                named_by: "--certificate-file",
                given_message: "--certificate-file is set",
                path,
                key,
            });
        }
        let path = PathBuf::from(vars("AZURE_CLIENT_CERTIFICATE_PATH")?);
        Some(CertificateSource {
            named_by: "AZURE_CLIENT_CERTIFICATE_PATH",
            given_message: "AZURE_CLIENT_CERTIFICATE_PATH is set",
            path,
            key,
        })
    }
}

fn certificate_error(by: &'static str, path: &Path, problem: CertificateProblem) -> SignInError {
    match problem {
        CertificateProblem::Insecure(why) => SignInError::Insecure { named_by: by, why },
        problem => SignInError::Certificate { by, path: path.to_owned(), problem },
    }
}

impl Certificate {
    fn read(
        source: &CertificateSource,
        password: Option<&SecretString>,
        send_chain: bool,
    ) -> Result<Certificate, SignInError> {
        let fail = |problem| certificate_error(source.named_by, &source.path, problem);
        let mut material = KeyMaterial::read(&source.path, password).map_err(fail)?;
        if let Some(path) = &source.key {
            let by = "--certificate-key-file";
            let key =
                KeyMaterial::read(path, password).map_err(|problem| certificate_error(by, path, problem))?;
            if key.keys.is_empty() {
                return Err(certificate_error(by, path, CertificateProblem::KeyFileWithoutKey));
            }
            material.keys = key.keys;
        }
        let (key, chain, facts) = material.match_key().map_err(fail)?;
        Ok(Certificate { given: source.named_by, path: source.path.clone(), key, chain, facts, send_chain })
    }

    /// When it expires.
    pub fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// Its subject, such as `CN=entra-revoke`. It comes from a file, so show it through
    /// [`crate::text::sanitize::sanitize_line`].
    pub fn subject(&self) -> &str {
        &self.facts.subject
    }

    /// SHA-1 of its DER in upper-case hex, as the portal shows it.
    pub fn thumbprint(&self) -> String {
        x509::thumbprint(&self.chain[0])
    }

    /// SHA-256 of its DER in upper-case hex.
    pub fn thumbprint_sha256(&self) -> String {
        hex::encode_upper(x509::sha256(&self.chain[0]))
    }

    /// A warning is shown if it expires within this time. Replacing a certificate takes days in many organizations.
    pub const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// A warning about its expiry, if that is near or past. The sign-in refuses an expired certificate.
    pub fn expiry_warning(&self, now: Timestamp) -> Option<String> {
        let remaining = Duration::try_from(self.facts.not_after.duration_since(now)).unwrap_or_default();
        (remaining <= Certificate::EXPIRY_WARNING).then(|| {
            let day = self.facts.not_after.strftime("%Y-%m-%d");
            let days = remaining.as_secs() / (24 * 60 * 60);
            let when = match days {
                0 => "within a day".to_owned(),
                1 => "in 1 day".to_owned(),
                days => format!("in {days} days"),
            };
            format!(
                "the certificate {} expires {when}, on {day}: {}",
                self.path.display(),
                error::RENEW_ADVICE
            )
        })
    }

    /// An assertion that the owner of the key is the app `client_id`, for this token endpoint. Each has a new ID, so it
    /// is valid for one request.
    ///
    /// # Errors
    /// If the certificate has expired or is not valid yet, so that a request would fail.
    pub(super) fn assertion(&self, client_id: &str, audience: &str) -> Result<SecretString, SignInError> {
        let now = Timestamp::now();
        self.facts
            .check_valid_at(now)
            .and_then(|()| assertion::sign(self, client_id, audience, now))
            .map_err(|problem| certificate_error(self.given, &self.path, problem))
    }
}
