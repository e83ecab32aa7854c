//! Graph over real HTTP: every request with a sized body, every answer read to facts.

use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use uuid::Uuid;

use super::{Answer, Body, Graph, Loss, Lost, Priority, Reply, Request, Response, priority};
use crate::http::{HttpClients, describe, retry_after_of};
use crate::identity::{SignInError, Token, TokenState, Tokens, challenge};

/// Longest body that is read, in bytes. Graph's answers here have a few hundred.
const MAX_BODY: usize = 64 << 10;

/// Graph over HTTP.
#[derive(Debug)]
pub struct HttpGraph {
    pub(super) clients: HttpClients,
    pub(super) version_root: String,
    pub(super) tokens: Arc<Tokens>,
    pub(super) priority: Priority,
}

impl HttpGraph {
    /// `root` is Graph's root without a trailing slash, such as `https://graph.microsoft.com`.
    pub fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> HttpGraph {
        HttpGraph { clients, version_root: format!("{root}/v1.0"), tokens, priority: Priority::default() }
    }

    /// The same, with requests that matter more or less to Graph's throttling.
    #[must_use]
    pub fn with_priority(self, priority: Priority) -> HttpGraph {
        HttpGraph { priority, ..self }
    }
}

impl Graph for HttpGraph {
    async fn revoke(&self, request: Request) -> Answer {
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
            Ok(response) => read(response, &token, request.client_request_id).await,
            Err(error) => Reply::Lost(lost(&error)),
        };
        Answer { reply, token: token.serial() }
    }

    async fn revoke_batch(&self, requests: Vec<Request>) -> Vec<Answer> {
        self.in_a_batch(&requests).await
    }

    fn token(&self) -> TokenState {
        self.tokens.state()
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        self.tokens.renew(stale, claims.as_deref()).await
    }
}

pub(super) fn lost(error: &reqwest::Error) -> Lost {
    let how = if error.is_connect() || error.is_builder() {
        Loss::NotSent
    } else if error.is_timeout() {
        Loss::TimedOut
    } else {
        Loss::Broken
    };
    Lost { how, detail: describe(error) }
}

async fn read(response: reqwest::Response, token: &Token, asked: Uuid) -> Reply {
    let mut facts = facts(response.status().as_u16(), response.headers(), token);
    if answers_another(response.headers(), asked) {
        let detail = "the connection gave the answer to another request".to_owned();
        return Reply::Lost(Lost { how: Loss::Broken, detail });
    }
    let succeeded = response.status().is_success();
    facts.body = match whole(response, MAX_BODY).await {
        Whole::Bytes(bytes) => Body::read(&token.hidden_in(bytes)),
        Whole::TimedOut if succeeded => {
            let detail = format!("status {}, then no whole answer within the time-out", facts.status);
            return Reply::Lost(Lost { how: Loss::TimedOut, detail });
        }
        // Another status than a success says enough by itself.
        Whole::TimedOut | Whole::CutOff => Body::CutOff,
    };
    Reply::Response(Box::new(facts))
}

/// What came of a body.
pub(super) enum Whole {
    /// All of it.
    Bytes(Vec<u8>),
    /// It ended before its announced end, or is far longer than any answer of Graph's: the rest is not waited for.
    CutOff,
    /// Its end did not come in time.
    TimedOut,
}

/// Reads a body to its end, if that comes within so many bytes.
pub(super) async fn whole(mut response: reqwest::Response, most: usize) -> Whole {
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= most => bytes.extend_from_slice(&chunk),
            Ok(Some(_)) => return Whole::CutOff,
            Ok(None) => return Whole::Bytes(bytes),
            Err(error) if error.is_timeout() => return Whole::TimedOut,
            Err(_) => return Whole::CutOff,
        }
    }
}

/// Whether an answer belongs to another request: Graph echoes the `client-request-id`, and where none reached it,
/// the one it gives is the `request-id` (learn.microsoft.com/graph/best-practices-concept).
pub(crate) fn answers_another(headers: &HeaderMap, asked: Uuid) -> bool {
    let id = |name: &str| Uuid::try_parse_ascii(headers.get(name)?.as_bytes().trim_ascii()).ok();
    match id("client-request-id") {
        Some(echoed) => echoed != asked && Some(echoed) != id("request-id"),
        None => false,
    }
}

/// What the headers say.
pub(super) fn facts(status: u16, headers: &HeaderMap, token: &Token) -> Response {
    let text = |name: &str| {
        let value = token.hidden_in(headers.get(name)?.as_bytes().to_vec());
        let value = String::from_utf8_lossy(&value).trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let date = text("date");
    Response {
        status,
        body: Body::Empty,
        request_id: text("request-id"),
        diagnostic: text("x-ms-ags-diagnostic"),
        retry_after: retry_after_of(headers),
        throttle_percentage: text("x-ms-throttle-limit-percentage").and_then(|value| value.parse().ok()),
        throttle_scope: text("x-ms-throttle-scope"),
        throttle_information: text("x-ms-throttle-information"),
        claims: challenge::claims(headers),
        date,
    }
}
