//! Durations as people write them: `3s`, `2m`, `1h30m`, `250ms`, `1.5s`.

use std::time::Duration;

use crate::number;

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration '{0}' (examples: 250ms, 3s, 2m, 1h30m; at most 366d)")]
pub struct InvalidDuration(String);

/// Reads a duration: one or more numbers, each with its unit (`ms`, `s`, `m`, `h`, `d`), the larger unit first. A
/// number without a unit is refused, and so is a duration of more than 366 days.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    let mut last_unit = f64::INFINITY;
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(invalid)?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(letters);
        let unit = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(invalid()),
        };
        let number: f64 = number.parse().map_err(|_| invalid())?;
        let part = number::duration_from_secs(number * unit).ok_or_else(invalid)?;
        if unit >= last_unit {
            return Err(invalid());
        }
        (last_unit, rest) = (unit, next);
        // `part` was clamped to the maximum, so the number itself is checked as well.
        sum = sum.saturating_add(part);
        if number * unit > number::MAX_DURATION.as_secs_f64() || sum > number::MAX_DURATION {
            return Err(invalid());
        }
    }
    Ok(sum)
}

/// Like [`parse`], but refuses zero.
pub fn parse_positive(text: &str) -> Result<Duration, InvalidDuration> {
    parse(text).and_then(|time| if time.is_zero() { Err(InvalidDuration(text.to_owned())) } else { Ok(time) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_people_write_them() {
        let seconds = |text: &str| parse(text).unwrap().as_secs_f64();
        assert_eq!(seconds("3s"), 3.0);
        assert_eq!(seconds("2m"), 120.0);
        assert_eq!(seconds("1h30m"), 5400.0);
        assert_eq!(seconds("250ms"), 0.25);
        assert_eq!(seconds("1.5s"), 1.5);
        assert_eq!(seconds("1d"), 86_400.0);
        assert_eq!(seconds("0s"), 0.0);
        assert_eq!(seconds("366d"), number::MAX_DURATION.as_secs_f64());
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for wrong in [
            "",
            "3",
            "s",
            "3x",
            "-3s",
            "1m1h",
            "3s3s",
            "1e9s",
            "..s",
            "3 s",
            "99999999999999999999d",
            "367d",
            "366d1ms",
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
