//! What a person sees, as snapshots, so that every change of text is reviewed.
//!
//! A snapshot has a command, its output and its exit code. To accept new ones, run the tests with `INSTA_UPDATE=always`
//! and read the difference that git shows.
#![cfg(unix)]

mod errors;
mod help;
mod screens;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::ctx::{CommandResult, TestContext};

/// What differs from run to run, and what stands in its place.
const FILTERS: [(&str, &str); 17] = [
    (r"(127\.0\.0\.1|localhost|\[::1\]):\d+", "$1:PORT"),
    (r"/\S*/\.tmp[A-Za-z0-9]{6}", "DIR"),
    (r"\d{8}T\d{6}Z-[0-9a-f]{8}", "RUN"),
    (r"resuming run [0-9a-f]{8}", "resuming run ID"),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME"),
    (r"\b\d\d:\d\d:\d\dZ?", "TIME"),
    (r"(Trace|Correlation) ID: [0-9a-f-]+", "$1 ID: GUID"),
    (r"\b[0-9a-f]{64}\b", "SHA256"),
    (r"\b[0-9a-f]{4}( [0-9a-f]{4}){3,}\b", "FINGERPRINT"),
    (r"(Took|answers in|a token in) \d[\d.]*( ?(ms|µs|s)|m\d+s)", "$1 N ms"),
    (r"  in \d+s", "  in Ns"),
    (r"in 59m5\ds|in 1h00m\d*s?", "in an hour"),
    // A run of less than a millisecond has no rate.
    (r"( requests?)( \([\d.,]+/s\))?", "$1"),
    (r"entra-revoke \d+\.\d+\.\d+\S* for \S+;", "entra-revoke VERSION for SYSTEM;"),
    (r"entra-revoke \d+\.\d+\.\d+", "entra-revoke VERSION"),
    (r"\d+ GiB free", "N GiB free"),
    (r"(TIME  WARN \S+: .* wait_s=)[\d.]+", "${1}N"),
];

/// A command and what it showed, as a page.
fn page(ctx: &TestContext, command: &mut Command) -> String {
    let done = ctx.finish(command);
    format!("$ {}\n{}", line(command), shown(&done))
}

/// The command as a person types it, without what points it at the simulator.
fn line(command: &Command) -> String {
    let mut words = vec!["entra-revoke".to_owned()];
    for arg in command.get_args().map(|arg| arg.to_string_lossy()) {
        if arg.starts_with("http://127.0.0.1:") && words.last().is_some_and(|last| last.ends_with("-url")) {
            words.pop();
        } else if arg.contains(|c: char| " *#(\t".contains(c)) {
            words.push(format!("'{arg}'"));
        } else {
            words.push(arg.into_owned());
        }
    }
    words.join(" ")
}

/// What a command printed on both streams, and its exit code.
fn shown(done: &CommandResult) -> String {
    let mut text = done.stdout.clone();
    if !done.stderr.is_empty() {
        text += &format!("[stderr]\n{}", done.stderr);
    }
    if done.code != Some(0) {
        text += &format!("[exit code {}]\n", done.code.unwrap());
    }
    text
}

/// Compares a page with its snapshot.
#[track_caller]
fn assert_page(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, with) in FILTERS {
        settings.add_filter(pattern, with);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Compares several pages with one snapshot.
#[track_caller]
fn assert_pages(name: &str, pages: &[String]) {
    assert_page(name, &pages.join("\n"));
}

/// `name` with nothing that would answer a question, a ready token, and the simulator as Graph.
fn verb(ctx: &TestContext, name: &str) -> Command {
    let mut command = ctx.command_without_token(name);
    command.env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN).stdin(Stdio::null());
    command.args(["--graph-url", &ctx.simulator.url(), "--authority-url", &ctx.simulator.url()]);
    command
}

/// Runs `run FILE --dry-run` over a file with this name and text, which is how a person meets its errors.
fn dry_run(ctx: &TestContext, name: &str, text: &[u8], args: &[&str]) -> String {
    let _: std::path::PathBuf = ctx.input(name, text);
    page(ctx, verb(ctx, "run").arg(Path::new(name)).arg("--dry-run").args(args))
}
