//! Learns a quota that is counted in windows: a number of requests at each opening, then none until the next.

use std::time::Duration;

use tokio::time::Instant;

use super::reopen_estimator::ReopenEstimator;

/// How much later each request leaves than in the previous window. If the window slides, each slot is free
/// one window after it was used, and requests do not arrive as evenly as they left. This is a share of the
/// window, with a minimum and a maximum in seconds.
const MARGIN_SHARE: f64 = 0.002;
const MIN_DELAY: f64 = 0.03;
const MAX_DELAY: f64 = 0.15;

/// The last share of the quota, which is used with few requests in flight.
const EDGE: f64 = 0.01;

/// The maximum number of those requests in flight.
const EDGE_IN_FLIGHT: f64 = 4.0;

/// How much the maximum in flight above the quota grows with each request that passes.
const GROWTH: f64 = 0.25;

/// The minimum number of requests that pass at the opening of a real window.
const WINDOWFUL: u32 = 20;

/// What has been learned about the window.
#[derive(Clone, Debug)]
pub(super) struct WindowEstimator {
    /// Requests for each window; 0 if not known yet.
    pub(super) quota: u32,
    /// The number that passed before the first opening was observed.
    guess: u32,
    /// The time from one opening to the next.
    pub(super) length: Duration,
    /// When the current window opened.
    pub(super) opened: Instant,
    /// When each request left, in seconds after the opening, in the previous window and in this one.
    before: Vec<f32>,
    this: Vec<f32>,
    /// The numbers that passed and were throttled since the opening.
    pub(super) passed: u32,
    throttled: u32,
    beyond: f64,
    /// When the window opens again.
    opening: ReopenEstimator,
    /// The number of short closures in this window.
    interrupted: u32,
    /// The quota before it was last found to be used up.
    quota_before: u32,
}

impl WindowEstimator {
    /// Starts with a window that may have opened now.
    pub(super) fn opening(
        guess: u32,
        length: Duration,
        piece: Option<(f64, f64)>,
        now: Instant,
    ) -> WindowEstimator {
        WindowEstimator {
            quota: 0,
            guess,
            length,
            opened: now,
            before: Vec::new(),
            this: vec![0.0],
            passed: 1,
            throttled: 0,
            beyond: 1.0,
            opening: ReopenEstimator::new(length.as_secs_f64(), piece),
            interrupted: 0,
            quota_before: 0,
        }
    }

    /// How many may be in flight, or when the next may leave.
    pub(super) fn ready(&self, most: f64, flight: u32, now: Instant) -> Result<f64, Instant> {
        let taken = self.passed + flight;
        if self.quota == 0 {
            let edge = (f64::from(self.guess) * EDGE).ceil() as u32 + EDGE_IN_FLIGHT as u32;
            if taken + edge < self.guess {
                return Ok(self.beyond.min(most));
            }
            let past = self.passed.saturating_sub(self.guess + edge);
            return Ok((EDGE_IN_FLIGHT + GROWTH * f64::from(past)).min(most));
        }
        let edge = (f64::from(self.quota) * EDGE).ceil() as u32 + EDGE_IN_FLIGHT as u32;
        if taken >= self.quota {
            return Ok(self.beyond.min(most));
        }
        if let Some(before) = self.before.get(self.this.len()) {
            let later = (self.length.as_secs_f64() * MARGIN_SHARE).clamp(MIN_DELAY, MAX_DELAY);
            let at = self.opened + Duration::from_secs_f64(f64::from(*before) + later);
            if now < at {
                return Err(at);
            }
        }
        let room = f64::from(flight) + f64::from(self.quota - taken);
        Ok(if taken + edge >= self.quota { most.min(EDGE_IN_FLIGHT) } else { most.min(room) })
    }

    /// Notes that a probe was throttled: the window is not open yet.
    pub(super) fn is_shut(&mut self, now: Instant) {
        self.opening.is_shut(now.saturating_duration_since(self.opened).as_secs_f64());
    }

    /// How long until the next probe, if Graph does not say when the window opens.
    pub(super) fn update(&self, own: Duration, now: Instant) -> Duration {
        let after = now.saturating_duration_since(self.opened).as_secs_f64();
        let at = self.opening.next_probe(after, own.as_secs_f64());
        Duration::try_from_secs_f64(at - after).unwrap_or(own)
    }

    pub(super) fn depart(&mut self, users: u32, now: Instant) {
        let after = now.saturating_duration_since(self.opened).as_secs_f32();
        self.this.extend((0..users).map(|_| after));
    }

    pub(super) fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// Whether bursts cost more than they gain, so that this is not a window.
    pub(super) fn is_not_a_window(&self) -> bool {
        self.passed < WINDOWFUL || self.throttled * 5 > self.passed
    }

    pub(super) fn passed(&mut self) {
        self.passed += 1;
        if self.quota == 0 {
            self.beyond += 0.5;
        } else if self.passed > self.quota {
            self.beyond += GROWTH;
        }
    }

    /// Notes that the quota was used up for a moment only.
    pub(super) fn interrupted(&mut self) -> u32 {
        self.quota = self.quota_before;
        self.interrupted += 1;
        self.interrupted
    }

    /// Notes that the quota is used up.
    pub(super) fn used_up(&mut self) {
        self.quota_before = self.quota;
        self.quota = self.passed.max(1);
        self.beyond = 1.0;
    }

    /// Whether requests are spread over so much of the window that an even rate is as good, and does not
    /// close the gate.
    pub(super) fn is_even(&self) -> bool {
        let most = self.before.get(self.quota as usize * 9 / 10);
        most.is_some_and(|last| f64::from(*last) > self.length.as_secs_f64() / 2.0)
    }

    /// Notes that another window opened.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.length = now.saturating_duration_since(self.opened);
        self.opening.is_open(self.length.as_secs_f64());
        self.opened = now;
        self.before = std::mem::replace(&mut self.this, vec![0.0]);
        (self.passed, self.throttled, self.interrupted) = (1, 0, 0);
        self.beyond = 1.0;
    }

    /// The time until `users` more have left, at `speed` users per second on the network.
    pub(super) fn forecast(&self, users: u64, flight: u32, speed: f64, now: Instant) -> Duration {
        let quota = if self.quota == 0 { self.guess } else { self.quota };
        let left = u64::from(quota.saturating_sub(self.passed + flight));
        if users <= left {
            return Duration::from_secs_f64(users as f64 / speed);
        }
        let next = (self.opened + self.length).saturating_duration_since(now);
        next.saturating_add(time_for_windows(users - left, quota, self.length, speed))
    }
}

/// The time until `users` have left, from an opening on.
pub(super) fn time_for_windows(users: u64, quota: u32, length: Duration, speed: f64) -> Duration {
    let quota = u64::from(quota.max(1));
    let full = users.saturating_sub(1) / quota;
    let last = users - full * quota;
    let full = length.saturating_mul(u32::try_from(full).unwrap_or(u32::MAX));
    full.saturating_add(Duration::from_secs_f64(last as f64 / speed))
}
