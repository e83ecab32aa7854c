//! The answer of one part, as it stands in the answer of the batch.
//!
//! Headers as in the sample of Graph's json-batching page: `Cache-Control`, `OData-Version`, `x-ms-resource-unit`,
//! `Content-Type`, with 429 `Retry-After`; ids only in the body's inner error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Response;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value, json};

use crate::simulator::answer;
use crate::simulator::body::Body;
use crate::simulator::config::HeaderCase;

/// The part with this id; `None` where its body broke off, so that there is no answer to pass on.
pub(super) fn write(id: &Value, response: Response<Body>, case: HeaderCase) -> Option<Value> {
    let (mut head, body) = response.into_parts();
    let body = body.bytes()?;
    answer::unmark_part(&mut head.headers);
    let is_json =
        head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let mut part = json!({"id": id, "status": head.status.as_u16(), "headers": headers(&head.headers, case)});
    if !body.is_empty() {
        let read = || serde_json::from_slice::<Value>(&body).ok();
        // What is not JSON, an image for instance, comes as text in base64.
        let value = is_json.then(read).flatten().unwrap_or_else(|| STANDARD.encode(&body).into());
        part["body"] = value;
    }
    Some(part)
}

fn headers(headers: &HeaderMap, case: HeaderCase) -> Value {
    let pair = |name: &str, value: &[u8]| (spell(name, case), String::from_utf8_lossy(value).into());
    headers
        .iter()
        .map(|(name, value)| pair(name.as_str(), value.as_bytes()))
        .collect::<Map<_, Value>>()
        .into()
}

/// A header's name as the sample spells it, or in lower case.
fn spell(name: &str, case: HeaderCase) -> String {
    if case == HeaderCase::Lowercase || name.starts_with("x-ms-") {
        return name.to_owned();
    }
    if name == "odata-version" {
        return "OData-Version".into();
    }
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}
