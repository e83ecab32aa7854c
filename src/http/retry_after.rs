//! `Retry-After`: whole seconds, decimals, or a date, always rounded up and never cut short.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::number;

/// How long an answer with these headers asks to wait. If there are several values, in one line or in
/// several, the longest counts, because a proxy may have added its own.
pub fn parse_headers(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let values = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| parse(value, date, SystemTime::now())).max()
}

/// Reads a `Retry-After` value as a time from now, rounded up to the millisecond.
///
/// A date is relative to the response's own `Date` header, so that a wrong clock on this machine does no
/// harm, or to `now` if there is none. A date in the past means no wait. Of several values, joined by commas
/// as HTTP joins lines of one name, the longest counts, and invalid ones are skipped. If none is valid, the
/// result is `None`, as if the header were missing.
///
/// Graph sends whole seconds (learn.microsoft.com/graph/throttling). Decimals such as `0.249` have been
/// observed in the answers of batches. The HTTP specification (RFC 9110 §10.2.3) allows dates in three forms
/// (§5.6.7), two of which contain a comma themselves.
pub fn parse(value: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    let now = || Timestamp::try_from(now).unwrap_or_default();
    let from = date.and_then(parse_date).unwrap_or_else(now);
    let pieces: Vec<&str> = value.split(',').map(str::trim).collect();
    let single = pieces.iter().filter_map(|piece| wait(piece, from));
    let dates = pieces.windows(2).filter_map(|pair| wait(&pair.join(", "), from));
    single.chain(dates).max()
}

/// Parses one value.
fn wait(value: &str, from: Timestamp) -> Option<Duration> {
    let wait = match parse_seconds(value) {
        Some(wait) => wait,
        None => round_up(number::duration_between(from, parse_date(value)?).unwrap_or_default()),
    };
    Some(wait.min(number::MAX_DURATION))
}

/// Parses a date in the form of HTTP, of mail (with an offset, or without the day of the week) or of ISO
/// 8601.
fn parse_date(date: &str) -> Option<Timestamp> {
    let date = date.trim();
    let other = || {
        let mail = jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp());
        mail.or_else(|| date.parse().ok())
    };
    // HTTP's dates begin in 1970 and may be a day later than the latest timestamp that `jiff` can represent.
    let http = httpdate::parse_http_date(date).ok();
    let http = http.map(|date| Timestamp::try_from(date).unwrap_or(Timestamp::MAX));
    http.or_else(other)
}

fn parse_seconds(value: &str) -> Option<Duration> {
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let most = number::MAX_DURATION.as_secs();
    // There are only digits here, so a number that can't be parsed is too large.
    let whole = if whole.is_empty() { 0 } else { whole.parse().unwrap_or(most).min(most) };
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
        for longest in [
            "18446744073709551615.9999",
            "18446744073709551616",
            "31622400.9999",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            assert_eq!(millis(longest), Some(number::MAX_DURATION.as_millis() as u64), "{longest}");
        }
        assert_eq!(millis("99999999999999999999999"), Some(number::MAX_DURATION.as_millis() as u64));
    }

    #[test]
    fn dates_count_from_the_servers_clock() {
        let at = "Sun, 22 Nov 2026 03:00:30 GMT";
        assert_eq!(millis(at), Some(30_000));
        let skewed = parse(at, Some("Sun, 22 Nov 2026 03:00:25 GMT"), now());
        assert_eq!(skewed, Some(Duration::from_secs(5)));
        assert_eq!(millis("Sun, 22 Nov 2026 02:00:00 GMT"), Some(0));
    }

    #[test]
    fn a_date_has_many_forms() {
        for date in [
            "Sun, 22 Nov 2026 03:00:30 GMT",
            "Sunday, 22-Nov-26 03:00:30 GMT",
            "Sun Nov 22 03:00:30 2026",
            "Sun, 22 Nov 2026 03:00:30 +0000",
            "Sun, 22 Nov 2026 05:00:30 +0200",
            "22 Nov 2026 03:00:30 GMT",
            "2026-11-22T03:00:30Z",
        ] {
            assert_eq!(millis(date), Some(30_000), "{date}");
            // The `Date` header may have the same forms.
            let skewed = parse("Sun, 22 Nov 2026 03:00:35 GMT", Some(date), now());
            assert_eq!(skewed, Some(Duration::from_secs(5)), "{date}");
        }
        assert_eq!(millis("Tue Dec  1 03:00:00 2026"), Some(9 * 86_400_000));
    }

    #[test]
    fn the_longest_of_several_values_counts() {
        for (value, wait) in [
            ("5, 10", 10_000),
            ("10,5", 10_000),
            ("1.5, 0.249", 1_500),
            ("soon, 5", 5_000),
            ("5,", 5_000),
            ("Sun, 22 Nov 2026 03:00:30 GMT, 5", 30_000),
            ("45, Sun, 22 Nov 2026 03:00:30 GMT", 45_000),
            ("5, Sunday, 22-Nov-26 03:00:30 GMT, 7", 30_000),
            ("Sun Nov 22 03:00:30 2026, 60", 60_000),
            ("Sun, 22 Nov 2026 03:00:20 GMT, Sun, 22 Nov 2026 03:00:30 GMT", 30_000),
        ] {
            assert_eq!(millis(value), Some(wait), "{value}");
        }
    }

    #[test]
    fn lines_of_one_name_are_several_values() {
        let mut headers = HeaderMap::new();
        assert_eq!(parse_headers(&headers), None);
        for value in ["2", "Sun, 22 Nov 2026 03:00:30 GMT", "soon"] {
            headers.append(RETRY_AFTER, value.parse().unwrap());
        }
        headers.insert(DATE, "Sun, 22 Nov 2026 03:00:00 GMT".parse().unwrap());
        assert_eq!(parse_headers(&headers), Some(Duration::from_secs(30)));
    }

    #[test]
    fn what_is_unreadable_is_missing() {
        for value in ["", ".", "-1", "1e3", "soon", "NaN", ",", "+3", "Sun, 22 Nov 2026", "22 Nov 2026"] {
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
        fn no_number_makes_it_panic(whole in any::<u64>(), decimals in "[0-9]{0,9}", sign in "[-+ ]?") {
            let wait = parse(&format!("{sign}{whole}.{decimals}"), None, now());
            prop_assert!(wait.is_none_or(|wait| wait <= number::MAX_DURATION));
        }

        #[test]
        fn no_text_makes_it_panic(value in ".*", date in ".*") {
            let _ = parse(&value, Some(&date), now());
        }
    }
}
