//! Learns how fast a limiter refills, and sends slightly slower.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::TokenBucket;

/// The share of the learned rate that is used in a calm. The rest accumulates at the limiter, and is used
/// when the rate is raised.
const CALM: f64 = 0.99;

/// How long, in seconds, the rate stays calm after the limit is reached for the first time. Doubled each time
/// that raising the rate finds nothing new.
const FIRST_CALM: f64 = 6.0;

/// The maximum of that time.
const MAX_STABLE: f64 = 160.0;

/// The factor by which the rate grows with each step after a calm.
const GROWTH: f64 = 1.05;

/// The number of requests that a step takes. It takes a second at least.
const STEP: f64 = 10.0;

/// The maximum length of a step, in seconds.
const MAX_STEP: f64 = 5.0;

/// A rate measured with fewer requests than this is vague: it may be half of the real one, and grows with
/// each request.
const VAGUE: f64 = 10.0;

/// The length of a calm with a vague rate, in seconds.
const VAGUE_CALM: f64 = 1.0;

/// From this many seconds on, a closure is long.
const LONG_CLOSURE: f64 = 3.0;

/// The time after which raising the rate is worth it, in seconds.
const WORTH: f64 = 10.0;

/// If a measurement differs by more than this share, the limiter has changed.
const SAME: f64 = 0.15;

/// How long evidence is kept, in seconds.
const EVIDENCE_LIFETIME: f64 = 300.0;

/// What has been learned about the refill.
#[derive(Clone, Debug)]
pub(super) struct RefillEstimator {
    /// The rate at which the limiter probably refills, in tokens per second.
    pub(super) rate: f64,
    /// Whether the rate was measured.
    pub(super) measured: bool,
    /// The maximum rate.
    ceiling: f64,
    bucket: TokenBucket,
    /// When the limiter was last known to be empty.
    empty: Instant,
    /// The numbers that passed and were throttled since then.
    passed: u32,
    throttled: u32,
    /// Requests and seconds of the measurements that agree with one another.
    evidence: (f64, f64),
    /// The length of a calm, in units of [`RefillEstimator::second`].
    calm: f64,
    stable_since: Instant,
    /// The number of steps by which the rate has grown.
    grown: f64,
    /// Whether something waited for a token since the last check.
    is_starved: bool,
    looked: Instant,
    /// The minimum rate: a user who is throttled individually must not stop all others.
    min_rate: f64,
    /// The length of a second in real time: shorter if a simulator's clock runs faster.
    second: f64,
}

impl RefillEstimator {
    /// Starts with a limiter that was just found empty. `rate` is a guess; `most` is what it has allowed at
    /// once.
    pub(super) fn empty(rate: f64, most: f64, ceiling: f64, second: f64, now: Instant) -> RefillEstimator {
        let mut bucket = TokenBucket::full(most.max(1.0), rate, now);
        bucket.set_level(0.0, now);
        RefillEstimator {
            rate,
            measured: false,
            ceiling,
            bucket,
            empty: now,
            passed: 0,
            throttled: 1,
            evidence: (0.0, 0.0),
            calm: FIRST_CALM,
            stable_since: now,
            grown: 0.0,
            is_starved: false,
            looked: now,
            min_rate: rate / 50.0,
            second,
        }
    }

    /// Fills the bucket.
    pub(super) fn fill(&mut self, now: Instant) {
        self.bucket.set_level(f64::INFINITY, now);
    }

    /// How many may leave at the current rate, or when the next one may. `left` is how many are still to
    /// come.
    pub(super) fn ready(&mut self, left: f64, now: Instant) -> Result<u32, Instant> {
        self.raise_rate(left > self.rate * WORTH * self.second, now);
        let ready = self.bucket.ready(now);
        self.is_starved |= ready.is_err();
        ready
    }

    pub(super) fn level(&self, now: Instant) -> f64 {
        self.bucket.level_at(now)
    }

    pub(super) fn depart(&mut self, users: u32) {
        self.bucket.spend(users);
    }

    pub(super) fn passed(&mut self) {
        self.passed += 1;
    }

    pub(super) fn throttled(&mut self) {
        self.throttled += 1;
    }

    /// Slows down for a while, because Graph warns that its limit is used up.
    pub(super) fn warn(&mut self, now: Instant) {
        self.rate *= 0.7;
        self.evidence = (0.0, 0.0);
        self.set_calm(now);
        self.bucket.set_level(self.bucket.level_at(now).min(1.0), now);
    }

    /// Notes that the gate opened. What was refilled meanwhile may leave. If throttled requests count, they
    /// used some of it.
    pub(super) fn opened(&mut self, now: Instant) {
        let came = self.rate * now.saturating_duration_since(self.empty).as_secs_f64();
        let level = came - f64::from(self.passed) - f64::from(self.throttled);
        self.set_calm(now);
        self.bucket.set_level(level.max(0.0), now);
    }

    /// Notes that the limiter is empty again. What passed between two such instants is what was refilled.
    pub(super) fn on_limit_met(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.empty).as_secs_f64();
        // If throttled requests count, they used what otherwise would have passed. After a long closure, many
        // of them compared with few that passed would hide the rate.
        let many = self.throttled * 5 > self.passed && seconds > LONG_CLOSURE * self.second;
        let passed = f64::from(self.passed + if many { self.throttled } else { 0 });
        let rate = passed / seconds.max(1e-3);
        if (rate / self.rate - 1.0).abs() <= SAME.max(2.5 / passed.max(1.0)) {
            self.calm = (self.calm * 2.0).min(MAX_STABLE);
            self.evidence = (self.evidence.0 + passed, self.evidence.1 + seconds);
        } else {
            self.calm = FIRST_CALM;
            self.evidence = (passed, seconds);
        }
        let (passed, seconds) = self.evidence;
        let found = passed.max(0.5) / seconds.max(1e-3);
        // Hardly anything passed. The rate may not be the reason.
        self.rate = if passed < 3.0 { found.max(self.rate * 0.7) } else { found }.max(self.min_rate);
        self.measured = true;
        let keep = (EVIDENCE_LIFETIME * self.second / seconds.max(1e-3)).min(1.0);
        self.evidence = (passed * keep, seconds * keep);
        self.empty_at(now);
    }

    /// Notes that the limiter is empty, without a measurement.
    pub(super) fn empty_at(&mut self, now: Instant) {
        (self.empty, self.passed, self.throttled) = (now, 0, 1);
        self.bucket.set_level(0.0, now);
        self.set_calm(now);
    }

    fn set_calm(&mut self, now: Instant) {
        (self.stable_since, self.grown, self.is_starved) = (now, 0.0, false);
        self.looked = now;
        self.bucket.advance(now);
        self.bucket.set_rate((self.rate * CALM).min(self.ceiling));
    }

    /// Raises the rate after a long enough calm, as long as anything waits.
    fn raise_rate(&mut self, worth: bool, now: Instant) {
        self.bucket.advance(now);
        let since = now.saturating_duration_since(self.looked).as_secs_f64() / self.second;
        self.looked = now;
        let calm = now.saturating_duration_since(self.stable_since).as_secs_f64() / self.second;
        let pays = std::mem::take(&mut self.is_starved) && worth;
        let vague = self.measured && self.evidence.0 < VAGUE;
        if calm < (if vague { VAGUE_CALM } else { self.calm }) || !(pays || self.is_suspicion()) {
            return;
        }
        let step = match vague {
            true => (1.0 / (self.rate * self.second)).clamp(0.1, MAX_STEP),
            false => (STEP / (self.rate * self.second)).clamp(1.0, MAX_STEP),
        };
        self.grown += since.min(step) / step * if self.measured { 1.0 } else { 2.0 };
        // The longer the limit is not reached, the further off the rate probably is.
        let steps = self.grown + (self.grown / 10.0).powi(2);
        self.bucket.set_rate((self.rate * CALM * GROWTH.powf(steps)).min(self.ceiling));
    }

    /// Whether a requested rate was reduced without a measurement. It soon returns unless the limit is
    /// reached again.
    fn is_suspicion(&self) -> bool {
        !self.measured && self.ceiling.is_finite()
    }

    /// The time until `users` more have left.
    pub(super) fn forecast(&self, users: u64, now: Instant) -> Duration {
        let rate = if self.is_suspicion() { self.ceiling } else { self.rate };
        let wait = (users as f64 - self.level(now)).max(0.0) / rate.max(1e-9);
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    }
}
