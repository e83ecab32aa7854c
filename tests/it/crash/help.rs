//! Shared helpers of these tests: waiting for a condition, signals, and an independent reader of journals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::ctx::{CommandResult, RunDir, TestContext};

/// Longest that anything is waited for. Nothing that works comes near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` holds.
#[track_caller]
pub(super) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// Waits until `condition` holds or the child is gone, whichever comes first; says whether it still lives.
#[track_caller]
pub(super) fn until_or_gone(child: &mut Child, what: &str, mut condition: impl FnMut() -> bool) -> bool {
    let mut alive = true;
    until(what, || {
        alive = child.try_wait().unwrap().is_none();
        !alive || condition()
    });
    alive
}

pub(super) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // The process may have ended already.
    let _ = kill_process(pid, signal);
}

/// Kills with SIGKILL and takes what was printed.
pub(super) fn kill(child: Child) -> CommandResult {
    signal(&child, Signal::KILL);
    CommandResult::from(child.wait_with_output().unwrap())
}

/// Waits for a child to end by itself.
pub(super) fn end(child: Child) -> CommandResult {
    CommandResult::from(child.wait_with_output().unwrap())
}

/// The whole lines of a journal that make sense, read without the program's help.
pub(super) fn whole_lines(folder: &Path) -> Vec<Value> {
    let text = std::fs::read(folder.join("journal.jsonl")).unwrap_or_default();
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    text[..whole].split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The users that a journal calls revoked.
pub(super) fn revoked_in(lines: &[Value]) -> BTreeSet<String> {
    lines
        .iter()
        .filter(|line| line["event"] == "settled" && line["outcome"] == "revoked")
        .map(|line| line["user"].as_str().unwrap().to_owned())
        .collect()
}

/// How often each user was sent, as a journal has it.
pub(super) fn sent_in(lines: &[Value]) -> BTreeMap<String, u64> {
    let mut sent = BTreeMap::new();
    for line in lines.iter().filter(|line| line["event"] == "sent") {
        *sent.entry(line["user"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    sent
}

/// Requests that the simulator saw, by user in lower case.
pub(super) fn requests(ctx: &TestContext) -> BTreeMap<String, u64> {
    ctx.ledger().users.into_iter().map(|user| (user.id.to_lowercase(), user.requests)).collect()
}

/// No user is `revoked` in `report.csv` whom the simulator did not revoke.
#[track_caller]
pub(super) fn no_claim_is_false(ctx: &TestContext, folder: &RunDir) {
    let ledger = ctx.ledger();
    for row in folder.rows().iter().filter(|row| row["outcome"] == "revoked") {
        let effects = ledger.user(&row["user_id"]).map_or(0, |user| user.effects);
        assert!(effects > 0, "called revoked, and was not: {row:?}");
    }
}

/// Takes a run up again.
pub(super) fn resume(ctx: &TestContext, folder: &Path, args: &[&str]) -> CommandResult {
    ctx.finish(ctx.command("resume").arg(folder).args(args))
}

/// Makes a run's reports.
pub(super) fn report(ctx: &TestContext, folder: &Path) -> CommandResult {
    ctx.finish(ctx.command_without_token("report").arg(folder))
}

/// A plain list of `count` users.
pub(super) fn users(count: usize) -> String {
    (0..count).map(|n| format!("user{n:04}@contoso.com\n")).collect()
}

/// Starts a run over a plain list of `count` users, fast unless `args` says otherwise.
pub(super) fn start_run(ctx: &TestContext, count: usize, args: &[&str]) -> Child {
    let input = ctx.input("users.txt", users(count));
    ctx.start(ctx.command("run").arg(input).args(args).args(["--progress", "none"]))
}

/// The one run folder, once its journal says that the run began.
#[track_caller]
pub(super) fn begun(ctx: &TestContext) -> RunDir {
    let mut found = PathBuf::new();
    until("a run folder is there", || match ctx.run_folders().as_slice() {
        [folder] if !whole_lines(folder).is_empty() => {
            found.clone_from(folder);
            true
        }
        _ => false,
    });
    RunDir { path: found }
}

/// All users on the list were revoked, and no other user.
#[track_caller]
pub(super) fn all_were_revoked(ctx: &TestContext, count: usize) {
    let ledger = ctx.ledger();
    assert_eq!(ledger.users.len(), count, "users that the simulator saw");
    assert!(ledger.users.iter().all(|user| user.effects > 0 && user.id.starts_with("user")), "{ledger:#?}");
}
