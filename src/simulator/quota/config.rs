//! The quotas as they are written.

use std::time::Duration;

use serde::Deserialize;

use super::{Limit, Meter};
use crate::simulator::config::ConfigError;

/// The quotas, and how a throttled request is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuotaConfig {
    /// Whether there are quotas at all.
    pub enabled: bool,
    /// For an app in a tenant: 3,000 per 150 s.
    pub app: Limit,
    /// For a tenant, over all apps: 18,000 per 300 s.
    pub tenant: Limit,
    /// For an app, over all tenants: 35,000 per 300 s.
    pub everywhere: Limit,
    /// Resource units that reads of an app in a tenant may cost: 3,500 per 10 s, as in a tenant of up to 50 users.
    pub read: Limit,
    /// Requests to Identity Protection of all apps in a tenant: 1 per second, and a 429 doesn't say how long to wait.
    pub identity_protection: Limit,
    /// The share of `app` (0 up to less than 1) that another program takes evenly, in each tenant, as a client of the
    /// same app would. It waits when it is throttled, and stands in no counter.
    pub eaten: f64,
    /// How a throttled request is told how long to wait.
    pub retry_after: RetryAfter,
    /// The body of a 429.
    pub body: ThrottleBody,
    /// Send `x-ms-throttle-limit-percentage` when more than 0.8 of a limit is in use.
    pub percentage: bool,
    /// Limits that become others while the simulator runs.
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

/// Limits that are others from an instant on. What is left in a bucket stays, as far as there is room; a window remembers
/// what was used in it.
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
            return Err(bad(format!("a share of {} is not from 0 to less than 1", self.eaten)));
        }
        let fixed = [&self.app, &self.tenant, &self.everywhere, &self.read, &self.identity_protection];
        let later =
            self.changes.iter().flat_map(|c| [&c.app, &c.tenant, &c.everywhere].into_iter().flatten());
        fixed.into_iter().chain(later).try_for_each(Limit::check).map_err(bad)
    }

    /// What an app may write in a tenant.
    pub(in crate::simulator) fn app_meter(&self) -> Meter {
        self.meter(&self.app, |change| change.app.as_ref())
    }

    /// What all apps may write in a tenant.
    pub(in crate::simulator) fn tenant_meter(&self) -> Meter {
        self.meter(&self.tenant, |change| change.tenant.as_ref())
    }

    /// What an app may write over all tenants.
    pub(in crate::simulator) fn all_tenants_meter(&self) -> Meter {
        self.meter(&self.everywhere, |change| change.everywhere.as_ref())
    }

    fn meter(&self, limit: &Limit, select: impl Fn(&QuotaChange) -> Option<&Limit>) -> Meter {
        let changes = self.changes.iter().filter_map(|change| Some((change.at, select(change)?.clone())));
        Meter::with_changes(limit, &changes.collect::<Vec<_>>())
    }
}

/// The forms of `Retry-After`. Values are in real seconds, after `speed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Whole seconds, rounded up, at least 1: as in Graph's documents since 2025.
    #[default]
    Integer,
    /// Seconds with decimals, such as `2.128` in Graph's documents of 2020 to 2023.
    Decimal,
    /// An HTTP date: no capture shows it, but HTTP allows it.
    Date,
    /// The same in the form of RFC 850, which HTTP still allows.
    Rfc850,
    /// The same as C's `asctime` writes it, likewise.
    Asctime,
    /// Two values in one line, as a proxy joins its own to the service's: `1, 7`.
    Joined,
    /// The same in two lines.
    Lines,
    /// No header: as Identity Protection does.
    Missing,
    /// Always `1`, however long it takes: as users saw.
    One,
    /// Half of what it takes, with decimals: whoever obeys comes too early.
    Short,
}

/// The bodies that were seen with a 429.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThrottleBody {
    /// Code `TooManyRequests`, as in Graph's throttling guidance.
    #[default]
    Documented,
    /// Code `TooManyRequests`, "Too many requests from Identifier:… under category:…", as seen on the directory.
    Identifier,
    /// Code `UnknownError`, "This request is throttled. …", as seen elsewhere.
    Unknown,
}
