//! The certificate that an app signs in with.

use jiff::Timestamp;

use super::Finding;
use crate::identity::Certificate;
use crate::text::sanitize::sanitize_truncated;

/// Checks when the certificate expires. A run can't sign in with an expired one.
pub fn check(subject: &str, thumbprint: &str, not_after: Timestamp, now: Timestamp) -> Finding {
    let (subject, thumbprint) = (sanitize_truncated(subject, 120), sanitize_truncated(thumbprint, 64));
    let remaining = not_after.duration_since(now);
    let days = remaining.abs().as_hours() / 24;
    let which = format!("{subject} ({thumbprint})");
    let advice = "make a new one and add its public part to the app before this one expires";
    match () {
        () if remaining.is_negative() => Finding::fatal(
            "certificate",
            format!("{which} expired {days} days ago, at {not_after}"),
            advice,
            4,
        ),
        () if remaining.unsigned_abs() <= Certificate::EXPIRY_WARNING => {
            Finding::warning("certificate", format!("{which} expires in {days} days, at {not_after}"), advice)
        }
        () => Finding::ok("certificate", format!("{which} expires in {days} days, at {not_after}")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn expiry_within_a_month_warns_and_past_expiry_fails() {
        let now: Timestamp = "2026-11-22T03:00:00Z".parse().unwrap();
        let in_days = |days: i64| now + SignedDuration::from_hours(days * 24);
        let found = |days| check("CN=app", "AB12", in_days(days), now);
        assert_eq!([found(31).status, found(29).status], [CheckStatus::Ok, CheckStatus::Warning]);
        assert_eq!((found(-1).status, found(-1).exit_code), (CheckStatus::Failed, Some(4)));
        assert!(
            found(29).finding.contains("CN=app (AB12) expires in 29 days, at 2026-12-21"),
            "{:?}",
            found(29)
        );
    }
}
