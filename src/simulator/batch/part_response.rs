//! The answer to one part, as it is in the answer to the batch.
//!
//! Headers are as in the sample on Graph's json-batching page: `Cache-Control`, `OData-Version`, `x-ms-resource-unit`,
//! `Content-Type`, and with a 429 `Retry-After`. Request IDs are only in the body's inner error.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::simulator::body::Body;
use crate::simulator::config::HeaderCase;
use crate::simulator::graph_response;

/// The answer to one part.
#[derive(Debug, Clone)]
pub(super) struct PartResponse {
    pub(super) id: Value,
    pub(super) status: u16,
    /// The JSON text in the answer to the batch.
    pub(super) text: String,
}

/// Renders the part with this ID. `None` if its body was cut off, so that there is no answer to pass on.
///
/// It is rendered as text directly, because a JSON tree for each of 20 parts would cost more than the rest of a batch.
pub(super) fn render(id: &Value, response: Response<Body>, case: HeaderCase) -> Option<PartResponse> {
    let (mut head, body) = response.into_parts();
    let body = body.into_bytes()?;
    graph_response::remove_outer_headers(&mut head.headers);
    let is_json =
        head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let status = head.status.as_u16();
    let mut text = format!(r#"{{"id":{},"status":{status},"headers":{{"#, id);
    write_headers(&mut text, &head.headers, case);
    text.push('}');
    if !body.is_empty() {
        text.push_str(r#","body":"#);
        match std::str::from_utf8(&body).ok().filter(|body| is_json && is_json_value(body)) {
            Some(json) => text.push_str(json),
            // What is not JSON, such as an image, is sent as base64 text.
            None => text.push_str(&quoted(&STANDARD.encode(&body))),
        }
    }
    text.push('}');
    Some(PartResponse { id: id.clone(), status, text })
}

/// Whether the whole text is JSON.
fn is_json_value(json: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok()
}

/// The text as a JSON string.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn write_headers(text: &mut String, headers: &HeaderMap, case: HeaderCase) {
    for (place, (name, value)) in headers.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push('"');
        text.push_str(&spell(name.as_str(), case));
        text.push_str("\":");
        text.push_str(&quoted(&String::from_utf8_lossy(value.as_bytes())));
    }
}

/// The header's name, spelled as in the sample or in lower case.
fn spell(name: &str, case: HeaderCase) -> Cow<'_, str> {
    if case == HeaderCase::Lowercase || name.starts_with("x-ms-") {
        return name.into();
    }
    // Nearly every part has these, so their spelling is fixed.
    match name {
        "odata-version" => return "OData-Version".into(),
        "cache-control" => return "Cache-Control".into(),
        "content-type" => return "Content-Type".into(),
        _ => {}
    }
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-").into()
}
