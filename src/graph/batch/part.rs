//! One part of a batch's answer, before it is interpreted: an ID, a status, headers, a body.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object, in their raw JSON.
pub(super) struct PartMembers<'a>(Vec<(String, &'a RawValue)>);

/// A name occurs twice in one object, perhaps in two spellings, so it is not known which one is meant.
pub(super) struct AmbiguousPart;

impl<'a> PartMembers<'a> {
    /// Parses an object, or returns `None` if it is something else.
    pub(super) fn read(json: &'a RawValue) -> Option<PartMembers<'a>> {
        serde_json::from_str(json.get()).ok()
    }

    /// The member of this name, or `None` if it is missing or `null`.
    pub(super) fn get(&self, name: &str) -> Result<Option<&'a RawValue>, AmbiguousPart> {
        let mut alike = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        let found = alike.next();
        if alike.next().is_some() {
            return Err(AmbiguousPart);
        }
        Ok(found.filter(|(given, value)| given == name && value.get() != "null").map(|(_, value)| *value))
    }

    /// Whether an error, or an action's return value, is among the members.
    pub(super) fn has_error_or_value(&self) -> bool {
        const SAYING: [&str; 5] = ["error", "errors", "value", "odata.error", "@odata.error"];
        self.0.iter().any(|(name, _)| SAYING.iter().any(|saying| name.eq_ignore_ascii_case(saying)))
    }
}

impl<'de> Deserialize<'de> for PartMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PartMembers<'de>, D::Error> {
        struct PartReader;
        impl<'de> Visitor<'de> for PartReader {
            type Value = PartMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PartMembers<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(PartMembers(members))
            }
        }
        from.deserialize_map(PartReader)
    }
}

/// The ID of a part that can't be read otherwise.
pub(super) fn id(answer: &RawValue) -> Option<String> {
    scalar(PartMembers::read(answer)?.get("id").ok()??)
}

/// The answer to one part.
pub(super) struct BatchPart<'a> {
    id: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
    headers: Option<&'a RawValue>,
    body: Option<&'a RawValue>,
}

impl<'a> BatchPart<'a> {
    /// Parses an answer. Returns `None` if it can't be read or contradicts itself.
    pub(super) fn read(answer: &'a RawValue) -> Option<BatchPart<'a>> {
        let members = PartMembers::read(answer)?;
        let get = |name| members.get(name).ok();
        let part = BatchPart {
            id: get("id")?,
            status: get("status")?,
            headers: get("headers")?,
            body: get("body")?,
        };
        let is_success = part.status().is_some_and(|status| (200..300).contains(&status));
        (!is_success || !members.has_error_or_value()).then_some(part)
    }

    /// The ID. It was sent as a text, but may be returned as a number.
    pub(super) fn id(&self) -> Option<String> {
        scalar(self.id?)
    }

    /// The status, or `None` if it is missing or not valid for a final answer.
    pub(super) fn status(&self) -> Option<u16> {
        scalar(self.status?)?.parse().ok().filter(|status| (200..600).contains(status))
    }

    /// The headers, with names in any case. Values that are not valid in a header are skipped.
    pub(super) fn headers(&self) -> HeaderMap {
        let headers =
            self.headers.and_then(|headers| serde_json::from_str::<PartHeaders>(headers.get()).ok());
        headers.unwrap_or_default().0
    }

    /// The bytes of the body, as if the answer had not been in a batch. JSON is kept as it is. Content that
    /// is not JSON is in a text or in base64, as the images in learn.microsoft.com/graph/json-batching are.
    /// `null` is an empty body.
    pub(super) fn body(&self) -> Cow<'a, [u8]> {
        let Some(json) = self.body.map(RawValue::get) else { return Cow::default() };
        match json.as_bytes().first() {
            Some(b'n') => Cow::default(),
            Some(b'"') => Cow::Owned(unwrapped(json)),
            _ => Cow::Borrowed(json.as_bytes()),
        }
    }
}

/// Decodes a JSON text. If it is base64 of UTF-8, it is decoded as such, because other texts are hardly ever
/// valid base64 of UTF-8.
fn unwrapped(json: &str) -> Vec<u8> {
    let text: String = serde_json::from_str(json).unwrap_or_default();
    let decoded = STANDARD.decode(text.trim()).ok().filter(|bytes| std::str::from_utf8(bytes).is_ok());
    decoded.unwrap_or_else(|| text.into_bytes())
}

fn scalar(json: &RawValue) -> Option<String> {
    text(&serde_json::from_str(json.get()).ok()?)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The headers of a part. A name may occur several times, in one spelling or in several. A value may be a
/// number or a list.
#[derive(Default)]
struct PartHeaders(HeaderMap);

impl PartHeaders {
    fn add(&mut self, name: &HeaderName, value: &Value) {
        if let Value::Array(values) = value {
            return values.iter().filter(|value| !value.is_array()).for_each(|value| self.add(name, value));
        }
        let Some(text) = text(value) else { return };
        if let Ok(value) = HeaderValue::from_str(&text) {
            // This fails only after thousands of names.
            let _ = self.0.try_append(name, value);
        }
    }
}

impl<'de> Deserialize<'de> for PartHeaders {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PartHeaders, D::Error> {
        struct PartReader;
        impl<'de> Visitor<'de> for PartReader {
            type Value = PartHeaders;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers by their names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PartHeaders, A::Error> {
                let mut headers = PartHeaders::default();
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    match HeaderName::from_bytes(name.trim().as_bytes()) {
                        Ok(name) => headers.add(&name, &map.next_value()?),
                        Err(_) => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(headers)
            }
        }
        from.deserialize_map(PartReader)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn body(json: &str) -> String {
        let answer = raw(&format!(r#"{{"body":{json}}}"#));
        String::from_utf8(BatchPart::read(&answer).unwrap().body().into_owned()).unwrap()
    }

    #[test]
    fn ids_come_as_texts_or_as_numbers() {
        let id = |json: &str| id(&raw(json));
        assert_eq!(id(r#"{"id":"7","x":[{}]}"#).as_deref(), Some("7"));
        assert_eq!(id(r#"{"status":1,"id":7}"#).as_deref(), Some("7"));
        for odd in
            [r#"{"id":null}"#, r#"{"id":["7"]}"#, "{}", "7", r#""7""#, r#"["7"]"#, r#"{"id":"7","id":"8"}"#]
        {
            assert_eq!(id(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_status_is_one_of_a_whole_answer() {
        let status = |json: &str| BatchPart::read(&raw(&format!(r#"{{"status":{json}}}"#)))?.status();
        assert_eq!(status("204"), Some(204));
        assert_eq!(status(r#""429""#), Some(429));
        for absurd in ["0", "-1", "199", "600", "200.5", "65736", "null", "[200]", "true", r#""OK""#, "{}"] {
            assert_eq!(status(absurd), None, "{absurd}");
        }
        assert!(BatchPart::read(&raw(r#"{"status":200,"status":404}"#)).is_none());
    }

    #[test]
    fn headers_are_met_in_any_spelling_and_form() {
        let headers = |json: &str| {
            let answer = raw(&format!(r#"{{"headers":{json}}}"#));
            let headers = BatchPart::read(&answer).unwrap().headers();
            headers.get_all("retry-after").iter().map(|v| v.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            headers(r#"{"Retry-After":"2","RETRY-AFTER":3,"retry-after":0.249}"#),
            ["2", "3", "0.249"]
        );
        assert_eq!(headers(r#"{"Retry-After":"2","Retry-After":"3"}"#), ["2", "3"]);
        assert_eq!(headers(r#"{"Retry-After":["2",3,[4],null,{}]}"#), ["2", "3"]);
        assert_eq!(headers(r#"{"Retry-After":"2, 30"}"#), ["2, 30"]);
        assert_eq!(headers(r#"{"bad name":{"deep":[1]},"":1,"Retry-After":"4"}"#), ["4"]);
        for odd in ["null", "[]", "7", r#"{"Retry-After":"a\u0000b"}"#] {
            assert!(headers(odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_body_is_what_would_have_come_by_itself() {
        assert_eq!(body(r#"{"value":true}"#), r#"{"value":true}"#);
        assert_eq!(body("null"), "");
        assert_eq!(body(r#""""#), "");
        assert_eq!(body("false"), "false");
        assert_eq!(body(r#""PGh0bWw+""#), "<html>");
        assert_eq!(body(r#""false""#), "false");
        assert_eq!(body(r#""true""#), "true", "base64 of no text is a text");
        assert_eq!(body(r#""{\"error\":{}}""#), r#"{"error":{}}"#);
        let escaped = r#"{"value":true,"\u0076alue":false}"#;
        assert_eq!(body(escaped), escaped, "a name given twice still shows");
    }
}
