//! The gate that a 429 closes for everybody.

use std::time::Duration;

use tokio::time::Instant;

/// First wait where a 429 says nothing, or where its wait proved too short; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Up to here, and then by a share of the time that the gate has been closed: whoever counts in windows should be
/// found open soon after it opened.
const DOUBLED_UP_TO: Duration = Duration::from_secs(4);

/// That share.
const SHARE: f64 = 0.25;

/// Up to here; the longest documented window is twenty times as long.
const LONGEST: Duration = Duration::from_secs(15);

/// Closed for longer than any window, the gate waits longer still: whoever punishes those who come early must be
/// outwaited some day.
const NO_WINDOW: Duration = Duration::from_secs(330);

/// But not longer than this.
const LONGEST_OF_ALL: Duration = Duration::from_secs(160);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GatePhase {
    Open,
    Closed { until: Instant },
    Probing { probe: u64 },
}

/// What a request meets at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GateDecision {
    Open,
    /// For one request, the probe.
    ForOne,
    /// Until then for nobody.
    Closed(Instant),
    /// Until the probe is answered.
    Probing,
}

/// What a 429 is to the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThrottleEvent {
    /// The first of its episode.
    First,
    /// The probe's.
    ProbeRejected,
    /// One more of an episode that is known.
    Duplicate,
}

/// The gate. `until` is an absolute instant that is only raised.
///
/// It is a circuit breaker with the words of a gate: open lets requests through, closed holds them back. That is the reverse
/// of the breaker pattern's own words.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    state: GatePhase,
    /// Requests that left in this episode or later tell of a new one when they are throttled.
    pub(super) episode: u64,
    /// When the episode began.
    pub(super) began: Instant,
    /// Throttled probes in a row.
    pub(super) strikes: u32,
    /// What Graph says of the wait proved too short, or it says nothing.
    pub(super) vague: bool,
    /// Until when Graph itself asked to wait; the gate may stay closed longer.
    asked: Option<Instant>,
}

impl Gate {
    pub(super) fn new(now: Instant) -> Gate {
        Gate { state: GatePhase::Open, episode: 0, began: now, strikes: 0, vague: false, asked: None }
    }

    pub(super) fn way(&self, now: Instant) -> GateDecision {
        match self.state {
            GatePhase::Open => GateDecision::Open,
            GatePhase::Probing { .. } => GateDecision::Probing,
            GatePhase::Closed { until } if now < until => GateDecision::Closed(until),
            GatePhase::Closed { .. } => GateDecision::ForOne,
        }
    }

    /// A request leaves; behind a closed gate it is the probe. Gives whether it is.
    pub(super) fn depart(&mut self, id: u64) -> bool {
        let probes = matches!(self.state, GatePhase::Closed { .. });
        if probes {
            self.state = GatePhase::Probing { probe: id };
        }
        probes
    }

    /// The request was answered by something other than a 429. Gives whether that opened the gate.
    pub(super) fn passed(&mut self, id: u64) -> bool {
        let opens = self.state == GatePhase::Probing { probe: id };
        if opens {
            self.state = GatePhase::Open;
            self.strikes = 0;
        }
        opens
    }

    /// Nothing is known of the request: if it was the probe, another one goes.
    pub(super) fn on_lost(&mut self, id: u64, now: Instant) {
        if self.state == (GatePhase::Probing { probe: id }) {
            self.state = GatePhase::Closed { until: now };
        }
    }

    /// What a 429 to a request that left in `episode` says.
    pub(super) fn hear(&mut self, id: u64, episode: u64, now: Instant) -> ThrottleEvent {
        if self.state == (GatePhase::Probing { probe: id }) {
            self.strikes += 1;
            self.vague = true;
            return ThrottleEvent::ProbeRejected;
        }
        if episode < self.episode {
            return ThrottleEvent::Duplicate;
        }
        self.episode += 1;
        self.began = now;
        self.strikes = 0;
        ThrottleEvent::First
    }

    /// How long the gate would stay closed by its own judgement.
    pub(super) fn own_wait(&self, now: Instant) -> Duration {
        let closed = now.saturating_duration_since(self.began);
        let most = if closed < NO_WINDOW { LONGEST } else { LONGEST_OF_ALL };
        let most = closed.mul_f64(SHARE).clamp(DOUBLED_UP_TO, most);
        FIRST_WAIT.saturating_mul(1 << self.strikes.min(10)).min(most)
    }

    /// Closes the gate, or leaves it closed for longer; `asked` is what Graph asked for. Gives until when it is closed.
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
