//! Limits on the number of users, and how to confirm it without a terminal.

use super::{finish, list, nothing_sent, tenant, verb};
use crate::support::terminal::Terminal;

#[test]
fn expect_count_must_match() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "bob"]));
    for verb in ["run", "drill"] {
        let mut command =
            if verb == "run" { super::verb(&ctx, "run") } else { ctx.command_without_token("drill") };
        if verb == "run" {
            command.arg("--yes");
        }
        let done = ctx.finish(command.arg(&input).args(["--expect-count", "3"]));
        done.exits(5);
        assert!(done.stderr.contains("has 2 users, but --expect-count says 3"), "{}", done.stderr);
        nothing_sent(&ctx);
    }
    finish(&ctx, "run", &input, &["--yes", "--expect-count", "2"]).exits(0);
    assert_eq!(ctx.run_folder().summary()["confirmed"][0], "--yes");
}

#[test]
fn a_run_without_a_terminal_needs_a_yes_flag() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann"]));
    let done = finish(&ctx, "run", &input, &[]);
    done.exits(2);
    assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    assert_eq!(ctx.stats().requests, 0);
    nothing_sent(&ctx);
}

#[test]
fn three_risks_need_a_confirmed_number() {
    for (args, says) in [
        (&["--all-users"][..], "every user of the tenant"),
        (
            &["--group", "Finance", "--max-share", "20%"],
            "2 of the tenant's 8 users, more than --max-share 20%",
        ),
        (&["--role", "Global Administrator"], "all 4 Global Administrators of the tenant"),
    ] {
        let ctx = tenant();
        let done = ctx.finish(verb(&ctx, "run").args(args).arg("--yes"));
        done.exits(2);
        assert!(done.stderr.contains(says), "{says:?} is not in: {}", done.stderr);
        let number = match args[0] {
            "--all-users" => "8",
            "--group" => "2",
            _ => "4",
        };
        assert!(done.stderr.contains(&format!("--yes-i-mean {number}")), "{}", done.stderr);
        nothing_sent(&ctx);
        // It is the number of users that is meant, and no other.
        let done = ctx.finish(verb(&ctx, "run").args(args).args(["--yes", "--yes-i-mean", "5"]));
        done.exits(5);
        assert!(
            done.stderr.contains(&format!("has {number} users, but --yes-i-mean says 5")),
            "{}",
            done.stderr
        );
        nothing_sent(&ctx);
        let done = ctx.finish(verb(&ctx, "run").args(args).args(["--yes-i-mean", number]));
        assert!(matches!(done.code, Some(0 | 3)), "{done:?}");
        assert_eq!(ctx.run_folder().summary()["confirmed"][0], format!("--yes-i-mean {number}"));
    }
}

#[test]
fn moderate_risks_need_no_confirmed_number() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["root1", "root2"]));
    finish(&ctx, "run", &input, &["--yes", "--max-share", "25%"]).exits(0);
    assert_eq!(ctx.stats().effects, 2);
}

#[test]
fn an_unconfirmed_run_cannot_be_resumed() {
    let ctx = tenant();
    let done = ctx.finish(verb(&ctx, "run").args(["--all-users", "--max-users", "3", "--yes"]));
    done.exits(2);
    nothing_sent(&ctx);
    let input = ctx.input("users.txt", list(&["ann", "bob"]));
    finish(&ctx, "run", &input, &["--max-users", "1", "--yes"]).exits(5);
    assert_eq!(ctx.stats().revocations, 0);
    assert_eq!(ctx.run_folder().summary()["exit_code"], 5);
}

#[test]
fn a_profile_limits_the_share() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "bob"]));
    ctx.input("config.toml", "[profile.contoso]\nmax_share = '10%'\n");
    let args = ["--config", "config.toml", "--profile", "contoso", "--yes"];
    let done = finish(&ctx, "run", &input, &args);
    done.exits(2);
    assert!(done.stderr.contains("more than --max-share 10%"), "{}", done.stderr);
    let more = ["--config", "config.toml", "--profile", "contoso", "--yes", "--max-share", "50%"];
    finish(&ctx, "run", &input, &more).exits(0);
}

#[test]
fn an_unconfirmed_run_above_max_users_cannot_be_resumed() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "root1"]));
    let mut command = verb(&ctx, "run");
    let (code, text) = Terminal::start(command.arg(&input).args(["--max-users", "1"])).wait_for_exit();
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("the plan has 2 users, but --max-users allows 1"), "{text}");
    nothing_sent(&ctx);
}
