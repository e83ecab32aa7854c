//! Rows and selections become users, each of them once.

use super::{directory, group, names, object, sent, upn};
use crate::ctx::{TestContext, read_csv};

#[test]
fn files_and_groups_are_combined_without_duplicates() {
    let toml =
        directory(9) + &group("Inner", &[upn(4), upn(5)]) + &group("Outer", &["group:Inner".into(), upn(1)]);
    let ctx = TestContext::new(&toml);
    let text = format!("{}\n{}\n{}\ngone@contoso.example\n", upn(1).to_uppercase(), object(1), upn(2));
    let input = ctx.input("users.txt", text);
    let done = ctx.run(&input, &["--group", "Outer", "-o", "text"]);
    done.exits(3);
    assert!(done.stderr.contains("1 user does not exist: gone@contoso.example"), "{}", done.stderr);
    let found = sent(&ctx);
    assert_eq!(
        found
            .iter()
            .filter(|name| !name.starts_with("gone"))
            .cloned()
            .collect::<std::collections::BTreeSet<_>>(),
        names([1, 2, 4, 5])
    );
    let folder = ctx.run_folder();
    let row = folder.row(&object(1));
    assert_eq!(
        (row["user_principal_name"].as_str(), row["display_name"].as_str(), row["order"].as_str()),
        (upn(1).as_str(), "User 1", "1")
    );
    let outcomes: Vec<String> = folder.rows().into_iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(outcomes.iter().filter(|word| *word == "duplicate").count(), 2);
    assert_eq!(folder.row("gone@contoso.example")["outcome"], "not_found");
    assert!(folder.row("gone@contoso.example")["detail"].contains("knows no such user"));
    assert!(folder.row(&object(4))["line"].starts_with("group Outer:"), "{:?}", folder.row(&object(4)));
    let remaining = read_csv(&folder.text("remaining.csv"));
    assert_eq!(remaining.len(), 1);
    assert_eq!(remaining[0]["user_id"], "gone@contoso.example");
}

#[test]
fn remaining_users_of_a_selection_can_be_run() {
    let toml = directory(5)
        + &group("All", &[upn(1), upn(2)])
        + "[[fault]]\nmatch = \"*0000000001\"\nanswer = 400\n";
    let ctx = TestContext::new(&toml);
    ctx.finish(ctx.command("run").args(["--group", "All"])).exits(3);
    let remaining = ctx.run_folder().path.join("remaining.csv");
    let rows = read_csv(&ctx.run_folder().text("remaining.csv"));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["user_id"], object(1));
    let done = ctx.finish(ctx.command("run").arg(&remaining).args(["--dry-run", "-o", "csv"]));
    done.exits(0);
    assert_eq!(read_csv(&done.stdout)[0]["user_id"], object(1));
}

#[test]
fn an_empty_selection_is_an_error() {
    let ctx = TestContext::new(&(directory(3) + &group("Empty", &[])));
    let done = ctx.finish(ctx.command("run").args(["--group", "Empty"]));
    done.exits(2);
    assert!(done.stderr.contains("group Empty") && done.stderr.contains("--allow-empty"), "{}", done.stderr);
    ctx.finish(ctx.command("run").args(["--group", "Empty", "--allow-empty"])).exits(0);
    assert!(sent(&ctx).is_empty());
}

#[test]
fn account_kinds_are_filtered_by_the_directory() {
    let ctx = TestContext::new(&(directory(7) + &group("All", &[upn(1), upn(2), upn(3)])));
    ctx.finish(ctx.command("run").args(["--group", "All", "--members-only"])).exits(0);
    assert_eq!(sent(&ctx), names([1, 2]));
    assert!(ctx.run_folder().row(&object(3))["detail"].contains("--members-only"));
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "ann@contoso.com\n");
    let done = ctx.run(&input, &["--members-only"]);
    done.exits(4);
    assert!(done.stderr.contains("User.Read.All"), "{}", done.stderr);
    assert!(sent(&ctx).is_empty());
}

/// What a run says that may not read users.
const NOT_LOOKED_UP: &str = "users can't be looked up before the run: the token does not have the permission \
     User.Read.All. Guests given by object ID, unknown users, administrators and users listed under two IDs \
     are not recognized\n";

#[test]
fn without_read_permission_the_run_warns_and_continues() {
    let ctx = TestContext::new("");
    // With one row there is nothing to compare: no user is looked up, and no notice is printed.
    let input = ctx.input("one.txt", "ann@contoso.com\n");
    let done = ctx.run(&input, &["--output-dir", "alone"]);
    assert!(!done.exits(0).stderr.contains("looked up"), "{}", done.stderr);
    assert_eq!((ctx.stats().requests, ctx.stats().reads), (1, 0));
    let input = ctx.input("users.txt", "bea@contoso.com\ncem@contoso.com\n");
    let done = ctx.run(&input, &[]);
    done.exits(0);
    assert_eq!(done.stderr.matches(NOT_LOOKED_UP).count(), 1, "{}", done.stderr);
    let stats = ctx.stats();
    assert_eq!(
        (stats.requests, stats.reads, stats.effects),
        (4, 1, 3),
        "one read, and it costs nobody anything"
    );
    for user in ["bea@contoso.com", "cem@contoso.com"] {
        assert_eq!(ctx.run_folder().row(user)["display_name"], "");
    }
}

#[test]
fn priority_lists_and_administrators_go_first() {
    let toml = directory(7)
        + &group("Board", &[upn(4)])
        + "[[directory.role]]\nname = \"User Administrator\"\nactive = [\"user5@contoso.example\"]\n";
    let ctx = TestContext::new(&toml);
    let input = ctx.input("users.txt", [1, 2, 4, 5].map(upn).join("\n"));
    let args = ["--first", "group:Board", "--admins-first", "--dry-run", "-o", "csv"];
    let done = ctx.run(&input, &args);
    done.exits(0);
    let rows = read_csv(&done.stdout);
    let orders: Vec<&str> = rows.iter().map(|row| row["order"].as_str()).collect();
    assert_eq!(orders, ["3", "4", "1", "2"]);
    assert_eq!(rows[3]["roles"], "User Administrator");
}
