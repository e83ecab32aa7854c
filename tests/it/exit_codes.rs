//! Each exit code, and what leads to it.

use crate::ctx::{self, TestContext};

#[test]
fn accepted_words_count_as_done() {
    let ctx = TestContext::new("unknown = ['u00@*']\nexternal = ['u01@*']\ndeny = ['u02@*']");
    let input = ctx.input("users.txt", "u00@contoso.com\nu01#EXT#@contoso.com\nu02@contoso.com\nnobody\n");
    ctx.run(&input, &[]).exits(3);
    ctx.run(&input, &["--accept", "not_found,accepted_no_effect"]).exits(3);
    let all = ["--accept", "not_found,accepted_no_effect", "--accept", "forbidden,invalid"];
    let without_invalid = ctx.input("fewer.txt", "u00@contoso.com\nu01#EXT#@contoso.com\nu02@contoso.com\n");
    ctx.run(&without_invalid, &all).exits(0);
}

#[test]
fn a_run_with_an_invalid_row_is_exit_3() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\nnobody\n");
    ctx.run(&input, &[]).exits(3);
    assert_eq!(ctx.stats().effects, 1);
    let duplicates = ctx.input("twice.txt", "a@contoso.com\nA@contoso.com\n");
    ctx.run(&duplicates, &["--exclude", "b@contoso.com"]).exits(0);
}

#[test]
fn halt_works_with_a_number_and_with_a_share() {
    for (rule, sent) in [("fail=3", 3), ("fail=10%", 4)] {
        let ctx = TestContext::new("unknown = ['*']");
        let input = ctx.users(40);
        let done = ctx.run(&input, &["-j", "1", "--halt", rule]);
        done.exits(5);
        assert!(done.stdout.contains("--halt"), "{}", done.stdout);
        assert_eq!(ctx.stats().revocations, sent, "{rule}");
        let folder = ctx.run_folder();
        assert_eq!(folder.summary()["exit_code"], 5);
        assert_eq!(folder.summary()["stopped"]["reason"], "halt");
        let left = folder.rows().iter().filter(|row| row["outcome"] == "not_attempted").count();
        assert_eq!(left as u64, 40 - sent, "{rule}");
    }
}

#[test]
fn accepted_outcomes_do_not_halt_the_run() {
    let ctx = TestContext::new("unknown = ['*']");
    let input = ctx.users(10);
    ctx.run(&input, &["--halt", "fail=1", "--accept", "not_found"]).exits(0);
}

#[test]
fn more_users_than_allowed_stop_the_run() {
    let ctx = TestContext::new("");
    let input = ctx.users(6);
    let done = ctx.run(&input, &["--max-users", "5"]);
    done.exits(5);
    assert!(done.stdout.contains("--max-users allows 5"), "{}", done.stdout);
    // Only the one read that finds out whether users can be looked up.
    let stats = ctx.stats();
    assert_eq!((stats.revocations, stats.reads, stats.requests), (0, 1, 1));
    assert_eq!(ctx.run_folder().summary()["stopped"]["reason"], "max_users");
    ctx.run(&input, &["--max-users", "6"]).exits(0);
}

#[test]
fn a_run_without_a_terminal_needs_yes() {
    let ctx = TestContext::new("");
    let input = ctx.users(2);
    let mut command = ctx.command_without_token("run");
    command.env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).args(["--graph-url", &ctx.simulator.url()]).arg(&input);
    let done = ctx.finish(&mut command);
    // A question goes to the controlling terminal, which a test may have.
    if done.code == Some(2) {
        assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    }
    assert_ne!(done.code, Some(0));
    assert_eq!(ctx.stats().requests, 0);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn unreadable_input_is_refused() {
    let ctx = TestContext::new("");
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for input in [
        ctx.dir.path().join("missing.csv"),
        ctx.dir.path().to_owned(),
        ctx.input("binary.csv", binary),
        ctx.input("empty.csv", ""),
        ctx.input("no-ids.csv", "name,age\nJo,3\nAl,4\n"),
    ] {
        let done = ctx.run(&input, &[]);
        done.exits(2);
        assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
    }
    assert_eq!(ctx.stats().requests, 0);
    let input = ctx.users(1);
    let done = ctx.run(&input, &["--protect", "missing-list.txt"]);
    done.exits(2);
    assert!(done.stderr.contains("missing-list.txt"), "{}", done.stderr);
    assert_eq!(ctx.stats().requests, 0);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn an_unwritable_output_folder_is_a_runtime_error() {
    let ctx = TestContext::new("");
    let input = ctx.users(1);
    let taken = ctx.input("taken", "a file");
    let done = ctx.run(&input, &["--output-dir", taken.to_str().unwrap()]);
    done.exits(1);
    assert!(done.stderr.contains("taken"), "{}", done.stderr);
    let done = ctx.run(&input, &["--log-file", "taken/run.log"]);
    done.exits(1);
    assert_eq!(ctx.stats().requests, 0);
}
