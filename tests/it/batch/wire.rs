//! The bytes of a batch, and answers that the simulator can't give.

use crate::support::plain_server::{ReceivedRequest, serve_requests};
use serde_json::{Value, json};

use super::*;

const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const OTHER: &str = "22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

/// Users sent to a server that always answers so.
async fn against(
    answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static,
    requests: Vec<Vec<BatchRequest>>,
) -> (Vec<Vec<UserReply>>, Vec<ReceivedRequest>) {
    let (root, seen) = serve_requests(answer);
    let graph = graph(&root, Duration::from_secs(20)).await;
    let mut replies = Vec::new();
    for batch in requests {
        replies.push(send(&graph, batch).await);
    }
    let seen = seen.lock().unwrap().clone();
    (replies, seen)
}

/// An answer with these header lines in addition to its length.
fn answer(headers: &[&str], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn own() -> String {
    format!("request-id: {ID}")
}

/// The answer to what was asked: each part is answered with what `part` says to its place and its headers.
fn answered(seen: &ReceivedRequest, headers: &[&str], part: impl Fn(usize, &Value) -> Value) -> String {
    let asked: Value = serde_json::from_str(&seen.body).unwrap();
    let answers = asked["requests"].as_array().unwrap().iter().enumerate().map(|(place, request)| {
        let mut answer = part(place, &request["headers"]);
        answer["id"] = request["id"].clone();
        answer
    });
    answer(headers, &json!({"responses": answers.collect::<Vec<_>>()}).to_string())
}

fn done() -> Value {
    json!({"status": 200, "body": {"@odata.context": "x", "value": true}})
}

#[tokio::test]
async fn a_batch_has_a_length_and_the_required_headers() {
    let sent = requests(&["ann@x.com", "a#EXT#@x.com"]);
    let ids: Vec<String> = sent.iter().map(|request| request.client_request_id.to_string()).collect();
    let (replies, seen) =
        against(|_, seen| answered(seen, &[&own()], |_, _| done()), vec![sent.clone(), sent]).await;
    assert!(replies.iter().flatten().all(is_done));
    let first = &seen[0];
    assert_eq!(first.line, "POST /v1.0/$batch HTTP/1.1");
    assert_eq!(first.header("content-length"), first.body.len().to_string());
    assert_eq!(first.header("transfer-encoding"), "");
    assert_eq!(first.header("x-ms-throttle-priority"), "high");
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("authorization"), format!("Bearer {TOKEN}"));
    let part = |id: &str, user: &str, own: &str| {
        json!({"id": id, "method": "POST", "url": format!("/users/{user}/revokeSignInSessions"), "body": {},
            "headers": {"Content-Type": "application/json", "client-request-id": own,
                "x-ms-throttle-priority": "high"}})
    };
    let expected =
        json!({"requests": [part("1", "ann@x.com", &ids[0]), part("2", "a%23EXT%23@x.com", &ids[1])]});
    assert_eq!(serde_json::from_str::<Value>(&first.body).unwrap(), expected);
    let outer: Uuid = first.header("client-request-id").parse().unwrap();
    assert!(!ids.contains(&outer.to_string()), "it has one of its own");
    assert_ne!(seen[1].header("client-request-id"), first.header("client-request-id"), "each has");
    assert_eq!(seen[1].connection, first.connection, "connections are kept");
}

#[tokio::test]
async fn a_request_for_a_new_connection_moves_the_whole_batch() {
    let plain = requests(&["ann@x.com", "bea@x.com"]);
    let mut anew = requests(&["ann@x.com", "bea@x.com"]);
    anew[1].new_connection = true;
    let (replies, seen) =
        against(|_, seen| answered(seen, &[&own()], |_, _| done()), vec![plain, anew]).await;
    assert!(replies.iter().flatten().all(is_done));
    assert_ne!(seen[0].connection, seen[1].connection);
}

#[tokio::test]
async fn an_answer_to_another_batch_is_rejected() {
    let other = format!("client-request-id: {OTHER}");
    let (replies, _) = against(
        move |_, seen| answered(seen, &[&own(), &other], |_, _| done()),
        vec![requests(&["ann@x.com"; 2])],
    )
    .await;
    for reply in &replies[0] {
        let said = "in a batch of 2: the connection returned the answer to another request";
        assert_eq!(lost(reply), (LossKind::Broken, said));
    }
}

#[tokio::test]
async fn swapped_answers_are_rejected() {
    // Each part echoes its own id, but for the first two, which stand in each other's place.
    let swapped = |_: usize, seen: &ReceivedRequest| {
        let asked: Value = serde_json::from_str(&seen.body).unwrap();
        answered(seen, &[&own()], |place, _| {
            let place = [1, 0, 2][place];
            let mut part = done();
            part["headers"] =
                json!({"Client-Request-Id": asked["requests"][place]["headers"]["client-request-id"]});
            part
        })
    };
    let (replies, _) = against(swapped, vec![requests(&["ann@x.com", "bea@x.com", "cid@x.com"])]).await;
    for reply in &replies[0][..2] {
        assert_eq!(lost(reply), (LossKind::Broken, "in a batch of 3: the answer to another request"));
    }
    assert!(is_done(&replies[0][2]));
}

#[tokio::test]
async fn a_success_without_body_needs_the_batchs_request_id() {
    for (headers, believed) in [(vec![own()], true), (vec![], false)] {
        let bare = move |_: usize, seen: &ReceivedRequest| {
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            answered(seen, &headers, |_, _| json!({"status": 204, "headers": {"request-id": OTHER}}))
        };
        let (replies, _) = against(bare, vec![requests(&["ann@x.com"])]).await;
        assert_eq!(is_done(&replies[0][0]), believed);
    }
}

#[tokio::test]
async fn answers_beyond_the_size_limit_are_rejected() {
    let padded = |length: usize| {
        move |_: usize, seen: &ReceivedRequest| {
            answered(
                seen,
                &[&own()],
                |_, _| json!({"status": 200, "body": {"@odata.context": "x", "value": true, "pad": " ".repeat(length)}}),
            )
        }
    };
    let all = users(20);
    let (replies, _) = against(padded(90 << 10), vec![requests(&named(&all))]).await;
    assert!(replies[0].iter().all(is_done), "90 KiB a part");
    let (replies, _) = against(padded(120 << 10), vec![requests(&named(&all))]).await;
    for reply in &replies[0] {
        assert_eq!(
            lost(reply),
            (LossKind::Broken, "in a batch of 20: status 200, but the answer was cut off")
        );
    }
}

#[tokio::test]
async fn an_echoed_token_is_hidden() {
    let echo = |_: usize, seen: &ReceivedRequest| {
        let token = seen.header("authorization").to_owned();
        answered(seen, &[&own()], |_, _| {
            json!({"status": 400, "headers": {"x-ms-ags-diagnostic": token},
                "body": {"error": {"code": token, "message": format!("got '{token}'")}}})
        })
    };
    let (replies, _) = against(echo, vec![requests(&["ann@x.com"])]).await;
    let evidence = replies[0][0].evidence();
    assert_eq!(evidence.detail, "got 'Bearer [token]'");
    assert_eq!(evidence.diagnostic.as_deref(), Some("Bearer [token]"));
}
