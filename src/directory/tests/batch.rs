use std::collections::BTreeMap;

use super::*;
use crate::directory::DirectoryError;
use crate::directory::read_error::ReadError;

fn users(count: usize) -> Vec<ReadRequest> {
    (0..count).map(|number| read(&format!("users/u{number}"))).collect()
}

/// The parts of a batch: id and address.
fn parts(seen: &ReceivedRequest) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let text = |part: &Value, field: &str| part[field].as_str().unwrap().to_owned();
    body["requests"].as_array().unwrap().iter().map(|part| (text(part, "id"), text(part, "url"))).collect()
}

fn found(id: &str, url: &str) -> Value {
    json!({"id": id, "status": 200, "body": {"url": url}})
}

fn outer(responses: Vec<Value>) -> String {
    graph("200 OK", &json!({"responses": responses}))
}

/// How often each address was requested.
fn times(log: &RequestLog) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for (_, url) in log.lock().unwrap().iter().flat_map(parts) {
        *times.entry(url).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn answers_come_back_in_order_however_they_came() {
    let (directory, log) = directory(|_, seen| {
        let mut responses: Vec<Value> = parts(seen).iter().map(|(id, url)| found(id, url)).collect();
        responses.reverse();
        outer(responses)
    })
    .await;
    let answers = directory.reader.batch(users(45)).await.unwrap();
    let urls: Vec<String> =
        answers.into_iter().map(|answer| answer.unwrap()["url"].as_str().unwrap().to_owned()).collect();
    assert_eq!(urls, (0..45).map(|number| format!("/users/u{number}")).collect::<Vec<_>>());
    let log = log.lock().unwrap();
    let mut sizes: Vec<usize> = log.iter().map(|seen| parts(seen).len()).collect();
    sizes.sort();
    assert_eq!(sizes, [5, 20, 20]);
    assert!(log.iter().all(|seen| seen.line.starts_with("POST /v1.0/$batch")));
    assert!(log[0].body.contains(r#""headers":{"ConsistencyLevel":"eventual"}"#), "{}", log[0].body);
}

#[tokio::test]
async fn only_the_parts_that_failed_are_sent_again() {
    let (directory, log) = directory(|number, seen| {
        let again = number > 0;
        let one = |(id, url): &(String, String)| match url.as_str() {
            "/users/u1" if !again => {
                vec![json!({"id": id, "status": 429, "headers": {"retry-after": "0.03"}})]
            }
            "/users/u2" if !again => vec![json!({"id": id, "status": 504})],
            "/users/u3" if !again => vec![],
            "/users/u4" if !again => vec![found(id, url), found(id, "another")],
            "/users/u5" => {
                vec![json!({"id": id, "status": 404, "body": error("Request_ResourceNotFound", "")})]
            }
            _ => vec![found(id, url)],
        };
        outer(parts(seen).iter().flat_map(one).collect())
    })
    .await;
    let began = std::time::Instant::now();
    let answers = directory.reader.batch(users(6)).await.unwrap();
    assert!(began.elapsed() >= std::time::Duration::from_millis(30));
    for (number, answer) in answers[..5].iter().enumerate() {
        assert_eq!(answer.as_ref().unwrap()["url"], format!("/users/u{number}"));
    }
    assert!(matches!(answers[5], Err(ReadError::NotFound)));
    assert_eq!(times(&log).into_values().collect::<Vec<_>>(), [1, 2, 2, 2, 2, 1]);
}

#[tokio::test]
async fn missing_part_fails_only_itself() {
    let (directory, _) = directory(|_, seen| {
        let parts = parts(seen);
        outer(parts.iter().filter(|(_, url)| url != "/users/u1").map(|(id, url)| found(id, url)).collect())
    })
    .await;
    let answers = directory.reader.batch(users(3)).await.unwrap();
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert!(matches!(&answers[1], Err(ReadError::Unavailable(why)) if why.contains("has no answer")));
}

#[tokio::test]
async fn rejected_batches_fall_back_to_single_reads() {
    for (refusal, posts) in [
        (answer("404 Not Found", "<html>no such page</html>"), 1),
        (answer("405 Method Not Allowed", ""), 1),
        (graph("403 Forbidden", &error("Authorization_RequestDenied", "")), 1),
        (graph("400 Bad Request", &error("BadRequest", "")), 2),
    ] {
        let (directory, log) = directory(move |_, seen| match seen.line.starts_with("POST") {
            true => refusal.clone(),
            false => graph("200 OK", &json!({"line": seen.line})),
        })
        .await;
        for _ in 0..2 {
            let answers = directory.reader.batch(users(3)).await.unwrap();
            for (number, answer) in answers.into_iter().enumerate() {
                assert_eq!(answer.unwrap()["line"], format!("GET /v1.0/users/u{number} HTTP/1.1"));
            }
        }
        let found = log.lock().unwrap().iter().filter(|seen| seen.line.starts_with("POST")).count();
        assert_eq!(found, posts);
    }
}

#[tokio::test]
async fn malformed_batch_or_rejected_token_stops_the_read() {
    let (senseless, _) = directory(|_, _| graph("200 OK", &json!({"value": []}))).await;
    assert!(matches!(senseless.reader.batch(users(3)).await, Err(ReadError::Untrusted(_))));
    let (refused, log) = directory(|_, seen| {
        let part = |(id, _): &(String, String)| json!({"id": id, "status": 401, "body": error("x", "")});
        outer(parts(seen).iter().map(part).collect())
    })
    .await;
    let failed = refused.reader.batch(users(3)).await.unwrap_err();
    assert!(matches!(failed.with_context("users", Permission::Users), DirectoryError::SignIn(_)));
    assert_eq!(log.lock().unwrap().len(), 1);
}
