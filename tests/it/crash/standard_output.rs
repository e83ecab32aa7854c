//! Standard output that is not read, is closed, or can't be written to: the run continues, and its reports are written.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::crash::help::{begun, end, signal, until};
use crate::ctx::{RunDir, TestContext, read_csv};

/// Users with a cell so long that a few of their rows fill a pipe, and one row that is left out.
fn long_rows(ctx: &TestContext, count: usize) -> PathBuf {
    let pad = "x".repeat(12_000);
    let rows: String = (0..count).map(|n| format!("user{n:04}@contoso.com,{pad}\n")).collect();
    ctx.input("users.csv", format!("upn,pad\n{rows}nobody,\n"))
}

/// Starts a command whose standard output is a pipe; the caller reads it, or does not.
fn start(ctx: &TestContext, command: &mut Command) -> (Child, PipeReader) {
    let (reader, writer) = std::io::pipe().unwrap();
    command.current_dir(ctx.dir.path()).stdout(writer).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // The command keeps the writer, and the pipe open with it.
    command.stdout(Stdio::null());
    (child, reader)
}

fn start_run(ctx: &TestContext, count: usize, args: &[&str]) -> (Child, PipeReader) {
    let input = long_rows(ctx, count);
    start(ctx, ctx.command("run").arg(input).args(["--progress", "none", "-j", "8"]).args(args))
}

/// Waits for the reports while the process lives.
#[track_caller]
fn reports_are_made(ctx: &TestContext, child: &mut Child) -> RunDir {
    let folder = begun(ctx);
    until("the reports are made", || folder.path.join("manifest.json").exists());
    assert!(child.try_wait().unwrap().is_none(), "it ended, and the rows went nowhere");
    folder
}

/// User and outcome of each row on standard output, in order.
fn rows_of(output: &str, text: &str) -> Vec<(String, String)> {
    let json = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    match output {
        "jsonl" => text.lines().map(json).map(|row| (word(&row["input"]), word(&row["outcome"]))).collect(),
        _ => read_csv(text).into_iter().map(|row| (row["input"].clone(), row["outcome"].clone())).collect(),
    }
}

/// All rows stand there once: the one left out first, those never settled last.
#[track_caller]
fn every_row_once(output: &str, text: &str, count: usize, revoked: usize) {
    let rows = rows_of(output, text);
    assert_eq!(rows.len(), count + 1);
    assert_eq!(rows.iter().map(|(input, _)| input).collect::<BTreeSet<_>>().len(), count + 1);
    assert_eq!(rows[0].0, "nobody");
    for (place, (input, outcome)) in rows.iter().enumerate().skip(1) {
        let expected = if place <= revoked { "revoked" } else { "not_attempted" };
        assert_eq!(outcome, expected, "{input} in place {place}");
    }
}

#[test]
fn a_paused_reader_does_not_delay_the_run() {
    for output in ["jsonl", "csv"] {
        let ctx = TestContext::new("");
        let (mut child, mut reader) = start_run(&ctx, 40, &["-o", output, "--rate", "1000/s"]);
        until("all are revoked", || ctx.stats().effects == 40);
        let folder = reports_are_made(&ctx, &mut child);
        assert_eq!(folder.rows().len(), 41);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        end(child).exits(3);
        every_row_once(output, &text, 40, 40);
    }
}

#[test]
fn a_signal_stops_sending_even_if_output_is_blocked() {
    for output in ["jsonl", "csv"] {
        let ctx = TestContext::new("latency = '200ms'");
        let (mut child, mut reader) = start_run(&ctx, 200, &["-o", output, "--rate", "1000/s"]);
        until("the pipe is full", || ctx.stats().effects >= 24);
        signal(&child, Signal::TERM);
        let folder = reports_are_made(&ctx, &mut child);
        assert_eq!(folder.summary()["exit_code"], 143);
        let revoked = ctx.stats().effects as usize;
        assert!(revoked < 200, "sent on after the signal");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let done = end(child);
        done.exits(143);
        assert!(done.stderr.contains("terminated"), "{}", done.stderr);
        every_row_once(output, &text, 200, revoked);
    }
}

#[test]
fn a_second_signal_ends_the_run_even_if_output_is_blocked() {
    let ctx = TestContext::new("latency = '200ms'");
    let (mut child, _reader) = start_run(&ctx, 200, &["-o", "jsonl", "--rate", "1000/s"]);
    until("the pipe is full", || ctx.stats().effects >= 24);
    signal(&child, Signal::INT);
    let folder = reports_are_made(&ctx, &mut child);
    assert_eq!(folder.summary()["exit_code"], 130);
    signal(&child, Signal::INT);
    end(child).exits(130);
}

#[test]
fn a_deadline_stops_sending_even_if_output_is_blocked() {
    let ctx = TestContext::new("");
    let args = ["-o", "jsonl", "--rate", "20/s", "--burst", "10", "--deadline", "1s"];
    let (mut child, reader) = start_run(&ctx, 100, &args);
    let folder = reports_are_made(&ctx, &mut child);
    assert_eq!(folder.summary()["stopped"]["reason"], "deadline");
    assert_eq!(folder.rows().len(), 101);
    drop(reader);
    end(child).exits(5);
}

#[test]
fn a_reader_that_closes_early_is_not_an_error() {
    let ctx = TestContext::new("");
    let head = |command: &mut Command| {
        let (child, reader) = start(&ctx, command);
        let mut line = String::new();
        BufReader::new(reader).read_line(&mut line).unwrap();
        assert!(!line.is_empty());
        let done = end(child);
        assert!(!done.stderr.contains("error"), "{}", done.stderr);
        done
    };
    let input = long_rows(&ctx, 40);
    for (place, output) in ["jsonl", "csv"].into_iter().enumerate() {
        head(ctx.command("run").arg(&input).args(["--dry-run", "-o", output])).exits(0);
        head(ctx.command("run").arg(&input).args(["-o", output, "--output-dir", output])).exits(3);
        assert_eq!(ctx.stats().effects as usize, 40 * (place + 1), "{output}");
        let folder = ctx.dir.path().join(output).read_dir().unwrap().next().unwrap().unwrap();
        let folder = RunDir { path: folder.path() };
        assert_eq!(folder.rows().len(), 41);
        head(ctx.command_without_token("report").arg(&folder.path).args(["-o", output])).exits(0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_failed_write_to_standard_output_is_reported() {
    let ctx = TestContext::new("");
    let full = |command: &mut Command, code: i32| {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let done = end(child);
        done.exits(code);
        let told = done.stderr.lines().filter(|line| line.contains("No space left")).count();
        assert_eq!(told, 1, "{}", done.stderr);
    };
    let input = ctx.input("users.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\nnobody\n");
    let good = ctx.input("good.txt", "a@contoso.com\nb@contoso.com\nc@contoso.com\n");
    for (place, output) in ["jsonl", "csv", "json", "text"].into_iter().enumerate() {
        full(ctx.command("run").arg(&input).args(["--dry-run", "-o", output]), 1);
        // Not done, done, and stopped: only the last has a code that says more.
        for (input, code) in [(&input, 3), (&good, 0)] {
            let dir = format!("{output}-{code}");
            full(ctx.command("run").arg(input).args(["-o", output, "--output-dir", &dir]), 1);
            let folder = ctx.dir.path().join(dir).read_dir().unwrap().next().unwrap().unwrap();
            let folder = RunDir { path: folder.path() };
            assert_eq!(folder.summary()["exit_code"], code);
            assert_eq!(folder.summary()["outcomes"]["revoked"], 3);
            full(ctx.command_without_token("report").arg(&folder.path).args(["-o", output]), 1);
        }
        assert_eq!(ctx.stats().effects as usize, 6 * (place + 1), "{output}");
        full(ctx.command("run").arg(&input).args(["-o", output, "--max-users", "2"]), 5);
    }
}
