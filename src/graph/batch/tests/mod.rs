//! How the answer to a batch is interpreted, without a network.

mod odd;
mod properties;

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use uuid::Uuid;

use super::parts::SentBatch;
use crate::dispatch::{Verdict, verdict};
use crate::graph::client::BodyResult;
use crate::graph::{BatchRequest, ErrorBody, HttpResponse, LossKind, UserReply};
use crate::identity::AccessToken;

const TOKEN: &str = "fake+token/CANARY-9f2c";
const OUTER_ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const OWN_ID: &str = "33333333-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

/// The outer `client-request-id`.
const BATCH: Uuid = Uuid::from_u128(0xba7c);

/// The `client-request-id` of the part at this index.
fn asked(place: usize) -> Uuid {
    Uuid::from_u128(1000 + place as u128)
}

/// The headers of the whole answer, as Graph sends them.
fn graphs() -> HeaderMap {
    headers(&[
        ("request-id", OUTER_ID),
        ("date", "Sun, 22 Nov 2026 03:00:00 GMT"),
        ("x-ms-ags-diagnostic", "{}"),
    ])
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value));
    pairs.iter().map(pair).collect()
}

/// The replies for `count` parts.
fn replies(count: usize, status: u16, headers: &HeaderMap, came: BodyResult) -> Vec<UserReply> {
    let request = |place| BatchRequest {
        user: format!("u{place}@contoso.com").parse().unwrap(),
        client_request_id: asked(place),
        new_connection: false,
    };
    let requests: Vec<BatchRequest> = (0..count).map(request).collect();
    let token = AccessToken::fake(TOKEN);
    let replies = SentBatch { requests: &requests, id: BATCH, headers, token: &token }.replies(status, came);
    assert_eq!(replies.len(), count, "one for each");
    assert!(!format!("{replies:?}").contains("CANARY"), "a secret shows: {replies:?}");
    replies
}

/// The replies for `count` parts if Graph answers 200 with this.
fn judged(count: usize, responses: Value) -> Vec<UserReply> {
    let body = json!({ "responses": responses }).to_string();
    replies(count, 200, &graphs(), BodyResult::Bytes(body.into_bytes()))
}

fn only(part: Value) -> UserReply {
    judged(1, json!([part])).remove(0)
}

fn done(id: &str) -> Value {
    json!({"id": id, "status": 200, "headers": {"OData-Version": "4.0"},
        "body": {"@odata.context": "x#Edm.Boolean", "value": true}})
}

fn error(id: &str, status: u16, code: &str) -> Value {
    json!({"id": id, "status": status, "body": {"error": {"code": code, "message": "m"}}})
}

fn is_done(reply: &UserReply) -> bool {
    verdict(reply) == Verdict::Done
}

#[track_caller]
fn response(reply: &UserReply) -> &HttpResponse {
    match reply {
        UserReply::Response(response) => response,
        other => panic!("no response: {other:?}"),
    }
}

#[track_caller]
fn doubt(reply: &UserReply) -> &str {
    match reply {
        UserReply::Lost(lost) => {
            assert_eq!(lost.how, LossKind::Broken);
            &lost.detail
        }
        other => panic!("not lost: {other:?}"),
    }
}

#[test]
fn parts_are_matched_by_id_in_any_order() {
    let answer =
        json!([error("3", 404, "Request_ResourceNotFound"), done("1"), {"id": 2, "status": 204}, done("21")]);
    let replies = judged(3, answer);
    let statuses: Vec<u16> = replies.iter().map(|reply| response(reply).status).collect();
    assert_eq!(statuses, [200, 204, 404]);
    assert_eq!(replies.iter().map(is_done).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn a_part_has_its_own_headers_and_else_those_around_it() {
    let reply = only(json!({"id": "1", "status": 429, "headers": {
        "RETRY-AFTER": "2.128", "retry-after": 3, "Request-Id": OWN_ID, "client-request-id": asked(0),
        "X-MS-Throttle-Scope": "Tenant/Write/a/b", "x-ms-throttle-information": "WriteLimitExceeded",
        "x-ms-throttle-limit-percentage": 1.5, "x-ms-ags-diagnostic": "own"},
        "body": {"error": {"code": "TooManyRequests", "innerError": {"request-id": OUTER_ID}}}}));
    let part = response(&reply);
    assert_eq!(part.retry_after, Some(Duration::from_secs(3)));
    assert_eq!(part.request_id.as_deref(), Some(OWN_ID));
    assert_eq!(part.throttle_scope.as_deref(), Some("Tenant/Write/a/b"));
    assert_eq!(part.throttle_information.as_deref(), Some("WriteLimitExceeded"));
    assert_eq!((part.throttle_percentage, part.diagnostic.as_deref()), (Some(1.5), Some("own")));
    let reply =
        only(json!({"id": "1", "status": 429, "headers": {"Retry-After": "Sun, 22 Nov 2026 03:00:07 GMT"}}));
    let part = response(&reply);
    assert_eq!(part.retry_after, Some(Duration::from_secs(7)), "from the date around it");
    assert_eq!((part.request_id.as_deref(), part.diagnostic.as_deref()), (Some(OUTER_ID), Some("{}")));
    assert!(part.date.is_some());
    for (value, wait) in [
        (json!("Sunday, 22-Nov-26 03:00:07 GMT"), 7),
        (json!("Sun Nov 22 03:00:07 2026"), 7),
        (json!("5, 10"), 10),
        (json!("5, Sun, 22 Nov 2026 03:00:07 GMT"), 7),
        (json!(["5", "2"]), 5),
    ] {
        let reply = only(json!({"id": "1", "status": 429, "headers": {"Retry-After": value}}));
        assert_eq!(response(&reply).retry_after, Some(Duration::from_secs(wait)), "{value}");
    }
    let inner = json!({"code": "Busy", "innererror": {"innererror": {"request-id": OWN_ID}}});
    let reply = only(json!({"id": "1", "status": 503, "body": {"error": inner}}));
    assert_eq!(response(&reply).request_id.as_deref(), Some(OWN_ID));
}

#[test]
fn a_part_may_hold_a_challenge() {
    let value = r#"Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ==""#;
    let reply = only(json!({"id": "1", "status": 401, "headers": {"Www-Authenticate": value}}));
    assert_eq!(response(&reply).claims.as_deref(), Some(r#"{"a":1}"#));
}

#[test]
fn bodies_come_in_several_forms() {
    let body = |body: Value| response(&only(json!({"id": "1", "status": 200, "body": body}))).body.clone();
    assert_eq!(body(json!({"value": true})), ErrorBody::Truth(true));
    assert_eq!(body(json!({"value": false})), ErrorBody::Truth(false));
    assert_eq!(body(Value::Null), ErrorBody::Empty);
    assert_eq!(body("PGh0bWw+".into()), ErrorBody::Html);
    assert_eq!(body("blocked".into()), ErrorBody::Text("blocked".into()));
    for page in ["PGh0bWw+", "blocked"] {
        assert!(!is_done(&only(json!({"id": "1", "status": 200, "body": page}))), "{page}");
    }
    assert_eq!(body(json!([7])), ErrorBody::OddJson("[7]".into()));
    let error = ErrorBody::Error { code: "X".into(), message: "m".into() };
    assert_eq!(body(json!({"error": {"code": "X", "message": "m"}})), error);
    assert_eq!(body(r#"{"error":{"code":"X","message":"m"}}"#.into()), error);
}

#[test]
fn what_refuses_a_batch_says_nothing_of_its_users() {
    let mut unusual = String::new();
    for status in 300..600 {
        let body = json!({"error": {"code": "BadRequest", "message": "m"}}).to_string();
        for reply in replies(2, status, &graphs(), BodyResult::Bytes(body.into_bytes())) {
            assert!(!is_done(&reply));
            match reply {
                UserReply::Unbatched(response) => assert_eq!(response.status, status),
                UserReply::Response(_) if status < 400 => {}
                UserReply::Response(_) => unusual.push_str(&format!("{status} ")),
                UserReply::Lost(lost) => panic!("{status}: {lost:?}"),
            }
        }
    }
    let passing = [401, 408, 429, 500, 502, 503, 504, 507, 509].into_iter().chain(520..=527).chain([530]);
    let twice: String = passing.map(|status| format!("{status} {status} ")).collect();
    assert_eq!(unusual, twice);
    // After a 403 that throttles, each user waits, and none counts as refused.
    let body = json!({"error": {"code": "TooManyRequests", "message": "m"}}).to_string();
    let mut around = graphs();
    around.insert("retry-after", "7".parse().unwrap());
    for reply in replies(2, 403, &around, BodyResult::Bytes(body.into_bytes())) {
        assert!(response(&reply).throttles());
    }
}

#[test]
fn what_holds_for_all_is_said_to_each() {
    let mut around = graphs();
    around.insert("retry-after", HeaderValue::from_static("4"));
    for reply in replies(3, 429, &around, BodyResult::CutOff) {
        assert_eq!(response(&reply).retry_after, Some(Duration::from_secs(4)));
        assert_eq!(response(&reply).body, ErrorBody::CutOff);
    }
    let challenge = headers(&[("www-authenticate", r#"Bearer claims="eyJhIjoxfQ==""#)]);
    for status in [401, 403] {
        let reply = replies(1, status, &challenge, BodyResult::Bytes(Vec::new())).remove(0);
        assert_eq!(response(&reply).claims.as_deref(), Some(r#"{"a":1}"#));
    }
}
