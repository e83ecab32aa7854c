//! When the next request may leave: the pacer of one limit, which learns what it meets.
//!
//! Graph documents its quotas, but not how they are counted, and what stands behind them may grant less or more. So
//! the pacer begins with what is documented, and from then on believes what it sees. Two parts decide:
//!
//! **The gate** (`gate.rs`) closes for everybody when a 429 comes, until an absolute instant that is only ever raised.
//! At that instant one request goes, the probe; if it passes, the gate opens. An answer to anything that left earlier
//! opens nothing.
//!
//! ```text
//!            429                      its time is reached, one probe leaves
//!   Open ───────────▶ Closed(until) ─────────────────────────────────────▶ Probing
//!    ▲                  ▲     │ another 429: until = max(until, its own)     │
//!    │                  └─────┘                                              │
//!    │                  ▲                                                    │
//!    │                  └───────────── the probe is throttled, too ──────────┤
//!    └─────────────────────────────── the probe went through ────────────────┘
//! ```
//!
//! **What was learned** (`learned.rs`) says how many may leave while the gate is open. It has three phases:
//!
//! ```text
//!            the first 429              the gate was closed for seconds, then opened
//!   Unmet ────────────────▶ Refill ◀═══════════════════════════════════════════════▶ Window
//!   the documented          an even pace:             bursts bring little,           a burst at each
//!   quota, and beyond it    what passes between       or as much as an               opening, as large as
//!   step by step            two empties is the rate   even pace would                the one before
//! ```
//!
//! - *Unmet*: nothing is known. The documented quota leaves as fast as the wire allows; but whatever is in flight when
//!   an unknown limit is met is throttled, so in a small run only few are (a `--rate` is not held to that).
//!   Where the documented quota ends, four are in flight, and then more the more pass: a larger quota is found out.
//! - *Refill* (`refill.rs`): tokens come evenly, as in a bucket. Two 429s are two instants at which the bucket was
//!   empty; what passed between them is what it refilled, exactly. The pace stays a hair below that and is raised after
//!   a calm that doubles each time nothing new was found. What was not used meanwhile is not lost: it lies in the
//!   bucket, and the raise uses it up.
//! - *Window* (`window.rs`, `opening.rs`): a gate that was closed for long may be the end of a window, fixed or sliding.
//!   Then the next ones leave in a burst that grows, and the 429 that ends it tells the quota. From then on as many
//!   leave at each opening, each no earlier in its window than in the one before (where a window slides, places come
//!   back in the order in which they were taken), then one after another to learn when it opens again. Where nobody
//!   says when, it is looked for around the time that the last window took.
//!
//! Why no limiter from a crate: governor's (GCRA) counts as it asks and can't be looked into. Here up to three pacers
//! must agree before anything is counted (app in tenant, tenant, app over all tenants), tokens are set to what was
//! learned, and the rate changes under way. A bucket (`bucket.rs`) is a few lines.
//!
//! How close this comes to the best there is, for which limiter: `docs/performance.md`, "Pacing".

mod bucket;
mod gate;
mod learned;
mod opening;
mod refill;
mod window;

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use self::bucket::TokenBucket;
use self::gate::{Gate, GateDecision, ThrottleEvent};
use self::learned::RateEstimator;
use super::rate::{RateKind, RatePolicy};
use crate::number::after;

/// Whether requests may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacerDecision {
    /// So many users may, one at least and not more than asked for.
    Go(u32),
    /// Not before then.
    NotBefore(Instant),
    /// Not before something in flight is answered: a probe, or the first on unproven ground.
    AfterAnswer,
}

/// One request that left. It may hold several users; each is reported by itself.
#[derive(Clone, Copy, Debug)]
pub struct Permit {
    id: u64,
    episode: u64,
}

/// The pacer of one limit. Its methods read tokio's time; none waits.
#[derive(Debug)]
pub struct Pacer {
    pace: RatePolicy,
    gate: Gate,
    /// What was asked for and is never exceeded.
    ceiling: Option<TokenBucket>,
    learned: RateEstimator,
    departures: u64,
}

impl Pacer {
    /// Starts with an open gate and a full burst. `planned` is how many users of this run will come by.
    pub fn new(pace: RatePolicy, planned: u64) -> Pacer {
        Pacer::new_at(pace, planned, Instant::now())
    }

    /// Asks for so many users to leave now. Counts nothing, since other pacers may have to agree.
    pub fn permit(&mut self, wanted: u32) -> PacerDecision {
        self.permit_at(wanted, Instant::now())
    }

    /// Counts a request with so many users that leaves now; only after [`PacerDecision::Go`] for as many.
    pub fn depart(&mut self, users: u32) -> Permit {
        self.depart_at(users, Instant::now())
    }

    /// One user of the departure got an answer other than 429, which said how much of the limit is used
    /// (`x-ms-throttle-limit-percentage`, 0.8 to 1.8). Whether that opened the gate.
    pub fn passed(&mut self, departure: &Permit, used: Option<f64>) -> bool {
        self.passed_at(departure, used, Instant::now())
    }

    /// One user of the departure got a 429. Gives until when the gate is closed now.
    pub fn throttled(&mut self, departure: &Permit, retry_after: Option<Duration>) -> Instant {
        self.throttled_at(departure, retry_after, Instant::now())
    }

    /// One user of the departure got no answer, or one that says nothing of this limit.
    pub fn on_lost(&mut self, departure: &Permit) {
        self.lost_at(departure, Instant::now());
    }

    /// Closes the gate until then, as a 429 to an earlier process of the run asked for.
    pub fn close(&mut self, until: Instant) {
        self.gate.close(until, Some(until));
    }

    /// Until when the gate is closed, if it is.
    pub fn closed_until(&self) -> Option<Instant> {
        self.gate.closed_until()
    }

    /// Whether the gate is closed, and a probe was throttled since it was open.
    pub fn is_probing_again(&self) -> bool {
        self.closed_until().is_some() && self.gate.strikes > 0
    }

    /// Until when Graph itself asked to wait, if the gate is closed.
    pub fn asked_until(&self) -> Option<Instant> {
        self.gate.asked_until()
    }

    /// Time from now until the last of so many more users may leave, as far as it is known.
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
            GateDecision::ForOne => 1,
            GateDecision::Closed(until) => return PacerDecision::NotBefore(until),
            GateDecision::Probing => return PacerDecision::AfterAnswer,
        };
        let by_ceiling = match self.ceiling.as_ref().map(|bucket| bucket.ready(now)) {
            Some(Err(at)) => return PacerDecision::NotBefore(at),
            Some(Ok(users)) => users,
            None => u32::MAX,
        };
        let probe = self.gate.way(now) == GateDecision::ForOne;
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
        let probes = self.gate.depart(departure.id);
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
        let opens = self.gate.passed(departure.id);
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
        let news = self.gate.hear(departure.id, departure.episode, now);
        match news {
            ThrottleEvent::First => self.learned.on_limit_met(now),
            ThrottleEvent::ProbeRejected => self.learned.on_probe_failed(now),
            ThrottleEvent::Duplicate => self.learned.throttled(),
        }
        self.gate.vague |= asked.is_none();
        let own = self.gate.own_wait(now);
        let wait = match news {
            ThrottleEvent::Duplicate => asked.unwrap_or(own),
            _ if self.gate.vague => asked.unwrap_or_default().max(self.learned.update(own, news, now)),
            _ => asked.unwrap_or(own),
        };
        let until = after(now, wait);
        self.gate.close(until, asked.map(|asked| after(now, asked)).or(Some(now)))
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
        // What comes in behind a closed gate is no use to a pace that was asked for: it allows no such burst.
        let by_ceiling = self.ceiling.as_ref().map(|bucket| {
            let left = (users as f64 - bucket.level_at(now + closed)).max(0.0);
            Duration::try_from_secs_f64(left / self.pace.per_second.max(1e-9)).unwrap_or(Duration::MAX)
        });
        self.learned.forecast(users, now).max(closed.saturating_add(by_ceiling.unwrap_or_default()))
    }
}
