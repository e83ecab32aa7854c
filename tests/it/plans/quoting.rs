//! Errors never quote a local file that another person named as a plan, a list, a profile or a key.

use super::apply::{plan, remake};
use super::{tenant, verb};
use crate::ctx::TestContext;

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
fn shows_nothing(ctx: &TestContext, name: &str, args: &[&str]) {
    let mut command = match name {
        "simulator" | "profiles" => ctx.command_without_token(name),
        _ => verb(ctx, name),
    };
    let done = ctx.finish(command.args(args));
    assert_ne!(done.code, Some(0), "{name} {args:?} took it: {}", done.stdout);
    for shown in [&done.stdout, &done.stderr] {
        assert!(!shown.contains("CANARY"), "{name} {args:?}: {shown}");
    }
}

#[test]
fn file_flags_never_quote_the_file() {
    for content in contents() {
        let ctx = tenant();
        ctx.input("users.txt", "ann@contoso.com\n");
        ctx.input("odd", &content);
        for flag in ["--protect", "--exclude", "--exclude-file", "--first", "--ca-cert"] {
            shows_nothing(&ctx, "run", &["users.txt", "--yes", flag, "odd"]);
        }
        let app = ["--tenant", "contoso.com", "--client-id", "00000000-0000-4000-8000-000000000001"];
        for (auth, flag) in
            [("certificate", "--certificate-file"), ("workload-identity", "--federated-token-file")]
        {
            let args = [&["users.txt", "--yes", "--auth", auth, flag, "odd"], &app[..]].concat();
            shows_nothing(&ctx, "run", &args);
        }
        shows_nothing(&ctx, "apply", &["odd", "--yes"]);
        shows_nothing(&ctx, "run", &["users.txt", "--yes", "--config", "odd", "--profile", "c"]);
        shows_nothing(&ctx, "profiles", &["check", "--config", "odd"]);
        shows_nothing(&ctx, "simulator", &["--listen", "127.0.0.1:0", "--config", "odd"]);
    }
}

#[test]
fn files_named_by_plans_and_profiles_are_never_quoted() {
    for content in contents() {
        let ctx = tenant();
        let path = plan(&ctx, &["ann"], &[]);
        ctx.input("odd", &content);
        ctx.input("plan.json.sig", &content);
        shows_nothing(&ctx, "apply", &["plan.json", "--yes", "--approvers", "odd"]);
        ctx.input(
            "good",
            format!("zoe@contoso.com {}", include_str!("../../fixtures/approvals/ed25519.pub")),
        );
        shows_nothing(&ctx, "apply", &["plan.json", "--yes", "--approvers", "good"]);
        remake(&path, |plan| {
            plan["protect"] = serde_json::json!(["odd"]);
            plan["facts"]["lists"] =
                serde_json::json!([{"list": "protect", "name": "odd", "entries": 0, "accounts": 0}]);
        });
        shows_nothing(&ctx, "apply", &["plan.json", "--yes"]);
        for key in ["protect = ['odd']", "exclude_file = ['odd']", "approvers = 'odd'", "ca_cert = 'odd'"] {
            ctx.input("c.toml", format!("[profile.c]\n{key}\n"));
            shows_nothing(&ctx, "run", &["users.txt", "--yes", "--config", "c.toml", "--profile", "c"]);
        }
        ctx.input("c.toml", "[profile.c]\nprotect = ['odd']\napprovers = 'odd'\nexclude_file = ['odd']\n");
        shows_nothing(&ctx, "profiles", &["check", "--config", "c.toml"]);
    }
}
