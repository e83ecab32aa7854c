//! What `resume` takes from a run's folder, which users it protects now, and what needs a confirmation first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use entra_revoke::simulator::TokenKind;
use serde_json::Value;

use crate::crash::help::{end, report, resume, start_run, users};
use crate::ctx::{RunDir, TOKEN, TestContext};

/// A run in which all users failed, so that all are left.
fn failed(count: usize, args: &[&str]) -> (TestContext, RunDir) {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\n");
    end(start_run(&ctx, count, &[&["--retries", "0", "--rate", "1000/s"], args].concat())).exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder();
    (ctx, folder)
}

fn revoked(ctx: &TestContext) -> Vec<String> {
    let users = ctx.ledger().users.into_iter().filter(|user| user.effects > 0);
    let mut ids: Vec<String> = users.map(|user| user.id[..8].to_owned()).collect();
    ids.sort();
    ids
}

/// The command that the last line but blanks of a summary names.
fn next_resume(text: &str) -> String {
    let line = text.lines().find(|line| line.trim_start().starts_with("entra-revoke resume"));
    line.unwrap_or_else(|| panic!("no resume in {text}")).trim().to_owned()
}

/// Runs a printed command as a shell takes it.
fn in_a_shell(ctx: &TestContext, line: &str) -> crate::ctx::CommandResult {
    let like = ctx.command_without_token("resume");
    let line = line.replacen("entra-revoke", env!("CARGO_BIN_EXE_entra-revoke"), 1);
    let mut shell = Command::new("sh");
    for (name, value) in like.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.arg("-c").arg(line).current_dir(ctx.dir.path()).stdin(std::process::Stdio::null());
    ctx.finish(&mut shell)
}

#[test]
fn resume_takes_no_address_or_sign_in_from_the_folder() {
    let ctx = TestContext::new("accept_any_token = false\n[[fault]]\nanswer = 503\n");
    let token = ctx.input("my token.txt", ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600)));
    let input = ctx.input("users.txt", users(3));
    let url = ctx.simulator.url();
    let mut run = ctx.command_without_token("run");
    run.args(["--yes", "--retries", "0", "--graph-url", &url, "--authority-url", &url]);
    let done = ctx.finish(run.arg("--token-file").arg(&token).arg(&input));
    done.exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder().path;
    let journal = std::fs::read(folder.join("journal.jsonl")).unwrap();
    let asked = ctx.stats().requests;
    // Loopback is not an exception, and neither is a token in the environment.
    let bare = ctx.finish(ctx.command_without_token("resume").arg(&folder).env("ENTRA_REVOKE_TOKEN", TOKEN));
    bare.exits(2);
    assert!(bare.stderr.contains("--graph-url") && bare.stderr.contains("pass it again"), "{}", bare.stderr);
    let mut addresses = ctx.command_without_token("resume");
    addresses.args(["--graph-url", &url, "--authority-url", &url]).arg(&folder);
    let unsigned = ctx.finish(&mut addresses);
    unsigned.exits(4);
    assert!(unsigned.stderr.contains("from the run folder: cloud global, tenant "), "{}", unsigned.stderr);
    assert_eq!(
        (ctx.stats().requests, std::fs::read(folder.join("journal.jsonl")).unwrap()),
        (asked, journal)
    );
    // What is printed at the end is enough, as it is printed.
    for text in [done.stdout, report(&ctx, &folder).stdout] {
        let next = next_resume(&text);
        for flag in ["--token-file", "--graph-url", "--authority-url"] {
            assert!(next.contains(flag), "{flag} is not in {next}");
        }
    }
    let next = next_resume(&report(&ctx, &folder).stdout);
    in_a_shell(&ctx, &next).exits(0);
    assert_eq!(revoked(&ctx).len(), 3);
}

#[test]
fn suggested_commands_contain_no_address_from_the_folder() {
    let (ctx, folder) = failed(2, &[]);
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record["settings"]["graph_url"] = "https://graph.attacker.example".into();
    record["settings"]["ca_cert"] = "/tmp/attacker.pem".into();
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
    let next = next_resume(&report(&ctx, &folder.path).stdout);
    assert!(!next.contains("attacker") && next.contains("--graph-url URL --authority-url"), "{next}");
    assert!(next.contains("--ca-cert FILE"), "{next}");
}

/// Refused without `--yes`, and sent without these with it.
#[track_caller]
fn asks_and_leaves_out(
    ctx: &TestContext,
    folder: &RunDir,
    args: &[&str],
    says: &str,
    protected: &[&str],
    all: usize,
) {
    let journal = folder.text("journal.jsonl");
    let done = resume(ctx, &folder.path, args);
    done.exits(2);
    assert!(done.stderr.contains(says) && done.stderr.contains("--yes"), "{}", done.stderr);
    assert_eq!(folder.text("journal.jsonl"), journal);
    assert!(revoked(ctx).is_empty(), "something was sent without a yes");
    resume(ctx, &folder.path, &[args, &["--yes"]].concat()).exits(0);
    let left: Vec<String> =
        (0..all).map(|n| format!("user{n:04}")).filter(|user| !protected.contains(&user.as_str())).collect();
    assert_eq!(revoked(ctx), left);
    for user in protected {
        let row = folder.row(&format!("{user}@contoso.com"));
        assert_eq!(row["outcome"], "protected", "{row:?}");
        assert!(
            row["detail"].contains("since the run began; before that, a request ended as failed"),
            "{row:?}"
        );
    }
    let summary = folder.summary();
    assert_eq!(
        (&summary["outcomes"]["protected"], &summary["complete"]),
        (&protected.len().into(), &true.into())
    );
    assert_eq!(summary.get("altered"), None);
    let began = folder.journal().into_iter().rfind(|line| line["event"] == "began").unwrap();
    assert!(began["confirmed"].to_string().contains("--yes"), "{began}");
}

#[test]
fn resume_reads_the_protect_list_again() {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\n");
    let list = ctx.input("list.txt", "boss@contoso.com\n");
    let args = ["--retries", "0", "--rate", "1000/s", "--protect", "list.txt"];
    end(start_run(&ctx, 4, &args)).exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder();
    let record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    let kept = &record["settings"]["protect"]["entries"][0];
    assert_eq!(kept["entry"], list.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(kept["sha256"].as_str().unwrap().len(), 64);
    std::fs::write(&list, "boss@contoso.com\nuser0002@contoso.com\n").unwrap();
    asks_and_leaves_out(&ctx, &folder, &[], "list.txt was changed after the run began", &["user0002"], 4);
    // Who was protected once is not sent by a later process, either.
    std::fs::write(&list, "boss@contoso.com\n").unwrap();
    resume(&ctx, &folder.path, &[]).exits(0);
    assert_eq!(folder.row("user0002@contoso.com")["outcome"], "protected");
}

#[test]
fn protect_flags_apply_to_resume() {
    let (ctx, folder) = failed(4, &[]);
    let args = ["--protect", "USER0001@contoso.com", "--protect", "user0003@contoso.com"];
    asks_and_leaves_out(&ctx, &folder, &args, "2 users now protected", &["user0001", "user0003"], 4);
}

#[test]
fn profile_lists_apply_to_resume() {
    let (ctx, folder) = failed(3, &[]);
    ctx.input("c.toml", "[profile.c]\nprotect = ['user0000@contoso.com']\n");
    let args = ["--profile", "c", "--config", "c.toml"];
    asks_and_leaves_out(&ctx, &folder, &args, "1 user now protected", &["user0000"], 3);
}

#[test]
fn lists_of_the_runs_profile_apply_without_a_flag() {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\n");
    std::fs::create_dir_all(ctx.dir.path().join("entra-revoke")).unwrap();
    let config = |protect: &str| {
        ctx.input("entra-revoke/config.toml", format!("[profile.c]\nprotect = [{protect}]\n"));
    };
    config("'boss@contoso.com'");
    end(start_run(&ctx, 3, &["--retries", "0", "--profile", "c"])).exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    config("'boss@contoso.com', 'user0001@contoso.com'");
    asks_and_leaves_out(&ctx, &ctx.run_folder(), &[], "1 user now protected", &["user0001"], 3);
}

#[test]
fn a_missing_list_stops_resume_until_it_is_named() {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\n");
    let list = ctx.input("list.txt", "boss@contoso.com\n");
    end(start_run(&ctx, 2, &["--retries", "0", "--protect", "list.txt"])).exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    let folder = ctx.run_folder().path;
    let moved: PathBuf = ctx.dir.path().join("moved.txt");
    std::fs::rename(&list, &moved).unwrap();
    let done = resume(&ctx, &folder, &["--yes"]);
    done.exits(2);
    assert!(done.stderr.contains("list.txt") && done.stderr.contains("--protect FILE"), "{}", done.stderr);
    assert!(revoked(&ctx).is_empty());
    // The same text at another place is the same list.
    resume(&ctx, &folder, &["--protect", "moved.txt"]).exits(0);
    assert_eq!(revoked(&ctx).len(), 2);
}

#[test]
fn a_file_named_only_by_the_folder_is_not_quoted() {
    let (ctx, folder) = failed(2, &["--protect", "boss@contoso.com"]);
    let secret = ctx.input("id_rsa", "-----BEGIN KEY-----\nCANARY-b7@c\n");
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record["settings"]["protect"]["entries"][0]["entry"] = secret.to_str().unwrap().into();
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
    let done = resume(&ctx, &folder.path, &["--yes"]);
    done.exits(2);
    assert!(done.stderr.contains("id_rsa") && !done.stderr.contains("CANARY"), "{}", done.stderr);
}

#[test]
fn another_app_or_a_changed_run_needs_confirmation() {
    let ctx = TestContext::new("[[fault]]\nanswer = 503\n");
    let token = || ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(3600));
    let input = ctx.input("users.txt", users(2));
    let mut run = ctx.command("run");
    ctx.finish(run.arg(&input).args(["--retries", "0"]).env("ENTRA_REVOKE_TOKEN", token())).exits(3);
    ctx.simulator
        .change_config("fault = []\n[token]\nclient_id = '5a1e0000-0000-4000-8000-0000000000ff'")
        .unwrap();
    let folder = ctx.run_folder();
    let other = token();
    let resumed = |args: &[&str]| {
        ctx.finish(ctx.command("resume").arg(&folder.path).args(args).env("ENTRA_REVOKE_TOKEN", &other))
    };
    let done = resumed(&[]);
    done.exits(2);
    assert!(done.stderr.contains("5a1e0000-0000-4000-8000-0000000000ff signs in"), "{}", done.stderr);
    // A `run.json` that another account changed.
    let good = folder.text("run.json");
    let mut record: Value = serde_json::from_str(&good).unwrap();
    record["settings"]["protect"] = Value::Null;
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
    let done = resumed(&[]);
    done.exits(2);
    assert!(done.stderr.contains("run.json was changed after the run began"), "{}", done.stderr);
    std::fs::write(folder.path.join("run.json"), good).unwrap();
    assert!(revoked(&ctx).is_empty());
    resumed(&["--yes"]).exits(0);
    assert_eq!(revoked(&ctx).len(), 2);
}

/// A folder of an older version has none of the marks, and is resumed all the same.
#[test]
fn a_run_of_an_older_version_can_be_resumed() {
    let (ctx, folder) = failed(3, &[]);
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record["settings"].as_object_mut().unwrap().remove("protect").unwrap();
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
    std::fs::remove_file(folder.path.join("manifest.json")).unwrap();
    let mut lines: Vec<Value> = folder.journal();
    lines[0].as_object_mut().unwrap().remove("approved").unwrap();
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(Path::new(&folder.path).join("journal.jsonl"), text).unwrap();
    resume(&ctx, &folder.path, &[]).exits(0);
    assert_eq!(revoked(&ctx).len(), 3);
    assert_eq!(folder.summary().get("altered"), None);
}
