//! A run folder has only one writer.

use crate::crash::help::{all_were_revoked, begun, end, kill, report, resume, start_run, until};
use crate::ctx::TestContext;

#[test]
fn a_second_process_is_refused() {
    let ctx = TestContext::new("latency = '300ms'");
    let child = start_run(&ctx, 60, &["-j", "4", "--rate", "1000/s"]);
    let folder = begun(&ctx);
    until("requests are in flight", || ctx.stats().in_flight > 0);
    for done in [resume(&ctx, &folder.path, &[]), report(&ctx, &folder.path)] {
        done.exits(1);
        let said = "is in use by another entra-revoke process; wait for it to end";
        assert!(done.stderr.contains(said), "{}", done.stderr);
    }
    assert!(!folder.path.join("report.csv").exists(), "the run is over, or was reported by another");
    end(child).exits(0);
    all_were_revoked(&ctx, 60);
    assert_eq!(ctx.stats().revocations, 60);
    assert_eq!(folder.journal().iter().filter(|line| line["event"] == "began").count(), 1);
    assert_eq!(folder.summary()["damaged_lines"], 0);
}

#[test]
fn a_killed_process_frees_the_folder() {
    let ctx = TestContext::new("latency = '100ms'");
    let child = start_run(&ctx, 60, &["-j", "4", "--rate", "1000/s"]);
    let folder = begun(&ctx);
    until("requests are in flight", || ctx.stats().in_flight > 0);
    kill(child);
    report(&ctx, &folder.path).exits(0);
    resume(&ctx, &folder.path, &["-j", "30"]).exits(0);
    all_were_revoked(&ctx, 60);
}

#[test]
fn two_concurrent_resumes_revoke_no_user_twice() {
    let ctx = TestContext::new("latency = '50ms'");
    let child = start_run(&ctx, 60, &["-j", "4", "--rate", "1000/s"]);
    let folder = begun(&ctx);
    until("some are revoked", || ctx.stats().effects > 8);
    kill(child);
    until("nothing is in flight", || ctx.stats().in_flight == 0);
    let start = || ctx.start(ctx.command("resume").arg(&folder.path).args(["--progress", "none"]));
    let (one, two) = (start(), start());
    let mut codes = [end(one).code.unwrap(), end(two).code.unwrap()];
    codes.sort_unstable();
    // The second process is refused, or finds a complete run.
    assert!(codes == [0, 1] || codes == [0, 0], "{codes:?}");
    all_were_revoked(&ctx, 60);
    assert!(ctx.ledger().users.iter().all(|user| user.requests <= 2));
}
