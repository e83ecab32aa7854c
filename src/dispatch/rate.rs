//! How fast requests may leave: `auto`, or so many in a time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Graph's write quota for one app in one tenant: 3,000 requests in 150 s
/// (learn.microsoft.com/graph/throttling-limits, "Identity and access service limits").
const DOCUMENTED_WRITES: u32 = 3_000;

/// The time of that quota.
const DOCUMENTED_WINDOW: Duration = Duration::from_secs(150);

/// What `auto` keeps back of the bucket, for other work of the app and for requests that run closer together on
/// the wire than they left.
const MARGIN: u32 = 30;

/// `--rate`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rate {
    /// Graph's documented quota: its bucket at once, then its refill.
    #[default]
    Auto,
    /// `count` requests in `window`, evenly.
    Fixed {
        /// How many.
        count: u32,
        /// In which time.
        window: Duration,
    },
}

/// A rate that the pacer can keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Requests a second, sustained.
    pub per_second: f64,
    /// Requests that may leave at once after a pause.
    pub burst: u32,
}

/// The paces of a run, one for each of Graph's limits on writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pacing {
    /// An app in a tenant.
    pub app: Pace,
    /// A tenant, all its apps together.
    pub tenant: Pace,
    /// An app, over all its tenants.
    pub everywhere: Pace,
}

/// Where only 429s bind.
const UNBOUND: Pace = Pace { per_second: 1e6, burst: 1_000_000 };

impl Pacing {
    /// A pace of each app in each tenant, and no other.
    pub fn of_app(app: Pace) -> Pacing {
        Pacing { app, tenant: UNBOUND, everywhere: UNBOUND }
    }

    /// How fast so many apps send together in one tenant: the sum of theirs, and no more than the tenant's.
    pub fn of_apps(&self, apps: usize) -> Pace {
        let apps = u32::try_from(apps).unwrap_or(u32::MAX).max(1);
        Pace {
            per_second: (self.app.per_second * f64::from(apps)).min(self.tenant.per_second),
            burst: self.app.burst.saturating_mul(apps).min(self.tenant.burst),
        }
    }
}

impl Rate {
    /// The paces for this rate. A given one holds for each app in each tenant, and is all that binds.
    pub fn pacing(self, burst: Option<u32>, speed: f64) -> Pacing {
        let app = self.pace(burst, speed);
        let whole = |writes: u32| {
            let per_second = f64::from(writes - MARGIN) / 300.0 * speed;
            Pace { per_second, burst: writes - MARGIN }
        };
        match self {
            Rate::Auto => Pacing { app, tenant: whole(18_000), everywhere: whole(35_000) },
            Rate::Fixed { .. } => Pacing::of_app(app),
        }
    }

    /// The pace for this rate, with the burst that was asked for. `speed` is how much faster than the real one a
    /// simulator's clock runs; 1 against Graph.
    pub fn pace(self, burst: Option<u32>, speed: f64) -> Pace {
        match self {
            Rate::Auto => {
                let writes = f64::from(DOCUMENTED_WRITES - MARGIN / 2);
                let per_second = writes / DOCUMENTED_WINDOW.as_secs_f64() * speed;
                Pace { per_second, burst: burst.unwrap_or(DOCUMENTED_WRITES - MARGIN) }
            }
            Rate::Fixed { count, window } => {
                let per_second = f64::from(count) / window.as_secs_f64();
                // Timers tick by the millisecond: above some hundred a second, ten of them leave together.
                let smooth = (per_second / 100.0).ceil().clamp(1.0, 1e6) as u32;
                Pace { per_second, burst: burst.unwrap_or(smooth) }
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

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no rate: write auto, 20/s, 600/m or 3000/150s")]
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
            crate::duration::parse(window).map_err(|_| invalid())?
        } else {
            crate::duration::parse(&format!("1{window}")).map_err(|_| invalid())?
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
        let of = |apps| pacing.of_apps(apps);
        assert_eq!(of(1), pacing.app);
        assert_eq!(of(2).per_second, 2.0 * pacing.app.per_second);
        assert!(of(3).per_second > 59.0 && of(4).per_second - of(3).per_second < 0.5, "{:?}", of(3));
        assert!(of(64).per_second <= 60.0 && of(64).burst <= 18_000);
    }

    #[test]
    fn auto_stays_below_the_documented_bucket() {
        let pace = Rate::Auto.pace(None, 1.0);
        assert!(pace.burst < DOCUMENTED_WRITES && pace.per_second < 20.0 && pace.per_second > 19.5);
        assert_eq!("20/s".parse::<Rate>().unwrap().pace(None, 1.0), Pace { per_second: 20.0, burst: 1 });
        assert_eq!("5000/s".parse::<Rate>().unwrap().pace(None, 1.0).burst, 50);
    }
}
