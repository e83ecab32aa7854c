//! What is known of the limiter, and what may leave by it.

mod forecast;

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::TokenBucket;
use super::gate::ThrottleEvent;
use super::refill::RefillEstimator;
use super::window::WindowEstimator;
use crate::dispatch::rate::{RateKind, RatePolicy};

/// In flight on ground that nobody has proved: as many are throttled where the limiter is met by surprise.
const UNPROVEN: f64 = 16.0;

/// Or this part of the run.
const UNPROVEN_PART: f64 = 60.0;

/// In flight where the documented quota ends.
const FEW: f64 = 4.0;

/// This share around the end of the documented quota.
const EDGE: f64 = 0.01;

/// A gate that was closed for longer, in seconds, may be the end of a window.
const LONG: f64 = 3.0;

/// A limiter that refills lets somebody through soon after it was found empty.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// A window that is interrupted more often than this isn't one.
const MOST_INTERRUPTIONS: u32 = 12;

#[derive(Clone, Debug)]
enum Phase {
    /// The limiter has not been met: the documented quota, and beyond it with care.
    Initial(TokenBucket),
    /// It refills evenly.
    Refill,
    /// It counts in windows, or it may.
    Window(WindowEstimator),
}

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct RateEstimator {
    pace: RatePolicy,
    phase: Phase,
    refill: RefillEstimator,
    /// Users in flight.
    flight: u32,
    /// As many may be where nothing is proved.
    most: f64,
    /// And as many beyond the documented quota.
    beyond: f64,
    /// Its end was reached, and so many passed since.
    at_edge: bool,
    edge_passed: u32,
    planned: u64,
    passed: u64,
    /// What passed before the limiter was met.
    first: u32,
    began: Option<Instant>,
    answered: Option<Instant>,
    episodes: u32,
    /// When a probe was throttled last.
    last_rejected_probe: Option<Instant>,
    /// Bursts after a long closure are not tried, or were found not to pay.
    even: bool,
    warned: Option<Instant>,
    second: f64,
}

impl RateEstimator {
    pub(super) fn new(pace: RatePolicy, planned: u64, now: Instant) -> RateEstimator {
        let second = match pace.kind {
            RateKind::Documented { window, .. } => (window.as_secs_f64() / 150.0).min(1.0),
            RateKind::Fixed | RateKind::Gate => 1.0,
        };
        let most = match pace.kind {
            RateKind::Documented { wide: false, .. } => UNPROVEN.max(planned as f64 / UNPROVEN_PART),
            // Where others stand below it, each is careful by itself, and one that hangs must not hold up all.
            RateKind::Documented { wide: true, .. } | RateKind::Fixed | RateKind::Gate => f64::INFINITY,
        };
        let ceiling = if pace.kind == RateKind::Fixed { pace.per_second } else { f64::INFINITY };
        let bucket = TokenBucket::full(f64::from(pace.burst), pace.per_second, now);
        let mut refill = RefillEstimator::empty(pace.per_second, f64::from(pace.burst), ceiling, second, now);
        // Who asks for a smaller burst than the quota's gets no larger one, not even to learn.
        let bounded = matches!(pace.kind, RateKind::Documented { window, .. }
            if f64::from(pace.burst) + 1.0 < pace.per_second * window.as_secs_f64());
        let phase = if bounded {
            refill.fill(now);
            Phase::Refill
        } else {
            Phase::Initial(bucket)
        };
        RateEstimator {
            pace,
            phase,
            refill,
            flight: 0,
            most,
            beyond: FEW,
            at_edge: false,
            edge_passed: 0,
            planned,
            passed: 0,
            first: 0,
            began: None,
            answered: None,
            episodes: 0,
            last_rejected_probe: None,
            // What was asked for is a pace: no burst after a closure would be within it, so none is tried.
            even: bounded || pace.kind == RateKind::Fixed,
            warned: None,
            second,
        }
    }

    /// How many may leave now; `Err(None)` is: not before an answer.
    pub(super) fn ready(&mut self, now: Instant) -> Result<u32, Option<Instant>> {
        let (tokens, in_flight) = match &mut self.phase {
            Phase::Initial(bucket) => {
                let level = bucket.level_at(now);
                self.at_edge |= level <= f64::from(self.pace.burst) * EDGE;
                let documented = matches!(self.pace.kind, RateKind::Documented { .. });
                let most = if documented && self.at_edge { self.most.min(self.beyond) } else { self.most };
                (u32::MAX, most)
            }
            Phase::Refill => {
                let left = self.planned.saturating_sub(self.passed) as f64;
                (self.refill.ready(left, now).map_err(Some)?, self.most)
            }
            Phase::Window(window) => (u32::MAX, window.ready(self.most, self.flight, now).map_err(Some)?),
        };
        let room = in_flight - f64::from(self.flight);
        if room < 1.0 && self.flight > 0 {
            return Err(None);
        }
        Ok(tokens.min(room.max(1.0) as u32))
    }

    /// The probe leaves; what it may tell of a window it tells when it is answered.
    pub(super) fn probe(&mut self, users: u32) {
        self.flight += users;
    }

    pub(super) fn depart(&mut self, users: u32, now: Instant) {
        self.flight += users;
        self.began.get_or_insert(now);
        match &mut self.phase {
            Phase::Initial(bucket) => {
                bucket.advance(now);
                bucket.spend(users);
            }
            Phase::Refill => self.refill.depart(users),
            Phase::Window(window) => window.depart(users, now),
        }
    }

    /// Nothing is known of one that was in flight.
    pub(super) fn on_lost(&mut self) {
        self.flight = self.flight.saturating_sub(1);
    }

    pub(super) fn passed(&mut self, used: Option<f64>, now: Instant) {
        self.flight = self.flight.saturating_sub(1);
        self.passed += 1;
        self.refill.passed();
        match &mut self.phase {
            Phase::Initial(_) => {
                self.answered = Some(now);
                self.first += 1;
                self.edge_passed += u32::from(self.at_edge);
                if f64::from(self.edge_passed) > f64::from(self.pace.burst) * EDGE * 2.0 {
                    self.beyond += 0.25;
                }
            }
            Phase::Refill => {}
            Phase::Window(window) => window.passed(),
        }
        if let Some(used) = used.filter(|used| *used >= 0.8) {
            self.slow_down(used, now);
        }
    }

    /// Graph says how much of its limit is used: as much more may leave as that leaves. Answers come in swarms, so
    /// one warning counts for a while.
    fn slow_down(&mut self, used: f64, now: Instant) {
        if let Phase::Initial(bucket) = &mut self.phase {
            let left = self.passed as f64 * (1.0 - used).max(0.0) / used - f64::from(self.flight);
            let level = bucket.level_at(now);
            bucket.set_level(level.min(left.max(0.0)), now);
        }
        if self.pace.kind == RateKind::Fixed && matches!(self.phase, Phase::Initial(_)) && used >= 0.9 {
            self.refill =
                RefillEstimator::empty(self.pace.per_second, 1.0, self.pace.per_second, self.second, now);
            self.phase = Phase::Refill;
        }
        let heeded = |at: Instant| now.saturating_duration_since(at).as_secs_f64() < 5.0 * self.second;
        if used > 1.0 && !self.warned.is_some_and(heeded) {
            self.warned = Some(now);
            self.refill.warn(now);
        }
    }

    /// One more was throttled, of an episode that is known.
    pub(super) fn throttled(&mut self) {
        self.flight = self.flight.saturating_sub(1);
        self.refill.throttled();
        if let Phase::Window(window) = &mut self.phase {
            window.throttled();
        }
    }

    /// The probe was throttled.
    pub(super) fn on_probe_failed(&mut self, now: Instant) {
        self.throttled();
        self.last_rejected_probe = Some(now);
        if let Phase::Window(window) = &mut self.phase {
            window.is_shut(now);
        }
    }

    /// How long to wait for the next probe where nobody says how long; `own` is what the gate would do.
    pub(super) fn update(&self, own: Duration, news: ThrottleEvent, now: Instant) -> Duration {
        match &self.phase {
            Phase::Window(window) => window.update(own, now),
            Phase::Initial(_) | Phase::Refill if news == ThrottleEvent::ProbeRejected => own,
            Phase::Initial(_) | Phase::Refill => FIRST_LOOK,
        }
    }

    /// The limiter is met: one was throttled.
    pub(super) fn on_limit_met(&mut self, now: Instant) {
        self.flight = self.flight.saturating_sub(1);
        if self.pace.kind == RateKind::Gate {
            return;
        }
        match &mut self.phase {
            Phase::Initial(_) => {
                let rate = match self.pace.kind {
                    RateKind::Documented { .. } => self.pace.per_second,
                    RateKind::Fixed | RateKind::Gate => self.pace.per_second * 0.7,
                };
                let most = (self.passed as f64).max(1.0);
                let ceiling = match self.pace.kind {
                    RateKind::Fixed => self.pace.per_second,
                    RateKind::Documented { .. } | RateKind::Gate => f64::INFINITY,
                };
                self.refill = RefillEstimator::empty(rate, most, ceiling, self.second, now);
                self.phase = Phase::Refill;
            }
            Phase::Refill => self.refill.on_limit_met(now),
            Phase::Window(window) => {
                window.used_up();
                self.refill.on_limit_met(now);
                if window.is_none() {
                    self.even = true;
                    self.phase = Phase::Refill;
                }
            }
        }
        self.episodes += 1;
    }

    /// The gate has opened that closed then.
    pub(super) fn opened(&mut self, closed: Instant, now: Instant) {
        let long = now.saturating_duration_since(closed).as_secs_f64() >= LONG * self.second;
        self.refill.opened(now);
        match &mut self.phase {
            Phase::Initial(_) => {}
            Phase::Refill if long && !self.even => {
                self.phase =
                    Phase::Window(WindowEstimator::opening(self.first, self.window(), self.piece(now), now));
            }
            Phase::Refill => {}
            Phase::Window(window) if long => {
                let none = window.is_none();
                self.even |= none;
                window.reopened(now);
                if none || window.is_even() {
                    self.phase = Phase::Refill;
                }
            }
            Phase::Window(window) => {
                if window.interrupted() > MOST_INTERRUPTIONS {
                    self.phase = Phase::Refill;
                }
            }
        }
    }

    /// How long a window is believed to be before one was seen.
    fn window(&self) -> Duration {
        match self.pace.kind {
            RateKind::Documented { window, .. } => window,
            RateKind::Fixed | RateKind::Gate => Duration::from_secs(150),
        }
    }

    /// What the run saw of the window that it began in, if this is its first opening: when the last probe was
    /// throttled and when one passed, in seconds after the first request.
    fn piece(&self, now: Instant) -> Option<(f64, f64)> {
        let (began, rejected_at) = (self.began?, self.last_rejected_probe?);
        let after = |at: Instant| at.saturating_duration_since(began).as_secs_f64();
        (self.episodes == 1).then(|| (after(rejected_at), after(now)))
    }
}
