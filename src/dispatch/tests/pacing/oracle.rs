//! The optimum: with knowledge of the limiter and the network, each request is sent so that it arrives at the
//! first instant at which it passes. Its arithmetic is independent of the models.

use std::collections::VecDeque;

use super::driver::Wire;
use super::model::Limiter;
use crate::simulator::LimitStyle;

enum OracleCount {
    Bucket { level: f64, at: f64 },
    Fixed { window: f64, used: f64 },
    Sliding { passed: VecDeque<f64> },
}

struct OracleLimit {
    count: OracleCount,
    quota: f64,
    window: f64,
    phase: f64,
    change: Option<(f64, f64)>,
    eaten: f64,
    others: f64,
}

/// Seconds from the start until the last of `users` is answered, at best.
pub(in crate::dispatch::tests) fn makespan(limiter: &Limiter, wire: &Wire, users: u64) -> f64 {
    let mut known = OracleLimit::new(limiter);
    let mut slots: VecDeque<f64> = VecDeque::new();
    let mut at = wire.latency / 2.0;
    for _ in 0..users {
        if slots.len() == wire.jobs as usize {
            let free = slots.pop_front().unwrap_or_default() + wire.latency;
            at = at.max(free);
        }
        at = known.pass(at);
        slots.push_back(at);
    }
    at + wire.latency / 2.0
}

impl OracleLimit {
    fn new(limiter: &Limiter) -> OracleLimit {
        let quota = f64::from(limiter.limit.limit);
        let count = match limiter.limit.style {
            LimitStyle::TokenBucket | LimitStyle::StrictBucket => {
                OracleCount::Bucket { level: quota, at: 0.0 }
            }
            LimitStyle::FixedWindow => OracleCount::Fixed { window: 0.0, used: 0.0 },
            LimitStyle::SlidingWindow => OracleCount::Sliding { passed: VecDeque::new() },
        };
        OracleLimit {
            count,
            quota,
            window: limiter.limit.window.as_secs_f64(),
            phase: limiter.phase.as_secs_f64(),
            change: limiter.change.as_ref().map(|(at, limit)| (at.as_secs_f64(), f64::from(limit.limit))),
            eaten: limiter.eaten,
            others: 0.0,
        }
    }

    /// Counts a request at the first instant from `at` on at which it passes, and returns that instant.
    fn pass(&mut self, mut at: f64) -> f64 {
        loop {
            let next = self.first_from(at);
            // What happens before then may delay it.
            let other = if self.eaten > 0.0 { (self.others + 1.0) / self.eaten } else { f64::INFINITY };
            let change = self.change.map_or(f64::INFINITY, |(at, _)| at);
            if change <= next.min(other) {
                self.advance(change);
                if let Some((_, quota)) = self.change.take() {
                    self.quota = quota;
                }
                at = at.max(change);
            } else if other <= next {
                self.others += 1.0;
                let free = self.first_from(other) <= other;
                if free || !matches!(self.count, OracleCount::Fixed { .. }) {
                    self.take(other);
                }
                at = at.max(other);
            } else {
                self.take(next);
                return next;
            }
        }
    }

    fn advance(&mut self, to: f64) {
        let rate = self.quota / self.window;
        match &mut self.count {
            OracleCount::Bucket { level, at } => {
                *level = (*level + (to - *at) * rate).min(self.quota);
                *at = to;
            }
            OracleCount::Fixed { window, used } => {
                let now = ((to + self.phase) / self.window + 1e-9).floor();
                if now > *window {
                    (*window, *used) = (now, 0.0);
                }
            }
            OracleCount::Sliding { passed } => {
                while passed.front().is_some_and(|at| *at + self.window <= to + 1e-9) {
                    passed.pop_front();
                }
            }
        }
    }

    fn first_from(&mut self, from: f64) -> f64 {
        self.advance(from);
        let rate = self.quota / self.window;
        match &self.count {
            OracleCount::Bucket { level, .. } => from + ((1.0 - 1e-9 - level) / rate).max(0.0),
            OracleCount::Fixed { used, .. } if *used + 1.0 <= self.quota => from,
            OracleCount::Fixed { window, .. } => (window + 1.0) * self.window - self.phase,
            OracleCount::Sliding { passed } => match (passed.len() as f64 - self.quota) as i64 {
                less if less < 0 => from,
                over => passed[over as usize] + self.window,
            },
        }
    }

    fn take(&mut self, at: f64) {
        self.advance(at);
        match &mut self.count {
            OracleCount::Bucket { level, .. } => *level -= 1.0,
            OracleCount::Fixed { used, .. } => *used += 1.0,
            OracleCount::Sliding { passed } => passed.push_back(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::tests::pacing::model::RetryAfterStyle;

    /// All requests are sent at once, so only the limiter decides.
    const FREE: Wire = Wire { jobs: 1_000_000, latency: 0.0, jitter: 0.0 };

    fn best(count: u32, seconds: f64, style: LimitStyle, users: u64) -> f64 {
        makespan(&Limiter::new(count, seconds, style, RetryAfterStyle::Whole).phase(0.0), &FREE, users)
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
    }

    #[test]
    fn cases_that_are_known_by_hand() {
        for style in [LimitStyle::TokenBucket, LimitStyle::StrictBucket] {
            near(best(3_000, 150.0, style, 3_000), 0.0);
            near(best(3_000, 150.0, style, 10_000), 350.0);
        }
        for style in [LimitStyle::FixedWindow, LimitStyle::SlidingWindow] {
            near(best(3_000, 150.0, style, 3_000), 0.0);
            near(best(3_000, 150.0, style, 3_001), 150.0);
            near(best(3_000, 150.0, style, 9_001), 450.0);
        }
    }

    #[test]
    fn the_wire_binds_where_the_limiter_does_not() {
        let wire = Wire { jobs: 10, latency: 0.1, jitter: 0.0 };
        let free = Limiter::new(3_000, 150.0, LimitStyle::TokenBucket, RetryAfterStyle::Whole);
        near(makespan(&free, &wire, 1_000), 10.0);
        // The burst leaves at 100 per second, while 20 per second are refilled: 3,750 by then.
        near(makespan(&free, &wire, 3_700), 37.0);
    }

    #[test]
    fn a_fixed_window_that_has_begun_ends_sooner() {
        let limiter = Limiter::new(3_000, 150.0, LimitStyle::FixedWindow, RetryAfterStyle::Whole).phase(60.0);
        near(makespan(&limiter, &FREE, 3_001), 90.0);
        near(makespan(&limiter, &FREE, 6_001), 240.0);
    }

    #[test]
    fn others_and_changes_count() {
        let bucket = Limiter::new(3_000, 150.0, LimitStyle::TokenBucket, RetryAfterStyle::Whole);
        // By then, 3,998 were refilled on top of the burst, and the other program took 1,998. Its next
        // request comes at the same instant.
        near(makespan(&bucket.clone().half_eaten(), &FREE, 5_000), 199.9);
        near(makespan(&bucket.clone().changes(100.0, 1_000), &FREE, 6_000), 250.0);
        near(makespan(&bucket.changes(100.0, 6_000), &FREE, 9_000), 200.0);
    }
}
