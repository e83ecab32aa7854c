//! Numbers and spans of time as people read them: `1,234`, `3m10s`, `19.9/s`.

use std::time::Duration;

use crate::journal::ListRecord;
use crate::text::sanitize;

/// A count with thousands separators: `1,234`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count of users: `1 user`, `1,234 users`.
pub fn users(n: u64) -> String {
    if n == 1 { "1 user".to_owned() } else { format!("{} users", count(n)) }
}

/// A span of time in its two largest units, to the nearest second: `12s`, `3m10s`, `1h05m`, `2d03h`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs() + u64::from(span.subsec_millis() >= 500);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// The rest of a wait: like [`span`], but rounded up, so that it is `0s` only when the wait is over.
pub fn wait(left: Duration) -> String {
    span(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0)))
}

/// A rate: `19.9/s`, or from 100 on without decimals: `1,240/s`.
pub fn rate(per_second: f64) -> String {
    if per_second >= 99.95 {
        format!("{}/s", count(per_second.round() as u64))
    } else {
        format!("{per_second:.1}/s")
    }
}

/// The apps that wait while others send: `throttled: app 5a1e… for 12s; the others continue`. `None` if no app waits.
pub fn throttled_apps<'a>(apps: impl Iterator<Item = (&'a str, Duration)>) -> Option<String> {
    let each: Vec<String> = apps
        .map(|(app, left)| format!("{} for {}", sanitize::sanitize_truncated(app, 36), wait(left)))
        .collect();
    match &each[..] {
        [] => None,
        [one] => Some(format!("throttled: app {one}; the others continue")),
        many => Some(format!("throttled: apps {}; the others continue", many.join(", "))),
    }
}

/// A part of a whole in percent, rounded down: 100 means all.
pub fn percent(part: u64, whole: u64) -> u64 {
    part.min(whole).saturating_mul(100).checked_div(whole).unwrap_or(100)
}

/// A list with its counts: `break-glass.csv: 7 entries, 6 accounts and 1 group, 2 among the selected users`. IDs in
/// comments have no effect, so the text points them out.
pub fn protect_list(list: &ListRecord, in_plan: bool) -> String {
    let some = |number: u64, one: &str, more: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{} {more}", count(number))),
    };
    let kinds = [
        some(list.accounts, "account", "accounts"),
        some(list.groups, "group", "groups"),
        some(list.roles, "role", "roles"),
    ];
    let kinds: Vec<String> = kinds.into_iter().flatten().collect();
    let kinds = match &kinds[..] {
        [] => String::new(),
        [one] => format!(", {one}"),
        [first @ .., last] => format!(", {} and {last}", first.join(", ")),
    };
    let entries = some(list.entries, "entry", "entries").unwrap_or_else(|| "no entries".to_owned());
    let of_them = match in_plan {
        true => format!(", {} among the selected users", count(list.in_plan)),
        false => String::new(),
    };
    let comments = match &list.comments[..] {
        [] => String::new(),
        [line] => format!("; the ID in the comment on line {line} has no effect"),
        [first, ..] => format!(
            "; IDs in {} comments (line {first} and others) have no effect",
            count(list.comments.len() as u64)
        ),
    };
    let name = crate::text::sanitize::sanitize_truncated(&list.name, 80);
    format!("{name}: {entries}{kinds}{of_them}{comments}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_thousands_apart() {
        let shown = [0, 7, 999, 1_000, 12_345, 1_234_567].map(count);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "1,234,567"]);
        assert_eq!([users(0), users(1), users(2_000)], ["0 users", "1 user", "2,000 users"]);
    }

    #[test]
    fn spans_show_two_units() {
        let shown =
            [0, 59, 60, 190, 3_599, 3_600, 7_500, 86_400, 183_600].map(|s| span(Duration::from_secs(s)));
        assert_eq!(shown, ["0s", "59s", "1m00s", "3m10s", "59m59s", "1h00m", "2h05m", "1d00h", "2d03h"]);
        assert_eq!(span(Duration::from_millis(59_600)), "1m00s");
    }

    #[test]
    fn who_waits_is_named() {
        let one = ("a\u{1b}", Duration::from_millis(1_500));
        let two = ("b", Duration::from_secs(9));
        let shown = |apps: &[(&str, Duration)]| throttled_apps(apps.iter().copied());
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[one]).unwrap(), "throttled: app a\\u{1b} for 2s; the others continue");
        assert!(shown(&[one, two]).unwrap().contains("for 2s, b for 9s"));
    }

    #[test]
    fn waits_round_up() {
        assert_eq!(wait(Duration::from_millis(1)), "1s");
        assert_eq!(wait(Duration::from_millis(12_000)), "12s");
        assert_eq!(wait(Duration::ZERO), "0s");
    }

    #[test]
    fn rates_and_percents() {
        assert_eq!(
            [rate(0.0), rate(19.94), rate(99.97), rate(1_240.4)],
            ["0.0/s", "19.9/s", "100/s", "1,240/s"]
        );
        assert_eq!([percent(0, 0), percent(1, 3), percent(4_999, 5_000), percent(5, 5)], [100, 33, 99, 100]);
    }
}
