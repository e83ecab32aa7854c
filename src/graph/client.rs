//! The real client: reqwest over rustls, no redirects, and every request with a sized body.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use uuid::Uuid;

use super::{Answer, Body, Graph, Loss, Lost, Reply, Request, Response, TokenState, retry_after};
use crate::identity::{SignInError, Token, Tokens, challenge};

/// Longest body that is read, in bytes. Graph's answers here have a few hundred.
const MAX_BODY: usize = 64 << 10;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What all connections of the program share.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Time-out of a whole request, its body included.
    pub timeout: Duration,
    /// A PEM file with further roots to trust, beside the platform's.
    pub ca_cert: Option<PathBuf>,
    /// Whether one of the services is spoken to in plain HTTP, which is allowed on loopback only. Such requests
    /// never go through a proxy: that would carry the token in the clear to another machine.
    pub plain_http: bool,
}

/// No HTTP client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The file of roots can't be used.
    #[error("--ca-cert {path}: {reason}", path = path.display())]
    CaCert {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// TLS or a proxy setting can't be used.
    #[error("can't set up HTTPS: {0}")]
    Client(String),
}

/// Both clients, with one configuration: one keeps its connections, the other makes a new one for each request.
#[derive(Clone, Debug)]
pub struct HttpClients {
    pooled: reqwest::Client,
    single: reqwest::Client,
}

impl HttpClients {
    /// The client that keeps its connections.
    pub fn pooled(&self) -> &reqwest::Client {
        &self.pooled
    }
}

/// Builds the clients. `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are taken from the environment.
pub fn build_clients(options: &HttpOptions) -> Result<HttpClients, ConnectError> {
    let roots = options.ca_cert.as_deref().map(read_roots).transpose()?.unwrap_or_default();
    let build = |idle: usize| {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("entra-revoke/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .timeout(options.timeout)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(idle);
        if options.plain_http {
            builder = builder.no_proxy();
            if let Some(proxy) = https_proxy()? {
                builder = builder.proxy(proxy);
            }
        }
        if !roots.is_empty() {
            builder = builder.tls_certs_merge(roots.iter().cloned());
        }
        builder.build().map_err(|error| ConnectError::Client(chain(&error)))
    };
    Ok(HttpClients { pooled: build(usize::MAX)?, single: build(0)? })
}

/// The proxy of the environment, for HTTPS alone.
fn https_proxy() -> Result<Option<reqwest::Proxy>, ConnectError> {
    let set = |name: &&str| std::env::var(name).is_ok_and(|value| !value.is_empty());
    let name = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find(set);
    let Some(url) = name.and_then(|name| std::env::var(name).ok()) else { return Ok(None) };
    let proxy = reqwest::Proxy::https(url).map_err(|error| ConnectError::Client(chain(&error)))?;
    Ok(Some(proxy.no_proxy(reqwest::NoProxy::from_env())))
}

fn read_roots(path: &Path) -> Result<Vec<reqwest::Certificate>, ConnectError> {
    let fail = |reason: String| ConnectError::CaCert { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fail(chain(&error)))?;
    if roots.is_empty() { Err(fail("it holds no certificate in PEM form".to_owned())) } else { Ok(roots) }
}

/// An error with its causes, without the URL: that holds the user's name.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause: Option<&dyn std::error::Error> = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        cause = error.source();
    }
    if text.is_empty() { "the request failed".to_owned() } else { text }
}

/// Graph over HTTP.
#[derive(Debug)]
pub struct HttpGraph {
    clients: HttpClients,
    version_root: String,
    tokens: Arc<Tokens>,
}

impl HttpGraph {
    /// `root` is Graph's root without a trailing slash, such as `https://graph.microsoft.com`.
    pub fn new(clients: HttpClients, root: &str, tokens: Arc<Tokens>) -> HttpGraph {
        HttpGraph { clients, version_root: format!("{root}/v1.0"), tokens }
    }
}

impl Graph for HttpGraph {
    async fn revoke(&self, request: Request) -> Answer {
        let token = self.tokens.current();
        let client = if request.new_connection { &self.clients.single } else { &self.clients.pooled };
        let sent = client
            .post(format!("{}/{}/revokeSignInSessions", self.version_root, request.user.path()))
            .header(AUTHORIZATION, token.bearer())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
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

    fn token(&self) -> TokenState {
        self.tokens.state()
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        self.tokens.renew(stale, claims.as_deref()).await
    }
}

fn lost(error: &reqwest::Error) -> Lost {
    let how = if error.is_connect() || error.is_builder() {
        Loss::NotSent
    } else if error.is_timeout() {
        Loss::TimedOut
    } else {
        Loss::Broken
    };
    let detail = match how {
        Loss::TimedOut => "no answer within the time-out".to_owned(),
        _ => chain(error),
    };
    Lost { how, detail }
}

async fn read(mut response: reqwest::Response, token: &Token, asked: Uuid) -> Reply {
    let mut facts = facts(response.status().as_u16(), response.headers(), token);
    if answers_another(response.headers(), asked) {
        let detail = "the connection gave the answer to another request".to_owned();
        return Reply::Lost(Lost { how: Loss::Broken, detail });
    }
    let succeeded = response.status().is_success();
    let mut bytes = Vec::new();
    facts.body = loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() <= MAX_BODY => bytes.extend_from_slice(&chunk),
            // Far longer than any answer of Graph's: the rest is not waited for.
            Ok(Some(_)) => break Body::CutOff,
            Ok(None) => break Body::read(&token.hidden_in(bytes)),
            // Another status than a success says enough by itself.
            Err(error) if error.is_timeout() && succeeded => {
                let detail = format!("status {}, then no whole answer within the time-out", facts.status);
                return Reply::Lost(Lost { how: Loss::TimedOut, detail });
            }
            Err(_) => break Body::CutOff,
        }
    };
    Reply::Response(Box::new(facts))
}

/// Whether an answer belongs to another request: Graph echoes the `client-request-id`, and where none reached it,
/// the one it gives is the `request-id` (learn.microsoft.com/graph/best-practices-concept).
fn answers_another(headers: &HeaderMap, asked: Uuid) -> bool {
    let id = |name: &str| Uuid::try_parse_ascii(headers.get(name)?.as_bytes().trim_ascii()).ok();
    match id("client-request-id") {
        Some(echoed) => echoed != asked && Some(echoed) != id("request-id"),
        None => false,
    }
}

/// What the headers say.
fn facts(status: u16, headers: &HeaderMap, token: &Token) -> Response {
    let text = |name: &str| {
        let value = token.hidden_in(headers.get(name)?.as_bytes().to_vec());
        let value = String::from_utf8_lossy(&value).trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let date = text("date");
    let now = SystemTime::now();
    let waits = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    Response {
        status,
        body: Body::Empty,
        request_id: text("request-id"),
        diagnostic: text("x-ms-ags-diagnostic"),
        retry_after: waits.filter_map(|value| retry_after::parse(value, date.as_deref(), now)).max(),
        throttle_percentage: text("x-ms-throttle-limit-percentage").and_then(|value| value.parse().ok()),
        throttle_scope: text("x-ms-throttle-scope"),
        throttle_information: text("x-ms-throttle-information"),
        claims: challenge::claims(headers),
        date,
    }
}
