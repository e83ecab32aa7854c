//! Asking a service that may be busy: the token endpoint, and whatever else gives tokens and proofs.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::zeroize::Zeroizing;

use super::SignInError;
use crate::http::{TransportError, retry_after_of};

/// How often a service is asked before it is given up, where it is busy or can't be reached.
const MAX_ATTEMPTS: u32 = 5;

/// Longest wait between two tries that is worth it; a longer `Retry-After` is told instead.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Longest answer that is read, in bytes. Those with tokens have a few thousand.
const MAX_BODY: usize = 256 << 10;

/// How much patience was spent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RetryProgress {
    /// Requests that were made.
    pub(super) attempts: u32,
    /// Time that was waited between them.
    pub(super) total_wait: Duration,
}

impl RetryProgress {
    /// Whether another try is left where nothing else is known.
    pub(super) fn has_attempts_left(self) -> bool {
        self.attempts < MAX_ATTEMPTS
    }
}

/// Most services are busy when they say so (429) or fail (5xx).
pub(super) fn is_retryable(answer: &EndpointAnswer, waited: RetryProgress) -> bool {
    is_transient(answer.status) && waited.has_attempts_left()
}

/// Whether a status says that the service is busy, and not that it refuses.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) || status.is_server_error()
}

/// What a service answered. The body may hold a token.
pub(super) struct EndpointAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl EndpointAnswer {
    /// A header's value, where it is text.
    pub(super) fn header(&self, name: reqwest::header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn retry_after(&self) -> Option<Duration> {
        retry_after_of(&self.headers)
    }
}

/// Sends a request, and again as long as the service is busy or can't be reached. `what` names it in logs; `busy` says
/// of an answer whether it is worth asking again; `max_wait` is the longest wait that it may ask for; `request` is made anew for each try; `given_up` makes the error of a
/// reason, which holds no secret.
///
/// # Errors
/// When it could not be reached, or said to the end that it was busy.
pub(super) async fn send_with_retries(
    what: &str,
    max_wait: Duration,
    busy: impl Fn(&EndpointAnswer, RetryProgress) -> bool,
    mut request: impl FnMut() -> Result<reqwest::RequestBuilder, SignInError>,
    given_up: impl Fn(String) -> SignInError,
) -> Result<EndpointAnswer, SignInError> {
    let mut waited = RetryProgress::default();
    let mut backoff = Duration::from_secs(1);
    loop {
        let tried = send_once(request()?).await;
        waited.attempts += 1;
        let state = if tried.is_ok() { "is busy" } else { "can't be reached" };
        let (reason, wait, again) = match tried {
            Ok(answer) if busy(&answer, waited) => {
                (format!("it answered {}", answer.status), answer.retry_after(), true)
            }
            Ok(answer) if is_transient(answer.status) => {
                (format!("it answered {}", answer.status), None, false)
            }
            Ok(answer) => return Ok(answer),
            Err(error) => {
                let trouble = TransportError::from_reqwest(&error);
                // A certificate or a proxy's password is not mended by asking again.
                (trouble.text, None, waited.has_attempts_left() && !trouble.lasting)
            }
        };
        let wait = wait.unwrap_or_default().max(backoff);
        if again && wait > MAX_WAIT.min(max_wait.max(backoff)) {
            let wait = wait.as_secs();
            return Err(given_up(format!(
                "{reason}, and asks to be left alone for {wait} s: try again then"
            )));
        }
        if !again {
            return Err(given_up(reason));
        }
        tracing::warn!(attempt = waited.attempts, wait_s = wait.as_secs_f64(), reason, "{what} {state}");
        tokio::time::sleep(wait).await;
        waited.total_wait += wait;
        backoff = (backoff * 2).min(Duration::from_secs(16));
    }
}

/// Sends a request once.
pub(super) async fn send_once(request: reqwest::RequestBuilder) -> Result<EndpointAnswer, reqwest::Error> {
    let mut response = request.send().await?;
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_BODY {
            break;
        }
    }
    Ok(EndpointAnswer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
}
