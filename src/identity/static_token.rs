//! Ready access tokens, and reading secrets from files and standard input.

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::chain::{CredentialSetup, EnvLookup};
use super::tokens::{MAX_TOKEN, clean_token};
use super::{Credential, CredentialConfig, IssuedToken, SecretFile, SignInError, TokenClaims, secret_text};
use crate::files::{self, FileError, PipePolicy};
use crate::http::HttpClients;

/// Largest difference between this machine's clock and Entra's, in seconds, as Entra allows it.
const ALLOWED_SKEW_SECONDS: i64 = 300;

/// A token that another program got.
#[derive(Debug)]
pub enum StaticToken {
    /// The token itself, which can't be renewed.
    Inline(SecretString),
    /// A file with the token, which another program may rewrite to renew it.
    File(SecretFile),
}

/// The ready token, if one is set.
pub(super) fn find(config: &CredentialConfig, vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let token = match &config.sources.token_file {
        Some(path) if is_stdin(path) => StaticToken::Inline(read_secret("--token-file", path)?),
        Some(path) => StaticToken::File(SecretFile::new("--token-file", path.clone())),
        None => match secret_text::from_variable(vars, "ENTRA_REVOKE_TOKEN") {
            Some(token) => StaticToken::Inline(token),
            None => {
                return Ok(CredentialSetup::absent("neither ENTRA_REVOKE_TOKEN nor --token-file is set"));
            }
        },
    };
    Ok(CredentialSetup::Ready(Credential::Static(token)))
}

impl StaticToken {
    /// The current token. Only Graph knows its lifetime.
    pub(super) async fn read(&self, http: &HttpClients) -> Result<IssuedToken, SignInError> {
        let token = match self {
            StaticToken::Inline(token) => token.clone(),
            StaticToken::File(file) => {
                let token = file.read(http).await?;
                clean_token(token.expose_secret()).map_err(|error| file.error(error.to_string()))?;
                token
            }
        };
        Ok(IssuedToken { token, lifetime: None })
    }
}

/// Refuses a token that has expired by its own claims, before Graph does.
pub(super) fn check_not_expired(claims: &TokenClaims) -> Result<(), SignInError> {
    match claims.expires_at() {
        Some(ends) if Timestamp::now().as_second() > ends.as_second() + ALLOWED_SKEW_SECONDS => {
            Err(SignInError::AlreadyExpired { ended: format_time(ends) })
        }
        _ => Ok(()),
    }
}

/// When a refused token expired, with a separator before it; empty if it can't have been refused for that.
pub(super) fn expiry_note(claims: &TokenClaims) -> String {
    let over = claims
        .expires_at()
        .filter(|ends| Timestamp::now().as_second() + ALLOWED_SKEW_SECONDS > ends.as_second());
    over.map(|ends| format!(": it expired at {}", format_time(ends))).unwrap_or_default()
}

/// An instant in a form for people.
fn format_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Whether a path means standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn read_stdin(max_bytes: u64) -> std::io::Result<files::SecretContents> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(max_bytes + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a secret from a file, or from standard input if the path is `-`, in any supported encoding and without the
/// white space around it.
pub(super) fn read_secret(flag: &'static str, path: &Path) -> Result<SecretString, SignInError> {
    let fail = |reason: String| SignInError::SecretFile { flag, path: path.to_owned(), reason };
    // In UTF-16, a character of a token takes two bytes, and a byte order mark may precede them.
    let max_bytes = MAX_TOKEN as u64 * 2 + 4;
    let too_long = || fail("it is too long".to_owned());
    let bytes = match is_stdin(path) {
        true => read_stdin(max_bytes).map_err(|error| fail(error.to_string()))?,
        // The path may also be a named pipe. Callers that read it again set a time limit.
        false => files::read_secret(path, max_bytes, PipePolicy::Named).map_err(|error| match error {
            FileError::Distrust(_) => SignInError::Insecure { named_by: flag, why: error.to_string() },
            FileError::TooLong(_) => too_long(),
            error => fail(error.to_string()),
        })?,
    };
    if bytes.len() as u64 > max_bytes {
        return Err(too_long());
    }
    let text = secret_text::decode(&bytes).map_err(fail)?;
    if text.len() > MAX_TOKEN {
        return Err(too_long());
    }
    match text.trim_start_matches('\u{feff}').trim() {
        "" => Err(fail("it is empty".to_owned())),
        secret => Ok(SecretString::from(secret)),
    }
}
