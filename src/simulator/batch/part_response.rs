//! The answer of one part, as it stands in the answer of the batch.
//!
//! Headers as in the sample of Graph's json-batching page: `Cache-Control`, `OData-Version`, `x-ms-resource-unit`,
//! `Content-Type`, with 429 `Retry-After`; ids only in the body's inner error.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::simulator::body::Body;
use crate::simulator::config::HeaderCase;
use crate::simulator::graph_response;

/// The answer of one part.
#[derive(Debug, Clone)]
pub(super) struct PartResponse {
    pub(super) id: Value,
    pub(super) status: u16,
    /// As it stands in the answer.
    pub(super) text: String,
}

/// The part with this id; `None` where its body broke off, so that there is no answer to pass on.
///
/// Written as text at once: a tree for each of twenty parts would cost more than all the rest of a batch.
pub(super) fn render(id: &Value, response: Response<Body>, case: HeaderCase) -> Option<PartResponse> {
    let (mut head, body) = response.into_parts();
    let body = body.bytes()?;
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
            // What is not JSON, an image for instance, comes as text in base64.
            None => text.push_str(&quoted(&STANDARD.encode(&body))),
        }
    }
    text.push('}');
    Some(PartResponse { id: id.clone(), status, text })
}

/// Whether a text is JSON from end to end.
fn is_json_value(json: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok()
}

/// A text as JSON has it.
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

/// A header's name as the sample spells it, or in lower case.
fn spell(name: &str, case: HeaderCase) -> Cow<'_, str> {
    if case == HeaderCase::Lowercase || name.starts_with("x-ms-") {
        return name.into();
    }
    // Those of nearly every part, spelled beforehand.
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
