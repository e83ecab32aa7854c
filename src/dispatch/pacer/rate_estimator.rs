//! What has been learned about the limiter, and how many requests it allows.

mod forecast;

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::TokenBucket;
use super::gate::ThrottleEvent;
use super::refill::RefillEstimator;
use super::window::WindowEstimator;
use crate::dispatch::rate::{RateKind, RatePolicy};

/// The maximum in flight while the limit is unknown. This many are throttled if the limit is reached by
/// surprise.
const UNPROVEN_IN_FLIGHT: f64 = 16.0;

/// Or the run's users divided by this number, if that is more.
const UNPROVEN_DIVISOR: f64 = 60.0;

/// The maximum in flight at the end of the documented quota.
const EDGE_IN_FLIGHT: f64 = 4.0;

/// The share of the documented quota that counts as its end.
const EDGE: f64 = 0.01;

/// If a gate was closed for at least this many seconds, it may have been the end of a window.
const LONG_CLOSURE: f64 = 3.0;

/// The first wait after a limiter was found empty: one that refills soon lets a request through.
const FIRST_PROBE_DELAY: Duration = Duration::from_millis(500);

/// If a window is interrupted more often than this, it is not a window.
const MAX_INTERRUPTIONS: u32 = 12;

#[derive(Clone, Debug)]
enum Phase {
    /// The limit has not been reached. The documented quota applies, and above it requests increase with
    /// care.
    Initial(TokenBucket),
    /// The limiter refills evenly.
    Refill,
    /// The limiter counts in windows, or may do so.
    Window(WindowEstimator),
}

/// What has been learned about the limiter.
#[derive(Clone, Debug)]
pub(super) struct RateEstimator {
    pace: RatePolicy,
    phase: Phase,
    refill: RefillEstimator,
    /// The number of users in flight.
    flight: u32,
    /// The maximum in flight while the limit is unknown.
    max_in_flight: f64,
    /// The maximum in flight above the documented quota.
    beyond: f64,
    /// Whether the end of the documented quota was reached, and how many passed since.
    at_edge: bool,
    edge_passed: u32,
    planned: u64,
    passed: u64,
    /// The number that passed before the limit was reached.
    first: u32,
    began: Option<Instant>,
    answered: Option<Instant>,
    episodes: u32,
    /// When the last probe was throttled.
    last_rejected_probe: Option<Instant>,
    /// Whether bursts after a long closure are not tried, or were not worth it.
    bursts_disabled: bool,
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
            RateKind::Documented { wide: false, .. } => {
                UNPROVEN_IN_FLIGHT.max(planned as f64 / UNPROVEN_DIVISOR)
            }
            // With other pacers below it, each of them is careful itself. One that hangs must not hold up
            // all.
            RateKind::Documented { wide: true, .. } | RateKind::Fixed | RateKind::Gate => f64::INFINITY,
        };
        let ceiling = if pace.kind == RateKind::Fixed { pace.per_second } else { f64::INFINITY };
        let bucket = TokenBucket::full(f64::from(pace.burst), pace.per_second, now);
        let mut refill = RefillEstimator::empty(pace.per_second, f64::from(pace.burst), ceiling, second, now);
        // If the requested burst is smaller than the quota's, it is never exceeded, not even to learn.
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
            max_in_flight: most,
            beyond: EDGE_IN_FLIGHT,
            at_edge: false,
            edge_passed: 0,
            planned,
            passed: 0,
            first: 0,
            began: None,
            answered: None,
            episodes: 0,
            last_rejected_probe: None,
            // A requested rate does not allow a burst after a closure, so none is tried.
            bursts_disabled: bounded || pace.kind == RateKind::Fixed,
            warned: None,
            second,
        }
    }

    /// How many may leave now. `Err(None)` means none before an answer.
    pub(super) fn ready(&mut self, now: Instant) -> Result<u32, Option<Instant>> {
        let (tokens, in_flight) = match &mut self.phase {
            Phase::Initial(bucket) => {
                let level = bucket.level_at(now);
                self.at_edge |= level <= f64::from(self.pace.burst) * EDGE;
                let documented = matches!(self.pace.kind, RateKind::Documented { .. });
                let most = if documented && self.at_edge {
                    self.max_in_flight.min(self.beyond)
                } else {
                    self.max_in_flight
                };
                (u32::MAX, most)
            }
            Phase::Refill => {
                let left = self.planned.saturating_sub(self.passed) as f64;
                (self.refill.ready(left, now).map_err(Some)?, self.max_in_flight)
            }
            Phase::Window(window) => {
                (u32::MAX, window.ready(self.max_in_flight, self.flight, now).map_err(Some)?)
            }
        };
        let room = in_flight - f64::from(self.flight);
        if room < 1.0 && self.flight > 0 {
            return Err(None);
        }
        Ok(tokens.min(room.max(1.0) as u32))
    }

    /// Counts the probe. What it shows about a window is known when it is answered.
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

    /// Notes that a user's answer was lost.
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

    /// Slows down after Graph's warning about how much of its limit is used: only the rest may still leave.
    /// Warnings come in swarms, so one counts for a while.
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

    /// Notes another 429 of a known episode.
    pub(super) fn throttled(&mut self) {
        self.flight = self.flight.saturating_sub(1);
        self.refill.throttled();
        if let Phase::Window(window) = &mut self.phase {
            window.throttled();
        }
    }

    /// Notes that the probe was throttled.
    pub(super) fn on_probe_failed(&mut self, now: Instant) {
        self.throttled();
        self.last_rejected_probe = Some(now);
        if let Phase::Window(window) = &mut self.phase {
            window.is_shut(now);
        }
    }

    /// How long to wait for the next probe if Graph does not say so. `own` is the wait that the gate would
    /// choose.
    pub(super) fn probe_wait(&self, own: Duration, news: ThrottleEvent, now: Instant) -> Duration {
        match &self.phase {
            Phase::Window(window) => window.update(own, now),
            Phase::Initial(_) | Phase::Refill if news == ThrottleEvent::ProbeRejected => own,
            Phase::Initial(_) | Phase::Refill => FIRST_PROBE_DELAY,
        }
    }

    /// Notes the first 429 of an episode: the limit is reached.
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
                if window.is_not_a_window() {
                    self.bursts_disabled = true;
                    self.phase = Phase::Refill;
                }
            }
        }
        self.episodes += 1;
    }

    /// Notes that the gate, which closed at `closed`, has opened.
    pub(super) fn opened(&mut self, closed: Instant, now: Instant) {
        let long = now.saturating_duration_since(closed).as_secs_f64() >= LONG_CLOSURE * self.second;
        self.refill.opened(now);
        match &mut self.phase {
            Phase::Initial(_) => {}
            Phase::Refill if long && !self.bursts_disabled => {
                self.phase =
                    Phase::Window(WindowEstimator::opening(self.first, self.window(), self.piece(now), now));
            }
            Phase::Refill => {}
            Phase::Window(window) if long => {
                let none = window.is_not_a_window();
                self.bursts_disabled |= none;
                window.reopened(now);
                if none || window.is_even() {
                    self.phase = Phase::Refill;
                }
            }
            Phase::Window(window) => {
                if window.interrupted() > MAX_INTERRUPTIONS {
                    self.phase = Phase::Refill;
                }
            }
        }
    }

    /// The assumed length of a window before one was observed.
    fn window(&self) -> Duration {
        match self.pace.kind {
            RateKind::Documented { window, .. } => window,
            RateKind::Fixed | RateKind::Gate => Duration::from_secs(150),
        }
    }

    /// What was observed of the window in which the run began, if this is its first opening: when the last
    /// probe was throttled and when one passed, in seconds after the first request.
    fn piece(&self, now: Instant) -> Option<(f64, f64)> {
        let (began, rejected_at) = (self.began?, self.last_rejected_probe?);
        let after = |at: Instant| at.saturating_duration_since(began).as_secs_f64();
        (self.episodes == 1).then(|| (after(rejected_at), after(now)))
    }
}
