//! One request on the wire, and its answer read to facts.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use uuid::Uuid;

use super::classify::{ContentKind, ReadAnswer, ResponseClass};
use super::read_error::ReadError;
use crate::graph::answers_another;
use crate::http::{HttpClients, TransportError, retry_after_of};
use crate::identity::{AccessToken, claims_challenge};

/// Longest body that is read, in bytes. A page of 999 users has about one million.
const MAX_BODY: usize = 16 << 20;

/// What is sent.
#[derive(Debug)]
pub(super) struct HttpRead {
    pub(super) url: Url,
    /// Whether `ConsistencyLevel: eventual` goes with it.
    pub(super) eventual: bool,
    /// The body of a batch; a read without one is a GET.
    pub(super) body: Option<String>,
}

/// Sends it once. What gives no answer is judged at once.
pub(super) async fn send(
    clients: &HttpClients,
    query: &HttpRead,
    token: &AccessToken,
    new_connection: bool,
) -> Result<ReadAnswer, ResponseClass> {
    let client = if new_connection { clients.single() } else { clients.pooled() };
    let id = Uuid::new_v4();
    let mut request = match &query.body {
        Some(body) => client
            .post(query.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.clone()),
        None => client.get(query.url.clone()),
    };
    if query.eventual {
        request = request.header("ConsistencyLevel", HeaderValue::from_static("eventual"));
    }
    let sent = request
        .header(AUTHORIZATION, token.bearer())
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header("client-request-id", id.hyphenated().to_string())
        .send()
        .await;
    match sent {
        Ok(response) => read(response, token, id).await,
        Err(error) => Err(classify_error(&error)),
    }
}

/// No answer: a certificate or a proxy's password is not mended by asking again.
fn classify_error(error: &reqwest::Error) -> ResponseClass {
    let TransportError { text, lasting } = TransportError::from_reqwest(error);
    match lasting {
        true => ResponseClass::Fail(ReadError::Unavailable(text)),
        false => ResponseClass::Retry { reason: text, wait: None, new_connection: true },
    }
}

async fn read(
    mut response: reqwest::Response,
    token: &AccessToken,
    asked: Uuid,
) -> Result<ReadAnswer, ResponseClass> {
    let again =
        |reason: &str| ResponseClass::Retry { reason: reason.to_owned(), wait: None, new_connection: true };
    if answers_another(response.headers(), asked) {
        return Err(again("the connection gave the answer to another request"));
    }
    let status = response.status();
    let (marked, retry_after) = (has_request_id(response.headers()), retry_after_of(response.headers()));
    let claims = claims_challenge::claims_from_headers(response.headers());
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BODY => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let reason = "the answer is far too long";
                return Err(ResponseClass::Fail(ReadError::Untrusted(reason.to_owned())));
            }
            Ok(None) => break,
            Err(_) if status.is_success() => return Err(again("the answer was cut off")),
            // Another status than a success says enough by itself.
            Err(_) => break,
        }
    }
    let content = ContentKind::read(status.as_u16(), &token.redact_in(bytes));
    Ok(ReadAnswer { status: status.as_u16(), content, has_request_id: marked, retry_after, claims })
}

fn has_request_id(headers: &HeaderMap) -> bool {
    let id = headers.get("request-id").map(|id| id.as_bytes().trim_ascii());
    id.is_some_and(|id| Uuid::try_parse_ascii(id).is_ok())
}

/// Whether a status says that what was asked takes no batches, or not this one.
pub(super) fn is_batch_refusal(status: u16) -> bool {
    [
        StatusCode::BAD_REQUEST,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::NOT_IMPLEMENTED,
    ]
    .iter()
    .any(|refused| refused.as_u16() == status)
}
