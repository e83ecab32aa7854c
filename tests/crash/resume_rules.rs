//! What `resume` goes on with, what it leaves alone, and what it refuses.

use std::path::PathBuf;
use std::time::Duration;

use entra_revoke::simulator::TokenKind;
use rustix::process::Signal;
use serde_json::Value;

use crate::help::{
    all_were_revoked, begun, end, kill, report, requests, resume, revoked_in, signal, start_run, until,
    users, whole_lines,
};
use crate::stage::{RunDir, Stage};

const OTHER_TENANT: &str = "99999999-2222-4333-8444-555555555555";

fn app_token(stage: &Stage) -> String {
    stage.simulator.mint_token(TokenKind::App, Duration::from_secs(3600))
}

/// A run with a real-looking token of the simulator's tenant, interrupted half-way.
fn interrupted_with_a_token() -> (Stage, PathBuf) {
    let stage = Stage::new("latency = '100ms'");
    let input = stage.input("users.txt", users(20));
    let mut command = stage.command("run");
    command.arg(input).args(["-j", "4", "--rate", "1000/s", "--progress", "none"]);
    let child = stage.start(command.env("ENTRA_REVOKE_TOKEN", app_token(&stage)));
    until("requests are in flight", || stage.stats().in_flight > 0);
    signal(&child, Signal::INT);
    end(child).exits(130);
    let path = stage.folder().path;
    (stage, path)
}

#[test]
fn another_tenant_is_refused() {
    let (stage, path) = interrupted_with_a_token();
    let own = app_token(&stage);
    stage.simulator.change(&format!("[token]\ntenant = '{OTHER_TENANT}'")).unwrap();
    let other = app_token(&stage);
    let before = (stage.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap());
    let resumed = |token: &str, args: &[&str]| {
        stage.finish(stage.command("resume").arg(&path).args(args).env("ENTRA_REVOKE_TOKEN", token))
    };
    let done = resumed(&other, &[]);
    assert!(matches!(done.code, Some(2 | 4)), "{done:?}");
    assert!(done.stderr.contains(OTHER_TENANT), "{}", done.stderr);
    let done = resumed(&own, &["--tenant", OTHER_TENANT]);
    done.exits(2);
    assert!(done.stderr.contains("it can't go on in tenant"), "{}", done.stderr);
    assert_eq!(before, (stage.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap()));
    resumed(&own, &[]).exits(0);
    all_were_revoked(&stage, 20);
}

#[test]
fn another_cloud_is_refused() {
    let (stage, path) = interrupted_with_a_token();
    let before = stage.stats().revocations;
    let done = resume(&stage, &path, &["--cloud", "usgov"]);
    done.exits(2);
    assert!(done.stderr.contains("it can't go on in another"), "{}", done.stderr);
    assert_eq!(before, stage.stats().revocations);
    let token = app_token(&stage);
    let mut command = stage.command("resume");
    command.arg(&path).args(["--cloud", "global"]).env("ENTRA_REVOKE_TOKEN", token);
    stage.finish(&mut command).exits(0);
    all_were_revoked(&stage, 20);
}

#[test]
fn what_failed_is_tried_again_and_what_is_done_is_not() {
    let stage = Stage::new(
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
    end(start_run(&stage, 8, &["--retries", "1", "--rate", "1000/s"])).exits(3);
    let folder = stage.folder();
    let word = |user: &str| folder.row(&format!("{user}@contoso.com"))["outcome"].clone();
    let attempts = |user: &str| folder.row(&format!("{user}@contoso.com"))["attempts"].clone();
    assert_eq!(word("user0001"), "not_found");
    assert_eq!(word("user0002"), "forbidden");
    assert_eq!(word("user0003"), "failed");
    assert_eq!(word("user0004"), "rejected");
    assert_eq!(attempts("user0003"), "2");
    let first = folder.row("user0003@contoso.com")["first_sent_at"].clone();
    let done = revoked_in(&whole_lines(&folder.path));
    let before = requests(&stage);

    stage.simulator.change("unknown = []\ndeny = []\n[[fault]]\nmatch = 'user0004@*'\nanswer = 400").unwrap();
    resume(&stage, &folder.path, &[]).exits(3);
    for user in ["user0001", "user0002", "user0003"] {
        assert_eq!(word(user), "revoked", "{user}");
    }
    // Attempts add up over both processes.
    assert_eq!(
        [attempts("user0001"), attempts("user0002"), attempts("user0003"), attempts("user0004")],
        ["2", "2", "3", "2"]
    );
    assert_eq!(folder.row("user0003@contoso.com")["first_sent_at"], first);
    let after = requests(&stage);
    assert!(done.iter().all(|user| before[user] == after[user]), "somebody done was sent again");
    assert_eq!(done.len(), 4);

    // What is accepted is left alone.
    let sent = stage.stats().revocations;
    resume(&stage, &folder.path, &["--accept", "rejected"]).exits(0);
    assert_eq!(stage.stats().revocations, sent);
    assert_eq!(folder.summary()["complete"], true);
    assert_eq!(folder.summary()["processes"], 3);
}

#[test]
fn flags_go_before_what_the_run_had() {
    let stage = Stage::new("latency = '50ms'\n[[fault]]\nanswer = 503\nmatch = 'user0003@*'");
    let args =
        ["-j", "1", "--retries", "0", "--rate", "1000/s", "--accept", "not_found", "--max-users", "30"];
    end(start_run(&stage, 30, &args)).exits(3);
    let folder = stage.folder();
    assert_eq!(stage.stats().max_in_flight, 1);
    // The run's own: one try.
    resume(&stage, &folder.path, &[]).exits(3);
    assert_eq!(folder.row("user0003@contoso.com")["attempts"], "2");
    // A flag: two tries.
    resume(&stage, &folder.path, &["--retries", "1"]).exits(3);
    assert_eq!(folder.row("user0003@contoso.com")["attempts"], "4");
    // A cap of this process's own, on what is left.
    let before = stage.stats().revocations;
    resume(&stage, &folder.path, &["--max-users", "0"]).exits(5);
    assert_eq!(stage.stats().revocations, before);
    resume(&stage, &folder.path, &["--accept", "failed", "--retries", "0"]).exits(0);
}

#[test]
fn a_complete_run_stays_as_it_is() {
    let stage = Stage::new("");
    end(start_run(&stage, 10, &["--rate", "1000/s"])).exits(0);
    let folder = stage.folder();
    let report = folder.text("report.csv");
    let sent = stage.stats().requests;
    resume(&stage, &folder.path, &[]).exits(0);
    assert_eq!(stage.stats().requests, sent);
    assert_eq!(folder.text("report.csv"), report);
    assert_eq!(folder.summary()["complete"], true);
}

#[test]
fn a_killed_run_waits_as_long_as_graph_asked_it_to() {
    let stage = Stage::new("[[fault]]\nanswer = 429\nretry_after = '3'\nfirst = 1");
    let child = start_run(&stage, 20, &["-j", "1", "--rate", "1000/s"]);
    let folder = begun(&stage);
    until("the journal knows of the 429", || folder.text("journal.jsonl").contains("\"throttled\""));
    kill(child);
    assert_eq!(stage.stats().revocations, 1);
    let done = resume(&stage, &folder.path, &["--progress", "none"]);
    done.exits(0);
    all_were_revoked(&stage, 20);
    assert_eq!(stage.stats().early, 0, "sent while Graph had asked to wait: {:?}", stage.ledger().violations);
    assert!(done.stderr.contains("Graph asked"), "{}", done.stderr);
}

#[test]
fn no_manifest_speaks_of_an_earlier_journal() {
    let (stage, path) = interrupted_with_a_token();
    let manifest = path.join("manifest.json");
    assert!(manifest.exists());
    let child = stage.start(stage.command("resume").arg(&path).args(["--progress", "none", "-j", "1"]));
    let began = || whole_lines(&path).iter().filter(|line| line["event"] == "began").count();
    until("the run is taken up again", || began() == 2);
    kill(child);
    assert!(!manifest.exists(), "a manifest was left that the journal has outgrown");
    report(&stage, &path).exits(0);
    assert!(manifest.exists());
}

#[test]
fn a_drill_is_interrupted_and_resumed() {
    let stage = Stage::new("");
    let mut command = stage.bare("drill");
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
    let child = stage.start(&mut command);
    let folder = begun(&stage);
    until("some are revoked", || !revoked_in(&whole_lines(&folder.path)).is_empty());
    signal(&child, Signal::INT);
    end(child).exits(130);
    let before = revoked_in(&whole_lines(&folder.path)).len();
    assert!((1..120).contains(&before), "{before} are done");
    let left = folder.summary()["remaining"].as_u64().unwrap();

    let done = stage.finish(stage.bare("resume").arg(&folder.path).args(["-j", "50"]));
    done.exits(0);
    assert!(done.stderr.contains("DRILL"), "{}", done.stderr);
    let folder = RunDir { path: folder.path };
    assert_eq!(folder.summary()["outcomes"]["revoked"], 120);
    assert_eq!(folder.summary()["drill"], true);
    assert_eq!(left as usize + before, 120);
    assert_eq!(stage.stats().requests, 0, "a drill went elsewhere");
}

#[test]
fn a_killed_drill_is_resumed() {
    let stage = Stage::new("");
    let mut command = stage.bare("drill");
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
    let child = stage.start(&mut command);
    let folder = begun(&stage);
    until("some are revoked", || !revoked_in(&whole_lines(&folder.path)).is_empty());
    kill(child);
    stage.finish(stage.bare("resume").arg(&folder.path).args(["-j", "50"])).exits(0);
    assert_eq!(folder.summary()["outcomes"]["revoked"], 60);
}

#[test]
fn a_run_refused_for_its_size_is_refused_again() {
    let stage = Stage::new("");
    end(start_run(&stage, 6, &["--max-users", "5"])).exits(5);
    let folder = stage.folder();
    // The one read that finds out whether users can be looked up.
    assert_eq!((stage.stats().requests, stage.stats().reads), (1, 1));
    for _ in 0..2 {
        let done = resume(&stage, &folder.path, &[]);
        done.exits(5);
        assert!(done.stdout.contains("--max-users allows 5"), "{}", done.stdout);
        assert_eq!(folder.summary()["stopped"]["reason"], "max_users");
    }
    assert_eq!(stage.stats().requests, 1, "a resume asked for something");
    resume(&stage, &folder.path, &["--max-users", "6"]).exits(0);
    all_were_revoked(&stage, 6);
}

/// Writes another value into the settings of `run.json`.
fn edit_settings(folder: &RunDir, name: &str, value: &str) {
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record["settings"][name] = value.into();
    std::fs::write(folder.path.join("run.json"), record.to_string()).unwrap();
}

#[test]
fn a_run_folder_does_not_choose_where_secrets_go() {
    for (name, flag) in [("graph_url", "--graph-url"), ("authority_url", "--authority-url")] {
        let stage = Stage::new("[[fault]]\nanswer = 503\ntimes = 1\n");
        end(start_run(&stage, 3, &["--retries", "0"])).exits(3);
        let folder = stage.folder();
        edit_settings(&folder, name, "https://graph.attacker.example");
        let journal = folder.text("journal.jsonl");
        let sent = stage.stats().requests;
        let mut command = stage.bare("resume");
        let done = stage.finish(command.arg(&folder.path).env("ENTRA_REVOKE_TOKEN", crate::stage::TOKEN));
        done.exits(2);
        assert!(done.stderr.contains(flag) && done.stderr.contains("give it again"), "{}", done.stderr);
        assert_eq!(folder.text("journal.jsonl"), journal);
        assert_eq!(stage.stats().requests, sent);
        resume(&stage, &folder.path, &[]).exits(0);
        all_were_revoked(&stage, 3);
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
        let found = entra_revoke::digest::sha256_of(&folder.path.join(name)).unwrap();
        assert_eq!(file["sha256"], found, "{name}");
    }
}

#[test]
fn a_resume_that_can_not_sign_in_leaves_the_manifest_true() {
    let stage = Stage::new("unknown = ['user0001@*']\n[[fault]]\nanswer = 503\nmatch = 'user0002@*'\n");
    end(start_run(&stage, 4, &["--retries", "0"])).exits(3);
    let folder = stage.folder();
    manifest_holds(&folder);
    let before = (folder.text("run.json"), folder.text("journal.jsonl"), folder.text("manifest.json"));
    let mut command = stage.bare("resume");
    let url = stage.simulator.url();
    command.arg(&folder.path).args(["--accept", "not_found", "--graph-url", &url, "--authority-url", &url]);
    stage.finish(&mut command).exits(4);
    manifest_holds(&folder);
    let after = (folder.text("run.json"), folder.text("journal.jsonl"), folder.text("manifest.json"));
    assert_eq!(before, after);
}

#[test]
fn a_401_at_the_end_is_a_failure_that_resume_mends() {
    let stage = Stage::new("[[fault]]\nanswer = 401\nmatch = 'user0003@*'\n");
    end(start_run(&stage, 4, &["-j", "1"])).exits(4);
    let folder = stage.folder();
    let row = folder.row("user0003@contoso.com");
    assert_eq!([&row["outcome"], &row["http_status"]], ["failed", "401"], "{row:#?}");
    stage.simulator.change("fault = []").unwrap();
    resume(&stage, &folder.path, &[]).exits(0);
    assert_eq!(folder.row("user0003@contoso.com")["outcome"], "revoked");
    assert_eq!(folder.summary()["complete"], true);
    manifest_holds(&folder);
}
