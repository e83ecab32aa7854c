//! The state that all connections share.

use std::sync::{Arc, RwLock};

use hyper::Response;
use tokio::sync::watch;

use super::body::Body;
use super::clients::Clients;
use super::clock::Clock;
use super::config::{Config, ConfigError};
use super::device_code::DeviceCodeStore;
use super::ledger::{Ledger, Stats};
use super::lock::{read, write};
use super::odata::PageRetries;
use super::recorder::Recorder;
use super::reloadable_config::{ConfigChanges, ReloadableConfig};
use super::session::Sessions;
use super::token::assertion::UsedAssertionIds;
use super::token_services::HostTokenServices;

/// The reply to a request.
pub(super) enum Reply {
    Answer(Response<Body>),
    /// The connection is reset without an answer.
    Reset,
    /// No answer ever comes.
    Hang,
}

/// The state of a running simulator.
pub(super) struct ServerState {
    pub(super) clock: Clock,
    pub(super) sessions: Sessions,
    pub(super) clients: Clients,
    pub(super) device_codes: DeviceCodeStore,
    pub(super) recorder: Recorder,
    pub(super) used_assertion_ids: UsedAssertionIds,
    pub(super) token_services: HostTokenServices,
    /// How often the pages of lists were requested again.
    pub(super) page_retries: PageRetries,
    /// The names under which clients may address the simulator, as in a `Host` header.
    pub(super) hosts: Vec<String>,
    live: RwLock<Arc<ReloadableConfig>>,
    /// Becomes true when the simulator stops.
    closing: watch::Receiver<bool>,
}

impl ServerState {
    pub(super) fn new(
        config: Config,
        hosts: Vec<String>,
        closing: watch::Receiver<bool>,
    ) -> Result<ServerState, ConfigError> {
        Ok(ServerState {
            clock: Clock::start_ahead(config.speed, config.clock_ahead),
            sessions: Sessions::default(),
            clients: Clients::default(),
            device_codes: DeviceCodeStore::default(),
            recorder: Recorder::new(config.ledger),
            used_assertion_ids: UsedAssertionIds::default(),
            token_services: HostTokenServices::default(),
            page_retries: PageRetries::default(),
            hosts,
            live: RwLock::new(Arc::new(ReloadableConfig::new(config, None)?)),
            closing,
        })
    }

    /// The current configuration.
    pub(super) fn live(&self) -> Arc<ReloadableConfig> {
        Arc::clone(&read(&self.live))
    }

    /// Applies changes in TOML. Fault counts restart, and quotas too if the changes name them.
    pub(super) fn change(&self, toml: &str) -> Result<(), ConfigError> {
        let changes = ConfigChanges::from_toml_str(toml)?;
        let mut live = write(&self.live);
        let mut config = live.config.clone();
        let quotas = changes.changes_quotas();
        changes.apply(&mut config)?;
        let next = ReloadableConfig::new(config, Some(live.as_ref()))?;
        if quotas {
            self.clients.reset(&next, &self.clock, false);
        }
        *live = Arc::new(next);
        Ok(())
    }

    /// Clears everything that was recorded and counted. Tokens stay valid.
    pub(super) fn reset(&self) {
        let live = self.live();
        self.recorder.clear();
        self.token_services.clear();
        self.page_retries.clear();
        self.clients.reset(&live, &self.clock, true);
        live.faults.reset();
        live.batch_faults.reset();
    }

    /// The complete ledger.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger { stats: self.stats(), ..self.recorder.ledger(&self.clock, &self.clients.all()) }
    }

    /// The counters.
    pub(super) fn stats(&self) -> Stats {
        let (nearby_requests, nearby_tokens) = (self.token_services.requests(), self.token_services.issued());
        Stats { nearby_requests, nearby_tokens, ..self.recorder.stats(&self.clock) }
    }

    /// Waits until the simulator stops.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.clone();
        // An error means that the sender is gone, which is as good as stopped.
        let _ = closing.wait_for(|&closing| closing).await;
    }
}
