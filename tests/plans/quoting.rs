//! A file of this machine that somebody else names as a plan, a list, a profile or a key shows nothing of itself.

use super::apply::{plan, remake};
use super::stage::Stage;
use super::{tenant, verb};

const MARKER: &str = "fake-CANARY-77e1";

/// Files as they may lie on a machine, each with a secret in it.
fn contents() -> Vec<String> {
    vec![
        format!("root:$6${MARKER}:19000:0:99999:7:::\ndaemon:*:{MARKER}:0:99999:7:::\n"),
        format!("{{\"{MARKER}\": \"{MARKER}\", \"value\": [\"{MARKER}\"]}}"),
        format!("{MARKER} = \"{MARKER}\"\nspeed = \"{MARKER}\"\n"),
        format!("host,{MARKER}\n{MARKER},login@example.com {MARKER}@\n"),
        format!("-----BEGIN {MARKER}\n{MARKER}\n-----END {MARKER}-----\n"),
    ]
}

#[track_caller]
fn shows_nothing(stage: &Stage, name: &str, args: &[&str]) {
    let mut command = match name {
        "simulator" | "profiles" => stage.bare(name),
        _ => verb(stage, name),
    };
    let done = stage.finish(command.args(args));
    assert_ne!(done.code, Some(0), "{name} {args:?} took it: {}", done.stdout);
    for shown in [&done.stdout, &done.stderr] {
        assert!(!shown.contains("CANARY"), "{name} {args:?}: {shown}");
    }
}

#[test]
fn no_flag_that_takes_a_file_shows_what_it_holds() {
    for content in contents() {
        let stage = tenant();
        stage.input("users.txt", "ann@contoso.com\n");
        stage.input("odd", &content);
        for flag in ["--protect", "--exclude", "--exclude-file", "--first", "--ca-cert"] {
            shows_nothing(&stage, "run", &["users.txt", "--yes", flag, "odd"]);
        }
        let app = ["--tenant", "contoso.com", "--client-id", "00000000-0000-4000-8000-000000000001"];
        for (auth, flag) in
            [("certificate", "--certificate-file"), ("workload-identity", "--federated-token-file")]
        {
            let args = [&["users.txt", "--yes", "--auth", auth, flag, "odd"], &app[..]].concat();
            shows_nothing(&stage, "run", &args);
        }
        shows_nothing(&stage, "apply", &["odd", "--yes"]);
        shows_nothing(&stage, "run", &["users.txt", "--yes", "--config", "odd", "--profile", "c"]);
        shows_nothing(&stage, "profiles", &["check", "--config", "odd"]);
        shows_nothing(&stage, "simulator", &["--listen", "127.0.0.1:0", "--config", "odd"]);
    }
}

#[test]
fn what_a_plan_or_a_profile_names_shows_nothing() {
    for content in contents() {
        let stage = tenant();
        let path = plan(&stage, &["ann"], &[]);
        stage.input("odd", &content);
        stage.input("plan.json.sig", &content);
        shows_nothing(&stage, "apply", &["plan.json", "--yes", "--approvers", "odd"]);
        stage.input("good", format!("zoe@contoso.com {}", include_str!("../fixtures/approvals/ed25519.pub")));
        shows_nothing(&stage, "apply", &["plan.json", "--yes", "--approvers", "good"]);
        remake(&path, |plan| {
            plan["protect"] = serde_json::json!(["odd"]);
            plan["facts"]["lists"] =
                serde_json::json!([{"list": "protect", "name": "odd", "entries": 0, "accounts": 0}]);
        });
        shows_nothing(&stage, "apply", &["plan.json", "--yes"]);
        for key in ["protect = ['odd']", "exclude_file = ['odd']", "approvers = 'odd'", "ca_cert = 'odd'"] {
            stage.input("c.toml", format!("[profile.c]\n{key}\n"));
            shows_nothing(&stage, "run", &["users.txt", "--yes", "--config", "c.toml", "--profile", "c"]);
        }
        stage.input("c.toml", "[profile.c]\nprotect = ['odd']\napprovers = 'odd'\nexclude_file = ['odd']\n");
        shows_nothing(&stage, "profiles", &["check", "--config", "c.toml"]);
    }
}
