//! Answers that are not Graph's to this request: none of them is believed to be a success.

mod plain_server;
mod stage;

use std::time::{Duration, Instant};

use plain_server::{Seen, response, serve_seen};
use stage::{Done, Stage};

const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const OTHER: &str = "22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const TRUE: &str =
    r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#;

/// An answer with these header lines beside its length.
fn answer(status: &str, headers: &[String], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn own() -> String {
    format!("request-id: {ID}")
}

/// Runs one user against a server that always answers so.
fn against(
    answer: impl Fn(usize, &Seen) -> String + Send + Sync + 'static,
    args: &[&str],
) -> (Stage, Done, usize) {
    let stage = Stage::new("");
    let (root, seen) = serve_seen(answer);
    let input = stage.input("users.txt", "a@contoso.com\n");
    let mut command = stage.bare("run");
    command.env("ENTRA_REVOKE_TOKEN", stage::TOKEN).arg(input).args(["--yes", "--graph-url", &root]);
    let done = stage.finish(command.args(["--rate", "1000/s"]).args(args));
    let count = seen.lock().expect("nobody panicked").len();
    (stage, done, count)
}

/// Never believed: tried again, and failed in the end.
#[track_caller]
fn disbelieved(what: &str, answer: impl Fn(usize, &Seen) -> String + Send + Sync + 'static) {
    let (stage, done, count) = against(answer, &["--retries", "1"]);
    done.exits(3);
    let row = stage.folder().row("a@contoso.com");
    assert_eq!([&row["outcome"], &row["attempts"]], ["failed", "2"], "{what}: {row:#?}");
    assert_eq!(count, 2, "{what}");
}

#[track_caller]
fn believed(what: &str, answer: impl Fn(usize, &Seen) -> String + Send + Sync + 'static) {
    let (stage, done, count) = against(answer, &["--retries", "1"]);
    done.exits(0);
    assert_eq!(stage.folder().row("a@contoso.com")["outcome"], "revoked", "{what}");
    assert_eq!(count, 1, "{what}");
}

#[test]
fn the_answer_to_another_request_is_none() {
    let other = || format!("client-request-id: {OTHER}");
    disbelieved("another id, with a body", move |_, _| answer("200 OK", &[own(), other()], TRUE));
    disbelieved("another id, without a body", move |_, _| answer("200 OK", &[own(), other()], ""));
    disbelieved("another id alone", move |_, _| answer("200 OK", &[other()], TRUE));
}

#[test]
fn an_echo_of_either_id_is_graphs_own() {
    believed("none reached Graph", |_, _| {
        answer("200 OK", &[own(), format!("client-request-id: {ID}")], TRUE)
    });
    believed("echoed", |_, seen| {
        let echo = seen.header("client-request-id");
        assert!(!echo.is_empty());
        answer("200 OK", &[own(), format!("client-request-id: {echo}")], TRUE)
    });
    believed("echoed in capitals", |_, seen| {
        let echo = seen.header("client-request-id").to_uppercase();
        answer("200 OK", &[own(), format!("client-request-id: {echo}")], TRUE)
    });
    believed("not echoed", |_, _| answer("200 OK", &[own()], TRUE));
}

#[test]
fn text_with_an_id_that_is_no_guid_is_nobodys() {
    disbelieved("text", |_, _| answer("200 OK", &["request-id: abc".to_owned()], "ok"));
}

#[test]
fn a_no_in_any_form_is_a_no() {
    for no in
        ["false", r#"{"value":false}"#, r#"{"value":"false"}"#, r#"{"@odata.context":"x","value":"False"}"#]
    {
        disbelieved(no, move |_, _| answer("200 OK", &[own()], no));
    }
}

#[test]
fn half_an_answer_is_none() {
    for end in [1, TRUE.len() / 2, TRUE.len() - 1] {
        disbelieved("JSON cut off by the connection's end", move |_, _| {
            let half = &TRUE[..end];
            format!("HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\n\r\n{half}")
        });
    }
    disbelieved("fewer bytes than announced", move |_, _| {
        let length = TRUE.len() + 9;
        format!(
            "HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{TRUE}"
        )
    });
}

#[test]
fn an_answer_without_end_is_none() {
    disbelieved("a long body", |_, _| {
        answer("200 OK", &[own()], &format!("{}{}", TRUE, " ".repeat(1 << 20)))
    });
    disbelieved("a long text", |_, _| answer("200 OK", &[own()], &"ok ".repeat(100_000)));
}

#[test]
fn a_429_whose_body_stalls_closes_the_gate_and_costs_no_try() {
    let stalls = |number: usize, _: &Seen| match number {
        0 => format!(
            "HTTP/1.1 429 Too Many Requests\r\nrequest-id: {ID}\r\nretry-after: 2\r\n\
             content-length: 500\r\n\r\n{{\"error\":"
        ),
        _ => response("204 No Content").replace("content-length: 0\r\n", ""),
    };
    let began = Instant::now();
    let (stage, done, count) = against(stalls, &["--retries", "0", "--timeout", "1s"]);
    done.exits(0);
    assert!(began.elapsed() >= Duration::from_secs(2), "the wait was not heeded: {:?}", began.elapsed());
    let folder = stage.folder();
    let row = folder.row("a@contoso.com");
    assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "2"], "{row:#?}");
    assert_eq!(count, 2);
    let throttled: Vec<_> =
        folder.journal().into_iter().filter(|line| line["event"] == "throttled").collect();
    assert_eq!(throttled.len(), 1, "{throttled:#?}");
    assert_eq!(throttled[0]["retry_after_ms"], 2000);
}
