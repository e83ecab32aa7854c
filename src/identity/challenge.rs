//! The claims challenge of continuous access evaluation: a 401 that says what a new token must answer
//! (learn.microsoft.com/entra/identity-platform/claims-challenge).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The claims of a challenge, decoded to JSON, where one of the `WWW-Authenticate` headers carries them.
pub fn claims(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(|value| decode(parameter(value, "claims")?))
}

/// The value of one parameter. Parameters come in any order, quoted or not, and values hold `=` and `,`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = header;
    while let Some(at) = rest.find('=') {
        let key = rest[..at].rsplit([' ', ',', '\t']).next().unwrap_or_default();
        let after = &rest[at + 1..];
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find([',', ' ']).unwrap_or(after.len())),
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next;
    }
    None
}

fn decode(value: &str) -> Option<String> {
    let bytes =
        STANDARD.decode(value).or_else(|_| URL_SAFE_NO_PAD.decode(value.trim_end_matches('='))).ok()?;
    let json: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    json.is_object().then(|| json.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap());
        }
        claims(&headers)
    }

    #[test]
    fn claims_are_found_in_any_order_and_form() {
        let encoded = STANDARD.encode(CLAIMS);
        let quoted = format!(
            r#"Bearer realm="", authorization_uri="https://login.example/a?b=c", error="insufficient_claims", claims="{encoded}""#
        );
        let first = format!(r#"Bearer claims="{encoded}", error="insufficient_claims""#);
        let unquoted = format!("Bearer authorization_uri=https://login.example/?a=b,claims={encoded}");
        for value in [&quoted, &first, &unquoted] {
            assert_eq!(read(&["Basic realm=\"x\"", value]).as_deref(), Some(CLAIMS), "{value}");
        }
    }

    #[test]
    fn other_headers_hold_none() {
        for value in
            ["Bearer", "Bearer realm=\"claims=x\"", "Bearer claims=\"%%%\"", "Bearer claims=\"MQ==\""]
        {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~]*") {
            let _ = read(&[&value]);
        }
    }
}
