//! The authority's answer to a request for a device code, checked before a person is asked to act on it.

use std::time::Duration;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::token_endpoint::usable_lifetime;
use super::{Endpoint, Prompt};
use crate::number::Number;
use crate::text::sanitize::sanitize_truncated;

/// Time between two polls if the server does not name one, and what `slow_down` adds (RFC 8628, 3.2 and 3.5).
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Shortest time between two polls, even if the server allows less.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The authority's answer to a request for a device code.
pub(super) struct DeviceCodeResponse {
    pub(super) device_code: SecretString,
    pub(super) prompt: Prompt,
    pub(super) interval: Duration,
}

#[derive(Deserialize)]
struct DeviceCodeBody {
    device_code: SecretString,
    user_code: String,
    #[serde(alias = "verification_url")]
    verification_uri: String,
    expires_in: Number,
    #[serde(default)]
    interval: Number,
}

impl DeviceCodeResponse {
    /// Reads an answer.
    ///
    /// # Errors
    /// Why it can't be used.
    pub(super) fn parse(body: &[u8]) -> Result<DeviceCodeResponse, String> {
        let useless = || "its answer has no device code; is there a proxy or a portal in between?".to_owned();
        let body: DeviceCodeBody = serde_json::from_slice(body).map_err(|_| useless())?;
        let expires_in = usable_lifetime(&body.expires_in).ok_or_else(useless)?;
        if body.user_code.trim().is_empty() || body.device_code.expose_secret().is_empty() {
            return Err(useless());
        }
        let address = parse_trusted_url(&body.verification_uri)?;
        let prompt =
            Prompt { address, code: sanitize_truncated(&body.user_code, 40), expires_in, reason: None };
        Ok(DeviceCodeResponse {
            device_code: body.device_code,
            prompt,
            interval: poll_interval(&body.interval),
        })
    }
}

/// The time between two polls, from seconds as a number or a text.
fn poll_interval(interval: &Number) -> Duration {
    match interval.seconds().filter(|seconds| !seconds.is_zero()) {
        Some(seconds) => seconds.max(MIN_INTERVAL),
        None => DEFAULT_INTERVAL,
    }
}

/// An address that a person may be asked to open, with its host in ASCII so that a look-alike is visible. People enter
/// their password there, so it must use TLS, except on loopback.
fn parse_trusted_url(address: &str) -> Result<String, String> {
    let refused = || {
        format!(
            "it asks you to sign in at {}, which is not a trusted address",
            sanitize_truncated(address, 120)
        )
    };
    let url = Url::parse(address.trim()).map_err(|_| refused())?;
    let origin: Result<Endpoint, _> = url.origin().ascii_serialization().parse();
    if origin.is_err() || !url.username().is_empty() || url.password().is_some() || url.as_str().len() > 200 {
        return Err(refused());
    }
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::number::MAX_DURATION;

    fn body(change: impl FnOnce(&mut Value)) -> Vec<u8> {
        let mut body = json!({
            "device_code": "fake-device-code",
            "user_code": "ABCD-EFGH",
            "verification_uri": "https://microsoft.com/devicelogin",
            "expires_in": 900,
            "interval": 5,
            "message": "To sign in …",
        });
        change(&mut body);
        body.to_string().into_bytes()
    }

    #[test]
    fn a_code_is_read() {
        let code = DeviceCodeResponse::parse(&body(|_| {})).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(code.prompt.address, "https://microsoft.com/devicelogin");
        assert_eq!(code.prompt.code, "ABCD-EFGH");
        assert_eq!((code.prompt.expires_in, code.interval), (Duration::from_secs(900), DEFAULT_INTERVAL));
        let acting = DeviceCodeResponse::parse(&body(|body| body["user_code"] = "A\u{1b}[2J".into()));
        assert!(acting.is_ok_and(|code| !code.prompt.code.contains('\u{1b}')));
    }

    #[test]
    fn malformed_response_is_rejected() {
        for (name, value) in [
            ("device_code", json!("")),
            ("device_code", json!(null)),
            ("user_code", json!("  ")),
            ("expires_in", json!(0)),
            ("expires_in", json!("soon")),
            ("verification_uri", json!(7)),
        ] {
            let read = DeviceCodeResponse::parse(&body(|body| body[name] = value.clone()));
            assert!(read.is_err_and(|why| why.contains("no device code")), "{name}: {value}");
        }
    }

    #[test]
    fn only_trusted_verification_urls_are_accepted() {
        for good in [
            "https://microsoft.com/devicelogin",
            "http://127.0.0.1:80/x",
            "https://login.microsoftonline.us/",
        ] {
            assert!(parse_trusted_url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://microsoft.com/devicelogin",
            "https://microsoft.com@evil.example/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "microsoft.com/devicelogin",
            "",
        ] {
            assert!(parse_trusted_url(bad).is_err_and(|why| why.contains("not a trusted address")), "{bad}");
        }
        assert_eq!(
            parse_trusted_url("https://m\u{456}crosoft.com/").as_deref(),
            Ok("https://xn--mcrosoft-thh.com/")
        );
    }

    #[test]
    fn server_interval_is_respected() {
        for (said, seconds) in [
            (json!(7), 7.0),
            (json!("3"), 3.0),
            (json!(0.25), 0.25),
            (json!(0.001), 0.1),
            (json!(600), 600.0),
        ] {
            assert_eq!(poll_interval(&said.clone().into()), Duration::from_secs_f64(seconds), "{said}");
        }
        for none in [json!(null), json!(0), json!(-1), json!("soon"), json!("NaN"), json!("+5")] {
            assert_eq!(poll_interval(&none.clone().into()), DEFAULT_INTERVAL, "{none}");
        }
        for endless in [json!(1.8e19), json!(1e300), json!(u64::MAX), json!("18446744073709551615")] {
            assert_eq!(poll_interval(&endless.clone().into()), MAX_DURATION, "{endless}");
            let code = DeviceCodeResponse::parse(&body(|body| body["expires_in"] = endless.clone()));
            assert!(code.is_ok_and(|code| code.prompt.expires_in == MAX_DURATION), "{endless}");
        }
    }
}
