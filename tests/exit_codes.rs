//! Each exit code, and what turns one into another.

mod stage;

use std::path::PathBuf;

use stage::Stage;

fn users(stage: &Stage, count: usize) -> PathBuf {
    let users: String = (0..count).map(|n| format!("u{n:02}@contoso.com\n")).collect();
    stage.input("users.txt", users)
}

#[test]
fn accepted_words_count_as_done() {
    let stage = Stage::new("unknown = ['u00@*']\nexternal = ['u01@*']\ndeny = ['u02@*']");
    let input = stage.input("users.txt", "u00@contoso.com\nu01#EXT#@contoso.com\nu02@contoso.com\nnobody\n");
    stage.run(&input, &[]).exits(3);
    stage.run(&input, &["--accept", "not_found,accepted_no_effect"]).exits(3);
    let all = ["--accept", "not_found,accepted_no_effect", "--accept", "forbidden,invalid"];
    let without_invalid =
        stage.input("fewer.txt", "u00@contoso.com\nu01#EXT#@contoso.com\nu02@contoso.com\n");
    stage.run(&without_invalid, &all).exits(0);
}

#[test]
fn an_invalid_row_alone_is_not_done() {
    let stage = Stage::new("");
    let input = stage.input("users.txt", "a@contoso.com\nnobody\n");
    stage.run(&input, &[]).exits(3);
    assert_eq!(stage.stats().effects, 1);
    let duplicates = stage.input("twice.txt", "a@contoso.com\nA@contoso.com\n");
    stage.run(&duplicates, &["--exclude", "b@contoso.com"]).exits(0);
}

#[test]
fn a_run_halts_at_so_many_or_at_a_share() {
    for (rule, sent) in [("fail=3", 3), ("fail=10%", 4)] {
        let stage = Stage::new("unknown = ['*']");
        let input = users(&stage, 40);
        let done = stage.run(&input, &["-j", "1", "--halt", rule]);
        done.exits(5);
        assert!(done.stdout.contains("--halt"), "{}", done.stdout);
        assert_eq!(stage.stats().revocations, sent, "{rule}");
        let folder = stage.folder();
        assert_eq!(folder.summary()["exit_code"], 5);
        assert_eq!(folder.summary()["stopped"]["reason"], "halt");
        let left = folder.rows().iter().filter(|row| row["outcome"] == "not_attempted").count();
        assert_eq!(left as u64, 40 - sent, "{rule}");
    }
}

#[test]
fn what_is_accepted_halts_nothing() {
    let stage = Stage::new("unknown = ['*']");
    let input = users(&stage, 10);
    stage.run(&input, &["--halt", "fail=1", "--accept", "not_found"]).exits(0);
}

#[test]
fn more_users_than_allowed_send_nothing() {
    let stage = Stage::new("");
    let input = users(&stage, 6);
    let done = stage.run(&input, &["--max-users", "5"]);
    done.exits(5);
    assert!(done.stdout.contains("--max-users allows 5"), "{}", done.stdout);
    // Only the one read that finds out whether users can be looked up.
    let stats = stage.stats();
    assert_eq!((stats.revocations, stats.reads, stats.requests), (0, 1, 1));
    assert_eq!(stage.folder().summary()["stopped"]["reason"], "max_users");
    stage.run(&input, &["--max-users", "6"]).exits(0);
}

#[test]
fn without_a_terminal_a_run_needs_its_yes() {
    let stage = Stage::new("");
    let input = users(&stage, 2);
    let mut command = stage.bare("run");
    command.env("ENTRA_REVOKE_TOKEN", stage::TOKEN).args(["--graph-url", &stage.simulator.url()]).arg(&input);
    let done = stage.finish(&mut command);
    // A question goes to the controlling terminal, which a test may have.
    if done.code == Some(2) {
        assert!(done.stderr.contains("--yes"), "{}", done.stderr);
    }
    assert_ne!(done.code, Some(0));
    assert_eq!(stage.stats().requests, 0);
    assert!(stage.folders().is_empty());
}

#[test]
fn unreadable_input_is_refused() {
    let stage = Stage::new("");
    let binary: Vec<u8> = (0..=255).cycle().take(4096).collect();
    for input in [
        stage.dir.path().join("missing.csv"),
        stage.dir.path().to_owned(),
        stage.input("binary.csv", binary),
        stage.input("empty.csv", ""),
        stage.input("no-ids.csv", "name,age\nJo,3\nAl,4\n"),
    ] {
        let done = stage.run(&input, &[]);
        done.exits(2);
        assert!(done.stderr.starts_with("error: "), "{}", done.stderr);
    }
    assert_eq!(stage.stats().requests, 0);
    let input = users(&stage, 1);
    let done = stage.run(&input, &["--protect", "missing-list.txt"]);
    done.exits(2);
    assert!(done.stderr.contains("missing-list.txt"), "{}", done.stderr);
    assert_eq!(stage.stats().requests, 0);
    assert!(stage.folders().is_empty());
}

#[test]
fn a_place_that_can_not_be_written_is_a_runtime_failure() {
    let stage = Stage::new("");
    let input = users(&stage, 1);
    let taken = stage.input("taken", "a file");
    let done = stage.run(&input, &["--output-dir", taken.to_str().unwrap()]);
    done.exits(1);
    assert!(done.stderr.contains("taken"), "{}", done.stderr);
    let done = stage.run(&input, &["--log-file", "taken/run.log"]);
    done.exits(1);
    assert_eq!(stage.stats().requests, 0);
}
