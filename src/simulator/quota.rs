//! How many requests a quota lets through. Pure: the time is an argument.
//!
//! Graph's documents give limits and windows (3,000 writes per 150 s for an app in a tenant, 18,000 per 300 s for a
//! tenant: learn.microsoft.com/graph/throttling-limits, "Identity and access") and call it a token bucket; how a burst
//! or a throttled request counts they leave open, hence four styles.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Deserialize;

/// How a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Holds `limit` tokens and refills `limit` per `window`; a throttled request costs nothing.
    #[default]
    TokenBucket,
    /// `limit` requests in each `window`, counted from the simulator's start; a throttled request costs nothing.
    FixedWindow,
    /// `limit` requests in any `window`, wherever it begins: each counts until it is a window old. A throttled request
    /// costs nothing.
    SlidingWindow,
    /// A token bucket in which throttled requests cost too ("all requests accrue against the limits": Graph's
    /// throttling guidance), and in which a request that comes before its wait is over restarts the wait.
    StrictBucket,
}

/// One quota.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests per `window`; at least 1.
    pub limit: u32,
    /// Simulated time; longer than zero.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub window: Duration,
    /// How it counts.
    #[serde(default)]
    pub style: Style,
}

/// The state of one quota.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: Limit,
    /// Tokens left; for a window, requests left in it.
    left: f64,
    /// When the requests came that a sliding window still counts, oldest first.
    counted: VecDeque<Duration>,
    /// When `left` was last brought up to date; for a fixed window, when it began.
    at: Duration,
    /// The wait that a strict bucket imposed last, and when it ends.
    penalty: Duration,
    blocked_until: Duration,
}

impl Meter {
    /// A quota of which nothing is used.
    pub(crate) fn new(limit: &Limit) -> Meter {
        Meter {
            left: f64::from(limit.limit),
            counted: VecDeque::new(),
            limit: limit.clone(),
            at: Duration::ZERO,
            penalty: Duration::ZERO,
            blocked_until: Duration::ZERO,
        }
    }

    /// How long a request that arrives at `now` must wait, or `None`. Counts nothing.
    pub(crate) fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.wait_for(1, now)
    }

    /// The same for a request that costs more than one.
    pub(super) fn wait_for(&mut self, cost: u32, now: Duration) -> Option<Duration> {
        self.advance(now);
        if self.limit.style == Style::StrictBucket && now < self.blocked_until {
            return Some(self.penalty.max(self.until(cost)));
        }
        (self.left < self.price(cost)).then(|| self.until(cost))
    }

    /// What can cost more than there ever is costs all there is: it must get through some day.
    fn price(&self, cost: u32) -> f64 {
        f64::from(cost.min(self.limit.limit))
    }

    /// Counts a request that went through; gives the share of the limit now in use.
    pub(crate) fn charge(&mut self) -> f64 {
        self.charge_for(1)
    }

    /// The same for a request that costs more than one.
    pub(super) fn charge_for(&mut self, cost: u32) -> f64 {
        self.left -= self.price(cost);
        if self.limit.style == Style::SlidingWindow {
            self.counted.extend((0..cost.min(self.limit.limit)).map(|_| self.at));
        }
        1.0 - self.left / f64::from(self.limit.limit)
    }

    /// Takes back what a request was counted for that turned out to cost nothing.
    pub(super) fn give_back(&mut self, cost: u32) {
        self.left = (self.left + self.price(cost)).min(f64::from(self.limit.limit));
        self.counted.truncate(self.counted.len().saturating_sub(cost as usize));
    }

    /// Another limit from `now` on; what is left of the old one stays, as far as the new one has room for it.
    #[cfg(test)]
    pub(crate) fn change(&mut self, now: Duration, limit: &Limit) {
        self.advance(now);
        let used = f64::from(self.limit.limit) - self.left;
        self.left = match self.limit.style {
            Style::TokenBucket | Style::StrictBucket => self.left.min(f64::from(limit.limit)),
            Style::FixedWindow | Style::SlidingWindow => f64::from(limit.limit) - used,
        };
        self.limit = limit.clone();
    }

    /// Counts a request that was throttled for `wait`; gives the wait to announce.
    pub(crate) fn refuse(&mut self, now: Duration, wait: Duration) -> Duration {
        if self.limit.style != Style::StrictBucket {
            return wait;
        }
        // The debt has a floor: a client that never stops must be able to recover within two windows.
        self.left = (self.left - 1.0).max(-f64::from(self.limit.limit));
        self.penalty = wait.max(self.until(1));
        self.blocked_until = now + self.penalty;
        self.penalty
    }

    fn advance(&mut self, now: Duration) {
        // Requests on several threads may be handed in slightly out of order; time never runs back.
        let now = now.max(self.at);
        let full = f64::from(self.limit.limit);
        if self.limit.style == Style::FixedWindow {
            let window = self.limit.window.as_nanos();
            if now.as_nanos() / window > self.at.as_nanos() / window {
                self.left = full;
            }
        } else if self.limit.style == Style::SlidingWindow {
            while self.counted.front().is_some_and(|came| *came + self.limit.window <= now) {
                self.counted.pop_front();
            }
            self.left = full - self.counted.len() as f64;
        } else {
            let gained = (now - self.at).as_secs_f64() * full / self.limit.window.as_secs_f64();
            self.left = (self.left + gained).min(full);
        }
        self.at = now;
    }

    /// Time until one more request of this cost can go through, as of the last [`Meter::advance`].
    fn until(&self, cost: u32) -> Duration {
        if self.limit.style == Style::FixedWindow {
            let window = self.limit.window.as_nanos();
            let rest = window - self.at.as_nanos() % window;
            return Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX));
        }
        if self.limit.style == Style::SlidingWindow {
            let missing = (self.price(cost) - self.left).max(1.0) as usize;
            let leaves = self.counted.get(missing - 1).map_or(self.at, |came| *came + self.limit.window);
            return leaves.saturating_sub(self.at);
        }
        let per_token = self.limit.window.as_secs_f64() / f64::from(self.limit.limit);
        let wait = ((self.price(cost) - self.left) * per_token).max(0.0);
        // One nanosecond more, so that rounding never leaves the bucket a hair short of a token.
        Duration::from_secs_f64(wait) + Duration::from_nanos(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Decision {
        Allowed { used: f64 },
        Throttled { wait: Duration },
    }

    impl Meter {
        /// Decides on a request that arrives at `now`, and counts it: what `throttle` does with two of them.
        fn check(&mut self, now: Duration) -> Decision {
            match self.wait(now) {
                None => Decision::Allowed { used: self.charge() },
                Some(wait) => Decision::Throttled { wait: self.refuse(now, wait) },
            }
        }
    }

    const fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn meter(limit: u32, window: u64, style: Style) -> Meter {
        Meter::new(&Limit { limit, window: secs(window), style })
    }

    fn allowed(meter: &mut Meter, now: Duration) -> bool {
        matches!(meter.check(now), Decision::Allowed { .. })
    }

    fn wait(meter: &mut Meter, now: Duration) -> Duration {
        match meter.check(now) {
            Decision::Throttled { wait } => wait,
            Decision::Allowed { used } => panic!("allowed at {now:?} with {used} used"),
        }
    }

    #[test]
    fn token_bucket_bursts_then_refills() {
        let mut bucket = meter(10, 10, Style::TokenBucket);
        assert!((0..10).all(|_| allowed(&mut bucket, secs(0))));
        assert_eq!(wait(&mut bucket, secs(0)).as_millis(), 1000);
        assert_eq!(
            wait(&mut bucket, Duration::from_millis(500)).as_millis(),
            500,
            "being throttled costs nothing"
        );
        assert!(allowed(&mut bucket, Duration::from_millis(1001)));
        assert!(!allowed(&mut bucket, Duration::from_millis(1002)));
    }

    #[test]
    fn fixed_window_waits_for_its_end() {
        let mut window = meter(2, 10, Style::FixedWindow);
        assert!(allowed(&mut window, secs(3)) && allowed(&mut window, secs(4)));
        assert_eq!(wait(&mut window, secs(4)), secs(6));
        assert!(allowed(&mut window, secs(10)), "a new window begins at a multiple of its length");
    }

    #[test]
    fn sliding_window_counts_each_request_for_a_window() {
        let mut window = meter(2, 10, Style::SlidingWindow);
        assert!(allowed(&mut window, secs(3)) && allowed(&mut window, secs(7)));
        assert_eq!(wait(&mut window, secs(8)), secs(5), "until the first of the two is ten seconds old");
        assert!(!allowed(&mut window, secs(12)));
        assert!(allowed(&mut window, secs(13)) && !allowed(&mut window, secs(13)));
        assert_eq!(wait(&mut window, secs(14)), secs(3), "until the second is");
    }

    #[test]
    fn strict_bucket_counts_throttled_requests_and_restarts_the_wait() {
        let mut strict = meter(1, 10, Style::StrictBucket);
        assert!(allowed(&mut strict, secs(0)));
        let first = wait(&mut strict, secs(0));
        assert!(first >= secs(19), "the throttled request cost a token: {first:?}");
        let again = wait(&mut strict, secs(5));
        assert!(again >= first, "an early retry restarts the wait: {again:?}");
        assert!(!allowed(&mut strict, first), "the first wait's end came before the restarted one's");
    }

    #[test]
    fn strict_bucket_lets_a_patient_client_through() {
        let mut strict = meter(5, 10, Style::StrictBucket);
        let mut now = secs(0);
        let mut through = 0;
        for _ in 0..100 {
            match strict.check(now) {
                Decision::Allowed { .. } => through += 1,
                Decision::Throttled { wait } => now += wait,
            }
        }
        assert!(through >= 50, "{through}");
    }

    #[test]
    fn the_share_in_use_is_reported() {
        let mut bucket = meter(10, 10, Style::TokenBucket);
        for expected in 1..=10 {
            let Decision::Allowed { used } = bucket.check(secs(0)) else { panic!("throttled") };
            assert!((used - f64::from(expected) / 10.0).abs() < 1e-9, "{used}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_the_refill(gaps in prop::collection::vec(0u64..3000, 1..200)) {
            let mut bucket = meter(7, 7, Style::TokenBucket);
            let mut now = Duration::ZERO;
            let mut through = 0u32;
            for gap in gaps {
                now += Duration::from_millis(gap);
                through += u32::from(allowed(&mut bucket, now));
                prop_assert!(f64::from(through) <= 7.0 + now.as_secs_f64() + 1e-6);
            }
        }

        #[test]
        fn whoever_waits_as_told_is_let_through(
            style in prop::sample::select(vec![
                Style::TokenBucket, Style::FixedWindow, Style::SlidingWindow, Style::StrictBucket,
            ]),
            limit in 1u32..20, burst in 1usize..60,
        ) {
            let mut meter = meter(limit, 10, style);
            let last = (0..burst).map(|_| meter.check(Duration::ZERO)).last();
            if let Some(Decision::Throttled { wait }) = last {
                prop_assert!(allowed(&mut meter, wait));
            }
        }
    }
}
