//! The configuration of quotas.

use std::time::Duration;

use serde::Deserialize;

use super::{Limit, Meter};
use crate::simulator::config::ConfigError;

/// The quotas, and the response to a throttled request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Whether quotas are enforced.
    pub enabled: bool,
    /// For one app in a tenant: 3,000 per 150 s.
    pub app: Limit,
    /// For a tenant, over all apps: 18,000 per 300 s.
    pub tenant: Limit,
    /// For one app, over all tenants: 35,000 per 300 s.
    pub everywhere: Limit,
    /// The resource units for the reads of one app in a tenant: 3,500 per 10 s, as in a tenant with up to 50 users.
    pub read: Limit,
    /// Requests to Identity Protection by all apps of a tenant: 1 per second. Its 429 does not say how long to wait.
    pub identity_protection: Limit,
    /// The share of `app` (from 0 to less than 1) that another program uses evenly, in each tenant, as a second client
    /// of the same app would. It waits when it is throttled, and no counter includes it.
    pub eaten: f64,
    /// The form of the `Retry-After` header.
    pub retry_after: RetryAfter,
    /// The body of a 429.
    pub body: ThrottleBody,
    /// Send `x-ms-throttle-limit-percentage` if more than 0.8 of a limit is in use.
    pub percentage: bool,
    /// Limits that change while the simulator runs.
    #[serde(rename = "change")]
    pub changes: Vec<QuotaChange>,
}

impl Default for QuotaConfig {
    fn default() -> QuotaConfig {
        let limit = |limit, secs| Limit::new(limit, Duration::from_secs(secs));
        QuotaConfig {
            enabled: true,
            app: limit(3_000, 150),
            tenant: limit(18_000, 300),
            everywhere: limit(35_000, 300),
            read: limit(3_500, 10),
            identity_protection: limit(1, 1),
            eaten: 0.0,
            retry_after: RetryAfter::default(),
            body: ThrottleBody::default(),
            percentage: true,
            changes: Vec::new(),
        }
    }
}

/// Limits that change at an instant. What is left in a bucket stays, up to the new limit; a window remembers what was
/// used in it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaChange {
    /// Simulated time since the simulator's start.
    #[serde(deserialize_with = "crate::simulator::duration::deserialize")]
    pub at: Duration,
    /// For an app in a tenant, from then on.
    pub app: Option<Limit>,
    /// For a tenant, from then on.
    pub tenant: Option<Limit>,
    /// For an app over all tenants, from then on.
    pub everywhere: Option<Limit>,
}

impl QuotaConfig {
    pub(in crate::simulator) fn check(&self) -> Result<(), ConfigError> {
        let bad = |why: String| ConfigError::Value("quota", why);
        if !(0.0..1.0).contains(&self.eaten) {
            return Err(bad(format!("`eaten` is {}, but must be at least 0 and less than 1", self.eaten)));
        }
        let fixed = [&self.app, &self.tenant, &self.everywhere, &self.read, &self.identity_protection];
        let later =
            self.changes.iter().flat_map(|c| [&c.app, &c.tenant, &c.everywhere].into_iter().flatten());
        fixed.into_iter().chain(later).try_for_each(Limit::check).map_err(bad)
    }

    /// The write quota of one app in a tenant.
    pub(in crate::simulator) fn app_meter(&self) -> Meter {
        self.meter_with_changes(&self.app, |change| change.app.as_ref())
    }

    /// The write quota of all apps in a tenant.
    pub(in crate::simulator) fn tenant_meter(&self) -> Meter {
        self.meter_with_changes(&self.tenant, |change| change.tenant.as_ref())
    }

    /// The write quota of one app over all tenants.
    pub(in crate::simulator) fn all_tenants_meter(&self) -> Meter {
        self.meter_with_changes(&self.everywhere, |change| change.everywhere.as_ref())
    }

    fn meter_with_changes(&self, limit: &Limit, select: impl Fn(&QuotaChange) -> Option<&Limit>) -> Meter {
        let changes = self.changes.iter().filter_map(|change| Some((change.at, select(change)?.clone())));
        Meter::with_changes(limit, &changes.collect::<Vec<_>>())
    }
}

/// The forms of `Retry-After`. Values are in real seconds, after `speed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Whole seconds, rounded up, at least 1, as in Graph's documentation since 2025.
    #[default]
    Integer,
    /// Seconds with decimals, such as `2.128` in Graph's documentation from 2020 to 2023.
    Decimal,
    /// An HTTP date. No capture shows it, but HTTP allows it.
    Date,
    /// An HTTP date in the form of RFC 850, which HTTP still allows.
    Rfc850,
    /// An HTTP date in the form of C's `asctime`, which HTTP still allows.
    Asctime,
    /// Two values in one line, as when a proxy appends its own: `1, 7`.
    Joined,
    /// The same in two header lines.
    Lines,
    /// No header, as with Identity Protection.
    Missing,
    /// Always `1`, whatever the wait is, as users have seen.
    One,
    /// Half of the wait, with decimals, so that a client that obeys is too early.
    Short,
}

/// The bodies that have been seen with a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleBody {
    /// Code `TooManyRequests`, as in Graph's throttling guidance.
    #[default]
    Documented,
    /// Code `TooManyRequests`, "Too many requests from Identifier:… under category:…", as seen from the directory.
    Identifier,
    /// Code `UnknownError`, "This request is throttled. …", as seen from other services.
    Unknown,
}
