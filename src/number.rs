//! Numbers from servers, files, flags and other programs. Each is clamped or refused where it is read, so that no later
//! code can overflow, wait forever, or allocate too much because of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// The longest time; longer times are clamped to this one.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// The largest share of a limit; larger shares are clamped to this one. Graph documents 0.8 to 1.8.
const MAX_LIMIT_SHARE: f64 = 2.0;

/// A time in seconds; `None` if the number is not finite or is negative.
pub(crate) fn duration_from_secs(seconds: f64) -> Option<Duration> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(seconds.min(MAX_DURATION.as_secs_f64())).ok()
}

/// A number in the form that services write: digits with optional decimals, and no sign, exponent or word.
pub(crate) fn parse_decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain && !text.is_empty() { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// A number in JSON, which some services write as a string. Any other value becomes `None` instead of an error, so that
/// the other fields can still be read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Number(Option<f64>);

impl From<Value> for Number {
    fn from(value: Value) -> Number {
        Number(match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => parse_decimal(text),
            _ => None,
        })
    }
}

impl Number {
    /// The number as a time in seconds.
    pub(crate) fn seconds(&self) -> Option<Duration> {
        self.0.and_then(duration_from_secs)
    }

    /// The number as an instant, in seconds since 1970; `None` outside the range of the calendar.
    pub(crate) fn instant(&self) -> Option<Timestamp> {
        self.0.and_then(timestamp_from_secs)
    }
}

/// An instant in seconds since 1970, without decimals; `None` outside the range of the calendar.
pub(crate) fn timestamp_from_secs(seconds: f64) -> Option<Timestamp> {
    // Larger numbers are far outside the range of the calendar, so they are not converted.
    let whole = (seconds.abs() < 1e15).then(|| seconds.trunc() as i64)?;
    Timestamp::from_second(whole).ok()
}

/// The time from one instant to another; `None` if the other is not later.
pub(crate) fn duration_between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    let time = Duration::try_from(to.duration_since(from)).ok()?;
    (!time.is_zero()).then_some(time.min(MAX_DURATION))
}

/// The used share of a limit; `None` if the text is not a share.
pub(crate) fn parse_share(text: &str) -> Option<f64> {
    parse_decimal(text).map(|share| share.min(MAX_LIMIT_SHARE))
}

/// The instant after a time, which is clamped to [`MAX_DURATION`].
pub(crate) fn add_clamped(now: Instant, time: Duration) -> Instant {
    now.checked_add(time.min(MAX_DURATION)).unwrap_or(now)
}

/// A time in milliseconds, as in journals and `run.json`.
pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis).min(MAX_DURATION)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Numbers at the edges of u64, i64 and f64, as texts.
    fn edges() -> Vec<String> {
        let mut edges: Vec<String> =
            ["", " ", "\u{a0}", "-0", "+5", "NaN", "inf", "-inf", "infinity", "1e308", "-1e308"]
                .map(str::to_owned)
                .into();
        edges.extend(
            ["1.8e19", "1e3", "0x10", ".", "..", "1.2.3", "1,5", "٣", "5 s", "1_000"].map(str::to_owned),
        );
        for whole in
            [0_i128, 1, i64::MAX.into(), i64::MIN.into(), u64::MAX.into(), 253_402_300_799, i32::MAX.into()]
        {
            for near in [whole - 1, whole, whole + 1] {
                edges.extend([format!("{near}"), format!("{near}.9999"), format!(" {near} ")]);
            }
        }
        edges.push("9".repeat(400));
        edges
    }

    /// What must hold of anything read from this text or number.
    fn check(number: &Number) {
        if let Some(time) = number.seconds() {
            assert!(time <= MAX_DURATION);
            assert!(add_clamped(Instant::now(), time) >= Instant::now() - Duration::from_secs(60));
            // Twice and a half of it is still a time.
            let _ = Instant::now() + time * 2 + time.mul_f64(0.5);
        }
        if let Some(instant) = number.instant() {
            let now = Timestamp::now();
            assert!(duration_between(now, instant).is_none_or(|time| time <= MAX_DURATION));
            assert!(duration_between(instant, now).is_none_or(|time| time <= MAX_DURATION));
        }
    }

    #[test]
    fn the_edges_are_clamped_or_refused() {
        for text in edges() {
            check(&Number::from(json!(text)));
            assert!(
                parse_share(&text).is_none_or(|share| (0.0..=MAX_LIMIT_SHARE).contains(&share)),
                "{text:?}"
            );
            let read: Option<Value> = serde_json::from_str(&text).ok();
            check(&Number::from(read.unwrap_or_default()));
        }
        for refused in ["", " ", ".", "-0", "+5", "NaN", "inf", "1e308", "1.8e19", "-1", "1.2.3", "1_000"] {
            assert_eq!(parse_decimal(refused), None, "{refused:?}");
        }
        for odd in [json!(null), json!(true), json!([1]), json!({"a": 1}), json!(-1), json!(-0.5)] {
            assert_eq!(Number::from(odd.clone()).seconds(), None, "{odd}");
        }
        assert_eq!(duration_from_secs(-0.0), Some(Duration::ZERO));
        for longest in [1.8e19, 1e308, f64::MAX, u64::MAX as f64] {
            assert_eq!(duration_from_secs(longest), Some(MAX_DURATION));
        }
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e308, -f64::MIN_POSITIVE] {
            assert_eq!(duration_from_secs(none), None, "{none}");
        }
        for none in [f64::NAN, f64::INFINITY, 1.8e19, -1e308, i64::MAX as f64, 1e15] {
            assert_eq!(timestamp_from_secs(none), None, "{none}");
        }
        assert_eq!(millis(u64::MAX), MAX_DURATION);
    }

    #[test]
    fn ordinary_numbers_stay_as_they_are() {
        assert_eq!(Number::from(json!("3599")).seconds(), Some(Duration::from_secs(3_599)));
        assert_eq!(Number::from(json!(" 0.25 ")).seconds(), Some(Duration::from_millis(250)));
        assert_eq!(Number::from(json!(1.5)).seconds(), Some(Duration::from_millis(1_500)));
        assert_eq!(Number::from(json!("1700000000")).instant(), Timestamp::from_second(1_700_000_000).ok());
        assert_eq!(
            [parse_share("0.8"), parse_share("1.25"), parse_share("80")],
            [Some(0.8), Some(1.25), Some(MAX_LIMIT_SHARE)]
        );
    }

    proptest! {
        #[test]
        fn no_number_escapes(number in any::<f64>(), whole in any::<i64>(), large in any::<u64>(), text in ".{0,24}") {
            for value in [json!(number), json!(whole), json!(large), json!(text), json!(number.to_string())] {
                check(&Number::from(value));
            }
            if let Some(time) = duration_from_secs(number) {
                prop_assert!(time <= MAX_DURATION && number >= 0.0);
            }
            prop_assert!(millis(large) <= MAX_DURATION);
            if let Some(share) = parse_share(&text) {
                prop_assert!((0.0..=MAX_LIMIT_SHARE).contains(&share));
            }
        }
    }
}
