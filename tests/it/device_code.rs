//! Sign-in with a device code: the prompt, the polls, renewal during a run, `me`, and every way in which it fails.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const OPERATOR: &str = "operator@example.com";

/// A tenant that people sign in to: `token` and `device` are further lines of their tables.
fn tenant(token: &str, device: &str, more: &str) -> TestContext {
    TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n{token}\n\
         [token.device]\ninterval = 0.1\n{device}\n{more}"
    ))
}

fn as_person(ctx: &TestContext, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    command.args(["--auth", "device-code", "--tenant", TENANT, "--client-id", APP, "--yes"]);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command.arg(input);
    command
}

/// How often a person was asked to enter a code.
fn prompts(done: &CommandResult) -> usize {
    done.stderr.lines().filter(|line| line.starts_with("To sign in, open ")).count()
}

#[test]
fn the_prompt_is_shown_with_any_output_setting() {
    for silent in [&[][..], &["-o", "none", "--progress", "none"], &["-o", "json", "--progress", "plain"]] {
        let ctx = tenant("", "polls_before_approval = 2", "");
        let input = ctx.users(5);
        let done = ctx.finish(as_person(&ctx, &input).args(silent));
        done.exits(0);
        let told = "To sign in, open https://microsoft.com/devicelogin and enter the code ";
        assert!(done.stderr.contains(told), "{}", done.stderr);
        assert_eq!(prompts(&done), 1);
        assert!(!done.stdout.contains("devicelogin"));
        let ledger = ctx.ledger();
        assert_eq!((ledger.stats.token_requests, ledger.stats.tokens_issued), (3, 1));
        assert!(ledger.violations.is_empty(), "{:?}", ledger.violations);
        let summary = ctx.run_folder().summary();
        assert_eq!(summary["operator"]["auth"], "device-code");
        assert_eq!(summary["operator"]["user"], OPERATOR);
        assert_eq!(summary["operator"]["app_id"], APP);
    }
}

/// The five seconds are RFC 8628's: this test takes as long.
#[test]
fn polling_obeys_slow_down() {
    let ctx = tenant("", "slow_down = 1\npolls_before_approval = 0", "");
    let input = ctx.users(1);
    let began = Instant::now();
    ctx.finish(&mut as_person(&ctx, &input)).exits(0);
    assert!(began.elapsed() >= Duration::from_secs(5));
    let ledger = ctx.ledger();
    assert!(ledger.violations.is_empty(), "{:?}", ledger.violations);
    assert_eq!(ledger.stats.token_requests, 2);
}

#[test]
fn every_failed_sign_in_has_advice() {
    for (device, says) in [
        ("outcome = 'decline'", "declined in the browser"),
        ("outcome = 'expire'", "the code was not used within 15 minutes"),
        ("polls_before_approval = 1000\nexpires_in = 1.2", "the code was not used within 1 minute:"),
        ("verification_uri = 'http://microsoft.com/devicelogin'", "not a trusted address"),
        ("verification_uri = 'https://microsoft.com@evil.example/'", "not a trusted address"),
    ] {
        let ctx = tenant("", device, "");
        let input = ctx.users(1);
        let done = ctx.finish(&mut as_person(&ctx, &input));
        ctx.assert_sign_in_refused(&done, &[says]);
        assert!(!done.stderr.contains("To sign in, open http://microsoft.com"), "{}", done.stderr);
        assert_eq!(ctx.stats().tokens_issued, 0);
    }
}

#[test]
fn a_refused_device_code_request_is_explained() {
    for (token, says) in
        [("tenant = 'elsewhere.example'", "AADSTS90002"), ("client_id = 'other'", "AADSTS700016")]
    {
        let ctx = TestContext::new(&format!("[token]\n{token}\n"));
        let input = ctx.users(1);
        ctx.assert_sign_in_refused(&ctx.finish(&mut as_person(&ctx, &input)), &[says]);
    }
    let ctx = tenant("", "", "[[fault]]\nendpoint = 'device_code'\nanswer = 'portal'\n");
    let input = ctx.users(1);
    ctx.assert_sign_in_refused(&ctx.finish(&mut as_person(&ctx, &input)), &["no device code", "portal"]);
}

#[test]
fn a_network_failure_keeps_the_code() {
    let fault = "[[fault]]\nendpoint = 'token'\nafter = 1\ntimes = 1\nanswer = 'reset-before'\n\
                 [[fault]]\nendpoint = 'device_code'\ntimes = 1\nanswer = 503\n";
    let ctx = tenant("", "polls_before_approval = 2", fault);
    let input = ctx.users(2);
    let done = ctx.finish(&mut as_person(&ctx, &input));
    done.exits(0);
    assert_eq!(prompts(&done), 1, "{}", done.stderr);
}

#[test]
fn missing_settings_are_named() {
    let ctx = tenant("", "", "");
    let input = ctx.users(1);
    for (set, says) in [(&[][..], "--tenant"), (&["--tenant", TENANT], "a public client of your own")] {
        let mut command = ctx.command_without_token("run");
        command.args(["--auth", "device-code", "--yes", "--graph-url", &ctx.simulator.url()]).args(set);
        ctx.assert_sign_in_refused(&ctx.finish(command.arg(&input)), &["--auth device-code is set", says]);
    }
}

#[test]
fn renewal_uses_the_newest_refresh_token() {
    let ctx = tenant("lifetime = '2s'", "single_use = true\npolls_before_approval = 0", "");
    let input = ctx.users(90);
    let done = ctx.finish(as_person(&ctx, &input).args(["--rate", "20/s", "--burst", "1"]));
    done.exits(0);
    assert_eq!(prompts(&done), 1, "{}", done.stderr);
    let ledger = ctx.ledger();
    assert!(ledger.stats.tokens_issued >= 3, "{:?}", ledger.stats);
    assert!(ledger.users.len() == 90 && ledger.users.iter().all(|user| user.effects == 1));
}

/// Names of the signed-in operator. A row with `me` means the operator.
const OWN: [&str; 2] = ["OPERATOR@example.com", "0b5e5d1e-1111-4222-8333-444455556666"];

/// Whom the run sent, in order.
fn sent(ctx: &TestContext) -> Vec<String> {
    let lines = ctx.run_folder().journal();
    let sent = lines.iter().filter(|line| line["event"] == "sent");
    sent.map(|line| line["user"].as_str().unwrap().to_lowercase()).collect()
}

#[test]
fn the_operator_is_skipped_without_include_self() {
    for own in OWN {
        let ctx = tenant("", "polls_before_approval = 0", "");
        let input = ctx.input("users.txt", format!("{own}\na@contoso.com\nb@contoso.com\n"));
        let done = ctx.finish(as_person(&ctx, &input).args(["-j", "1"]));
        done.exits(0);
        assert!(done.stderr.contains("you are among the users and are left out"), "{}", done.stderr);
        assert!(done.stderr.contains("--include-self revokes you last"), "{}", done.stderr);
        assert_eq!(ctx.run_folder().row(own)["outcome"], "protected");
        assert_eq!(sent(&ctx), ["a@contoso.com", "b@contoso.com"]);
        let ledger = ctx.ledger();
        assert!(ledger.users.len() == 2 && ledger.stats.effects == 2, "{own}: {:?}", ledger.stats);
    }
}

#[test]
fn the_operator_is_revoked_last_after_a_warning() {
    let asked = OWN.map(|own| (own, &["--include-self"][..]));
    for (own, args) in asked.into_iter().chain([("me", &[][..]), ("me", &["--include-self"])]) {
        let ctx = tenant("", "polls_before_approval = 0", "");
        let input = ctx.input("users.txt", format!("{own}\na@contoso.com\nb@contoso.com\n"));
        let done = ctx.finish(as_person(&ctx, &input).args(["-j", "1"]).args(args));
        done.exits(0);
        assert!(done.stderr.contains("you are among the users, and come last"), "{}", done.stderr);
        assert_eq!(sent(&ctx), ["a@contoso.com".to_owned(), "b@contoso.com".to_owned(), own.to_lowercase()]);
        assert_eq!(ctx.run_folder().row(own)["outcome"], "revoked");
        assert_eq!(ctx.ledger().stats.effects, 3);
    }
    let ctx = tenant("", "polls_before_approval = 0", "");
    let input = ctx.users(1);
    let done = ctx.finish(&mut as_person(&ctx, &input));
    assert!(!done.stderr.contains("you are among"), "{}", done.stderr);
}

/// Reads standard error up to a line that holds `words`.
fn read_until(stderr: &mut impl BufRead, words: &str) -> String {
    let mut read = String::new();
    while !read.contains(words) {
        let before = read.len();
        stderr.read_line(&mut read).unwrap();
        assert!(read.len() > before, "{words:?} did not come in: {read}");
    }
    read
}

fn stderr_of(child: &mut Child) -> BufReader<std::process::ChildStderr> {
    BufReader::new(child.stderr.take().unwrap())
}

/// The operator's own sessions end in the middle: the refresh token is worth nothing, and Graph challenges the token.
#[test]
fn a_revoked_sign_in_gets_a_new_code_during_the_run() {
    let ctx = tenant("", "polls_before_approval = 0", "");
    let input = ctx.users(60);
    let mut run =
        ctx.start(as_person(&ctx, &input).args(["--rate", "30/s", "--burst", "1", "--retries", "0"]));
    let mut stderr = stderr_of(&mut run);
    read_until(&mut stderr, "run folder");
    revoke_operator(&ctx);
    // Only a client that declared `cp1` is challenged: the token says that this one did.
    ctx.simulator.change_config("[[fault]]\nanswer = 'challenge'\ncp1_only = true\n").unwrap();
    let told = read_until(&mut stderr, "Earlier codes no longer work");
    assert!(told.contains("AADSTS50173") && told.contains("To sign in, open https://"), "{told}");
    drain(stderr);
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    let ledger = ctx.ledger();
    assert_eq!(ledger.stats.tokens_issued, 2, "{:?}", ledger.stats);
    assert!(ledger.stats.answers["401"] >= 1);
    let others = ledger.users.iter().filter(|user| user.id != OPERATOR);
    assert_eq!(others.filter(|user| user.effects == 1).count(), 60);
}

/// Another process ends the operator's sessions.
fn revoke_operator(ctx: &TestContext) {
    let token = ctx.simulator.mint_token(entra_revoke::simulator::TokenKind::App, Duration::from_secs(600));
    let url = format!("{}/v1.0/users/{OPERATOR}/revokeSignInSessions", ctx.simulator.url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let done = ctx.runtime.block_on(client.post(url).bearer_auth(token).body("{}").send()).unwrap();
    assert_eq!(done.status(), 200);
}

fn drain(mut stderr: impl BufRead) -> String {
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    rest
}

#[test]
fn a_conditional_access_prompt_does_not_stop_the_run() {
    let ctx = tenant("lifetime = '4s'", "polls_before_approval = 0", "");
    let input = ctx.users(110);
    let mut run = ctx.start(as_person(&ctx, &input).args(["--rate", "25/s", "--burst", "1"]));
    let mut stderr = stderr_of(&mut run);
    read_until(&mut stderr, "run folder");
    ctx.simulator
        .change_config(&format!(
            "[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n\
             [token.device]\ninterval = 0.1\npolls_before_approval = 3\nrefresh = 'interaction_required'\n"
        ))
        .unwrap();
    let told = read_until(&mut stderr, "Earlier codes no longer work");
    assert!(told.contains("AADSTS50076"), "{told}");
    let at_the_prompt = ctx.stats().revocations;
    let mut sent_before_the_person_came = at_the_prompt;
    while ctx.stats().tokens_issued < 2 && run.try_wait().unwrap().is_none() {
        sent_before_the_person_came = ctx.stats().revocations;
        std::thread::yield_now();
    }
    drain(stderr);
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    assert!(
        sent_before_the_person_came > at_the_prompt,
        "sending waited for the person from {at_the_prompt} on"
    );
    let stats = ctx.stats();
    assert_eq!((stats.tokens_issued, stats.bad_auth), (2, 0));
}

#[test]
fn a_sign_in_as_another_user_ends_the_run() {
    let ctx = tenant("lifetime = '1s'", "polls_before_approval = 0\nrefresh = 'none'", "");
    let input = ctx.users(60);
    let mut run = ctx.start(as_person(&ctx, &input).args(["--rate", "20/s", "--burst", "1"]));
    let mut stderr = stderr_of(&mut run);
    read_until(&mut stderr, "run folder");
    ctx
        .simulator
        .change_config(&format!(
            "[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nuser_id = '99999999-1111-4222-8333-444455556666'\n\
             user_principal_name = 'other@example.com'\n[token.device]\ninterval = 0.1\npolls_before_approval = 0\n"
        ))
        .unwrap();
    let rest = drain(stderr);
    let done = CommandResult::from(run.wait_with_output().unwrap());
    done.exits(4);
    assert!(rest.contains("did not return a refresh token"), "{rest}");
    assert!(done.stdout.contains("other@example.com signed in, but operator@"), "{}", done.stdout);
    assert!(ctx.ledger().users.len() < 60);
}

#[cfg(unix)]
mod signals {
    use std::os::unix::process::ExitStatusExt;

    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    fn interrupt(child: &Child) {
        kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    }

    #[test]
    fn an_interrupt_during_polling_ends_the_run() {
        let ctx = tenant("", "polls_before_approval = 100000", "");
        let input = ctx.users(1);
        let mut run = ctx.start(&mut as_person(&ctx, &input));
        read_until(&mut stderr_of(&mut run), "To sign in");
        let asked = Instant::now();
        interrupt(&run);
        // Ended by the signal itself: a shell makes 130 of it.
        let status = run.wait().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert!(status.signal() == Some(2) || status.code() == Some(130), "{status}");
        assert!(ctx.run_folders().is_empty());
    }

    #[test]
    fn an_interrupt_during_a_token_request_ends_the_run() {
        for fault in ["answer = 'hang-before'", "answer = 503"] {
            let ctx = TestContext::new(&format!("[[fault]]\nendpoint = 'token'\n{fault}\n"));
            let input = ctx.users(1);
            let mut command = ctx.command_without_token("run");
            command.env("AZURE_CLIENT_SECRET", "fake-secret").args([
                "--tenant",
                TENANT,
                "--client-id",
                APP,
                "--yes",
            ]);
            command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
            let mut run = ctx.start(command.arg(&input));
            while ctx.stats().token_requests == 0 {
                std::thread::yield_now();
            }
            let asked = Instant::now();
            interrupt(&run);
            let status = run.wait().unwrap();
            assert!(asked.elapsed() < Duration::from_secs(5));
            assert!(status.signal() == Some(2) || status.code() == Some(130), "{status}");
        }
    }

    #[test]
    fn an_interrupt_during_a_renewal_writes_the_reports() {
        let ctx = tenant("lifetime = '1s'", "polls_before_approval = 0\nrefresh = 'none'", "");
        let input = ctx.users(60);
        let mut run = ctx.start(as_person(&ctx, &input).args(["--rate", "20/s", "--burst", "1"]));
        let mut stderr = stderr_of(&mut run);
        read_until(&mut stderr, "run folder");
        ctx.simulator
            .change_config("[token.device]\ninterval = 0.1\npolls_before_approval = 100000\n")
            .unwrap();
        read_until(&mut stderr, "Earlier codes no longer work");
        interrupt(&run);
        let rest = drain(stderr);
        let done = CommandResult::from(run.wait_with_output().unwrap());
        assert_eq!(done.code, Some(130), "{rest}");
        let folder = ctx.run_folder();
        assert_eq!(folder.summary()["exit_code"], 130);

        // The person is asked again; the way to sign in is named again, and is never taken from the folder.
        ctx.simulator.change_config("[token.device]\ninterval = 0.1\npolls_before_approval = 0\n").unwrap();
        let url = ctx.simulator.url();
        let mut resume = ctx.command_without_token("resume");
        resume.args(["--auth", "device-code", "--graph-url", &url, "--authority-url", &url]);
        let resumed = ctx.finish(resume.arg(&folder.path).args(["--rate", "1000/s"]));
        resumed.exits(0);
        assert_eq!(prompts(&resumed), 1, "{}", resumed.stderr);
        assert_eq!(ctx.ledger().users.len(), 60);
    }
}
