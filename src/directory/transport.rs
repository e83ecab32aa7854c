//! One request on the wire, and its answer.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, Url};
use uuid::Uuid;

use super::classify::{ContentKind, ReadAnswer, ResponseClass};
use super::read_error::ReadError;
use crate::graph::answers_another;
use crate::http::{HttpClients, TransportError, retry_after_of};
use crate::identity::{AccessToken, claims_challenge};

/// Maximum size of a body, in bytes. A page of 999 users has about one million.
const MAX_BODY: usize = 16 << 20;

/// The request to send.
#[derive(Debug)]
pub(super) struct HttpRead {
    pub(super) url: Url,
    /// Whether to send `ConsistencyLevel: eventual`.
    pub(super) eventual: bool,
    /// The body of a batch. A read without a body is a GET.
    pub(super) body: Option<String>,
}

/// Sends it once. A failure without an answer is classified here.
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

/// Classifies a failure without an answer. Retrying does not help against a bad certificate or a wrong proxy password.
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
        return Err(again("the connection returned the answer to another request"));
    }
    let status = response.status();
    let (marked, retry_after) = (has_request_id(response.headers()), retry_after_of(response.headers()));
    let claims = claims_challenge::claims_from_headers(response.headers());
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BODY => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => {
                let reason = "the answer is too long";
                return Err(ResponseClass::Fail(ReadError::Untrusted(reason.to_owned())));
            }
            Ok(None) => break,
            Err(_) if status.is_success() => return Err(again("the answer was cut off")),
            // For any other status the body is not needed.
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

/// Whether a status says that the service does not support batches, or rejects this one.
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
