use std::time::{Duration, Instant};

use super::*;
use crate::directory::DirectoryError;
use crate::identity::SignInError;

fn one() -> String {
    graph("200 OK", &json!({"id": "x"}))
}

#[tokio::test]
async fn after_a_503_it_is_asked_again_over_a_new_connection() {
    let (directory, log) = directory(|number, _| match number {
        0 => graph("503 Busy", &error("ServiceUnavailable", "")),
        _ => one(),
    })
    .await;
    directory.reader.get(&read("groups/1")).await.unwrap();
    let log = log.lock().unwrap();
    assert_ne!(log[0].connection, log[1].connection);
    let ids: Vec<&str> = log.iter().map(|seen| seen.header("client-request-id")).collect();
    assert!(ids[0] != ids[1] && uuid::Uuid::try_parse(ids[0]).is_ok(), "{ids:?}");
    for seen in log.iter() {
        assert_eq!(seen.header("authorization"), format!("Bearer {TOKEN}"));
        assert_eq!(
            (seen.header("consistencylevel"), seen.header("accept")),
            ("eventual", "application/json")
        );
    }
}

#[tokio::test]
async fn throttling_does_not_use_up_attempts() {
    let (directory, log) = directory(|number, _| match number {
        0..8 => answer("429 Too Many Requests\r\nretry-after: 0.02", ""),
        _ => one(),
    })
    .await;
    let began = Instant::now();
    directory.reader.get(&read("groups/1")).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(160), "{:?}", began.elapsed());
    assert_eq!(log.lock().unwrap().len(), 9);
}

#[tokio::test]
async fn excessive_retry_after_is_an_error() {
    let (directory, log) = directory(|_, _| answer("429 Too Many Requests\r\nretry-after: 86400", "")).await;
    let failed = directory.reader.get(&read("groups/1")).await.unwrap_err();
    assert!(failed.to_string().contains("86400 s"), "{failed}");
    assert_eq!(log.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn answers_not_from_graph_are_retried_then_rejected() {
    for page in [
        answer("200 OK", "<html>log in</html>"),
        answer("200 OK", "{}"),
        answer("404 Not Found", "<html>no such page</html>"),
        answer("403 Forbidden", "<html>blocked</html>"),
        answer("302 Found\r\nlocation: /login", ""),
        answer("200 OK\r\nconnection: close", r#"{"@odata.context":"x","value":["#),
        graph("200 OK", &error("UnknownError", "try later")),
        format!("{}x", answer("200 OK\r\nconnection: close", "1234567").replace("length: 7", "length: 70")),
    ] {
        let shown = page.clone();
        let (directory, log) = directory(move |_, _| page.clone()).await;
        let failed = directory.reader.get(&read("groups/1")).await.unwrap_err();
        assert!(matches!(failed, DirectoryError::Unavailable { .. }), "{failed} of {shown}");
        assert_eq!(log.lock().unwrap().len(), 5, "{shown}");
    }
}

#[tokio::test]
async fn refusals_are_not_retried_and_never_leak_the_token() {
    let echo = format!("who sends Bearer {TOKEN}?");
    for (status, code) in [
        ("400 Bad", "Request_BadRequest"),
        ("403 No", "Authorization_RequestDenied"),
        ("404 No", "Request_ResourceNotFound"),
    ] {
        let said = error(code, &echo);
        let (directory, log) = directory(move |_, _| graph(status, &said)).await;
        let failed = directory.reader.get(&read("groups/1")).await.unwrap_err();
        assert!(!format!("{failed} {failed:?}").contains("CANARY"), "{failed:?}");
        assert!(failed.to_string().contains("group Finance"), "{failed}");
        assert_eq!(failed.is_forbidden(), code.starts_with("Auth"));
        assert_eq!(log.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_401_asks_for_another_token_once() {
    for status in ["401 No", "403 No\r\nwww-authenticate: Bearer claims=\"eyJhIjp7fX0=\""] {
        let (directory, log) =
            directory(move |_, _| graph(status, &error("InvalidAuthenticationToken", ""))).await;
        let failed = directory.reader.get(&read("groups/1")).await.unwrap_err();
        let expected = matches!(
            failed,
            DirectoryError::SignIn(
                SignInError::TokenRejected { .. } | SignInError::ChallengeUnanswerable { .. }
            )
        );
        assert!(expected, "{failed:?}");
        assert_eq!((failed.exit_code(), log.lock().unwrap().len()), (4, 1));
    }
}

#[tokio::test]
async fn numbers_are_read_with_their_byte_order_mark() {
    let marked = "200 OK\r\nrequest-id: 0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    let (directory, _) = directory(move |_, _| answer(marked, "\u{feff}200017")).await;
    assert_eq!(directory.reader.count(&read("users/$count")).await.unwrap(), 200_017);
    let failed = directory.reader.get(&read("users/$count")).await.unwrap_err();
    assert!(matches!(failed, DirectoryError::Untrusted { .. }), "{failed}");
}

#[tokio::test]
async fn an_answer_to_another_request_is_not_taken() {
    let other = "200 OK\r\nclient-request-id: 11111111-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
    let (directory, log) = directory(move |number, _| match number {
        0 => answer(other, r#"{"@odata.context":"x","id":"another"}"#),
        _ => one(),
    })
    .await;
    assert_eq!(directory.reader.get(&read("groups/1")).await.unwrap()["id"], "x");
    assert_eq!(log.lock().unwrap().len(), 2);
}
