//! The facts about users in a plan must match its rows, or nothing is revoked.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use entra_revoke::plan_file::PlanFile;
use serde_json::{Value, json};

use super::apply::{plan, read, refused, remake};
use super::{TENANT, finish, tenant, verb};
use crate::ctx::TestContext;

/// A plan over everything that a row can be, made once for all.
static WRITTEN: LazyLock<(TestContext, PathBuf)> = LazyLock::new(|| {
    let ctx = tenant();
    let rows = "upn,note\nann@contoso.com,x\nbob@contoso.com,x\nann@contoso.com,again\ncyd@contoso.com,x\n\
                root1@contoso.com,x\nroot2@contoso.com,x\nroot3@contoso.com,x\ngus_fabrikam.com#EXT#@contoso.com,x\n\
                gone@contoso.com,x\nnobody,x\n";
    let input = ctx.input("users.csv", rows);
    let root = "root1@contoso.com";
    let args = ["--protect", root, "--protect", "root2@contoso.com", "--unprotect", root, "--column", "upn"];
    finish(&ctx, "plan", &input, &args).exits(0);
    let path = ctx.dir.path().join("plan.json");
    (ctx, path)
});

/// Why a plan that says something else is not taken; nothing if it is.
fn refusal(change: impl FnOnce(&mut Value)) -> Option<String> {
    let path = WRITTEN.0.dir.path().join(format!("changed-{}.json", uuid::Uuid::new_v4()));
    std::fs::copy(&WRITTEN.1, &path).unwrap();
    remake(&path, change);
    let taken = PlanFile::open(&path);
    std::fs::remove_file(path).unwrap();
    taken.err().map(|why| why.to_string())
}

#[test]
fn counts_and_facts_must_match_the_rows() {
    assert_eq!(refusal(|_| {}), None);
    let whole = read(&WRITTEN.1);
    let facts = &whole["facts"];
    assert_eq!(
        (&facts["unprotected"][0][0], &facts["administrators"]),
        (&"root1@contoso.com".into(), &2.into())
    );
    for (field, value) in [
        ("counts.rows", json!(9)),
        ("counts.targets", json!(4_294_967_295_u32)),
        ("counts.targets", json!(8)),
        ("counts.external", json!(0)),
        ("counts.selected", json!(10)),
        ("counts.left_out", json!({"duplicate": 1, "invalid": 1})),
        ("facts.selection", json!(["holidays.csv"])),
        ("facts.missing", json!(0)),
        ("facts.deleted", json!(1)),
        ("facts.guests", json!(0)),
        ("facts.synced", json!(0)),
        ("facts.disabled", json!(7)),
        ("facts.administrators", json!(0)),
        ("facts.admins", json!({"Global Administrator": 1})),
        ("facts.admins", Value::Null),
        ("facts.global_administrators", json!([9, 4])),
        ("facts.protected", json!([])),
        ("facts.protected", json!([["ann@contoso.com", "on the protect list"]])),
        ("facts.unprotected", json!([])),
        ("facts.first", json!(["cyd@contoso.com", "bob@contoso.com", "ann@contoso.com"])),
        ("facts.last", json!([])),
        ("facts.lists", json!([])),
        ("expected_seconds", json!(99)),
    ] {
        let why = refusal(|plan| {
            let (part, name) = field.split_once('.').unwrap_or(("", field));
            match part {
                "" => plan[name] = value.clone(),
                part => plan[part][name] = value.clone(),
            }
        });
        let why = why.unwrap_or_default();
        assert!(why.contains(field) && why.contains("expected") && why.contains("found"), "{field}: {why}");
    }
}

#[test]
fn rows_that_plan_never_writes_are_refused() {
    let gus =
        |plan: &Value| plan["rows"].as_array().unwrap().iter().position(|row| row["guest"] == true).unwrap();
    let at = gus(&read(&WRITTEN.1));
    for (name, value) in [
        ("user_id", json!("me")),
        ("user_id", json!("")),
        ("external", json!(false)),
        ("tenant", json!("fabrikam.com")),
        ("order", json!(1)),
        ("order", json!(0)),
        ("left_out", json!({"outcome": "revoked", "detail": ""})),
        ("guest", json!(false)),
        ("cells", json!([])),
    ] {
        let why = refusal(|plan| plan["rows"][at][name] = value.clone());
        assert!(why.is_some(), "{name} = {value}");
    }
    // An outcome that only a server gives is none of a plan's.
    let why = refusal(|plan| plan["rows"][2]["left_out"]["outcome"] = "revoked".into()).unwrap();
    assert!(why.contains("rows[2].left_out.outcome"), "{why}");
    // The id of another row, and one that is not that of the input.
    let other = read(&WRITTEN.1)["rows"][0]["user_id"].clone();
    assert!(refusal(|plan| plan["rows"][1]["user_id"] = other.clone()).unwrap().contains("rows[1].user_id"));
    let ids = "11111111-0000-4000-8000-000000000001";
    assert!(refusal(|plan| plan["rows"][1]["input"] = ids.into()).unwrap().contains("rows[1].user_id"));
    let more = refusal(|plan| plan["facts"]["approved"] = "by the CISO".into()).unwrap();
    assert!(more.contains("facts.approved"), "{more}");
    assert!(refusal(|plan| plan["rows"][0]["Order"] = 1.into()).is_some());
}

#[test]
fn duplicate_keys_are_refused_at_any_depth() {
    let text = std::fs::read_to_string(&WRITTEN.1).unwrap();
    assert!(text.contains("{\"cells\":") && text.contains("\"facts\": {"), "{text}");
    for (place, doubled) in [
        ("{\n", "{\"cloud\": \"global\",\n"),
        ("\"facts\": {", "\"facts\": {\"guests\":1,"),
        ("{\"cells\":", "{\"input\":\"ann@contoso.com\",\"cells\":"),
        ("\"left_out\":{\"detail\":", "\"left_out\":{\"detail\":\"x\",\"detail\":"),
    ] {
        let path = WRITTEN.0.dir.path().join("doubled.json");
        let (before, after) = text.split_once(place).unwrap();
        std::fs::write(&path, format!("{before}{doubled}{after}")).unwrap();
        let why = PlanFile::open(&path).unwrap_err().to_string();
        assert!(why.contains("a name occurs twice in one object"), "{place}: {why}");
    }
}

#[test]
fn an_excessive_count_is_refused_without_allocation() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    for count in [4_294_967_295_u64, 2, 18_446_744_073_709_551_615] {
        remake(&path, |plan| plan["counts"]["targets"] = count.into());
        refused(&ctx, &path, &[], 2, "is not a valid plan file");
    }
}

/// Writes the plan again with another person's id behind the same names.
fn swap(ctx: &TestContext, path: &Path) {
    plan(ctx, &["cyd", "root4"], &["--plan-file", "other.json"]);
    let cyd = read(&ctx.dir.path().join("other.json"))["rows"][0]["user_id"].clone();
    remake(path, |plan| plan["rows"][0]["user_id"] = cyd);
}

#[test]
fn an_id_with_another_name_in_the_directory_stops_the_run() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &[]);
    swap(&ctx, &path);
    refused(&ctx, &path, &[], 2, "ann@contoso.com is cyd@contoso.com");
    let done = finish(&ctx, "apply", &path, &["--dry-run", "-o", "csv"]);
    done.exits(0);
    assert!(done.stdout.contains("cyd@contoso.com"), "{}", done.stdout);
    finish(&ctx, "apply", &path, &["--yes", "--allow-renamed"]).exits(0);
    assert_eq!(ctx.ledger().users.len(), 2);
}

#[test]
fn removed_names_do_not_disable_the_check() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob"], &[]);
    swap(&ctx, &path);
    remake(&path, |plan| {
        plan["rows"][0]["user_principal_name"] = "".into();
        plan["rows"][0]["display_name"] = "".into();
        plan["rows"][0]["external"] = Value::Null;
        plan["facts"]["first"][0] = plan["rows"][0]["user_id"].clone();
    });
    // The input says ann, and the id is another one's.
    refused(&ctx, &path, &[], 2, "ann@contoso.com is cyd@contoso.com");
    // Without the directory, it is not known which user it is.
    ctx.simulator.change_config("[token]\nroles = ['User.RevokeSessions.All']\n").unwrap();
    refused(&ctx, &path, &[], 2, "which can't be resolved");
}

#[test]
fn a_plan_with_one_user_is_checked_too() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &["--protect", "root1@contoso.com"]);
    swap(&ctx, &path);
    remake(&path, |plan| {
        plan["protect"] = json!([]);
        plan["facts"]["lists"] = json!([]);
    });
    refused(&ctx, &path, &[], 2, "ann@contoso.com is cyd@contoso.com");
    // A name other than the input's is not an ID of the row.
    let path = plan(&ctx, &["ann"], &[]);
    remake(&path, |plan| plan["rows"][0]["user_id"] = "cyd@contoso.com".into());
    refused(&ctx, &path, &[], 2, "rows[0].user_id: expected ann@contoso.com");
}

#[test]
fn a_changed_display_name_stops_the_run() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann", "bob", "root4"], &[]);
    let changed = TENANT
        .replace("name = 'Ann'", "name = 'Anna'")
        .replace("upn = 'bob@contoso.com'\n", "upn = 'bob@contoso.com'\ntype = 'Guest'\n")
        .replace("'root3@contoso.com', 'root4@contoso.com']", "'root3@contoso.com']");
    ctx.simulator.change_config(&changed).unwrap();
    refused(&ctx, &path, &[], 2, "Ann (ann@contoso.com) is Anna (ann@contoso.com)");
    let done = finish(&ctx, "apply", &path, &["--yes", "--allow-renamed"]);
    done.exits(0);
    for says in [
        "of another type than in the plan: bob@contoso.com is a guest",
        "with other roles than in the plan: root4@",
    ] {
        assert!(done.stderr.contains(says), "{says}: {}", done.stderr);
    }
}

#[test]
fn the_tenant_shown_is_not_taken_from_the_plan() {
    let ctx = tenant();
    let path = plan(&ctx, &["ann"], &[]);
    remake(&path, |plan| {
        plan["tenant"] = json!({"given": "trusted.example", "id": "99999999-0000-4000-8000-000000000009", "name": "Trusted"});
    });
    let mut command = verb(&ctx, "apply");
    let done = ctx.finish(command.arg(&path).arg("--yes"));
    assert!(!done.stderr.contains("rusted") && done.stderr.contains("99999999-"), "{}", done.stderr);
}
