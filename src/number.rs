//! Numbers from outside: of servers, files, flags and other programs. Each is brought within bounds, or refused, where
//! it is read, so that nothing behind it can overflow, wait without an end, or allocate by it.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

/// The longest time that is told apart; whatever is longer counts as this.
pub(crate) const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A share of a limit above this says no more than this: Graph documents 0.8 to 1.8.
const MOST_USED: f64 = 2.0;

/// A time in seconds; none where that is no number, without an end, or below zero.
pub(crate) fn seconds(seconds: f64) -> Option<Duration> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(seconds.min(LONGEST.as_secs_f64())).ok()
}

/// A number as services write it: digits, and perhaps decimals. No sign, no exponent, no word.
pub(crate) fn decimal(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain && !text.is_empty() { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// A number of a JSON text, where services write some as texts. What is something else is none, and hides nothing beside it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "Value")]
pub(crate) struct Number(Option<f64>);

impl From<Value> for Number {
    fn from(value: Value) -> Number {
        Number(match &value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => decimal(text),
            _ => None,
        })
    }
}

impl Number {
    /// As a time in seconds.
    pub(crate) fn seconds(&self) -> Option<Duration> {
        self.0.and_then(seconds)
    }

    /// As an instant, in seconds since 1970; none outside the years of a calendar.
    pub(crate) fn instant(&self) -> Option<Timestamp> {
        self.0.and_then(instant)
    }
}

/// An instant in seconds since 1970, its decimals cut; none outside the years of a calendar.
pub(crate) fn instant(seconds: f64) -> Option<Timestamp> {
    // From here on not even milliseconds can be told, and no calendar goes so far.
    let whole = (seconds.abs() < 1e15).then(|| seconds.trunc() as i64)?;
    Timestamp::from_second(whole).ok()
}

/// The time from one instant to another; none where the other is not later.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Option<Duration> {
    let time = Duration::try_from(to.duration_since(from)).ok()?;
    (!time.is_zero()).then_some(time.min(LONGEST))
}

/// How much of a limit is used; none where that is no share.
pub(crate) fn share(text: &str) -> Option<f64> {
    decimal(text).map(|share| share.min(MOST_USED))
}

/// The instant after a time, or as late as can be told.
pub(crate) fn after(now: Instant, time: Duration) -> Instant {
    now.checked_add(time.min(LONGEST)).unwrap_or(now)
}

/// A time in milliseconds, as journals and `run.json` keep it.
pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis).min(LONGEST)
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
            assert!(time <= LONGEST);
            assert!(after(Instant::now(), time) >= Instant::now() - Duration::from_secs(60));
            // Twice and a half of it is still a time.
            let _ = Instant::now() + time * 2 + time.mul_f64(0.5);
        }
        if let Some(instant) = number.instant() {
            let now = Timestamp::now();
            assert!(between(now, instant).is_none_or(|time| time <= LONGEST));
            assert!(between(instant, now).is_none_or(|time| time <= LONGEST));
        }
    }

    #[test]
    fn the_edges_are_clamped_or_refused() {
        for text in edges() {
            check(&Number::from(json!(text)));
            assert!(share(&text).is_none_or(|share| (0.0..=MOST_USED).contains(&share)), "{text:?}");
            let read: Option<Value> = serde_json::from_str(&text).ok();
            check(&Number::from(read.unwrap_or_default()));
        }
        for refused in ["", " ", ".", "-0", "+5", "NaN", "inf", "1e308", "1.8e19", "-1", "1.2.3", "1_000"] {
            assert_eq!(decimal(refused), None, "{refused:?}");
        }
        for odd in [json!(null), json!(true), json!([1]), json!({"a": 1}), json!(-1), json!(-0.5)] {
            assert_eq!(Number::from(odd.clone()).seconds(), None, "{odd}");
        }
        assert_eq!(seconds(-0.0), Some(Duration::ZERO));
        for longest in [1.8e19, 1e308, f64::MAX, u64::MAX as f64] {
            assert_eq!(seconds(longest), Some(LONGEST));
        }
        for none in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e308, -f64::MIN_POSITIVE] {
            assert_eq!(seconds(none), None, "{none}");
        }
        for none in [f64::NAN, f64::INFINITY, 1.8e19, -1e308, i64::MAX as f64, 1e15] {
            assert_eq!(instant(none), None, "{none}");
        }
        assert_eq!(millis(u64::MAX), LONGEST);
    }

    #[test]
    fn ordinary_numbers_stay_as_they_are() {
        assert_eq!(Number::from(json!("3599")).seconds(), Some(Duration::from_secs(3_599)));
        assert_eq!(Number::from(json!(" 0.25 ")).seconds(), Some(Duration::from_millis(250)));
        assert_eq!(Number::from(json!(1.5)).seconds(), Some(Duration::from_millis(1_500)));
        assert_eq!(Number::from(json!("1700000000")).instant(), Timestamp::from_second(1_700_000_000).ok());
        assert_eq!([share("0.8"), share("1.25"), share("80")], [Some(0.8), Some(1.25), Some(MOST_USED)]);
    }

    proptest! {
        #[test]
        fn no_number_escapes(number in any::<f64>(), whole in any::<i64>(), large in any::<u64>(), text in ".{0,24}") {
            for value in [json!(number), json!(whole), json!(large), json!(text), json!(number.to_string())] {
                check(&Number::from(value));
            }
            if let Some(time) = seconds(number) {
                prop_assert!(time <= LONGEST && number >= 0.0);
            }
            prop_assert!(millis(large) <= LONGEST);
            if let Some(share) = share(&text) {
                prop_assert!((0.0..=MOST_USED).contains(&share));
            }
        }
    }
}
