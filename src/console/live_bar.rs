//! Progress as a block of lines on a terminal: a bar, the counts, the speed, and the reason for a wait.

use std::time::Duration;

use ::console::{Style, Term, measure_text_width, truncate_str};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::suspend;
use super::tally::{GateState, Tally, TimeLeft};
use crate::outcome::{AcceptedOutcomes, OutcomeClass};
use crate::text::humanize;
use crate::text::sanitize;

/// Maximum width of the block, in columns.
const MAX_WIDTH: usize = 100;
/// Minimum width of the bar, in columns; a longer line is cut instead.
const MIN_BAR_WIDTH: usize = 8;
const INDENT: &str = "  ";
const GAP: &str = "   ";

/// The block, drawn by indicatif, which moves it aside for log lines and clears it at the end.
pub(super) struct LiveBar {
    bar: ProgressBar,
    style: BarStyle,
    /// The second in which speed and time left were last calculated. Numbers that change five times a second can't be
    /// read.
    speed: Option<(i64, SpeedEstimate)>,
}

impl LiveBar {
    pub(super) fn new(accepted: AcceptedOutcomes) -> LiveBar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        suspend::set_active_bar(Some(bar.clone()));
        LiveBar { bar, style: BarStyle { colour: super::use_color(), accepted }, speed: None }
    }

    /// Draws the current block.
    pub(super) fn show(&mut self, tally: &Tally, foreseen: Option<Duration>, now: Timestamp) {
        let speed = match self.speed {
            Some((second, speed)) if second == now.as_second() => speed,
            _ => SpeedEstimate::estimate(tally, foreseen, now),
        };
        self.speed = Some((now.as_second(), speed));
        let (_, columns) = Term::stderr().size();
        let block = self.style.block(tally, speed, now, usize::from(columns));
        self.bar.set_message(block.join("\n"));
    }
}

impl Drop for LiveBar {
    /// Clears the block, because the summary comes next.
    fn drop(&mut self) {
        suspend::set_active_bar(None);
        self.bar.finish_and_clear();
    }
}

/// The two numbers that are calculated once a second.
#[derive(Clone, Copy)]
struct SpeedEstimate {
    rate: Option<f64>,
    time_left: TimeLeft,
}

impl SpeedEstimate {
    fn estimate(tally: &Tally, foreseen: Option<Duration>, now: Timestamp) -> SpeedEstimate {
        SpeedEstimate { rate: tally.rate(now), time_left: tally.time_left(foreseen) }
    }
}

/// Formats the block, as a pure function of the tally, the time and the width.
struct BarStyle {
    colour: bool,
    accepted: AcceptedOutcomes,
}

impl BarStyle {
    fn block(&self, tally: &Tally, speed: SpeedEstimate, now: Timestamp, columns: usize) -> Vec<String> {
        // The last column stays free: some terminals wrap once it is written.
        let width = columns.saturating_sub(1).min(MAX_WIDTH);
        let mut lines = vec![self.bar_line(tally, width)];
        lines.extend(self.count_lines(tally, width));
        lines.push(self.speed_line(tally, speed, now));
        lines.extend(tally.tenant_sentence(now).map(|tenants| format!("{INDENT}{tenants}")));
        lines.extend(self.notice(tally, now));
        lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect()
    }

    fn bar_line(&self, tally: &Tally, width: usize) -> String {
        let (settled, total) = (tally.settled(), tally.total());
        let verb = if tally.is_resumed() { "resuming" } else { "revoking" };
        let total_text = humanize::count(total);
        let numbers = format!("{:>1$} / {total_text}", humanize::count(settled), total_text.len());
        let percent = format!("{:>3} %", humanize::percent(settled, total));
        let taken = [INDENT, verb, GAP, GAP, &numbers, GAP, &percent].map(measure_text_width).iter().sum();
        let cells = width.saturating_sub(taken).max(MIN_BAR_WIDTH);
        let full = (settled.min(total) * cells as u64).checked_div(total).map_or(cells, |full| full as usize);
        let (full, rest) = ("━".repeat(full), "─".repeat(cells - full));
        let (full, rest) = (self.style().green().apply_to(full), self.style().dim().apply_to(rest));
        format!("{INDENT}{verb}{GAP}{full}{rest}{GAP}{numbers}{GAP}{percent}")
    }

    /// The outcomes that occurred, over as many lines as they need.
    fn count_lines(&self, tally: &Tally, width: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for (outcome, n) in tally.outcomes() {
            let style = match self.accepted.standing(outcome) {
                OutcomeClass::Done => self.style().green(),
                OutcomeClass::NotDone => self.style().yellow(),
                OutcomeClass::LeftOut => self.style().dim(),
            };
            let words = format!("{} {}", style.apply_to(outcome), humanize::count(n));
            match lines.last_mut() {
                Some(line) if measure_text_width(line) + GAP.len() + measure_text_width(&words) <= width => {
                    line.push_str(GAP);
                    line.push_str(&words);
                }
                _ => lines.push(format!("{INDENT}{words}")),
            }
        }
        lines
    }

    fn speed_line(&self, tally: &Tally, speed: SpeedEstimate, now: Timestamp) -> String {
        let rate = match tally.gate_state(now) {
            GateState::Open => speed.rate.map_or_else(|| "–/s".to_owned(), humanize::rate),
            GateState::Closed(_) => "waiting".to_owned(),
        };
        let elapsed = format!("{} so far", humanize::span(tally.elapsed(now)));
        let time_left_text = if tally.stop_reason().is_some() {
            String::new()
        } else {
            format!("{GAP}{} left", speed.time_left)
        };
        format!("{INDENT}{rate}{time_left_text}{GAP}{}", self.style().dim().apply_to(elapsed))
    }

    /// Why the run waits, or why it stops.
    fn notice(&self, tally: &Tally, now: Timestamp) -> Option<String> {
        let words = match (tally.stop_reason(), tally.gate_state(now)) {
            (Some(why), _) => {
                let why = sanitize::sanitize_truncated(&why.to_string(), MAX_WIDTH);
                format!("stopping: {why}; waiting for requests in flight")
            }
            (None, GateState::Closed(Duration::ZERO)) => "throttled by Graph: trying one request".to_owned(),
            (None, GateState::Closed(wait)) => {
                format!("throttled by Graph: next request in {}", humanize::wait(wait))
            }
            (None, GateState::Open) => humanize::throttled_apps(tally.waiting_apps(now))?,
        };
        Some(format!("{INDENT}{}", self.style().yellow().apply_to(words)))
    }

    fn style(&self) -> Style {
        Style::new().for_stderr().force_styling(self.colour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::test_events::{self, at};
    use crate::event::StopReason;
    use crate::outcome::Outcome;

    fn bar_style(colour: bool) -> BarStyle {
        BarStyle { colour, accepted: [Outcome::NotFound].into_iter().collect() }
    }

    fn busy() -> Tally {
        let mut tally = Tally::new(123_456);
        for (i, outcome) in Outcome::ALL.into_iter().take(9).cycle().take(40_000).enumerate() {
            tally.on_event(&test_events::settled(i as u32, outcome), at(i as i64 / 10));
        }
        tally.on_event(&test_events::throttled(at(16_000)), at(4_000));
        tally
    }

    #[test]
    fn the_block_fits_every_width() {
        let (tally, now) = (busy(), at(4_000));
        for columns in 1..=200 {
            for colour in [false, true] {
                let block =
                    bar_style(colour).block(&tally, SpeedEstimate::estimate(&tally, None, now), now, columns);
                assert!(
                    block.iter().all(|line| measure_text_width(line) < columns.max(2)),
                    "{columns}: {block:?}"
                );
                assert!(block.len() <= if columns < 60 { 20 } else { 7 }, "{columns}: {block:?}");
            }
        }
    }

    #[test]
    fn the_block_reads_well() {
        let mut tally = Tally::new(5_000);
        for i in 0..1_200 {
            let outcome = if i % 60 == 0 { Outcome::NotFound } else { Outcome::Revoked };
            tally.on_event(&test_events::sent(i), at(i64::from(i) * 50));
            tally.on_event(&test_events::settled(i, outcome), at(i64::from(i) * 50 + 50));
        }
        let foreseen = Some(Duration::from_secs(190));
        let now = at(60_000);
        let block = bar_style(false).block(&tally, SpeedEstimate::estimate(&tally, foreseen, now), now, 61);
        let expected = [
            "  revoking   ━━━━━──────────────────   1,200 / 5,000    24 %",
            "  revoked 1,180   not_found 20",
            "  20.1/s   3m10s left   1m00s so far",
        ];
        assert_eq!(block, expected);

        tally.on_event(&test_events::throttled(at(72_000)), now);
        let foreseen = Some(Duration::from_secs(202));
        let block = bar_style(false).block(&tally, SpeedEstimate::estimate(&tally, foreseen, now), now, 80);
        assert_eq!(block[2], "  waiting   3m22s left   1m00s so far");
        assert_eq!(block[3], "  throttled by Graph: next request in 12s");
        tally.on_event(
            &test_events::stopping(StopReason::Halt { detail: "10 %\u{1b}[2J\nof 50".to_owned() }),
            now,
        );
        let block = bar_style(false).block(&tally, SpeedEstimate::estimate(&tally, foreseen, now), now, 80);
        assert_eq!(block[3], "  stopping: halted: 10 %\\u{1b}[2J\\nof 50; waiting for requests in flight");
    }

    #[test]
    fn colours_are_used_only_where_they_may_be() {
        let (tally, now) = (busy(), at(4_000));
        let escapes = |colour| {
            bar_style(colour)
                .block(&tally, SpeedEstimate::estimate(&tally, None, now), now, 80)
                .concat()
                .contains('\u{1b}')
        };
        assert_eq!((escapes(false), escapes(true)), (false, true));
    }
}
