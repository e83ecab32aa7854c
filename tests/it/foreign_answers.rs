//! Answers that are not Graph's answer to this request. None of them counts as a success.

use crate::ctx;

use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext};
use crate::support::plain_server::{ReceivedRequest, response, serve_requests};

const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const OTHER: &str = "22222222-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const TRUE: &str =
    r#"{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#Edm.Boolean","value":true}"#;

/// An answer with these header lines in addition to its length.
fn answer(status: &str, headers: &[String], body: &str) -> String {
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}

fn own() -> String {
    format!("request-id: {ID}")
}

/// Runs one user against a server that always answers so.
fn against(
    answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static,
    args: &[&str],
) -> (TestContext, CommandResult, usize) {
    let ctx = TestContext::new("");
    let (root, seen) = serve_requests(answer);
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(input).args(["--yes", "--graph-url", &root]);
    let done = ctx.finish(command.args(["--rate", "1000/s"]).args(args));
    let count = seen.lock().expect("nobody panicked").len();
    (ctx, done, count)
}

/// Never believed: tried again, and failed in the end.
#[track_caller]
fn disbelieved(what: &str, answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static) {
    let (ctx, done, count) = against(answer, &["--retries", "1"]);
    done.exits(3);
    let row = ctx.run_folder().row("a@contoso.com");
    assert_eq!([&row["outcome"], &row["attempts"]], ["failed", "2"], "{what}: {row:#?}");
    assert_eq!(count, 2, "{what}");
}

#[track_caller]
fn believed(what: &str, answer: impl Fn(usize, &ReceivedRequest) -> String + Send + Sync + 'static) {
    let (ctx, done, count) = against(answer, &["--retries", "1"]);
    done.exits(0);
    assert_eq!(ctx.run_folder().row("a@contoso.com")["outcome"], "revoked", "{what}");
    assert_eq!(count, 1, "{what}");
}

#[test]
fn an_answer_to_another_request_is_not_a_success() {
    let other = || format!("client-request-id: {OTHER}");
    disbelieved("another id, with a body", move |_, _| answer("200 OK", &[own(), other()], TRUE));
    disbelieved("another id, without a body", move |_, _| answer("200 OK", &[own(), other()], ""));
    disbelieved("another id alone", move |_, _| answer("200 OK", &[other()], TRUE));
}

#[test]
fn an_echo_of_either_id_is_accepted() {
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
fn an_answer_with_an_invalid_request_id_is_not_a_success() {
    disbelieved("text", |_, _| answer("200 OK", &["request-id: abc".to_owned()], "ok"));
}

#[test]
fn false_in_any_form_is_not_a_success() {
    for no in
        ["false", r#"{"value":false}"#, r#"{"value":"false"}"#, r#"{"@odata.context":"x","value":"False"}"#]
    {
        disbelieved(no, move |_, _| answer("200 OK", &[own()], no));
    }
}

#[test]
fn a_200_with_an_unknown_body_is_not_a_success() {
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
fn any_2xx_with_a_known_body_is_a_success() {
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
fn a_body_without_a_proven_end_is_not_a_success() {
    disbelieved("the connection's end", |_, _| {
        format!("HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\n\r\n")
    });
    disbelieved("chunks without the last", |_, _| {
        format!(
            "HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )
    });
    for coding in ["identity", "chunked, identity", "xyz"] {
        disbelieved(coding, move |_, _| {
            format!(
                "HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\nconnection: close\r\ntransfer-encoding: {coding}\r\n\r\n"
            )
        });
    }
    believed("the last chunk", |_, _| {
        format!("HTTP/1.1 200 OK\r\nrequest-id: {ID}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")
    });
    believed("no content", |_, _| format!("HTTP/1.1 204 No Content\r\nrequest-id: {ID}\r\n\r\n"));
}

/// The second answer to one request is not the next user's.
#[test]
fn a_late_second_answer_is_ignored() {
    let ctx = TestContext::new("");
    let (root, seen) = serve_requests(|number, seen| {
        let echo = format!("client-request-id: {}", seen.header("client-request-id"));
        match number {
            // Without an echo, and on a connection that another user's request takes next.
            1 => answer("200 OK", &[own()], TRUE),
            _ => answer("200 OK", &[own(), echo], TRUE),
        }
    });
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(input).args(["--yes", "--graph-url", &root, "-j", "1"]);
    ctx.finish(command.args(["--rate", "1000/s", "--no-lookup"])).exits(0);
    let seen = seen.lock().expect("no handler panicked");
    let users: Vec<&str> = seen.iter().map(|seen| seen.line.split('/').nth(3).unwrap_or_default()).collect();
    assert_eq!(users.len(), 3, "{users:?}");
    let row = ctx.run_folder().row(users[1]);
    assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "2"], "{users:?}: {row:#?}");
}

/// The simulator's HTTP/2 has no reset without an error: this server answers with headers, and then with one.
#[test]
fn headers_followed_by_a_reset_are_not_a_success() {
    for reason in [h2::Reason::NO_ERROR, h2::Reason::CANCEL, h2::Reason::INTERNAL_ERROR] {
        let ctx = TestContext::new("");
        let (root, ca) = ctx.runtime.block_on(reset_after_headers(reason));
        let ca = ctx.input("ca.pem", ca);
        let input = ctx.input("users.txt", "a@contoso.com\n");
        let mut command = ctx.command_without_token("run");
        command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(input).args(["--yes", "--graph-url", &root]);
        command.arg("--ca-cert").arg(ca);
        ctx.finish(command.args(["--rate", "1000/s", "--retries", "1"])).exits(3);
        let row = ctx.run_folder().row("a@contoso.com");
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
fn a_truncated_answer_is_not_a_success() {
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
fn an_endless_answer_is_not_a_success() {
    disbelieved("a long body", |_, _| {
        answer("200 OK", &[own()], &format!("{}{}", TRUE, " ".repeat(1 << 20)))
    });
    disbelieved("a long text", |_, _| answer("200 OK", &[own()], &"ok ".repeat(100_000)));
}

#[test]
fn a_429_with_a_stalled_body_throttles_without_costing_a_retry() {
    let stalls = |number: usize, _: &ReceivedRequest| match number {
        0 => format!(
            "HTTP/1.1 429 Too Many Requests\r\nrequest-id: {ID}\r\nretry-after: 2\r\n\
             content-length: 500\r\n\r\n{{\"error\":"
        ),
        _ => response("204 No Content").replace("content-length: 0\r\n", ""),
    };
    let began = Instant::now();
    let (ctx, done, count) = against(stalls, &["--retries", "0", "--timeout", "1s"]);
    done.exits(0);
    assert!(began.elapsed() >= Duration::from_secs(2), "the wait was not heeded: {:?}", began.elapsed());
    let folder = ctx.run_folder();
    let row = folder.row("a@contoso.com");
    assert_eq!([&row["outcome"], &row["attempts"]], ["revoked", "2"], "{row:#?}");
    assert_eq!(count, 2);
    let throttled: Vec<_> =
        folder.journal().into_iter().filter(|line| line["event"] == "throttled").collect();
    assert_eq!(throttled.len(), 1, "{throttled:#?}");
    assert_eq!(throttled[0]["retry_after_ms"], 2000);
}

/// Times to wait at the edges of u64, i64 and the calendar.
const TOO_LONG: [&str; 6] = [
    "18446744073709551615.9999",
    "18446744073709551616",
    "9223372036854775807",
    "9223372037",
    "31622400.9999",
    "Fri, 31 Dec 9999 23:59:59 GMT",
];

/// Values that are not valid waits.
const NO_NUMBERS: [&str; 8] = ["1e308", "1.8e19", "NaN", "inf", "-0", "-9223372036854775808", "+5", " "];

fn asks_for(wait: &str) -> String {
    answer("429 Too Many Requests", &[own(), format!("retry-after: {wait}")], "")
}

#[track_caller]
fn no_panic(what: &str, done: &CommandResult) {
    let broken = done.stderr.contains("panicked") || done.stderr.contains("internal error");
    assert!(!broken && done.code != Some(101), "{what}: {done:#?}");
}

#[test]
fn any_retry_after_value_is_handled() {
    std::thread::scope(|scope| {
        for wait in TOO_LONG.into_iter().chain(NO_NUMBERS) {
            scope.spawn(move || {
                let began = Instant::now();
                let (ctx, done, count) = against(
                    move |number, _| {
                        if number == 0 { asks_for(wait) } else { answer("204 No Content", &[own()], "") }
                    },
                    &["--retries", "0"],
                );
                no_panic(wait, &done);
                let row = ctx.run_folder().row("a@contoso.com");
                if TOO_LONG.contains(&wait) {
                    done.exits(3);
                    assert_eq!((row["outcome"].as_str(), count), ("throttled_out", 1), "{wait}");
                    assert!(done.stdout.contains("entra-revoke resume"), "{}", done.stdout);
                    let stopped = ctx.run_folder().summary()["stopped"].clone();
                    assert_eq!(stopped["reason"], "max_wait", "{stopped}");
                } else {
                    // It is as if it were missing.
                    done.exits(0);
                    assert_eq!((row["outcome"].as_str(), count), ("revoked", 2), "{wait}");
                }
                assert!(began.elapsed() < Duration::from_secs(90), "{wait}: {:?}", began.elapsed());
            });
        }
    });
}

#[test]
fn resume_retries_after_a_wait_that_was_too_long() {
    let ctx = TestContext::new("");
    let (root, seen) = serve_requests(|number, _| match number {
        0 => asks_for("7200"),
        1 => answer("503 Service Unavailable", &[own(), "retry-after: 7200".to_owned()], ""),
        _ => answer("204 No Content", &[own()], ""),
    });
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(input).args([
        "--yes",
        "--no-lookup",
        "-j",
        "1",
        "--graph-url",
        &root,
    ]);
    let done = ctx.finish(&mut command);
    done.exits(3);
    assert!(done.stdout.contains("--max-wait is 1h"), "{}", done.stdout);
    let folder = ctx.run_folder();
    let words = |folder: &ctx::RunDir| folder.outcomes().into_values().collect::<Vec<_>>();
    assert_eq!(words(&folder), ["throttled_out", "not_attempted", "not_attempted"]);
    let resume = |args: &[&str]| {
        let mut command = ctx.command_without_token("resume");
        command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(&folder.path).args(["--graph-url", &root]);
        ctx.finish(command.args(["-j", "1"]).args(args))
    };
    // A failure that asks for so long a wait is not waited for either, and the others go on.
    resume(&[]).exits(3);
    assert_eq!(words(&folder), ["failed", "revoked", "revoked"]);
    resume(&["--max-wait", "0s"]).exits(0);
    assert_eq!(seen.lock().expect("nobody panicked").len(), 5);
}

/// `run` as an app against a server that is Graph and the authority.
fn as_app(ctx: &TestContext, root: &str, args: &[&str]) -> CommandResult {
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let mut command = ctx.command_without_token("run");
    command.args(["--tenant", ID, "--client-id", OTHER, "--graph-url", root, "--authority-url", root]);
    command.arg(input).args(["--yes", "--no-lookup"]);
    ctx.finish(command.args(args))
}

#[test]
fn any_number_in_a_token_response_is_handled() {
    let lives = ["1.8e19", "18446744073709551615", "\"18446744073709551615\"", "1e308", "253402300800"];
    let none = ["-1", "\"NaN\"", "\"inf\"", "\"+5\"", "\" \"", "-1.8e19", "true", "\"1e308\""];
    std::thread::scope(|scope| {
        for number in lives.into_iter().chain(none) {
            scope.spawn(move || {
                let ctx = TestContext::new("");
                let (root, _) = serve_requests(move |_, seen| {
                    let token = format!(r#"{{"access_token":"fake","expires_in":{number}}}"#);
                    let code = format!(
                        r#"{{"device_code":"d","user_code":"U","verification_uri":"https://microsoft.com/x",
                            "expires_in":{number},"interval":0.1}}"#
                    );
                    match &seen.line {
                        line if line.contains("/devicecode") => answer("200 OK", &[], &code),
                        line if line.contains("/token") => answer("200 OK", &[], &token),
                        _ => answer("204 No Content", &[own()], ""),
                    }
                });
                let code = if lives.contains(&number) { 0 } else { 4 };
                for auth in ["client-secret", "device-code"] {
                    let mut command = ctx.command_without_token("run");
                    command.env("AZURE_CLIENT_SECRET", "fake-secret").args([
                        "--auth",
                        auth,
                        "--yes",
                        "--no-lookup",
                    ]);
                    command.args(["--tenant", ID, "--client-id", OTHER, "--graph-url", &root]);
                    command.args(["--authority-url", &root]).arg(ctx.input("users.txt", "a@contoso.com\n"));
                    let done = ctx.finish(&mut command);
                    no_panic(number, &done);
                    done.exits(code);
                }
            });
        }
    });
}

#[test]
fn a_sign_in_does_not_wait_long() {
    std::thread::scope(|scope| {
        for (number, max_wait) in [("18446744073709551615.9999", "1h"), ("1.8e19", "1h"), ("3", "2s")] {
            scope.spawn(move || {
                let ctx = TestContext::new("");
                let began = Instant::now();
                // The poll of a device code waits as long as the server asks, but not beyond the code's end.
                let (root, _) = serve_requests(move |_, seen| {
                    let code = format!(
                        r#"{{"device_code":"d","user_code":"U","verification_uri":"https://microsoft.com/x",
                            "expires_in":1,"interval":{}}}"#,
                        number.trim_end_matches(".9999")
                    );
                    match &seen.line {
                        line if line.contains("/devicecode") => answer("200 OK", &[], &code),
                        _ => asks_for(number),
                    }
                });
                let done = as_app(&ctx, &root, &["--auth", "device-code"]);
                no_panic(number, &done);
                done.exits(4);
                if number != "1.8e19" {
                    let mut command = ctx.command_without_token("run");
                    command.env("AZURE_CLIENT_SECRET", "fake-secret").args([
                        "--auth",
                        "client-secret",
                        "--yes",
                    ]);
                    command.args(["--tenant", ID, "--client-id", OTHER, "--graph-url", &root]);
                    command.args(["--authority-url", &root, "--max-wait", max_wait]);
                    let done = ctx.finish(command.arg(ctx.input("users.txt", "a@contoso.com\n")));
                    no_panic(number, &done);
                    done.exits(4);
                    assert!(done.stderr.contains("retry after"), "{}", done.stderr);
                }
                assert!(began.elapsed() < Duration::from_secs(25), "{number}: {:?}", began.elapsed());
            });
        }
    });
}

#[test]
fn a_required_read_does_not_wait_long() {
    std::thread::scope(|scope| {
        for (number, max_wait) in [("18446744073709551615.9999", "1h"), ("5", "4s")] {
            scope.spawn(move || {
                let ctx = TestContext::new("");
                let (root, _) = serve_requests(move |_, _| asks_for(number));
                let began = Instant::now();
                let mut command = ctx.command_without_token("run");
                command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).args([
                    "--group",
                    ID,
                    "--yes",
                    "--graph-url",
                    &root,
                ]);
                let done = ctx.finish(command.args(["--max-wait", max_wait]));
                no_panic(number, &done);
                done.exits(1);
                assert!(done.stderr.contains("retry after"), "{}", done.stderr);
                assert!(began.elapsed() < Duration::from_secs(15), "{number}: {:?}", began.elapsed());
            });
        }
    });
}

/// Two users who always answer 429 do not block the others.
#[test]
fn a_throttled_user_does_not_delay_others() {
    std::thread::scope(|scope| {
        for args in [&["-j", "1"][..], &[], &["--batch-size", "1"]] {
            scope.spawn(move || {
                let ctx = TestContext::new(
                    "[[fault]]\nmatch = 'u000@*'\nanswer = 429\nretry_after = '0.3'\n\
                                        [[fault]]\nmatch = 'u001@*'\nanswer = 429\nretry_after = '0.3'\n",
                );
                let users: String = (0..302).map(|n| format!("u{n:03}@contoso.com\n")).collect();
                let input = ctx.input("users.txt", users);
                let done = ctx.run(&input, &[args, &["--deadline", "45s", "--rate", "1000/s"]].concat());
                let outcomes = ctx.run_folder().outcomes();
                let count = |word: &str| outcomes.values().filter(|outcome| *outcome == word).count();
                assert_eq!((count("revoked"), count("throttled_out")), (300, 2), "{args:?}: {done:#?}");
                // The deadline may come before the two have had all of their tries.
                assert!(matches!(done.code, Some(3 | 5)), "{done:#?}");
            });
        }
    });
}
