//! Tokens from the Azure CLI and the Azure Developer CLI, which are scripts here.
#![cfg(unix)]

use crate::support::secret_leak;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::ctx::TestContext;
use entra_revoke::simulator::TokenKind;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

/// A domain of the tenant.
const CONTOSO: &str = "[[tenant]]\nmatch = 'contoso.com'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\n";

/// Graph that takes only the tokens it made.
fn ctx(tables: &str) -> TestContext {
    TestContext::new(&format!("accept_any_token = false\n[token]\ntenant = '{TENANT}'\n{tables}"))
}

/// Puts a program on the PATH that notes how it was called, then does this.
fn install(ctx: &TestContext, name: &str, script: &str) {
    let bin = ctx.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let path = bin.join(name);
    let bin = bin.display();
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" > {bin}/{name}.args\nenv > {bin}/{name}.env\npwd > {bin}/{name}.pwd\n\
         echo >> {bin}/{name}.calls\ncalls=$(wc -l < {bin}/{name}.calls)\n{script}\n"
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
}

/// What the program noted.
fn noted(ctx: &TestContext, name: &str) -> String {
    std::fs::read_to_string(ctx.dir.path().join("bin").join(name)).unwrap_or_default()
}

fn noted_pid(ctx: &TestContext, name: &str) -> Pid {
    Pid::from_raw(noted(ctx, name).trim().parse().unwrap()).unwrap()
}

fn calls(ctx: &TestContext, name: &str) -> usize {
    noted(ctx, &format!("{name}.calls")).lines().count()
}

/// A script that prints these tokens, one at each call, as `az` does.
fn prints(ctx: &TestContext, kind: TokenKind, lives: &[Duration]) -> String {
    let bin = ctx.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (at, life) in lives.iter().enumerate() {
        let token = ctx.simulator.mint_token(kind, *life);
        let ends = (SystemTime::now() + *life).duration_since(UNIX_EPOCH).unwrap().as_secs();
        let printed = serde_json::json!({
            "accessToken": token, "expires_on": ends, "expiresOn": "2001-01-01 00:00:00.000000",
            "subscription": "00000000-0000-0000-0000-000000000000", "tenant": TENANT, "tokenType": "Bearer",
        });
        std::fs::write(bin.join(format!("token-{}.json", at + 1)), printed.to_string()).unwrap();
    }
    format!("cat {}/token-$calls.json", bin.display())
}

const HOUR: Duration = Duration::from_secs(3600);

fn run(ctx: &TestContext, input: &Path) -> Command {
    let mut command = ctx.command_without_token("run");
    let root = ctx.simulator.url();
    command.args(["--graph-url", &root, "--authority-url", &root, "--yes"]).arg(input);
    command.env("PATH", format!("{}:/usr/bin:/bin", ctx.dir.path().join("bin").display()));
    command
}

#[test]
fn az_provides_the_token() {
    let ctx = ctx("");
    install(&ctx, "az", &prints(&ctx, TokenKind::User, &[HOUR]));
    let input = ctx.input("me.txt", "me\nann@contoso.com\n");
    let done = ctx.finish(run(&ctx, &input).args(["--tenant", TENANT]));
    done.exits(0);
    assert!(
        done.stderr.contains("Signing in with azure-cli (managed-identity: no answer from"),
        "{}",
        done.stderr
    );
    assert_eq!(done.stderr.lines().filter(|line| line.contains("Signing in")).count(), 1);
    let arguments = noted(&ctx, "az.args");
    let expected =
        "account get-access-token --output json --scope https://graph.microsoft.com/.default --tenant ";
    assert_eq!(arguments.lines().collect::<Vec<_>>().join(" "), format!("{expected}{TENANT}"));
    let summary = ctx.run_folder().summary();
    assert_eq!(summary["operator"]["auth"], "azure-cli");
    // Who it is, the token says.
    assert_eq!(summary["operator"]["user"], "operator@example.com");
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn azd_provides_the_token() {
    let ctx = ctx(CONTOSO);
    let token = ctx.simulator.mint_token(TokenKind::App, HOUR);
    install(&ctx, "azd", &format!("echo '{{\"token\":\"{token}\",\"expiresOn\":\"2999-01-01T00:00:00Z\"}}'"));
    let input = ctx.users(2);
    ctx.finish(run(&ctx, &input).args(["--auth", "azure-developer-cli", "--tenant", "contoso.com"])).exits(0);
    let arguments = noted(&ctx, "azd.args");
    let expected =
        "auth token --output json --no-prompt --scope https://graph.microsoft.com/.default --tenant-id";
    assert_eq!(arguments.lines().collect::<Vec<_>>().join(" "), format!("{expected} contoso.com"));
    assert_eq!(ctx.run_folder().summary()["operator"]["auth"], "azure-developer-cli");
}

#[test]
fn an_expiring_az_token_is_renewed_during_the_run() {
    let ctx = ctx("");
    install(&ctx, "az", &prints(&ctx, TokenKind::App, &[Duration::from_secs(8), HOUR]));
    let input = ctx.users(60);
    ctx.finish(run(&ctx, &input).args(["--auth", "azure-cli", "--rate", "5/s", "--burst", "1"])).exits(0);
    assert_eq!(calls(&ctx, "az"), 2);
    assert_eq!(ctx.stats().bad_auth, 0, "it was renewed ahead of its end");
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
    // Another account may be chosen meanwhile, so later tokens are requested for the tenant of the first one.
    let arguments = noted(&ctx, "az.args");
    assert!(arguments.ends_with(&format!("--tenant\n{TENANT}\n")), "{arguments}");
}

#[test]
fn an_expiring_azd_token_is_renewed_during_the_run() {
    let ctx = ctx("");
    let answers: Vec<String> = [Duration::from_secs(8), HOUR]
        .iter()
        .map(|life| {
            let token = ctx.simulator.mint_token(TokenKind::App, *life);
            let ends = jiff::Timestamp::now().checked_add(*life).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ");
            format!("{{\"token\":\"{token}\",\"expiresOn\":\"{ends}\"}}")
        })
        .collect();
    let script = format!("case $calls in 1) echo '{}';; *) echo '{}';; esac", answers[0], answers[1]);
    install(&ctx, "azd", &script);
    let input = ctx.users(60);
    let mut command = run(&ctx, &input);
    ctx.finish(command.args(["--auth", "azure-developer-cli", "--rate", "5/s", "--burst", "1"])).exits(0);
    assert_eq!(calls(&ctx, "azd"), 2);
    assert_eq!(ctx.stats().bad_auth, 0, "it was renewed ahead of its end");
    assert!(ctx.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn background_processes_of_az_are_not_waited_for() {
    let ctx = ctx("");
    let note = ctx.dir.path().join("bin/sleeper");
    let prints = prints(&ctx, TokenKind::App, &[HOUR]);
    install(&ctx, "az", &format!("(sleep 60 & echo $! > {})\n{prints}", note.display()));
    let input = ctx.users(1);
    let began = Instant::now();
    let done = ctx.finish(run(&ctx, &input).args(["--auth", "azure-cli"]));
    kill_process(noted_pid(&ctx, "sleeper"), Signal::KILL).unwrap();
    done.exits(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn an_interrupt_from_the_terminal_reaches_az() {
    let ctx = ctx("");
    install(&ctx, "az", &format!("echo $$ > {}/pid\nexec sleep 60", ctx.dir.path().join("bin").display()));
    let input = ctx.users(1);
    // A terminal sends ^C to the group that stands in front.
    let mut run = run(&ctx, &input);
    let run = ctx.start(run.args(["--auth", "azure-cli"]).process_group(0));
    let began = Instant::now();
    while !noted(&ctx, "pid").ends_with('\n') {
        assert!(began.elapsed() < Duration::from_secs(10), "az was not started");
        std::thread::yield_now();
    }
    let az = noted_pid(&ctx, "pid");
    kill_process_group(Pid::from_raw(run.id().cast_signed()).unwrap(), Signal::INT).unwrap();
    run.wait_with_output().unwrap();
    let began = Instant::now();
    let lives = || match std::fs::read_to_string(format!("/proc/{}/stat", az.as_raw_nonzero())) {
        Ok(stat) => !stat.contains(") Z "),
        Err(_) => cfg!(not(target_os = "linux")) && test_kill_process(az).is_ok(),
    };
    while lives() {
        if began.elapsed() > Duration::from_secs(2) {
            kill_process(az, Signal::KILL).unwrap();
            panic!("az was left running");
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_challenge_is_reported_with_the_az_login_command() {
    let ctx = ctx("[[fault]]\nanswer = 'challenge'\n");
    install(&ctx, "az", &prints(&ctx, TokenKind::User, &[HOUR, HOUR]));
    let input = ctx.users(5);
    let done = ctx.finish(run(&ctx, &input).args(["--auth", "azure-cli", "--tenant", TENANT]));
    done.exits(4);
    for words in ["az login --tenant", "--claims-challenge eyJ", "resume"] {
        assert!(done.stdout.contains(words), "{words} is not in: {}", done.stdout);
    }
    assert_eq!(calls(&ctx, "az"), 1);
}

#[test]
fn missing_az_and_missing_sign_in_are_reported() {
    let ctx = ctx("");
    let input = ctx.users(1);
    let asked = |way: &str| ctx.finish(run(&ctx, &input).args(["--auth", way]));
    if !Path::new("/usr/bin/az").exists() && !Path::new("/bin/az").exists() {
        ctx.assert_sign_in_refused(
            &asked("azure-cli"),
            &["--auth azure-cli", "az is not on the PATH", "az login"],
        );
    }
    install(&ctx, "az", "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    install(&ctx, "azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1");
    ctx.assert_sign_in_refused(&asked("azure-cli"), &["azure-cli: no account is signed in", "`az login`"]);
    ctx.assert_sign_in_refused(
        &asked("azure-developer-cli"),
        &["no account is signed in", "`azd auth login`"],
    );
    // In the chain both are passed over.
    let done = ctx.finish(&mut run(&ctx, &input));
    ctx.assert_sign_in_refused(
        &done,
        &["no sign-in method", "token  ", "managed-identity", "`az login`", "`azd auth login`"],
    );
}

#[test]
fn error_output_of_az_is_reported() {
    let ctx = ctx("");
    let input = ctx.users(1);
    let long = "x".repeat(2000);
    let script = format!(
        "printf 'ERROR: AADSTS50076: you must use \\033[31mMFA eyJ0eXAi.eyJh.sig {long}' >&2; exit 1"
    );
    install(&ctx, "az", &script);
    let done = ctx.finish(&mut run(&ctx, &input));
    ctx.assert_sign_in_refused(&done, &["az: it failed", "AADSTS50076", "[token]", "…", "try `az login`"]);
    assert!(!done.stderr.contains('\u{1b}') && !done.stderr.contains(&long));
    for odd in ["echo", "echo '{}'", "echo not json", "printf '{\"accessToken\":\"fake\",\"expires_on\":1}'"]
    {
        install(&ctx, "az", odd);
        ctx.assert_sign_in_refused(
            &ctx.finish(&mut run(&ctx, &input)),
            &["az: its output has no usable token"],
        );
    }
}

#[test]
fn an_invalid_tenant_is_never_passed_to_az() {
    let ctx = ctx("");
    install(&ctx, "az", &prints(&ctx, TokenKind::App, &[HOUR]));
    let input = ctx.users(1);
    for tenant in ["--help", "contoso.com; touch x", "$(touch x)", "a&b"] {
        let done = ctx.finish(run(&ctx, &input).env("AZURE_TENANT_ID", tenant).args(["--auth", "azure-cli"]));
        ctx.assert_sign_in_refused(&done, &["--tenant", "neither a tenant's id"]);
    }
    assert_eq!(calls(&ctx, "az"), 0);
}

#[test]
fn an_az_in_the_current_folder_is_not_run() {
    let ctx = ctx("");
    install(&ctx, "az", &prints(&ctx, TokenKind::App, &[HOUR]));
    std::fs::copy(ctx.dir.path().join("bin/az"), ctx.dir.path().join("az")).unwrap();
    let input = ctx.users(1);
    for path in ["", ".", "bin", ":", "./bin:bin"] {
        let done = ctx.finish(run(&ctx, &input).env("PATH", path).args(["--auth", "azure-cli"]));
        ctx.assert_sign_in_refused(&done, &["az is not on the PATH"]);
    }
    assert_eq!(calls(&ctx, "az"), 0);
}

#[test]
fn child_processes_get_no_secrets() {
    let ctx = ctx("");
    install(&ctx, "az", &prints(&ctx, TokenKind::App, &[HOUR]));
    let input = ctx.users(1);
    let secrets = [
        "ENTRA_REVOKE_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "SYSTEM_ACCESSTOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "IDENTITY_HEADER",
    ];
    let mut command = run(&ctx, &input);
    command.envs(secrets.map(|name| (name, "fake-CANARY-1c2d"))).env("AZURE_CONFIG_DIR", "/home/ann/.azure");
    let done = ctx.finish(secret_leak::with_verbose_log(command.args(["--auth", "azure-cli"])));
    done.exits(0);
    let environment = noted(&ctx, "az.env");
    assert!(environment.contains("AZURE_CONFIG_DIR=/home/ann/.azure"), "{environment}");
    // The notes of the child's environment are among the files.
    secret_leak::assert_no_leak(&ctx, &done, "fake-CANARY-1c2d", None);
    assert_ne!(noted(&ctx, "az.pwd").trim(), ctx.dir.path().display().to_string());
}

#[test]
fn az_token_does_not_leak() {
    let ctx = ctx("[[fault]]\nanswer = 'revoke-token'\nafter = 1\nfirst = 1\n");
    install(&ctx, "az", &prints(&ctx, TokenKind::App, &[HOUR, HOUR]));
    let tokens: Vec<String> = (1..3)
        .map(|at| {
            let printed = std::fs::read(ctx.dir.path().join(format!("bin/token-{at}.json"))).unwrap();
            let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
            printed["accessToken"].as_str().unwrap().to_owned()
        })
        .collect();
    let input = ctx.users(5);
    let done = ctx.finish(secret_leak::with_verbose_log(run(&ctx, &input).args(["--auth", "azure-cli"])));
    done.exits(0);
    // Where `az` has them they may stand.
    std::fs::remove_dir_all(ctx.dir.path().join("bin")).unwrap();
    for token in tokens {
        secret_leak::assert_no_leak(&ctx, &done, &token, None);
        secret_leak::assert_no_leak(&ctx, &done, token.rsplit('.').next().unwrap(), None);
    }
}
