//! Requests to services that may be busy: the token endpoint, and others that issue tokens and assertions.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use secrecy::zeroize::Zeroizing;

use super::SignInError;
use crate::http::{TransportError, retry_after_of};

/// Number of attempts if a service is busy or can't be reached.
const MAX_ATTEMPTS: u32 = 5;

/// Longest wait between two attempts. A longer `Retry-After` ends the attempts and is reported.
const MAX_WAIT_BETWEEN_ATTEMPTS: Duration = Duration::from_secs(120);

/// Longest answer that is read, in bytes. Answers with tokens have a few thousand.
const MAX_BODY: usize = 256 << 10;

/// The attempts and waits so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RetryProgress {
    /// Number of requests.
    pub(super) attempts: u32,
    /// Total wait between them.
    pub(super) total_wait: Duration,
}

impl RetryProgress {
    /// Whether the usual limit allows another attempt.
    pub(super) fn has_attempts_left(self) -> bool {
        self.attempts < MAX_ATTEMPTS
    }
}

/// Whether to retry after this answer, by the rule for most services: 429, 408 and 5xx.
pub(super) fn is_retryable(answer: &EndpointAnswer, waited: RetryProgress) -> bool {
    is_transient(answer.status) && waited.has_attempts_left()
}

/// Whether a status says that the service is busy rather than that it refuses.
pub(super) fn is_transient(status: StatusCode) -> bool {
    matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) || status.is_server_error()
}

/// A service's answer. The body may contain a token.
pub(super) struct EndpointAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl EndpointAnswer {
    /// A header's value, if it is text.
    pub(super) fn header(&self, name: reqwest::header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn retry_after(&self) -> Option<Duration> {
        retry_after_of(&self.headers)
    }
}

/// Sends a request, and retries while the service is busy or can't be reached. `what` names the service in logs; `busy`
/// decides whether an answer is worth a retry; `max_wait` is the longest wait that the service may ask for; `request`
/// builds a new request for each attempt; `given_up` makes the error from a reason, which contains no secret.
///
/// # Errors
/// If the service can't be reached, or is still busy at the last attempt.
pub(super) async fn send_with_retries(
    what: &str,
    max_wait: Duration,
    busy: impl Fn(&EndpointAnswer, RetryProgress) -> bool,
    mut request: impl FnMut() -> Result<reqwest::RequestBuilder, SignInError>,
    make_error: impl Fn(String) -> SignInError,
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
                // A retry does not fix a certificate or a proxy's password.
                (trouble.text, None, waited.has_attempts_left() && !trouble.lasting)
            }
        };
        let wait = wait.unwrap_or_default().max(backoff);
        if again && wait > MAX_WAIT_BETWEEN_ATTEMPTS.min(max_wait.max(backoff)) {
            let wait = wait.as_secs();
            return Err(make_error(format!("{reason}; retry after {wait} s")));
        }
        if !again {
            return Err(make_error(reason));
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
