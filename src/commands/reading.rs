//! How far long reads of the directory have come: a line now and then, or one that changes on a terminal.

use std::cell::Cell;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::progress;
use crate::cli::OutputArgs;
use crate::console::{self, OutputFormat, Progress, wording};
use crate::harmless::sanitize_truncated;
use crate::plan::ReadProgress;

/// Reads shorter than this are not spoken of, and no line comes sooner after another.
const EVERY: Duration = Duration::from_secs(1);

/// Where nothing can be drawn over, lines come more seldom.
const EVERY_LINE: Duration = Duration::from_secs(10);

/// Shows how far reads have come.
pub(super) struct ProgressLine {
    way: Progress,
    last: Cell<Instant>,
    drawn: Cell<bool>,
}

impl ProgressLine {
    pub(super) fn new(output: &OutputArgs) -> ProgressLine {
        let way = match (progress(output), output.output) {
            (_, OutputFormat::None) | (Progress::None, _) => Progress::None,
            (Progress::Auto | Progress::Bar, _) if io::stderr().is_terminal() => Progress::Bar,
            _ => Progress::Plain,
        };
        ProgressLine { way, last: Cell::new(Instant::now()), drawn: Cell::new(false) }
    }

    /// Takes in how far a read has come.
    pub(super) fn tell(&self, reading: &ReadProgress<'_>) {
        let every = if self.way == Progress::Bar { EVERY } else { EVERY_LINE };
        if self.way == Progress::None || self.last.get().elapsed() < every {
            return;
        }
        self.last.set(Instant::now());
        let text = line(reading);
        if self.way == Progress::Bar {
            self.drawn.set(true);
            // Whoever closed standard error sees no progress; that ends nothing.
            let _ = write!(io::stderr(), "\r\x1b[K{text}").and_then(|()| io::stderr().flush());
        } else {
            console::print_status(&text);
        }
    }

    /// Takes the line off the terminal.
    pub(super) fn finish(&self) {
        if self.drawn.replace(false) {
            let _ = write!(io::stderr(), "\r\x1b[K").and_then(|()| io::stderr().flush());
        }
    }
}

fn line(reading: &ReadProgress<'_>) -> String {
    let (what, so_far) = (sanitize_truncated(reading.what, 60), wording::count(reading.so_far));
    match reading.of {
        Some(of) => format!("reading {what}: {so_far} of {}", wording::count(of)),
        None => format!("reading {what}: {so_far}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_came() {
        let reading = |of| line(&ReadProgress { what: "group Fin\u{1b}ance", so_far: 12_000, of });
        assert_eq!(reading(Some(100_000)), "reading group Fin\\u{1b}ance: 12,000 of 100,000");
        assert_eq!(reading(None), "reading group Fin\\u{1b}ance: 12,000");
    }
}
