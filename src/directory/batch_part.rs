//! The answers to the parts of a batch.

use std::collections::HashMap;
use std::time::SystemTime;

use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde_json::Value;

use super::classify::{ContentKind, ReadAnswer};
use super::read_error::ReadError;
use crate::http::parse_retry_after;
use crate::identity::claims_challenge;

/// The answers to the parts by their IDs, in any order. A part with two different answers is left out, because it is
/// not known which one is right.
pub(super) fn parse_parts(answer: &Value) -> Result<HashMap<String, ReadAnswer>, ReadError> {
    let Some(Value::Array(responses)) = answer.get("responses") else {
        return Err(ReadError::Untrusted("the answer to the batch has no list of answers".to_owned()));
    };
    let mut first: HashMap<String, &Value> = HashMap::new();
    let mut doubtful = Vec::new();
    for response in responses {
        let Some(id) = response.get("id").and_then(Value::as_str).map(str::to_ascii_lowercase) else {
            continue;
        };
        match first.get(&id) {
            Some(other) if *other != response => doubtful.push(id),
            _ => {
                first.insert(id, response);
            }
        }
    }
    for id in &doubtful {
        first.remove(id);
    }
    Ok(first.into_iter().filter_map(|(id, response)| Some((id, parse_part(response)?))).collect())
}

fn parse_part(response: &Value) -> Option<ReadAnswer> {
    let status = u16::try_from(response.get("status")?.as_u64()?).ok()?;
    let header = |name: &str| header(response, name);
    let now = SystemTime::now();
    Some(ReadAnswer {
        status,
        content: ContentKind::from_part(status, response.get("body").filter(|body| !body.is_null()).cloned()),
        // The batch itself had the header.
        has_request_id: true,
        retry_after: header("retry-after").and_then(|value| parse_retry_after(&value, None, now)),
        claims: header("www-authenticate").and_then(|value| claims(&value)),
    })
}

/// A header of a part. Names are compared without case.
fn header(response: &Value, name: &str) -> Option<String> {
    let headers = response.get("headers")?.as_object()?;
    match headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?.1 {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => {
            let texts = values.iter().filter_map(|value| match value {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            Some(texts.collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

fn claims(value: &str) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_str(value).ok()?);
    claims_challenge::claims_from_headers(&headers)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::directory::classify::ResponseClass;

    #[test]
    fn answers_are_matched_by_id_in_any_order() {
        let answer = json!({"responses": [
            {"id": "B", "status": 404, "body": {"error": {"code": "Request_ResourceNotFound"}}},
            {"id": "a", "status": 200, "body": {"value": []}},
        ]});
        let mut parts = parse_parts(&answer).unwrap();
        assert!(matches!(parts.remove("a").unwrap().classify(), ResponseClass::Success(_)));
        assert!(matches!(parts.remove("b").unwrap().classify(), ResponseClass::Fail(ReadError::NotFound)));
    }

    #[test]
    fn two_different_answers_are_both_rejected() {
        let answer = json!({"responses": [
            {"id": "1", "status": 200, "body": {"id": "x"}},
            {"id": "1", "status": 200, "body": {"id": "y"}},
            {"id": "1", "status": 200, "body": {"id": "y"}},
            {"id": "2", "status": 204},
            {"id": "2", "status": 204},
            {"status": 200}, {"id": "3"}, {"id": "4", "status": -1}, 5,
        ]});
        let mut ids: Vec<String> = parse_parts(&answer).unwrap().into_keys().collect();
        ids.sort();
        assert_eq!(ids, ["2"]);
        for odd in [json!({}), json!({"responses": {}}), json!([])] {
            assert!(matches!(parse_parts(&odd), Err(ReadError::Untrusted(_))), "{odd}");
        }
    }

    #[test]
    fn a_parts_wait_is_read_in_any_spelling() {
        for (name, value) in [
            ("Retry-After", json!("2.5")),
            ("retry-after", json!(" 2.5")),
            ("RETRY-AFTER", json!(2.5)),
            ("retry-after", json!("1, 2.5")),
            ("retry-after", json!(["2.5", 1])),
        ] {
            let answer = json!({"responses": [{"id": "1", "status": 429, "headers": {name: value}}]});
            let part = parse_parts(&answer).unwrap().remove("1").unwrap();
            assert_eq!(part.retry_after, Some(Duration::from_millis(2_500)), "{name}, {value}");
        }
    }
}
