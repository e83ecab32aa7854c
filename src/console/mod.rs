//! What people see of a run: a progress bar on a terminal, plain lines elsewhere, logs, and the question before it
//! starts. It only listens: it gets events after the journal has them, and nothing flows back.
//!
//! ```text
//!  events ──▶ Tally ──▶ bar | plain lines     (a separate thread draws, a few times a second)
//!         └─▶ log::record ──▶ text | JSON     (moves the bar aside for each line)
//! ```

mod live_bar;
pub mod log;
mod output_format;
mod plain_progress;
pub mod question;
mod stdout;
mod suspend;
mod tally;
mod tenant_table;
#[cfg(test)]
mod test_events;
mod throttle_status;

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;

use live_bar::LiveBar;
pub use output_format::{OutputFormat, UnknownOutputFormat};
use plain_progress::PlainProgress;
pub use stdout::{StdoutWriter, print_stdout, stdout_columns, with_console};
pub use suspend::suspend_progress;
pub use tally::{GateState, Tally, TimeLeft};
pub use tenant_table::TenantTable;

use crate::dispatch::Forecast;
use crate::event::Event;
use crate::outcome::AcceptedOutcomes;

/// How often the display reads the tally.
const TICK: Duration = Duration::from_millis(200);

/// How progress is shown (`--progress`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Progress {
    /// A bar on a terminal, plain lines elsewhere.
    #[default]
    Auto,
    /// A bar; plain lines if standard error is not a terminal.
    Bar,
    /// A line every few seconds.
    Plain,
    /// Nothing.
    None,
}

impl Progress {
    /// All words of the flag.
    pub const ALL: [Progress; 4] = [Progress::Auto, Progress::Bar, Progress::Plain, Progress::None];

    /// The word of the flag.
    pub fn word(self) -> &'static str {
        match self {
            Progress::Auto => "auto",
            Progress::Bar => "bar",
            Progress::Plain => "plain",
            Progress::None => "none",
        }
    }

    /// The style for this standard error. A bar needs a terminal; on a dumb one it is drawn only on request.
    fn resolve(self, terminal: bool, dumb: bool) -> Progress {
        match self {
            Progress::Auto if terminal && !dumb => Progress::Bar,
            Progress::Auto => Progress::Plain,
            Progress::Bar if !terminal => Progress::Plain,
            asked => asked,
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A word that is not a progress style.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid progress style '{0}' (possible values: auto, bar, plain, none)")]
pub struct UnknownProgress(String);

impl FromStr for Progress {
    type Err = UnknownProgress;

    fn from_str(word: &str) -> Result<Self, UnknownProgress> {
        let same = |progress: &Progress| progress.word() == word;
        Progress::ALL.into_iter().find(same).ok_or_else(|| UnknownProgress(word.to_owned()))
    }
}

/// Options of a [`Console`].
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    /// How progress is shown.
    pub progress: Progress,
    /// How often a plain line is written.
    pub interval: Duration,
    /// The outcomes that count as done in addition to `revoked`: they are not shown as a warning.
    pub accepted: AcceptedOutcomes,
    /// The tenants, if there are several.
    pub tenants: Option<TenantTable>,
}

impl Default for ConsoleOptions {
    fn default() -> Self {
        ConsoleOptions {
            progress: Progress::Auto,
            interval: Duration::from_secs(5),
            accepted: AcceptedOutcomes::default(),
            tenants: None,
        }
    }
}

/// Listens to a run and shows its progress. [`Console::on_event`] only counts; a separate thread draws.
pub struct Console {
    shared: Arc<ConsoleShared>,
    draw_thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the listener and the drawing thread share.
struct ConsoleShared {
    state: Mutex<ConsoleState>,
    /// Signals that there is something to show at once, or that the run is over.
    changed: Condvar,
}

struct ConsoleState {
    tally: Tally,
    /// How long the rest will take, once the dispatcher has said so.
    forecast: Option<Forecast>,
    is_finished: bool,
}

impl ConsoleShared {
    fn state(&self) -> MutexGuard<'_, ConsoleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The chosen style of progress.
enum ProgressRenderer {
    Bar(LiveBar),
    Plain(PlainProgress),
}

impl ProgressRenderer {
    fn show(&mut self, tally: &Tally, foreseen: Option<Duration>, now: Timestamp) {
        match self {
            ProgressRenderer::Bar(bar) => bar.show(tally, foreseen, now),
            ProgressRenderer::Plain(plain) => plain.show(tally, foreseen, now),
        }
    }

    fn end(self, tally: &Tally, now: Timestamp) {
        match self {
            ProgressRenderer::Bar(bar) => drop(bar),
            ProgressRenderer::Plain(mut plain) => plain.end(tally, now),
        }
    }
}

impl Console {
    /// Begins to show the progress of a run with `total` users on standard error.
    pub fn start(options: ConsoleOptions, total: u64) -> Console {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let renderer = match options.progress.resolve(io::stderr().is_terminal(), dumb) {
            Progress::None => None,
            Progress::Bar => Some(ProgressRenderer::Bar(LiveBar::new(options.accepted))),
            Progress::Auto | Progress::Plain => Some(ProgressRenderer::Plain(PlainProgress::new(
                Box::new(io::stderr()),
                options.interval,
                Timestamp::now(),
            ))),
        };
        Console::with_renderer(renderer, Tally::new(total).with_tenants(options.tenants))
    }

    fn with_renderer(renderer: Option<ProgressRenderer>, tally: Tally) -> Console {
        let state = ConsoleState { tally, forecast: None, is_finished: false };
        let shared = Arc::new(ConsoleShared { state: Mutex::new(state), changed: Condvar::new() });
        let drawing = renderer.and_then(|renderer| {
            let shared = Arc::clone(&shared);
            // Without a thread, progress is not shown, but nothing else is lost.
            thread::Builder::new().name("progress".to_owned()).spawn(move || draw(&shared, renderer)).ok()
        });
        Console { shared, draw_thread: Mutex::new(drawing) }
    }

    /// Sets the dispatcher's forecast of how long the rest will take.
    pub fn set_forecast(&self, forecast: Forecast) {
        self.shared.state().forecast = Some(forecast);
    }

    /// Counts an event. Drawing is left to the other thread.
    pub fn on_event(&self, event: &Event) {
        let news = self.shared.state().tally.on_event(event, Timestamp::now());
        if news {
            self.shared.changed.notify_one();
        }
    }

    /// A copy of the run's tally.
    pub fn tally(&self) -> Tally {
        self.shared.state().tally.clone()
    }

    /// Removes the bar from the terminal, or writes the last plain line. Further calls do nothing.
    pub fn finish(&self) {
        self.shared.state().is_finished = true;
        self.shared.changed.notify_one();
        let drawing = self.draw_thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(drawing) = drawing {
            let _ = drawing.join();
        }
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").finish_non_exhaustive()
    }
}

/// The drawing thread: wakes on every tick and on news, and draws from a copy, so that a slow terminal delays nothing
/// else.
fn draw(shared: &ConsoleShared, mut renderer: ProgressRenderer) {
    let mut state = shared.state();
    while !state.is_finished {
        let waited = shared.changed.wait_timeout(state, TICK);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let (tally, foreseen) = (state.tally.clone(), state.forecast.as_ref().and_then(Forecast::remaining));
        if !state.is_finished {
            drop(state);
            renderer.show(&tally, foreseen, Timestamp::now());
            state = shared.state();
        }
    }
    let tally = state.tally.clone();
    drop(state);
    renderer.end(&tally, Timestamp::now());
}

/// Whether colours may be used on standard error: it supports them, and `NO_COLOR` is not set.
fn use_color() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && ::console::colors_enabled_stderr()
}

/// Writes a sentence to standard error like [`print_status`]; on a terminal it is wrapped between words.
pub fn print_status_wrapped(text: &str) {
    print_status(&wrap_to_terminal(text));
}

fn wrap_to_terminal(text: &str) -> String {
    crate::text::wrap::hanging_indent(
        text,
        2,
        question::stderr_columns().filter(|_| io::stderr().is_terminal()),
    )
}

/// The prefix of warnings.
const WARNING: &str = "warning: ";

/// Writes lines to standard error, each of them sanitized, without disturbing the progress. A failed write is ignored,
/// because it is not a reason to stop. On a terminal, warnings are wrapped between words.
pub fn print_status(text: &str) {
    let mut clean = String::new();
    for line in text.lines() {
        let line = crate::text::sanitize::sanitize_line(line);
        if line.starts_with(WARNING) {
            clean.push_str(&wrap_to_terminal(&line));
        } else {
            clean.push_str(&line);
        }
        clean.push('\n');
    }
    let _ = suspend_progress(|| io::stderr().write_all(clean.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn progress_words_round_trip() {
        for progress in Progress::ALL {
            assert_eq!(progress.to_string().parse(), Ok(progress));
        }
        assert!("fancy".parse::<Progress>().unwrap_err().to_string().contains("plain"));
    }

    #[test]
    fn a_bar_is_for_terminals() {
        let resolved = |terminal, dumb| Progress::ALL.map(|progress| progress.resolve(terminal, dumb));
        use Progress::{Bar, None, Plain};
        assert_eq!(resolved(true, false), [Bar, Bar, Plain, None]);
        assert_eq!(resolved(true, true), [Plain, Bar, Plain, None]);
        assert_eq!(resolved(false, false), [Plain, Plain, Plain, None]);
    }

    #[test]
    fn a_console_counts_from_any_thread_and_ends_once() {
        let options = ConsoleOptions { progress: Progress::None, ..ConsoleOptions::default() };
        let console = Console::start(options, 400);
        thread::scope(|scope| {
            for part in 0..4 {
                let console = &console;
                scope.spawn(move || {
                    for i in 0..100 {
                        console.on_event(&test_events::settled(part * 100 + i, Outcome::Revoked));
                    }
                });
            }
        });
        assert_eq!(console.tally().settled(), 400);
        console.finish();
        console.finish();
    }

    /// Sends what is written over a channel, so that a test can wait for it.
    struct ChannelWriter(std::sync::mpsc::Sender<String>);

    impl Write for ChannelWriter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The receiver is gone once the test is over.
            let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn plain_lines_are_written_by_the_thread() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let plain =
            PlainProgress::new(Box::new(ChannelWriter(sender)), Duration::from_millis(1), Timestamp::now());
        let console = Console::with_renderer(Some(ProgressRenderer::Plain(plain)), Tally::new(2));
        console.on_event(&test_events::began(2));
        console.on_event(&test_events::settled(1, Outcome::Revoked));
        console.on_event(&test_events::throttled(Timestamp::now() + Duration::from_secs(9)));
        let mut text = String::new();
        while text.lines().count() < 3 {
            text += &receiver.recv_timeout(Duration::from_secs(30)).expect("three lines are written");
        }
        drop(console);
        text.extend(receiver.iter());
        assert!(
            text.contains("throttled by Graph; next request in") && text.contains("1/2 finished"),
            "{text}"
        );
        assert!(text.lines().last().unwrap().contains("  in under 1s"), "{text}");
    }
}
