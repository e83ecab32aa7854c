//! When the next read may be sent: one quota that all reads share.
//!
//! Each read takes its cost from a bucket that refills evenly, and gets the instant at which it may be sent, first
//! come, first served. A 429 closes the gate for all reads until it has expired and halves the rate, because throttled
//! requests count against the quota as well (learn.microsoft.com/graph/throttling).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::number::add_clamped;

/// Resource units per second. In a tenant of the smallest size, an app has 3,500 in 10 s
/// (learn.microsoft.com/graph/throttling-limits, "Identity and access service limits"). This leaves a little for other
/// work of the same app.
const UNITS_PER_SECOND: f64 = 340.0;

/// Maximum number of resource units at once: a little less than the quota of ten seconds.
const UNIT_BURST: f64 = 3_000.0;

/// Requests per second to Identity Protection: a tenant has one for all of its apps.
const RISK_READS_PER_SECOND: f64 = 0.95;

/// The rate never falls below this share of the full rate.
const MIN_RATE_FACTOR: f64 = 0.1;

/// After this long without a 429, the rate doubles again.
const RECOVERY_DELAY: Duration = Duration::from_secs(10);

/// The rate limit of one quota.
#[derive(Debug)]
pub(super) struct ReadRateLimiter {
    max_rate: f64,
    burst: f64,
    state: Mutex<LimiterState>,
}

#[derive(Debug)]
struct LimiterState {
    per_second: f64,
    /// The units left in the bucket. Negative if reads have reserved more than there was.
    available: f64,
    /// When `available` was computed.
    updated_at: Instant,
    /// When the rate last changed.
    rate_changed_at: Instant,
    /// Nothing is sent before this instant.
    blocked_until: Instant,
}

impl ReadRateLimiter {
    /// For most reads, in resource units.
    pub(super) fn for_units() -> ReadRateLimiter {
        ReadRateLimiter::new(UNITS_PER_SECOND, UNIT_BURST)
    }

    /// For Identity Protection, in requests.
    pub(super) fn for_risk() -> ReadRateLimiter {
        ReadRateLimiter::new(RISK_READS_PER_SECOND, 1.0)
    }

    fn new(full: f64, at_once: f64) -> ReadRateLimiter {
        let now = Instant::now();
        let state = LimiterState {
            per_second: full,
            available: at_once,
            updated_at: now,
            rate_changed_at: now,
            blocked_until: now,
        };
        ReadRateLimiter { max_rate: full, burst: at_once, state: Mutex::new(state) }
    }

    /// Waits until a read with this cost may be sent.
    pub(super) async fn acquire(&self, cost: u32) {
        let mut leave = self.reserve(cost);
        while leave > Instant::now() {
            tokio::time::sleep_until(leave).await;
            // Another read may have closed the gate meanwhile.
            leave = self.lock().blocked_until;
        }
    }

    /// How much longer nothing is sent, because Graph throttled.
    pub(super) fn blocked_for(&self) -> Duration {
        self.lock().blocked_until.saturating_duration_since(Instant::now())
    }

    /// Takes the cost out of the bucket, and returns when the read may be sent.
    fn reserve(&self, cost: u32) -> Instant {
        let now = Instant::now();
        let mut state = self.lock();
        state.recover(now, self.max_rate);
        let gained = (now - state.updated_at).as_secs_f64() * state.per_second;
        state.available = (state.available + gained).min(self.burst);
        state.updated_at = now;
        // A read that costs more than the bucket holds is sent when the bucket is full.
        let cost = f64::from(cost).min(self.burst);
        state.available -= cost;
        let owed = Duration::from_secs_f64((-state.available).max(0.0) / state.per_second);
        (now + owed).max(state.blocked_until)
    }

    /// Closes the gate for `wait`, because Graph throttled.
    pub(super) fn on_throttled(&self, wait: Duration) {
        let now = Instant::now();
        let mut state = self.lock();
        // Throttled answers that arrive while the gate is closed belong to the same episode.
        if state.blocked_until <= now {
            state.per_second = (state.per_second / 2.0).max(self.max_rate * MIN_RATE_FACTOR);
            state.rate_changed_at = now;
        }
        // Graph's bucket is empty, so this one is as well.
        state.available = state.available.min(0.0);
        state.blocked_until = state.blocked_until.max(add_clamped(now, wait));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LimiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LimiterState {
    fn recover(&mut self, now: Instant, full: f64) {
        if self.per_second < full
            && now.saturating_duration_since(self.rate_changed_at.max(self.blocked_until)) >= RECOVERY_DELAY
        {
            self.per_second = (self.per_second * 2.0).min(full);
            self.rate_changed_at = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_documented_quota_is_kept_behind_the_first_burst() {
        let (pace, began) = (ReadRateLimiter::for_units(), Instant::now());
        for _ in 0..3_000 {
            pace.acquire(1).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        for _ in 0..1_700 {
            pace.acquire(2).await;
        }
        let time = began.elapsed().as_secs_f64();
        assert!((9.9..10.2).contains(&time), "{time}");
    }

    #[tokio::test(start_paused = true)]
    async fn identity_protection_is_asked_once_a_second() {
        let (pace, began) = (ReadRateLimiter::for_risk(), Instant::now());
        for _ in 0..11 {
            pace.acquire(1).await;
        }
        assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_blocks_all_reads_and_halves_the_rate() {
        let (pace, began) = (std::sync::Arc::new(ReadRateLimiter::for_units()), Instant::now());
        pace.on_throttled(Duration::from_secs(7));
        let waiting = tokio::spawn({
            let pace = std::sync::Arc::clone(&pace);
            async move { pace.acquire(1).await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        pace.on_throttled(Duration::from_secs(4));
        waiting.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 9);
        assert!((pace.lock().per_second - UNITS_PER_SECOND / 2.0).abs() < 1e-9);
        tokio::time::sleep(RECOVERY_DELAY).await;
        pace.acquire(1).await;
        assert!((pace.lock().per_second - UNITS_PER_SECOND).abs() < 1e-9);
    }

    #[tokio::test(start_paused = true)]
    async fn cost_above_the_burst_is_still_granted() {
        let pace = ReadRateLimiter::for_risk();
        pace.acquire(20).await;
        pace.acquire(20).await;
    }
}
