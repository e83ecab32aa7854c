//! What all connections share.

use std::sync::{Arc, RwLock};

use hyper::Response;
use tokio::sync::watch;

use super::body::Body;
use super::callers::Callers;
use super::clock::Clock;
use super::config::{Config, ConfigError};
use super::device_code::Devices;
use super::ledger::{Ledger, Stats};
use super::live::{Changes, Live};
use super::lock::{read, write};
use super::nearby::Nearby;
use super::odata::Retries;
use super::recorder::Recorder;
use super::session::Sessions;
use super::token::assertion::Seen;

/// What a request comes to.
pub(super) enum Reply {
    Answer(Response<Body>),
    /// The connection is reset without an answer.
    Reset,
    /// No answer ever comes.
    Hang,
}

/// The simulated world.
pub(super) struct World {
    pub(super) clock: Clock,
    pub(super) sessions: Sessions,
    pub(super) callers: Callers,
    pub(super) devices: Devices,
    pub(super) recorder: Recorder,
    pub(super) assertions: Seen,
    pub(super) nearby: Nearby,
    /// Pages of lists that were asked for again.
    pub(super) retries: Retries,
    /// The names by which it may be called, as in a `Host` header.
    pub(super) hosts: Vec<String>,
    live: RwLock<Arc<Live>>,
    /// Becomes true when the simulator stops.
    closing: watch::Receiver<bool>,
}

impl World {
    pub(super) fn new(
        config: Config,
        hosts: Vec<String>,
        closing: watch::Receiver<bool>,
    ) -> Result<World, ConfigError> {
        Ok(World {
            clock: Clock::start_ahead(config.speed, config.clock_ahead),
            sessions: Sessions::default(),
            callers: Callers::default(),
            devices: Devices::default(),
            recorder: Recorder::new(config.ledger),
            assertions: Seen::default(),
            nearby: Nearby::default(),
            retries: Retries::default(),
            hosts,
            live: RwLock::new(Arc::new(Live::new(config, None)?)),
            closing,
        })
    }

    /// The configuration that is in force.
    pub(super) fn live(&self) -> Arc<Live> {
        Arc::clone(&read(&self.live))
    }

    /// Puts changes in TOML into force. Faults begin to count anew; quotas too, if they are named.
    pub(super) fn change(&self, toml: &str) -> Result<(), ConfigError> {
        let changes = Changes::from_toml_str(toml)?;
        let mut live = write(&self.live);
        let mut config = live.config.clone();
        let quotas = changes.quotas();
        changes.apply(&mut config)?;
        let next = Live::new(config, Some(live.as_ref()))?;
        if quotas {
            self.callers.restart(&next, &self.clock, false);
        }
        *live = Arc::new(next);
        Ok(())
    }

    /// Forgets everything that happened; tokens stay good.
    pub(super) fn reset(&self) {
        let live = self.live();
        self.recorder.clear();
        self.nearby.clear();
        self.retries.clear();
        self.callers.restart(&live, &self.clock, true);
        live.faults.restart();
        live.mishaps.restart();
    }

    /// Everything that was recorded.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger { stats: self.stats(), ..self.recorder.ledger(&self.clock, &self.callers.all()) }
    }

    /// The counters.
    pub(super) fn stats(&self) -> Stats {
        let (nearby_requests, nearby_tokens) = (self.nearby.requests(), self.nearby.given());
        Stats { nearby_requests, nearby_tokens, ..self.recorder.stats(&self.clock) }
    }

    /// Waits until the simulator stops.
    pub(super) async fn closed(&self) {
        let mut closing = self.closing.clone();
        // An error means that whoever could stop it is gone: as good as stopped.
        let _ = closing.wait_for(|&closing| closing).await;
    }
}
