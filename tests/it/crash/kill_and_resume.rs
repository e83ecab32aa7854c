//! `kill -9` at any moment, and `resume` to the end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;

use crate::crash::help::{
    kill, no_claim_is_false, report, requests, resume, revoked_in, sent_in, until_or_gone, whole_lines,
};
use crate::ctx::{RunDir, TestContext};

/// Rounds in all, over all threads.
const ROUNDS: u64 = 32;
const THREADS: u64 = 6;

/// Processes that were still at work when they were killed.
static KILLED: AtomicU64 = AtomicU64::new(0);

const WORLD: &str = r#"
    latency = "6ms"
    jitter = "6ms"
    unknown = ["gone*"]
    deny = ["admin*"]
    [[fault]]
    match = "flaky*"
    answer = 503
    times = 1
    [[fault]]
    match = "reset*"
    answer = "reset-after"
    times = 1
    [[fault]]
    match = "lost*"
    answer = "reset-before"
    times = 1
    [[fault]]
    match = "busy*"
    answer = 429
    first = 2
"#;

/// Whom the simulator can revoke.
const EXISTING: [&str; 5] = ["user", "flaky", "reset", "lost", "busy"];

/// Rows of all kinds in random order: the input's ids in order.
fn rows(rng: &mut Rng) -> Vec<String> {
    let mut rows: Vec<String> = (0..rng.usize(130..240)).map(|n| format!("user{n:03}@contoso.com")).collect();
    for kind in ["gone", "flaky", "reset", "lost", "busy", "admin"] {
        rows.extend((0..rng.usize(1..5)).map(|n| format!("{kind}{n}@contoso.com")));
    }
    rows.extend((0..4).map(|n| format!("guest{n}_fabrikam.com#EXT#@contoso.com")));
    rows.extend((0..4).map(|n| format!("no user {n}")));
    rng.shuffle(&mut rows);
    for _ in 0..8 {
        let again = rows[rng.usize(..rows.len())].to_uppercase();
        rows.insert(rng.usize(..=rows.len()), again);
    }
    rows
}

/// When a process is killed.
#[derive(Clone, Copy, Debug)]
enum KillMoment {
    /// As soon as there is a run folder.
    Folder,
    /// As soon as this file is in it.
    File(&'static str),
    /// When the simulator has seen this many more requests.
    Requests(u64),
    /// When the journal has grown by this many bytes.
    Bytes(u64),
}

fn moment(rng: &mut Rng, round: u64, users: u64) -> KillMoment {
    match round % 8 {
        0 => *rng
            .choice(&[KillMoment::Folder, KillMoment::File("plan.csv"), KillMoment::File("run.json")])
            .unwrap(),
        1 => KillMoment::File("journal.jsonl"),
        2 | 3 => KillMoment::Requests(rng.u64(1..users)),
        4 | 5 => KillMoment::Bytes(rng.u64(1..users * 600)),
        6 => KillMoment::Requests(users - rng.u64(0..5)),
        _ => KillMoment::File(
            rng.choice(&["report.csv.partial", "report.csv", "summary.json", "manifest.json"]).unwrap(),
        ),
    }
}

/// Starts a command and kills it at this moment, or lets it end before.
fn run_and_kill(ctx: &TestContext, command: &mut std::process::Command, moment: KillMoment) {
    let (requests, bytes) = (ctx.stats().revocations, journal_bytes(ctx));
    let mut child = ctx.start(command);
    let at_work = until_or_gone(&mut child, &format!("{moment:?}"), || match moment {
        KillMoment::Folder => !ctx.run_folders().is_empty(),
        KillMoment::File(name) => ctx.run_folders().first().is_some_and(|folder| holds(folder, name)),
        KillMoment::Requests(more) => ctx.stats().revocations >= requests + more,
        KillMoment::Bytes(more) => journal_bytes(ctx) >= bytes + more,
    });
    kill(child);
    KILLED.fetch_add(u64::from(at_work), Ordering::Relaxed);
}

/// Whether a folder holds a file of that name; of one that is still written, a part in its middle is random.
fn holds(folder: &Path, name: &str) -> bool {
    let Some(whole) = name.strip_suffix(".partial") else { return folder.join(name).exists() };
    let mut names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(|name| name.starts_with(whole) && name.ends_with(".partial")))
}

fn journal_bytes(ctx: &TestContext) -> u64 {
    let size = |folder: &std::path::PathBuf| {
        std::fs::metadata(folder.join("journal.jsonl")).map_or(0, |data| data.len())
    };
    ctx.run_folders().first().map_or(0, size)
}

#[test]
fn resume_completes_a_run_killed_at_any_moment() {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= ROUNDS {
                        return;
                    }
                    // Says which rounds were under way if one fails.
                    println!("round {number}");
                    round(number);
                }
            });
        }
    });
    let killed = KILLED.load(Ordering::Relaxed);
    assert!(killed >= ROUNDS * 3 / 4, "only {killed} processes were killed at work");
}

fn round(number: u64) {
    let mut rng = Rng::with_seed(0xC0FFEE + number);
    let ctx = TestContext::new(WORLD);
    let rows = rows(&mut rng);
    let input = ctx.input("users.csv", format!("UPN\n{}\n", rows.join("\n")));
    let users = rows.len() as u64 - 12;
    let sending = ["--rate", "3000/s", "--burst", "50", "-j", "12", "--progress", "none"];
    let first = moment(&mut rng, number, users);
    run_and_kill(&ctx, ctx.command("run").arg(&input).args(sending), first);
    let Some(folder) = ctx.run_folders().first().cloned() else {
        assert_eq!(ctx.stats().revocations, 0, "sent before there was a run folder");
        return;
    };
    if !folder.join("run.json").exists() {
        let done = resume(&ctx, &folder, &[]);
        done.exits(2);
        assert!(done.stderr.contains("is not a run folder"), "{}", done.stderr);
        assert_eq!(ctx.stats().revocations, 0, "sent before there was a plan");
        return;
    }
    for _ in 0..rng.u64(0..3) {
        after_a_kill(&ctx, &folder, &rows);
        let next = match rng.u8(0..3) {
            0 => KillMoment::Bytes(rng.u64(1..4000)),
            _ => KillMoment::Requests(rng.u64(1..=users / 3)),
        };
        resumed_without_repeats(&ctx, &folder, || {
            run_and_kill(&ctx, ctx.command("resume").arg(&folder).args(["--progress", "none"]), next);
        });
    }
    after_a_kill(&ctx, &folder, &rows);
    resumed_without_repeats(&ctx, &folder, || {
        resume(&ctx, &folder, &["--progress", "none"]).exits(3);
    });
    at_the_end(&ctx, &folder, &rows);
}

/// Users who are done in the journal are not revoked again by what `act` does.
fn resumed_without_repeats(ctx: &TestContext, folder: &Path, act: impl FnOnce()) {
    let done = revoked_in(&whole_lines(folder));
    let before = requests(ctx);
    act();
    let after = requests(ctx);
    for user in done {
        let user = user.to_lowercase();
        assert_eq!(before[&user], after[&user], "{user} was done, and sent again");
    }
}

/// What must hold between a kill and the next start.
fn after_a_kill(ctx: &TestContext, folder: &Path, rows: &[String]) {
    every_request_is_in_the_journal(ctx, folder);
    report(ctx, folder).exits(0);
    let folder = RunDir { path: folder.to_owned() };
    every_row_stands_once(&folder, rows);
    no_claim_is_false(ctx, &folder);
    // Nor does the report know less than the journal.
    let said: BTreeSet<String> =
        folder.outcomes().into_iter().filter(|(_, word)| word == "revoked").map(|(user, _)| user).collect();
    assert_eq!(said, revoked_in(&whole_lines(&folder.path)));
}

fn every_request_is_in_the_journal(ctx: &TestContext, folder: &Path) {
    // The simulator's count first: it may still hear of what was on its way.
    let seen = requests(ctx);
    let sent = sent_in(&whole_lines(folder));
    let sent: BTreeMap<String, u64> =
        sent.into_iter().map(|(user, count)| (user.to_lowercase(), count)).collect();
    for (user, seen) in seen {
        let sent = sent.get(&user).copied().unwrap_or_default();
        assert!(sent >= seen, "{user}: {seen} requests came, and {sent} are in the journal");
    }
}

fn every_row_stands_once(folder: &RunDir, rows: &[String]) {
    let reported = folder.rows();
    let inputs: Vec<&str> = reported.iter().map(|row| row["input"].as_str()).collect();
    assert_eq!(inputs, rows, "the report's rows are not the input's");
    let lines: Vec<usize> = reported.iter().map(|row| row["line"].parse().unwrap()).collect();
    assert_eq!(lines, (2..rows.len() + 2).collect::<Vec<_>>());
}

fn at_the_end(ctx: &TestContext, path: &Path, rows: &[String]) {
    every_request_is_in_the_journal(ctx, path);
    let folder = RunDir { path: path.to_owned() };
    every_row_stands_once(&folder, rows);
    no_claim_is_false(ctx, &folder);
    let ledger = ctx.ledger();
    assert_eq!(ledger.stats.duplicate_client_request_ids, 0);
    // A process that was killed before it read its 429 could not record it.
    assert!(ledger.violations.iter().all(|seen| seen.kind == "early"), "{:?}", ledger.violations);

    let reported = folder.rows();
    let mut words: BTreeMap<String, u64> = BTreeMap::new();
    for row in &reported {
        *words.entry(row["outcome"].clone()).or_default() += 1;
        let input = row["input"].to_lowercase();
        let expected = match () {
            () if row["outcome"] == "duplicate" => "duplicate",
            () if input.starts_with("no user") => "invalid",
            () if input.starts_with("gone") => "not_found",
            () if input.starts_with("admin") => "forbidden",
            () if input.starts_with("guest") => "accepted_no_effect",
            () => "revoked",
        };
        assert_eq!(row["outcome"], expected, "{row:?}");
        if let Some(user) = ledger.user(&input).filter(|_| expected != "duplicate") {
            let attempts: u64 = row["attempts"].parse().unwrap();
            assert!(attempts >= user.requests, "{attempts} attempts reported: {user:?}");
        }
    }

    let summary = folder.summary();
    assert_eq!(summary["rows"], rows.len());
    for (word, count) in summary["outcomes"].as_object().unwrap() {
        assert_eq!(count.as_u64().unwrap(), words.get(word).copied().unwrap_or_default(), "{word}");
    }
    let remaining = crate::ctx::read_csv(&folder.text("remaining.csv")).len();
    assert_eq!(summary["remaining"], remaining);
    let not_done: u64 = ["not_found", "forbidden", "accepted_no_effect", "invalid"]
        .iter()
        .filter_map(|word| words.get(*word))
        .sum();
    assert_eq!(remaining as u64, not_done);

    let planned: BTreeSet<String> = rows.iter().map(|row| row.to_lowercase()).collect();
    for user in &ledger.users {
        assert!(planned.contains(&user.id.to_lowercase()), "outside the plan: {user:?}");
    }
    for id in planned.iter().filter(|id| EXISTING.iter().any(|kind| id.starts_with(kind))) {
        assert!(ledger.user(id).is_some_and(|user| user.effects > 0), "{id} was never revoked");
    }
    for entry in std::fs::read_dir(path).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(!name.to_string_lossy().ends_with(".partial"), "{} was left behind", name.display());
    }
}
