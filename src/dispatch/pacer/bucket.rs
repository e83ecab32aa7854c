//! A token bucket.

use std::time::Duration;

use tokio::time::Instant;

/// A bucket that tokens fill at a rate. It does not read a clock: each call gets the time, which never goes
/// back.
#[derive(Clone, Debug)]
pub(super) struct TokenBucket {
    level: f64,
    capacity: f64,
    per_second: f64,
    at: Instant,
}

impl TokenBucket {
    /// A bucket that is full.
    pub(super) fn full(most: f64, per_second: f64, now: Instant) -> TokenBucket {
        TokenBucket { level: most, capacity: most, per_second, at: now }
    }

    /// Updates the level to the time.
    pub(super) fn advance(&mut self, now: Instant) {
        self.level = self.level_at(now);
        self.at = self.at.max(now);
    }

    /// The level at an instant, if nothing is taken before.
    pub(super) fn level_at(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * self.per_second;
        (self.level + gained).min(self.capacity)
    }

    /// Sets the level at an instant.
    pub(super) fn set_level(&mut self, level: f64, now: Instant) {
        self.at = self.at.max(now);
        self.level = level.min(self.capacity);
    }

    /// Sets the rate from the last [`TokenBucket::advance`] on.
    pub(super) fn set_rate(&mut self, per_second: f64) {
        self.per_second = per_second;
    }

    /// Takes tokens. The level may become negative.
    pub(super) fn spend(&mut self, tokens: u32) {
        self.level -= f64::from(tokens);
    }

    /// How many tokens may be taken, or the instant from which one may.
    pub(super) fn ready(&self, now: Instant) -> Result<u32, Instant> {
        // Timers are exact to the nanosecond, so slightly less than a token counts as one.
        let level = self.level_at(now) + 1e-6;
        if level >= 1.0 {
            return Ok(level as u32);
        }
        let missing = (1.0 - self.level) / self.per_second.max(1e-6);
        let wait = Duration::try_from_secs_f64(missing).unwrap_or(Duration::MAX);
        Err(self.at.checked_add(wait).unwrap_or(now + Duration::from_secs(86_400)))
    }
}
