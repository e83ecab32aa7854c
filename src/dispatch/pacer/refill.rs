//! Learns how fast a limiter refills, and paces a hair below.

use std::time::Duration;

use tokio::time::Instant;

use super::bucket::TokenBucket;

/// Share of the learned rate that is used while all is calm: what is left over piles up at the limiter, and is used
/// when the pace is raised.
const CALM: f64 = 0.99;

/// How long the pace stays calm after the limiter was met for the first time; doubled each time that a raise found
/// nothing new.
const FIRST_CALM: f64 = 6.0;

/// And at most.
const LONGEST_CALM: f64 = 160.0;

/// Then it grows by this factor a step.
const GROWTH: f64 = 1.05;

/// A step takes as long as so many requests, but a second at least.
const STEP: f64 = 10.0;

/// And so many seconds at most.
const LONGEST_STEP: f64 = 5.0;

/// A rate that was measured by fewer than so many is vague: it may be half of the truth, and grows with each request.
const VAGUE: f64 = 10.0;

/// And is calm for so many seconds only.
const VAGUE_CALM: f64 = 1.0;

/// A long closure, in seconds.
const LONG: f64 = 3.0;

/// A raise takes so many seconds to pay.
const WORTH: f64 = 10.0;

/// A measurement that differs by more than this share says that the limiter has changed.
const SAME: f64 = 0.15;

/// Evidence is kept for so many seconds.
const MEMORY: f64 = 300.0;

/// What is known of the refill.
#[derive(Clone, Debug)]
pub(super) struct RefillEstimator {
    /// Tokens a second that the limiter is believed to grant.
    pub(super) rate: f64,
    /// The rate is one that was measured.
    pub(super) measured: bool,
    /// Never faster than that.
    ceiling: f64,
    bucket: TokenBucket,
    /// When the limiter was last known to be empty.
    empty: Instant,
    /// What passed since then, and what was throttled.
    passed: u32,
    throttled: u32,
    /// Requests and seconds of the measurements that agree with one another.
    evidence: (f64, f64),
    /// Seconds, of [`RefillEstimator::second`].
    calm: f64,
    stable_since: Instant,
    /// Seconds for which the pace has been growing.
    grown: f64,
    /// Something waited for a token since the pace was last looked at.
    is_starved: bool,
    looked: Instant,
    /// Never slower than that: a user who is throttled for his own sake must not stop all the others.
    least: f64,
    /// A second; shorter where a simulator's clock runs faster.
    second: f64,
}

impl RefillEstimator {
    /// A limiter that was just found empty. `rate` is a guess, `most` what it has let through at once.
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
            least: rate / 50.0,
            second,
        }
    }

    /// As much is there as there can be.
    pub(super) fn fill(&mut self, now: Instant) {
        self.bucket.set_level(f64::INFINITY, now);
    }

    /// How many may leave by the pace, or when the next may.
    /// `left` is how many are still to come.
    pub(super) fn ready(&mut self, left: f64, now: Instant) -> Result<u32, Instant> {
        self.look(left > self.rate * WORTH * self.second, now);
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

    /// Graph says that all is used: a slower pace for a while.
    pub(super) fn warn(&mut self, now: Instant) {
        self.rate *= 0.7;
        self.evidence = (0.0, 0.0);
        self.set_calm(now);
        self.bucket.set_level(self.bucket.level_at(now).min(1.0), now);
    }

    /// The gate opened: what came in meanwhile may leave. Where throttled requests count, they took from it.
    pub(super) fn opened(&mut self, now: Instant) {
        let came = self.rate * now.saturating_duration_since(self.empty).as_secs_f64();
        let level = came - f64::from(self.passed) - f64::from(self.throttled);
        self.set_calm(now);
        self.bucket.set_level(level.max(0.0), now);
    }

    /// The limiter is empty again: between two such instants passed what it refilled.
    pub(super) fn on_limit_met(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.empty).as_secs_f64();
        // Where throttled requests count, they took what else would have passed. After a long closure many of them
        // beside few that passed would hide the rate.
        let many = self.throttled * 5 > self.passed && seconds > LONG * self.second;
        let passed = f64::from(self.passed + if many { self.throttled } else { 0 });
        let rate = passed / seconds.max(1e-3);
        if (rate / self.rate - 1.0).abs() <= SAME.max(2.5 / passed.max(1.0)) {
            self.calm = (self.calm * 2.0).min(LONGEST_CALM);
            self.evidence = (self.evidence.0 + passed, self.evidence.1 + seconds);
        } else {
            self.calm = FIRST_CALM;
            self.evidence = (passed, seconds);
        }
        let (passed, seconds) = self.evidence;
        let found = passed.max(0.5) / seconds.max(1e-3);
        // Hardly anything passed: that may be for another reason than the rate's.
        self.rate = if passed < 3.0 { found.max(self.rate * 0.7) } else { found }.max(self.least);
        self.measured = true;
        let keep = (MEMORY * self.second / seconds.max(1e-3)).min(1.0);
        self.evidence = (passed * keep, seconds * keep);
        self.empty_at(now);
    }

    /// The limiter is empty, whatever passed before.
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

    /// Lets the pace grow once it was calm for long enough, as long as anything waits for it.
    fn look(&mut self, worth: bool, now: Instant) {
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
            true => (1.0 / (self.rate * self.second)).clamp(0.1, LONGEST_STEP),
            false => (STEP / (self.rate * self.second)).clamp(1.0, LONGEST_STEP),
        };
        self.grown += since.min(step) / step * if self.measured { 1.0 } else { 2.0 };
        // The longer nothing is met, the further off the rate is believed to be.
        let steps = self.grown + (self.grown / 10.0).powi(2);
        self.bucket.set_rate((self.rate * CALM * GROWTH.powf(steps)).min(self.ceiling));
    }

    /// A pace that was asked for was cut, and nothing measured: it soon comes back unless the limiter is met again.
    fn is_suspicion(&self) -> bool {
        !self.measured && self.ceiling.is_finite()
    }

    /// Time until so many more have left.
    pub(super) fn forecast(&self, users: u64, now: Instant) -> Duration {
        let rate = if self.is_suspicion() { self.ceiling } else { self.rate };
        let wait = (users as f64 - self.level(now)).max(0.0) / rate.max(1e-9);
        Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX)
    }
}
