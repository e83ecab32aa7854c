//! Files with secrets that are read anew while a run goes on. A file may be on a mount that hangs: whoever waits for
//! it must neither keep the others from working nor wait for ever.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use super::SignInError;
use super::static_token::read_secret;
use crate::http::HttpClients;

/// How long a file may take that was read before, or that a service of this machine has just written.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A file with a secret, which whoever runs the program may replace.
#[derive(Debug)]
pub struct SecretFile {
    named_by: &'static str,
    path: PathBuf,
    was_read: AtomicBool,
}

/// A file was not read in time, or the thread that read it came to grief.
#[derive(Debug)]
pub(super) struct SecretFileError(pub(super) String);

impl SecretFile {
    /// The file that a flag or variable names.
    pub fn new(named_by: &'static str, path: PathBuf) -> SecretFile {
        SecretFile { named_by, path, was_read: AtomicBool::new(false) }
    }

    /// Which file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret that it holds now. At the first time somebody may still be about to write it, as where a shell puts
    /// the output of `az` in the place of a file; from then on it has [`limit`] to be read.
    pub(super) async fn read(&self, http: &HttpClients) -> Result<SecretString, SignInError> {
        let (named_by, path) = (self.named_by, self.path.clone());
        let limit = self.was_read.load(Ordering::Relaxed).then(|| read_timeout(http));
        let read = read_with_timeout(limit, move || read_secret(named_by, &path)).await;
        let secret = read.map_err(|SecretFileError(reason)| self.error(reason))??;
        self.was_read.store(true, Ordering::Relaxed);
        Ok(secret)
    }

    /// Why it can't be used.
    pub(super) fn error(&self, reason: String) -> SignInError {
        SignInError::SecretFile { flag: self.named_by, path: self.path.clone(), reason }
    }
}

/// How long a file may take: ten seconds, or less where requests have less (`--timeout`).
pub(super) fn read_timeout(http: &HttpClients) -> Duration {
    READ_TIMEOUT.min(http.timeout())
}

/// Reads in a thread of its own. One that hangs can't be ended; it is left behind.
pub(super) async fn read_with_timeout<T: Send + 'static>(
    limit: Option<Duration>,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SecretFileError> {
    let reading = tokio::task::spawn_blocking(read);
    let read = match limit {
        None => reading.await,
        Some(limit) => {
            tokio::time::timeout(limit, reading).await.map_err(|_| SecretFileError(timeout_message(limit)))?
        }
    };
    read.map_err(|_| {
        SecretFileError("reading it broke down, by a fault of this program: please report it".to_owned())
    })
}

fn timeout_message(limit: Duration) -> String {
    format!(
        "it could not be read within {}s: does what it is mounted from still answer? Once it does, `resume` a run that \
         had begun",
        limit.as_secs_f64()
    )
}
