//! Revocations of up to 20 users in one request: `POST /$batch` (learn.microsoft.com/graph/json-batching, 2025-02-21).
//!
//! A batch saves round trips and no quota: Graph takes each part for a request of its own, and each has its own
//! status, `Retry-After` and ids within an answer that is 200 for the whole. So each part becomes an [`BatchAnswer`] of its
//! own here, as if it had gone alone, and whoever sent it need not know that it did not.
//!
//! The answer around the parts speaks for all of them only where it says nothing about any user:
//!
//! | it is | each part gets |
//! |---|---|
//! | 2xx with the parts' answers | its own |
//! | 2xx without them: a portal's page, a proxy's | lost: may have been carried out |
//! | a part's is missing, unreadable, contradicted by another or another request's | lost: may have been carried out |
//! | 429, 403 that throttles, 401, 403 with a challenge, 3xx | this answer: nothing was carried out |
//! | 408, 500, 502 to 504, 507, 509, 520 to 527, 530 | this answer: it passes, and the batch may have been carried out |
//! | any other | [`UserReply::Unbatched`]: one part that can't be understood, or a `$batch` that is closed, says nothing about the others' users |
//!
//! A revocation that is carried out twice only moves its time forward, so whatever is in doubt may be sent again.

mod part;
mod parts;
mod payload;
#[cfg(test)]
mod tests;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use uuid::Uuid;

use super::client::{HttpGraph, WholeBody, connection_loss, content_coding, facts, read_body};
use super::{
    BatchAnswer, BatchRequest, ConnectionLoss, ErrorBody, HttpResponse, LossKind, UserReply, priority,
};
use crate::http::passes;
use crate::identity::AccessToken;
use parts::{PartMatch, SentIds};

/// Longest answer that is read, in bytes. Twenty parts of Graph's have some ten thousand.
const MAX_ANSWER: usize = 2 << 20;

impl HttpGraph {
    /// Sends these users' requests in one batch: an answer for each, in their order.
    pub(super) async fn in_a_batch(&self, requests: &[BatchRequest]) -> Vec<BatchAnswer> {
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
        SentIds { requests, id, headers: &headers, token }.replies(status, came)
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

impl SentIds<'_> {
    /// What became of each part, when this came.
    fn replies(&self, status: u16, came: WholeBody) -> Vec<UserReply> {
        let count = self.requests.len();
        let coding = content_coding(self.headers);
        match came {
            came if !(200..300).contains(&status) => {
                let body = match (coding, came) {
                    (Some(coding), _) => ErrorBody::Encoded(coding),
                    (None, WholeBody::Bytes(bytes)) => ErrorBody::read(&self.token.redact_in(bytes)),
                    // The status says enough by itself.
                    (None, WholeBody::CutOff | WholeBody::TimedOut) => ErrorBody::CutOff,
                };
                all(count, &for_all(HttpResponse { body, ..facts(status, self.headers, self.token) }))
            }
            WholeBody::Bytes(_) if coding.is_some() => {
                let (_, seen) = ErrorBody::Encoded(coding.unwrap_or_default()).error_text();
                all(count, &broken(&format!("status {status} with {seen}"), count))
            }
            WholeBody::Bytes(bytes) => match self.read(&bytes) {
                Some(found) => found.into_iter().map(|found| reply_for_part(found, count)).collect(),
                None => all(count, &broken(&no_batch(status, &self.token.redact_in(bytes)), count)),
            },
            WholeBody::CutOff => all(count, &broken(&format!("status {status}, then half an answer"), count)),
            WholeBody::TimedOut => {
                let detail = format!("status {status}, then no whole answer within the time-out");
                all(
                    count,
                    &UserReply::Lost(batch_loss(ConnectionLoss { how: LossKind::TimedOut, detail }, count)),
                )
            }
        }
    }
}

/// An answer other than a success, to the batch as a whole. What would settle a user settles nobody here.
fn for_all(response: HttpResponse) -> UserReply {
    let challenged = response.claims.is_some();
    match response.status {
        300..=399 | 401 | 429 => UserReply::Response(response.into()),
        status if passes(status) => UserReply::Response(response.into()),
        403 if challenged || response.throttles() => UserReply::Response(response.into()),
        _ => UserReply::Unbatched(response.into()),
    }
}

fn reply_for_part(found: PartMatch, count: usize) -> UserReply {
    match found {
        // It failed because another part did: its user was not looked at.
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

/// Says that it was lost with others, where it may have been carried out.
fn batch_loss(lost: ConnectionLoss, count: usize) -> ConnectionLoss {
    match lost.how {
        LossKind::NotSent => lost,
        how => ConnectionLoss { how, detail: format!("in a batch of {count}: {}", lost.detail) },
    }
}

/// What came in place of the parts' answers.
fn no_batch(status: u16, bytes: &[u8]) -> String {
    let said = match ErrorBody::read(bytes).error_text() {
        (Some(code), words) => format!("{code} {words}"),
        (None, words) => words,
    };
    let said = if said.is_empty() { "nothing in it" } else { &said };
    format!("status {status} without the parts' answers ({said})")
}
