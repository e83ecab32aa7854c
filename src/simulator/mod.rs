//! Microsoft Graph and Entra's token endpoint on loopback, with quotas and faults.
//!
//! For drills (a run without a tenant), tests, and benchmarks. What it knows of Graph it knows from Graph's documents
//! and from captures; it imports nothing of the client, so that a mistake can't be made on both sides at once.
//!
//! ```text
//!            ┌ wire, tls ┐   ┌── token: client credentials, device_code ──▶ session: tokens
//!  client ──▶│  server   │──▶│── graph: sign-in ▶ quotas ▶ faults ▶ answer, latency
//!            └───────────┘   │      session   throttle  strike   answer, penalty
//!                 route ─────┤              quota             └▶ recorder ▶ ledger
//!                            │      revoke; read ▶ permission ▶ directory ▶ tenant, odata
//!                            ├── nearby: managed_identity, job: tokens of machines, proofs of jobs
//!                            └── control: ledger, stats, reset, config
//! ```
//!
//! Paths: `POST /{tenant}/oauth2/v2.0/token` and `devicecode`; `GET /{tenant}/v2.0/.well-known/openid-configuration`;
//! `POST /v1.0|beta/users/{id}/revokeSignInSessions` in all
//! its spellings, and `/me`; `GET /v1.0|beta/users/{id}` and `/me`, `users`, `groups`, `groups/{id}/members` and
//! `transitiveMembers`, their `$count`, and `POST directoryObjects/getByIds`; what else can be read (`directory/reading`);
//! `POST /v1.0|beta/$batch`; `GET /metadata/identity/oauth2/token` (the instance
//! metadata service and Azure Arc's), `GET /msi/token` (App Service's), `GET …/idtoken` (GitHub's), `POST …/oidctoken`
//! (Azure Pipelines'); `GET /_simulator/ledger[?format=csv]`, `GET /_simulator/stats`,
//! `POST /_simulator/reset`, `POST /_simulator/config` (TOML).

mod account;
mod batch;
mod body;
mod client_key;
mod clients;
mod clock;
mod config;
mod control;
mod counters;
mod device_code;
mod directory;
mod duration;
mod fault;
mod fault_injection;
mod fault_response;
mod federated;
mod fingerprint;
mod glob;
mod graph;
mod graph_response;
mod job_tokens;
mod ledger;
mod lock;
mod managed_identity;
mod odata;
mod openid;
mod permission;
mod quota;
mod read;
mod recorder;
mod reloadable_config;
mod resettable_stream;
mod resource;
mod retry_after;
mod revoke;
mod route;
mod server;
mod session;
mod sliding_counter;
mod state;
#[allow(dead_code, reason = "some of it is read by few endpoints")]
mod store;
mod tenant_overrides;
mod throttle;
mod tls;
mod token;
mod token_services;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use batch::{BatchConfig, PartIdFormat};
pub use config::{Config, ConfigError, HeaderCase, LedgerDetail, SuccessResponse, TokenConfig};
pub use device_code::{DeviceConfig, DeviceOutcome, RefreshOutcome};
pub use fault::{Fault, FaultAnswer, FaultEndpoint, InnerErrorCase};
pub use federated::FederatedConfig;
pub use ledger::{ClientReport, Ledger, RequesterRecord, Stats, UserRecord, Violation};
pub use managed_identity::ManagedIdentityConfig;
#[cfg(test)]
pub(crate) use quota::Meter;
pub use quota::{Limit, LimitStyle, QuotaChange, QuotaConfig, RetryAfter, ThrottleBody};
pub use session::TokenKind;
pub use store::{
    AdminUnitConfig, AppConfig, DirectoryConfig, GenerateConfig, GroupConfig, PagingConfig, RiskyUserConfig,
    RoleConfig, ScopedRoleConfig, UserConfig, UserKind,
};
pub use tenant_overrides::{TenantConfig, TenantQuotaConfig};

use state::ServerState;

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Others could reach the address, and the configuration doesn't allow that.
    #[error(
        "{0} is not a loopback address; the simulator protects nothing, so `allow_remote` must be set for that"
    )]
    NotLoopback(SocketAddr),
    /// The address can't be listened on.
    #[error("the simulator can't listen on {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The configuration can't be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No certificate could be made.
    #[error("the simulator can't make its certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The certificate can't be used.
    #[error("the simulator can't set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// A running simulator. It stops when this is dropped.
pub struct Simulator {
    addr: SocketAddr,
    ca_pem: Option<String>,
    state: Arc<ServerState>,
    close: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts a simulator on the current tokio runtime (which needs its I/O and time drivers).
    ///
    /// # Errors
    /// When the configuration can't be, or its address is not loopback or can't be listened on.
    pub async fn start(config: Config) -> Result<Simulator, StartError> {
        config.check()?;
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(StartError::NotLoopback(config.listen));
        }
        let tls = config.tls.then(|| tls::make(&config.tls_names, config.http2)).transpose()?;
        let bind = |error| StartError::Bind(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let (ca_pem, acceptor) = tls.map(|tls| (tls.ca_pem, tls.acceptor)).unzip();
        let manner = server::ServerOptions { tls: acceptor, header_case: config.header_case };
        let (close, closing) = watch::channel(false);
        let hosts = hosts(&config, addr);
        let world = Arc::new(ServerState::new(config, hosts, closing)?);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&world), manner));
        Ok(Simulator { addr, ca_pem, state: world, close, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The root of all paths, without a slash at the end: `http://127.0.0.1:PORT`, or `https://localhost:PORT` with
    /// TLS.
    #[must_use]
    pub fn url(&self) -> String {
        match self.ca_pem {
            None => format!("http://{}", self.addr),
            Some(_) => format!("https://localhost:{}", self.addr.port()),
        }
    }

    /// The certificate of the simulator's own authority, with TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Everything recorded so far. Copies all of it: with many users, ask for [`Simulator::stats`] where those do.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.state.ledger()
    }

    /// What each app did in each tenant, in the order in which they came.
    #[must_use]
    pub fn clients(&self) -> Vec<ClientReport> {
        self.state.clients.all().iter().map(|app| app.report()).collect()
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.state.stats()
    }

    /// A token that the simulator accepts for `lifetime` (simulated time), as if it came from the token endpoint. An
    /// app's has the configuration's `roles`, a user's its `scopes`.
    #[must_use]
    pub fn mint_token(&self, kind: TokenKind, lifetime: Duration) -> String {
        let live = self.state.live();
        let config = &live.config;
        let tenant = config.token.tenant.as_deref().unwrap_or(session::DEFAULT_TENANT);
        let client = config.token.client_id.as_deref().unwrap_or(session::DEFAULT_APP);
        self.mint_token_for(tenant, client, kind, lifetime)
    }

    /// The same for an app in a tenant, which is called by its id or a domain.
    #[must_use]
    pub fn mint_token_for(&self, tenant: &str, client: &str, kind: TokenKind, lifetime: Duration) -> String {
        let live = self.state.live();
        let tenant = &self.state.clients.tenant_by_name(tenant, &live).id;
        let app = self.state.clients.app(tenant, client, &live, &self.state.clock);
        let audience = "https://graph.microsoft.com";
        let grant = session::Grant { kind, tenant, app: client, audience, lifetime };
        self.state.sessions.mint(&grant, &live, &self.state.clock, app).0
    }

    /// A token of the issuer whom the app trusts (`[token.federated]`), as a cluster would put it into a file; `lifetime`
    /// is real time.
    #[must_use]
    pub fn mint_assertion(&self, lifetime: Duration) -> String {
        let live = self.state.live();
        let config = &live.config.token.federated;
        federated::mint(config, &config.audience, lifetime)
    }

    /// Puts changes into force, as `POST /_simulator/config` does: TOML, in which each key that is named replaces what
    /// was there, whole. What has to do with sockets, TLS, speed, or the ledger's detail can't change.
    ///
    /// # Errors
    /// When the text is not TOML, names something that can't change, or gives a value that can't be; then nothing
    /// changes.
    pub fn change(&self, toml: &str) -> Result<(), ConfigError> {
        self.state.change(toml)
    }

    /// Forgets everything recorded, fills the quotas, and lets faults count anew. Tokens stay good.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Waits for as long as the simulator runs: until it is dropped, or for ever.
    pub async fn wait(&self) {
        self.close.closed().await;
    }

    /// Stops: no new connection is accepted, open ones end, and what hangs ends with them.
    pub async fn stop(mut self) {
        let _ = self.close.send(true);
        // An error would mean that the server had panicked: stopped too.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The `Host` headers by which the simulator may be called.
fn hosts(config: &Config, addr: SocketAddr) -> Vec<String> {
    let port = addr.port();
    let loopback = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned);
    let own = loopback.into_iter().chain(config.tls_names.iter().cloned());
    let with_port = own.map(|name| format!("{name}:{port}"));
    std::iter::once(addr.to_string()).chain(with_port).chain(config.expected_hosts.iter().cloned()).collect()
}
