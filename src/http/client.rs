//! The one configuration of all HTTP: reqwest over rustls, no redirects, the environment's proxies, further roots.

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

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait that a server may ask for, where nothing else is said (`--max-wait`).
pub const MAX_WAIT: Duration = Duration::from_secs(3_600);

/// What all connections of the program share.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Time-out of a whole request, its body included.
    pub timeout: Duration,
    /// A PEM file with further roots to trust, beside the platform's.
    pub ca_cert: Option<PathBuf>,
    /// Addresses of hosts that DNS is not asked for. A proxy resolves names itself: see [`super::overruled`].
    pub connect_to: Vec<ConnectTo>,
    /// Whether one of the services is spoken to in plain HTTP, which is allowed on loopback only. Such requests
    /// never go through a proxy: that would carry the token in the clear to another machine.
    pub plain_http: bool,
}

/// No HTTP client can be built.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A file of roots can't be used.
    #[error("{given_by} {path}: {reason}", path = path.display())]
    Roots {
        /// The flag or variable that names it.
        given_by: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The proxy of the environment can't be understood. Its value may hold a password, so it is not repeated.
    #[error("{name} names no proxy that can be used: {reason}")]
    Proxy {
        /// The variable.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// TLS can't be used.
    #[error("can't set up HTTPS: {0}")]
    Client(String),
}

impl ConnectError {
    /// Whether what was given is wrong, and not this machine.
    pub fn is_usage(&self) -> bool {
        !matches!(self, ConnectError::Client(_))
    }
}

/// How long a connection to a service of this machine may take.
const LOCAL_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The clients, with one configuration: one keeps its connections, another makes a new one for each request, and a
/// third never uses a proxy.
#[derive(Clone, Debug)]
pub struct HttpClients {
    pooled: reqwest::Client,
    single: reqwest::Client,
    /// Made when it is asked for: most runs need none.
    direct: Arc<OnceLock<reqwest::Client>>,
    tls: rustls::ClientConfig,
    options: HttpOptions,
    max_wait: Duration,
}

impl HttpClients {
    /// Builds the clients. `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are taken from the environment.
    pub fn new(options: &HttpOptions) -> Result<HttpClients, ConnectError> {
        if !options.plain_http {
            tls::gather_entropy();
        }
        let tls = tls::shared(roots::further(options.ca_cert.as_deref())?)?;
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

    /// The same, where a server may ask for no longer a wait than this.
    #[must_use]
    pub fn waiting(self, max_wait: Duration) -> HttpClients {
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

    /// How long a request may take, as it was set (`--timeout`).
    pub fn timeout(&self) -> Duration {
        self.options.timeout
    }

    /// The client for services of this machine itself, such as the one that gives managed identities their tokens:
    /// it never uses a proxy, whatever the environment says.
    pub fn direct(&self) -> Result<reqwest::Client, ConnectError> {
        if let Some(client) = self.direct.get() {
            return Ok(client.clone());
        }
        let timeout = LOCAL_CONNECT_TIMEOUT.min(self.options.timeout);
        let direct = |builder: reqwest::ClientBuilder| builder.no_proxy().connect_timeout(timeout);
        let client = with_tls(&self.options, self.tls.clone(), direct)?;
        Ok(self.direct.get_or_init(|| client).clone())
    }
}

/// The one configuration.
fn configured(options: &HttpOptions) -> Result<reqwest::ClientBuilder, ConnectError> {
    let proxy = Proxy::from_environment()?;
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("entra-revoke/", env!("CARGO_PKG_VERSION")))
        .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))]))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout(options.timeout))
        .timeout(options.timeout)
        .tcp_nodelay(true);
    // Where the environment names none, the system may (Windows, macOS).
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

/// A connection ends its time before the request does: of one that stalls in the TLS handshake it is then known that
/// nothing was sent.
fn connect_timeout(timeout: Duration) -> Duration {
    CONNECT_TIMEOUT.min(timeout.mul_f64(0.9))
}

/// The addresses of each host that DNS is not asked for: one that was named several times has several, tried in turn.
fn addresses(connect_to: &[ConnectTo]) -> std::collections::BTreeMap<&str, Vec<SocketAddr>> {
    let mut addresses = std::collections::BTreeMap::<&str, Vec<SocketAddr>>::new();
    for one in connect_to {
        addresses.entry(one.host()).or_default().push(one.socket());
    }
    // Plain HTTP goes there because it is this machine: no DNS may say that it is another.
    addresses.entry(LOCALHOST).or_insert_with(|| {
        vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), SocketAddr::from((Ipv6Addr::LOCALHOST, 0))]
    });
    addresses
}

/// A client of the one configuration with this TLS, and with what `more` adds.
pub(super) fn with_tls(
    options: &HttpOptions,
    tls: rustls::ClientConfig,
    more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
) -> Result<reqwest::Client, ConnectError> {
    let builder = more(configured(options)?.tls_backend_preconfigured(tls));
    builder.build().map_err(|error| ConnectError::Client(chain(&error)))
}

/// An error with its causes, without the URL: that holds the user's name.
pub(super) fn chain(error: &reqwest::Error) -> String {
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
