//! `--batch-size` and `--jobs` with the binary: what is sent, what the journal records, and that no user is lost if the
//! process is killed while batches are in flight.

use std::collections::BTreeSet;

use crate::ctx::{CommandResult, TestContext};
use serde_json::Value;

/// `(batches, parts in them, revocations in all)`
fn on_the_wire(ctx: &TestContext) -> (u64, u64, u64) {
    let stats = ctx.stats();
    (stats.batches, stats.batch_parts, stats.revocations)
}

fn played(users: usize, args: &[&str]) -> (TestContext, CommandResult) {
    let ctx = TestContext::new("");
    let input = ctx.users(users);
    let done = ctx.run(&input, args);
    (ctx, done)
}

#[test]
fn batches_are_filled_to_the_given_size() {
    // The pacer lets sixteen go before the first answer.
    for (size, batches, parts) in [("20", 5..=8, 100), ("7", 15..=17, 100), ("1", 0..=0, 0)] {
        let (ctx, done) = played(100, &["--batch-size", size]);
        done.exits(0);
        let (sent, carried, users) = on_the_wire(&ctx);
        assert!(batches.contains(&sent), "{size}: {sent}");
        assert_eq!((carried, users), (parts, 100), "{size}");
        assert!(ctx.ledger().violations.is_empty(), "{:?}", ctx.ledger().violations);
    }
}

#[test]
fn auto_sends_single_requests_at_a_low_rate() {
    for args in [&["--rate", "100/s"][..], &["--rate", "100/s", "--batch-size", "auto", "--jobs", "auto"]] {
        let (ctx, done) = played(40, args);
        done.exits(0);
        assert_eq!(on_the_wire(&ctx), (0, 0, 40));
    }
}

#[test]
fn an_invalid_batch_size_is_a_usage_error() {
    for (flag, wrong) in [("--batch-size", "0"), ("--batch-size", "21"), ("--jobs", "0"), ("--jobs", "some")]
    {
        let (ctx, done) = played(1, &[flag, wrong]);
        done.exits(2);
        assert!(done.stderr.contains("auto"), "{}", done.stderr);
        assert_eq!(on_the_wire(&ctx), (0, 0, 0));
    }
}

/// The `client-request-id` of each `sent` line, and whose it is.
fn sent(journal: &[Value]) -> Vec<(String, u64)> {
    let sent = journal.iter().filter(|line| line["event"] == "sent");
    sent.map(|line| {
        (line["client_request_id"].as_str().unwrap().to_owned(), line["target"].as_u64().unwrap())
    })
    .collect()
}

#[test]
fn each_part_has_its_own_journal_line_id_and_outcome() {
    let ctx = TestContext::new(
        r#"
        unknown = ["u03*"]
        deny = ["u04*"]
        [[fault]]
        match = "u05*"
        answer = 503
        times = 1
    "#,
    );
    let input = ctx.users(20);
    ctx.run(&input, &["--batch-size", "20"]).exits(3);
    let folder = ctx.run_folder();
    let sent = sent(&folder.journal());
    let ids: BTreeSet<_> = sent.iter().map(|(id, _)| id).collect();
    assert_eq!((sent.len(), ids.len()), (21, 21));
    let outcomes = folder.outcomes();
    assert_eq!(outcomes["u03@contoso.com"], "not_found");
    assert_eq!(outcomes["u04@contoso.com"], "forbidden");
    assert_eq!(outcomes.values().filter(|outcome| *outcome == "revoked").count(), 18);
    assert_eq!(folder.row("u05@contoso.com")["attempts"], "2");
}

#[cfg(unix)]
#[test]
fn a_kill_during_batches_loses_no_user() {
    for kill_after in [20, 60, 140] {
        let ctx = TestContext::new("latency = \"20ms\"");
        let input = ctx.users(400);
        let mut command = ctx.command("run");
        command.arg(&input).args(["--batch-size", "20", "--jobs", "2"]);
        let mut child = ctx.start(&mut command);
        ctx.until(|ctx| ctx.stats().revocations >= kill_after);
        child.kill().unwrap();
        child.wait().unwrap();
        let folder = ctx.run_folders().remove(0);
        let done = ctx.finish(ctx.command("resume").arg(&folder));
        done.exits(0);
        let outcomes = ctx.run_folder().outcomes();
        assert_eq!(outcomes.values().filter(|outcome| *outcome == "revoked").count(), 400);
        let reached = ctx.ledger().users.iter().filter(|user| user.effects > 0).count();
        assert_eq!(reached, 400);
    }
}
