//! The plan file: what it contains, who may read it, and that it can't be changed.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::{finish, list, tenant, verb};
use crate::ctx::{TOKEN, TestContext, read_csv};

/// Writes a plan over everything that a row can be, and gives its path.
fn plan(ctx: &TestContext) -> PathBuf {
    let rows = "upn,note,priority\nann@contoso.com,\"é \u{1f600} \u{7f} \\ \"\" \t,2\n\",\nbob@contoso.com,,1\n\
                ann@contoso.com,again,\nnobody,,\n\
                root1@contoso.com,=1+1,\ngus_fabrikam.com#EXT#@contoso.com,\u{1b}[2J,\n";
    let input = ctx.input("users.csv", rows);
    let args = ["--protect", "root1@contoso.com", "--case-id", "INC-1", "--column", "upn"];
    finish(ctx, "plan", &input, &args).exits(0);
    ctx.dir.path().join("plan.json")
}

fn json(path: &PathBuf) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_plan_is_complete_and_contains_no_secret() {
    let ctx = tenant();
    let path = plan(&ctx);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains(TOKEN) && !text.contains('\u{1b}'), "{text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let plan = json(&path);
    assert_eq!((&plan["kind"], &plan["format"]), (&"entra-revoke plan".into(), &1.into()));
    assert_eq!((&plan["case_id"], &plan["cloud"]), (&"INC-1".into(), &"global".into()));
    assert_eq!(plan["tenant"]["name"], "Contoso Ltd");
    assert_eq!(plan["counts"]["targets"], 3);
    assert_eq!(plan["facts"]["guests"], 1);
    assert_eq!(plan["protect"][0], "root1@contoso.com");
    assert_eq!(plan["inputs"][0]["sha256"].as_str().unwrap().len(), 64);
    let rows = plan["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert_eq!(rows[1]["order"], 1);
    assert_eq!(rows[4]["left_out"]["outcome"], "protected");
    assert_eq!(rows[4]["cells"][1], "=1+1");
    assert_eq!(ctx.stats().revocations, 0);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn the_hash_matches_jq_and_sha256sum() {
    let ctx = tenant();
    let path = plan(&ctx);
    let said = json(&path)["sha256"].as_str().unwrap().to_owned();
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "command -v jq sha256sum >/dev/null || exit 77\njq -cjS 'del(.sha256)' \"$0\" | sha256sum",
    ]);
    let output = shell.arg(&path).output().unwrap();
    if output.status.code() == Some(77) {
        eprintln!("not checked: there is no jq here");
        return;
    }
    assert_eq!(String::from_utf8(output.stdout).unwrap().split(' ').next(), Some(said.as_str()));
}

#[test]
fn an_existing_plan_is_not_overwritten() {
    let ctx = tenant();
    let path = plan(&ctx);
    let before = std::fs::read(&path).unwrap();
    let input = ctx.input("other.txt", list(&["cyd"]));
    let requests = ctx.stats().requests;
    let done = finish(&ctx, "plan", &input, &[]);
    done.exits(2);
    assert!(done.stderr.contains("--overwrite"), "{}", done.stderr);
    assert_eq!((ctx.stats().requests, std::fs::read(&path).unwrap()), (requests, before.clone()));
    finish(&ctx, "plan", &input, &["--overwrite"]).exits(0);
    assert_ne!(std::fs::read(&path).unwrap(), before);
    finish(&ctx, "plan", &input, &["--plan-file", "no/such/folder/plan.json"]).exits(1);
    let left: Vec<_> = std::fs::read_dir(ctx.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".plan")), "{left:?}");
}

#[test]
fn the_plan_is_shown_in_every_output_format() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "root1", "gus_fabrikam.com#EXT#"]));
    let run = |output: &str| {
        let args = ["--overwrite", "-o", output, "--protect", "role:Global Administrator"];
        finish(&ctx, "plan", &input, &args).exits(0).stdout.clone()
    };
    let text = run("text");
    let sha256 = json(&ctx.dir.path().join("plan.json"))["sha256"].as_str().unwrap().to_owned();
    for says in [
        "  users        2\n",
        "  guests       1: no effect",
        "Protected:\n  root1@contoso.com  ",
        &format!("SHA-256  {sha256}\n"),
        &format!("  entra-revoke apply plan.json --expect-sha256 \\\n  {sha256}\n"),
    ] {
        assert!(text.contains(says), "{says:?} is not in: {text}");
    }
    let head: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!((&head["counts"]["targets"], &head["path"]), (&2.into(), &"plan.json".into()));
    assert!(head.get("rows").is_none() && head["sha256"].is_string());
    assert_eq!(read_csv(&run("csv")).len(), 3);
    assert_eq!(run("jsonl").lines().count(), 3);
    assert_eq!(run("none"), "");
}

#[test]
fn a_plan_refuses_me_and_a_wrong_count() {
    let ctx = TestContext::new("[token]\nscopes = ['User.RevokeSessions.All']\n");
    let input = ctx.input("me.txt", "me\n");
    let done = finish(&ctx, "plan", &input, &["--include-self"]);
    assert!(matches!(done.code, Some(2)), "{done:?}");
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann"]));
    finish(&ctx, "plan", &input, &["--expect-count", "2"]).exits(5);
    assert!(!ctx.dir.path().join("plan.json").exists());
}

/// What a plan file holds that was written once for all.
static WRITTEN: LazyLock<(TestContext, String)> = LazyLock::new(|| {
    let ctx = tenant();
    let text = std::fs::read_to_string(plan(&ctx)).unwrap();
    (ctx, text)
});

/// Whether the file is read as a plan.
fn is_taken(text: &[u8]) -> bool {
    let path = WRITTEN.0.dir.path().join(format!("changed-{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&path, text).unwrap();
    let taken = entra_revoke::plan_file::PlanFile::open(&path).is_ok();
    std::fs::remove_file(path).unwrap();
    taken
}

#[test]
fn a_changed_byte_is_refused_unless_the_json_is_equal() {
    let (_, text) = &*WRITTEN;
    assert!(is_taken(text.as_bytes()));
    let value = |text: &[u8]| serde_json::from_slice::<Value>(text).ok();
    let original = value(text.as_bytes());
    for at in 0..text.len() {
        let mut changed = text.as_bytes().to_vec();
        changed[at] = if changed[at] == b'1' { b'2' } else { b'1' };
        assert!(!is_taken(&changed) || value(&changed) == original, "byte {at}");
        changed.remove(at);
        assert!(!is_taken(&changed) || value(&changed) == original, "without byte {at}");
    }
}

/// All values in it that are no lists and no objects.
fn leaves(value: &Value, at: String, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| leaves(item, format!("{at}/{n}"), into));
        }
        Value::Object(members) => {
            for (name, member) in members {
                leaves(member, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), into);
            }
        }
        _ => into.push(at),
    }
}

fn other_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!({"a": 1})),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_other_value_is_refused(which in any::<prop::sample::Index>(), other in other_value()) {
        let mut plan: Value = serde_json::from_str(&WRITTEN.1).unwrap();
        let mut all = Vec::new();
        leaves(&plan, String::new(), &mut all);
        let slot = plan.pointer_mut(&all[which.index(all.len())]).unwrap();
        prop_assume!(*slot != other);
        *slot = other;
        prop_assert!(!is_taken(plan.to_string().as_bytes()));
    }

    #[test]
    fn added_and_removed_rows_and_members_are_refused(which in any::<prop::sample::Index>(), twice in any::<bool>()) {
        let mut plan: Value = serde_json::from_str(&WRITTEN.1).unwrap();
        let rows = plan["rows"].as_array_mut().unwrap();
        let row = which.index(rows.len());
        if twice { rows.insert(row, rows[row].clone()); } else { rows.remove(row); }
        prop_assert!(!is_taken(plan.to_string().as_bytes()));
        let mut plan: Value = serde_json::from_str(&WRITTEN.1).unwrap();
        let members = plan.as_object_mut().unwrap();
        let name = members.keys().nth(which.index(members.len())).unwrap().clone();
        if twice { members.insert(format!("{name}-2"), Value::Null); } else { members.remove(&name); }
        prop_assert!(!is_taken(plan.to_string().as_bytes()));
    }
}

#[test]
fn member_order_and_whitespace_do_not_matter() {
    let plan: Value = serde_json::from_str(&WRITTEN.1).unwrap();
    assert!(is_taken(plan.to_string().as_bytes()) && is_taken(format!("{plan:#}").as_bytes()));
    let twice = WRITTEN.1.replacen("{", "{\"format\": 1,", 1);
    assert!(!is_taken(twice.as_bytes()));
    assert!(!is_taken(format!("{} {{}}", WRITTEN.1).as_bytes()));
}

#[test]
fn plan_needs_a_sign_in() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann"]));
    let mut command = verb(&ctx, "plan");
    command.env_remove("ENTRA_REVOKE_TOKEN").args(["--auth", "token"]).arg(&input);
    ctx.finish(&mut command).exits(4);
}

#[test]
fn a_file_that_is_not_a_plan_is_not_overwritten() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann"]));
    let done = finish(&ctx, "plan", &input, &["--plan-file", "users.txt", "--overwrite"]);
    done.exits(2);
    assert!(done.stderr.contains("is not a plan"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(&input).unwrap(), list(&["ann"]));
}
