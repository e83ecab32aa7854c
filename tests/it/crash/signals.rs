//! SIGINT, SIGTERM and `--deadline`: the run stops sending, waits for requests in flight, and keeps the rest.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::crash::help::{all_were_revoked, begun, end, no_claim_is_false, resume, signal, start_run, until};
use crate::ctx::{CommandResult, RunDir, TestContext, read_csv};

/// Far below any time-out, and far above what ending takes.
const PROMPT: Duration = Duration::from_secs(8);

/// Every row is either revoked or in `remaining.csv`, which can be an input again.
#[track_caller]
fn the_rest_is_kept(ctx: &TestContext, folder: &RunDir, count: usize) -> usize {
    no_claim_is_false(ctx, folder);
    let rows = folder.rows();
    assert_eq!(rows.len(), count);
    let remaining = read_csv(&folder.text("remaining.csv")).len();
    let revoked = rows.iter().filter(|row| row["outcome"] == "revoked").count();
    assert_eq!(revoked + remaining, count);
    remaining
}

#[track_caller]
fn stopped_by(which: Signal, code: i32) {
    let ctx = TestContext::new("latency = '400ms'");
    let child = start_run(&ctx, 60, &["-j", "8", "--rate", "1000/s"]);
    until("requests are in flight", || ctx.stats().in_flight == 8);
    signal(&child, which);
    let done = end(child);
    done.exits(code);
    assert!(done.stderr.contains("waiting for requests in flight"), "{}", done.stderr);

    let folder = ctx.run_folder();
    let stats = ctx.stats();
    // Answers that were there at the same moment may have let one more round go.
    assert!(stats.revocations <= 16, "sent on after the signal: {stats:?}");
    assert_eq!(stats.effects, stats.revocations, "somebody in flight was not waited for");
    let remaining = the_rest_is_kept(&ctx, &folder, 60);
    assert_eq!(remaining as u64, 60 - stats.revocations);
    assert!(folder.rows().iter().all(|row| ["revoked", "not_attempted"].contains(&row["outcome"].as_str())));
    assert_eq!(folder.summary()["exit_code"], code);
    assert_eq!(folder.journal().last().unwrap()["event"], "ended");

    resume(&ctx, &folder.path, &["--rate", "1000/s", "-j", "30"]).exits(0);
    all_were_revoked(&ctx, 60);
    assert_eq!(ctx.stats().revocations, 60, "somebody was sent twice");
    assert_eq!(the_rest_is_kept(&ctx, &folder, 60), 0);
}

#[test]
fn sigint_stops_sending_and_waits_for_requests_in_flight() {
    stopped_by(Signal::INT, 130);
}

#[test]
fn sigterm_stops_sending_and_waits_for_requests_in_flight() {
    stopped_by(Signal::TERM, 143);
}

#[test]
fn sighup_stops_sending_and_waits_for_requests_in_flight() {
    stopped_by(Signal::HUP, 143);
}

/// Under `nohup` a run is meant to outlive its terminal.
#[cfg(target_os = "linux")]
#[test]
fn an_ignored_sighup_stays_ignored() {
    let ctx = TestContext::new("latency = '300ms'");
    let input = ctx.input("users.txt", crate::crash::help::users(12));
    let mut run = ctx.command("run");
    run.arg(input).args(["-j", "4", "--rate", "1000/s", "--progress", "none"]);
    let mut nohup = std::process::Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(run.get_program()).args(run.get_args());
    nohup.current_dir(ctx.dir.path()).env("ENTRA_REVOKE_TOKEN", crate::ctx::TOKEN);
    let child = ctx.start(&mut nohup);
    until("requests are in flight", || ctx.stats().in_flight == 4);
    signal(&child, Signal::HUP);
    end(child).exits(0);
    all_were_revoked(&ctx, 12);
}

/// Reads standard error until it says that a first signal came.
#[track_caller]
fn first_signal_is_heard(child: &mut Child) -> BufReader<impl Read + use<>> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("press again to end at once") {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended after one signal");
    }
    stderr
}

#[track_caller]
fn ended_at_once_by(first: Signal, second: Signal, code: i32) {
    let ctx = TestContext::new("[[fault]]\nanswer = 'hang-before'");
    let mut child = start_run(&ctx, 30, &["-j", "8", "--rate", "1000/s", "--timeout", "10m"]);
    until("requests hang", || ctx.stats().in_flight == 8);
    signal(&child, first);
    let _stderr = first_signal_is_heard(&mut child);
    let asked = Instant::now();
    signal(&child, second);
    end(child).exits(code);
    assert!(asked.elapsed() < PROMPT, "it took {:?}", asked.elapsed());

    let folder = RunDir { path: ctx.run_folders().remove(0) };
    assert_eq!(ctx.stats().revocations, 8);
    ctx.simulator.change_config("fault = []").unwrap();
    resume(&ctx, &folder.path, &[]).exits(0);
    all_were_revoked(&ctx, 30);
    assert_eq!(the_rest_is_kept(&ctx, &folder, 30), 0);
    assert!(folder.rows().iter().filter(|row| row["attempts"] == "2").count() == 8);
}

#[test]
fn a_second_interrupt_ends_the_run_immediately() {
    ended_at_once_by(Signal::INT, Signal::INT, 130);
}

#[test]
fn a_second_different_signal_ends_the_run_immediately() {
    ended_at_once_by(Signal::INT, Signal::TERM, 143);
}

const THROTTLED: &str = "[[fault]]\nanswer = 429\nretry_after = '600'\nafter = 0";

#[test]
fn a_signal_during_a_throttling_wait_ends_the_run() {
    let ctx = TestContext::new(THROTTLED);
    let child = start_run(&ctx, 20, &["-j", "4"]);
    until("the gate is closed", || ctx.stats().throttled >= 1 && ctx.stats().in_flight == 0);
    let folder = begun(&ctx);
    until("the journal knows", || folder.text("journal.jsonl").contains("\"throttled\""));
    let asked = Instant::now();
    signal(&child, Signal::INT);
    end(child).exits(130);
    assert!(asked.elapsed() < PROMPT, "it took {:?}", asked.elapsed());
    the_rest_is_kept(&ctx, &folder, 20);
    let words: Vec<String> = folder.rows().into_iter().map(|row| row["outcome"].clone()).collect();
    assert!(words.iter().any(|word| word == "throttled_out"), "{words:?}");
    assert!(words.iter().all(|word| word == "throttled_out" || word == "not_attempted"), "{words:?}");
}

#[test]
fn a_deadline_stops_sending_and_keeps_the_rest() {
    let ctx = TestContext::new("latency = '20ms'");
    let done: CommandResult =
        end(start_run(&ctx, 40, &["--rate", "10/s", "--burst", "1", "--deadline", "1s"]));
    done.exits(5);
    let folder = ctx.run_folder();
    let remaining = the_rest_is_kept(&ctx, &folder, 40);
    assert!((20..40).contains(&remaining), "{remaining} are left");
    assert_eq!(folder.summary()["exit_code"], 5);
    resume(&ctx, &folder.path, &["--rate", "1000/s", "--burst", "40"]).exits(0);
    all_were_revoked(&ctx, 40);
    assert_eq!(ctx.stats().revocations, 40);
}

#[test]
fn a_wait_beyond_the_deadline_ends_the_run_immediately() {
    let ctx = TestContext::new(THROTTLED);
    let began = Instant::now();
    let done = end(start_run(&ctx, 20, &["-j", "4", "--deadline", "5m"]));
    done.exits(5);
    assert!(began.elapsed() < PROMPT, "it took {:?}", began.elapsed());
    the_rest_is_kept(&ctx, &ctx.run_folder(), 20);
}
