//! Graph over HTTP. Every request has a body with a length, and every answer becomes an [`HttpResponse`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http_body_util::BodyExt;
use hyper::body::Body as _;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
    TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Version};
use uuid::Uuid;

use super::{
    BatchAnswer, BatchRequest, ConnectionLoss, ErrorBody, Graph, HttpResponse, LossKind, Priority, UserReply,
    priority,
};
use crate::http::{HttpClients, describe, retry_after_of};
use crate::identity::{AccessToken, SignInError, TokenState, Tokens, claims_challenge};
use crate::number;

/// The maximum length of a body, in bytes. Graph's answers to these requests have a few hundred.
const MAX_BODY: usize = 64 << 10;

/// Graph over HTTP.
#[derive(Debug)]
pub struct HttpGraph {
    pub(super) clients: HttpClients,
    pub(super) version_root: String,
    pub(super) tokens: Arc<Tokens>,
    pub(super) priority: Priority,
    /// Whether an answer has echoed the `client-request-id` of its request. From then on, every answer must.
    echoes: AtomicBool,
}

impl HttpGraph {
    /// `root` is Graph's root without a trailing slash, such as `https://graph.microsoft.com`.
    pub fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> HttpGraph {
        HttpGraph {
            clients,
            version_root: format!("{root}/v1.0"),
            tokens,
            priority: Priority::default(),
            echoes: AtomicBool::new(false),
        }
    }

    /// The same client, with another priority in Graph's throttling.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> HttpGraph {
        HttpGraph { priority, ..self }
    }

    /// Why a success with these headers may be the answer to another request, or `None` if it is not.
    ///
    /// If a server answers a request twice, the second answer is taken for the answer to the next request on
    /// the connection. If the server usually echoes `client-request-id`, a success without it may be such an
    /// answer.
    pub(super) fn misdelivery(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        asked: Uuid,
    ) -> Option<&'static str> {
        if answers_another(headers, asked) {
            return Some(MISDELIVERED);
        }
        if id(headers, "client-request-id") == Some(asked) {
            self.echoes.store(true, Ordering::Relaxed);
            return None;
        }
        (status.is_success() && self.echoes.load(Ordering::Relaxed))
            .then_some("the answer does not echo its request's ID, although the server's other answers do")
    }

    async fn read(&self, response: reqwest::Response, token: &AccessToken, asked: Uuid) -> UserReply {
        let mut facts = facts(response.status().as_u16(), response.headers(), token);
        let misdelivered =
            |why: &str| UserReply::Lost(ConnectionLoss { how: LossKind::Broken, detail: why.to_owned() });
        if answers_another(response.headers(), asked) {
            return misdelivered(MISDELIVERED);
        }
        let doubt = self.misdelivery(response.status(), response.headers(), asked);
        let succeeded = response.status().is_success();
        facts.body = match (content_coding(response.headers()), read_body(response, MAX_BODY).await) {
            (Some(coding), _) => ErrorBody::Encoded(coding),
            (None, BodyResult::Bytes(bytes)) => ErrorBody::read(&token.redact_in(bytes)),
            (None, BodyResult::TimedOut) if succeeded => {
                let detail = format!("status {}, but the answer was incomplete at the timeout", facts.status);
                return UserReply::Lost(ConnectionLoss { how: LossKind::TimedOut, detail });
            }
            // A status other than a success says enough without the body.
            (None, BodyResult::TimedOut | BodyResult::CutOff) => ErrorBody::CutOff,
        };
        match doubt {
            // An answer that is not a confirmation, such as a portal's page, is reported as what it is.
            Some(why) if facts.confirms() => misdelivered(why),
            _ => UserReply::Response(Box::new(facts)),
        }
    }
}

impl Graph for HttpGraph {
    async fn revoke(&self, request: BatchRequest) -> BatchAnswer {
        let token = self.tokens.current();
        let client = if request.new_connection { self.clients.single() } else { self.clients.pooled() };
        let sent = client
            .post(format!("{}/{}/revokeSignInSessions", self.version_root, request.user.request_path()))
            .header(AUTHORIZATION, token.bearer())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(priority::NAME, self.priority.header())
            .header("client-request-id", request.client_request_id.hyphenated().to_string())
            // Graph answers 411 to a POST without a length, and accepts an empty object as the body.
            .body("{}")
            .send()
            .await;
        let reply = match sent {
            Ok(response) => self.read(response, &token, request.client_request_id).await,
            Err(error) => UserReply::Lost(connection_loss(&error)),
        };
        BatchAnswer { reply, token: token.serial() }
    }

    async fn revoke_batch(&self, requests: Vec<BatchRequest>) -> Vec<BatchAnswer> {
        self.send_batch(&requests).await
    }

    fn token(&self) -> TokenState {
        self.tokens.state()
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        self.tokens.renew(stale, claims.as_deref()).await
    }
}

pub(super) fn connection_loss(error: &reqwest::Error) -> ConnectionLoss {
    let how = if error.is_connect() || error.is_builder() {
        LossKind::NotSent
    } else if error.is_timeout() {
        LossKind::TimedOut
    } else {
        LossKind::Broken
    };
    ConnectionLoss { how, detail: describe(error) }
}

/// Why an answer that echoes another request's ID is not accepted.
const MISDELIVERED: &str = "the connection returned the answer to another request";

/// The result of reading a body.
pub(super) enum BodyResult {
    /// The complete body.
    Bytes(Vec<u8>),
    /// The body may be incomplete. It ended before its announced end, or it was empty and no end was
    /// announced. Or it is far longer than any of Graph's answers, so that the rest is not read.
    CutOff,
    /// The body did not end within the timeout.
    TimedOut,
}

/// Reads a body of at most `max` bytes to its end.
pub(super) async fn read_body(response: reqwest::Response, max: usize) -> BodyResult {
    let multiplexed = response.version() >= Version::HTTP_2;
    let framed = multiplexed || !response.status().is_success() || announces_end(&response);
    let mut body = reqwest::Body::from(response);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(chunk)) if bytes.len() + chunk.len() <= max => bytes.extend_from_slice(&chunk),
            Ok(Ok(_)) => return BodyResult::CutOff,
            Ok(Err(_trailers)) => {}
            Err(error) if error.is_timeout() => return BodyResult::TimedOut,
            Err(_) => return BodyResult::CutOff,
        }
    }
    // A stream that the server resets without an error ends like one that is complete. Only this check in
    // hyper shows the difference.
    let reset = multiplexed && !body.is_end_stream();
    if reset || (bytes.is_empty() && !framed) { BodyResult::CutOff } else { BodyResult::Bytes(bytes) }
}

/// Whether the headers of HTTP/1 say where the body ends. Otherwise, the body ends with the connection, which
/// looks the same if the connection breaks.
fn announces_end(response: &reqwest::Response) -> bool {
    let headers = response.headers();
    let (length, coded) = (headers.get(CONTENT_LENGTH), headers.contains_key(TRANSFER_ENCODING));
    // With a last coding other than chunked, the body ends with the connection (RFC 9112, section 6.3).
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back().and_then(|coding| coding.to_str().ok());
    let chunked = last.and_then(|codings| codings.rsplit(',').next());
    let chunked = chunked.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
    match response.status() {
        // A 204 has no body. If it announces one, something is wrong, and the body is not read.
        StatusCode::NO_CONTENT => !coded && length.is_none_or(|length| length.as_bytes() == b"0"),
        _ if coded => chunked,
        _ => length.is_some(),
    }
}

/// The content encoding of an answer, if it has one although `identity` was requested.
pub(super) fn content_coding(headers: &HeaderMap) -> Option<String> {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let codings: Vec<String> = codings.map(|coding| coding.trim().to_owned()).collect();
    let coding = codings.join(", ");
    (!coding.is_empty() && !coding.eq_ignore_ascii_case("identity")).then_some(coding)
}

/// Whether an answer belongs to another request. Graph echoes the `client-request-id`. If Graph did not get
/// one, it sends the `request-id` in its place (learn.microsoft.com/graph/best-practices-concept).
pub(crate) fn answers_another(headers: &HeaderMap, asked: Uuid) -> bool {
    id(headers, "client-request-id")
        .is_some_and(|echoed| echoed != asked && Some(echoed) != id(headers, "request-id"))
}

fn id(headers: &HeaderMap, name: &str) -> Option<Uuid> {
    Uuid::try_parse_ascii(headers.get(name)?.as_bytes().trim_ascii()).ok()
}

/// Reads the headers of an answer; the body is left empty.
pub(super) fn facts(status: u16, headers: &HeaderMap, token: &AccessToken) -> HttpResponse {
    let text = |name: &str| {
        let value = token.redact_in(headers.get(name)?.as_bytes().to_vec());
        let value = String::from_utf8_lossy(&value).trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let date = text("date");
    HttpResponse {
        status,
        body: ErrorBody::Empty,
        request_id: text("request-id"),
        diagnostic: text("x-ms-ags-diagnostic"),
        retry_after: retry_after_of(headers),
        throttle_percentage: text("x-ms-throttle-limit-percentage")
            .and_then(|value| number::parse_share(&value)),
        throttle_scope: text("x-ms-throttle-scope"),
        throttle_information: text("x-ms-throttle-information"),
        claims: claims_challenge::claims_from_headers(headers),
        date,
    }
}
