//! Applying a plan revokes exactly the approved users, in the same tenant, and no others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use entra_revoke::simulator::TokenKind;
use serde_json::{Value, json};

use super::{TENANT, finish, list, nothing_sent, tenant, verb};
use crate::ctx::TestContext;
use crate::support::terminal::Terminal;

/// Writes a plan for these users and gives its path.
pub(super) fn plan(ctx: &TestContext, names: &[&str], args: &[&str]) -> PathBuf {
    let input = ctx.input("users.txt", list(names));
    finish(ctx, "plan", &input, &[args, &["-o", "none", "--overwrite"]].concat()).exits(0);
    ctx.dir.path().join("plan.json")
}

pub(super) fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Makes a plan say something else, and be whole all the same.
pub(super) fn remake(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut plan = read(path);
    change(&mut plan);
    plan.as_object_mut().unwrap().remove("sha256");
    plan["sha256"] = hex::encode(digest(&SHA256, plan.to_string().as_bytes())).into();
    std::fs::write(path, plan.to_string()).unwrap();
}

/// Refused with this code and these words, and nothing was revoked.
#[track_caller]
pub(super) fn refused(ctx: &TestContext, path: &Path, args: &[&str], code: i32, says: &str) {
    let done = finish(ctx, "apply", path, &[args, &["--yes"]].concat());
    done.exits(code);
    assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
    nothing_sent(ctx);
}

#[test]
fn users_are_revoked_in_the_planned_order() {
    let ctx = tenant();
    let rows = "upn,note,priority\nann@contoso.com,=1+1,2\nbob@contoso.com,\"two\nlines\",1\nann@contoso.com,,\n\
                cyd@contoso.com,,\nroot1@contoso.com,,\nnobody,,\n";
    let input = ctx.input("users.csv", rows);
    let args = ["--protect", "root1@contoso.com", "--case-id", "INC-1", "--column", "upn"];
    finish(&ctx, "plan", &input, &args).exits(0);
    // What is applied is the plan, whatever became of the input.
    std::fs::remove_file(&input).unwrap();
    let path = ctx.dir.path().join("plan.json");
    let sha256 = read(&path)["sha256"].as_str().unwrap().to_owned();
    let upper = sha256.to_uppercase();
    let done = finish(&ctx, "apply", &path, &["--yes", "-j", "1", "--expect-sha256", &upper]);
    done.exits(3);
    assert!(!done.stderr.contains("since then"), "{}", done.stderr);
    let mut sent = ctx.ledger().users;
    sent.sort_by(|one, other| one.first_s.total_cmp(&other.first_s));
    let planned = read(&path);
    let mut order: Vec<(u64, &str)> = planned["rows"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| Some((row["order"].as_u64()?, row["input"].as_str()?)))
        .collect();
    order.sort_unstable();
    assert_eq!(
        sent.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(),
        order.iter().map(|(_, id)| *id).collect::<Vec<_>>()
    );
    let folder = ctx.run_folder();
    let outcomes: Vec<(String, String)> =
        folder.rows().iter().map(|row| (row["line"].clone(), row["outcome"].clone())).collect();
    let expected = [
        ("2", "revoked"),
        ("3", "revoked"),
        ("5", "duplicate"),
        ("6", "revoked"),
        ("7", "protected"),
        ("8", "invalid"),
    ];
    assert_eq!(outcomes, expected.map(|(line, word)| (line.to_owned(), word.to_owned())));
    assert_eq!(folder.rows()[1]["note"], "two\nlines");
    assert_eq!(folder.rows()[0]["case_id"], "INC-1");
    let summary = folder.summary();
    let kept = &summary["plan_file"];
    assert_eq!((&kept["sha256"], &kept["made_at"]), (&sha256.into(), &planned["made_at"]));
    assert_eq!(kept["path"], path.display().to_string());
    assert_eq!(kept["made_by"]["auth"], "token");
    assert_eq!(summary["confirmed"], json!(["--yes"]));
    assert_eq!(summary["inputs"], planned["inputs"]);
    let run: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    assert_eq!(run["plan_file"], *kept);
    assert_eq!(run["selection"], planned["facts"]["selection"]);
}

#[test]
fn only_the_approved_plan_is_applied() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    refused(&ctx, &path, &["--expect-sha256", &"0".repeat(64)], 2, "not the plan that was approved");
    refused(&ctx, &path, &["--expect-sha256", "abc"], 2, "64 hex digits");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ann@contoso.com", "bob@contoso.com")).unwrap();
    refused(&ctx, &path, &[], 2, "was changed after it was made");
    // Anyone can compute a hash for another plan, but it is not the approved hash.
    let sha256 = read(&path)["sha256"].as_str().unwrap().to_owned();
    remake(&path, |_| {});
    refused(&ctx, &path, &["--expect-sha256", &sha256], 2, "not the plan that was approved");
}

#[test]
fn an_invalid_plan_file_is_refused() {
    let ctx = tenant();
    for (name, text) in [
        ("a.txt", "ann@contoso.com\n"),
        ("b.json", "{}"),
        ("c.json", "[1]"),
        ("d.json", "{\"kind\": \"entra-revoke plan\", \"format\": 1, \"sha256\": \"\"}"),
        ("e.json", ""),
    ] {
        let path = ctx.input(name, text);
        refused(&ctx, &path, &[], 2, "is not a valid plan file");
    }
    refused(&ctx, Path::new("gone.json"), &[], 2, "can't read the plan");
    let path = plan(&ctx, &["ann", "bob"], &[]);
    remake(&path, |plan| plan["format"] = 2.into());
    refused(&ctx, &path, &[], 2, "has plan format 2");
    for change in [
        (|plan: &mut Value| plan["rows"][0]["order"] = 2.into()) as fn(&mut Value),
        |plan| plan["rows"][0]["order"] = 0.into(),
        |plan| plan["rows"][0]["left_out"] = json!({"outcome": "excluded", "detail": ""}),
        |plan| plan["counts"]["rows"] = 3.into(),
        |plan| plan["counts"]["targets"] = 1.into(),
        |plan| plan["more"] = 1.into(),
    ] {
        let path = plan(&ctx, &["ann", "bob"], &[]);
        remake(&path, change);
        refused(&ctx, &path, &[], 2, "is not a valid plan file");
    }
}

#[test]
fn expired_and_future_plans_are_refused() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    let ago = |hours: i64| (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string();
    remake(&path, |plan| plan["made_at"] = ago(25).into());
    refused(&ctx, &path, &[], 2, "was made 1d01h ago, but --max-age allows 1d00h");
    refused(&ctx, &path, &["--max-age", "24h"], 2, "--max-age allows");
    remake(&path, |plan| plan["made_at"] = ago(-1).into());
    refused(&ctx, &path, &[], 2, "in the future");
    remake(&path, |plan| plan["made_at"] = ago(25).into());
    finish(&ctx, "apply", &path, &["--yes", "--max-age", "26h"]).exits(0);
}

#[test]
fn another_cloud_or_graph_url_is_refused() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    refused(&ctx, &path, &["--cloud", "usgov"], 2, "made for the cloud global");
    let mut command = ctx.command_without_token("apply");
    command.env("ENTRA_REVOKE_TOKEN", super::ctx::TOKEN).arg(&path).arg("--yes");
    let done = ctx.finish(&mut command);
    done.exits(2);
    assert!(done.stderr.contains("use the --graph-url"), "{}", done.stderr);
    nothing_sent(&ctx);
}

#[test]
fn another_tenant_is_refused() {
    let other = "99999999-0000-4000-8000-000000000009";
    let ctx = tenant();
    let token = ctx.simulator.mint_token(TokenKind::App, Duration::from_secs(600));
    let input = ctx.input("users.txt", list(&["ann"]));
    let mut command = verb(&ctx, "plan");
    ctx.finish(command.env("ENTRA_REVOKE_TOKEN", &token).arg(&input)).exits(0);
    let path = ctx.dir.path().join("plan.json");
    let id = read(&path)["tenant"]["id"].as_str().unwrap().to_owned();
    // A token that does not tell.
    refused(&ctx, &path, &[], 2, "the token does not name its tenant");
    refused(&ctx, &path, &["--tenant", other], 2, &id);
    let apply = |path: &Path| {
        let mut command = verb(&ctx, "apply");
        ctx.finish(command.env("ENTRA_REVOKE_TOKEN", &token).arg(path).arg("--yes"))
    };
    let text = std::fs::read_to_string(&path).unwrap();
    remake(&path, |plan| plan["tenant"]["id"] = other.into());
    let done = apply(&path);
    assert!(matches!(done.code, Some(2 | 4)) && done.stderr.contains(other), "{done:?}");
    nothing_sent(&ctx);
    std::fs::write(&path, text).unwrap();
    apply(&path).exits(0);
}

#[test]
fn changes_are_reported_and_newly_protected_users_skipped() {
    let ctx = tenant();
    let changed = TENANT
        .replace("upn = 'cyd@contoso.com'\nenabled = false", "upn = 'cyd@contoso.com'\ndeleted = true")
        .replace("upn = 'root1@contoso.com'\n", "upn = 'root1@contoso.com'\nenabled = false\n")
        .replace(
            "members = ['ann@contoso.com', 'bob@contoso.com']",
            "members = ['ann@contoso.com', 'root1@contoso.com']",
        );
    let other = plan(&ctx, &["ann", "bob", "root1", "cyd"], &[]);
    std::fs::rename(&other, ctx.dir.path().join("open.json")).unwrap();
    let path = plan(&ctx, &["ann", "bob", "root1", "cyd"], &["--protect", "group:Finance"]);
    ctx.simulator.change_config(&changed).unwrap();
    let done = finish(&ctx, "apply", &path, &["--yes", "--accept", "not_found"]);
    done.exits(0);
    let since = "since then: 1 user now protected, and left out: root1@contoso.com (";
    assert!(done.stderr.contains(since), "{}", done.stderr);
    assert!(
        done.stderr.contains("no longer in the directory, and revoked anyway: cyd@contoso.com ("),
        "{}",
        done.stderr
    );
    let rows = ctx.run_folder().rows();
    let words: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["input"].as_str(), row["outcome"].as_str())).collect();
    assert_eq!(
        words,
        [
            ("ann@contoso.com", "protected"),
            // No longer in the group: what was left out stays out.
            ("bob@contoso.com", "protected"),
            ("root1@contoso.com", "protected"),
            ("cyd@contoso.com", "not_found"),
        ]
    );
    assert!(rows[2]["detail"].contains("since the plan was made"), "{:?}", rows[2]);
    let open = ctx.dir.path().join("open.json");
    let done = finish(&ctx, "apply", &open, &["--yes", "--accept", "not_found"]);
    done.exits(0);
    assert!(
        done.stderr.contains("since then: 1 user now disabled, and revoked anyway: root1@contoso.com"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_protect_list_that_no_longer_resolves_stops_the_run() {
    let ctx = tenant();
    let list = ctx.input("break-glass.txt", "root1@contoso.com\n");
    let path =
        plan(&ctx, &["ann"], &["--protect", &list.display().to_string(), "--protect", "group:Finance"]);
    std::fs::rename(&list, ctx.dir.path().join("moved.txt")).unwrap();
    refused(&ctx, &path, &[], 2, "break-glass.txt");
    std::fs::rename(ctx.dir.path().join("moved.txt"), &list).unwrap();
    ctx.simulator.change_config(&TENANT.replace("'Finance'", "'Money'")).unwrap();
    refused(&ctx, &path, &[], 2, "Finance");
    ctx.simulator.change_config(TENANT).unwrap();
    let done = finish(&ctx, "apply", &path, &["--yes", "--protect", "ann@contoso.com"]);
    done.exits(0);
    assert_eq!(ctx.run_folder().rows()[0]["outcome"], "protected");
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn protection_works_without_read_permission() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &["--protect", "root1@contoso.com"]);
    ctx.simulator.change_config("[token]\nroles = ['User.RevokeSessions.All']\n").unwrap();
    // The plan says who each user is, so that ids can be compared without the directory.
    let done = finish(&ctx, "apply", &path, &["--yes", "--protect", "bob@contoso.com"]);
    done.exits(0);
    assert_eq!(ctx.run_folder().outcomes().values().filter(|word| *word == "protected").count(), 1);
    assert_eq!(ctx.stats().effects, 1);
}

#[test]
fn limits_and_confirmations_apply_to_plans() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &["--max-share", "20%"]);
    refused(&ctx, &path, &[], 2, "more than --max-share 20%");
    refused(&ctx, &path, &["--expect-count", "3"], 5, "--expect-count says 3");
    refused(&ctx, &path, &["--yes-i-mean", "3"], 5, "--yes-i-mean says 3");
    let mut command = verb(&ctx, "plan");
    ctx.finish(command.args(["--all-users", "--plan-file", "all.json"])).exits(0);
    refused(&ctx, &ctx.dir.path().join("all.json"), &[], 2, "every user of the tenant");
    finish(&ctx, "apply", &path, &["--yes-i-mean", "2"]).exits(0);
    assert_eq!(ctx.run_folder().summary()["confirmed"], json!(["--yes-i-mean 2"]));
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &["--max-users", "1"]);
    finish(&ctx, "apply", &path, &["--yes"]).exits(5);
    assert_eq!((ctx.stats().revocations, ctx.run_folder().summary()["exit_code"].clone()), (0, 5.into()));
}

#[test]
fn apply_asks_for_confirmation() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "root1"], &[]);
    let done = finish(&ctx, "apply", &path, &[]);
    done.exits(2);
    nothing_sent(&ctx);
    let mut terminal = Terminal::start(verb(&ctx, "apply").arg(&path).args(["--progress", "none"]));
    terminal.until("  selected     ").until("Type 2 to revoke").type_line("1");
    assert_eq!(terminal.wait_for_exit().0, 5);
    nothing_sent(&ctx);
    let mut terminal = Terminal::start(verb(&ctx, "apply").arg(&path).args(["--progress", "none"]));
    terminal.until("Type 2 to revoke").type_line("2");
    assert_eq!(terminal.wait_for_exit().0, 0);
    assert_eq!(ctx.run_folder().summary()["confirmed"], json!(["typed 2"]));
}

#[test]
fn a_dry_run_says_what_changed_and_sends_nothing() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &[]);
    let done = finish(&ctx, "apply", &path, &["--dry-run", "--protect", "bob@contoso.com"]);
    done.exits(0);
    assert!(done.stderr.contains("since then: 1 user now protected"), "{}", done.stderr);
    assert!(done.stdout.contains("1 user to revoke, of 2 rows"), "{}", done.stdout);
    nothing_sent(&ctx);
}

#[test]
fn selections_are_frozen_in_the_plan() {
    let ctx = tenant();
    let mut command = verb(&ctx, "plan");
    ctx.finish(command.args(["--group", "Finance"])).exits(0);
    let grown =
        TENANT.replace("members = ['ann@contoso.com'", "members = ['cyd@contoso.com', 'ann@contoso.com'");
    ctx.simulator.change_config(&grown).unwrap();
    let path = ctx.dir.path().join("plan.json");
    finish(&ctx, "apply", &path, &["--yes"]).exits(0);
    assert_eq!(ctx.stats().effects, 2);
    assert!(!ctx.run_folder().text("report.csv").contains("cyd@"));
}

#[test]
fn the_preview_shows_directory_names_and_not_names_from_the_file() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &[]);
    remake(&path, |plan| {
        plan["rows"][0]["user_principal_name"] = "cyd@contoso.com".into();
        plan["facts"]["first"][0] = "cyd@contoso.com".into();
    });
    let done = finish(&ctx, "apply", &path, &["--dry-run"]);
    done.exits(0);
    let told = "1 user with another name than in the plan: cyd@contoso.com is ann@contoso.com";
    assert!(done.stderr.contains(told), "{}", done.stderr);
    assert!(done.stdout.contains("ann@contoso.com") && !done.stdout.contains("cyd@"), "{}", done.stdout);
    assert!(done.stderr.contains("apply would stop here"), "{}", done.stderr);
    // The person who applies it revokes no user who was not approved.
    refused(&ctx, &path, &[], 2, "the directory and the plan have different names for 1 user");
}

#[test]
fn a_protect_flag_overrides_an_earlier_unprotect() {
    let ctx = tenant();
    let root = "root1@contoso.com";
    let path = plan(&ctx, &["ann", "root1"], &["--protect", root, "--unprotect", root]);
    let done = finish(&ctx, "apply", &path, &["--yes", "--protect", root]);
    done.exits(0);
    assert!(done.stderr.contains("now protected"), "{}", done.stderr);
    let sent: Vec<String> = ctx.ledger().users.into_iter().map(|user| user.id).collect();
    assert_eq!(sent, ["ann@contoso.com"]);
}

#[test]
fn any_protect_list_overrides_an_earlier_unprotect() {
    let ctx = tenant();
    let root = "root1@contoso.com";
    let path = plan(&ctx, &["ann", "root1"], &["--protect", root, "--unprotect", root]);
    let id = read(&path)["rows"][1]["user_id"].as_str().unwrap().to_owned();
    ctx.input("now.txt", format!("{id}\n"));
    for list in [id.as_str(), "now.txt", "role:Global Administrator"] {
        let done = finish(&ctx, "apply", &path, &["--dry-run", "--protect", list]);
        done.exits(0);
        assert!(done.stderr.contains("1 user now protected"), "{list}: {}", done.stderr);
    }
}
