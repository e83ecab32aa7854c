//! The state of one quota.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Limit, LimitStyle};

/// The usage of one limit, and its future changes.
#[derive(Debug)]
pub(crate) struct Meter {
    limit: Limit,
    /// Tokens left in a bucket, or requests left in a window.
    remaining: f64,
    /// When `remaining` was last updated.
    updated_at: Duration,
    /// The wait that a strict bucket imposed last, and its end.
    penalty: Duration,
    blocked_until: Duration,
    /// The requests in a sliding window, oldest first.
    log: VecDeque<Duration>,
    /// Future limits with their instants, earliest first.
    changes: VecDeque<(Duration, Limit)>,
}

impl Meter {
    /// A quota that is completely unused.
    pub(crate) fn new(limit: &Limit) -> Meter {
        Meter::with_changes(limit, &[])
    }

    /// The same, with another limit from each of these simulated instants on.
    pub(crate) fn with_changes(limit: &Limit, changes: &[(Duration, Limit)]) -> Meter {
        let mut changes: Vec<_> = changes.to_vec();
        changes.sort_by_key(|(at, _)| *at);
        Meter {
            remaining: f64::from(limit.limit),
            limit: limit.clone(),
            updated_at: Duration::ZERO,
            penalty: Duration::ZERO,
            blocked_until: Duration::ZERO,
            log: VecDeque::new(),
            changes: changes.into(),
        }
    }

    /// The current limit, as of the last request.
    pub(crate) fn limit(&self) -> &Limit {
        &self.limit
    }

    /// How long a request that arrives at `now` must wait; `None` if it may go through. Does not count it.
    pub(crate) fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.wait_for(1, now)
    }

    /// The same for a request with a cost.
    pub(crate) fn wait_for(&mut self, cost: u32, now: Duration) -> Option<Duration> {
        self.advance(now);
        if self.limit.style == LimitStyle::StrictBucket && now < self.blocked_until {
            return Some(self.penalty.max(self.time_until(cost)));
        }
        (self.remaining < self.price(cost)).then(|| self.time_until(cost))
    }

    /// A request that costs more than the limit costs the whole limit, because otherwise it could never go through.
    fn price(&self, cost: u32) -> f64 {
        f64::from(self.whole_price(cost))
    }

    fn whole_price(&self, cost: u32) -> u32 {
        cost.min(self.limit.limit)
    }

    /// Counts a request that went through. Returns the share of the limit that is in use now.
    pub(crate) fn charge(&mut self) -> f64 {
        self.charge_for(1)
    }

    /// The same for a request with a cost.
    pub(crate) fn charge_for(&mut self, cost: u32) -> f64 {
        self.remaining -= self.price(cost);
        if self.limit.style == LimitStyle::SlidingWindow {
            self.log.extend(std::iter::repeat_n(self.updated_at, self.whole_price(cost) as usize));
        }
        1.0 - self.remaining / f64::from(self.limit.limit)
    }

    /// Gives back what was counted for a request that turned out to be free.
    pub(crate) fn refund(&mut self, cost: u32) {
        self.remaining = (self.remaining + self.price(cost)).min(f64::from(self.limit.limit));
        let kept = self.log.len().saturating_sub(self.whole_price(cost) as usize);
        self.log.truncate(kept);
    }

    /// Counts a request that was throttled for `wait`. Returns the wait to announce.
    pub(crate) fn refuse(&mut self, now: Duration, wait: Duration) -> Duration {
        if self.limit.style != LimitStyle::StrictBucket {
            return wait;
        }
        // The debt is limited, so that a client that never stops can recover within two windows.
        self.remaining = (self.remaining - 1.0).max(-f64::from(self.limit.limit));
        self.penalty = wait.max(self.time_until(1));
        self.blocked_until = now + self.penalty;
        self.penalty
    }

    /// Changes the limit at `now`.
    #[cfg(test)]
    pub(crate) fn change(&mut self, now: Duration, limit: &Limit) {
        self.advance(now);
        self.set_limit(limit.clone());
    }

    fn advance(&mut self, now: Duration) {
        // Requests on several threads can arrive slightly out of order. Time never goes back.
        let now = now.max(self.updated_at);
        while self.changes.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((at, limit)) = self.changes.pop_front() {
                self.advance_within_limit(at.max(self.updated_at));
                self.set_limit(limit);
            }
        }
        self.advance_within_limit(now);
    }

    fn advance_within_limit(&mut self, now: Duration) {
        let full = f64::from(self.limit.limit);
        match self.limit.style {
            LimitStyle::FixedWindow => {
                if self.window_index(now) > self.window_index(self.updated_at) {
                    self.remaining = full;
                }
            }
            LimitStyle::SlidingWindow => {
                while self.log.front().is_some_and(|&at| at + self.limit.window <= now) {
                    self.log.pop_front();
                }
                // After a change, the log may be longer than the new limit.
                self.remaining = (i64::from(self.limit.limit) - self.log.len() as i64) as f64;
            }
            LimitStyle::TokenBucket | LimitStyle::StrictBucket => {
                let gained = (now - self.updated_at).as_secs_f64() * full / self.limit.window.as_secs_f64();
                self.remaining = (self.remaining + gained).min(full);
            }
        }
        self.updated_at = now;
    }

    /// Changes the limit. What is left in a bucket stays, up to the new limit; a window remembers what was used in it.
    fn set_limit(&mut self, limit: Limit) {
        let (old, new) = (f64::from(self.limit.limit), f64::from(limit.limit));
        let used = old - self.remaining;
        self.remaining = match limit.style {
            LimitStyle::TokenBucket | LimitStyle::StrictBucket => self.remaining.min(new),
            LimitStyle::FixedWindow | LimitStyle::SlidingWindow => new - used,
        };
        if limit.style != LimitStyle::SlidingWindow {
            self.log.clear();
        } else if self.limit.style != LimitStyle::SlidingWindow {
            self.log = std::iter::repeat_n(self.updated_at, used.max(0.0).round() as usize).collect();
        }
        self.limit = limit;
    }

    /// The number of the fixed window that contains this instant.
    fn window_index(&self, at: Duration) -> u64 {
        (nanos(at) + self.phase_lead()) / nanos(self.limit.window)
    }

    /// By how much fixed windows begin before multiples of their length, in nanoseconds.
    fn phase_lead(&self) -> u64 {
        let window = nanos(self.limit.window);
        (window - nanos(self.limit.phase) % window) % window
    }

    /// The time until a request with this cost can go through, as of the last [`Meter::advance`].
    fn time_until(&self, cost: u32) -> Duration {
        match self.limit.style {
            LimitStyle::FixedWindow => {
                let window = nanos(self.limit.window);
                Duration::from_nanos(window - (nanos(self.updated_at) + self.phase_lead()) % window)
            }
            LimitStyle::SlidingWindow => {
                // This many requests must be forgotten first.
                let short = (self.price(cost) - self.remaining).max(1.0) as usize;
                let freed = self.log.get(short - 1).or(self.log.back()).copied().unwrap_or(self.updated_at);
                (freed + self.limit.window).saturating_sub(self.updated_at)
            }
            LimitStyle::TokenBucket | LimitStyle::StrictBucket => {
                let per_token = self.limit.window.as_secs_f64() / f64::from(self.limit.limit);
                let wait = ((self.price(cost) - self.remaining) * per_token).max(0.0);
                // One nanosecond more, so that rounding never leaves the bucket slightly short of a token.
                Duration::from_secs_f64(wait) + Duration::from_nanos(1)
            }
        }
    }
}

/// Whole nanoseconds; enough for 584 years.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
