//! Microsoft Graph's wire, behind a trait: one request, one typed answer, whether it goes alone or in a batch.
//!
//! Nothing here decides what an answer means for a user; that is [`crate::dispatch::verdict`]. Here the bytes
//! become facts: which status, whose answer it was, what it asked for.

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

/// What carries requests to Graph. The dispatcher knows nothing else of the network, so that its timing is tested
/// against a fake under a paused clock.
pub trait Graph: Send + Sync + 'static {
    /// `POST /users/{id}/revokeSignInSessions`, once, without any retry.
    fn revoke(&self, request: BatchRequest) -> impl Future<Output = BatchAnswer> + Send;

    /// The same for up to 20 users in one `$batch`, once, without any retry: an answer for each request, in their
    /// order, whatever became of the batch around them.
    fn revoke_batch(&self, requests: Vec<BatchRequest>) -> impl Future<Output = Vec<BatchAnswer>> + Send;

    /// How the access token stands; cheap enough to be asked before each request.
    fn token(&self) -> TokenState;

    /// Gets a new access token in place of the one with this serial, with the claims of a challenge if there was
    /// one. Where it is no longer the current one, nothing is done.
    fn renew(
        &self,
        stale: u64,
        claims: Option<String>,
    ) -> impl Future<Output = Result<(), SignInError>> + Send;
}

/// One request.
#[derive(Clone, Debug)]
pub struct BatchRequest {
    /// Whose sessions.
    pub user: UserId,
    /// Sent as `client-request-id`.
    pub client_request_id: Uuid,
    /// Whether it must not reuse a connection: Microsoft asks for that after a 503
    /// (learn.microsoft.com/graph/best-practices-concept).
    pub new_connection: bool,
}

/// What became of one request.
#[derive(Clone, Debug)]
pub struct BatchAnswer {
    /// The answer itself.
    pub reply: UserReply,
    /// Serial of the token that was sent.
    pub token: u64,
}

/// An answer, or why there is none.
#[derive(Clone, Debug)]
pub enum UserReply {
    /// A response came.
    Response(Box<HttpResponse>),
    /// None came, or not in time.
    Lost(ConnectionLoss),
    /// The batch around it was refused as a whole, or this request failed because another in it did: nothing was
    /// carried out of it. It goes again by itself, and this says nothing about its user.
    Unbatched(Box<HttpResponse>),
}

/// Why no answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionLoss {
    /// How it was lost.
    pub how: LossKind,
    /// In words.
    pub detail: String,
}

/// How an answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossKind {
    /// No connection: the request never left.
    NotSent,
    /// The request left and the time-out came: it may have been carried out.
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
    /// The `request-id` header: Graph sets it on every answer of its own.
    pub request_id: Option<String>,
    /// The `Date` header.
    pub date: Option<String>,
    /// The `x-ms-ags-diagnostic` header.
    pub diagnostic: Option<String>,
    /// The `Retry-After` header, as a time from now, rounded up.
    pub retry_after: Option<Duration>,
    /// The `x-ms-throttle-limit-percentage` header: 1.0 is where throttling starts.
    pub throttle_percentage: Option<f64>,
    /// The `x-ms-throttle-scope` header.
    pub throttle_scope: Option<String>,
    /// The `x-ms-throttle-information` header.
    pub throttle_information: Option<String>,
    /// The claims of a claims challenge (`WWW-Authenticate`), as JSON.
    pub claims: Option<String>,
}

impl HttpResponse {
    /// Whether it is a 403 that means what a 429 does. The body alone does not say so: Graph names the limit, or how long
    /// to wait, on throttled answers only. What speaks of authorization is about that.
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

    /// Whether this answer, if its status is a success, is Graph's word that it was carried out.
    ///
    /// It is a JSON object without an error whose `value` is `true`; or one without a `value`, or no body, with a mark
    /// that it was Graph: its `request-id`, or OData's control information. A proxy's or portal's answer has neither.
    pub fn confirms(&self) -> bool {
        match &self.body {
            ErrorBody::Truth(true) | ErrorBody::OData => true,
            ErrorBody::Empty | ErrorBody::Object(_) => self.request_id.is_some(),
            _ => false,
        }
    }
}

impl UserReply {
    /// What the report and the journal keep of it.
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
    /// The word that stands in the report's `error_code` where no answer came.
    pub fn word(self) -> &'static str {
        match self {
            LossKind::NotSent => "no_connection",
            LossKind::TimedOut => "timed_out",
            LossKind::Broken => "connection_broken",
        }
    }
}
