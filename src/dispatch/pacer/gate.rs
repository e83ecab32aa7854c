//! The gate that a 429 closes for all requests.

use std::time::Duration;

use tokio::time::Instant;

/// The first wait if a 429 has no `Retry-After`, or if that was too short. Doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The wait up to which it is doubled. After that, it is a share of the time for which the gate has been
/// closed, so that a limiter that counts in windows is found open soon after it opens.
const DOUBLED_UP_TO: Duration = Duration::from_secs(4);

/// This share.
const SHARE: f64 = 0.25;

/// The maximum wait. The longest documented window is twenty times as long.
const MAX_WAIT: Duration = Duration::from_secs(15);

/// If the gate has been closed for longer than any window, the maximum is higher, because some limiters
/// punish early probes.
const LONGER_THAN_ANY_WINDOW: Duration = Duration::from_secs(330);

/// That higher maximum.
const MAX_WAIT_AFTER_WINDOW: Duration = Duration::from_secs(160);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GatePhase {
    Open,
    Closed { until: Instant },
    Probing { probe: u64 },
}

/// Whether the gate lets a request through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GateDecision {
    Open,
    /// Open for one request, the probe.
    OpenForProbe,
    /// Closed until this instant.
    Closed(Instant),
    /// Closed until the probe is answered.
    Probing,
}

/// What a 429 means for the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThrottleEvent {
    /// The first 429 of an episode.
    First,
    /// The 429 of the probe.
    ProbeRejected,
    /// Another 429 of a known episode.
    Duplicate,
}

/// The gate. `until` never moves to an earlier instant.
///
/// It is a circuit breaker with the words of a gate: `Open` lets requests through, `Closed` holds them back.
/// The words of the circuit breaker pattern are the opposite.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    state: GatePhase,
    /// The number of the episode. A 429 for a request that was sent in this episode starts the next.
    pub(super) episode: u64,
    /// When the episode started.
    pub(super) began: Instant,
    /// The number of throttled probes in a row.
    pub(super) throttled_probes: u32,
    /// Whether Graph's `Retry-After` was missing or too short.
    pub(super) retry_after_unreliable: bool,
    /// The instant until which Graph asked to wait. The gate may stay closed longer.
    asked: Option<Instant>,
}

impl Gate {
    pub(super) fn new(now: Instant) -> Gate {
        Gate {
            state: GatePhase::Open,
            episode: 0,
            began: now,
            throttled_probes: 0,
            retry_after_unreliable: false,
            asked: None,
        }
    }

    pub(super) fn way(&self, now: Instant) -> GateDecision {
        match self.state {
            GatePhase::Open => GateDecision::Open,
            GatePhase::Probing { .. } => GateDecision::Probing,
            GatePhase::Closed { until } if now < until => GateDecision::Closed(until),
            GatePhase::Closed { .. } => GateDecision::OpenForProbe,
        }
    }

    /// Notes that a request leaves. Returns whether it is the probe of a closed gate.
    pub(super) fn on_sent(&mut self, id: u64) -> bool {
        let probes = matches!(self.state, GatePhase::Closed { .. });
        if probes {
            self.state = GatePhase::Probing { probe: id };
        }
        probes
    }

    /// Notes an answer other than a 429. Returns whether it opened the gate.
    pub(super) fn on_accepted(&mut self, id: u64) -> bool {
        let opens = self.state == GatePhase::Probing { probe: id };
        if opens {
            self.state = GatePhase::Open;
            self.throttled_probes = 0;
        }
        opens
    }

    /// Notes that a request was lost. If it was the probe, another one is sent.
    pub(super) fn on_lost(&mut self, id: u64, now: Instant) {
        if self.state == (GatePhase::Probing { probe: id }) {
            self.state = GatePhase::Closed { until: now };
        }
    }

    /// What a 429 for a request that left in `episode` means.
    pub(super) fn on_throttled(&mut self, id: u64, episode: u64, now: Instant) -> ThrottleEvent {
        if self.state == (GatePhase::Probing { probe: id }) {
            self.throttled_probes += 1;
            self.retry_after_unreliable = true;
            return ThrottleEvent::ProbeRejected;
        }
        if episode < self.episode {
            return ThrottleEvent::Duplicate;
        }
        self.episode += 1;
        self.began = now;
        self.throttled_probes = 0;
        ThrottleEvent::First
    }

    /// The wait that the gate chooses itself.
    pub(super) fn own_wait(&self, now: Instant) -> Duration {
        let closed = now.saturating_duration_since(self.began);
        let most = if closed < LONGER_THAN_ANY_WINDOW { MAX_WAIT } else { MAX_WAIT_AFTER_WINDOW };
        let most = closed.mul_f64(SHARE).clamp(DOUBLED_UP_TO, most);
        FIRST_WAIT.saturating_mul(1 << self.throttled_probes.min(10)).min(most)
    }

    /// Closes the gate, or keeps it closed for longer. `asked` is until when Graph asked to wait. Returns
    /// until when the gate is closed.
    pub(super) fn close(&mut self, until: Instant, asked: Option<Instant>) -> Instant {
        self.asked = self.asked.max(asked);
        let until = self.closed_until().map_or(until, |already| already.max(until));
        self.state = GatePhase::Closed { until };
        until
    }

    pub(super) fn closed_until(&self) -> Option<Instant> {
        match self.state {
            GatePhase::Closed { until } => Some(until),
            GatePhase::Open | GatePhase::Probing { .. } => None,
        }
    }

    pub(super) fn asked_until(&self) -> Option<Instant> {
        self.asked.filter(|_| self.closed_until().is_some())
    }
}
