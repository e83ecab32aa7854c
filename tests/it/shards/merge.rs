//! `report --merge`: the reports of all shards become one.

use super::*;

use crate::ctx::RunDir;

/// A report's rows without what differs from run to run: times, ids, and the place in the sending order.
fn timeless(folder: &Path) -> Vec<ctx::Row> {
    let mut rows = RunDir { path: folder.to_owned() }.rows();
    for row in &mut rows {
        for column in
            ["first_sent_at", "settled_at", "request_id", "client_request_id", "order", "throttled_ms"]
        {
            row.remove(column);
        }
    }
    rows
}

#[test]
fn the_merged_report_equals_that_of_one_run() {
    let text = staff(150);
    let whole = TestContext::new(GONE);
    let alone = whole.run(&whole.input("staff.csv", &text), &["--case-id", "INC-1"]);
    alone.exits(3);
    let ctx = TestContext::new(GONE);
    let parts = ctx.shards(&ctx.input("staff.csv", &text), 4, &["--case-id", "INC-1"]);
    let done = ctx.join("all", &[&parts[2], &parts[0], &parts[3], &parts[1]]);
    done.exits(0);
    let (one, all) = (whole.run_folder().path, ctx.dir.path().join("all"));
    assert_eq!(timeless(&all), timeless(&one));
    let text = |folder: &Path, name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(text(&all, "remaining.csv"), text(&one, "remaining.csv"));
    let (joined, single) = (read_json(&all, "summary.json"), read_json(&one, "summary.json"));
    for key in [
        "rows",
        "targets",
        "outcomes",
        "done",
        "not_done",
        "left_out",
        "remaining",
        "attempts",
        "exit_code",
        "complete",
        "case_id",
        "stopped",
        "drill",
        "accepted",
        "damaged_lines",
    ] {
        assert_eq!(joined[key], single[key], "{key}");
    }
    assert!(done.stdout.contains("Merged: 4 of 4 shards."), "{}", done.stdout);
    let headline = |text: &str| text.lines().next().unwrap().to_owned();
    assert_eq!(headline(&done.stdout), headline(&alone.stdout));
    // The same rows as objects, and on standard output.
    assert_eq!(text(&all, "report.jsonl").lines().count(), 150);
    let csv = ctx.finish(ctx.command("report").arg("--merge").arg("again").args(&parts).args(["-o", "csv"]));
    assert_eq!(csv.exits(0).stdout, text(&all, "report.csv"));
    // The same folders give the same bytes.
    for name in ["report.csv", "report.jsonl", "report.html", "summary.json", "merge.json", "manifest.json"] {
        assert_eq!(text(&ctx.dir.path().join("again"), name), text(&all, name), "{name}");
    }
}

#[test]
fn the_merge_record_lists_its_runs_with_hashes() {
    let ctx = TestContext::new("");
    let parts = ctx.shards(&ctx.users(9), 2, &[]);
    ctx.join("out/all", &parts).exits(0);
    let all = ctx.dir.path().join("out/all");
    let record = read_json(&all, "merge.json");
    for (run, folder) in record["runs"].as_array().unwrap().iter().zip(&parts) {
        assert_eq!(run["manifest_sha256"], sha256(&folder.join("manifest.json")));
        assert_eq!(run["run"], read_json(folder, "run.json")["id"]);
    }
    let manifest = read_json(&all, "manifest.json");
    let mut files: Vec<String> = Vec::new();
    for entry in manifest["files"].as_array().unwrap() {
        let name = entry["name"].as_str().unwrap();
        assert_eq!(entry["sha256"], sha256(&all.join(name)), "{name}");
        files.push(name.to_owned());
    }
    assert_eq!(
        files,
        ["merge.json", "report.csv", "report.jsonl", "report.html", "summary.json", "remaining.csv"]
    );
    assert!(std::fs::read_to_string(all.join("report.html")).unwrap().contains("2 of 2 shards"));
}

#[test]
fn a_missing_shard_is_reported_everywhere() {
    let ctx = TestContext::new("");
    let input = ctx.users(40);
    let mut parts = ctx.shards(&input, 4, &[]);
    let rows = read_json(&parts.remove(2), "run.json")["plan"]["rows"].as_u64().unwrap();
    let done = ctx.join("all", &parts);
    done.exits(3);
    let sentence = format!(
        "MISSING: shard 3/4 is in none of these folders. Nothing is known about {rows} rows of the input"
    );
    assert!(done.stdout.contains(&sentence) && done.stderr.contains(&sentence), "{done:?}");
    assert!(done.stdout.contains("--shard 3/4"), "what to type next: {}", done.stdout);
    let all = ctx.dir.path().join("all");
    let summary = read_json(&all, "summary.json");
    assert_eq!((summary["complete"].as_bool(), summary["exit_code"].as_u64()), (Some(false), Some(3)));
    assert_eq!(summary["merged"]["missing"], serde_json::json!(["3/4"]));
    assert_eq!(summary["merged"]["missing_rows"], rows);
    let page = std::fs::read_to_string(all.join("report.html")).unwrap();
    assert!(page.contains(&sentence) && page.contains("shard 3/4 missing"));
    // Once it has run, the same command makes the report whole.
    let (_, late) = ctx.shard(&input, "3/4", &[]);
    parts.push(late);
    ctx.join("all", &parts).exits(0);
    assert_eq!(read_json(&all, "summary.json")["rows"], 40);
}

#[test]
fn users_sent_by_several_shards_are_reported() {
    // A file names people by name, and a group names the same people by object id.
    let users: String =
        (0..12).map(|n| format!("[[directory.user]]\nupn = 'u{n:02}@contoso.com'\n")).collect();
    let members: Vec<String> = (0..12).map(|n| format!("'u{n:02}@contoso.com'")).collect();
    let ctx = TestContext::new(&format!(
        "[token]\nroles = ['User.RevokeSessions.All', 'User.Read.All', 'GroupMember.Read.All', \
         'Application.Read.All']\n\
         {users}[[directory.group]]\nname = 'All'\nmembers = [{}]\n",
        members.join(", ")
    ));
    let input = ctx.users(12);
    let parts = ctx.shards(&input, 2, &["--group", "All"]);
    let several = ctx.sent().values().filter(|times| **times > 1).count();
    assert!(several > 0);
    let done = ctx.join("all", &parts);
    done.exits(0);
    let words =
        format!("{several} user{} had several IDs in several shards", if several == 1 { "" } else { "s" });
    assert!(done.stdout.contains(&words), "{}", done.stdout);
    let all = ctx.dir.path().join("all");
    assert_eq!(read_json(&all, "merge.json")["sent_by_several"], several);
    assert_eq!(RunDir { path: all }.rows().len(), 24);
}

#[test]
fn input_files_keep_their_order() {
    let ctx = TestContext::new("");
    let (one, two) = (
        ctx.input("b.txt", "ann@x.com\nbob@x.com\ncyd@x.com\n"),
        ctx.input("a.txt", "dee@x.com\neve@x.com\n"),
    );
    let parts: Vec<PathBuf> =
        (1..=3).map(|n| ctx.shard(&one, &format!("{n}/3"), &[two.to_str().unwrap()]).1).collect();
    ctx.join("all", &parts).exits(0);
    let rows = RunDir { path: ctx.dir.path().join("all") }.rows();
    let users: Vec<&str> = rows.iter().map(|row| row["input"].as_str()).collect();
    assert_eq!(users, ["ann@x.com", "bob@x.com", "cyd@x.com", "dee@x.com", "eve@x.com"]);
}
