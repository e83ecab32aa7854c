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
fn a_success_whose_body_is_not_understood_is_none() {
    for odd in [
        "Blocked by policy",
        "<html>Log in",
        r#"{"value":0}"#,
        r#"{"value":"no"}"#,
        r#"{"value":[false]}"#,
        r#"{"value":null}"#,
        r#"{"value":true,"value":false}"#,
        r#"{"error":{"code":"Blocked"},"value":true}"#,
        "[]",
        "true",
    ] {
        disbelieved(odd, move |_, _| answer("200 OK", &[own()], odd));
        disbelieved(odd, move |_, _| answer("204 No Content", &[own(), "connection: close".to_owned()], odd));
    }
    let deep = format!(r#"{{"x":{}1{},"value":true}}"#, "[".repeat(200), "]".repeat(200));
    disbelieved("deep nesting", move |_, _| answer("200 OK", &[own()], &deep));
    let utf16: String = TRUE.chars().flat_map(|c| [c, '\0']).collect();
    disbelieved("UTF-16", move |_, _| answer("200 OK", &[own()], &utf16));
    for coding in ["gzip", "br", "identity, gzip", "x-unknown"] {
        disbelieved(coding, move |_, seen| {
            assert_eq!(seen.header("accept-encoding"), "identity");
            answer("200 OK", &[own(), format!("content-encoding: {coding}")], TRUE)
        });
    }
}

#[test]
fn any_2xx_with_a_body_that_is_understood_counts() {
    for status in ["200 OK", "201 Created", "202 Accepted", "207 Multi-Status"] {
        for body in [TRUE, r#"{"value":true}"#, r#"{"@odata.context":"x"}"#, "{}", ""] {
            believed(status, move |_, _| answer(status, &[own()], body));
        }
    }
    let coding = || "content-encoding: identity".to_owned();
    believed("identity", move |_, _| answer("200 OK", &[own(), coding()], TRUE));
    disbelieved("an object without Graph's mark", |_, _| answer("200 OK", &[], "{}"));
}

#[test]
fn nothing_with_an_end_that_is_not_proven_is_none() {
    disbelieved("the connection's end", |_, _| {
        format!("HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\n\r\n")
    });
    disbelieved("chunks without the last", |_, _| {
        format!(
            "HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )
    });
    believed("the last chunk", |_, _| {
        format!("HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    });
    believed("no content", |_, _| format!("HTTP/1.1 204 No Content\r\nrequest-id: {ID}\r\n\r\n"));
}

/// The second answer to one request is not the next user's.
#[test]
fn a_late_second_answer_is_nobodys() {
    let stage = Stage::new("");
    let (root, seen) = serve_seen(|number, seen| {
        let echo = format!("client-request-id: {}", seen.header("client-request-id"));
        match number {
            // Without an echo, and on a connection that another user's request takes next.
            1 => answer("200 OK", &[own()], TRUE),
            _ => answer("200 OK", &[own(), echo], TRUE),
        }
    });
    let input = stage.input("users.txt", "a@contoso.com\nb@contoso.com\n");
    let mut command = stage.bare("run");
    command.env("ENTRA_REVOKE_TOKEN", stage::TOKEN).arg(input).args([
        "--yes",
        "--graph-url",
        &root,
        "-j",
        "1",
    ]);
    stage.finish(command.args(["--rate", "1000/s", "--no-lookup"])).exits(0);
    let seen = seen.lock().expect("no handler panicked");
    let users: Vec<&str> = seen.iter().map(|seen| seen.line.split('/').nth(3).unwrap_or_default()).collect();
    assert_eq!(users.len(), 3, "{users:?}");
    let row = stage.folder().row(users[1]);
    assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "2"], "{users:?}: {row:#?}");
}

/// The simulator's HTTP/2 has no reset without an error: this server answers with headers, and then with one.
#[test]
fn headers_and_then_a_reset_are_half_an_answer() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
        let stage = Stage::new("");
        let (root, ca) = stage.runtime.block_on(reset_after_headers(reason));
        let ca = stage.input("ca.pem", ca);
        let input = stage.input("users.txt", "a@contoso.com\n");
        let mut command = stage.bare("run");
        command.env("ENTRA_REVOKE_TOKEN", stage::TOKEN).arg(input).args(["--yes", "--graph-url", &root]);
        command.arg("--ca-cert").arg(ca);
        stage.finish(command.args(["--rate", "1000/s", "--retries", "1"])).exits(3);
        let row = stage.folder().row("a@contoso.com");
        assert_eq!([&row["outcome"], &row["attempts"]], ["failed", "2"], "{reason}: {row:#?}");
    }
}

/// A server over TLS that speaks HTTP/2 alone: its root, and the certificate to trust.
async fn reset_after_headers(reason: h2::Reason) -> (String, String) {
    use tokio_rustls::rustls;

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let root = format!("https://localhost:{}", listener.local_addr().expect("an address").port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.expect("TLS");
                let mut connection = h2::server::handshake(stream).await.expect("HTTP/2");
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let echo = request.headers()["client-request-id"].clone();
                    let response = hyper::Response::builder().header("request-id", ID);
                    let response = response.header("client-request-id", echo).body(()).expect("a response");
                    let mut stream = respond.send_response(response, false).expect("headers are sent");
                    stream.send_reset(reason);
                }
            });
        }
    });
    (root, made.cert.pem())
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
