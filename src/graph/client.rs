//! Graph over real HTTP: every request with a sized body, every answer read to facts.

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

/// Longest body that is read, in bytes. Graph's answers here have a few hundred.
const MAX_BODY: usize = 64 << 10;

/// Graph over HTTP.
#[derive(Debug)]
pub struct HttpGraph {
    pub(super) clients: HttpClients,
    pub(super) version_root: String,
    pub(super) tokens: Arc<Tokens>,
    pub(super) priority: Priority,
    /// Whether an answer has echoed the `client-request-id` of its request: from then on each must.
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

    /// The same, with requests that matter more or less to Graph's throttling.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> HttpGraph {
        HttpGraph { priority, ..self }
    }

    /// Why a success with these headers may be the answer to another request, if it may.
    ///
    /// A server that answers a request twice sends the second answer to whatever request comes next on the connection. Where
    /// the server echoes `client-request-id`, a success without it may be such an answer.
    pub(super) fn misdelivery(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        asked: Uuid,
    ) -> Option<&'static str> {
        if answers_another(headers, asked) {
            return Some(ANOTHERS);
        }
        if id(headers, "client-request-id") == Some(asked) {
            self.echoes.store(true, Ordering::Relaxed);
            return None;
        }
        (status.is_success() && self.echoes.load(Ordering::Relaxed))
            .then_some("the answer does not name its request, as the server's others do")
    }

    async fn read(&self, response: reqwest::Response, token: &AccessToken, asked: Uuid) -> UserReply {
        let mut facts = facts(response.status().as_u16(), response.headers(), token);
        let misdelivered =
            |why: &str| UserReply::Lost(ConnectionLoss { how: LossKind::Broken, detail: why.to_owned() });
        if answers_another(response.headers(), asked) {
            return misdelivered(ANOTHERS);
        }
        let doubt = self.misdelivery(response.status(), response.headers(), asked);
        let succeeded = response.status().is_success();
        facts.body = match (content_coding(response.headers()), read_body(response, MAX_BODY).await) {
            (Some(coding), _) => ErrorBody::Encoded(coding),
            (None, WholeBody::Bytes(bytes)) => ErrorBody::read(&token.redact_in(bytes)),
            (None, WholeBody::TimedOut) if succeeded => {
                let detail = format!("status {}, then no whole answer within the time-out", facts.status);
                return UserReply::Lost(ConnectionLoss { how: LossKind::TimedOut, detail });
            }
            // Another status than a success says enough by itself.
            (None, WholeBody::TimedOut | WholeBody::CutOff) => ErrorBody::CutOff,
        };
        match doubt {
            // A portal's page says more by what it is.
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
            .post(format!("{}/{}/revokeSignInSessions", self.version_root, request.user.path()))
            .header(AUTHORIZATION, token.bearer())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(priority::NAME, self.priority.header())
            .header("client-request-id", request.client_request_id.hyphenated().to_string())
            // Graph answers 411 to a POST without a length; an empty object is a body that it takes.
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
        self.in_a_batch(&requests).await
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

/// Why an answer is not believed that echoes another request's id.
const ANOTHERS: &str = "the connection gave the answer to another request";

/// What came of a body.
pub(super) enum WholeBody {
    /// All of it.
    Bytes(Vec<u8>),
    /// Its end is not proven: it ended before its announced end, nothing came and no end was announced, or it is far
    /// longer than any answer of Graph's, so that the rest is not waited for.
    CutOff,
    /// Its end did not come in time.
    TimedOut,
}

/// Reads a body to its end, if that comes within so many bytes.
pub(super) async fn read_body(response: reqwest::Response, most: usize) -> WholeBody {
    let multiplexed = response.version() >= Version::HTTP_2;
    let framed = multiplexed || !response.status().is_success() || announces_end(&response);
    let mut body = reqwest::Body::from(response);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(chunk)) if bytes.len() + chunk.len() <= most => bytes.extend_from_slice(&chunk),
            Ok(Ok(_)) => return WholeBody::CutOff,
            Ok(Err(_trailers)) => {}
            Err(error) if error.is_timeout() => return WholeBody::TimedOut,
            Err(_) => return WholeBody::CutOff,
        }
    }
    // A stream that the server resets without an error ends like one that it finished: hyper tells them apart only here.
    let reset = multiplexed && !body.is_end_stream();
    if reset || (bytes.is_empty() && !framed) { WholeBody::CutOff } else { WholeBody::Bytes(bytes) }
}

/// Whether HTTP/1 says where the body ends. Otherwise it ends with the connection, and one that breaks looks the same.
fn announces_end(response: &reqwest::Response) -> bool {
    let headers = response.headers();
    let (length, coded) = (headers.get(CONTENT_LENGTH), headers.contains_key(TRANSFER_ENCODING));
    // Another coding than chunked, as the last, ends with the connection (RFC 9112, section 6.3).
    let last = headers.get_all(TRANSFER_ENCODING).iter().next_back().and_then(|coding| coding.to_str().ok());
    let chunked = last.and_then(|codings| codings.rsplit(',').next());
    let chunked = chunked.is_some_and(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
    match response.status() {
        // It has no body. One that announces a body is something else, and that body is not read.
        StatusCode::NO_CONTENT => !coded && length.is_none_or(|length| length.as_bytes() == b"0"),
        _ if coded => chunked,
        _ => length.is_some(),
    }
}

/// The content coding of an answer that has one, although `identity` was asked for.
pub(super) fn content_coding(headers: &HeaderMap) -> Option<String> {
    let codings =
        headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let codings: Vec<String> = codings.map(|coding| coding.trim().to_owned()).collect();
    let coding = codings.join(", ");
    (!coding.is_empty() && !coding.eq_ignore_ascii_case("identity")).then_some(coding)
}

/// Whether an answer belongs to another request: Graph echoes the `client-request-id`, and where none reached it,
/// the one it gives is the `request-id` (learn.microsoft.com/graph/best-practices-concept).
pub(crate) fn answers_another(headers: &HeaderMap, asked: Uuid) -> bool {
    id(headers, "client-request-id")
        .is_some_and(|echoed| echoed != asked && Some(echoed) != id(headers, "request-id"))
}

fn id(headers: &HeaderMap, name: &str) -> Option<Uuid> {
    Uuid::try_parse_ascii(headers.get(name)?.as_bytes().trim_ascii()).ok()
}

/// What the headers say.
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
        throttle_percentage: text("x-ms-throttle-limit-percentage").and_then(|value| number::share(&value)),
        throttle_scope: text("x-ms-throttle-scope"),
        throttle_information: text("x-ms-throttle-information"),
        claims: claims_challenge::claims_from_headers(headers),
        date,
    }
}
