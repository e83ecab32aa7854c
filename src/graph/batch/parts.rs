//! The answer to a batch, split into the answers to its parts.
//!
//! Answers may be in any order and are matched by their IDs. If a part has no answer, an unreadable answer,
//! or two different answers, the request may or may not have been carried out.

use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::part::{self, BatchPart, PartMembers};
use super::payload;
use crate::graph::client::{answers_another, content_coding, facts};
use crate::graph::{BatchRequest, ErrorBody, HttpResponse};
use crate::identity::AccessToken;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// Headers that a part inherits from the whole answer if it does not have them. In Graph's sample of a batch,
/// the parts have no IDs and no date (learn.microsoft.com/graph/json-batching).
const INHERITED: [HeaderName; 5] = [
    REQUEST_ID,
    DATE,
    RETRY_AFTER,
    HeaderName::from_static("x-ms-ags-diagnostic"),
    HeaderName::from_static("x-ms-throttle-limit-percentage"),
];

/// The answer to one part, or why there is none.
pub(super) type PartMatch = Result<HttpResponse, String>;

/// A batch that was sent, and the headers of its answer.
pub(super) struct SentBatch<'a> {
    /// The parts.
    pub(super) requests: &'a [BatchRequest],
    /// The `client-request-id` of the batch.
    pub(super) id: Uuid,
    /// The headers of the whole answer.
    pub(super) headers: &'a HeaderMap,
    /// The token that was sent. It is redacted from everything that is kept.
    pub(super) token: &'a AccessToken,
}

impl SentBatch<'_> {
    /// The answer to each part, in the order of the requests, or `None` if the body is not a batch's answer.
    pub(super) fn read(&self, body: &[u8]) -> Option<Vec<PartMatch>> {
        // If one part's message is not UTF-8, there is no reason to doubt the nineteen other parts.
        let damaged = std::str::from_utf8(body).is_err();
        let body = String::from_utf8_lossy(body);
        let body: &RawValue = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
        let around = PartMembers::read(body).filter(|around| !around.has_error_or_value())?;
        let responses: Vec<&RawValue> = serde_json::from_str(around.get("responses").ok()??.get()).ok()?;
        let mut found: Vec<Option<PartMatch>> = vec![None; self.requests.len()];
        for answer in responses {
            let part = BatchPart::read(answer);
            let id = part.as_ref().map_or_else(|| part::id(answer), BatchPart::id);
            let Some(place) = id.and_then(|id| payload::place(&id, found.len())) else { continue };
            let this = match part {
                Some(part) => self.read_part(place, &part, damaged),
                None => Err("an answer that can't be read".to_owned()),
            };
            let before = found[place].take();
            let agreed = before.is_none_or(|before| before == this);
            found[place] = Some(if agreed { this } else { Err("two different answers".to_owned()) });
        }
        Some(found.into_iter().map(|found| found.unwrap_or_else(|| Err("no answer".to_owned()))).collect())
    }

    /// Interprets one part. `damaged` means that the whole answer was not UTF-8, and that bytes were replaced
    /// by U+FFFD, perhaps in this part.
    fn read_part(&self, place: usize, part: &BatchPart<'_>, damaged: bool) -> PartMatch {
        let status = part.status().ok_or("an answer without a status")?;
        let bytes = self.token.redact_in(part.body().into_owned());
        let mut headers = part.headers();
        let body = match content_coding(&headers) {
            Some(coding) => ErrorBody::Encoded(coding),
            None if damaged && String::from_utf8_lossy(&bytes).contains(char::REPLACEMENT_CHARACTER) => {
                ErrorBody::not_utf8()
            }
            None => ErrorBody::read(&bytes),
        };
        let inner = |name: &str| match body {
            ErrorBody::Error { .. } => ErrorBody::inner_text(&bytes, name),
            _ => None,
        };
        if !headers.contains_key(REQUEST_ID)
            && let Some(id) = inner("request-id").and_then(|id| HeaderValue::from_str(&id).ok())
        {
            headers.insert(REQUEST_ID, id);
        }
        self.inherit(&mut headers);
        if self.is_misdelivered(place, &headers, inner("client-request-id")) {
            return Err("the answer to another request".to_owned());
        }
        let mut response = facts(status, &headers, self.token);
        // A request ID on a part does not prove that Graph sent it, unless the enclosing answer has one too.
        if !self.headers.contains_key(REQUEST_ID) && matches!(body, ErrorBody::Empty | ErrorBody::Object(_)) {
            response.request_id = None;
        }
        Ok(HttpResponse { body, ..response })
    }

    fn inherit(&self, headers: &mut HeaderMap) {
        for name in INHERITED {
            if let Some(value) = self.headers.get(&name).filter(|_| !headers.contains_key(&name)) {
                headers.insert(name, value.clone());
            }
        }
    }

    /// Whether an answer belongs to another request: it echoes an ID that is neither this part's nor the
    /// batch's, or its inner error has the ID of another part.
    fn is_misdelivered(&self, place: usize, headers: &HeaderMap, inner: Option<String>) -> bool {
        let asked = self.requests[place].client_request_id;
        if answers_another(headers, asked) && answers_another(headers, self.id) {
            return true;
        }
        let inner = inner.and_then(|id| Uuid::try_parse(id.trim()).ok());
        inner.is_some_and(|id| id != asked && self.requests.iter().any(|other| other.client_request_id == id))
    }
}
