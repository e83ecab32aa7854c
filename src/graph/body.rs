//! What a body is, judged by its content: Graph and what stands before it send wrong content types.

use serde_json::Value;

use crate::harmless::excerpt;

/// Longest text that is kept of a body, in characters.
const KEPT: usize = 300;

/// A response's body.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// `{"value": true}` or `{"value": false}`: the action's return value.
    Truth(bool),
    /// Another object with OData's control information (`@odata.…`).
    OData,
    /// Graph's error object. The code may be empty.
    Error {
        /// `error.code`.
        code: String,
        /// `error.message`.
        message: String,
    },
    /// A page in HTML: never Graph's API itself.
    Html,
    /// JSON of another shape: its beginning.
    OddJson(String),
    /// Text that is no JSON: its beginning.
    Text(String),
    /// It ended before its announced end.
    CutOff,
}

impl Body {
    /// Reads a whole body.
    pub fn read(bytes: &[u8]) -> Body {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        match bytes.first() {
            None => Body::Empty,
            Some(b'<') => Body::Html,
            Some(_) => match serde_json::from_slice(bytes) {
                Ok(value) => Body::from_json(&value),
                // A body whose end is the connection's end says in no other way that something is missing.
                Err(error) if error.is_eof() && matches!(bytes[0], b'{' | b'[') => Body::CutOff,
                Err(_) => Body::Text(beginning(bytes)),
            },
        }
    }

    fn from_json(value: &Value) -> Body {
        if value == &Value::Bool(false) {
            return Body::Truth(false);
        }
        let Some(object) = value.as_object() else {
            return Body::OddJson(beginning(value.to_string().as_bytes()));
        };
        if let Some(error) = object.get("error") {
            return Body::from_error(error, object);
        }
        match object.get("value") {
            Some(Value::Bool(truth)) => return Body::Truth(*truth),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => return Body::Truth(false),
            _ => {}
        }
        if object.keys().any(|key| key.starts_with("@odata.")) {
            return Body::OData;
        }
        Body::OddJson(beginning(value.to_string().as_bytes()))
    }

    /// Graph's own form is an object; OAuth's is a text with an `error_description` beside it.
    fn from_error(error: &Value, beside: &serde_json::Map<String, Value>) -> Body {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        match error {
            Value::Object(error) => {
                let message = text(error.get("message"));
                let inner = || inner_text(error, "message").unwrap_or_default();
                let message = if message.is_empty() { inner() } else { message };
                Body::Error { code: text(error.get("code")), message }
            }
            other => Body::Error { code: text(Some(other)), message: text(beside.get("error_description")) },
        }
    }

    /// A text of the inner error, such as `request-id`, where a body is Graph's error object.
    pub(super) fn inner_text(bytes: &[u8], name: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(bytes).ok()?;
        inner_text(body.get("error")?.as_object()?, name)
    }

    /// Whether it is one that only an API like Graph's gives, whatever stands around it.
    pub(super) fn speaks_for_itself(&self) -> bool {
        matches!(self, Body::Truth(_) | Body::OData | Body::Error { .. })
    }

    /// The error code and the words that go into the report, made harmless.
    pub(crate) fn said(&self) -> (Option<String>, String) {
        match self {
            Body::Error { code, message } => {
                let code = excerpt(code, 100);
                ((!code.is_empty()).then_some(code), excerpt(message, KEPT))
            }
            Body::Truth(false) => (None, "Graph answered that the sessions were not revoked".to_owned()),
            Body::Html => (None, "an HTML page".to_owned()),
            Body::OddJson(text) | Body::Text(text) => (None, text.clone()),
            Body::CutOff => (None, "the answer was cut off".to_owned()),
            Body::Empty | Body::Truth(true) | Body::OData => (None, String::new()),
        }
    }
}

fn beginning(bytes: &[u8]) -> String {
    excerpt(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * KEPT)]), KEPT)
}

/// Both spellings of the inner error are in Graph's documentation, and it may nest.
fn inner_text(error: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    let mut at = error;
    for _ in 0..8 {
        at = at.get("innerError").or_else(|| at.get("innererror"))?.as_object()?;
        if let Some(text) = at.get(name).and_then(Value::as_str) {
            return Some(text.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Body {
        Body::read(text.as_bytes())
    }

    #[test]
    fn graphs_own_bodies() {
        assert_eq!(read(""), Body::Empty);
        assert_eq!(read("\u{feff} \r\n"), Body::Empty);
        let context = "https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean";
        assert_eq!(read(&format!(r#"{{"@odata.context":"{context}","value":true}}"#)), Body::Truth(true));
        for no in [r#"{"value":false}"#, r#"{"value":"False"}"#, "false"] {
            assert_eq!(read(no), Body::Truth(false));
        }
        assert_eq!(read(&format!(r#"{{"@odata.context":"{context}","value":null}}"#)), Body::OData);
    }

    #[test]
    fn errors_in_both_spellings_and_odd_forms() {
        for inner in ["innerError", "innererror"] {
            let body = format!(r#"{{"error":{{"code":"Busy","{inner}":{{"message":"later"}}}}}}"#);
            assert_eq!(read(&body), Body::Error { code: "Busy".into(), message: "later".into() });
        }
        assert_eq!(
            read(r#"{"error":{"code":""}}"#),
            Body::Error { code: String::new(), message: String::new() }
        );
        let oauth = r#"{"error":"invalid_grant","error_description":"AADSTS50173"}"#;
        let expected = Body::Error { code: "invalid_grant".into(), message: "AADSTS50173".into() };
        assert_eq!(read(oauth), expected);
    }

    #[test]
    fn what_is_not_graphs() {
        assert_eq!(read("<HTML><TITLE>Log in</TITLE>"), Body::Html);
        assert_eq!(read("[1]"), Body::OddJson("[1]".into()));
        assert_eq!(read("blocked\u{1b}[31m"), Body::Text("blocked\\u{1b}[31m".into()));
        assert!(matches!(Body::read(b"\xff\xfe{"), Body::Text(_)));
    }

    #[test]
    fn half_a_body_is_no_body() {
        let whole = r#"{"@odata.context":"x","value":true}"#;
        for end in 1..whole.len() {
            assert_eq!(read(&whole[..end]), Body::CutOff, "{}", &whole[..end]);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..2000)) {
            let _ = Body::read(&bytes).said();
        }
    }
}
