//! Quotas: how many requests go through. Pure code, because the time is an argument.
//!
//! Graph's documentation gives limits and windows (3,000 writes per 150 s for an app in a tenant, 18,000 per 300 s for
//! a tenant, 35,000 per 300 s for an app over all tenants: learn.microsoft.com/graph/throttling-limits, "Identity and
//! access") and calls it a token bucket. How bursts and throttled requests count is not documented, so several styles
//! are available.

mod background_load;
mod config;
mod meter;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::Deserialize;

pub(super) use background_load::BackgroundLoad;
pub use config::{QuotaChange, QuotaConfig, RetryAfter, ThrottleBody};
pub(crate) use meter::Meter;

/// How a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LimitStyle {
    /// Holds `limit` tokens and refills `limit` per `window`; a throttled request costs nothing.
    #[default]
    TokenBucket,
    /// `limit` requests in each `window`, counted from the simulator's start and the limit's `phase`; a throttled
    /// request costs nothing.
    FixedWindow,
    /// `limit` requests within any `window`, each of which is remembered for that long; a throttled request costs
    /// nothing.
    SlidingWindow,
    /// A token bucket in which throttled requests cost something too ("all requests accrue against the limits": Graph's
    /// throttling guidance). A request that comes before its wait is over restarts the wait.
    StrictBucket,
}

/// The limit of one quota.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests per `window`; at least 1.
    pub limit: u32,
    /// Simulated time; must be longer than zero.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub window: Duration,
    /// How requests are counted.
    #[serde(default)]
    pub style: LimitStyle,
    /// When the first fixed window begins, in simulated time since the start, so that clients can't predict when one
    /// ends.
    #[serde(default, deserialize_with = "super::duration::deserialize")]
    pub phase: Duration,
}

impl Limit {
    /// A token bucket with this many requests per window.
    #[must_use]
    pub const fn new(limit: u32, window: Duration) -> Limit {
        Limit { limit, window, style: LimitStyle::TokenBucket, phase: Duration::ZERO }
    }

    /// Checks that the limit is valid; otherwise returns the reason.
    fn check(&self) -> Result<(), String> {
        if self.limit == 0 {
            return Err("a limit must be at least 1".into());
        }
        if self.window.is_zero() {
            return Err("a window must be longer than zero".into());
        }
        Ok(())
    }
}
