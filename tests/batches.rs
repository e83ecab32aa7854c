//! `--batch-size` and `--jobs` through the binary: what goes over the wire, what the journal has of it, and that a kill
//! in the midst of batches loses nobody.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod stage;

use std::collections::BTreeSet;

use serde_json::Value;
use stage::{Done, Stage};

/// `(batches, parts in them, revocations in all)`
fn on_the_wire(stage: &Stage) -> (u64, u64, u64) {
    let stats = stage.stats();
    (stats.batches, stats.batch_parts, stats.revocations)
}

fn played(users: usize, args: &[&str]) -> (Stage, Done) {
    let stage = Stage::new("");
    let input = stage.users(users);
    let done = stage.run(&input, args);
    (stage, done)
}

#[test]
fn a_given_size_fills_batches() {
    // The pacer lets sixteen go before the first answer.
    for (size, batches, parts) in [("20", 5..=8, 100), ("7", 15..=17, 100), ("1", 0..=0, 0)] {
        let (stage, done) = played(100, &["--batch-size", size]);
        done.exits(0);
        let (sent, carried, users) = on_the_wire(&stage);
        assert!(batches.contains(&sent), "{size}: {sent}");
        assert_eq!((carried, users), (parts, 100), "{size}");
        assert!(stage.ledger().violations.is_empty(), "{:?}", stage.ledger().violations);
    }
}

#[test]
fn auto_sends_one_by_one_while_places_suffice() {
    for args in [&["--rate", "100/s"][..], &["--rate", "100/s", "--batch-size", "auto", "--jobs", "auto"]] {
        let (stage, done) = played(40, args);
        done.exits(0);
        assert_eq!(on_the_wire(&stage), (0, 0, 40));
    }
}

#[test]
fn what_is_no_size_is_a_usage_error() {
    for (flag, wrong) in [("--batch-size", "0"), ("--batch-size", "21"), ("--jobs", "0"), ("--jobs", "some")]
    {
        let (stage, done) = played(1, &[flag, wrong]);
        done.exits(2);
        assert!(done.stderr.contains("auto"), "{}", done.stderr);
        assert_eq!(on_the_wire(&stage), (0, 0, 0));
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
fn each_part_has_a_line_an_id_and_an_outcome_of_its_own() {
    let stage = Stage::new(
        r#"
        unknown = ["u03*"]
        deny = ["u04*"]
        [[fault]]
        match = "u05*"
        answer = 503
        times = 1
    "#,
    );
    let input = stage.users(20);
    stage.run(&input, &["--batch-size", "20"]).exits(3);
    let folder = stage.folder();
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
fn a_kill_in_the_midst_of_batches_loses_nobody() {
    for kill_after in [20, 60, 140] {
        let stage = Stage::new("latency = \"20ms\"");
        let input = stage.users(400);
        let mut command = stage.command("run");
        command.arg(&input).args(["--batch-size", "20", "--jobs", "2"]);
        let mut child = stage.start(&mut command);
        stage.until(|stage| stage.stats().revocations >= kill_after);
        child.kill().unwrap();
        child.wait().unwrap();
        let folder = stage.folders().remove(0);
        let done = stage.finish(stage.command("resume").arg(&folder));
        done.exits(0);
        let outcomes = stage.folder().outcomes();
        assert_eq!(outcomes.values().filter(|outcome| *outcome == "revoked").count(), 400);
        let reached = stage.ledger().users.iter().filter(|user| user.effects > 0).count();
        assert_eq!(reached, 400);
    }
}
