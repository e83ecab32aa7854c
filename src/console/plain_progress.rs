//! Progress as plain lines, for a pipe, a log file or a CI job: no escape codes, no carriage returns.

use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;

use super::tally::{GateState, Tally};
use crate::text::humanize;
use crate::text::sanitize;

/// A run that ends within this time shows only its last line.
const QUIET_PERIOD: Duration = Duration::from_secs(1);

/// Writes a line at the start, one every few seconds, and one whenever the gate closes or sending stops.
pub(super) struct PlainProgress {
    out: Box<dyn Write + Send>,
    interval: Duration,
    started: Timestamp,
    last: Option<Timestamp>,
    wait_count: u64,
    stopped: bool,
}

impl PlainProgress {
    pub(super) fn new(out: Box<dyn Write + Send>, every: Duration, now: Timestamp) -> PlainProgress {
        PlainProgress { out, interval: every, started: now, last: None, wait_count: 0, stopped: false }
    }

    /// Writes the lines that are due.
    pub(super) fn show(&mut self, tally: &Tally, foreseen: Option<Duration>, now: Timestamp) {
        if elapsed(self.started, now) < QUIET_PERIOD.min(self.interval) {
            return;
        }
        let mut lines = Vec::new();
        if self.last.is_none() {
            lines.push(start_line(tally, foreseen, now));
        }
        if tally.wait_count() > self.wait_count {
            self.wait_count = tally.wait_count();
            lines.extend(throttled_text(tally, now).map(|words| format!("{}  {words}", clock_time(now))));
        }
        if let (Some(why), false) = (tally.stop_reason(), self.stopped) {
            self.stopped = true;
            let why = sanitize::sanitize_truncated(&why.to_string(), 300);
            lines.push(format!("{}  stopping: {why}; waiting for requests in flight", clock_time(now)));
        }
        let due = self.last.is_some_and(|last| elapsed(last, now) >= self.interval);
        if due && tally.settled() < tally.total() {
            lines.push(line(tally, foreseen, now));
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
        let took = if elapsed < QUIET_PERIOD { "under 1s".to_owned() } else { humanize::span(elapsed) };
        let tenants = tally.tenant_sentence(now).map(|tenants| format!("  {tenants}")).unwrap_or_default();
        self.write(&[format!("{}  {}  in {took}{tenants}", clock_time(now), counts_text(tally))]);
    }

    /// Writes all lines at once. A failure is ignored, because standard error was the only place to report it.
    fn write(&mut self, lines: &[String]) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

fn start_line(tally: &Tally, foreseen: Option<Duration>, now: Timestamp) -> String {
    let verb = if tally.is_resumed() { "resuming" } else { "revoking" };
    let mut text = format!("{}  {verb}: {}", clock_time(now), humanize::users(tally.total()));
    if let Some(left) = tally.time_left(foreseen).span() {
        let _ = write!(text, ", about {}", humanize::span(left));
    }
    text
}

fn line(tally: &Tally, foreseen: Option<Duration>, now: Timestamp) -> String {
    let mut text = format!("{}  {}", clock_time(now), counts_text(tally));
    match throttled_text(tally, now) {
        Some(words) => {
            let _ = write!(text, "  {words}");
        }
        None => {
            if let Some(rate) = tally.rate(now) {
                let _ = write!(text, "  {}", humanize::rate(rate));
            }
            if let Some(words) = humanize::throttled_apps(tally.waiting_apps(now)) {
                let _ = write!(text, "  {words}");
            }
        }
    }
    if tally.stop_reason().is_some() {
        text.push_str("  stopping");
    } else {
        let _ = write!(text, "  {} left", tally.time_left(foreseen));
    }
    if let Some(tenants) = tally.tenant_sentence(now) {
        let _ = write!(text, "  {tenants}");
    }
    text
}

/// `1200/5000 finished  revoked 1180, not_found 20`. The numbers have no separators, so that `grep` finds them.
fn counts_text(tally: &Tally) -> String {
    let words: Vec<_> = tally.outcomes().map(|(outcome, n)| format!("{outcome} {n}")).collect();
    let gap = if words.is_empty() { "" } else { "  " };
    format!("{}/{} finished{gap}{}", tally.settled(), tally.total(), words.join(", "))
}

fn throttled_text(tally: &Tally, now: Timestamp) -> Option<String> {
    match tally.gate_state(now) {
        GateState::Open => None,
        GateState::Closed(Duration::ZERO) => Some("throttled by Graph; trying one request".to_owned()),
        GateState::Closed(wait) => {
            Some(format!("throttled by Graph; next request in {}", humanize::wait(wait)))
        }
    }
}

fn clock_time(now: Timestamp) -> impl std::fmt::Display {
    now.strftime("%H:%M:%SZ")
}

fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::console::test_events::{self, at};
    use crate::event::StopReason;
    use crate::outcome::Outcome;

    #[derive(Clone, Default)]
    struct SharedBuffer(Arc<Mutex<Vec<u8>>>);

    impl SharedBuffer {
        fn lines(&self) -> Vec<String> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            assert!(text.chars().all(|c| c == '\n' || !sanitize::needs_escape(c)), "{text:?}");
            text.lines().map(str::to_owned).collect()
        }
    }

    impl Write for SharedBuffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    const EVERY: Duration = Duration::from_secs(5);

    #[test]
    fn plain_progress_prints_few_lines() {
        let page = SharedBuffer::default();
        let mut plain = PlainProgress::new(Box::new(page.clone()), EVERY, at(0));
        let mut tally = Tally::new(300);
        tally.on_event(&test_events::began(300), at(0));
        for i in 0..120 {
            let outcome = if i == 7 { Outcome::NotFound } else { Outcome::Revoked };
            tally.on_event(&test_events::sent(i), at(i64::from(i) * 50));
            tally.on_event(&test_events::settled(i, outcome), at(i64::from(i) * 50 + 50));
            let left = Duration::from_millis(u64::from(299 - i) * 50);
            plain.show(&tally, Some(left), at(i64::from(i) * 50 + 50));
        }
        tally.on_event(&test_events::throttled(at(18_000)), at(6_000));
        for tick in 30..90 {
            let left = Duration::from_millis(27_000 - tick as u64 * 200);
            plain.show(&tally, Some(left), at(tick * 200));
        }
        tally.on_event(
            &test_events::stopping(StopReason::Halt { detail: "by \u{1b}[31meve\r\n50".to_owned() }),
            at(18_000),
        );
        plain.show(&tally, None, at(18_000));
        plain.end(&tally, at(18_400));
        let expected = [
            "00:00:01Z  revoking: 300 users, about 14s",
            "00:00:06Z  120/300 finished  revoked 119, not_found 1  20.0/s  9s left",
            "00:00:06Z  throttled by Graph; next request in 12s",
            "00:00:11Z  120/300 finished  revoked 119, not_found 1  throttled by Graph; next request in 7s  16s \
             left",
            "00:00:16Z  120/300 finished  revoked 119, not_found 1  throttled by Graph; next request in 2s  11s \
             left",
            "00:00:18Z  stopping: halted: by \\u{1b}[31meve\\r\\n50; waiting for requests in flight",
            "00:00:18Z  120/300 finished  revoked 119, not_found 1  in 18s",
        ];
        assert_eq!(page.lines(), expected);
    }

    #[test]
    fn a_short_run_shows_its_end_only() {
        let page = SharedBuffer::default();
        let mut plain = PlainProgress::new(Box::new(page.clone()), EVERY, at(0));
        let mut tally = Tally::new(1);
        tally.on_event(&test_events::began(1), at(0));
        plain.show(&tally, None, at(200));
        tally.on_event(&test_events::settled(1, Outcome::Revoked), at(300));
        plain.show(&tally, None, at(400));
        plain.end(&tally, at(500));
        assert_eq!(page.lines(), ["00:00:00Z  1/1 finished  revoked 1  in under 1s"]);
    }
}
