//! `--rate`: how fast requests may be sent, either `auto` or a number of requests in a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Graph's write quota for one app in one tenant, as requests and time
/// (learn.microsoft.com/graph/throttling-limits, "Identity and access service limits").
const APP_IN_TENANT: (u32, Duration) = (3_000, Duration::from_secs(150));

/// The write quota for all apps together in one tenant.
const TENANT: (u32, Duration) = (18_000, Duration::from_secs(300));

/// The write quota for one app over all tenants.
const APP_EVERYWHERE: (u32, Duration) = (35_000, Duration::from_secs(300));

/// `--rate`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rate {
    /// Graph's documented quota: its burst at once, then its refill rate.
    #[default]
    Auto,
    /// `count` requests in `window`, evenly.
    Fixed {
        /// The number of requests.
        count: u32,
        /// The time.
        window: Duration,
    },
}

/// The rate at which a pacer starts, before it has learned anything.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatePolicy {
    /// Sustained requests per second; infinite if only the gate limits them.
    pub per_second: f64,
    /// Requests that may be sent at once after a pause.
    pub burst: u32,
    /// Whether the pacer may exceed this rate.
    pub kind: RateKind,
}

/// Whether a pacer may change the rate with which it starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RateKind {
    /// A documented quota is the starting point. The pacer learns what the limiter really grants, which may
    /// be less or more.
    Documented {
        /// The window of the quota. A simulator with a faster clock has a shorter one.
        window: Duration,
        /// Whether several senders share the quota, each with its own limit below it.
        wide: bool,
    },
    /// A requested rate: never exceeded, but reduced if a limiter requires it.
    Fixed,
    /// No rate: only the gate, which a 429 closes.
    Gate,
}

impl RatePolicy {
    /// The documented quota of one app in one tenant: 3,000 writes in 150 s. `speed` is how much faster than
    /// real time a simulator's clock runs; it is 1 for Graph.
    pub fn app_in_tenant(speed: f64) -> RatePolicy {
        RatePolicy::documented(APP_IN_TENANT, false, speed)
    }

    /// The documented quota of all apps together in one tenant: 18,000 writes in 300 s.
    pub fn tenant(speed: f64) -> RatePolicy {
        RatePolicy::documented(TENANT, true, speed)
    }

    /// The documented quota of one app over all tenants: 35,000 writes in 300 s.
    pub fn app_everywhere(speed: f64) -> RatePolicy {
        RatePolicy::documented(APP_EVERYWHERE, true, speed)
    }

    /// At most this many requests per second, with up to `burst` at once after a pause.
    pub fn fixed(per_second: f64, burst: u32) -> RatePolicy {
        RatePolicy { per_second, burst, kind: RateKind::Fixed }
    }

    /// No rate: only a 429 holds requests back. For the limits above an app's, if `--rate` sets the app's
    /// own.
    pub fn gate() -> RatePolicy {
        RatePolicy { per_second: f64::INFINITY, burst: u32::MAX, kind: RateKind::Gate }
    }

    fn documented((limit, window): (u32, Duration), wide: bool, speed: f64) -> RatePolicy {
        let window = window.div_f64(speed.clamp(1e-3, 1e6));
        let per_second = f64::from(limit) / window.as_secs_f64();
        RatePolicy { per_second, burst: limit, kind: RateKind::Documented { window, wide } }
    }
}

/// The rates of a run, one for each of Graph's limits on writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PacingSettings {
    /// The rate of an app in a tenant.
    pub app: RatePolicy,
    /// The rate of a tenant, for all its apps together.
    pub tenant: RatePolicy,
    /// The rate of an app, over all its tenants.
    pub everywhere: RatePolicy,
}

impl PacingSettings {
    /// A rate for each app in each tenant, and no others.
    pub fn for_app(app: RatePolicy) -> PacingSettings {
        PacingSettings { app, tenant: RatePolicy::gate(), everywhere: RatePolicy::gate() }
    }

    /// The rate of several apps together in one tenant: the sum of theirs, but at most the tenant's.
    pub fn for_apps(&self, apps: usize) -> RatePolicy {
        let apps = u32::try_from(apps).unwrap_or(u32::MAX).max(1);
        RatePolicy {
            per_second: (self.app.per_second * f64::from(apps)).min(self.tenant.per_second),
            burst: self.app.burst.saturating_mul(apps).min(self.tenant.burst),
            kind: self.app.kind,
        }
    }
}

impl Rate {
    /// The rates for this setting. A fixed rate applies to each app in each tenant, and is the only limit.
    pub fn pacing(self, burst: Option<u32>, speed: f64) -> PacingSettings {
        let app = self.pace(burst, speed);
        match self {
            Rate::Auto => PacingSettings {
                app,
                tenant: RatePolicy::tenant(speed),
                everywhere: RatePolicy::app_everywhere(speed),
            },
            Rate::Fixed { .. } => PacingSettings::for_app(app),
        }
    }

    /// The rate of one app in one tenant for this setting, with the requested burst. `speed` is how much
    /// faster than real time a simulator's clock runs; it is 1 for Graph.
    pub fn pace(self, burst: Option<u32>, speed: f64) -> RatePolicy {
        match self {
            Rate::Auto => {
                let pace = RatePolicy::app_in_tenant(speed);
                RatePolicy { burst: burst.unwrap_or(pace.burst), ..pace }
            }
            Rate::Fixed { count, window } => {
                let per_second = f64::from(count) / window.as_secs_f64();
                // Timers have a resolution of a millisecond. From some hundred requests per second on,
                // several leave together.
                let smooth = (per_second / 100.0).ceil().clamp(1.0, 1e6) as u32;
                RatePolicy::fixed(per_second, burst.unwrap_or(smooth))
            }
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Auto => f.write_str("auto"),
            Rate::Fixed { count, window } if *window == Duration::from_secs(1) => write!(f, "{count}/s"),
            Rate::Fixed { count, window } if *window == Duration::from_secs(60) => write!(f, "{count}/m"),
            Rate::Fixed { count, window } => write!(f, "{count}/{}s", window.as_secs_f64()),
        }
    }
}

/// The text is not a valid rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid rate '{0}' (examples: auto, 20/s, 600/m, 3000/150s)")]
pub struct InvalidRate(String);

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let invalid = || InvalidRate(text.to_owned());
        let text = text.trim();
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Rate::Auto);
        }
        let (count, window) = text.split_once('/').ok_or_else(invalid)?;
        let count: u32 = count.trim().parse().map_err(|_| invalid())?;
        let window = window.trim();
        let window = if window.starts_with(|c: char| c.is_ascii_digit()) {
            crate::text::duration::parse(window).map_err(|_| invalid())?
        } else {
            crate::text::duration::parse(&format!("1{window}")).map_err(|_| invalid())?
        };
        if count == 0 || window.is_zero() {
            return Err(invalid());
        }
        Ok(Rate::Fixed { count, window })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for text in ["auto", "20/s", "600/m", "3000/150s", "1/0.5s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for wrong in ["", "20", "/s", "0/s", "20/0s", "-1/s", "x/s", "20/x", "1.5/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn three_apps_bring_the_tenants_quota_and_the_fourth_nothing() {
        let pacing = Rate::Auto.pacing(None, 1.0);
        let of = |apps| pacing.for_apps(apps);
        assert_eq!(of(1), pacing.app);
        assert_eq!(of(2).per_second, 2.0 * pacing.app.per_second);
        assert_eq!([of(3), of(4), of(64)].map(|pace| pace.per_second), [60.0; 3]);
        assert_eq!([of(3), of(64)].map(|pace| pace.burst), [9_000, 18_000]);
        let fixed = Rate::Fixed { count: 50, window: Duration::from_secs(1) }.pacing(None, 1.0);
        assert_eq!(fixed.for_apps(4).per_second, 200.0, "what is asked for holds for each");
    }

    #[test]
    fn auto_begins_at_the_documented_quotas() {
        let pace = Rate::Auto.pace(None, 1.0);
        assert_eq!((pace.per_second, pace.burst), (20.0, 3_000));
        assert_eq!((RatePolicy::tenant(1.0).per_second, RatePolicy::tenant(1.0).burst), (60.0, 18_000));
        assert_eq!(RatePolicy::app_everywhere(1.0).burst, 35_000);
        let fast = RatePolicy::app_in_tenant(60.0);
        assert_eq!(
            (fast.burst, fast.kind),
            (3_000, RateKind::Documented { window: Duration::from_millis(2_500), wide: false })
        );
        assert_eq!("20/s".parse::<Rate>().unwrap().pace(None, 1.0), RatePolicy::fixed(20.0, 1));
        assert_eq!("5000/s".parse::<Rate>().unwrap().pace(None, 1.0).burst, 50);
    }
}
