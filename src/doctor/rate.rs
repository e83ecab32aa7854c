//! How fast a run would send requests.

use super::Finding;
use crate::settings::SendingSettings;
use crate::text::humanize;

/// Graph's documented quota for writes of an app in a tenant, in requests per second: 3,000 in 150 s
/// (learn.microsoft.com/graph/throttling-limits).
const APP_QUOTA_PER_SECOND: f64 = 20.0;

/// Checks the combined rate of the apps, and estimates how long a run takes.
pub fn check(sending: &SendingSettings, apps: usize) -> Finding {
    let (pace, each) = (sending.pace(apps), sending.pace(1));
    let who = if apps > 1 { format!("{apps} apps: ") } else { String::new() };
    let finding = format!(
        "{who}{} at once, then {}; jobs {}: 1,000 users take {}, 10,000 {}",
        humanize::count(u64::from(pace.burst)),
        humanize::rate(pace.per_second),
        sending.jobs,
        pace.estimate_time(1_000),
        pace.estimate_time(10_000),
    );
    if each.per_second > APP_QUOTA_PER_SECOND + 1e-9 {
        return Finding::warning(
            "pace",
            finding,
            "Graph's documented quota is 20/s for an app in a tenant, and beyond it Graph throttles; --rate \
             auto keeps to it",
        );
    }
    // The tenant's own quota, which three apps use up (learn.microsoft.com/graph/throttling-limits, 18,000 in 300 s).
    let spare = apps.saturating_sub(3);
    let more = format!("{spare} more than the three that use up the tenant's quota of 60/s");
    Finding::ok("pace", finding).with_details((spare > 0).then_some(more))
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;
    use crate::dispatch::{BatchSize, Jobs};
    use crate::outcome::AcceptedOutcomes;

    fn at(rate: &str) -> Finding {
        check_rate(rate, 1)
    }

    fn check_rate(rate: &str, apps: usize) -> Finding {
        let sending = SendingSettings {
            jobs: Jobs::Auto,
            batch: BatchSize::Auto,
            rate: rate.parse().unwrap(),
            burst: None,
            retries: 5,
            max_wait: None,
            deadline: None,
            halt: None,
            max_users: None,
            accepted: AcceptedOutcomes::default(),
        };
        check(&sending, apps)
    }

    #[test]
    fn several_apps_are_capped_at_the_tenant_quota() {
        let three = check_rate("auto", 3);
        assert!(three.finding.starts_with("3 apps: 9,000 at once, then 60.0/s"), "{}", three.finding);
        assert!(three.details.is_empty());
        let five = check_rate("auto", 5);
        assert!(five.finding.contains("15,000 at once, then 60.0/s"), "{}", five.finding);
        assert!(five.details[0].starts_with("2 more than the three"), "{five:?}");
    }

    #[test]
    fn rate_above_the_quota_warns() {
        assert_eq!([at("auto").status, at("20/s").status, at("3000/150s").status], [CheckStatus::Ok; 3]);
        assert_eq!(at("25/s").status, CheckStatus::Warning);
        assert!(
            at("10/s").finding.ends_with("1,000 users take about 1m40s, 10,000 about 16m40s"),
            "{:?}",
            at("10/s")
        );
    }
}
