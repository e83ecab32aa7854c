//! The one configuration of all HTTP: reqwest over rustls, no redirects, the environment's proxies, further roots.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::redirect::Policy;
use tokio_rustls::rustls;

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
    /// Builds the clients. `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are taken from the environment.
    pub fn new(options: &HttpOptions) -> Result<HttpClients, ConnectError> {
        let builder = configured(options)?;
        let build = |idle: usize| built(builder()?.pool_max_idle_per_host(idle));
        Ok(HttpClients { pooled: build(usize::MAX)?, single: build(0)? })
    }

    /// The client that keeps its connections.
    pub fn pooled(&self) -> &reqwest::Client {
        &self.pooled
    }

    /// The client that makes a new connection for each request.
    pub fn single(&self) -> &reqwest::Client {
        &self.single
    }
}

/// Makes builders of one configuration.
fn configured(
    options: &HttpOptions,
) -> Result<impl Fn() -> Result<reqwest::ClientBuilder, ConnectError> + use<'_>, ConnectError> {
    let roots = options.ca_cert.as_deref().map(read_roots).transpose()?.unwrap_or_default();
    Ok(move || {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("entra-revoke/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .timeout(options.timeout)
            .tcp_nodelay(true);
        if options.plain_http {
            builder = builder.no_proxy();
            if let Some(proxy) = https_proxy()? {
                builder = builder.proxy(proxy);
            }
        }
        if !roots.is_empty() {
            builder = builder.tls_certs_merge(roots.iter().cloned());
        }
        Ok(builder)
    })
}

/// A client with the proxies and time-outs of the others, for a handshake in which `tls` decides.
pub(super) fn with_tls(
    options: &HttpOptions,
    tls: rustls::ClientConfig,
) -> Result<reqwest::Client, ConnectError> {
    built(configured(options)?()?.tls_backend_preconfigured(tls).pool_max_idle_per_host(0))
}

fn built(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, ConnectError> {
    builder.build().map_err(|error| ConnectError::Client(chain(&error)))
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
pub(crate) fn chain(error: &reqwest::Error) -> String {
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
