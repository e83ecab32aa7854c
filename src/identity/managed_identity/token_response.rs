//! The token in the answer of these services. They write its expiry as seconds since 1970 or as seconds from now, each
//! as a number or as text.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::DATE;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::super::retry_policy::EndpointAnswer;
use super::super::token_endpoint::usable_lifetime;
use super::super::token_service::TokenService;
use super::super::tokens::clean_token;
use super::super::{IssuedToken, SignInError};
use crate::number::{self, Number};

#[derive(Deserialize)]
struct ServiceTokenBody {
    access_token: SecretString,
    expires_on: Option<Number>,
    expires_in: Option<Number>,
}

/// The token of a successful answer.
pub(super) fn parse_token(
    service: &TokenService,
    answer: &EndpointAnswer,
) -> Result<IssuedToken, SignInError> {
    read(&answer.body, answer_time(answer)).ok_or_else(|| {
        service.error("its answer has no usable token; is this machine's clock right?".to_owned(), "")
    })
}

/// The server's time if the answer has it, because `expires_on` refers to the server's clock.
fn answer_time(answer: &EndpointAnswer) -> Timestamp {
    let date = answer.header(DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    date.and_then(|date| Timestamp::try_from(date).ok()).unwrap_or_else(Timestamp::now)
}

fn read(body: &[u8], now: Timestamp) -> Option<IssuedToken> {
    let body: ServiceTokenBody = serde_json::from_slice(body).ok()?;
    clean_token(body.access_token.expose_secret()).ok()?;
    let until = |end: Timestamp| number::duration_between(now, end).unwrap_or_default();
    let on = body.expires_on.and_then(|on| on.instant()).map(until);
    let within = body.expires_in.and_then(|within| usable_lifetime(&within));
    // A cached token has less time left than a new one, so the shorter of both times is right.
    let lifetime = [on, within].into_iter().flatten().min()?;
    if lifetime < Duration::from_secs(1) {
        return None;
    }
    Some(IssuedToken { token: body.access_token, lifetime: Some(lifetime) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(ends: &str) -> Option<u64> {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let body = format!(r#"{{"access_token":"fake"{ends}}}"#);
        read(body.as_bytes(), now).map(|issued| issued.lifetime.unwrap().as_secs())
    }

    #[test]
    fn expiry_is_read_in_every_form() {
        assert_eq!(lifetime(r#","expires_on":1003600"#), Some(3600));
        assert_eq!(lifetime(r#","expires_on":"1003600""#), Some(3600));
        assert_eq!(lifetime(r#","expires_in":"3599""#), Some(3599));
        assert_eq!(lifetime(r#","expires_in":3599,"expires_on":"1000100""#), Some(100));
        assert_eq!(lifetime(r#","expires_in":"86400","expires_on":"1000100""#), Some(100));
    }

    #[test]
    fn token_without_or_past_expiry_is_rejected() {
        for none in ["18446744073709551615", "1.8e19", "-1", "1e300"] {
            assert_eq!(lifetime(&format!(r#","expires_on":{none}"#)), None, "{none}");
            assert_eq!(lifetime(&format!(r#","expires_on":"{none}""#)), None, "{none}");
        }
        let longest = number::MAX_DURATION.as_secs();
        assert_eq!(lifetime(r#","expires_in":18446744073709551615,"expires_on":1003600"#), Some(3600));
        assert_eq!(lifetime(r#","expires_in":1.8e19"#), Some(longest));
        assert_eq!(lifetime(r#","expires_on":253402207200"#), Some(longest));
        for ends in ["", r#","expires_on":"999999""#, r#","expires_in":0"#, r#","expires_on":"soon""#] {
            assert_eq!(lifetime(ends), None, "{ends}");
        }
        assert!(read(b"<html>", Timestamp::now()).is_none());
        assert!(read(br#"{"access_token":"a b","expires_in":9}"#, Timestamp::now()).is_none());
    }
}
