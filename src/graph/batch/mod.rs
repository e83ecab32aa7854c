//! Revocations of up to 20 users in one request: `POST /$batch` (learn.microsoft.com/graph/json-batching,
//! 2025-02-21).
//!
//! A batch saves round trips but not quota, because Graph counts each part as a request. Each part has its
//! own status, `Retry-After` and IDs, within an answer that is 200 as a whole. So each part becomes a
//! [`BatchAnswer`] here, as if it had been sent alone, and the caller does not need to know that it was not.
//!
//! The status of the whole answer applies to the parts only if it says nothing about any user:
//!
//! | the whole answer | each part gets |
//! |---|---|
//! | 2xx with the answers to the parts | its own answer |
//! | 2xx without them, such as a portal's page | lost: may have been carried out |
//! | 2xx, but the part's answer is missing, unreadable or contradictory | lost: may have been carried out |
//! | 429, 403 that throttles, 401, 403 with a challenge, 3xx | this answer: nothing was carried out |
//! | 408, 500, 502 to 504, 507, 509, 520 to 527, 530 | this answer: may have been carried out, may pass |
//! | any other | [`UserReply::Unbatched`] |
//!
//! The last row is for one part that Graph rejects, or for a `$batch` that is closed. Both say nothing about
//! the users of the other parts.
//!
//! Revoking twice only moves the time of the revocation forward, so a part that is in doubt may be sent
//! again.

mod part;
mod parts;
mod payload;
#[cfg(test)]
mod tests;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use uuid::Uuid;

use super::client::{BodyResult, HttpGraph, connection_loss, content_coding, facts, read_body};
use super::{
    BatchAnswer, BatchRequest, ConnectionLoss, ErrorBody, HttpResponse, LossKind, UserReply, priority,
};
use crate::http::is_transient;
use crate::identity::AccessToken;
use parts::{PartMatch, SentBatch};

/// The maximum length of an answer, in bytes. Graph's answer to twenty parts has some ten thousand.
const MAX_ANSWER: usize = 2 << 20;

impl HttpGraph {
    /// Sends these requests in one batch. Returns an answer for each, in their order.
    pub(super) async fn send_batch(&self, requests: &[BatchRequest]) -> Vec<BatchAnswer> {
        if requests.is_empty() {
            return Vec::new();
        }
        let token = self.tokens.current();
        let replies = self.replies(requests, &token).await;
        debug_assert_eq!(replies.len(), requests.len());
        replies.into_iter().map(|reply| BatchAnswer { reply, token: token.serial() }).collect()
    }

    async fn replies(&self, requests: &[BatchRequest], token: &AccessToken) -> Vec<UserReply> {
        let count = requests.len();
        let id = Uuid::new_v4();
        let response = match self.post_batch(requests, id, token).await {
            Ok(response) => response,
            Err(error) => return all(count, &UserReply::Lost(batch_loss(connection_loss(&error), count))),
        };
        if let Some(why) = self.misdelivery(response.status(), response.headers(), id) {
            return all(count, &broken(why, count));
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let came = read_body(response, MAX_ANSWER).await;
        SentBatch { requests, id, headers: &headers, token }.replies(status, came)
    }

    async fn post_batch(
        &self,
        requests: &[BatchRequest],
        id: Uuid,
        token: &AccessToken,
    ) -> reqwest::Result<reqwest::Response> {
        let new_connection = requests.iter().any(|request| request.new_connection);
        let client = if new_connection { self.clients.single() } else { self.clients.pooled() };
        client
            .post(format!("{}/$batch", self.version_root))
            .header(AUTHORIZATION, token.bearer())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(priority::NAME, self.priority.header())
            .header("client-request-id", id.hyphenated().to_string())
            .body(payload::write(requests, self.priority))
            .send()
            .await
    }
}

impl SentBatch<'_> {
    /// The reply for each part, from the status and the body of the answer.
    fn replies(&self, status: u16, came: BodyResult) -> Vec<UserReply> {
        let count = self.requests.len();
        let coding = content_coding(self.headers);
        match came {
            came if !(200..300).contains(&status) => {
                let body = match (coding, came) {
                    (Some(coding), _) => ErrorBody::Encoded(coding),
                    (None, BodyResult::Bytes(bytes)) => ErrorBody::read(&self.token.redact_in(bytes)),
                    // The status says enough without the body.
                    (None, BodyResult::CutOff | BodyResult::TimedOut) => ErrorBody::CutOff,
                };
                all(
                    count,
                    &whole_batch_reply(HttpResponse { body, ..facts(status, self.headers, self.token) }),
                )
            }
            BodyResult::Bytes(_) if coding.is_some() => {
                let (_, seen) = ErrorBody::Encoded(coding.unwrap_or_default()).error_text();
                all(count, &broken(&format!("status {status} with {seen}"), count))
            }
            BodyResult::Bytes(bytes) => match self.read(&bytes) {
                Some(found) => found.into_iter().map(|found| reply_for_part(found, count)).collect(),
                None => {
                    all(count, &broken(&describe_other_answer(status, &self.token.redact_in(bytes)), count))
                }
            },
            BodyResult::CutOff => {
                all(count, &broken(&format!("status {status}, but the answer was cut off"), count))
            }
            BodyResult::TimedOut => {
                let detail = format!("status {status}, but the answer was incomplete at the timeout");
                all(
                    count,
                    &UserReply::Lost(batch_loss(ConnectionLoss { how: LossKind::TimedOut, detail }, count)),
                )
            }
        }
    }
}

/// An answer to the batch as a whole that is not a success. Even a status that would settle a user does not
/// settle any user here.
fn whole_batch_reply(response: HttpResponse) -> UserReply {
    let challenged = response.claims.is_some();
    match response.status {
        300..=399 | 401 | 429 => UserReply::Response(response.into()),
        status if is_transient(status) => UserReply::Response(response.into()),
        403 if challenged || response.throttles() => UserReply::Response(response.into()),
        _ => UserReply::Unbatched(response.into()),
    }
}

fn reply_for_part(found: PartMatch, count: usize) -> UserReply {
    match found {
        // It failed because another part did. Graph has not processed its user.
        Ok(response) if response.status == 424 => UserReply::Unbatched(response.into()),
        Ok(response) => UserReply::Response(response.into()),
        Err(detail) => broken(&detail, count),
    }
}

fn all(count: usize, reply: &UserReply) -> Vec<UserReply> {
    vec![reply.clone(); count]
}

fn broken(detail: &str, count: usize) -> UserReply {
    UserReply::Lost(batch_loss(ConnectionLoss { how: LossKind::Broken, detail: detail.to_owned() }, count))
}

/// Adds that the answer was lost in a batch, if the request may have been carried out.
fn batch_loss(lost: ConnectionLoss, count: usize) -> ConnectionLoss {
    match lost.how {
        LossKind::NotSent => lost,
        how => ConnectionLoss { how, detail: format!("in a batch of {count}: {}", lost.detail) },
    }
}

/// Describes an answer that is not a batch's.
fn describe_other_answer(status: u16, bytes: &[u8]) -> String {
    let text = match ErrorBody::read(bytes).error_text() {
        (Some(code), words) => format!("{code} {words}"),
        (None, words) => words,
    };
    let text = if text.is_empty() { "no details" } else { &text };
    format!("status {status}, but not a batch answer ({text})")
}
