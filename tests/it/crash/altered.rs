//! Evidence that was changed: a journal of another run; lines that were removed, inserted or duplicated; a drill that
//! is disguised as a run. The change is reported and marked, and no report silently vouches for it.

use std::path::Path;

use entra_revoke::journal::{JournalIndex, RunFolder, RunRecord, fingerprint};
use serde_json::Value;

use crate::crash::help::{end, report, resume, start_run, until, users};
use crate::ctx::{RunDir, TestContext};

const USERS: usize = 6;

fn finished() -> (TestContext, RunDir) {
    let ctx = TestContext::new("");
    end(start_run(&ctx, USERS, &["-j", "1", "--rate", "1000/s"])).exits(0);
    let folder = ctx.run_folder();
    (ctx, folder)
}

fn put(folder: &RunDir, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(folder.path.join(name), text).unwrap();
}

fn lines(folder: &RunDir) -> Vec<String> {
    folder.text("journal.jsonl").lines().map(str::to_owned).collect()
}

fn put_lines(folder: &RunDir, lines: &[String]) {
    put(folder, "journal.jsonl", lines.iter().map(|line| format!("{line}\n")).collect::<String>());
}

fn altered(folder: &RunDir) -> Vec<String> {
    let summary = folder.summary();
    let all = summary["altered"].as_array().cloned().unwrap_or_default();
    all.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_journal_of_another_run_over_the_same_input_is_refused() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", users(USERS));
    for _ in 0..2 {
        ctx.run(&input, &["--rate", "1000/s"]).exits(0);
    }
    let [one, two] = <[_; 2]>::try_from(ctx.run_folders()).unwrap().map(|path| RunDir { path });
    let own = one.text("journal.jsonl");
    // Whole, and as a further process of this run.
    for foreign in [two.text("journal.jsonl"), format!("{own}{}", two.text("journal.jsonl"))] {
        put(&one, "journal.jsonl", &foreign);
        let sent = ctx.stats().revocations;
        for done in [report(&ctx, &one.path), resume(&ctx, &one.path, &["--yes"])] {
            done.exits(2);
            assert!(done.stderr.contains("is the journal of run"), "{}", done.stderr);
        }
        assert_eq!(ctx.stats().revocations, sent);
        assert_eq!(one.text("journal.jsonl"), foreign);
    }
}

/// Each bit of the first line, one after the other.
#[test]
fn a_flipped_bit_in_the_first_line_does_not_lock_the_folder() {
    let (ctx, folder) = finished();
    let good = std::fs::read(folder.path.join("journal.jsonl")).unwrap();
    let record: RunRecord = serde_json::from_str(&folder.text("run.json")).unwrap();
    let marks: Vec<u32> = folder.rows().iter().map(|row| fingerprint(&row["user_id"])).collect();
    let folder_handle = RunFolder::open(&folder.path).unwrap();
    let journal = folder_handle.journal_path();
    let length = good.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for bit in 0..length * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&journal, &bad).unwrap();
        let mut ledger = JournalIndex::read(folder_handle.dir(), &marks, &record.plan.sha256)
            .unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        ledger.check_run(&record.id).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
        let revoked = (1..=USERS as u32).filter(|order| ledger.outcome(*order).word() == "revoked").count();
        assert_eq!(revoked, USERS, "bit {bit}");
        assert!(!ledger.anomalies().iter().any(|odd| odd.contains("names its run")), "bit {bit}");
    }
    for word in ["began", &record.id, &record.plan.sha256] {
        let text = String::from_utf8(good.clone()).unwrap();
        let mut bad = good.clone();
        bad[text.find(word).unwrap()] ^= 1;
        put(&folder, "journal.jsonl", bad);
        report(&ctx, &folder.path).exits(0);
        assert_eq!(folder.summary()["outcomes"]["revoked"], USERS, "{word}");
        resume(&ctx, &folder.path, &[]).exits(0);
    }
}

/// `report` shows it in each format, and the next `report` does too.
#[track_caller]
fn is_noticed(ctx: &TestContext, folder: &RunDir, says: &str) {
    let before = folder.text("manifest.json");
    let done = report(ctx, &folder.path);
    done.exits(0);
    assert!(done.stdout.contains("ALTERED: "), "{}", done.stdout);
    let first = altered(folder);
    assert!(first.iter().any(|one| one.contains(says)), "{says:?} is not in {first:?}");
    assert!(folder.text("report.html").contains("Altered: "), "the page is not marked");
    assert_eq!(folder.text("manifest-1.json"), before, "the old manifest is not kept");
    let made = (folder.text("summary.json"), folder.text("manifest.json"));
    report(ctx, &folder.path).exits(0);
    assert_eq!((folder.text("summary.json"), folder.text("manifest.json")), made, "it was forgotten");
    assert!(!folder.path.join("manifest-2.json").exists());
    let resumed = resume(ctx, &folder.path, &["--yes"]);
    assert!(resumed.stderr.contains("ALTERED: "), "{}", resumed.stderr);
    assert_eq!(altered(folder), first);
}

#[test]
fn altered_journal_lines_are_detected() {
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change); 5] = [
        ("lines were changed", |lines| {
            let last = lines.len() - 1;
            lines[last] = lines[last].replace("\"at\"", "\"at\" ");
            lines.push(String::new());
        }),
        ("it was truncated", |lines| drop(lines.remove(4))),
        ("lines after the end", |lines| lines.push(lines[2].clone())),
        ("lines were changed", |lines| lines.insert(3, lines[2].clone())),
        ("repeat an earlier one", |lines| lines.insert(3, lines[2].clone())),
    ];
    for (says, change) in changes {
        let (ctx, folder) = finished();
        let mut all = lines(&folder);
        change(&mut all);
        put_lines(&folder, &all);
        is_noticed(&ctx, &folder, says);
    }
}

#[test]
fn altered_files_are_detected() {
    let (ctx, folder) = finished();
    put(&folder, "report.csv", folder.text("report.csv").replace("user0001", "user0009"));
    is_noticed(&ctx, &folder, "report.csv does not match manifest-1.json");
    let (ctx, folder) = finished();
    put(&folder, "run.json", folder.text("run.json").replace("\"retries\": 5", "\"retries\": 6"));
    is_noticed(&ctx, &folder, "run.json does not match");
    let (ctx, folder) = finished();
    put(&folder, "manifest.json", "{}");
    is_noticed(&ctx, &folder, "is not valid");
}

/// A killed run has no manifest: its lines still have to agree with each other.
#[test]
fn contradictory_lines_of_a_killed_run_are_detected() {
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change); 4] = [
        ("repeat an earlier one", |lines| lines.insert(3, lines[2].clone())),
        ("without a `sent` line", |lines| drop(lines.remove(1))),
        ("say revoked, but have an answer that says otherwise", |lines| {
            lines[2] = lines[2].replace("\"http_status\":200", "\"http_status\":403");
        }),
        ("after the end of a process", |lines| {
            lines.push(lines[1].replace("\"attempt\":1", "\"attempt\":2"))
        }),
    ];
    for (says, change) in changes {
        let (ctx, folder) = finished();
        std::fs::remove_file(folder.path.join("manifest.json")).unwrap();
        let mut all = lines(&folder);
        change(&mut all);
        put_lines(&folder, &all);
        report(&ctx, &folder.path).exits(0);
        assert!(altered(&folder).iter().any(|one| one.contains(says)), "{says}: {:?}", altered(&folder));
    }
}

#[test]
fn an_interrupted_and_resumed_run_is_not_reported_as_altered() {
    let ctx = TestContext::new(
        "[[fault]]\nanswer = 503\nmatch = 'user000*'\n[[fault]]\nanswer = 429\nretry_after = '1'\nfirst = 1",
    );
    end(start_run(
        &ctx,
        20,
        &["--retries", "1", "--batch-size", "4", "--rate", "1000/s", "--deadline", "0s"],
    ))
    .exits(5);
    let folder = ctx.run_folder();
    resume(&ctx, &folder.path, &["--retries", "0"]).exits(3);
    ctx.simulator.change_config("fault = []").unwrap();
    resume(&ctx, &folder.path, &[]).exits(0);
    report(&ctx, &folder.path).exits(0);
    assert_eq!(altered(&folder), Vec::<String>::new());
    assert!(!folder.path.join("manifest-1.json").exists());
}

#[test]
fn a_disguised_drill_is_detected() {
    let ctx = TestContext::new("");
    let drill = ["--users", "5", "--no-quota", "--latency", "1ms", "--max-users", "1", "-o", "none"];
    ctx.finish(ctx.command_without_token("drill").args(drill)).exits(5);
    let folder = ctx.run_folder();
    let mut record: Value = serde_json::from_str(&folder.text("run.json")).unwrap();
    record.as_object_mut().unwrap().remove("drill").unwrap();
    put(&folder, "run.json", record.to_string());
    let done = report(&ctx, &folder.path);
    done.exits(0);
    assert!(done.stdout.starts_with("DRILL: no tenant was touched."), "{}", done.stdout);
    assert!(altered(&folder).iter().any(|one| one.contains("was a drill")), "{:?}", altered(&folder));
    assert_eq!(folder.summary()["drill"], true);
    let done = resume(&ctx, &folder.path, &["--max-users", "9", "--yes"]);
    done.exits(2);
    assert!(done.stderr.contains("this was a drill"), "{}", done.stderr);
    assert_eq!(ctx.stats().requests, 0);
}

#[test]
fn an_impossible_user_count_is_refused_before_allocation() {
    let (ctx, folder) = finished();
    let good = folder.text("run.json");
    for targets in ["4294967295", "100000000", "5000"] {
        put(&folder, "run.json", good.replace("\"targets\": 6", &format!("\"targets\": {targets}")));
        for done in [report(&ctx, &folder.path), resume(&ctx, &folder.path, &["--yes"])] {
            done.exits(2);
            assert!(done.stderr.contains("too short for that"), "{}", done.stderr);
        }
    }
}

/// Starts a run, does something to its folder once it sends, and gives how it ended.
fn with_its_folder_changed(change: impl Fn(&Path)) -> (TestContext, crate::ctx::CommandResult) {
    let ctx = TestContext::new("latency = '20ms'");
    let child = start_run(&ctx, 60, &["-j", "1", "--batch-size", "1", "--rate", "1000/s"]);
    until("some are revoked", || ctx.stats().revocations >= 5);
    change(&ctx.run_folders()[0]);
    (ctx, end(child))
}

#[test]
fn a_removed_or_replaced_journal_stops_the_run() {
    let remove = |folder: &Path| std::fs::remove_file(folder.join("journal.jsonl")).unwrap();
    let replace = |folder: &Path| {
        let path = folder.join("journal.jsonl");
        std::fs::copy(&path, folder.join("copy")).unwrap();
        std::fs::rename(folder.join("copy"), path).unwrap();
    };
    for change in [&remove as &dyn Fn(&Path), &replace] {
        let (ctx, done) = with_its_folder_changed(change);
        done.exits(1);
        let told = &done.stderr;
        for words in
            ["was removed, replaced or truncated", "nothing more is sent", "This process has revoked "]
        {
            assert!(told.contains(words), "{words:?} is not in {told}");
        }
        assert!(!told.contains("Free up disk space"), "{told}");
        let sent = ctx.stats().revocations;
        assert!((5..60).contains(&sent), "{sent} were sent");
        let path = ctx.run_folders().remove(0);
        assert!(!path.join("summary.json").exists(), "a report was made of a journal that is not the run's");
    }
}

#[test]
fn a_run_record_changed_during_the_run_is_restored() {
    let (ctx, done) = with_its_folder_changed(|folder| {
        let path = folder.join("run.json");
        let mut run: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        run["case_id"] = "FAKE".into();
        run["settings"]["accept"] = serde_json::json!(["forbidden"]);
        std::fs::write(&path, run.to_string()).unwrap();
    });
    done.exits(0);
    assert!(done.stdout.contains("run.json was changed during the run"), "{}", done.stdout);
    let folder = ctx.run_folder();
    assert!(!folder.text("run.json").contains("FAKE"));
    assert!(folder.summary()["altered"][0].as_str().unwrap().contains("run.json"));
}

#[test]
fn unreadable_files_at_the_end_are_exit_1_with_the_user_count() {
    for name in ["plan.csv", "run.json"] {
        let (_stage, done) =
            with_its_folder_changed(|folder| std::fs::remove_file(folder.join(name)).unwrap());
        done.exits(1);
        assert!(done.stderr.contains(name), "{}", done.stderr);
        assert!(done.stderr.contains("This process has revoked 60 users."), "{}", done.stderr);
    }
}
