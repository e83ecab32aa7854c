//! Progress of long reads of the directory: a line from time to time, or one that is updated on a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::progress;
use crate::cli::OutputArgs;
use crate::console::{self, OutputFormat, Progress};
use crate::plan::ReadProgress;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;

/// Minimum time before the first line on a terminal, and between updates.
const INTERVAL: Duration = Duration::from_secs(1);

/// The same if lines can't be overwritten.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// Shows the progress of reads.
pub(super) struct ProgressLine {
    mode: Progress,
    last_shown: Cell<Instant>,
    is_drawn: Cell<bool>,
}

impl ProgressLine {
    pub(super) fn new(output: &OutputArgs) -> ProgressLine {
        let mode = match (progress(output), output.output) {
            (_, OutputFormat::None) | (Progress::None, _) => Progress::None,
            (Progress::Auto | Progress::Bar, _) if io::stderr().is_terminal() => Progress::Bar,
            _ => Progress::Plain,
        };
        ProgressLine { mode, last_shown: Cell::new(Instant::now()), is_drawn: Cell::new(false) }
    }

    /// Shows the progress of a read, if enough time has passed.
    pub(super) fn update(&self, progress: &ReadProgress<'_>) {
        let every = if self.mode == Progress::Bar { INTERVAL } else { PLAIN_INTERVAL };
        if self.mode == Progress::None || self.last_shown.get().elapsed() < every {
            return;
        }
        self.last_shown.set(Instant::now());
        let text = line(progress);
        if self.mode == Progress::Bar {
            self.is_drawn.set(true);
            // If standard error is closed, progress is lost, but that is not an error.
            let _ = write!(io::stderr(), "\r\x1b[K{text}").and_then(|()| io::stderr().flush());
        } else {
            console::print_status(&text);
        }
    }

    /// Removes the line from the terminal.
    pub(super) fn finish(&self) {
        if self.is_drawn.replace(false) {
            let _ = write!(io::stderr(), "\r\x1b[K").and_then(|()| io::stderr().flush());
        }
    }
}

fn line(progress: &ReadProgress<'_>) -> String {
    let (what, so_far) = (sanitize_truncated(progress.what, 60), humanize::count(progress.count));
    match progress.total {
        Some(total) => format!("reading {what}: {so_far} of {}", humanize::count(total)),
        None => format!("reading {what}: {so_far}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_line_shows_count_and_total() {
        let progress = |total| line(&ReadProgress { what: "group Fin\u{1b}ance", count: 12_000, total });
        assert_eq!(progress(Some(100_000)), "reading group Fin\\u{1b}ance: 12,000 of 100,000");
        assert_eq!(progress(None), "reading group Fin\\u{1b}ance: 12,000");
    }
}
