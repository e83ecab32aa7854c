//! Learns a quota that is counted in windows: so many leave at each opening, then nothing until the next.

use std::time::Duration;

use tokio::time::Instant;

/// How much later than in the window before each request leaves. Where the window slides, each place is free a window
/// after it was taken, and requests don't arrive as evenly as they left.
const LATER: f64 = 0.15;

/// The last part of the quota is used with few requests in flight.
const EDGE: f64 = 0.01;

/// So many.
const FEW: f64 = 4.0;

/// Growth of what may be in flight beyond the quota, by each that passes.
const GROWTH: f64 = 0.25;

/// What is known of the window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// Requests a window.
    pub(super) quota: u32,
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
    /// When the last probe was throttled, and when the next passed: seconds after the opening.
    pub(super) shut: f64,
    pub(super) open: f64,
    /// Short closures within this window.
    pub(super) interrupted: u32,
}

impl Window {
    /// A window that may have begun to open now.
    pub(super) fn opening(length: Duration, now: Instant) -> Window {
        Window {
            quota: 0,
            length,
            opened: now,
            before: Vec::new(),
            this: vec![0.0],
            passed: 1,
            throttled: 0,
            beyond: 1.0,
            shut: 0.0,
            open: 0.0,
            interrupted: 0,
        }
    }

    /// How many may be in flight, or when the next may leave.
    pub(super) fn ready(&self, most: f64, flight: u32, now: Instant) -> Result<f64, Instant> {
        let taken = self.passed + flight;
        if self.quota == 0 {
            return Ok(self.beyond.min(most));
        }
        let edge = (f64::from(self.quota) * EDGE).ceil() as u32 + FEW as u32;
        if taken >= self.quota {
            return Ok(self.beyond.min(most));
        }
        if let Some(before) = self.before.get(self.this.len()) {
            let at = self.opened + Duration::from_secs_f64(f64::from(*before) + LATER);
            if now < at {
                return Err(at);
            }
        }
        let room = f64::from(flight) + f64::from(self.quota - taken);
        Ok(if taken + edge >= self.quota { most.min(FEW) } else { most.min(room) })
    }

    pub(super) fn depart(&mut self, users: u32, now: Instant) {
        let after = now.saturating_duration_since(self.opened).as_secs_f32();
        self.this.extend((0..users).map(|_| after));
    }

    pub(super) fn passed(&mut self) {
        self.passed += 1;
        if self.quota == 0 {
            self.beyond += 0.5;
        } else if self.passed > self.quota {
            self.beyond += GROWTH;
        }
    }

    pub(super) fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// The window is used up.
    pub(super) fn used_up(&mut self) {
        self.quota = self.passed.max(1);
        self.beyond = 1.0;
    }

    /// Another window begins.
    pub(super) fn reopened(&mut self, now: Instant) {
        self.length = now.saturating_duration_since(self.opened);
        self.open = self.length.as_secs_f64();
        self.opened = now;
        self.before = std::mem::replace(&mut self.this, vec![0.0]);
        (self.passed, self.throttled, self.interrupted) = (1, 0, 0);
        self.beyond = 1.0;
    }

    /// Time until so many more have left, at `speed` on the wire.
    pub(super) fn forecast(&self, users: u64, flight: u32, speed: f64, now: Instant) -> Duration {
        let quota = u64::from(self.quota.max(1));
        let left = quota.saturating_sub(u64::from(self.passed + flight));
        if users <= left || self.quota == 0 {
            return Duration::from_secs_f64(users as f64 / speed);
        }
        let beyond = users - left;
        let windows = (beyond - 1) / quota;
        let last = beyond - windows * quota;
        let next = (self.opened + self.length).saturating_duration_since(now);
        let windows = self.length.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX));
        next.saturating_add(windows).saturating_add(Duration::from_secs_f64(last as f64 / speed))
    }
}
