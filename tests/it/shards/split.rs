//! `--shard`: each user is revoked by exactly one machine.

use super::*;

use std::collections::BTreeSet;

#[test]
fn four_shards_revoke_each_user_once() {
    let ctx = TestContext::new(GONE);
    let input = ctx.input("staff.csv", staff(120));
    let mut rows = 0;
    let mut revoked = 0;
    for number in 1..=4 {
        let (done, folder) = ctx.shard(&input, &format!("{number}/4"), &[]);
        let run: serde_json::Value = read_json(&folder, "run.json");
        assert_eq!(
            (run["shard"].as_str(), run["input_rows"].as_u64()),
            (Some(&*format!("{number}/4")), Some(120))
        );
        let mine = run["plan"]["rows"].as_u64().unwrap();
        assert!(done.stderr.contains(&format!("shard {number}/4: {mine} of 120 rows")), "{}", done.stderr);
        assert!((15..=45).contains(&mine), "{mine} rows");
        rows += mine;
        revoked += read_json(&folder, "summary.json")["done"].as_u64().unwrap();
    }
    assert_eq!(rows, 120);
    let parts = ctx.sent();
    assert!(parts.values().all(|times| *times == 1), "{parts:?}");
    assert_eq!(ctx.stats().effects, revoked);

    let whole = TestContext::new(GONE);
    whole.run(&whole.input("staff.csv", staff(120)), &[]).exits(3);
    assert_eq!(whole.sent(), parts);
}

#[test]
fn invalid_rows_are_in_one_shard() {
    let ctx = TestContext::new("");
    let input = ctx.input("staff.csv", staff(60));
    let mut invalid = Vec::new();
    for folder in ctx.shards(&input, 3, &[]) {
        let rows = ctx::RunDir { path: folder }.rows();
        invalid.extend(rows.iter().filter(|row| row["outcome"] == "invalid").map(|row| row["input"].clone()));
    }
    invalid.sort();
    assert_eq!(invalid, ["Total: 17", "Total: 27", "Total: 37", "Total: 47", "Total: 57", "Total: 7"]);
}

#[test]
fn order_and_spelling_do_not_change_the_shard() {
    let parts = |lines: &[&str]| -> Vec<BTreeSet<String>> {
        let ctx = TestContext::new("");
        let input = ctx.input("list.txt", lines.join("\n"));
        let names = |folder| -> BTreeSet<String> {
            ctx::RunDir { path: folder }.outcomes().into_keys().map(|id| id.to_lowercase()).collect()
        };
        ctx.shards(&input, 3, &[]).into_iter().map(names).collect()
    };
    let one = parts(&[
        "ann@contoso.com",
        "Bob@contoso.com",
        "{0785EF7C-1C1B-4FF4-9AB1-1A2B3C4D5E6F}",
        "cyd@contoso.com",
    ]);
    let other = parts(&[
        "cyd@CONTOSO.com",
        "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f",
        "bob@contoso.com",
        "ANN@contoso.com",
        "ann@contoso.com",
        "cyd@contoso.com",
    ]);
    assert_eq!(one, other);
    assert_eq!(one.iter().map(BTreeSet::len).sum::<usize>(), 4);
}

#[test]
fn an_empty_shard_is_a_valid_run() {
    let ctx = TestContext::new("");
    let input = ctx.input("list.txt", "ann@contoso.com\n");
    let mut empty = 0;
    for number in 1..=3 {
        let (done, folder) = ctx.shard(&input, &format!("{number}/3"), &[]);
        done.exits(0);
        if done.stderr.contains("0 of 1 rows: none for this shard") {
            assert!(done.stdout.contains("No users to sign out"), "{}", done.stdout);
            assert_eq!(read_json(&folder, "summary.json")["complete"], true);
            empty += 1;
        }
    }
    assert_eq!((empty, ctx.stats().revocations), (2, 1));
}

#[test]
fn resume_keeps_its_shard() {
    let ctx = TestContext::new("[[fault]]\nmatch = '*'\nanswer = 503\ntimes = 1\n");
    let input = ctx.users(20);
    let (done, folder) = ctx.shard(&input, "1/2", &["--retries", "0"]);
    done.exits(3);
    let users = ctx.sent();
    assert!(users.len() > 2 && users.len() < 18, "{users:?}");
    ctx.finish(ctx.command("resume").arg(&folder)).exits(0);
    assert_eq!(ctx.sent().into_keys().collect::<Vec<_>>(), users.into_keys().collect::<Vec<_>>());
}

#[test]
fn protection_also_uses_rows_of_other_shards() {
    let ctx = TestContext::new("");
    let list =
        ctx.input("keep.csv", "id,userPrincipalName\n0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f,ann@contoso.com\n");
    // The first row says who old-ann is; only the second would send her.
    let rows = ["0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f,old-ann@contoso.com", ",old-ann@contoso.com"];
    let input = ctx.input("staff.csv", format!("id,userPrincipalName\n{}\n", rows.join("\n")));
    let whole = ctx.run(&input, &["--protect", list.to_str().unwrap()]);
    whole.exits(2);
    let mut apart = 0;
    for number in 1..=3 {
        let part = ["--shard", &format!("{number}/3")];
        let alone = ctx.run(&input, &[&part[..], &["--dry-run", "-o", "csv"]].concat());
        if alone.stdout.contains("old-ann@contoso.com,old-ann@contoso.com") {
            apart += usize::from(!alone.stdout.contains("0785ef7c"));
            let done = ctx.run(&input, &[&part[..], &["--protect", list.to_str().unwrap()]].concat());
            assert_eq!(done.exits(2).stderr, whole.stderr);
        }
    }
    assert_eq!(apart, 1, "both rows are in one part: take another number");
    assert_eq!(ctx.stats().revocations, 0);
}

#[test]
fn a_group_is_split_by_user() {
    let users: String =
        (0..40).map(|n| format!("[[directory.user]]\nupn = 'u{n:02}@contoso.com'\n")).collect();
    let members: Vec<String> = (0..40).map(|n| format!("'u{n:02}@contoso.com'")).collect();
    let roles = "'User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All', 'Application.Read.All'";
    let ctx = TestContext::new(&format!(
        "[token]\nroles = [{roles}]\n{users}[[directory.group]]\nname = 'All'\nmembers = [{}]\n",
        members.join(", ")
    ));
    for number in 1..=3 {
        let done = ctx.finish(ctx.command("run").args(["--group", "All", "--shard", &format!("{number}/3")]));
        done.exits(0);
        assert!(done.stderr.contains(" of 40 rows"), "{}", done.stderr);
    }
    let sent = ctx.sent();
    assert_eq!((sent.len(), sent.values().sum::<u64>()), (40, 40));
    let joined = ctx.join("all", &ctx.run_folders());
    joined.exits(0);
    let rows = ctx::RunDir { path: ctx.dir.path().join("all") }.rows();
    let lines: Vec<String> = rows.iter().map(|row| row["line"].clone()).collect();
    let expected: Vec<String> = (1..=40).map(|n| format!("group All:{n}")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_plan_file_keeps_its_shard() {
    let ctx = TestContext::new("[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All']\n");
    let input = ctx.users(12);
    let plan = ctx.finish(ctx.command("plan").arg(&input).args(["--shard", "2/2", "--no-lookup"]));
    plan.exits(0);
    ctx.finish(ctx.command("apply").args(["plan.json", "--yes"])).exits(0);
    let run = read_json(&ctx.run_folder().path, "run.json");
    assert_eq!((run["shard"].as_str(), run["input_rows"].as_u64()), (Some("2/2"), Some(12)));
    assert!(ctx.stats().revocations < 12);
}

#[test]
fn an_invalid_shard_is_refused() {
    let ctx = TestContext::new("");
    let input = ctx.users(3);
    for wrong in ["0/4", "5/4", "2", "a/b", "1/0"] {
        let done = ctx.run(&input, &["--shard", wrong]);
        done.exits(2);
        assert!(done.stderr.contains("write I/N, such as 2/4"), "{}", done.stderr);
    }
    assert_eq!(ctx.stats().requests, 0);
}

#[test]
fn json_is_split_like_a_table() {
    let ids: Vec<String> = (0..30).map(|number| format!("{{\"upn\":\"u{number}@contoso.com\"}}")).collect();
    let ctx = TestContext::new("");
    let input = ctx.input("staff.json", format!("[{}]", ids.join(",\n")));
    ctx.shards(&input, 3, &[]);
    let sent = ctx.sent();
    assert_eq!((sent.len(), sent.values().sum::<u64>()), (30, 30));
}
