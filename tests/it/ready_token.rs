//! Ready tokens from the environment, a file or standard input: what happens when they expire, and which ones can
//! continue a run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::ctx::{CommandResult, TestContext};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use entra_revoke::simulator::TokenKind;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

fn with_token(ctx: &TestContext, token: &str, input: &Path) -> Command {
    let mut command = ctx.command("run");
    command.env("ENTRA_REVOKE_TOKEN", token).arg(input);
    command
}

#[test]
fn a_refused_ready_token_ends_the_run() {
    let ctx = TestContext::new("[[fault]]\nmatch = 'u03@*'\nanswer = 'revoke-token'\nfirst = 1\n");
    let input = ctx.users(6);
    let done = ctx.run(&input, &["-j", "1"]);
    done.exits(4);
    let folder = ctx.run_folder();
    let sentence = folder.summary()["stopped"]["sentence"].as_str().unwrap().to_owned();
    assert!(sentence.contains("get a new one"), "{sentence}");
    let words: Vec<String> = folder.rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words[..3], ["revoked", "revoked", "revoked"]);
    assert_eq!(words[4..], ["not_attempted", "not_attempted"]);

    let resumed = ctx.finish(ctx.command("resume").env("ENTRA_REVOKE_TOKEN", "another").arg(&folder.path));
    resumed.exits(0);
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_rewritten_token_file_is_read_again_after_a_401() {
    let ctx = TestContext::new("accept_any_token = false\n");
    let mint = || ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let file = ctx.input("token.txt", format!("{}\n", mint()));
    let input = ctx.users(60);
    let mut command = ctx.command_without_token("run");
    command.args(["--graph-url", &ctx.simulator.url(), "--yes", "--rate", "30/s", "--burst", "1"]);
    let run = ctx.start(command.arg("--token-file").arg(&file).arg(&input));
    ctx.until(|ctx| ctx.stats().effects > 0);
    std::fs::write(&file, format!("Bearer {}\r\n", mint())).unwrap();
    ctx.simulator.change_config("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n").unwrap();
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    let ledger = ctx.ledger();
    assert!(ledger.stats.answers["401"] >= 1, "{:?}", ledger.stats);
    assert!(ledger.users.len() == 60 && ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_token_file_rewritten_for_another_tenant_ends_the_run() {
    let ctx = TestContext::new("");
    let of = |tenant: &str| {
        let claims = serde_json::json!({ "tid": tenant, "roles": ["User.RevokeSessions.All"] });
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    };
    let file = ctx.input("token.txt", of(TENANT));
    let input = ctx.users(60);
    let mut command = ctx.command_without_token("run");
    command.args(["--graph-url", &ctx.simulator.url(), "--yes", "--rate", "30/s", "--burst", "1"]);
    let run = ctx.start(command.arg("--token-file").arg(&file).arg(&input));
    ctx.until(|ctx| ctx.stats().effects > 0);
    std::fs::write(&file, of("11111111-0000-4000-8000-000000000001")).unwrap();
    ctx.simulator.change_config("[[fault]]\nanswer = 'expired-token'\n").unwrap();
    ctx.until(|ctx| ctx.ledger().stats.answers.contains_key("401"));
    ctx.simulator.change_config("fault = []\n").unwrap();
    let effects = ctx.stats().effects;
    let done = CommandResult::from(run.wait_with_output().unwrap());
    done.exits(4);
    assert!(done.stdout.contains("11111111-0000-4000-8000-000000000001"), "{}", done.stdout);
    assert_eq!(ctx.stats().effects, effects, "somebody was sent with another tenant's token");
}

/// A user's token, as far as it tells.
fn person(upn: &str) -> String {
    let claims =
        serde_json::json!({ "tid": TENANT, "upn": upn, "oid": upn, "scp": "User.RevokeSessions.All" });
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn me_stays_the_user_who_started_the_run() {
    let ctx = TestContext::new("[[fault]]\nanswer = 'expired-token'\n");
    let input = ctx.input("users.txt", "ann@contoso.com\nme\n");
    ctx.finish(&mut with_token(&ctx, &person("operator@contoso.com"), &input)).exits(4);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder();
    let resume = |token: &str| {
        let mut resume = ctx.command("resume");
        ctx.finish(resume.env("ENTRA_REVOKE_TOKEN", token).arg(&folder.path))
    };
    for other in [person("mallory@contoso.com"), "opaque".to_owned()] {
        let done = resume(&other);
        done.exits(2);
        assert!(done.stderr.contains("operator@contoso.com, who started the run"), "{}", done.stderr);
        assert_eq!(ctx.stats().effects, 0);
    }
    resume(&person("Operator@contoso.com")).exits(0);
    let began = folder.journal().into_iter().filter(|line| line["event"] == "began");
    let operators: Vec<String> = began.map(|line| line["operator"].as_str().unwrap().to_owned()).collect();
    assert_eq!(operators, ["token as operator@contoso.com", "token as Operator@contoso.com"]);
}

#[test]
fn a_token_is_read_in_any_encoding() {
    let ctx = TestContext::new("accept_any_token = false\n");
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let input = ctx.users(1);
    let line = format!("Bearer {token}\r\n");
    let little: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(line.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> =
        [0xfe, 0xff].into_iter().chain(line.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    for bytes in [little, big, format!("\u{feff}{token}").into_bytes()] {
        let file = ctx.input("token.txt", bytes);
        let mut command = ctx.command_without_token("run");
        command.args(["--graph-url", &ctx.simulator.url(), "--yes", "--token-file"]).arg(&file).arg(&input);
        ctx.finish(&mut command).exits(0);
    }
    for end in ["\n", "\r\n", "\r"] {
        ctx.finish(&mut with_token(&ctx, &format!("{token}{end}"), &input)).exits(0);
    }
}

#[test]
fn an_unusable_token_file_is_named() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    for (contents, says) in
        [(None, "missing.txt"), (Some("  \n"), "it is empty"), (Some("two words\n"), "white space")]
    {
        let file = match contents {
            None => ctx.dir.path().join("missing.txt"),
            Some(contents) => ctx.input("token.txt", contents),
        };
        let mut command = ctx.command_without_token("run");
        command.args(["--graph-url", &ctx.simulator.url(), "--yes"]).arg(&input);
        let done = ctx.finish(command.arg("--token-file").arg(&file));
        ctx.assert_sign_in_refused(&done, &["--token-file", says]);
        assert!(!done.stderr.contains("two words"), "{}", done.stderr);
    }
}

/// A ready token in its usual form that ends at an instant, from an issuer of the test's own.
fn token_until(ends: jiff::Timestamp) -> String {
    use base64::Engine;
    let claims = serde_json::json!({
        "aud": "https://graph.microsoft.com", "tid": TENANT, "idtyp": "app",
        "roles": ["User.RevokeSessions.All"], "exp": ends.as_second(),
    });
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode("{\"alg\":\"none\"}"), encode(&claims.to_string()), encode("fake-signature"))
}

fn from_now(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}

#[test]
fn an_expired_token_sends_nothing() {
    let ctx = TestContext::new("");
    let input = ctx.users(2);
    let ends = from_now(-301);
    let file = ctx.input("token.txt", token_until(ends));
    let mut by_file = ctx.command_without_token("run");
    by_file.args(["--graph-url", &ctx.simulator.url(), "--yes", "--token-file"]).arg(&file).arg(&input);
    for command in [&mut with_token(&ctx, &token_until(ends), &input), &mut by_file] {
        let when = ends.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        ctx.assert_sign_in_refused(
            &ctx.finish(command),
            &["the access token expired at", &when, "nothing was revoked", "new one"],
        );
    }
    assert_eq!(ctx.stats().requests, 0);
    // Clocks differ: so long after its end Graph itself is asked.
    ctx.finish(&mut with_token(&ctx, &token_until(from_now(-290)), &input)).exits(0);
}

#[test]
fn a_token_that_expires_too_early_is_warned_about() {
    let ctx = TestContext::new("");
    let input = ctx.users(60);
    let run = |ends: i64, rate: &str| {
        ctx.finish(
            with_token(&ctx, &token_until(from_now(ends)), &input).args(["--rate", rate, "--halt", "fail=1"]),
        )
    };
    let done = run(-100, "2000/s");
    assert!(done.stderr.contains("warning: the access token expires at"), "{}", done.stderr);
    assert!(done.stderr.contains("`resume` continues with a new token"), "{}", done.stderr);
    let done = run(60, "1000/s");
    assert!(!done.stderr.contains("warning: the access token"), "{}", done.stderr);
}

/// The simulator refuses the token at its end, as Graph does; it says the same in `exp`.
#[test]
fn a_run_with_an_expired_token_can_be_resumed() {
    let ctx = TestContext::new("accept_any_token = false\n");
    let input = ctx.users(200);
    let mint = |seconds| ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(seconds));
    let mut command = with_token(&ctx, &mint(2), &input);
    let done = ctx.finish(command.args(["--rate", "40/s", "--burst", "1"]));
    done.exits(4);
    assert!(done.stderr.contains("warning: the access token expires at"), "{}", done.stderr);
    assert!(done.stdout.contains("no longer accepts the access token: it expired at"), "{}", done.stdout);
    assert!(
        done.stdout.contains("get a new one") && done.stdout.contains("entra-revoke resume"),
        "{}",
        done.stdout
    );
    let folder = ctx.run_folder();
    let left = folder.rows().iter().filter(|row| row["outcome"] != "revoked").count();
    assert!((80..190).contains(&left), "{left}");
    // Again over: nothing is lost by trying.
    let mut resume = ctx.command("resume");
    resume.env("ENTRA_REVOKE_TOKEN", token_until(from_now(-3600))).arg(&folder.path);
    ctx.finish(&mut resume).exits(4);
    let mut resume = ctx.command("resume");
    resume.env("ENTRA_REVOKE_TOKEN", mint(600)).arg(&folder.path).args(["--rate", "1000/s"]);
    ctx.finish(&mut resume).exits(0);
    let ledger = ctx.ledger();
    assert!(ledger.users.len() == 200 && ledger.users.iter().all(|user| user.effects == 1));
}

#[test]
fn a_token_can_come_from_standard_input() {
    use std::io::Write;
    let ctx = TestContext::new("accept_any_token = false\n");
    let input = ctx.users(2);
    let mut command = ctx.command_without_token("run");
    command.args(["--graph-url", &ctx.simulator.url(), "--yes", "--token-file", "-"]).arg(&input);
    let mut run = ctx.start(command.stdin(std::process::Stdio::piped()));
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    run.stdin.take().unwrap().write_all(format!("{token}\n").as_bytes()).unwrap();
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    assert_eq!(ctx.ledger().stats.effects, 2);
}

#[test]
fn standard_input_cannot_be_both_users_and_token() {
    let ctx = TestContext::new("");
    let mut command = ctx.command_without_token("run");
    command.args(["-", "--graph-url", &ctx.simulator.url(), "--yes", "--token-file", "-"]);
    let done = ctx.finish(&mut command);
    done.exits(2);
    assert!(
        done.stderr.contains("--token-file") && done.stderr.contains("standard input"),
        "{}",
        done.stderr
    );
}

/// A ready-made token can't be renewed with claims.
#[test]
fn a_ready_token_cannot_answer_a_challenge() {
    let ctx = TestContext::new("[[fault]]\nanswer = 'challenge'\n");
    let input = ctx.users(3);
    let done = ctx.run(&input, &[]);
    done.exits(4);
    assert!(
        done.stdout.contains("claims challenge") && done.stdout.contains("sign in again"),
        "{}",
        done.stdout
    );
}
