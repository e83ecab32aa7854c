//! The command line: what it refuses, what it reads, and what it prints where.

use crate::ctx;

use std::io::Write;
use std::process::Stdio;

use crate::ctx::{CommandResult, RunDir, TestContext, read_csv};
use serde_json::Value;

#[test]
fn invalid_arguments_are_refused_with_help() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    for (args, says) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--halt", "10%"], "fail=10%"),
        (&["--accept", "gone"], "not_found"),
        (&["-o", "xml"], "jsonl"),
        (&["--rate", "fast"], "--rate"),
        (&["--cloud", "mars"], "usgov"),
        (&["-j", "0"], "--jobs"),
        (&["--deadline", "soon"], "--deadline"),
        (&["--match", "Department"], "--match"),
        (&["--skip", "F=("], "--skip"),
        (&["--delimiter", "ab"], "--delimiter"),
        (&["--encoding", "klingon"], "--encoding"),
        (&["--graph-url", "http://graph.example.com"], "--graph-url"),
        (&["--graph-url", "https://user:pw@graph.example.com"], "--graph-url"),
        (&["--progress", "none", "--no-progress"], "--no-progress"),
        (&["--ca-cert", "missing.pem", "--yes"], "--ca-cert"),
        (&["--column", "Nowhere"], "Nowhere"),
    ] {
        let done = ctx.finish(
            ctx.command_without_token("run").env("ENTRA_REVOKE_TOKEN", ctx::TOKEN).arg(&input).args(args),
        );
        done.exits(2);
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
    }
    ctx.finish(&mut ctx.command_without_token("run")).exits(2);
    ctx.finish(&mut ctx.command_without_token("no-such-verb")).exits(2);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn help_has_groups_and_examples() {
    let ctx = TestContext::new("");
    let help = |verb: &str| ctx.finish(ctx.command_without_token(verb).arg("--help")).exits(0).stdout.clone();
    let groups = ["Input:", "Safety:", "Sending:", "Evidence:", "Output:", "Examples:"];
    for (verb, headings) in [("run", &["Sign-in:", "Network:"][..]), ("drill", &["Simulator:"])] {
        let text = help(verb);
        for heading in groups.iter().chain(headings) {
            assert!(text.contains(heading), "{verb} has no {heading}");
        }
    }
    for heading in ["Sending:", "Sign-in:", "Network:", "Output:", "Examples:"] {
        assert!(help("resume").contains(heading), "resume has no {heading}");
    }
    assert!(help("simulator").contains("Examples:") && help("report").contains("Output:"));
}

const MIXED: &str = "upn,n\na@contoso.com,1\nb@contoso.com,2\nA@contoso.com,3\nnobody,4\ngone@contoso.com,5\n\
                     boss@contoso.com,6\n";
const MIXED_ARGS: [&str; 4] = ["--protect", "boss@contoso.com", "--column", "upn"];

#[test]
fn results_stream_every_row_exactly_once() {
    let ctx = TestContext::new("unknown = ['gone@*']");
    let input = ctx.input("users.csv", MIXED);
    let run = |output: &str| {
        let done = ctx.run(&input, &[&MIXED_ARGS[..], &["-o", output]].concat());
        done.exits(3);
        done.stdout
    };
    let jsonl = run("jsonl");
    let mut lines: Vec<u64> = jsonl
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["line"].as_u64().unwrap())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7]);
    let csv = run("csv");
    let rows = read_csv(&csv);
    let mut lines: Vec<&str> = rows.iter().map(|row| row["line"].as_str()).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["2", "3", "4", "5", "6", "7"]);
    let summary: Value = serde_json::from_str(&run("json")).unwrap();
    assert_eq!(summary["rows"], 6);
    assert!(run("text").contains("revoked"));
    assert_eq!(run("none"), "");
}

#[test]
fn a_closed_standard_output_does_not_stop_the_run() {
    for output in ["jsonl", "csv", "json", "text"] {
        let ctx = TestContext::new("");
        let users: String = (0..30).map(|n| format!("u{n}@contoso.com\n")).collect();
        let input = ctx.input("users.txt", users);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = ctx.command("run");
        let run =
            command.arg(&input).args(["-o", output]).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        drop(command);
        CommandResult::from(run.wait_with_output().unwrap()).exits(0);
        assert_eq!(ctx.stats().effects, 30, "{output}");
        assert_eq!(ctx.run_folder().rows().len(), 30, "{output}");
    }
}

#[test]
fn a_dry_run_sends_and_writes_nothing() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.csv", MIXED);
    for output in ["text", "json", "jsonl", "csv", "none"] {
        let mut command = ctx.command_without_token("run");
        command.arg(&input).args(MIXED_ARGS).args(["--dry-run", "-o", output]);
        ctx.finish(&mut command).exits(0);
    }
    assert_eq!((ctx.stats().requests, ctx.stats().token_requests), (0, 0));
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn strict_refuses_an_invalid_row() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.csv", MIXED);
    let done = ctx.run(&input, &[&MIXED_ARGS[..], &["--strict"]].concat());
    done.exits(2);
    assert!(done.stderr.contains("nobody") || done.stderr.contains('5'), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 0);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn files_and_standard_input_are_combined() {
    let ctx = TestContext::new("");
    let first = ctx.input("first.txt", "a@contoso.com\nb@contoso.com\n");
    let second = ctx.input("second.csv", "upn,x\nB@contoso.com,1\nc@contoso.com,2\n");
    let mut command = ctx.command("run");
    command.arg(&first).arg("-").arg(&second).stdin(Stdio::piped());
    let mut run = ctx.start(&mut command);
    run.stdin.take().unwrap().write_all(b"d@contoso.com\na@contoso.com\n").unwrap();
    CommandResult::from(run.wait_with_output().unwrap()).exits(0);
    let ledger = ctx.ledger();
    let ids: Vec<&str> = ledger.users.iter().map(|user| user.id.as_str()).collect();
    assert_eq!(ids, ["a@contoso.com", "b@contoso.com", "c@contoso.com", "d@contoso.com"]);
    let words: Vec<String> = ctx.run_folder().rows().iter().map(|row| row["outcome"].clone()).collect();
    assert_eq!(words.iter().filter(|word| *word == "duplicate").count(), 2, "{words:?}");
    assert_eq!(words.len(), 6);
}

/// Gives standard input this text through a pipe, and ends it.
fn piped(ctx: &TestContext, command: &mut std::process::Command, text: &str) -> CommandResult {
    let mut run = ctx.start(command.stdin(Stdio::piped()));
    // A command that is refused before it reads closes the pipe.
    let _ = run.stdin.take().expect("it is piped").write_all(text.as_bytes());
    CommandResult::from(run.wait_with_output().expect("the binary ends"))
}

#[test]
fn an_unterminated_last_line_of_a_pipe_is_invalid() {
    for (text, cut) in [
        ("a@contoso.com\nann@contoso.co", true),
        ("a@contoso.com\nann@contoso.co\n", false),
        ("a@contoso.com\r\nann@contoso.co\r\n", false),
        ("upn,dept\na@contoso.com,IT\nann@contoso.co,Sal", true),
        ("upn\n\"a@contoso.com\"\n\"ann@contoso.co\"", true),
        ("[\"a@contoso.com\", \"ann@contoso.co\"]", false),
    ] {
        let ctx = TestContext::new("");
        let done = piped(&ctx, ctx.command("run").arg("-"), text);
        let rows = ctx.run_folder().outcomes();
        assert_eq!(rows["a@contoso.com"], "revoked", "{text:?}");
        assert_eq!(rows["ann@contoso.co"], if cut { "invalid" } else { "revoked" }, "{text:?}");
        done.exits(if cut { 3 } else { 0 });
        assert_eq!(done.stderr.contains("the last line has no line end"), cut, "{done:?}");
        // If the file is run again as it is, the text must not become a user's ID.
        if cut && !text.contains(',') {
            let remaining = ctx.run_folder().path.join("remaining.csv");
            let again = ctx.run(&remaining, &["--output-dir", "again"]);
            assert!(matches!(again.code, Some(2 | 3)), "{again:?}");
            assert_eq!(ctx.ledger().users.len(), 1, "{text:?}");
        }
    }
    // A file is whole where it ends.
    let ctx = TestContext::new("");
    let file = ctx.input("users.txt", "a@contoso.com\nann@contoso.co");
    let redirected = Stdio::from(std::fs::File::open(&file).unwrap());
    ctx.finish(ctx.command("run").arg("-").stdin(redirected)).exits(0);
    assert_eq!(ctx.ledger().users.len(), 2);
    ctx.run(&file, &[]).exits(0);
}

#[cfg(unix)]
#[test]
fn a_protect_list_through_a_pipe_must_end_with_a_line_end() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "ann@contoso.com\nb@contoso.com\n");
    let mut command = ctx.command("run");
    command.arg(&input).args(["--no-lookup", "--protect", "/dev/stdin"]);
    let done = piped(&ctx, &mut command, "boss@contoso.com\nann@contoso.co");
    done.exits(2);
    assert!(done.stderr.contains("line 2") && done.stderr.contains("no line end"), "{}", done.stderr);
    assert_eq!(ctx.stats().requests, 0);
    // A whole one protects, although a pipe can be read once alone.
    let mut command = ctx.command("run");
    command.arg(&input).args(["--no-lookup", "--protect", "/dev/stdin"]);
    piped(&ctx, &mut command, "boss@contoso.com\nann@contoso.com\n").exits(0);
    assert_eq!(ctx.stats().revocations, 1);
}

#[test]
fn rows_are_selected_by_position_and_content() {
    let table: String = std::iter::once("upn,dept\n".to_owned())
        .chain((0..6).map(|n| format!("u{n}@contoso.com,{}\n", if n % 2 == 0 { "Sales" } else { "IT" })))
        .collect();
    for (args, expected) in [
        (&["--match", "dept=^Sales$"][..], &["u0", "u2", "u4"][..]),
        (&["--skip", "dept=^Sales$"], &["u1", "u3", "u5"]),
        (&["--match", "dept=^Sales$", "--skip", "upn=^u2"], &["u0", "u4"]),
        (&["--skip-rows", "4"], &["u4", "u5"]),
        (&["--max-rows", "2"], &["u0", "u1"]),
        (&["--skip-rows", "1", "--max-rows", "2"], &["u1", "u2"]),
        (&["--column", "upn", "--exclude", "u1@contoso.com", "--max-rows", "3"], &["u0", "u2"]),
    ] {
        let ctx = TestContext::new("");
        let input = ctx.input("users.csv", &table);
        ctx.run(&input, args).exits(0);
        let ledger = ctx.ledger();
        let sent: Vec<&str> = ledger.users.iter().filter_map(|user| user.id.split('@').next()).collect();
        assert_eq!(sent, expected, "{args:?}");
    }
}

#[test]
fn the_column_of_ids_can_be_named_or_numbered() {
    for column in ["Login", "login", "2"] {
        let ctx = TestContext::new("");
        let input = ctx.input("users.csv", "mail,Login\nwrong@contoso.com,right@contoso.com\n");
        ctx.run(&input, &["--column", column]).exits(0);
        let ledger = ctx.ledger();
        assert_eq!(ledger.users.len(), 1);
        assert_eq!(ledger.users[0].id, "right@contoso.com", "{column}");
    }
}

#[test]
fn priority_sets_the_order() {
    let ctx = TestContext::new("");
    let table =
        "upn,urgency\nlast@contoso.com,9\nsecond@contoso.com,2\nfirst@contoso.com,1\nthird@contoso.com,3\n";
    let input = ctx.input("users.csv", table);
    ctx.run(&input, &["--priority-column", "urgency", "-j", "1"]).exits(0);
    let mut users = ctx.ledger().users;
    users.sort_by(|a, b| a.first_s.total_cmp(&b.first_s));
    let order: Vec<&str> = users.iter().filter_map(|user| user.id.split('@').next()).collect();
    assert_eq!(order, ["first", "second", "third", "last"]);
}

#[test]
fn a_rebuilt_report_is_identical() {
    let ctx = TestContext::new("unknown = ['gone@*']");
    let input = ctx.input("users.csv", MIXED);
    ctx.run(&input, &MIXED_ARGS).exits(3);
    let folder = ctx.run_folder();
    let read = |folder: &RunDir| -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder.path)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap())
            })
            .collect();
        files.sort();
        files
    };
    let before = read(&folder);
    let made = ctx.finish(ctx.command_without_token("report").arg(&folder.path).args(["-o", "csv"]));
    made.exits(0);
    assert_eq!(made.stdout, folder.text("report.csv"));
    let after = read(&folder);
    let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert!(before == after, "{name} is another one");
    }
    ctx.finish(ctx.command_without_token("report").arg("nowhere")).exits(2);
}

#[test]
fn https_needs_a_trusted_certificate() {
    let ctx = TestContext::new("tls = true");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    let done = ctx.run(&input, &["--retries", "0"]);
    done.exits(3);
    let row = ctx.run_folder().row("a@contoso.com");
    assert_eq!(row["outcome"], "failed", "{row:#?}");
    assert!(row["detail"].to_lowercase().contains("certificate"), "{row:#?}");
    assert_eq!(ctx.stats().requests, 0);
    let ca = ctx.input("ca.pem", ctx.simulator.ca_pem().unwrap());
    let args = ["--ca-cert", ca.to_str().unwrap(), "--output-dir", "trusted", "-vvv"];
    ctx.run(&input, &args).exits(0);
    assert_eq!(ctx.stats().effects, 1);
}

#[cfg(unix)]
#[test]
fn a_low_file_limit_reduces_jobs_without_failures() {
    let ctx = TestContext::new("latency = \"50ms\"");
    let users: String = (0..150).map(|n| format!("user{n}@contoso.com\n")).collect();
    let input = ctx.input("users.txt", users);
    let run = ctx.command("run");
    let mut command = std::process::Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -n 32; exec \"$0\" \"$@\""])
        .arg(run.get_program())
        .args(run.get_args())
        .arg(&input);
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(ctx.dir.path()).stdin(std::process::Stdio::null());
    let done = ctx.finish(&mut command);
    done.exits(0);
    assert!(done.stderr.contains("ulimit -n"), "{}", done.stderr);
    assert_eq!(ctx.stats().revocations, 150, "requests that never left were counted, or some left twice");
}

#[test]
fn invalid_numbers_are_refused() {
    let ctx = TestContext::new("");
    let input = ctx.input("users.txt", "a@contoso.com\n");
    for speed in ["nan", "inf", "0", "1e-300", "1e300"] {
        let done = ctx.finish(ctx.command_without_token("drill").args(["--users", "2", "--speed", speed]));
        done.exits(2);
        assert!(done.stderr.contains("--speed"), "{speed}: {}", done.stderr);
    }
    for args in [["--timeout", "0s"], ["--max-rows", "0"], ["--burst", "0"], ["--rate", "0/s"]] {
        let done = ctx.run(&input, &args);
        done.exits(2);
        assert!(done.stderr.contains(args[0]), "{args:?}: {}", done.stderr);
    }
    assert_eq!(ctx.stats().requests, 0);
    assert!(ctx.run_folders().is_empty());
}

#[test]
fn extreme_numbers_are_accepted() {
    let u32_max = &u32::MAX.to_string();
    let u64_max = &u64::MAX.to_string();
    for args in [
        &["--rate", "1/h", "--burst", u32_max][..],
        &["--retries", u32_max, "--max-users", u32_max, "--max-rows", u64_max, "-j", "65535"],
        &["--deadline", "100000h", "--timeout", "100000h"],
        &["--rate", "4000000000/s", "--burst", u32_max],
    ] {
        let ctx = TestContext::new("");
        let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\n");
        let done = ctx.run(&input, args);
        assert!(matches!(done.code, Some(0 | 2)), "{args:?}: {done:?}");
        assert_eq!(ctx.stats().effects, if done.code == Some(0) { 3 } else { 0 }, "{args:?}");
        assert!(!done.stderr.contains("panicked"), "{args:?}: {}", done.stderr);
    }
}
