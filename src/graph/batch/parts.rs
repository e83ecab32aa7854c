//! The answer to a batch: what it says of each of its parts.
//!
//! Answers come in any order and are matched by their ids. Nothing is believed that is not clearly said: a part
//! without an answer, with an answer that can't be read, or with two that differ may have been carried out or not.

use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::part::{self, BatchPart, PartMembers};
use super::payload;
use crate::graph::client::{answers_another, content_coding, facts};
use crate::graph::{BatchRequest, ErrorBody, HttpResponse};
use crate::identity::AccessToken;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// What a part that does not say it has from the answer around it. Graph's sample of a batch has no ids and no date
/// on parts (learn.microsoft.com/graph/json-batching).
const INHERITED: [HeaderName; 5] = [
    REQUEST_ID,
    DATE,
    RETRY_AFTER,
    HeaderName::from_static("x-ms-ags-diagnostic"),
    HeaderName::from_static("x-ms-throttle-limit-percentage"),
];

/// What is known of one part: its answer, or why there is none.
pub(super) type PartMatch = Result<HttpResponse, String>;

/// A batch that was sent, and the head of its answer.
pub(super) struct SentIds<'a> {
    /// Its parts.
    pub(super) requests: &'a [BatchRequest],
    /// Its own `client-request-id`.
    pub(super) id: Uuid,
    /// The headers of the answer around the parts'.
    pub(super) headers: &'a HeaderMap,
    /// What it was sent with, and what nothing that is kept may show.
    pub(super) token: &'a AccessToken,
}

impl SentIds<'_> {
    /// What the answer's body says of each part, in the order of the requests; none where it is not a batch's.
    pub(super) fn read(&self, body: &[u8]) -> Option<Vec<PartMatch>> {
        // Bytes that are no text, in one answer's message, are no reason to doubt the nineteen others.
        let damaged = std::str::from_utf8(body).is_err();
        let body = String::from_utf8_lossy(body);
        let body: &RawValue = serde_json::from_str(body.trim_start_matches('\u{feff}')).ok()?;
        let around = PartMembers::read(body).filter(|around| !around.say_more())?;
        let responses: Vec<&RawValue> = serde_json::from_str(around.get("responses").ok()??.get()).ok()?;
        let mut found: Vec<Option<PartMatch>> = vec![None; self.requests.len()];
        for answer in responses {
            let part = BatchPart::read(answer);
            let id = part.as_ref().map_or_else(|| part::id(answer), BatchPart::id);
            let Some(place) = id.and_then(|id| payload::place(&id, found.len())) else { continue };
            let this = match part {
                Some(part) => self.one(place, &part, damaged),
                None => Err("an answer that can't be read".to_owned()),
            };
            let before = found[place].take();
            let agreed = before.is_none_or(|before| before == this);
            found[place] = Some(if agreed { this } else { Err("two answers that differ".to_owned()) });
        }
        Some(found.into_iter().map(|found| found.unwrap_or_else(|| Err("no answer".to_owned()))).collect())
    }

    /// `damaged` says that bytes of the whole answer were no text, and now are U+FFFD, perhaps in this part.
    fn one(&self, place: usize, part: &BatchPart<'_>, damaged: bool) -> PartMatch {
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
        if self.is_anothers(place, &headers, inner("client-request-id")) {
            return Err("the answer to another request".to_owned());
        }
        let mut response = facts(status, &headers, self.token);
        // An id on a part marks nothing as Graph's where the answer around it bears no mark.
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

    /// Whether an answer belongs to another request: it echoes an id that neither this part nor the batch has, or its
    /// inner error has that of another part.
    fn is_anothers(&self, place: usize, headers: &HeaderMap, inner: Option<String>) -> bool {
        let asked = self.requests[place].client_request_id;
        if answers_another(headers, asked) && answers_another(headers, self.id) {
            return true;
        }
        let inner = inner.and_then(|id| Uuid::try_parse(id.trim()).ok());
        inner.is_some_and(|id| id != asked && self.requests.iter().any(|other| other.client_request_id == id))
    }
}
