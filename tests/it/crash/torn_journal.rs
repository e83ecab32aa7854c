//! Journals that are torn, damaged, or from another run: knowledge may be lost, but no outcome is invented.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use entra_revoke::event::TargetNo;
use entra_revoke::journal::{FORMAT, JournalIndex, RunFolder, RunRecord, fingerprint};
use entra_revoke::outcome::{AcceptedOutcomes, Outcome};
use entra_revoke::plan::PlanReader;
use serde_json::Value;

use crate::crash::help::{
    all_were_revoked, begun, end, kill, no_claim_is_false, report, resume, revoked_in, start_run, until,
    whole_lines,
};
use crate::ctx::{CommandResult, RunDir, TestContext};

const USERS: usize = 12;

/// A run that is over, its folder, and its journal's bytes.
fn finished() -> (TestContext, PathBuf, Vec<u8>) {
    let ctx = TestContext::new("");
    end(start_run(&ctx, USERS, &["-j", "1", "--rate", "1000/s"])).exits(0);
    let path = ctx.run_folder().path;
    let journal = std::fs::read(path.join("journal.jsonl")).unwrap();
    (ctx, path, journal)
}

fn put_journal(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path.join("journal.jsonl"), bytes).unwrap();
}

/// A run as the library reads it back.
struct Reader {
    folder: RunFolder,
    users: Vec<String>,
    marks: Vec<u32>,
    plan_sha256: String,
}

impl Reader {
    fn new(path: &Path) -> Reader {
        let folder = RunFolder::open(path).unwrap();
        let record = std::fs::read(folder.file("run.json")).unwrap();
        let record: RunRecord = serde_json::from_slice(&record).unwrap();
        let mut users = vec![String::new(); record.plan.targets as usize];
        for row in PlanReader::open(folder.dir(), &record.plan.sha256).unwrap() {
            let row = row.unwrap();
            let place = row.order().unwrap() as usize - 1;
            users[place] = row.user_id;
        }
        let marks = users.iter().map(|user| fingerprint(user)).collect();
        Reader { folder, users, marks, plan_sha256: record.plan.sha256 }
    }

    /// Who is done, and who is left.
    fn known(&self) -> (BTreeSet<String>, Vec<String>) {
        let ledger = JournalIndex::read(self.folder.dir(), &self.marks, &self.plan_sha256).unwrap();
        let user = |order: TargetNo| self.users[order as usize - 1].clone();
        let standing = |order: &TargetNo| ledger.target_state(*order).unwrap().outcome;
        let done = (1..=self.users.len() as TargetNo).filter(|order| standing(order) == Outcome::Revoked);
        (done.map(user).collect(), ledger.outstanding(&AcceptedOutcomes::default()).map(user).collect())
    }

    /// Done and left are what whole lines say, and together they are the plan.
    #[track_caller]
    fn knows_its_whole_lines(&self) {
        let (done, left) = self.known();
        assert_eq!(done, revoked_in(&whole_lines(self.folder.path())));
        assert_eq!(done.len() + left.len(), USERS);
        assert!(left.iter().all(|user| !done.contains(user)));
    }

    /// The same wherever the journal is cut in this range.
    fn knows_its_whole_lines_cut_at(&self, range: std::ops::RangeInclusive<usize>) {
        let file = std::fs::OpenOptions::new().write(true).open(self.folder.journal_path()).unwrap();
        for at in range.rev() {
            file.set_len(at as u64).unwrap();
            self.knows_its_whole_lines();
        }
    }
}

/// Where the lines of a journal start, and where the last one ends.
fn starts(journal: &[u8]) -> Vec<usize> {
    let ends = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

/// The journal cut at `at`, resumed by the program: done at the end, and only the unknown sent again.
#[track_caller]
fn resumes_from(ctx: &TestContext, path: &Path, journal: &[u8]) {
    put_journal(path, journal);
    let done = revoked_in(&whole_lines(path)).len();
    report(ctx, path).exits(0);
    ctx.simulator.reset();
    // The simulator forgot who was revoked before: what the report calls revoked is known from the lines.
    resume(ctx, path, &["--progress", "none"]).exits(0);
    assert_eq!(ctx.stats().revocations as usize, USERS - done);
    let folder = RunDir { path: path.to_owned() };
    assert_eq!(folder.summary()["outcomes"]["revoked"], USERS);
    let text = std::fs::read(path.join("journal.jsonl")).unwrap();
    let whole = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    assert_eq!(text[..whole], journal[..whole], "whole lines were not kept");
    assert_eq!(text.last(), Some(&b'\n'));
}

#[test]
fn a_journal_cut_at_any_byte_keeps_its_complete_lines() {
    let (_stage, path, journal) = finished();
    let starts = starts(&journal);
    let run = Reader::new(&path);
    // The last two users' lines, then the first lines; what is between is alike.
    run.knows_its_whole_lines_cut_at(starts[starts.len() - 6]..=journal.len());
    run.knows_its_whole_lines_cut_at(0..=starts[4]);
}

#[test]
fn a_torn_journal_can_be_resumed() {
    let (ctx, path, journal) = finished();
    let starts = starts(&journal);
    let lines: Vec<Value> = whole_lines(&path);
    let settled = lines.iter().rposition(|line| line["event"] == "settled").unwrap();
    let (start, end) = (starts[settled], starts[settled + 1]);
    for at in
        [start, start + 1, (start + end) / 2, end - 2, end - 1, end, end + 7, starts[5] + 3, starts[1], 40, 0]
    {
        resumes_from(&ctx, &path, &journal[..at]);
    }
}

#[test]
fn a_killed_run_keeps_its_complete_lines() {
    let ctx = TestContext::new("latency = '20ms'\njitter = '20ms'");
    let child = start_run(&ctx, USERS, &["-j", "3", "--rate", "1000/s"]);
    let folder = begun(&ctx);
    until("some are settled", || revoked_in(&whole_lines(&folder.path)).len() >= 4);
    kill(child);
    let journal = std::fs::read(folder.path.join("journal.jsonl")).unwrap();
    Reader::new(&folder.path).knows_its_whole_lines_cut_at(0..=journal.len());
}

/// The first lines of a run that was cut off: five users done.
fn half(journal: &[u8]) -> &[u8] {
    &journal[..starts(journal)[11]]
}

/// Whatever stands behind the good lines, it invents nothing, and the run is finished.
#[track_caller]
fn survives_tail(tail: &[u8], damaged: u64) {
    let (ctx, path, journal) = finished();
    let mut text = half(&journal).to_vec();
    text.extend_from_slice(tail);
    put_journal(&path, &text);
    Reader::new(&path).knows_its_whole_lines();
    report(&ctx, &path).exits(0);
    assert_eq!(RunDir { path: path.clone() }.summary()["damaged_lines"], damaged);
    resumes_from(&ctx, &path, &text);
}

#[test]
fn garbage_after_the_last_line_is_cut() {
    survives_tail(b"\x00\xff\xfe{{{\"event\":\"settled\"", 0);
}

#[test]
fn garbage_lines_are_skipped() {
    survives_tail(b"\x00\xff\n\n{}\n[]\nnull\n{\"event\":\"settled\"}\n\"x\"\n", 7);
}

#[test]
fn a_tail_of_zeros_is_cut() {
    survives_tail(&[0; 4096], 0);
}

#[test]
fn a_line_of_two_megabytes_is_skipped() {
    let mut line = vec![b'x'; 2 << 20];
    line.push(b'\n');
    survives_tail(&line, 1);
}

#[test]
fn a_torn_line_of_two_megabytes_is_cut() {
    survives_tail(&vec![b' '; 2 << 20], 0);
}

#[test]
fn a_deeply_nested_line_is_skipped() {
    let mut line = vec![b'['; 500_000];
    line.push(b'\n');
    survives_tail(&line, 1);
}

#[test]
fn carriage_returns_are_tolerated() {
    let (ctx, path, journal) = finished();
    let text = String::from_utf8(half(&journal).to_vec()).unwrap().replace('\n', "\r\n");
    resumes_from(&ctx, &path, text.as_bytes());
}

#[test]
fn a_missing_journal_counts_as_empty() {
    let (ctx, path, _) = finished();
    std::fs::remove_file(path.join("journal.jsonl")).unwrap();
    report(&ctx, &path).exits(0);
    assert_eq!(RunDir { path: path.clone() }.summary()["outcomes"]["not_attempted"], USERS);
    std::fs::remove_file(path.join("journal.jsonl")).unwrap();
    ctx.simulator.reset();
    resume(&ctx, &path, &[]).exits(0);
    all_were_revoked(&ctx, USERS);
}

/// A finished run's journal with one `settled` line changed by `change`: that user is sent again, nobody is called
/// revoked through it, and the others stay done.
#[track_caller]
fn one_settled_line_changed(change: impl Fn(&str) -> String) {
    let (ctx, path, journal) = finished();
    let lines: Vec<&str> = std::str::from_utf8(&journal).unwrap().lines().collect();
    let at = lines.iter().rposition(|line| line.contains("\"settled\"")).unwrap();
    let user = serde_json::from_str::<Value>(lines[at]).unwrap()["user"].as_str().unwrap().to_owned();
    let changed = change(lines[at]);
    assert_ne!(changed, lines[at]);
    let text: String = lines
        .iter()
        .enumerate()
        .map(|(n, line)| if n == at { format!("{changed}\n") } else { format!("{line}\n") })
        .collect();
    put_journal(&path, &text);
    let (done, left) = Reader::new(&path).known();
    assert_eq!(left, std::slice::from_ref(&user));
    assert_eq!(done.len(), USERS - 1);
    report(&ctx, &path).exits(0);
    let folder = RunDir { path: path.clone() };
    assert_eq!(folder.row(&user)["outcome"], "in_doubt");
    ctx.simulator.reset();
    resume(&ctx, &path, &[]).exits(0);
    let ledger = ctx.ledger();
    assert_eq!(ledger.users.iter().map(|user| &user.id).collect::<Vec<_>>(), [&user]);
    assert_eq!(folder.row(&user)["attempts"], "2");
    assert_eq!(folder.summary()["outcomes"]["revoked"], USERS);
}

#[test]
fn a_line_with_a_changed_user_is_ignored() {
    one_settled_line_changed(|line| line.replace("user0", "user1"));
}

#[test]
fn a_line_with_a_changed_target_is_ignored() {
    one_settled_line_changed(|line| line.replace("\"target\":12", "\"target\":11"));
    one_settled_line_changed(|line| line.replace("\"target\":12", "\"target\":0"));
    one_settled_line_changed(|line| line.replace("\"target\":12", "\"target\":13"));
    one_settled_line_changed(|line| line.replace("\"target\":12", "\"target\":4294967295"));
}

#[test]
fn a_line_with_an_unknown_outcome_is_ignored() {
    one_settled_line_changed(|line| line.replace("\"revoked\"", "\"revokec\""));
    one_settled_line_changed(|line| line.replace("\"settled\"", "\"settlec\""));
    one_settled_line_changed(|line| line.replace("\"revoked\"", "\"revoked\",\"outcome\":\"revoked\""));
    one_settled_line_changed(|line| line.replace("\"at\"", "\"ta\""));
    one_settled_line_changed(|_| "\u{0}\u{0}\u{0}".to_owned());
}

/// Refused, untouched, and nothing sent.
#[track_caller]
fn refused(ctx: &TestContext, path: &Path, code: i32, why: &str) {
    let before = (ctx.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap());
    for done in [resume(ctx, path, &[]), report(ctx, path)] {
        let done: CommandResult = done;
        done.exits(code);
        assert!(done.stderr.contains(why), "{}", done.stderr);
    }
    assert_eq!(before, (ctx.stats().revocations, std::fs::read(path.join("journal.jsonl")).unwrap()));
}

#[test]
fn an_edited_plan_is_refused() {
    let (ctx, path, _) = finished();
    let plan = std::fs::read_to_string(path.join("plan.csv")).unwrap();
    std::fs::write(path.join("plan.csv"), plan.replace("user0003@", "boss0003@")).unwrap();
    refused(&ctx, &path, 2, "it was changed after the run began");
    std::fs::remove_file(path.join("plan.csv")).unwrap();
    refused(&ctx, &path, 2, "plan.csv");
}

#[test]
fn a_journal_of_another_run_is_refused() {
    let (ctx, path, _) = finished();
    let (_other_stage, other, _) = {
        let other = TestContext::new("");
        end(start_run(&other, USERS + 1, &["--rate", "1000/s"])).exits(0);
        let path = other.run_folder().path;
        (other, path, ())
    };
    std::fs::copy(other.join("journal.jsonl"), path.join("journal.jsonl")).unwrap();
    refused(&ctx, &path, 1, "was written for another plan.csv");
}

#[test]
fn a_newer_journal_is_refused() {
    let (ctx, path, journal) = finished();
    let (own, newer) = (format!("\"format\":{FORMAT}"), format!("\"format\":{}", FORMAT + 1));
    let journal = String::from_utf8(journal).unwrap();
    assert!(journal.contains(&own), "{journal}");
    put_journal(&path, journal.replacen(&own, &newer, 1));
    refused(&ctx, &path, 1, "use a newer entra-revoke");
}

#[test]
fn an_invalid_run_record_is_refused() {
    let (ctx, path, _) = finished();
    let good = std::fs::read_to_string(path.join("run.json")).unwrap();
    let half = &good[..good.len() / 2];
    for bad in ["", "{}", "null", half, "\u{0}\u{0}", &good.replace("\"targets\": 12", "\"targets\": -1")] {
        std::fs::write(path.join("run.json"), bad).unwrap();
        refused(&ctx, &path, 2, "run.json");
    }
    // More or fewer targets than the plan has.
    for other in ["11", "13"] {
        std::fs::write(
            path.join("run.json"),
            good.replace("\"targets\": 12", &format!("\"targets\": {other}")),
        )
        .unwrap();
        let before = ctx.stats().revocations;
        resume(&ctx, &path, &[]).exits(2);
        assert_eq!(ctx.stats().revocations, before);
    }
    std::fs::write(path.join("run.json"), good).unwrap();
    resume(&ctx, &path, &[]).exits(0);
    no_claim_is_false(&ctx, &RunDir { path });
}

#[test]
fn a_folder_that_is_not_a_run_folder_is_refused() {
    let ctx = TestContext::new("");
    let empty = ctx.dir.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for done in [resume(&ctx, &empty, &[]), report(&ctx, &empty)] {
        done.exits(2);
        assert!(done.stderr.contains("is not a run folder: it has no run.json"), "{}", done.stderr);
    }
    for done in [resume(&ctx, &empty.join("gone"), &[]), report(&ctx, &empty.join("gone"))] {
        assert!(matches!(done.code, Some(1 | 2)), "{done:?}");
        assert!(done.stderr.contains("gone"), "{}", done.stderr);
    }
    assert_eq!(std::fs::read_dir(&empty).unwrap().count(), 0, "a folder that is no run's was written to");
}
