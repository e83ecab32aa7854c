//! Whoever is signed in to the Azure CLI or the Azure Developer CLI: played by scripts.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod canary;
mod stage;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use entra_revoke::simulator::TokenKind;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};
use stage::Stage;

const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

/// A domain of the tenant.
const CONTOSO: &str = "[[tenant]]\nmatch = 'contoso.com'\nid = '0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f'\n";

/// Graph that takes only the tokens it made.
fn stage(tables: &str) -> Stage {
    Stage::new(&format!("accept_any_token = false\n[token]\ntenant = '{TENANT}'\n{tables}"))
}

/// Puts a program on the PATH that notes how it was called, then does this.
fn install(stage: &Stage, name: &str, script: &str) {
    let bin = stage.dir.path().join("bin");
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
fn noted(stage: &Stage, name: &str) -> String {
    std::fs::read_to_string(stage.dir.path().join("bin").join(name)).unwrap_or_default()
}

fn noted_pid(stage: &Stage, name: &str) -> Pid {
    Pid::from_raw(noted(stage, name).trim().parse().unwrap()).unwrap()
}

fn calls(stage: &Stage, name: &str) -> usize {
    noted(stage, &format!("{name}.calls")).lines().count()
}

/// A script that prints these tokens, one at each call, as `az` does.
fn prints(stage: &Stage, kind: TokenKind, lives: &[Duration]) -> String {
    let bin = stage.dir.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    for (at, life) in lives.iter().enumerate() {
        let token = stage.simulator.mint_token(kind, *life);
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

fn run(stage: &Stage, input: &Path) -> Command {
    let mut command = stage.bare("run");
    let root = stage.simulator.url();
    command.args(["--graph-url", &root, "--authority-url", &root, "--yes"]).arg(input);
    command.env("PATH", format!("{}:/usr/bin:/bin", stage.dir.path().join("bin").display()));
    command
}

#[test]
fn az_is_asked_for_a_token() {
    let stage = stage("");
    install(&stage, "az", &prints(&stage, TokenKind::User, &[HOUR]));
    let input = stage.input("me.txt", "me\nann@contoso.com\n");
    let done = stage.finish(run(&stage, &input).args(["--tenant", TENANT]));
    done.exits(0);
    assert!(
        done.stderr.contains("Signing in with azure-cli (managed-identity: no answer from"),
        "{}",
        done.stderr
    );
    assert_eq!(done.stderr.lines().filter(|line| line.contains("Signing in")).count(), 1);
    let arguments = noted(&stage, "az.args");
    let expected =
        "account get-access-token --output json --scope https://graph.microsoft.com/.default --tenant ";
    assert_eq!(arguments.lines().collect::<Vec<_>>().join(" "), format!("{expected}{TENANT}"));
    let summary = stage.folder().summary();
    assert_eq!(summary["operator"]["auth"], "azure-cli");
    // Who it is, the token says.
    assert_eq!(summary["operator"]["user"], "operator@example.com");
    assert!(stage.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn azd_is_asked_for_a_token() {
    let stage = stage(CONTOSO);
    let token = stage.simulator.mint_token(TokenKind::App, HOUR);
    install(
        &stage,
        "azd",
        &format!("echo '{{\"token\":\"{token}\",\"expiresOn\":\"2999-01-01T00:00:00Z\"}}'"),
    );
    let input = stage.users(2);
    stage
        .finish(run(&stage, &input).args(["--auth", "azure-developer-cli", "--tenant", "contoso.com"]))
        .exits(0);
    let arguments = noted(&stage, "azd.args");
    let expected =
        "auth token --output json --no-prompt --scope https://graph.microsoft.com/.default --tenant-id";
    assert_eq!(arguments.lines().collect::<Vec<_>>().join(" "), format!("{expected} contoso.com"));
    assert_eq!(stage.folder().summary()["operator"]["auth"], "azure-developer-cli");
}

#[test]
fn a_token_that_grows_old_is_asked_for_again_while_the_run_goes_on() {
    let stage = stage("");
    install(&stage, "az", &prints(&stage, TokenKind::App, &[Duration::from_secs(8), HOUR]));
    let input = stage.users(60);
    stage.finish(run(&stage, &input).args(["--auth", "azure-cli", "--rate", "5/s", "--burst", "1"])).exits(0);
    assert_eq!(calls(&stage, "az"), 2);
    assert_eq!(stage.stats().bad_auth, 0, "it was renewed ahead of its end");
    assert!(stage.ledger().users.iter().all(|user| user.effects == 1));
    // Somebody may choose another account meanwhile: the tenant of the first token is asked for from then on.
    let arguments = noted(&stage, "az.args");
    assert!(arguments.ends_with(&format!("--tenant\n{TENANT}\n")), "{arguments}");
}

#[test]
fn a_token_of_azd_is_asked_for_again_as_well() {
    let stage = stage("");
    let answers: Vec<String> = [Duration::from_secs(8), HOUR]
        .iter()
        .map(|life| {
            let token = stage.simulator.mint_token(TokenKind::App, *life);
            let ends = jiff::Timestamp::now().checked_add(*life).unwrap().strftime("%Y-%m-%dT%H:%M:%SZ");
            format!("{{\"token\":\"{token}\",\"expiresOn\":\"{ends}\"}}")
        })
        .collect();
    let script = format!("case $calls in 1) echo '{}';; *) echo '{}';; esac", answers[0], answers[1]);
    install(&stage, "azd", &script);
    let input = stage.users(60);
    let mut command = run(&stage, &input);
    stage.finish(command.args(["--auth", "azure-developer-cli", "--rate", "5/s", "--burst", "1"])).exits(0);
    assert_eq!(calls(&stage, "azd"), 2);
    assert_eq!(stage.stats().bad_auth, 0, "it was renewed ahead of its end");
    assert!(stage.ledger().users.iter().all(|user| user.effects == 1));
}

#[test]
fn what_az_leaves_running_is_not_waited_for() {
    let stage = stage("");
    let note = stage.dir.path().join("bin/sleeper");
    let prints = prints(&stage, TokenKind::App, &[HOUR]);
    install(&stage, "az", &format!("(sleep 60 & echo $! > {})\n{prints}", note.display()));
    let input = stage.users(1);
    let began = Instant::now();
    let done = stage.finish(run(&stage, &input).args(["--auth", "azure-cli"]));
    kill_process(noted_pid(&stage, "sleeper"), Signal::KILL).unwrap();
    done.exits(0);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn an_interrupt_from_the_terminal_reaches_az() {
    let stage = stage("");
    install(
        &stage,
        "az",
        &format!("echo $$ > {}/pid\nexec sleep 60", stage.dir.path().join("bin").display()),
    );
    let input = stage.users(1);
    // A terminal sends ^C to the group that stands in front.
    let mut run = run(&stage, &input);
    let run = stage.start(run.args(["--auth", "azure-cli"]).process_group(0));
    let began = Instant::now();
    while !noted(&stage, "pid").ends_with('\n') {
        assert!(began.elapsed() < Duration::from_secs(10), "az was not started");
        std::thread::yield_now();
    }
    let az = noted_pid(&stage, "pid");
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
fn a_challenge_is_told_with_the_sign_in_that_answers_it() {
    let stage = stage("[[fault]]\nanswer = 'challenge'\n");
    install(&stage, "az", &prints(&stage, TokenKind::User, &[HOUR, HOUR]));
    let input = stage.users(5);
    let done = stage.finish(run(&stage, &input).args(["--auth", "azure-cli", "--tenant", TENANT]));
    done.exits(4);
    for words in ["az login --tenant", "--claims-challenge eyJ", "resume"] {
        assert!(done.stdout.contains(words), "{words} is not in: {}", done.stdout);
    }
    assert_eq!(calls(&stage, "az"), 1);
}

#[test]
fn whoever_is_not_signed_in_or_has_no_az_is_told() {
    let stage = stage("");
    let input = stage.users(1);
    let asked = |way: &str| stage.finish(run(&stage, &input).args(["--auth", way]));
    if !Path::new("/usr/bin/az").exists() && !Path::new("/bin/az").exists() {
        stage.refused(&asked("azure-cli"), &["--auth azure-cli", "az is not on the PATH", "az login"]);
    }
    install(&stage, "az", "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1");
    install(&stage, "azd", "echo 'ERROR: not logged in, run `azd auth login` to login' >&2; exit 1");
    stage.refused(&asked("azure-cli"), &["azure-cli: nobody is signed in", "`az login`"]);
    stage.refused(&asked("azure-developer-cli"), &["nobody is signed in", "`azd auth login`"]);
    // In the chain both are passed over.
    let done = stage.finish(&mut run(&stage, &input));
    stage.refused(
        &done,
        &["no way to sign in", "token  ", "managed-identity", "`az login`", "`azd auth login`"],
    );
}

#[test]
fn what_az_says_of_its_failure_is_told() {
    let stage = stage("");
    let input = stage.users(1);
    let long = "x".repeat(2000);
    let script = format!(
        "printf 'ERROR: AADSTS50076: you must use \\033[31mMFA eyJ0eXAi.eyJh.sig {long}' >&2; exit 1"
    );
    install(&stage, "az", &script);
    let done = stage.finish(&mut run(&stage, &input));
    stage.refused(&done, &["az: it failed", "AADSTS50076", "[token]", "…", "try `az login`"]);
    assert!(!done.stderr.contains('\u{1b}') && !done.stderr.contains(&long));
    for odd in ["echo", "echo '{}'", "echo not json", "printf '{\"accessToken\":\"fake\",\"expires_on\":1}'"]
    {
        install(&stage, "az", odd);
        stage.refused(&stage.finish(&mut run(&stage, &input)), &["az: what it printed holds no token"]);
    }
}

#[test]
fn an_odd_tenant_never_becomes_an_argument() {
    let stage = stage("");
    install(&stage, "az", &prints(&stage, TokenKind::App, &[HOUR]));
    let input = stage.users(1);
    for tenant in ["--help", "contoso.com; touch x", "$(touch x)", "a&b"] {
        let done =
            stage.finish(run(&stage, &input).env("AZURE_TENANT_ID", tenant).args(["--auth", "azure-cli"]));
        stage.refused(&done, &["--tenant", "neither a tenant's id"]);
    }
    assert_eq!(calls(&stage, "az"), 0);
}

#[test]
fn an_az_in_the_current_folder_is_not_run() {
    let stage = stage("");
    install(&stage, "az", &prints(&stage, TokenKind::App, &[HOUR]));
    std::fs::copy(stage.dir.path().join("bin/az"), stage.dir.path().join("az")).unwrap();
    let input = stage.users(1);
    for path in ["", ".", "bin", ":", "./bin:bin"] {
        let done = stage.finish(run(&stage, &input).env("PATH", path).args(["--auth", "azure-cli"]));
        stage.refused(&done, &["az is not on the PATH"]);
    }
    assert_eq!(calls(&stage, "az"), 0);
}

#[test]
fn children_get_none_of_this_programs_secrets() {
    let stage = stage("");
    install(&stage, "az", &prints(&stage, TokenKind::App, &[HOUR]));
    let input = stage.users(1);
    let secrets = [
        "ENTRA_REVOKE_TOKEN",
        "AZURE_CLIENT_SECRET",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        "SYSTEM_ACCESSTOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "IDENTITY_HEADER",
    ];
    let mut command = run(&stage, &input);
    command.envs(secrets.map(|name| (name, "fake-CANARY-1c2d"))).env("AZURE_CONFIG_DIR", "/home/ann/.azure");
    let done = stage.finish(canary::loudly(command.args(["--auth", "azure-cli"])));
    done.exits(0);
    let environment = noted(&stage, "az.env");
    assert!(environment.contains("AZURE_CONFIG_DIR=/home/ann/.azure"), "{environment}");
    // The notes of the child's environment are among the files.
    canary::shows_nothing(&stage, &done, "fake-CANARY-1c2d", None);
    assert_ne!(noted(&stage, "az.pwd").trim(), stage.dir.path().display().to_string());
}

#[test]
fn the_token_of_az_shows_nowhere() {
    let stage = stage("[[fault]]\nanswer = 'revoke-token'\nafter = 1\nfirst = 1\n");
    install(&stage, "az", &prints(&stage, TokenKind::App, &[HOUR, HOUR]));
    let tokens: Vec<String> = (1..3)
        .map(|at| {
            let printed = std::fs::read(stage.dir.path().join(format!("bin/token-{at}.json"))).unwrap();
            let printed: serde_json::Value = serde_json::from_slice(&printed).unwrap();
            printed["accessToken"].as_str().unwrap().to_owned()
        })
        .collect();
    let input = stage.users(5);
    let done = stage.finish(canary::loudly(run(&stage, &input).args(["--auth", "azure-cli"])));
    done.exits(0);
    // Where `az` has them they may stand.
    std::fs::remove_dir_all(stage.dir.path().join("bin")).unwrap();
    for token in tokens {
        canary::shows_nothing(&stage, &done, &token, None);
        canary::shows_nothing(&stage, &done, token.rsplit('.').next().unwrap(), None);
    }
}
