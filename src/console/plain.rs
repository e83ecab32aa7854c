//! Progress as plain lines, for a pipe, a log file or a CI job: no escape codes, no carriage returns.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::tally::{Gate, Pace, Tally};
use super::wording;
use crate::harmless;

/// A run that ends within this shows its last line only.
const QUIET: Duration = Duration::from_secs(1);

/// Writes a line at the start, one every few seconds, and one whenever the gate closes or sending stops.
pub(super) struct Plain {
    out: Box<dyn Write + Send>,
    every: Duration,
    started: Timestamp,
    last: Option<Timestamp>,
    closings: u64,
    stopped: bool,
}

impl Plain {
    pub(super) fn new(out: Box<dyn Write + Send>, every: Duration, now: Timestamp) -> Plain {
        Plain { out, every, started: now, last: None, closings: 0, stopped: false }
    }

    /// Writes what is due.
    pub(super) fn show(&mut self, tally: &Tally, pace: Option<Pace>, now: Timestamp) {
        if passed(self.started, now) < QUIET.min(self.every) {
            return;
        }
        let mut lines = Vec::new();
        if self.last.is_none() {
            lines.push(start_line(tally, pace, now));
        }
        if tally.closings() > self.closings {
            self.closings = tally.closings();
            lines.extend(throttled(tally, now).map(|words| format!("{}  {words}", clock(now))));
        }
        if let (Some(why), false) = (tally.stopping(), self.stopped) {
            self.stopped = true;
            let why = harmless::excerpt(&why.to_string(), 300);
            lines.push(format!("{}  stopping: {why}; waiting for what is in flight", clock(now)));
        }
        let due = self.last.is_some_and(|last| passed(last, now) >= self.every);
        if due && tally.settled() < tally.total() {
            lines.push(line(tally, pace, now));
        }
        if lines.is_empty() {
            return;
        }
        if due || self.last.is_none() {
            self.last = Some(now);
        }
        self.write(&lines);
    }

    /// Writes the last line.
    pub(super) fn end(&mut self, tally: &Tally, now: Timestamp) {
        let elapsed = tally.elapsed(now);
        let took = if elapsed < QUIET { "under 1s".to_owned() } else { wording::span(elapsed) };
        self.write(&[format!("{}  {}  in {took}", clock(now), counts(tally))]);
    }

    /// All of them in one write; nobody is left to tell where that fails.
    fn write(&mut self, lines: &[String]) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

fn start_line(tally: &Tally, pace: Option<Pace>, now: Timestamp) -> String {
    let verb = if tally.resumed() { "resuming" } else { "revoking" };
    let mut text = format!("{}  {verb}: {}", clock(now), wording::users(tally.total()));
    if let Some(left) = tally.time_left(now, pace).span() {
        let _ = write!(text, ", about {}", wording::span(left));
    }
    text
}

fn line(tally: &Tally, pace: Option<Pace>, now: Timestamp) -> String {
    let mut text = format!("{}  {}", clock(now), counts(tally));
    match throttled(tally, now) {
        Some(words) => {
            let _ = write!(text, "  {words}");
        }
        None => {
            if let Some(rate) = tally.rate(now) {
                let _ = write!(text, "  {}", wording::rate(rate));
            }
        }
    }
    if tally.stopping().is_some() {
        text.push_str("  stopping");
    } else {
        let _ = write!(text, "  {} left", tally.time_left(now, pace));
    }
    text
}

/// `1200/5000 settled  revoked 1180, not_found 20`; the numbers bare, for whoever greps them.
fn counts(tally: &Tally) -> String {
    let words: Vec<_> = tally.outcomes().map(|(outcome, n)| format!("{outcome} {n}")).collect();
    let gap = if words.is_empty() { "" } else { "  " };
    format!("{}/{} settled{gap}{}", tally.settled(), tally.total(), words.join(", "))
}

fn throttled(tally: &Tally, now: Timestamp) -> Option<String> {
    match tally.gate(now) {
        Gate::Open => None,
        Gate::Closed(Duration::ZERO) => Some("throttled by Graph; trying one request".to_owned()),
        Gate::Closed(wait) => Some(format!("throttled by Graph; next request in {}", wording::wait(wait))),
    }
}

fn clock(now: Timestamp) -> impl std::fmt::Display {
    now.strftime("%H:%M:%SZ")
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}
