//! The pacer of one limit: it decides when the next request may leave, and learns from the answers.
//!
//! Graph documents its quotas, but not how they are counted, and the real limit may be lower or higher. So
//! the pacer starts with what is documented, and then adjusts to what it observes. It has two parts:
//!
//! **The gate** (`gate.rs`) closes for all requests after a 429, until an absolute instant that is only ever
//! raised. At that instant, one request leaves, the probe. If it passes, the gate opens. An answer to a
//! request that left earlier does not open it.
//!
//! ```text
//!            429                      the time has come, one probe leaves
//!   Open ───────────▶ Closed(until) ─────────────────────────────────────▶ Probing
//!    ▲                  ▲     │ another 429: until = max(until, its wait)    │
//!    │                  └─────┘                                              │
//!    │                  ▲                                                    │
//!    │                  └───────────── the probe is throttled, too ──────────┤
//!    └─────────────────────────────── the probe passed ──────────────────────┘
//! ```
//!
//! **The estimator** (`learned.rs`) decides how many may leave while the gate is open. It has three phases:
//!
//! ```text
//!              the first 429              the gate was closed for seconds, then opened
//!   Initial ────────────────▶ Refill ◀═══════════════════════════════════════════════▶ Window
//!   the documented            an even rate:             bursts gain little,            a burst at each
//!   quota, and above it       what passes between       or as much as an               opening, as large as
//!   step by step              two empties is the rate   even rate would                the one before
//! ```
//!
//! - *Initial*: nothing has been learned yet. The documented quota is sent as fast as the network allows.
//!   When an unknown limit is reached, everything in flight is throttled, so in a small run only few are in
//!   flight (this does not apply to `--rate`). At the end of the documented quota, four are in flight, and
//!   then more with each one that passes, so that a larger quota is found.
//! - *Refill* (`refill.rs`): the limiter refills evenly, like a token bucket. At each first 429, the bucket
//!   was empty, so what passes between two of them is exactly what was refilled. The pacer stays slightly
//!   below that rate. It raises the rate after a calm, which doubles each time that nothing new was found.
//!   What was not used meanwhile is not lost: it accumulates in the bucket, and the higher rate uses it.
//! - *Window* (`window.rs`, `opening.rs`): a gate that was closed for long may mean the end of a window,
//!   fixed or sliding. Then the next requests leave in a burst that grows, and the 429 that ends it shows the
//!   quota. From then on, this many leave at each opening, and none earlier in its window than in the
//!   previous one, because in a sliding window slots become free in the order in which they were used. After
//!   that, requests leave one by one, to learn when the window opens again. If Graph does not say when, the
//!   pacer probes around the length of the last window.
//!
//! Why not a limiter from a crate? The one in `governor` (GCRA) counts when it is asked, and its state can't
//! be read. Here, up to three pacers must agree before anything is counted (app in tenant, tenant, app over
//! all tenants), levels are set to what was learned, and the rate changes during the run. A token bucket
//! (`bucket.rs`) is a few lines.
//!
//! How close this comes to the optimum for each kind of limiter: `docs/performance.md`, "Pacing".

mod bucket;
mod gate;
mod rate_estimator;
mod refill;
mod reopen_estimator;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::bucket::TokenBucket;
use self::gate::{Gate, GateDecision, ThrottleEvent};
use self::rate_estimator::RateEstimator;
use super::rate::{RateKind, RatePolicy};
use crate::number::add_clamped;

/// Whether requests may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacerDecision {
    /// This many users may, at least one and at most as many as asked for.
    Go(u32),
    /// None before this instant.
    NotBefore(Instant),
    /// None before a request in flight is answered: a probe, or the first requests while the limit is
    /// unknown.
    AfterAnswer,
}

/// One request that left. It may contain several users; each is reported separately.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    id: u64,
    episode: u64,
}

/// The pacer of one limit. Its methods read tokio's clock; none of them waits.
#[derive(Debug)]
pub struct Pacer {
    pace: RatePolicy,
    gate: Gate,
    /// The requested rate, which is never exceeded.
    ceiling: Option<TokenBucket>,
    learned: RateEstimator,
    departures: u64,
}

impl Pacer {
    /// Starts with an open gate and a full burst. `planned` is how many users of this run the pacer will
    /// count.
    pub fn new(pace: RatePolicy, planned: u64) -> Pacer {
        Pacer::new_at(pace, planned, Instant::now())
    }

    /// Asks whether `wanted` users may leave now. Counts nothing, because other pacers may have to agree.
    pub fn permit(&mut self, wanted: u32) -> PacerDecision {
        self.permit_at(wanted, Instant::now())
    }

    /// Counts a request with this many users that leaves now. Call it only after [`PacerDecision::Go`] for as
    /// many.
    pub fn depart(&mut self, users: u32) -> Permit {
        self.depart_at(users, Instant::now())
    }

    /// Notes that a user of this request got an answer other than a 429. `used` is how much of the limit is
    /// used, if the answer says so (`x-ms-throttle-limit-percentage`, 0.8 to 1.8). Returns whether the answer
    /// opened the gate.
    pub fn passed(&mut self, departure: &Permit, used: Option<f64>) -> bool {
        self.passed_at(departure, used, Instant::now())
    }

    /// Notes that a user of this request got a 429. Returns until when the gate is closed now.
    pub fn throttled(&mut self, departure: &Permit, retry_after: Option<Duration>) -> Instant {
        self.throttled_at(departure, retry_after, Instant::now())
    }

    /// Notes that a user of this request got no answer, or one that says nothing about this limit.
    pub fn on_lost(&mut self, departure: &Permit) {
        self.lost_at(departure, Instant::now());
    }

    /// Closes the gate until `until`, as a 429 to an earlier process of the run required.
    pub fn close(&mut self, until: Instant) {
        self.gate.close(until, Some(until));
    }

    /// Until when the gate is closed, if it is closed.
    pub fn closed_until(&self) -> Option<Instant> {
        self.gate.closed_until()
    }

    /// Whether the gate is closed and a probe was throttled since it was open.
    pub fn is_probing_again(&self) -> bool {
        self.closed_until().is_some() && self.gate.throttled_probes > 0
    }

    /// Until when Graph itself asked to wait, if the gate is closed.
    pub fn asked_until(&self) -> Option<Instant> {
        self.gate.asked_until()
    }

    /// The time until `users` more have left, as far as it is known.
    pub fn forecast(&self, users: u64) -> Duration {
        self.forecast_at(users, Instant::now())
    }

    pub(super) fn new_at(pace: RatePolicy, planned: u64, now: Instant) -> Pacer {
        let ceiling = || TokenBucket::full(f64::from(pace.burst.max(1)), pace.per_second, now);
        Pacer {
            pace,
            gate: Gate::new(now),
            ceiling: (pace.kind == RateKind::Fixed).then(ceiling),
            learned: RateEstimator::new(pace, planned, now),
            departures: 0,
        }
    }

    pub(super) fn permit_at(&mut self, wanted: u32, now: Instant) -> PacerDecision {
        let at_gate = match self.gate.way(now) {
            GateDecision::Open => wanted.max(1),
            GateDecision::OpenForProbe => 1,
            GateDecision::Closed(until) => return PacerDecision::NotBefore(until),
            GateDecision::Probing => return PacerDecision::AfterAnswer,
        };
        let by_ceiling = match self.ceiling.as_ref().map(|bucket| bucket.ready(now)) {
            Some(Err(at)) => return PacerDecision::NotBefore(at),
            Some(Ok(users)) => users,
            None => u32::MAX,
        };
        let probe = self.gate.way(now) == GateDecision::OpenForProbe;
        let by_limiter = match (probe, self.pace.kind) {
            (true, _) | (_, RateKind::Gate) => u32::MAX,
            _ => match self.learned.ready(now) {
                Ok(users) => users,
                Err(Some(at)) => return PacerDecision::NotBefore(at),
                Err(None) => return PacerDecision::AfterAnswer,
            },
        };
        PacerDecision::Go(at_gate.min(by_ceiling).min(by_limiter))
    }

    pub(super) fn depart_at(&mut self, users: u32, now: Instant) -> Permit {
        self.departures += 1;
        let departure = Permit { id: self.departures, episode: self.gate.episode };
        let probes = self.gate.on_sent(departure.id);
        if let Some(ceiling) = &mut self.ceiling {
            ceiling.advance(now);
            ceiling.spend(users);
        }
        if probes {
            self.learned.probe(users);
        } else {
            self.learned.depart(users, now);
        }
        departure
    }

    pub(super) fn passed_at(&mut self, departure: &Permit, used: Option<f64>, now: Instant) -> bool {
        let opens = self.gate.on_accepted(departure.id);
        self.learned.passed(used, now);
        if opens {
            self.learned.opened(self.gate.began, now);
        }
        opens
    }

    pub(super) fn throttled_at(
        &mut self,
        departure: &Permit,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> Instant {
        let asked = retry_after.filter(|wait| !wait.is_zero());
        let news = self.gate.on_throttled(departure.id, departure.episode, now);
        match news {
            ThrottleEvent::First => self.learned.on_limit_met(now),
            ThrottleEvent::ProbeRejected => self.learned.on_probe_failed(now),
            ThrottleEvent::Duplicate => self.learned.throttled(),
        }
        self.gate.retry_after_unreliable |= asked.is_none();
        let own = self.gate.own_wait(now);
        let wait = match news {
            ThrottleEvent::Duplicate => asked.unwrap_or(own),
            _ if self.gate.retry_after_unreliable => {
                asked.unwrap_or_default().max(self.learned.probe_wait(own, news, now))
            }
            _ => asked.unwrap_or(own),
        };
        let until = add_clamped(now, wait);
        self.gate.close(until, asked.map(|asked| add_clamped(now, asked)).or(Some(now)))
    }

    pub(super) fn lost_at(&mut self, departure: &Permit, now: Instant) {
        self.gate.on_lost(departure.id, now);
        self.learned.on_lost();
    }

    pub(super) fn forecast_at(&self, users: u64, now: Instant) -> Duration {
        let closed = self.closed_until().map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let held = self.closed_until().map(|until| until.saturating_duration_since(self.gate.began));
        if let Some(windows) = held.and_then(|held| self.learned.windows_ahead(users, held)) {
            return closed.saturating_add(windows);
        }
        // With a requested rate, tokens that come while the gate is closed only help up to the requested
        // burst.
        let by_ceiling = self.ceiling.as_ref().map(|bucket| {
            let left = (users as f64 - bucket.level_at(now + closed)).max(0.0);
            Duration::try_from_secs_f64(left / self.pace.per_second.max(1e-9)).unwrap_or(Duration::MAX)
        });
        self.learned.forecast(users, now).max(closed.saturating_add(by_ceiling.unwrap_or_default()))
    }
}
