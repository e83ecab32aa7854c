//! Files with secrets that are read again during a run. A file may be on a mount that hangs, so reading it must not
//! block other work and has a time limit.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use secrecy::SecretString;

use super::SignInError;
use super::static_token::read_secret;
use crate::http::HttpClients;

/// Time limit for a file that was read before, or that a service of this machine has just written.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// A file with a secret, which may be replaced during the run.
#[derive(Debug)]
pub struct SecretFile {
    named_by: &'static str,
    path: PathBuf,
    was_read: AtomicBool,
}

/// A file was not read in time, or the thread that read it panicked.
#[derive(Debug)]
pub(super) struct SecretFileError(pub(super) String);

impl SecretFile {
    /// The file that the flag or variable `named_by` names.
    pub fn new(named_by: &'static str, path: PathBuf) -> SecretFile {
        SecretFile { named_by, path, was_read: AtomicBool::new(false) }
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret that is in the file now. The first read has no time limit, because the secret may not be written yet,
    /// as when a shell passes the output of `az` as a file. Later reads have the limit of [`read_timeout`].
    pub(super) async fn read(&self, http: &HttpClients) -> Result<SecretString, SignInError> {
        let (named_by, path) = (self.named_by, self.path.clone());
        let limit = self.was_read.load(Ordering::Relaxed).then(|| read_timeout(http));
        let read = read_with_timeout(limit, move || read_secret(named_by, &path)).await;
        let secret = read.map_err(|SecretFileError(reason)| self.error(reason))??;
        self.was_read.store(true, Ordering::Relaxed);
        Ok(secret)
    }

    /// The error for this file.
    pub(super) fn error(&self, reason: String) -> SignInError {
        SignInError::SecretFile { flag: self.named_by, path: self.path.clone(), reason }
    }
}

/// Time limit for reading a file: ten seconds, or less if `--timeout` is less.
pub(super) fn read_timeout(http: &HttpClients) -> Duration {
    READ_TIMEOUT.min(http.timeout())
}

/// Reads in a separate thread. A thread that hangs can't be stopped, so it is left running.
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
    read.map_err(|_| SecretFileError("internal error while reading it; please report it".to_owned()))
}

fn timeout_message(limit: Duration) -> String {
    format!(
        "it could not be read within {}s: check that its mount still responds, then `resume` a run that had \
         begun",
        limit.as_secs_f64()
    )
}
