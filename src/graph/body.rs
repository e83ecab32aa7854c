//! What a body is, judged by its content, because the content types that Graph, proxies and gateways send are
//! not reliable.

use crate::json::Json;
use crate::text::sanitize::sanitize_truncated;

/// The maximum length of the text that is kept of a body, in characters.
const MAX_TEXT_CHARS: usize = 300;

/// The body of a response.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ErrorBody {
    /// No body.
    #[default]
    Empty,
    /// `{"value": true}` or `{"value": false}`: the action's return value.
    Truth(bool),
    /// An object with OData's control information (`@odata.…`), but neither a `value` nor an error.
    OData,
    /// Another object with neither a `value` nor an error. Holds its beginning.
    Object(String),
    /// Graph's error object. The code may be empty.
    Error {
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// An HTML page, which is never from Graph's API itself.
    Html,
    /// JSON that can't be an answer of the API, for example with another `value` or with a duplicate name.
    /// Holds its beginning.
    OddJson(String),
    /// Text that is not JSON, or bytes that are not UTF-8. Holds the beginning of the text.
    Text(String),
    /// A body in a content encoding that was not requested, such as `gzip`. Holds the encoding.
    Encoded(String),
    /// A body that may be incomplete, because it stopped before its announced end, or no end was announced.
    CutOff,
}

impl ErrorBody {
    /// Parses a complete body.
    pub fn read(bytes: &[u8]) -> ErrorBody {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        match bytes.first() {
            None => return ErrorBody::Empty,
            Some(b'<') => return ErrorBody::Html,
            Some(_) => {}
        }
        if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
            return ErrorBody::not_utf8();
        }
        match serde_json::from_slice(bytes) {
            Ok(json) => ErrorBody::from_json(&json, bytes),
            // If a body ends with the connection, incomplete JSON is the only sign that a part is missing.
            Err(error) if error.is_eof() && matches!(bytes[0], b'{' | b'[') => ErrorBody::CutOff,
            Err(_) if matches!(bytes[0], b'{' | b'[') => ErrorBody::OddJson(beginning(bytes)),
            Err(_) => ErrorBody::Text(beginning(bytes)),
        }
    }

    /// A body that is not UTF-8. None of it is shown, because it may contain a secret that the server echoes.
    pub(super) fn not_utf8() -> ErrorBody {
        ErrorBody::Text("an answer that is not UTF-8".to_owned())
    }

    fn from_json(json: &Json, bytes: &[u8]) -> ErrorBody {
        let odd = || ErrorBody::OddJson(beginning(bytes));
        let object = match json {
            Json::Object(object) => object,
            Json::Bool(false) => return ErrorBody::Truth(false),
            _ => return odd(),
        };
        if is_ambiguous(object) {
            return odd();
        }
        if let Some(error) = member(object, "error") {
            return ErrorBody::from_error(error, object);
        }
        if ["errors", "odata.error", "@odata.error"].into_iter().any(|name| member(object, name).is_some()) {
            return odd();
        }
        match member(object, "value") {
            Some(Json::Bool(truth)) => ErrorBody::Truth(*truth),
            Some(Json::Text(text)) if text.eq_ignore_ascii_case("false") => ErrorBody::Truth(false),
            Some(_) => odd(),
            None if object.iter().any(|(name, _)| name.starts_with("@odata.")) => ErrorBody::OData,
            None => ErrorBody::Object(beginning(bytes)),
        }
    }

    /// Reads an `error` member. Graph's own form is an object. OAuth's form is a text, with an
    /// `error_description` next to it.
    fn from_error(error: &Json, siblings: &[(String, Json)]) -> ErrorBody {
        let text = |value: Option<&Json>| match value {
            Some(Json::Text(text)) => text.clone(),
            Some(Json::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match error {
            Json::Object(_) => {
                let message = text(error.get("message"));
                let inner = || inner_text(error, "message").unwrap_or_default();
                let message = if message.is_empty() { inner() } else { message };
                ErrorBody::Error { code: text(error.get("code")), message }
            }
            other => ErrorBody::Error {
                code: text(Some(other)),
                message: text(member(siblings, "error_description")),
            },
        }
    }

    /// A text of the inner error, such as `request-id`, if the body is Graph's error object.
    pub(super) fn inner_text(bytes: &[u8], name: &str) -> Option<String> {
        let body: Json = serde_json::from_slice(bytes).ok()?;
        inner_text(body.get("error")?, name)
    }

    /// The error code and the sanitized text for the report.
    pub(crate) fn error_text(&self) -> (Option<String>, String) {
        match self {
            ErrorBody::Error { code, message } => {
                let code = sanitize_truncated(code, 100);
                ((!code.is_empty()).then_some(code), sanitize_truncated(message, MAX_TEXT_CHARS))
            }
            ErrorBody::Truth(false) => (None, "Graph answered that the sessions were not revoked".to_owned()),
            ErrorBody::Html => (None, "an HTML page".to_owned()),
            ErrorBody::Object(text) | ErrorBody::OddJson(text) | ErrorBody::Text(text) => {
                (None, text.clone())
            }
            ErrorBody::Encoded(coding) => {
                (None, format!("an answer in the content encoding {}", sanitize_truncated(coding, 40)))
            }
            ErrorBody::CutOff => (None, "the answer was cut off".to_owned()),
            ErrorBody::Empty | ErrorBody::Truth(true) | ErrorBody::OData => (None, String::new()),
        }
    }
}

/// The member with this name, in any case. Graph never changes the case of a name, so an odd spelling is not
/// ignored.
fn member<'a>(object: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Whether a name occurs twice, so that it is not known which value is valid.
fn is_ambiguous(object: &[(String, Json)]) -> bool {
    let mut names: Vec<String> = object.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

fn beginning(bytes: &[u8]) -> String {
    sanitize_truncated(
        &String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MAX_TEXT_CHARS)]),
        MAX_TEXT_CHARS,
    )
}

/// Graph's documentation has both spellings of the inner error, and it may be nested.
fn inner_text(error: &Json, name: &str) -> Option<String> {
    let mut at = error;
    for _ in 0..8 {
        at = at.get("innerError").or_else(|| at.get("innererror"))?;
        if let Some(text) = at.get(name).and_then(Json::text) {
            return Some(text.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ErrorBody {
        ErrorBody::read(text.as_bytes())
    }

    #[test]
    fn graphs_own_bodies() {
        assert_eq!(read(""), ErrorBody::Empty);
        assert_eq!(read("\u{feff} \r\n"), ErrorBody::Empty);
        let context = "https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean";
        assert_eq!(
            read(&format!(r#"{{"@odata.context":"{context}","value":true}}"#)),
            ErrorBody::Truth(true)
        );
        for no in [r#"{"value":false}"#, r#"{"value":"False"}"#, "false"] {
            assert_eq!(read(no), ErrorBody::Truth(false));
        }
        assert_eq!(read(&format!(r#"{{"@odata.context":"{context}"}}"#)), ErrorBody::OData);
        assert_eq!(read("{}"), ErrorBody::Object("{}".into()));
    }

    #[test]
    fn a_value_is_true_or_nothing() {
        for odd in [
            r#"{"value":null}"#,
            r#"{"value":0}"#,
            r#"{"value":1}"#,
            r#"{"value":"true"}"#,
            r#"{"value":"no"}"#,
            r#"{"value":[true]}"#,
            r#"{"value":{}}"#,
            r#"{"value":true,"value":false}"#,
            r#"{"value":false,"value":true}"#,
            r#"{"value":true,"\u0076alue":false}"#,
            r#"{"value":true,"Value":false}"#,
            r#"{"value":true,"errors":[{"message":"no"}]}"#,
            r#"{"value":true,"odata.error":{}}"#,
            r#"{"value":true} {"value":false}"#,
            "true",
            "[true]",
            "7",
        ] {
            assert!(
                matches!(read(odd), ErrorBody::OddJson(_) | ErrorBody::Text(_)),
                "{odd}: {:?}",
                read(odd)
            );
        }
        assert!(matches!(read(r#"{"value":true,"error":null}"#), ErrorBody::Error { .. }));
        assert!(matches!(read(r#"{"Error":{"code":"X"},"value":true}"#), ErrorBody::Error { .. }));
        let deep = format!(r#"{{"value":true,"x":{}1{}}}"#, "[".repeat(300), "]".repeat(300));
        assert!(matches!(read(&deep), ErrorBody::OddJson(_)));
    }

    #[test]
    fn only_utf8_is_text() {
        let utf16: Vec<u8> = r#"{"value":true}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for odd in [&utf16[..], b"{\"value\":true,\"x\":\"\xff\"}", b"\xff\xfe{\0", b"{\"value\":true}\0"] {
            assert_eq!(ErrorBody::read(odd), ErrorBody::Text("an answer that is not UTF-8".into()));
        }
    }

    #[test]
    fn errors_in_both_spellings_and_odd_forms() {
        for inner in ["innerError", "innererror"] {
            let body = format!(r#"{{"error":{{"code":"Busy","{inner}":{{"message":"later"}}}}}}"#);
            assert_eq!(read(&body), ErrorBody::Error { code: "Busy".into(), message: "later".into() });
        }
        assert_eq!(
            read(r#"{"error":{"code":""}}"#),
            ErrorBody::Error { code: String::new(), message: String::new() }
        );
        let oauth = r#"{"error":"invalid_grant","error_description":"AADSTS50173"}"#;
        let expected = ErrorBody::Error { code: "invalid_grant".into(), message: "AADSTS50173".into() };
        assert_eq!(read(oauth), expected);
    }

    #[test]
    fn what_is_not_graphs() {
        assert_eq!(read("<HTML><TITLE>Log in</TITLE>"), ErrorBody::Html);
        assert_eq!(read("[1]"), ErrorBody::OddJson("[1]".into()));
        assert_eq!(read("blocked\u{1b}[31m"), ErrorBody::Text("blocked\\u{1b}[31m".into()));
    }

    #[test]
    fn half_a_body_is_no_body() {
        let whole = r#"{"@odata.context":"x","value":true}"#;
        for end in 1..whole.len() {
            assert_eq!(read(&whole[..end]), ErrorBody::CutOff, "{}", &whole[..end]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
            let _ = ErrorBody::read(&bytes).error_text();
        }
    }
}
