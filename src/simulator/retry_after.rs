//! The forms of `Retry-After`, and the 429 that has it.

use std::time::{Duration, SystemTime};

use hyper::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use jiff::Timestamp;

use super::body::Body;
use super::graph_response::{GraphError, GraphResponder};
use super::quota::{QuotaConfig, RetryAfter, ThrottleBody};
use super::throttle::{ClientApp, QuotaScope};

const THROTTLE_SCOPE: HeaderName = HeaderName::from_static("x-ms-throttle-scope");
const THROTTLE_INFORMATION: HeaderName = HeaderName::from_static("x-ms-throttle-information");
pub(super) const THROTTLE_PERCENTAGE: HeaderName = HeaderName::from_static("x-ms-throttle-limit-percentage");

/// The header's value for a `wait` in real time that begins at `sent`. Several header lines are separated by `
/// `. The value is rounded up, so that a client that obeys it is never early (except with [`RetryAfter::One`] and
/// [`RetryAfter::Short`]).
pub(super) fn render(form: RetryAfter, wait: Duration, sent: Timestamp) -> Option<String> {
    match form {
        RetryAfter::Integer => Some(whole_seconds(wait).max(1).to_string()),
        RetryAfter::Decimal => Some(decimal(wait.as_nanos().div_ceil(1_000_000).max(1))),
        RetryAfter::Short => Some(decimal(wait.as_nanos() / 2_000_000)),
        RetryAfter::Date => Some(date(sent, wait, "%a, %d %b %Y %H:%M:%S GMT")),
        RetryAfter::Rfc850 => Some(date(sent, wait, "%A, %d-%b-%y %H:%M:%S GMT")),
        RetryAfter::Asctime => Some(date(sent, wait, "%a %b %e %H:%M:%S %Y")),
        RetryAfter::Joined | RetryAfter::Lines => {
            let between = if form == RetryAfter::Joined { ", " } else { "\n" };
            Some(format!("1{between}{}", whole_seconds(wait).max(1)))
        }
        RetryAfter::Missing => None,
        RetryAfter::One => Some("1".into()),
    }
}

/// The end of the wait as a date, rounded up to whole seconds.
fn date(sent: Timestamp, wait: Duration, form: &str) -> String {
    let end = SystemTime::from(sent) + wait;
    let since = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let end = i64::try_from(whole_seconds(since)).ok().and_then(|second| Timestamp::from_second(second).ok());
    end.unwrap_or(Timestamp::MAX).strftime(form).to_string()
}

fn decimal(millis: u128) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// How long a client waits that gets `text` at `sent` and obeys it. `None` if the text is not a wait.
pub(super) fn parse(text: &str, sent: Timestamp) -> Option<Duration> {
    let one = |text: &str| {
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let date = httpdate::parse_http_date(text).ok()?;
        Some(date.duration_since(SystemTime::from(sent)).unwrap_or_default())
    };
    one(text.trim()).or_else(|| text.split(',').filter_map(|text| one(text.trim())).max())
}

/// The wait that these headers announce, in the same way.
pub(super) fn from_headers(headers: &HeaderMap, sent: Timestamp) -> Option<Duration> {
    let lines = headers.get_all(RETRY_AFTER).iter().filter_map(|value| value.to_str().ok());
    lines.filter_map(|text| parse(text, sent)).max()
}

/// A 429 for `app`. The headers and the documented body are as in Graph's throttling guidance, the other bodies as
/// users reported them (see [`ThrottleBody`]).
pub(super) fn throttled_response(
    responder: &GraphResponder,
    quota: &QuotaConfig,
    app: &ClientApp,
    scope: QuotaScope,
    retry_after: Option<&str>,
) -> Response<Body> {
    let identifier = format!(
        "Too many requests from Identifier:{} under category:aadgraph.app.tenant_large. Please try again later.",
        app.id
    );
    let other =
        "This request is throttled. Please try again after the value specified in the Retry-After header.";
    let error =
        |code, message| responder.error(&GraphError::new(StatusCode::TOO_MANY_REQUESTS, code, message));
    let mut response = match quota.body {
        ThrottleBody::Documented => responder.json(StatusCode::TOO_MANY_REQUESTS, responder.throttled_body()),
        ThrottleBody::Identifier => error("TooManyRequests", &identifier),
        ThrottleBody::Unknown => error("UnknownError", other),
    };
    let headers = response.headers_mut();
    let (name, limit, information) = match scope {
        QuotaScope::App => ("Tenant_Application", "Write", "WriteLimitExceeded"),
        QuotaScope::Tenant => ("Tenant", "Write", "WriteLimitExceeded"),
        QuotaScope::AllTenants => ("Application", "Write", "WriteLimitExceeded"),
        QuotaScope::Reads => ("Tenant_Application", "Read", "ResourceUnitLimitExceeded"),
    };
    if let Ok(value) = HeaderValue::from_str(&format!("{name}/{limit}/{}/{}", app.id, app.tenant.id)) {
        headers.insert(THROTTLE_SCOPE, value);
    }
    headers.insert(THROTTLE_INFORMATION, HeaderValue::from_static(information));
    for line in retry_after.into_iter().flat_map(str::lines) {
        if let Ok(value) = HeaderValue::from_str(line) {
            headers.append(RETRY_AFTER, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WAIT: Duration = Duration::from_micros(248_100);

    #[test]
    fn every_form_announces_at_least_the_wait() {
        let sent: Timestamp = "2026-01-02T03:04:05.900Z".parse().unwrap();
        let text = |form| render(form, WAIT, sent);
        assert_eq!(text(RetryAfter::Integer).as_deref(), Some("1"));
        assert_eq!(text(RetryAfter::Decimal).as_deref(), Some("0.249"));
        assert_eq!(text(RetryAfter::Date).as_deref(), Some("Fri, 02 Jan 2026 03:04:07 GMT"));
        assert_eq!(text(RetryAfter::Rfc850).as_deref(), Some("Friday, 02-Jan-26 03:04:07 GMT"));
        assert_eq!(text(RetryAfter::Asctime).as_deref(), Some("Fri Jan  2 03:04:07 2026"));
        let nine = |form| render(form, Duration::from_secs(9), sent);
        assert_eq!(nine(RetryAfter::Joined).as_deref(), Some("1, 9"));
        assert_eq!(nine(RetryAfter::Lines).as_deref(), Some("1\n9"));
        assert_eq!(text(RetryAfter::Missing), None);
        for form in [RetryAfter::Integer, RetryAfter::Decimal, RetryAfter::Date, RetryAfter::Rfc850] {
            let told = parse(&text(form).unwrap(), sent).unwrap();
            assert!(told >= WAIT, "{form:?}: {told:?}");
        }
        assert_eq!(text(RetryAfter::Short).as_deref(), Some("0.124"), "half of it, cut");
        assert_eq!(render(RetryAfter::One, Duration::from_secs(9), sent).as_deref(), Some("1"));
    }

    proptest! {
        #[test]
        fn obeying_retry_after_is_never_early(
            form in prop::sample::select(vec![
                RetryAfter::Integer, RetryAfter::Decimal, RetryAfter::Date, RetryAfter::Asctime, RetryAfter::Joined,
            ]),
            wait in 0u64..10_000_000_000_000, sent in 0i64..4_000_000_000_000_000_000,
        ) {
            let (wait, sent) = (Duration::from_nanos(wait), Timestamp::from_nanosecond(sent.into()).unwrap());
            let told = parse(&render(form, wait, sent).unwrap(), sent).unwrap();
            prop_assert!(told >= wait, "{told:?} < {wait:?}");
        }
    }

    #[test]
    fn an_unreadable_retry_after_is_ignored() {
        let sent = Timestamp::UNIX_EPOCH;
        assert_eq!(parse("soon", sent), None);
        assert_eq!(parse("-3", sent), None);
        assert_eq!(parse("", sent), None);
    }
}
