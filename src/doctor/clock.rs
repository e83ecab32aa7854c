//! This machine's clock against the server's.

use std::time::Duration;

use super::Finding;
use crate::console::wording;

/// From here on it is told, in seconds.
pub const TOLERATED: i64 = 60;

/// Entra takes a certificate's assertion and a token as long as clocks differ by five minutes at most, in seconds.
const REFUSED: i64 = 300;

/// What to do.
const ADVICE: &str = "set this machine's clock (NTP): certificates and tokens are checked against it, and the times in \
                      the evidence come from it";

/// How far the clock is off, in words; none where it does not matter. `ahead` is in seconds; below zero it is behind.
pub fn off(ahead: i64) -> Option<String> {
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    let by = wording::span(Duration::from_secs(ahead.unsigned_abs()));
    (ahead.abs() > TOLERATED).then(|| format!("this machine's clock is {by} {way} the server's"))
}

/// Judges how far this machine's clock is ahead of the server's, in seconds. A run starts whatever it shows: where it
/// matters, the sign-in fails.
pub fn check(ahead: Option<i64>) -> Finding {
    let Some(ahead) = ahead else {
        return Finding::skipped("clock", "no server has told its time");
    };
    match off(ahead) {
        None => Finding::ok("clock", format!("within {TOLERATED}s of the server's")),
        Some(off) if ahead.abs() > REFUSED => Finding::broken("clock", off, ADVICE),
        Some(off) => Finding::warning("clock", off, ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn a_minute_is_told_and_five_are_red() {
        let status = |ahead| check(Some(ahead)).status;
        assert_eq!([status(0), status(60), status(-60)], [CheckStatus::Ok; 3]);
        assert_eq!([status(61), status(-300)], [CheckStatus::Warning; 2]);
        assert_eq!([status(301), status(-86_400)], [CheckStatus::Failed; 2]);
        assert_eq!(check(None).status, CheckStatus::Skipped);
        assert!(check(Some(-432)).finding.contains("7m12s behind"), "{:?}", check(Some(-432)));
        assert_eq!(check(Some(-432)).ends_with, None, "a run starts");
    }
}
