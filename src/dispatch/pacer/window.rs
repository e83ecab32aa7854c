//! Learns a quota that is counted in windows: so many leave at each opening, then nothing until the next.

use std::time::Duration;

use tokio::time::Instant;

use super::opening::ReopenEstimator;

/// How much later than in the window before each request leaves. Where the window slides, each place is free a window
/// after it was taken, and requests don't arrive as evenly as they left.
/// A share of the window, but so many seconds at least and at most.
const LATER: f64 = 0.002;
const LEAST_LATER: f64 = 0.03;
const MOST_LATER: f64 = 0.15;

/// The last part of the quota is used with few requests in flight.
const EDGE: f64 = 0.01;

/// So many.
const FEW: f64 = 4.0;

/// Growth of what may be in flight beyond the quota, by each that passes.
const GROWTH: f64 = 0.25;

/// What passes at an opening at least, if it is one.
const WINDOWFUL: u32 = 20;

/// What is known of the window.
#[derive(Clone, Debug)]
pub(super) struct WindowEstimator {
    /// Requests a window.
    pub(super) quota: u32,
    /// What passed before the first opening was seen.
    guess: u32,
    /// From opening to opening.
    pub(super) length: Duration,
    /// The quota is the window's, not that of the piece of it that the run began in.
    pub(super) opened: Instant,
    /// When each left, seconds after the opening: in the window before, and in this one.
    before: Vec<f32>,
    this: Vec<f32>,
    /// What passed, and what was throttled, since the opening.
    pub(super) passed: u32,
    throttled: u32,
    beyond: f64,
    /// When it opens again.
    opening: ReopenEstimator,
    /// Short closures within this window.
    interrupted: u32,
    /// The quota before it was last used up.
    quota_before: u32,
}

impl WindowEstimator {
    /// A window that may have begun to open now.
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
            let edge = (f64::from(self.guess) * EDGE).ceil() as u32 + FEW as u32;
            if taken + edge < self.guess {
                return Ok(self.beyond.min(most));
            }
            let past = self.passed.saturating_sub(self.guess + edge);
            return Ok((FEW + GROWTH * f64::from(past)).min(most));
        }
        let edge = (f64::from(self.quota) * EDGE).ceil() as u32 + FEW as u32;
        if taken >= self.quota {
            return Ok(self.beyond.min(most));
        }
        if let Some(before) = self.before.get(self.this.len()) {
            let later = (self.length.as_secs_f64() * LATER).clamp(LEAST_LATER, MOST_LATER);
            let at = self.opened + Duration::from_secs_f64(f64::from(*before) + later);
            if now < at {
                return Err(at);
            }
        }
        let room = f64::from(flight) + f64::from(self.quota - taken);
        Ok(if taken + edge >= self.quota { most.min(FEW) } else { most.min(room) })
    }

    /// A probe was throttled: the window has not opened yet.
    pub(super) fn is_shut(&mut self, now: Instant) {
        self.opening.is_shut(now.saturating_duration_since(self.opened).as_secs_f64());
    }

    /// How long until the next look where nobody says when the window opens.
    pub(super) fn update(&self, own: Duration, now: Instant) -> Duration {
        let after = now.saturating_duration_since(self.opened).as_secs_f64();
        let at = self.opening.update(after, own.as_secs_f64());
        Duration::try_from_secs_f64(at - after).unwrap_or(own)
    }

    pub(super) fn depart(&mut self, users: u32, now: Instant) {
        let after = now.saturating_duration_since(self.opened).as_secs_f32();
        self.this.extend((0..users).map(|_| after));
    }

    pub(super) fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// Bursts are punished more than they bring.
    pub(super) fn is_none(&self) -> bool {
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

    /// It was used up for a moment only.
    pub(super) fn interrupted(&mut self) -> u32 {
        self.quota = self.quota_before;
        self.interrupted += 1;
        self.interrupted
    }

    /// The window is used up.
    pub(super) fn used_up(&mut self) {
        self.quota_before = self.quota;
        self.quota = self.passed.max(1);
        self.beyond = 1.0;
    }

    /// It is used over so much of its length that an even pace is as good, and needs no gate.
    pub(super) fn is_even(&self) -> bool {
        let most = self.before.get(self.quota as usize * 9 / 10);
        most.is_some_and(|last| f64::from(*last) > self.length.as_secs_f64() / 2.0)
    }

    /// Another window begins.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.length = now.saturating_duration_since(self.opened);
        self.opening.is_open(self.length.as_secs_f64());
        self.opened = now;
        self.before = std::mem::replace(&mut self.this, vec![0.0]);
        (self.passed, self.throttled, self.interrupted) = (1, 0, 0);
        self.beyond = 1.0;
    }

    /// Time until so many more have left, at `speed` on the wire.
    pub(super) fn forecast(&self, users: u64, flight: u32, speed: f64, now: Instant) -> Duration {
        let quota = if self.quota == 0 { self.guess } else { self.quota };
        let left = u64::from(quota.saturating_sub(self.passed + flight));
        if users <= left {
            return Duration::from_secs_f64(users as f64 / speed);
        }
        let next = (self.opened + self.length).saturating_duration_since(now);
        next.saturating_add(windows(users - left, quota, self.length, speed))
    }
}

/// Time until so many have left, from an opening on.
pub(super) fn windows(users: u64, quota: u32, length: Duration, speed: f64) -> Duration {
    let quota = u64::from(quota.max(1));
    let full = users.saturating_sub(1) / quota;
    let last = users - full * quota;
    let full = length.saturating_mul(u32::try_from(full).unwrap_or(u32::MAX));
    full.saturating_add(Duration::from_secs_f64(last as f64 / speed))
}
