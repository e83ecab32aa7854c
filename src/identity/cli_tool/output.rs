//! The output of `az account get-access-token` and `azd auth token`.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::IssuedToken;
use super::super::tokens::clean_token;
use crate::number::{self, Number};

/// `az`: `accessToken`, `expires_on` (seconds since 1970, from 2.54 on), `expiresOn` (local time, without a zone).
/// `azd`: `token`, `expiresOn` (RFC 3339).
#[derive(Deserialize)]
struct ToolOutput {
    #[serde(alias = "accessToken")]
    token: SecretString,
    expires_on: Option<Number>,
    #[serde(rename = "expiresOn")]
    expires_at: Option<String>,
}

/// The token, if there is one that has not expired. A token whose expiry can't be read is used until Graph refuses it.
pub(super) fn parse_token(stdout: &[u8], now: Timestamp) -> Option<IssuedToken> {
    let text = std::str::from_utf8(stdout).ok()?.trim_start_matches('\u{feff}');
    let printed: ToolOutput = serde_json::from_str(text).ok()?;
    clean_token(printed.token.expose_secret()).ok()?;
    let epoch = printed.expires_on.and_then(|seconds| seconds.instant());
    let lifetime = match epoch.or_else(|| parse_time(printed.expires_at.as_deref()?)) {
        Some(end) => Some(number::duration_between(now, end)?),
        None => None,
    };
    if lifetime.is_some_and(|life| life < Duration::from_secs(1)) {
        return None;
    }
    Some(IssuedToken { token: printed.token, lifetime })
}

fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let local: DateTime = text.parse().ok()?;
    // Without a known time zone, the instant is unknown.
    let zone = TimeZone::try_system().ok()?;
    Some(local.to_zoned(zone).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(rest: &str) -> Option<Option<u64>> {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let issued = parse_token(format!(r#"{{"accessToken":"fake"{rest}}}"#).as_bytes(), now)?;
        Some(issued.lifetime.map(|life| life.as_secs()))
    }

    #[test]
    fn expiry_is_read_from_each_version() {
        let local = Timestamp::from_second(1_700_000_600).unwrap();
        let local = local.to_zoned(TimeZone::try_system().unwrap_or(TimeZone::UTC));
        let old = format!(r#","expiresOn":"{}.123456""#, local.strftime("%Y-%m-%d %H:%M:%S"));
        let found = lifetime(&old);
        assert!(found == Some(Some(600)) || TimeZone::try_system().is_err(), "{found:?}");
        let new = r#","expiresOn":"2001-01-01 00:00:00.000000","expires_on":1700003600"#;
        assert_eq!(lifetime(new), Some(Some(3600)));
        assert_eq!(lifetime(r#","expiresOn":"2023-11-14T23:13:20Z""#), Some(Some(3600)));
        assert_eq!(lifetime(""), Some(None));
        assert_eq!(lifetime(r#","expiresOn":"soon""#), Some(None));
        assert_eq!(lifetime(r#","expires_on":"1700003600""#), Some(Some(3600)));
        for unreadable in ["18446744073709551615", "-1e300", "true", "[1]", "\"NaN\""] {
            assert_eq!(lifetime(&format!(r#","expires_on":{unreadable}"#)), Some(None), "{unreadable}");
        }
        assert_eq!(
            lifetime(r#","expiresOn":"9999-12-30T00:00:00Z""#),
            Some(Some(number::MAX_DURATION.as_secs()))
        );
    }

    #[test]
    fn azd_token_is_read() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        assert!(parse_token(br#"{"token":"fake","expiresOn":"2023-11-14T23:13:20Z"}"#, now).is_some());
    }

    #[test]
    fn expired_or_missing_token_is_rejected() {
        assert_eq!(lifetime(r#","expires_on":1699999999"#), None);
        let now = Timestamp::now();
        for odd in ["", "{}", "[]", "WARNING: x", r#"{"accessToken":""}"#, r#"{"accessToken":"a b"}"#] {
            assert!(parse_token(odd.as_bytes(), now).is_none(), "{odd}");
        }
    }
}
