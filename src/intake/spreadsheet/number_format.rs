//! The value of a cell as a person would type it: whole numbers without a point, dates as in RFC 3339 without a zone.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Unit};

/// The meaning of numbers with a format.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum NumberStyle {
    #[default]
    Number,
    Date,
}

impl NumberStyle {
    /// The style of a built-in format, which has a fixed number in all workbooks.
    pub(super) fn built_in(id: u32) -> Self {
        match id {
            14..=22 | 27..=36 | 45 | 47 | 50..=58 => NumberStyle::Date,
            _ => NumberStyle::Number,
        }
    }
}

/// The style of numbers with this format: dates, if it has parts of dates outside quotes, brackets and escapes.
pub(super) fn style(format: &str) -> NumberStyle {
    let mut chars = format.chars();
    // Only the section for positive numbers counts.
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                chars.by_ref().find(|c| *c == '"');
            }
            '\\' | '_' | '*' => {
                chars.next();
            }
            '[' => {
                let within: String = chars.by_ref().take_while(|c| *c != ']').collect();
                let is_elapsed =
                    !within.is_empty() && within.chars().all(|c| "hms".contains(c.to_ascii_lowercase()));
                // Elapsed time, which is not a date.
                if is_elapsed {
                    return NumberStyle::Number;
                }
            }
            ';' => return NumberStyle::Number,
            'G' | 'g' if chars.as_str().get(..6).is_some_and(|rest| rest.eq_ignore_ascii_case("eneral")) => {
                return NumberStyle::Number;
            }
            'd' | 'D' | 'm' | 'M' | 'y' | 'Y' | 'h' | 'H' | 's' | 'S' => return NumberStyle::Date,
            _ => {}
        }
    }
    NumberStyle::Number
}

/// The number as text. Whole numbers stay as they are written.
pub(super) fn number(text: &str, style: NumberStyle, from_1904: bool) -> String {
    let text = text.trim();
    let Ok(number) = text.parse::<f64>() else { return text.to_owned() };
    if style == NumberStyle::Date
        && let Some(date) = date(number, from_1904)
    {
        return date;
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) { text.to_owned() } else { number.to_string() }
}

/// The date and time for a serial number of days.
fn date(days: f64, from_1904: bool) -> Option<String> {
    if !(0.0..2_958_466.0).contains(&days) {
        return None;
    }
    let first = match from_1904 {
        true => DateTime::constant(1904, 1, 1, 0, 0, 0, 0),
        // Excel's day 60 of 1900 is February 29, which did not exist.
        false if days < 60.0 => DateTime::constant(1899, 12, 31, 0, 0, 0, 0),
        false => DateTime::constant(1899, 12, 30, 0, 0, 0, 0),
    };
    let seconds = (days * 86_400.0).round();
    let moment =
        first.checked_add(SignedDuration::from_secs(seconds as i64)).ok()?.round(Unit::Second).ok()?;
    let (date, time) = (moment.date(), moment.time());
    Some(match seconds {
        _ if days < 1.0 => time.to_string(),
        seconds if seconds % 86_400.0 == 0.0 => date.to_string(),
        _ => format!("{date}T{time}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_dates_are_written_as_people_do() {
        let plain = |text: &str| number(text, NumberStyle::Number, false);
        assert_eq!(plain("7"), "7");
        assert_eq!(plain("0.5"), "0.5");
        assert_eq!(plain("20400.0"), "20400");
        assert_eq!(plain("1.5E+3"), "1500");
        assert_eq!(plain("12345678901234567890"), "12345678901234567890");
        assert_eq!(plain("x"), "x");
        let date = |text: &str| number(text, NumberStyle::Date, false);
        assert_eq!(date("46000"), "2025-12-09");
        assert_eq!(date("46000.25"), "2025-12-09T06:00:00");
        assert_eq!(date("0.5"), "12:00:00");
        assert_eq!(date("1"), "1900-01-01");
        assert_eq!(date("-1"), "-1");
        assert_eq!(number("44538", NumberStyle::Date, true), "2025-12-09");
    }

    #[test]
    fn formats_of_dates_are_known() {
        assert_eq!(style("yyyy-mm-dd h:mm:ss"), NumberStyle::Date);
        assert_eq!(style("[$-409]d\\ mmm"), NumberStyle::Date);
        assert_eq!(style("\"days\" 0"), NumberStyle::Number);
        assert_eq!(style("General"), NumberStyle::Number);
        assert_eq!(style("[Red]0.00;[Blue]-0.00"), NumberStyle::Number);
        assert_eq!(style("[h]:mm"), NumberStyle::Number);
        assert_eq!(style("_-* #,##0.00_-"), NumberStyle::Number);
        assert_eq!(
            (NumberStyle::built_in(14), NumberStyle::built_in(0)),
            (NumberStyle::Date, NumberStyle::Number)
        );
    }
}
