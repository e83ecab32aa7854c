//! `Retry-After`: whole seconds, decimals, or an HTTP date, always rounded up and never cut short.

use std::time::{Duration, SystemTime};

/// The furthest wait that is told apart; anything beyond is "not in this run".
const FURTHEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Reads a `Retry-After` value as a time from now, rounded up to the millisecond.
///
/// A date counts from the response's own `Date` header, so that a wrong clock on this machine does no harm, and
/// from `now` where there is none. A date in the past is no wait. Unreadable: none, as if the header were missing.
///
/// Graph sends whole seconds (learn.microsoft.com/graph/throttling); decimals such as `0.249` were seen in the
/// answers of batches, and the HTTP specification (RFC 9110 §10.2.3) allows dates.
pub fn parse(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Some(wait) = seconds(value) {
        return Some(wait.min(FURTHEST));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let from = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()).unwrap_or(now);
    let wait = until.duration_since(from).unwrap_or_default();
    Some(round_up(wait).min(FURTHEST))
}

fn seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(FURTHEST.as_secs()) };
    let thousandths: u64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let more = fraction.bytes().skip(3).any(|digit| digit != b'0');
    Some(Duration::from_secs(whole) + Duration::from_millis(thousandths + u64::from(more)))
}

fn round_up(wait: Duration) -> Duration {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> SystemTime {
        httpdate::parse_http_date("Sun, 22 Nov 2026 03:00:00 GMT").unwrap()
    }

    fn millis(value: &str) -> Option<u64> {
        parse(value, None, now()).map(|wait| wait.as_millis() as u64)
    }

    #[test]
    fn seconds_and_decimals_round_up() {
        assert_eq!(millis("10"), Some(10_000));
        assert_eq!(millis(" 2.128 "), Some(2_128));
        assert_eq!(millis("0.249"), Some(249));
        assert_eq!(millis("0.2490001"), Some(250));
        assert_eq!(millis("1."), Some(1_000));
        assert_eq!(millis(".5"), Some(500));
        assert_eq!(millis("0"), Some(0));
        assert_eq!(millis("99999999999999999999999"), Some(FURTHEST.as_millis() as u64));
    }

    #[test]
    fn dates_count_from_the_servers_clock() {
        let at = "Sun, 22 Nov 2026 03:00:30 GMT";
        assert_eq!(millis(at), Some(30_000));
        let skewed = parse(at, Some("Sun, 22 Nov 2026 03:00:25 GMT"), now());
        assert_eq!(skewed, Some(Duration::from_secs(5)));
        assert_eq!(millis("Sunday, 22-Nov-26 03:00:30 GMT"), Some(30_000));
        assert_eq!(millis("Sun, 22 Nov 2026 02:00:00 GMT"), Some(0));
    }

    #[test]
    fn what_is_unreadable_is_missing() {
        for value in ["", ".", "-1", "1e3", "soon", "NaN", "1,5", "+3"] {
            assert_eq!(millis(value), None, "{value:?}");
        }
    }

    proptest! {
        #[test]
        fn never_shorter_than_asked(seconds in 0.0f64..100_000.0) {
            let wait = parse(&format!("{seconds}"), None, now()).unwrap();
            prop_assert!(wait.as_secs_f64() >= seconds - 1e-9);
            prop_assert!(wait.as_secs_f64() <= seconds + 0.001_000_1);
        }

        #[test]
        fn no_text_makes_it_panic(value in ".*", date in ".*") {
            let _ = parse(&value, Some(&date), now());
        }
    }
}
