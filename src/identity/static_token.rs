//! A ready access token, and how secrets are read from files and standard input.

use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::chain::{EnvVariables, FoundCredential};
use super::tokens::{MAX_TOKEN, clean_token};
use super::{Credential, CredentialConfig, NewToken, SecretFile, SignInError, TokenClaims, secret_text};
use crate::files::{self, FileError, PipePolicy};
use crate::http::HttpClients;

/// How far this machine's clock and Entra's may be apart, in seconds: as much as Entra itself allows.
const ALLOWED_SKEW_SECONDS: i64 = 300;

/// A token that somebody else got.
#[derive(Debug)]
pub enum StaticToken {
    /// The token itself; there is no other.
    Inline(SecretString),
    /// A file that holds it, and may be rewritten by whoever renews it.
    File(SecretFile),
}

/// The ready token that is given, if one is.
pub(super) fn find(
    config: &CredentialConfig,
    vars: EnvVariables<'_>,
) -> Result<FoundCredential, SignInError> {
    let token = match &config.sources.token_file {
        Some(path) if is_stdin(path) => StaticToken::Inline(read_secret("--token-file", path)?),
        Some(path) => StaticToken::File(SecretFile::new("--token-file", path.clone())),
        None => match secret_text::from_variable(vars, "ENTRA_REVOKE_TOKEN") {
            Some(token) => StaticToken::Inline(token),
            None => {
                return Ok(FoundCredential::absent(
                    "ENTRA_REVOKE_TOKEN is not set, and no --token-file is given",
                ));
            }
        },
    };
    Ok(FoundCredential::Ready(Credential::Static(token)))
}

impl StaticToken {
    /// The token of now. How long it lives, Graph alone knows.
    pub(super) async fn read(&self, http: &HttpClients) -> Result<NewToken, SignInError> {
        let token = match self {
            StaticToken::Inline(token) => token.clone(),
            StaticToken::File(file) => {
                let token = file.read(http).await?;
                clean_token(token.expose_secret()).map_err(|error| file.error(error.to_string()))?;
                token
            }
        };
        Ok(NewToken { token, lifetime: None })
    }
}

/// Refuses a token that says that it is over, before Graph must.
pub(super) fn check_not_expired(claims: &TokenClaims) -> Result<(), SignInError> {
    match claims.expires_at() {
        Some(ends) if Timestamp::now().as_second() > ends.as_second() + ALLOWED_SKEW_SECONDS => {
            Err(SignInError::AlreadyExpired { ended: format_time(ends) })
        }
        _ => Ok(()),
    }
}

/// When a refused token ended, with a separator before it; nothing where its end can't be why.
pub(super) fn expiry_note(claims: &TokenClaims) -> String {
    let over = claims
        .expires_at()
        .filter(|ends| Timestamp::now().as_second() + ALLOWED_SKEW_SECONDS > ends.as_second());
    over.map(|ends| format!(": it ended at {}", format_time(ends))).unwrap_or_default()
}

/// An instant as people read it.
fn format_time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Whether a path stands for standard input.
pub(super) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

fn read_stdin(max_bytes: u64) -> std::io::Result<files::SecretContents> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin().lock().take(max_bytes + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a secret from a file, or from standard input where the path is `-`, in whichever encoding, without the white space around it.
pub(super) fn read_secret(flag: &'static str, path: &Path) -> Result<SecretString, SignInError> {
    let fail = |reason: String| SignInError::SecretFile { flag, path: path.to_owned(), reason };
    // A character of a token takes two bytes where it is UTF-16, and there may be a mark before them.
    let max_bytes = MAX_TOKEN as u64 * 2 + 4;
    let too_long = || fail("it is far too long".to_owned());
    let bytes = match is_stdin(path) {
        true => read_stdin(max_bytes).map_err(|error| fail(error.to_string()))?,
        // A pipe in a file system may stand there as well; who reads one anew limits the time.
        false => files::read_secret(path, max_bytes, PipePolicy::Named).map_err(|error| match error {
            FileError::Distrust(_) => SignInError::Insecure { by: flag, why: error.to_string() },
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
