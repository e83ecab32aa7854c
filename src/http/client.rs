//! The one configuration of all HTTP clients: reqwest over rustls, no redirects, the environment's proxies,
//! additional roots.

use std::error::Error as _;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use tokio_rustls::rustls;

use super::connect_to::LOCALHOST;
use super::proxy::Proxy;
use super::{ConnectTo, roots, tls};

/// The time limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait that a server may ask for, unless `--max-wait` sets another.
pub const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// The settings that all connections of the program share.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// The timeout of a whole request, including its body.
    pub timeout: Duration,
    /// A PEM file with roots to trust in addition to the platform's.
    pub ca_cert: Option<PathBuf>,
    /// Fixed addresses of hosts, used instead of DNS. A proxy that resolves names itself ignores them: see
    /// [`super::ignored_connect_to`].
    pub connect_to: Vec<ConnectTo>,
    /// Whether one of the services uses plain HTTP, which is allowed on loopback only. Such requests never
    /// use a proxy, because that would carry the token in the clear to another machine.
    pub plain_http: bool,
}

/// An HTTP client can't be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientBuildError {
    /// A file of roots can't be used.
    #[error("{given_by} {path}: {reason}", path = path.display())]
    Roots {
        /// The flag or variable that names the file.
        given_by: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The environment's proxy is invalid. Its value may contain a password, so it is not repeated.
    #[error("{name} does not name a usable proxy: {reason}")]
    Proxy {
        /// The variable.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// TLS can't be set up.
    #[error("can't set up HTTPS: {0}")]
    Client(String),
}

impl ClientBuildError {
    /// Whether a flag or a variable is wrong, as opposed to a fault of this machine.
    pub fn is_usage(&self) -> bool {
        !matches!(self, ClientBuildError::Client(_))
    }
}

/// The time limit for a connection to a service on this machine.
const LOCAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// HTTP clients with one configuration. One keeps its connections, another makes a new connection for each
/// request, and a third never uses a proxy.
#[derive(Clone, Debug)]
pub struct HttpClients {
    pooled: reqwest::Client,
    single: reqwest::Client,
    /// Built on first use, because most runs do not need it.
    direct: Arc<OnceLock<reqwest::Client>>,
    tls: rustls::ClientConfig,
    options: HttpOptions,
    max_wait: Duration,
}

impl HttpClients {
    /// Builds the clients. Reads `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` from the environment.
    pub fn new(options: &HttpOptions) -> Result<HttpClients, ClientBuildError> {
        if !options.plain_http {
            tls::gather_entropy();
        }
        let tls = tls::client_config(roots::additional_roots(options.ca_cert.as_deref())?)?;
        let build =
            |idle: usize| with_tls(options, tls.clone(), |builder| builder.pool_max_idle_per_host(idle));
        Ok(HttpClients {
            pooled: build(usize::MAX)?,
            single: build(0)?,
            direct: Arc::default(),
            tls,
            options: options.clone(),
            max_wait: MAX_WAIT,
        })
    }

    /// The same clients, with another limit for the wait that a server may ask for.
    #[must_use]
    pub fn with_max_wait(self, max_wait: Duration) -> HttpClients {
        HttpClients { max_wait, ..self }
    }

    /// The longest wait that a server may ask for (`--max-wait`).
    pub fn max_wait(&self) -> Duration {
        self.max_wait
    }

    /// The client that keeps its connections.
    pub fn pooled(&self) -> &reqwest::Client {
        &self.pooled
    }

    /// The client that makes a new connection for each request.
    pub fn single(&self) -> &reqwest::Client {
        &self.single
    }

    /// The timeout of a request (`--timeout`).
    pub fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// The client for services on this machine, such as the one that issues tokens for managed identities. It
    /// never uses a proxy, whatever the environment says.
    pub fn direct(&self) -> Result<reqwest::Client, ClientBuildError> {
        if let Some(client) = self.direct.get() {
            return Ok(client.clone());
        }
        let timeout = LOCAL_CONNECT_TIMEOUT.min(self.options.timeout);
        let direct = |builder: reqwest::ClientBuilder| builder.no_proxy().connect_timeout(timeout);
        let client = with_tls(&self.options, self.tls.clone(), direct)?;
        Ok(self.direct.get_or_init(|| client).clone())
    }
}

/// Starts a client with the one configuration.
fn client_builder(options: &HttpOptions) -> Result<reqwest::ClientBuilder, ClientBuildError> {
    let proxy = Proxy::from_environment()?;
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("entra-revoke/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout(options.timeout))
        .timeout(options.timeout)
        .tcp_nodelay(true);
    // If the environment does not name a proxy, the system may (Windows, macOS).
    if options.plain_http || proxy.is_some() {
        builder = builder.no_proxy();
    }
    if let Some(proxy) = &proxy {
        builder = builder.proxy(proxy.for_https()?);
    }
    for (host, addresses) in addresses(&options.connect_to) {
        builder = builder.resolve_to_addrs(host, &addresses);
    }
    Ok(builder)
}

/// The time limit for a connection is below the request's timeout. So if a connection stalls in the TLS
/// handshake, it is known that nothing was sent.
fn connect_timeout(timeout: Duration) -> Duration {
    CONNECT_TIMEOUT.min(timeout.mul_f64(0.9))
}

/// The addresses of each host for which DNS is not asked. A host that was named several times has several
/// addresses, which are tried in turn.
fn addresses(connect_to: &[ConnectTo]) -> std::collections::BTreeMap<&str, Vec<SocketAddr>> {
    let mut addresses = std::collections::BTreeMap::<&str, Vec<SocketAddr>>::new();
    for one in connect_to {
        addresses.entry(one.host()).or_default().push(one.socket());
    }
    // Plain HTTP is allowed to `localhost` because it is this machine, so DNS must not redirect it to another
    // one.
    addresses.entry(LOCALHOST).or_insert_with(|| {
        vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
    });
    addresses
}

/// Builds a client of the one configuration with this TLS, and with what `more` adds.
pub(super) fn with_tls(
    options: &HttpOptions,
    tls: rustls::ClientConfig,
    more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, ClientBuildError> {
    let builder = more(client_builder(options)?.tls_backend_preconfigured(tls));
    builder.build().map_err(|error| ClientBuildError::Client(error_causes(&error)))
}

/// The causes of an error, joined. The URL is left out, because it contains the user's name.
pub(super) fn error_causes(error: &reqwest::Error) -> String {
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
