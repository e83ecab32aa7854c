//! The confirmation on a terminal.

use super::{list, nothing_sent, tenant, verb};
use crate::ctx::TestContext;
use crate::support::terminal::Terminal;

#[test]
fn a_few_users_need_a_yes() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "bob", "cyd", "gus_fabrikam.com#EXT#", "gone"]));
    for (typed, code) in [("", 5), ("n", 5), ("5", 5), ("y", 3)] {
        let protect = ["--protect", "bob@contoso.com"];
        let mut terminal =
            Terminal::start(verb(&ctx, "run").arg(&input).args(protect).args(["--progress", "none"]));
        terminal.until("? [y/N] ").type_line(typed);
        let (ended, text) = terminal.wait_for_exit();
        assert_eq!(ended, code, "{typed:?}: {text}");
        for says in [
            "  cloud        global at http://127.0.0.1",
            "  tenant       Contoso Ltd",
            "  sign-in      token",
            "/users.txt\n  users        4\n",
            "  guests       1: no effect",
            "  disabled     1 already",
            "  unknown      1 not in the directory",
            "  protected    1 left out: bob@contoso.com\n",
            "  first        ann@contoso.com",
            "  last         gone@contoso.com\n",
            "Revoke the sign-in sessions of 4 users? [y/N] ",
        ] {
            assert!(text.contains(says), "{says:?} is not in: {text}");
        }
        assert!(!text.contains("synced") && !text.contains("admins"), "zeros show: {text}");
        if code == 5 {
            nothing_sent(&ctx);
        }
    }
    assert_eq!(ctx.run_folder().summary()["confirmed"][0], "answered yes");
}

#[test]
fn an_administrator_needs_the_number() {
    for (typed, code) in [("y", 5), ("3", 5), ("2", 0)] {
        let ctx = tenant();
        let input = ctx.input("users.txt", list(&["ann", "root1"]));
        let mut terminal = Terminal::start(verb(&ctx, "run").arg(&input));
        terminal.until("Type 2 to revoke the sign-in sessions of 2 users: ").type_line(typed);
        let (ended, text) = terminal.wait_for_exit();
        assert_eq!(ended, code, "{typed}: {text}");
        assert!(text.contains("  admins       1: 1 Global Administrator\n"), "{text}");
        if code == 0 {
            assert_eq!(ctx.run_folder().summary()["confirmed"][0], "typed 2");
        } else {
            nothing_sent(&ctx);
        }
    }
}

#[test]
fn more_than_a_hundred_users_need_the_number() {
    for (count, wants) in [(100, "? [y/N] "), (101, "Type 101 to revoke")] {
        let ctx = TestContext::new("");
        let users: String = (0..count).map(|n| format!("u{n}@contoso.com\n")).collect();
        let input = ctx.input("users.txt", users);
        let mut terminal = Terminal::start(verb(&ctx, "run").arg(&input));
        terminal.until(wants).type_line("no");
        let (code, text) = terminal.wait_for_exit();
        assert_eq!(code, 5, "{text}");
        assert!(text.contains("not checked  which users"), "{text}");
        assert!(!text.contains("not checked:"), "said once: {text}");
        nothing_sent(&ctx);
    }
}

#[test]
fn most_global_administrators_need_a_second_confirmation() {
    for (typed, code) in [(["3", "3"], 5), (["3", "3 of 4"], 0), (["2", ""], 5)] {
        let ctx = tenant();
        let input = ctx.input("users.txt", list(&["root1", "root2", "root3"]));
        let mut terminal = Terminal::start(verb(&ctx, "run").arg(&input));
        terminal.until("Type 3 to revoke").type_line(typed[0]);
        if typed[0] == "3" {
            terminal.until("Type 3 of 4 to").type_line(typed[1]);
        }
        let (ended, text) = terminal.wait_for_exit();
        assert_eq!(ended, code, "{typed:?}: {text}");
        if code == 0 {
            assert!(text.contains("3 of the tenant's 4 Global Administrators"), "{text}");
            let confirmed = ctx.run_folder().summary()["confirmed"][1].as_str().unwrap().to_owned();
            assert!(confirmed.ends_with("typed 3 of 4"), "{confirmed}");
        } else {
            nothing_sent(&ctx);
        }
    }
}

#[test]
fn all_users_and_a_large_share_need_a_second_confirmation() {
    let ctx = tenant();
    let protect = ["--protect", "role:Global Administrator"];
    let mut terminal = Terminal::start(verb(&ctx, "run").arg("--all-users").args(protect));
    terminal.until("? [y/N] ").type_line("y");
    terminal.until("Careful: ").until("continue: ").type_line("4");
    let (code, text) = terminal.wait_for_exit();
    assert_eq!(code, 3, "{text}");
    let ctx = tenant();
    let args = ["--group", "Finance", "--max-share", "10%"];
    let mut terminal = Terminal::start(verb(&ctx, "run").args(args));
    terminal.until("? [y/N] ").type_line("y");
    terminal.until("more than --max-share 10%").until("continue: ").type_line("y");
    let (code, text) = terminal.wait_for_exit();
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("2 of the tenant's 8 users") && text.contains("not 2"), "{text}");
    nothing_sent(&ctx);
}

#[test]
fn unprotected_users_are_shown_prominently() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann"]));
    let args = ["--protect", "ann@contoso.com", "--unprotect", "ann@contoso.com"];
    let mut terminal = Terminal::start(verb(&ctx, "run").arg(&input).args(args));
    terminal.until("UNPROTECTED  revoked although protected: ann@contoso.com").until("[y/N]").type_line("y");
    let (code, text) = terminal.wait_for_exit();
    assert_eq!(code, 0, "{text}");
    assert_eq!(ctx.run_folder().summary()["unprotected"][0]["user"], "ann@contoso.com");
    assert_eq!(ctx.run_folder().summary()["selection"][0], input.display().to_string());
}

#[test]
fn input_before_the_question_is_ignored() {
    let ctx = tenant();
    let input = ctx.input("users.txt", list(&["ann", "bob"]));
    let mut terminal = Terminal::start(verb(&ctx, "run").arg(&input).args(["--progress", "none"]));
    // The terminal has it before the program has even begun to read the list.
    terminal.type_line("y").type_line("yes");
    terminal.until("? [y/N] ").type_line("n");
    let (ended, text) = terminal.wait_for_exit();
    assert_eq!(ended, 5, "{text}");
    nothing_sent(&ctx);
}
