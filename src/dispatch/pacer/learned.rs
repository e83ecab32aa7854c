//! What is known of the limiter, and what may leave by it.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::Bucket;
use super::gate::News;
use super::refill::Refill;
use super::window::{Window, windows};
use crate::dispatch::rate::{Kind, Pace};

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

/// What passes behind such a gate at once, at least, if it was one.
const WINDOWFUL: u32 = 20;

/// A limiter that refills lets somebody through soon after it was found empty.
const FIRST_LOOK: Duration = Duration::from_millis(500);

/// A window that is interrupted more often than this isn't one.
const MOST_INTERRUPTIONS: u32 = 12;

#[derive(Clone, Debug)]
enum Phase {
    /// The limiter has not been met: the documented quota, and beyond it with care.
    Unmet(Bucket),
    /// It refills evenly.
    Refill,
    /// It counts in windows, or it may.
    Window(Window),
}

/// What is known.
#[derive(Clone, Debug)]
pub(super) struct Learned {
    pace: Pace,
    phase: Phase,
    refill: Refill,
    /// Users in flight.
    flight: u32,
    /// As many may be where nothing is proved.
    most: f64,
    /// And as many beyond the documented quota.
    beyond: f64,
    passed: u64,
    /// What passed before the limiter was met.
    first: u32,
    began: Option<Instant>,
    answered: Option<Instant>,
    met: bool,
    /// Bursts after a long closure were found not to pay.
    even: bool,
    warned: Option<Instant>,
    second: f64,
}

impl Learned {
    pub(super) fn new(pace: Pace, planned: u64, now: Instant) -> Learned {
        let second = match pace.kind {
            Kind::Documented { window } => (window.as_secs_f64() / 150.0).min(1.0),
            Kind::Fixed | Kind::Gate => 1.0,
        };
        let most = match pace.kind {
            Kind::Documented { .. } => UNPROVEN.max(planned as f64 / UNPROVEN_PART),
            Kind::Fixed | Kind::Gate => f64::INFINITY,
        };
        let bucket = Bucket::full(f64::from(pace.burst), pace.per_second, now);
        Learned {
            pace,
            phase: Phase::Unmet(bucket),
            refill: Refill::empty(pace.per_second, f64::from(pace.burst), second, now),
            flight: 0,
            most,
            beyond: FEW,
            passed: 0,
            first: 0,
            began: None,
            answered: None,
            met: false,
            even: false,
            warned: None,
            second,
        }
    }

    /// How many may leave now; `Err(None)` is: not before an answer.
    pub(super) fn ready(&mut self, now: Instant) -> Result<u32, Option<Instant>> {
        let (tokens, in_flight) = match &mut self.phase {
            Phase::Unmet(bucket) => {
                let level = bucket.level_at(now);
                let documented = f64::from(self.pace.burst);
                let edge = documented * EDGE;
                let most = match self.pace.kind {
                    Kind::Fixed | Kind::Gate => self.most,
                    Kind::Documented { .. } if level > edge => self.most,
                    Kind::Documented { .. } if level > -edge => self.most.min(FEW),
                    Kind::Documented { .. } => self.most.min(self.beyond),
                };
                (u32::MAX, most)
            }
            Phase::Refill => (self.refill.ready(now).map_err(Some)?, self.most),
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
            Phase::Unmet(bucket) => {
                bucket.advance(now);
                bucket.take(users);
            }
            Phase::Refill => self.refill.depart(users),
            Phase::Window(window) => window.depart(users, now),
        }
    }

    /// Nothing is known of one that was in flight.
    pub(super) fn lost(&mut self) {
        self.flight = self.flight.saturating_sub(1);
    }

    pub(super) fn passed(&mut self, used: Option<f64>, now: Instant) {
        self.flight = self.flight.saturating_sub(1);
        self.passed += 1;
        self.refill.passed();
        match &mut self.phase {
            Phase::Unmet(bucket) => {
                self.answered = Some(now);
                self.first += 1;
                if bucket.level_at(now) < -f64::from(self.pace.burst) * EDGE {
                    self.beyond += 0.25;
                }
            }
            Phase::Refill => {}
            Phase::Window(window) => window.passed(),
        }
        if let Some(used) = used.filter(|used| *used >= 0.8) {
            self.heed(used, now);
        }
    }

    /// Graph says how much of its limit is used: as much more may leave as that leaves. Answers come in swarms, so
    /// one warning counts for a while.
    fn heed(&mut self, used: f64, now: Instant) {
        if let Phase::Unmet(bucket) = &mut self.phase {
            let left = self.passed as f64 * (1.0 - used).max(0.0) / used - f64::from(self.flight);
            let level = bucket.level_at(now);
            bucket.set_level(level.min(left.max(0.0)), now);
        }
        if self.pace.kind == Kind::Fixed && matches!(self.phase, Phase::Unmet(_)) && used >= 0.9 {
            self.refill = Refill::empty(self.pace.per_second, 1.0, self.second, now);
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
    pub(super) fn struck(&mut self, now: Instant) {
        self.throttled();
        if let Phase::Window(window) = &mut self.phase {
            window.is_shut(now);
        }
    }

    /// How long to wait for the next probe where nobody says how long; `own` is what the gate would do.
    pub(super) fn look_again(&self, own: Duration, news: News, now: Instant) -> Duration {
        match &self.phase {
            Phase::Window(window) => window.look_again(own, now),
            Phase::Unmet(_) | Phase::Refill if news == News::Strike => own,
            Phase::Unmet(_) | Phase::Refill => FIRST_LOOK,
        }
    }

    /// The limiter is met: one was throttled.
    pub(super) fn met(&mut self, now: Instant) {
        self.flight = self.flight.saturating_sub(1);
        match &mut self.phase {
            Phase::Unmet(_) => {
                let rate = match self.pace.kind {
                    Kind::Documented { .. } => self.pace.per_second,
                    Kind::Fixed | Kind::Gate => self.pace.per_second * 0.7,
                };
                self.refill = Refill::empty(rate, (self.passed as f64).max(1.0), self.second, now);
                self.phase = Phase::Refill;
            }
            Phase::Refill => self.refill.met(now),
            Phase::Window(window) => {
                let passed = window.passed;
                window.used_up();
                self.refill.met(now);
                if passed < WINDOWFUL {
                    self.even = true;
                    self.phase = Phase::Refill;
                }
            }
        }
        self.met = true;
    }

    /// The gate has opened that closed then.
    pub(super) fn opened(&mut self, closed: Instant, now: Instant) {
        let long = now.saturating_duration_since(closed).as_secs_f64() >= LONG * self.second;
        self.refill.opened(now);
        match &mut self.phase {
            Phase::Unmet(_) => {}
            Phase::Refill if long && !self.even => {
                self.phase = Phase::Window(Window::opening(self.first, self.window(), now));
            }
            Phase::Refill => {}
            Phase::Window(window) if long => {
                window.reopened(now);
                if window.is_even() {
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

    /// Time until so many more have left.
    pub(super) fn forecast(&self, users: u64, now: Instant) -> Duration {
        match &self.phase {
            Phase::Unmet(bucket) => {
                let by_wire = Duration::from_secs_f64(users as f64 / self.speed());
                if self.pace.kind == Kind::Gate {
                    return by_wire;
                }
                let beyond = (users as f64 - bucket.level_at(now)).max(0.0);
                by_wire.max(Duration::from_secs_f64(beyond / self.pace.per_second.max(1e-9)))
            }
            Phase::Refill => self.refill.forecast(users, now),
            Phase::Window(window) => window.forecast(users, self.flight, self.speed(), now),
        }
    }

    /// The same from an opening on, where the gate was closed for so long that it is probably a window's end.
    pub(super) fn windows_ahead(&self, users: u64, closed: Duration) -> Option<Duration> {
        let long = closed.as_secs_f64() >= LONG * self.second;
        let suspected = matches!(self.phase, Phase::Refill) && long && !self.even;
        suspected.then(|| windows(users, self.first, self.window(), self.speed()))
    }

    /// How long a window is believed to be before one was seen.
    fn window(&self) -> Duration {
        match self.pace.kind {
            Kind::Documented { window } => window,
            Kind::Fixed | Kind::Gate => Duration::from_secs(150),
        }
    }

    /// Users a second on the wire, where nothing holds them back.
    fn speed(&self) -> f64 {
        match (self.began, self.answered) {
            (Some(began), Some(answered)) if answered > began && self.first > 0 => {
                f64::from(self.first) / (answered - began).as_secs_f64()
            }
            _ => 100.0,
        }
    }
}
