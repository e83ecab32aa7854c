//! A server on loopback that imitates Microsoft Graph and Entra's token endpoint, with quotas and faults.
//!
//! It serves drills (runs without a tenant), tests, and benchmarks. What it does comes from Graph's documentation and
//! from captures. It shares no code with the client, so that the same mistake can't be on both sides.
//!
//! ```text
//! client ──▶ server ──▶ route ─┬─▶ control         ledger, stats, reset, config
//!       (tls,                  ├─▶ openid          the tenant ID of a domain
//!        resettable_stream)    ├─▶ token_services  managed_identity, job_tokens
//!                              ├─▶ token           assertion, federated, device_code ▶ session
//!                              └─▶ graph           session, then one of:
//!                                   ├─ revoke      permission ▶ throttle (quota) ▶ fault_injection
//!                                   │                ▶ fault_response ▶ recorder ▶ ledger
//!                                   ├─ read        throttle (quota) ▶ permission ▶ directory (store, odata)
//!                                   │                ▶ fault_injection ▶ fault_response
//!                                   └─ batch       each part is handled like a separate request
//! ```
//!
//! Paths:
//!
//! - `POST /{tenant}/oauth2/v2.0/token` and `devicecode`; `GET /{tenant}/v2.0/.well-known/openid-configuration`
//! - `POST /v1.0|beta/users/{id}/revokeSignInSessions` in all path forms, and `/me`
//! - `GET /v1.0|beta/users/{id}` and `/me`, `users`, `groups`, `groups/{id}/members` and `transitiveMembers`, and their
//!   `$count`; `POST directoryObjects/getByIds`; and what `directory/other_resources` has
//! - `POST /v1.0|beta/$batch`
//! - `GET /metadata/identity/oauth2/token` (the instance metadata service, and Azure Arc's agent), `GET /msi/token`
//!   (App Service), `GET …/idtoken` (GitHub Actions), `POST …/oidctoken` (Azure Pipelines)
//! - `GET /_simulator/ledger[?format=csv]`, `stats` and `callers`; `POST /_simulator/reset` and `config` (TOML)

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
    /// Other machines can reach the address, and the configuration doesn't allow that.
    #[error(
        "{0} is not a loopback address. The simulator has no access control; to listen there, set `allow_remote`"
    )]
    NotLoopback(SocketAddr),
    /// The simulator can't listen on the address.
    #[error("the simulator can't listen on {0}: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The certificate can't be created.
    #[error("the simulator can't create its certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS can't be set up with the certificate.
    #[error("the simulator can't set up TLS: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
}

/// A running simulator. It stops when dropped.
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
    /// If the configuration is not valid, or its address is not a loopback address or can't be listened on.
    pub async fn start(config: Config) -> Result<Simulator, StartError> {
        config.check()?;
        if !config.listen.ip().is_loopback() && !config.allow_remote {
            return Err(StartError::NotLoopback(config.listen));
        }
        let tls = config.tls.then(|| tls::create(&config.tls_names, config.http2)).transpose()?;
        let bind = |error| StartError::Bind(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(bind)?;
        let addr = listener.local_addr().map_err(bind)?;
        let (ca_pem, acceptor) = tls.map(|tls| (tls.ca_pem, tls.acceptor)).unzip();
        let options = server::ServerOptions { tls: acceptor, header_case: config.header_case };
        let (close, closing) = watch::channel(false);
        let hosts = hosts(&config, addr);
        let state = Arc::new(ServerState::new(config, hosts, closing)?);
        let server = tokio::spawn(server::serve(listener, Arc::clone(&state), options));
        Ok(Simulator { addr, ca_pem, state, close, server })
    }

    /// The address that it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The root of all paths, without a trailing slash: `http://127.0.0.1:PORT`, or `https://localhost:PORT` with
    /// TLS.
    #[must_use]
    pub fn url(&self) -> String {
        match self.ca_pem {
            None => format!("http://{}", self.addr),
            Some(_) => format!("https://localhost:{}", self.addr.port()),
        }
    }

    /// The certificate of the simulator's own authority, if it uses TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Everything recorded so far. It copies all records, so with many users prefer [`Simulator::stats`] if that is
    /// enough.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.state.ledger()
    }

    /// What each app did in each tenant, in the order of their first requests.
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
    /// app's token has the `roles` of the configuration, a user's token the `scopes`.
    #[must_use]
    pub fn mint_token(&self, kind: TokenKind, lifetime: Duration) -> String {
        let live = self.state.live();
        let config = &live.config;
        let tenant = config.token.tenant.as_deref().unwrap_or(session::DEFAULT_TENANT);
        let client = config.token.client_id.as_deref().unwrap_or(session::DEFAULT_APP);
        self.mint_token_for(tenant, client, kind, lifetime)
    }

    /// Like [`Simulator::mint_token`], for an app in a tenant. The tenant is an ID or a domain.
    #[must_use]
    pub fn mint_token_for(&self, tenant: &str, client: &str, kind: TokenKind, lifetime: Duration) -> String {
        let live = self.state.live();
        let tenant = &self.state.clients.tenant_by_name(tenant, &live).id;
        let app = self.state.clients.app(tenant, client, &live, &self.state.clock);
        let audience = "https://graph.microsoft.com";
        let grant = session::Grant { kind, tenant, app: client, audience, lifetime };
        self.state.sessions.mint(&grant, &live, &self.state.clock, app).0
    }

    /// A token from the issuer that the app trusts (`[token.federated]`), as a cluster would write it to a file.
    /// `lifetime` is real time.
    #[must_use]
    pub fn mint_assertion(&self, lifetime: Duration) -> String {
        let live = self.state.live();
        let config = &live.config.token.federated;
        federated::mint(config, &config.audience, lifetime)
    }

    /// Applies changes in TOML, as `POST /_simulator/config` does. Each key that is present replaces the old value as a
    /// whole. Settings of sockets, TLS, the speed, and the ledger's detail can't change.
    ///
    /// # Errors
    /// If the text is not TOML, or has a key that can't change or an invalid value. Then nothing changes.
    pub fn change_config(&self, toml: &str) -> Result<(), ConfigError> {
        self.state.change(toml)
    }

    /// Clears everything recorded, and resets the quotas and the counts of faults. Tokens stay valid.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Waits until the simulator is dropped.
    pub async fn wait(&self) {
        self.close.closed().await;
    }

    /// Stops the simulator: accepts no new connections and ends the open ones, including hanging requests.
    pub async fn stop(mut self) {
        let _ = self.close.send(true);
        // An error means that the server panicked, so it has stopped too.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The `Host` headers under which clients may address the simulator.
fn hosts(config: &Config, addr: SocketAddr) -> Vec<String> {
    let port = addr.port();
    let loopback = ["127.0.0.1", "localhost", "[::1]"].map(str::to_owned);
    let names = loopback.into_iter().chain(config.tls_names.iter().cloned());
    let with_port = names.map(|name| format!("{name}:{port}"));
    std::iter::once(addr.to_string()).chain(with_port).chain(config.expected_hosts.iter().cloned()).collect()
}
