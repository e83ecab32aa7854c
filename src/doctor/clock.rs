//! This machine's clock compared with the server's.

use std::time::Duration;

use super::Finding;
use crate::text::humanize;

/// A larger difference is reported, in seconds.
pub const TOLERATED_SECONDS: i64 = 60;

/// The largest clock difference at which Entra accepts a certificate's assertion or a token, in seconds.
const MAX_OFFSET_SECONDS: i64 = 300;

const ADVICE: &str = "set this machine's clock (NTP): certificates and tokens are checked against it, and the \
                      times in the evidence come from it";

/// How far the clock is off, in words. `None` if it does not matter. `offset` is in seconds, and negative if the clock
/// is behind.
pub fn offset_warning(offset: i64) -> Option<String> {
    let way = if offset < 0 { "behind" } else { "ahead of" };
    let by = humanize::span(Duration::from_secs(offset.unsigned_abs()));
    (offset.abs() > TOLERATED_SECONDS).then(|| format!("this machine's clock is {by} {way} the server's"))
}

/// Checks how far this machine's clock is ahead of the server's, in seconds. A run starts in any case: if the
/// difference matters, the sign-in fails.
pub fn check(offset: Option<i64>) -> Finding {
    let Some(offset) = offset else {
        return Finding::skipped("clock", "no server has sent its time");
    };
    match offset_warning(offset) {
        None => Finding::ok("clock", format!("within {TOLERATED_SECONDS}s of the server's")),
        Some(off) if offset.abs() > MAX_OFFSET_SECONDS => Finding::failed("clock", off, ADVICE),
        Some(off) => Finding::warning("clock", off, ADVICE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn offset_over_a_minute_warns_and_over_five_fails() {
        let status = |offset| check(Some(offset)).status;
        assert_eq!([status(0), status(60), status(-60)], [CheckStatus::Ok; 3]);
        assert_eq!([status(61), status(-300)], [CheckStatus::Warning; 2]);
        assert_eq!([status(301), status(-86_400)], [CheckStatus::Failed; 2]);
        assert_eq!(check(None).status, CheckStatus::Skipped);
        assert!(check(Some(-432)).finding.contains("7m12s behind"), "{:?}", check(Some(-432)));
        assert_eq!(check(Some(-432)).exit_code, None, "a run starts");
    }
}
