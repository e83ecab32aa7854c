//! How fast a run would send.

use super::Finding;
use crate::console::wording;
use crate::settings::Sending;

/// What Graph's documented quota lets an app write in a tenant, in requests a second: 3,000 in 150 s
/// (learn.microsoft.com/graph/throttling-limits).
const QUOTA: f64 = 20.0;

/// Judges the rate, and says how long it takes.
pub fn judge(sending: &Sending) -> Finding {
    let pace = sending.rate.pace(sending.burst, 1.0);
    let finding = format!(
        "{} at once, then {}; jobs {}: 1,000 users take {}, 10,000 {}",
        wording::count(u64::from(pace.burst)),
        wording::rate(pace.per_second),
        sending.jobs,
        pace.time_for(1_000),
        pace.time_for(10_000),
    );
    if pace.per_second > QUOTA + 1e-9 {
        return Finding::warning(
            "pace",
            finding,
            "Graph's documented quota is 20/s for an app in a tenant: beyond it, it throttles; --rate auto keeps to it",
        );
    }
    Finding::ok("pace", finding)
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::*;
    use crate::dispatch::{BatchSize, Jobs};
    use crate::outcome::Accepted;

    fn at(rate: &str) -> Finding {
        judge(&Sending {
            jobs: Jobs::Auto,
            batch: BatchSize::Auto,
            rate: rate.parse().unwrap(),
            burst: None,
            retries: 5,
            deadline: None,
            halt: None,
            max_users: None,
            accepted: Accepted::default(),
        })
    }

    #[test]
    fn what_is_faster_than_the_quota_is_told() {
        assert_eq!([at("auto").status, at("20/s").status, at("3000/150s").status], [Status::Ok; 3]);
        assert_eq!(at("25/s").status, Status::Warning);
        assert!(
            at("10/s").finding.ends_with("1,000 users take about 1m40s, 10,000 about 16m40s"),
            "{:?}",
            at("10/s")
        );
    }
}
