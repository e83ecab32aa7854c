//! Azure Arc: a machine outside of Azure with Azure's agent
//! (learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication). A client must prove that it can read
//! a file that only administrators and the agent's group can read.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, StatusCode, Url};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::super::chain::EnvLookup;
use super::super::retry_policy::{self, EndpointAnswer};
use super::super::secret_file::{self, SecretFileError};
use super::super::token_service::TokenService;
use super::super::{IssuedToken, SignInError};
use super::{token_response, unavailable};
use crate::files::{self, FileError, PipePolicy};
use crate::http::HttpClients;
use crate::text::sanitize::sanitize_truncated;

/// Longest key that Microsoft's own libraries read, in bytes.
const MAX_KEY: u64 = 4096;

/// The agent's service, and the folder of its keys.
#[derive(Debug)]
pub(super) struct ArcAgent {
    service: TokenService,
    key_folder: PathBuf,
}

/// The folder of the agent's keys. No file outside of it is read as a key.
pub(super) fn default_key_folder(vars: EnvLookup<'_>) -> Option<PathBuf> {
    if cfg!(windows) {
        let data = vars("ProgramData")?;
        Some(Path::new(&data).join("AzureConnectedMachineAgent").join("Tokens"))
    } else if cfg!(target_os = "linux") {
        Some(PathBuf::from("/var/opt/azcmagent/tokens"))
    } else {
        None
    }
}

impl ArcAgent {
    pub(super) fn new(url: Url, folder: PathBuf) -> ArcAgent {
        ArcAgent {
            service: TokenService { name: "Azure Arc's agent", url, secret: None },
            key_folder: folder,
        }
    }

    /// Gets a token. Each token takes two requests, because the agent makes a new key each time.
    pub(super) async fn token(&self, http: &HttpClients, resource: &str) -> Result<IssuedToken, SignInError> {
        let client = self.service.direct(http)?;
        let url = self.service.url_with(&[("api-version", "2020-06-01"), ("resource", resource)]);
        let request = || client.get(url.clone()).header("Metadata", "true");
        let challenge = self.send(http.max_wait(), request).await?;
        if challenge.status != StatusCode::UNAUTHORIZED {
            return Err(self.service.refusal_error(&challenge, "expected a request for a key (401)"));
        }
        let key = self.read_key(http, &challenge).await?;
        let mut basic = HeaderValue::from_str(&format!("Basic {}", key.expose_secret())).map_err(|_| {
            self.service.error("its key has characters that are not allowed in a header".to_owned(), "")
        })?;
        basic.set_sensitive(true);
        let answer = self.send(http.max_wait(), || request().header(AUTHORIZATION, basic.clone())).await?;
        if answer.status.is_success() {
            return token_response::parse_token(&self.service, &answer);
        }
        let echoing = TokenService { secret: Some(key), url: self.service.url.clone(), ..self.service };
        Err(echoing.refusal_error(&answer, "check the agent (azcmagent show)"))
    }

    async fn send(
        &self,
        max_wait: Duration,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<EndpointAnswer, SignInError> {
        let given_up = |reason| self.service.error(reason, "is the agent running? (azcmagent show)");
        retry_policy::send_with_retries(
            self.service.name,
            max_wait,
            retry_policy::is_retryable,
            || Ok(request()),
            given_up,
        )
        .await
    }

    async fn read_key(
        &self,
        http: &HttpClients,
        challenge: &EndpointAnswer,
    ) -> Result<SecretString, SignInError> {
        let named = challenge.header(WWW_AUTHENTICATE).and_then(realm);
        let named = named.ok_or_else(|| self.service.error("it does not name a key file".to_owned(), ""))?;
        let odd = || {
            let reason =
                format!("it names a file that is not a key of the agent: {}", sanitize_truncated(named, 200));
            self.service.error(reason, "nothing was read: is another program posing as the agent?")
        };
        let path = key_path(named, &self.key_folder).ok_or_else(odd)?;
        let file = path.clone();
        let read = secret_file::read_with_timeout(Some(secret_file::read_timeout(http)), move || {
            read_key_file(&file)
        })
        .await;
        let unread = |reason: &str| self.service.error(format!("its key {}: {reason}", path.display()), "");
        read.map_err(|SecretFileError(reason)| unread(&reason))?.map_err(|error| match error {
            ChallengeFileError::NotAKey => odd(),
            ChallengeFileError::Io(error) if error.kind() == ErrorKind::PermissionDenied => {
                unavailable(format!(
                    "can't read Azure Arc's key {}: add this user to the group himds (Linux) or Hybrid Agent \
                 Extension Applications (Windows), or run as an administrator",
                    path.display()
                ))
            }
            ChallengeFileError::Io(error) => unread(&error.to_string()),
        })
    }
}

/// The path in `Basic realm=…`.
fn realm(header: &str) -> Option<&str> {
    let (scheme, parameters) = header.trim().split_once(' ')?;
    let (name, value) = parameters.trim().split_once('=')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic") && name.trim().eq_ignore_ascii_case("realm");
    is_basic.then(|| value.trim().trim_matches('"'))
}

/// The path, if it names a key directly in the folder. The program that answers on the agent's port names the file and
/// gets its contents, so it must not be able to name another file.
fn key_path(named: &str, folder: &Path) -> Option<PathBuf> {
    let path = Path::new(named);
    let is_key = path.extension().is_some_and(|extension| extension == "key");
    (is_key && path.parent() == Some(folder) && path.is_absolute()).then(|| path.to_owned())
}

enum ChallengeFileError {
    NotAKey,
    Io(std::io::Error),
}

fn read_key_file(path: &Path) -> Result<SecretString, ChallengeFileError> {
    // A link may lead out of the folder.
    if std::fs::symlink_metadata(path).map_err(ChallengeFileError::Io)?.file_type().is_symlink() {
        return Err(ChallengeFileError::NotAKey);
    }
    let file = files::open(path, PipePolicy::Open).map_err(|error| match error {
        FileError::Io(error) => ChallengeFileError::Io(error),
        _ => ChallengeFileError::NotAKey,
    })?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY as usize + 1));
    file.take(MAX_KEY + 1).read_to_string(&mut text).map_err(ChallengeFileError::Io)?;
    if text.len() as u64 > MAX_KEY {
        return Err(ChallengeFileError::NotAKey);
    }
    match text.trim() {
        "" => Err(ChallengeFileError::Io(std::io::Error::other("it is empty"))),
        key => Ok(SecretString::from(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_realm_is_found() {
        assert_eq!(realm("Basic realm=/a/b.key"), Some("/a/b.key"));
        assert_eq!(realm("basic  Realm = \"/a/b.key\""), Some("/a/b.key"));
        for none in ["", "Basic", "Bearer realm=/a", "Basic file=/a"] {
            assert_eq!(realm(none), None, "{none}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn only_keys_right_in_the_folder_are_read() {
        let folder = Path::new("/var/opt/azcmagent/tokens");
        assert!(key_path("/var/opt/azcmagent/tokens/1a-2b.key", folder).is_some());
        for bad in [
            "/etc/shadow",
            "/etc/shadow.key",
            "/var/opt/azcmagent/tokens/../../../../etc/shadow.key",
            "/var/opt/azcmagent/tokens/deeper/x.key",
            "/var/opt/azcmagent/tokens/x.key.txt",
            "/var/opt/azcmagent/tokens/.key",
            "/var/opt/azcmagent/tokens/",
            "/var/opt/azcmagent/tokensx/x.key",
            "var/opt/azcmagent/tokens/x.key",
            "x.key",
            "",
        ] {
            assert!(key_path(bad, folder).is_none(), "{bad}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn long_files_and_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("a.key");
        std::fs::write(&key, "x".repeat(4096)).unwrap();
        assert!(read_key_file(&key).is_ok());
        std::fs::write(&key, "x".repeat(4097)).unwrap();
        assert!(matches!(read_key_file(&key), Err(ChallengeFileError::NotAKey)));
        let link = dir.path().join("b.key");
        std::fs::write(&key, "short").unwrap();
        std::os::unix::fs::symlink(&key, &link).unwrap();
        assert!(matches!(read_key_file(&link), Err(ChallengeFileError::NotAKey)));
    }
}
