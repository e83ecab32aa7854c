//! What a body is, judged by its content: Graph and what stands before it send wrong content types.

use crate::json::Json;
use crate::text::sanitize::sanitize_truncated;

/// Longest text that is kept of a body, in characters.
const KEPT: usize = 300;

/// A response's body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ErrorBody {
    /// Nothing.
    #[default]
    Empty,
    /// `{"value": true}` or `{"value": false}`: the action's return value.
    Truth(bool),
    /// An object with OData's control information (`@odata.…`), and neither a `value` nor an error.
    OData,
    /// Another object with neither a `value` nor an error: its beginning.
    Object(String),
    /// Graph's error object. The code may be empty.
    Error {
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// A page in HTML: never Graph's API itself.
    Html,
    /// JSON that can't be an answer of the API, such as another `value`, or a name given twice: its beginning.
    OddJson(String),
    /// Text that is no JSON, or that is not UTF-8: its beginning.
    Text(String),
    /// In a content coding that was not asked for, such as `gzip`.
    Encoded(String),
    /// Its end is not proven: it stopped before its announced end, or no end was announced.
    CutOff,
}

impl ErrorBody {
    /// Reads a whole body.
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
            // A body whose end is the connection's end says in no other way that something is missing.
            Err(error) if error.is_eof() && matches!(bytes[0], b'{' | b'[') => ErrorBody::CutOff,
            Err(_) if matches!(bytes[0], b'{' | b'[') => ErrorBody::OddJson(beginning(bytes)),
            Err(_) => ErrorBody::Text(beginning(bytes)),
        }
    }

    /// A body that is not UTF-8. None of it is shown: it may hold a secret that the server echoes.
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

    /// Graph's own form is an object; OAuth's is a text with an `error_description` beside it.
    fn from_error(error: &Json, beside: &[(String, Json)]) -> ErrorBody {
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
                message: text(member(beside, "error_description")),
            },
        }
    }

    /// A text of the inner error, such as `request-id`, where a body is Graph's error object.
    pub(super) fn inner_text(bytes: &[u8], name: &str) -> Option<String> {
        let body: Json = serde_json::from_slice(bytes).ok()?;
        inner_text(body.get("error")?, name)
    }

    /// The error code and the words that go into the report, made harmless.
    pub(crate) fn error_text(&self) -> (Option<String>, String) {
        match self {
            ErrorBody::Error { code, message } => {
                let code = sanitize_truncated(code, 100);
                ((!code.is_empty()).then_some(code), sanitize_truncated(message, KEPT))
            }
            ErrorBody::Truth(false) => (None, "Graph answered that the sessions were not revoked".to_owned()),
            ErrorBody::Html => (None, "an HTML page".to_owned()),
            ErrorBody::Object(text) | ErrorBody::OddJson(text) | ErrorBody::Text(text) => {
                (None, text.clone())
            }
            ErrorBody::Encoded(coding) => {
                (None, format!("an answer in the content coding {}", sanitize_truncated(coding, 40)))
            }
            ErrorBody::CutOff => (None, "the answer was cut off".to_owned()),
            ErrorBody::Empty | ErrorBody::Truth(true) | ErrorBody::OData => (None, String::new()),
        }
    }
}

/// The member of a name, in any case: what differs in case alone is nothing that Graph writes, and is not passed over.
fn member<'a>(object: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    object.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Whether a name comes twice, so that nobody can tell which of the two holds.
fn is_ambiguous(object: &[(String, Json)]) -> bool {
    let mut names: Vec<String> = object.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

fn beginning(bytes: &[u8]) -> String {
    sanitize_truncated(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * KEPT)]), KEPT)
}

/// Both spellings of the inner error are in Graph's documentation, and it may nest.
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
