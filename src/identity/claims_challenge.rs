//! The claims challenge of continuous access evaluation: a 401 with the claims that a new token must have
//! (learn.microsoft.com/entra/identity-platform/claims-challenge).

use std::borrow::Cow;
use std::iter::from_fn;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// Base64 with or without padding, because some encoders omit it. Some also leave stray bits at the end.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The claims of a challenge, decoded to JSON, if one of the `WWW-Authenticate` headers has them.
pub fn claims_from_headers(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .find_map(|value| parse_header(&String::from_utf8_lossy(value.as_bytes())))
}

/// The first readable claims in a header, which may have several challenges.
fn parse_header(header: &str) -> Option<String> {
    parameters(header)
        .filter(|(name, _)| name.eq_ignore_ascii_case("claims"))
        .find_map(|(_, value)| decode(&value))
}

/// All parameters of all challenges in a header (RFC 9110, 11.6.1). They come in any order, quoted or not, and values
/// may contain `=`, `,` and escaped quotes. Schemes are skipped, because no other scheme has a `claims` parameter.
fn parameters(header: &str) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
    let mut rest = header;
    from_fn(move || {
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            if rest.is_empty() {
                return None;
            }
            let end = rest.find(|c: char| c == '=' || c == ',' || c.is_whitespace()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            match after.trim_start().strip_prefix('=') {
                Some(value) => {
                    let (value, next) = parse_value(value.trim_start());
                    rest = next;
                    return Some((name, value));
                }
                // A scheme, or a stray word.
                None => rest = after,
            }
        }
    })
}

/// The value at the start of a text, and the rest of the text.
fn parse_value(text: &str) -> (Cow<'_, str>, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
        return (Cow::Borrowed(&text[..end]), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return (Cow::Owned(value), &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (Cow::Owned(value), "")
}

/// Claims from base64 with either alphabet, or from plain JSON. `None` if they are not a JSON object.
fn decode(value: &str) -> Option<String> {
    let value = value.trim();
    let json = if value.starts_with('{') {
        value.as_bytes().to_vec()
    } else {
        LENIENT.decode(value.replace('-', "+").replace('_', "/")).ok()?
    };
    let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
    json.is_object().then(|| json.to_string())
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}"#;

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        claims_from_headers(&headers)
    }

    #[test]
    fn claims_are_found_in_any_order_and_form() {
        let encoded = STANDARD.encode(CLAIMS);
        for value in [
            format!(
                r#"Bearer realm="", authorization_uri="https://login.example/a?b=c", error="insufficient_claims", claims="{encoded}""#
            ),
            format!(r#"Bearer claims="{encoded}", error="insufficient_claims""#),
            format!("Bearer authorization_uri=https://login.example/?a=b,claims={encoded}"),
            format!(r#"Bearer CLAIMS = "{encoded}""#),
            format!(r#"Bearer errorDescription="said \"claims=no\", and more", claims="{encoded}""#),
            format!(r#"PoP nonce="a=b==", Bearer realm="", claims="{encoded}", Basic realm="x""#),
            format!(r#"PoP claims="%%%", Bearer claims="{encoded}""#),
            format!(r#"Negotiate YWJj==, Bearer claims="{encoded}""#),
            format!("Bearer errorDescription=\"f\u{fc}r\", claims=\"{encoded}\""),
            format!(r#"Bearer claims="{}""#, CLAIMS.replace('"', "\\\"")),
        ] {
            assert_eq!(read(&["Basic realm=\"x\"", &value]).as_deref(), Some(CLAIMS), "{value}");
        }
    }

    #[test]
    fn other_headers_have_no_claims() {
        for value in [
            "",
            "Bearer",
            "Bearer realm=\"claims=x\"",
            "Bearer realm=\"\\\"claims=eyJhIjoxfQ\"",
            "Bearer claims=\"%%%\"",
            "Bearer claims=\"MQ==\"",
            "Bearer claims=",
            "Bearer claims=\"",
            "Bearer claims",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }

    /// How a value can be written.
    fn written(claims: &str, engine: usize, form: usize) -> String {
        let encoded = match engine {
            0 => STANDARD.encode(claims),
            1 => STANDARD_NO_PAD.encode(claims),
            2 => URL_SAFE.encode(claims),
            _ => URL_SAFE_NO_PAD.encode(claims),
        };
        match form {
            0 => format!("claims={encoded}"),
            1 => format!("claims=\"{encoded}\""),
            _ => format!("Claims = \"{encoded}\""),
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~]*") {
            let _ = read(&[&value]);
        }

        #[test]
        fn claims_are_found_at_any_position(
            value in "[ -~\u{fc}\u{4e2d}]{0,20}",
            others in prop::collection::vec(
                prop_oneof![
                    Just("realm=\"\"".to_owned()),
                    Just("authorization_uri=https://login.example/a?b=c&d=".to_owned()),
                    Just("error=\"insufficient_claims\"".to_owned()),
                    "[a-z]{1,8}=\"[ -!#-\\[\\]-~]{0,12}\"",
                    "[a-z]{1,8}=\"(\\\\[ -~]|[a-z]){0,6}\"",
                ],
                0..6,
            ),
            (engine, form, at) in (0..4_usize, 0..3_usize, 0..6_usize),
            (gap, scheme, headers) in (prop_oneof![Just(","), Just(", "), Just(" , ")], 0..2, 0..2_usize),
        ) {
            let claims = serde_json::json!({ "access_token": { "acrs": { "value": value } } }).to_string();
            let others = others.into_iter().filter(|other| !other.starts_with("claims="));
            let mut parameters: Vec<String> = others.collect();
            parameters.insert(at.min(parameters.len()), written(&claims, engine, form));
            let scheme = ["Bearer", "PoP"][scheme as usize];
            let header = format!("{scheme} {}", parameters.join(gap));
            let mut all = vec!["Negotiate"; headers];
            all.push(&header);
            prop_assert_eq!(read(&all), Some(claims), "{}", header);
        }
    }
}
