//! What `resume` continues, what it leaves unchanged, and what it refuses.

use std::path::PathBuf;
use std::time::Duration;

use entra_revoke::simulator::TokenKind;
use rustix::process::Signal;
use serde_json::Value;

use crate::crash::help::{
    all_were_revoked, begun, end, kill, report, requests, resume, revoked_in, signal, start_run, until,
    users, whole_lines,
};
use crate::ctx::{RunDir, TestContext};

const OTHER_TENANT: &str = "99999999-2222-4333-8444-555555555555";

fn app_token(ctx: &TestContext) -> String {
    ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(3600))
}

/// A run with a real-looking token of the simulator's tenant, interrupted half-way.
fn interrupted_with_a_token() -> (TestContext, PathBuf) {
    let ctx = TestContext::new("latency = '100ms'");
    let input = ctx.input("users.txt", users(20));
    let mut command = ctx.command("run");
    command.arg(input).args(["-j", "4", "--rate", "1000/s", "--progress", "none"]);
    let child = ctx.start(command.env("ENTRA_REVOKE_TOKEN", app_token(&ctx)));
    until("requests are in flight", || ctx.stats().in_flight > 0);
    signal(&child, Signal::INT);
    end(child).exits(130);
    let path = ctx.run_folder().path;
    (ctx, path)
}

#[test]
fn another_tenant_is_refused() {
    let (ctx, path) = interrupted_with_a_token();
    let own = app_token(&ctx);
    ctx.simulator.change_config(&format!("[token]\ntenant = '{OTHER_TENANT}'")).unwrap();
    let other = app_token(&ctx);
    let before = (ctx.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap());
    let resumed = |token: &str, args: &[&str]| {
        ctx.finish(ctx.command("resume").arg(&path).args(args).env("ENTRA_REVOKE_TOKEN", token))
    };
    let done = resumed(&other, &[]);
    assert!(matches!(done.code, Some(2 | 4)), "{done:?}");
    assert!(done.stderr.contains(OTHER_TENANT), "{}", done.stderr);
    let done = resumed(&own, &["--tenant", OTHER_TENANT]);
    done.exits(2);
    assert!(done.stderr.contains("can't continue in tenant"), "{}", done.stderr);
    assert_eq!(before, (ctx.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap()));
    resumed(&own, &[]).exits(0);
    all_were_revoked(&ctx, 20);
}

#[test]
fn another_cloud_is_refused() {
    let (ctx, path) = interrupted_with_a_token();
    let before = ctx.stats().revocations;
    let done = resume(&ctx, &path, &["--cloud", "usgov"]);
    done.exits(2);
    assert!(done.stderr.contains("can't continue in another"), "{}", done.stderr);
    assert_eq!(before, ctx.stats().revocations);
    let token = app_token(&ctx);
    let mut command = ctx.command("resume");
    command.arg(&path).args(["--cloud", "global"]).env("ENTRA_REVOKE_TOKEN", token);
    ctx.finish(&mut command).exits(0);
    all_were_revoked(&ctx, 20);
}

#[test]
fn only_failed_users_are_retried() {
    let ctx = TestContext::new(
        r#"
        unknown = ["user0001@*"]
        deny = ["user0002@*"]
        [[fault]]
        match = "user0003@*"
        answer = 503
        times = 2
        [[fault]]
        match = "user0004@*"
        answer = 400
        "#,
    );
    end(start_run(&ctx, 8, &["--retries", "1", "--rate", "1000/s"])).exits(3);
    let folder = ctx.run_folder();
    let word = |user: &str| folder.row(&format!("{user}@contoso.com"))["outcome"].clone();
    let attempts = |user: &str| folder.row(&format!("{user}@contoso.com"))["attempts"].clone();
    assert_eq!(word("user0001"), "not_found");
    assert_eq!(word("user0002"), "forbidden");
    assert_eq!(word("user0003"), "failed");
    assert_eq!(word("user0004"), "rejected");
    assert_eq!(attempts("user0003"), "2");
    let first = folder.row("user0003@contoso.com")["first_sent_at"].clone();
    let done = revoked_in(&whole_lines(&folder.path));
    let before = requests(&ctx);

    ctx.simulator
        .change_config("unknown = []\ndeny = []\n[[fault]]\nmatch = 'user0004@*'\nanswer = 400")
        .unwrap();
    resume(&ctx, &folder.path, &[]).exits(3);
    for user in ["user0001", "user0002", "user0003"] {
        assert_eq!(word(user), "revoked", "{user}");
    }
    // Attempts add up over both processes.
    assert_eq!(
        [attempts("user0001"), attempts("user0002"), attempts("user0003"), attempts("user0004")],
        ["2", "2", "3", "2"]
    );
    assert_eq!(folder.row("user0003@contoso.com")["first_sent_at"], first);
    let after = requests(&ctx);
    assert!(done.iter().all(|user| before[user] == after[user]), "somebody done was sent again");
    assert_eq!(done.len(), 4);

    // What is accepted is left alone.
    let sent = ctx.stats().revocations;
    resume(&ctx, &folder.path, &["--accept", "rejected"]).exits(0);
    assert_eq!(ctx.stats().revocations, sent);
    assert_eq!(folder.summary()["complete"], true);
    assert_eq!(folder.summary()["processes"], 3);
}

#[test]
fn flags_override_the_runs_settings() {
    let ctx = TestContext::new("latency = '50ms'\n[[fault]]\nanswer = 503\nmatch = 'user0003@*'");
    let args =
        ["-j", "1", "--retries", "0", "--rate", "1000/s", "--accept", "not_found", "--max-users", "30"];
    end(start_run(&ctx, 30, &args)).exits(3);
    let folder = ctx.run_folder();
    assert_eq!(ctx.stats().max_in_flight, 1);
    // The run's own: one try.
    resume(&ctx, &folder.path, &[]).exits(3);
    assert_eq!(folder.row("user0003@contoso.com")["attempts"], "2");
    // A flag: two tries.
    resume(&ctx, &folder.path, &["--retries", "1"]).exits(3);
    assert_eq!(folder.row("user0003@contoso.com")["attempts"], "4");
    // A cap of this process's own, on what is left.
    let before = ctx.stats().revocations;
    resume(&ctx, &folder.path, &["--max-users", "0"]).exits(5);
    assert_eq!(ctx.stats().revocations, before);
    resume(&ctx, &folder.path, &["--accept", "failed", "--retries", "0"]).exits(0);
}

#[test]
fn resume_does_not_change_a_complete_run() {
    let ctx = TestContext::new("");
    end(start_run(&ctx, 10, &["--rate", "1000/s"])).exits(0);
    let folder = ctx.run_folder();
    let report = folder.text("report.csv");
    let sent = ctx.stats().requests;
    resume(&ctx, &folder.path, &[]).exits(0);
    assert_eq!(ctx.stats().requests, sent);
    assert_eq!(folder.text("report.csv"), report);
    assert_eq!(folder.summary()["complete"], true);
}

#[test]
fn resume_honours_the_wait_of_a_killed_run() {
    let ctx = TestContext::new("[[fault]]\nanswer = 429\nretry_after = '3'\nfirst = 1");
    let child = start_run(&ctx, 20, &["-j", "1", "--rate", "1000/s"]);
    let folder = begun(&ctx);
    until("the journal knows of the 429", || folder.text("journal.jsonl").contains("\"throttled\""));
    kill(child);
    assert_eq!(ctx.stats().revocations, 1);
    let done = resume(&ctx, &folder.path, &["--progress", "none"]);
    done.exits(0);
    all_were_revoked(&ctx, 20);
    assert_eq!(ctx.stats().early, 0, "sent while Graph had asked to wait: {:?}", ctx.ledger().violations);
    assert!(done.stderr.contains("Graph asked"), "{}", done.stderr);
}

#[test]
fn resume_removes_an_outdated_manifest() {
    let (ctx, path) = interrupted_with_a_token();
    let manifest = path.join("manifest.json");
    assert!(manifest.exists());
    let child = ctx.start(ctx.command("resume").arg(&path).args(["--progress", "none", "-j", "1"]));
    let began = || whole_lines(&path).iter().filter(|line| line["event"] == "began").count();
    until("the run is taken up again", || began() == 2);
    kill(child);
    assert!(!manifest.exists(), "a manifest was left that the journal has outgrown");
    report(&ctx, &path).exits(0);
    assert!(manifest.exists());
}

#[test]
fn a_drill_is_interrupted_and_resumed() {
    let ctx = TestContext::new("");
    let mut command = ctx.command_without_token("drill");
    command.args([
        "--users",
        "120",
        "--latency",
        "60ms",
        "-j",
        "4",
        "--no-quota",
        "--rate",
        "1000/s",
        "--progress",
        "none",
    ]);
    let child = ctx.start(&mut command);
    let folder = begun(&ctx);
    until("some are revoked", || !revoked_in(&whole_lines(&folder.path)).is_empty());
    signal(&child, Signal::INT);
    end(child).exits(130);
    let before = revoked_in(&whole_lines(&folder.path)).len();
    assert!((1..120).contains(&before), "{before} are done");
    let left = folder.summary()["remaining"].as_u64().unwrap();

    let done = ctx.finish(ctx.command_without_token("resume").arg(&folder.path).args(["-j", "50"]));
    done.exits(0);
    assert!(done.stderr.contains("DRILL"), "{}", done.stderr);
    let folder = RunDir { path: folder.path };
    assert_eq!(folder.summary()["outcomes"]["revoked"], 120);
    assert_eq!(folder.summary()["drill"], true);
    assert_eq!(left as usize + before, 120);
    assert_eq!(ctx.stats().requests, 0, "a drill went elsewhere");
}

#[test]
fn a_killed_drill_is_resumed() {
    let ctx = TestContext::new("");
    let mut command = ctx.command_without_token("drill");
    command.args([
        "--users",
        "60",
        "--latency",
        "60ms",
        "-j",
        "4",
        "--no-quota",
        "--rate",
        "1000/s",
        "--progress",
        "none",
    ]);
    let child = ctx.start(&mut command);
    let folder = begun(&ctx);
    until("some are revoked", || !revoked_in(&whole_lines(&folder.path)).is_empty());
    kill(child);
    ctx.finish(ctx.command_without_token("resume").arg(&folder.path).args(["-j", "50"])).exits(0);
    assert_eq!(folder.summary()["outcomes"]["revoked"], 60);
}

#[test]
fn resume_refuses_a_run_that_is_too_large_again() {
    let ctx = TestContext::new("");
    end(start_run(&ctx, 6, &["--max-users", "5"])).exits(5);
    let folder = ctx.run_folder();
    // The one read that finds out whether users can be looked up.
    assert_eq!((ctx.stats().requests, ctx.stats().reads), (1, 1));
    for _ in 0..2 {
        let done = resume(&ctx, &folder.path, &[]);
        done.exits(5);
        assert!(done.stdout.contains("--max-users allows 5"), "{}", done.stdout);
        assert_eq!(folder.summary()["stopped"]["reason"], "max_users");
    }
    assert_eq!(ctx.stats().requests, 1, "a resume asked for something");
    resume(&ctx, &folder.path, &["--max-users", "6"]).exits(0);
    all_were_revoked(&ctx, 6);
}

/// Writes another value into the settings of `run.json`.
fn edit_settings(folder: &RunDir, name: &str, value: &str) {
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record["settings"][name] = value.into();
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
}

#[test]
fn secrets_are_not_sent_to_addresses_from_the_folder() {
    for (name, flag) in [("graph_url", "--graph-url"), ("authority_url", "--authority-url")] {
        let ctx = TestContext::new("[[fault]]\nanswer = 503\ntimes = 1\n");
        end(start_run(&ctx, 3, &["--retries", "0"])).exits(3);
        let folder = ctx.run_folder();
        edit_settings(&folder, name, "https://graph.attacker.example");
        let journal = folder.text("journal.jsonl");
        let sent = ctx.stats().requests;
        let mut command = ctx.command_without_token("resume");
        let done = ctx.finish(command.arg(&folder.path).env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN));
        done.exits(2);
        assert!(done.stderr.contains(flag) && done.stderr.contains("pass it again"), "{}", done.stderr);
        assert_eq!(folder.text("journal.jsonl"), journal);
        assert_eq!(ctx.stats().requests, sent);
        resume(&ctx, &folder.path, &[]).exits(0);
        all_were_revoked(&ctx, 3);
    }
}

/// Every file that the manifest names is as it says.
#[track_caller]
fn manifest_holds(folder: &RunDir) {
    let manifest: Value = serde_json::from_str(&folder.text("manifest.json")).unwrap();
    let files = manifest["files"].as_array().expect("files");
    assert!(files.iter().any(|file| file["name"] == "run.json"), "{manifest:#}");
    for file in files {
        let name = file["name"].as_str().unwrap();
        let found = entra_revoke::text::digest::sha256_of_file(&folder.path.join(name)).unwrap();
        assert_eq!(file["sha256"], found, "{name}");
    }
}

#[test]
fn a_failed_sign_in_keeps_the_manifest_valid() {
    let ctx = TestContext::new("unknown = ['user0001@*']\n[[fault]]\nanswer = 503\nmatch = 'user0002@*'\n");
    end(start_run(&ctx, 4, &["--retries", "0"])).exits(3);
    let folder = ctx.run_folder();
    manifest_holds(&folder);
    let before = (folder.text("run.json"), folder.text("journal.jsonl"), folder.text("manifest.json"));
    let mut command = ctx.command_without_token("resume");
    let url = ctx.simulator.url();
    command.arg(&folder.path).args(["--accept", "not_found", "--graph-url", &url, "--authority-url", &url]);
    ctx.finish(&mut command).exits(4);
    manifest_holds(&folder);
    let after = (folder.text("run.json"), folder.text("journal.jsonl"), folder.text("manifest.json"));
    assert_eq!(before, after);
}

#[test]
fn a_user_refused_with_401_is_retried_by_resume() {
    let ctx = TestContext::new("[[fault]]\nanswer = 401\nmatch = 'user0003@*'\n");
    end(start_run(&ctx, 4, &["-j", "1"])).exits(4);
    let folder = ctx.run_folder();
    let row = folder.row("user0003@contoso.com");
    assert_eq!([&row["outcome"], &row["http_status"]], ["failed", "401"], "{row:#?}");
    ctx.simulator.change_config("fault = []").unwrap();
    resume(&ctx, &folder.path, &[]).exits(0);
    assert_eq!(folder.row("user0003@contoso.com")["outcome"], "revoked");
    assert_eq!(folder.summary()["complete"], true);
    manifest_holds(&folder);
}
