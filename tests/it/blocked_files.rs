//! Files with secrets that can't be read at the moment, as on a mount that hangs. Here they are named pipes without a
//! writer.
#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext};
use entra_revoke::simulator::TokenKind;
use rustix::process::{Pid, Signal, kill_process};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
const HOUR: Duration = Duration::from_secs(3600);

/// Far below what a run would wait for a file where nothing limits it, and far above what ending takes.
const PROMPT: Duration = Duration::from_secs(8);

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Puts a pipe in the place of a file.
fn block(path: &Path) {
    let pipe = path.with_extension("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::rename(pipe, path).unwrap();
}

/// Puts a file in the place of a pipe.
fn mend(path: &Path, contents: &str) {
    let file = path.with_extension("new");
    std::fs::write(&file, contents).unwrap();
    std::fs::rename(file, path).unwrap();
}

fn verb(ctx: &TestContext, verb: &str) -> Command {
    let mut command = ctx.command_without_token(verb);
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command
}

/// Starts a slow run.
fn start(ctx: &TestContext, mut command: Command, more: &[&str]) -> Child {
    let users: String = (0..60).map(|n| format!("u{n:02}@contoso.com\n")).collect();
    let input = ctx.input("users.txt", users);
    command.args(["--yes", "--rate", "30/s", "--burst", "1"]).args(more).arg(input);
    let run = ctx.start(&mut command);
    until("somebody is revoked", || ctx.stats().effects > 0);
    run
}

/// Ends a child that is stuck, so that a test that fails leaves nothing behind.
fn end(mut child: Child) -> CommandResult {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() && began.elapsed() < PROMPT {
        std::thread::sleep(Duration::from_millis(2));
    }
    let stuck = child.try_wait().unwrap().is_none();
    if stuck {
        child.kill().unwrap();
    }
    let done = CommandResult::from(child.wait_with_output().unwrap());
    assert!(!stuck, "it had to be killed: {done:?}");
    done
}

/// Graph that takes only its own tokens, and a token of it in a file.
fn with_token_file() -> (TestContext, PathBuf) {
    let ctx = TestContext::new("accept_any_token = false\n");
    let file = ctx.input("token.txt", ctx.simulator.mint_token(TokenKind::App, HOUR));
    (ctx, file)
}

/// A run whose token's file is blocked when Graph refuses the token.
fn run_to_the_block(ctx: &TestContext, file: &Path, more: &[&str]) -> Child {
    let mut command = verb(ctx, "run");
    command.arg("--token-file").arg(file);
    let run = start(ctx, command, more);
    block(file);
    ctx.simulator.change_config("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n").unwrap();
    until("the token is refused", || ctx.ledger().stats.answers.contains_key("401"));
    run
}

#[test]
fn a_blocked_token_file_ends_the_run_in_time() {
    let (ctx, file) = with_token_file();
    let done = end(run_to_the_block(&ctx, &file, &["--timeout", "1s"]));
    done.exits(4);
    for words in ["--token-file", "token.txt", "could not be read within 1s", "resume"] {
        assert!(done.stdout.contains(words), "{words:?} is not in: {}", done.stdout);
    }
    mend(&file, &ctx.simulator.mint_token(TokenKind::App, HOUR));
    ctx.simulator.change_config("fault = []\n").unwrap();
    let folder = ctx.run_folder().path;
    ctx.finish(
        verb(&ctx, "resume")
            .args(["--rate", "1000/s", "--burst", "60"])
            .arg(folder)
            .arg("--token-file")
            .arg(&file),
    )
    .exits(0);
    let users = ctx.ledger().users;
    assert!(users.len() == 60 && users.iter().all(|user| user.effects == 1), "{users:#?}");
}

/// A device has no end, and a pipe without a writer has no beginning.
#[test]
fn only_regular_files_of_limited_size_are_read() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let pipe = ctx.dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let long = ctx.input("long", vec![b'x'; (16 << 20) + 1]);
    let run = |flag: &str, path: &Path| {
        let mut command = verb(&ctx, "run");
        command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP).args(["--yes", "--timeout", "5s"]);
        match flag.starts_with("--") {
            true => command.arg(flag).arg(path),
            false => command.env(flag, path).env("AZURE_CLIENT_SECRET", "fake"),
        };
        if flag == "--ca-cert" {
            command.env("AZURE_CLIENT_SECRET", "fake");
        }
        let done = end(ctx.start(command.arg(&input)));
        assert!(matches!(done.code, Some(2 | 4)), "{flag} {}: {done:?}", path.display());
        let name = path.display().to_string();
        assert!(done.stderr.contains(flag) && done.stderr.contains(&name), "{flag} {name}: {done:?}");
        done.stderr
    };
    for flag in ["--ca-cert", "SSL_CERT_FILE", "--certificate-file", "--client-secret-file", "--token-file"] {
        let told = run(flag, Path::new("/dev/zero"));
        assert!(told.contains("it is a device: name a regular file"), "{flag}: {told}");
        let told = run(flag, &long);
        assert!(told.contains("it is too long") || told.contains("too large"), "{flag}: {told}");
        // A token or secret may still be about to come.
        if !["--client-secret-file", "--token-file"].contains(&flag) {
            assert!(run(flag, &pipe).contains("it is a pipe"), "{flag}");
        }
    }
    assert_eq!(ctx.stats().requests, 0);
    // A run's record, too.
    let folder = ctx.dir.path().join("a-run");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("run.json")).unwrap();
    let done = end(ctx.start(ctx.command_without_token("report").arg(&folder)));
    assert!(matches!(done.code, Some(1 | 2)) && done.stderr.contains("run.json"), "{done:?}");
}

#[test]
fn an_interrupt_ends_the_wait_for_a_file() {
    let (ctx, file) = with_token_file();
    let run = run_to_the_block(&ctx, &file, &["--timeout", "60s"]);
    let asked = Instant::now();
    kill_process(Pid::from_raw(run.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    end(run).exits(130);
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
    assert_eq!(ctx.run_folder().summary()["exit_code"], 130);
}

#[test]
fn a_blocked_federated_token_file_ends_the_run_in_time() {
    let ctx = TestContext::new(&format!(
        "accept_any_token = false\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\n[token.federated]\n\
         issuer = 'https://issuer.example'\nsubject = 'a-pod'\n"
    ));
    let file = ctx.input("assertion.txt", ctx.simulator.mint_assertion(HOUR));
    let mut command = verb(&ctx, "run");
    command.envs([("AZURE_TENANT_ID", TENANT), ("AZURE_CLIENT_ID", APP)]);
    command.env("AZURE_FEDERATED_TOKEN_FILE", &file);
    let run = start(&ctx, command, &["--timeout", "1s"]);
    block(&file);
    ctx.simulator.change_config("[[fault]]\nanswer = 'revoke-token'\nfirst = 1\n").unwrap();
    let done = end(run);
    done.exits(4);
    for words in ["AZURE_FEDERATED_TOKEN_FILE", "could not be read within 1s"] {
        assert!(done.stdout.contains(words), "{words:?} is not in: {}", done.stdout);
    }
}

#[test]
fn a_slow_pipe_is_waited_for_at_the_start() {
    let (ctx, file) = with_token_file();
    let token = std::fs::read(&file).unwrap();
    block(&file);
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let mut command = verb(&ctx, "run");
    command.args(["--yes", "--timeout", "200ms", "--token-file"]).arg(&file).arg(input);
    let run = ctx.start(&mut command);
    // Longer than a file may take later on.
    std::thread::sleep(Duration::from_millis(600));
    std::fs::write(&file, token).unwrap();
    end(run).exits(0);
}
