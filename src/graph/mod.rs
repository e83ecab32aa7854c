//! Requests to Microsoft Graph, behind a trait: one request, one typed answer, whether it is sent alone or in
//! a batch.
//!
//! Nothing here decides what an answer means for a user: that is [`crate::dispatch::verdict`]. This module
//! turns bytes into facts: the status, the request that was answered, and what the answer asks for.

mod batch;
mod body;
mod client;
mod priority;

pub use body::ErrorBody;
pub use client::HttpGraph;
pub(crate) use client::answers_another;
pub use priority::{Priority, UnknownPriority};

use std::future::Future;
use std::time::Duration;

use uuid::Uuid;

use crate::event::AnswerEvidence;
use crate::identity::{SignInError, TokenState};
use crate::user_id::UserId;

/// Sends requests to Graph. The dispatcher knows nothing else of the network, so its timing can be tested
/// with a fake under a paused clock.
pub trait Graph: Send + Sync + 'static {
    /// `POST /users/{id}/revokeSignInSessions`, once, without any retry.
    fn revoke(&self, request: BatchRequest) -> impl Future<Output = BatchAnswer> + Send;

    /// The same for up to 20 users in one `$batch`, once, without any retry. Returns an answer for each
    /// request, in the order of the requests, whatever happened to the batch.
    fn revoke_batch(&self, requests: Vec<BatchRequest>) -> impl Future<Output = Vec<BatchAnswer>> + Send;

    /// The state of the access token. Cheap enough to call before each request.
    fn token(&self) -> TokenState;

    /// Replaces the access token with this serial by a new one, with the claims of a challenge if there was
    /// one. Does nothing if it is no longer the current token.
    fn renew(
        &self,
        stale: u64,
        claims: Option<String>,
    ) -> impl Future<Output = Result<(), SignInError>> + Send;
}

/// One request.
#[derive(Clone, Debug)]
pub struct BatchRequest {
    /// The user whose sessions are revoked.
    pub user: UserId,
    /// Sent as `client-request-id`.
    pub client_request_id: Uuid,
    /// Whether the request must use a new connection, as Microsoft recommends after a 503
    /// (learn.microsoft.com/graph/best-practices-concept).
    pub new_connection: bool,
}

/// The result of one request.
#[derive(Clone, Debug)]
pub struct BatchAnswer {
    /// The answer itself.
    pub reply: UserReply,
    /// The serial of the token that was sent.
    pub token: u64,
}

/// An answer, or why there is none.
#[derive(Clone, Debug)]
pub enum UserReply {
    /// A response.
    Response(Box<HttpResponse>),
    /// There was no response, or not in time.
    Lost(ConnectionLoss),
    /// The batch was refused as a whole, or this part failed because another one did. The part was not
    /// carried out. It is sent again alone, and the answer says nothing about its user.
    Unbatched(Box<HttpResponse>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLoss {
    /// How the answer was lost.
    pub how: LossKind,
    /// The reason, in words.
    pub detail: String,
}

/// How an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// No connection: the request never left.
    NotSent,
    /// The request was sent, but there was no answer within the timeout: it may have been carried out.
    TimedOut,
    /// The connection broke: it may have been carried out.
    Broken,
}

/// A response.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// What the body is.
    pub body: ErrorBody,
    /// The `request-id` header, which Graph sets on every answer of its own.
    pub request_id: Option<String>,
    /// The `Date` header.
    pub date: Option<String>,
    /// The `x-ms-ags-diagnostic` header.
    pub diagnostic: Option<String>,
    /// The `Retry-After` header, as a time from now, rounded up.
    pub retry_after: Option<Duration>,
    /// The `x-ms-throttle-limit-percentage` header. Throttling starts at 1.0.
    pub throttle_percentage: Option<f64>,
    /// The `x-ms-throttle-scope` header.
    pub throttle_scope: Option<String>,
    /// The `x-ms-throttle-information` header.
    pub throttle_information: Option<String>,
    /// The claims of a claims challenge (`WWW-Authenticate`), as JSON.
    pub claims: Option<String>,
}

impl HttpResponse {
    /// Whether this is a 403 that means the same as a 429. The body alone does not say so, but Graph names
    /// the limit, or the time to wait, only if it throttles. A code about authorization means what it says.
    pub fn throttles(&self) -> bool {
        let ErrorBody::Error { code, .. } = &self.body else { return false };
        let (waits, names_limit) = (self.retry_after.is_some(), self.throttle_scope.is_some());
        self.status == 403
            && match code.to_ascii_lowercase().as_str() {
                "toomanyrequests" => waits || names_limit,
                code if code.starts_with("authorization") || code.ends_with("accessdenied") => false,
                _ => names_limit,
            }
    }

    /// Whether this answer, if its status is a success, is Graph's confirmation that the request was carried
    /// out.
    ///
    /// A confirmation is a JSON object without an error whose `value` is `true`. An object without a `value`,
    /// or an empty body, also counts if it is marked as Graph's, by its `request-id` or by OData's control
    /// information. The answer of a proxy or a portal has neither.
    pub fn confirms(&self) -> bool {
        match &self.body {
            ErrorBody::Truth(true) | ErrorBody::OData => true,
            ErrorBody::Empty | ErrorBody::Object(_) => self.request_id.is_some(),
            _ => false,
        }
    }
}

impl UserReply {
    /// The parts of the answer that the report and the journal keep.
    pub fn evidence(&self) -> AnswerEvidence {
        match self {
            UserReply::Lost(lost) => AnswerEvidence {
                error_code: Some(lost.how.word().to_owned()),
                detail: crate::text::sanitize::sanitize_truncated(&lost.detail, 300),
                ..AnswerEvidence::default()
            },
            UserReply::Response(response) | UserReply::Unbatched(response) => {
                let kept = |text: &Option<String>| {
                    text.as_deref().map(|t| crate::text::sanitize::sanitize_truncated(t, 500))
                };
                let (code, detail) = response.body.error_text();
                AnswerEvidence {
                    http_status: Some(response.status),
                    error_code: code,
                    detail,
                    request_id: kept(&response.request_id),
                    server_date: kept(&response.date),
                    diagnostic: kept(&response.diagnostic),
                    app_id: None,
                }
            }
        }
    }
}

impl LossKind {
    /// The word in the report's `error_code` if there was no answer.
    pub fn word(self) -> &'static str {
        match self {
            LossKind::NotSent => "no_connection",
            LossKind::TimedOut => "timed_out",
            LossKind::Broken => "connection_broken",
        }
    }
}
