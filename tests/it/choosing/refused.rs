//! Users who are refused (403): when that means a missing permission, and which users are tried anyway.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ctx::TestContext;

/// Whom the last process of the run sent, in order.
fn sent_last(journal: &[Value]) -> Vec<String> {
    let began = journal.iter().rposition(|line| line["event"] == "began").expect("a process began");
    let sent = journal[began..].iter().filter(|line| line["event"] == "sent");
    sent.map(|line| line["user"].as_str().expect("a user").to_owned()).collect()
}

#[test]
fn resume_starts_with_users_that_were_never_tried() {
    let ctx = TestContext::new("deny = ['*']");
    let input = ctx.users(75);
    ctx.run(&input, &["-j", "2"]).exits(4);
    let folder = ctx.run_folder();
    let rows = folder.rows();
    let refused: BTreeSet<String> =
        rows.iter().filter(|row| row["outcome"] == "forbidden").map(|row| row["user_id"].clone()).collect();
    assert!((40..=42).contains(&refused.len()), "{refused:?}");

    // The permission is granted, but not for the first thirty: what happened before does not happen again.
    let deny: Vec<String> = (0..30).map(|n| format!("'u{n:02}@*'")).collect();
    ctx.simulator.change_config(&format!("deny = [{}]", deny.join(", "))).unwrap();
    let resume = || ctx.finish(ctx.command("resume").args(["--yes", "-j", "2"]).arg(&folder.path));
    resume().exits(3);
    let sent = sent_last(&folder.journal());
    let (never, before) = sent.split_at(75 - refused.len());
    assert!(never.iter().all(|user| !refused.contains(user)), "{sent:?}");
    assert_eq!(before.iter().cloned().collect::<BTreeSet<_>>(), refused);
    let summary = folder.summary();
    assert_eq!(
        (&summary["outcomes"]["revoked"], &summary["outcomes"]["forbidden"]),
        (&45.into(), &30.into())
    );

    // The remaining users are refused again. The permission is not missing, because an earlier process revoked others.
    resume().exits(3);
    assert_eq!(sent_last(&folder.journal()).len(), 30);
}

#[test]
fn each_resume_without_permission_tries_other_users() {
    let ctx = TestContext::new("deny = ['*']");
    let input = ctx.users(99);
    ctx.run(&input, &["-j", "1"]).exits(4);
    let folder = ctx.run_folder();
    let mut tried: BTreeSet<String> = sent_last(&folder.journal()).into_iter().collect();
    for all in [80, 99] {
        let done = ctx.finish(ctx.command("resume").args(["-y", "-j", "1"]).arg(&folder.path));
        done.exits(4);
        assert!(done.stdout.contains("User.RevokeSessions.All"), "{}", done.stdout);
        tried.extend(sent_last(&folder.journal()));
        assert_eq!(tried.len(), all);
    }
}

/// Each size of batch, and several jobs.
#[test]
fn forbidden_users_at_the_start_do_not_stop_the_run() {
    for args in [
        ["--batch-size", "1", "-j", "1"],
        ["--batch-size", "20", "-j", "4"],
        ["--batch-size", "auto", "-j", "auto"],
    ] {
        let deny: Vec<String> = (0..60).map(|n| format!("'u{n:02}@*'")).collect();
        let ctx = TestContext::new(&format!("latency = '20ms'\ndeny = [{}]", deny.join(", ")));
        let input = ctx.users(90);
        ctx.run(&input, &args).exits(3);
        let rows = ctx.run_folder().rows();
        for (n, row) in rows.iter().enumerate() {
            assert_eq!(row["outcome"], if n < 60 { "forbidden" } else { "revoked" }, "{args:?}: {row:?}");
        }
    }
}

/// A run that is refused everywhere ends early, however many places there are.
#[test]
fn a_run_without_the_permission_ends_early() {
    let ctx = TestContext::new("latency = '20ms'\ndeny = ['*']");
    let users: String = (0..3_000).map(|n| format!("u{n:04}@contoso.com\n")).collect();
    let input = ctx.input("users.txt", users);
    ctx.run(&input, &[]).exits(4);
    let sent = ctx.ledger().users.len();
    assert!(sent < 500, "{sent} users were sent");
}
