//! Logs: where they go, how loud they are, and what of a run they say.
//!
//! Every line passes through [`harmless`] as a whole, so whatever a server or an input file put into it cannot act on
//! the terminal or forge a second line.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, debug, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;

use super::aside;
use crate::event::{Event, Evidence};
use crate::harmless;
use crate::outcome::Outcome;

/// How a log line is written (`--log-format`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        })
    }
}

/// A word that is no log format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no log format; the words are: text, json")]
pub struct UnknownLogFormat(String);

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(word: &str) -> Result<Self, UnknownLogFormat> {
        match word {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(UnknownLogFormat(word.to_owned())),
        }
    }
}

/// What is logged, how and where.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// How often `-v` was given: warnings, information, details, everything.
    pub verbosity: u8,
    /// How a line is written.
    pub format: LogFormat,
    /// Appended to instead of standard error.
    pub file: Option<PathBuf>,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file can't be opened or created.
    #[error("the log file {} can't be opened: {source}", harmless::shown(&path.display().to_string()))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This process logs already.
    #[error("logging is set up already")]
    Twice,
}

/// Sets up logging for the process. Once, before anything is logged.
pub fn init(options: &LogOptions) -> Result<(), LogError> {
    let out = match &options.file {
        None => Out::Stderr,
        Some(path) => {
            let file = append(path).map_err(|source| LogError::File { path: path.clone(), source })?;
            Out::File(Arc::new(Mutex::new(file)))
        }
    };
    tracing::subscriber::set_global_default(subscriber(options, out)).map_err(|_| LogError::Twice)
}

/// Opens a file to append to, readable by its owner alone where it is new.
fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn subscriber(options: &LogOptions, out: Out) -> Box<dyn Subscriber + Send + Sync> {
    let lines = Lines { out, format: options.format };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(Utc).with_writer(lines);
    let registry = tracing_subscriber::registry().with(levels(options.verbosity));
    match options.format {
        LogFormat::Text => Box::new(registry.with(layer)),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(layer))
        }
    }
}

/// This crate as loud as asked, everything else quieter. HTTP/2 stays at information: its details are whole frames, and
/// a token travels in one.
fn levels(verbosity: u8) -> Targets {
    let (ours, others) = match verbosity {
        0 => (LevelFilter::WARN, LevelFilter::ERROR),
        1 => (LevelFilter::INFO, LevelFilter::WARN),
        2 => (LevelFilter::DEBUG, LevelFilter::INFO),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    Targets::new()
        .with_default(others)
        .with_target("h2", others.min(LevelFilter::INFO))
        .with_target(env!("CARGO_CRATE_NAME"), ours)
}

/// Times as everywhere: UTC, RFC 3339.
struct Utc;

impl FormatTime for Utc {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.3}", Timestamp::now())
    }
}

/// Where lines go.
#[derive(Clone)]
enum Out {
    Stderr,
    File(Arc<Mutex<File>>),
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<u8>>>),
}

/// Takes one whole line a write, as tracing-subscriber hands them over, and makes it harmless.
#[derive(Clone)]
struct Lines {
    out: Out,
    format: LogFormat,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> &'a Lines {
        self
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut clean = match self.format {
            LogFormat::Text => harmless::shown(text).into_owned(),
            LogFormat::Json => json_harmless(text),
        };
        clean.push('\n');
        match &self.out {
            Out::Stderr => aside(|| io::stderr().lock().write_all(clean.as_bytes()))?,
            Out::File(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(clean.as_bytes())?
            }
            #[cfg(test)]
            Out::Memory(bytes) => {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend(clean.as_bytes())
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Acting characters stand in a JSON line only inside its strings: there an escape means the same and does not act.
fn json_harmless(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if harmless::is_acting(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Logs what happened in a run: what went as planned at debug, what did not and the run's own course at info, and at
/// warn that it stops early.
pub fn record(event: &Event) {
    match event {
        Event::Began(began) => {
            info!(run = began.run, targets = began.targets, resumed = began.resumed, "run began");
        }
        Event::Sent(sent) => debug!(
            user = sent.user,
            order = sent.target,
            attempt = sent.attempt,
            client_request_id = %sent.client_request_id,
            "request sent"
        ),
        Event::Answered(answered) => {
            let Evidence { http_status, error_code, detail, request_id, diagnostic, .. } = &answered.evidence;
            debug!(
                user = answered.user,
                order = answered.target,
                attempt = answered.attempt,
                outcome = answered.outcome.word(),
                status = http_status,
                error_code = error_code.as_deref(),
                request_id = request_id.as_deref(),
                diagnostic = diagnostic.as_deref(),
                detail = said(detail),
                "will be tried again"
            );
        }
        Event::Throttled(throttled) => info!(
            until = %throttled.until,
            retry_after_ms = throttled.retry_after_ms,
            scope = throttled.scope.as_deref(),
            information = throttled.information.as_deref(),
            "throttled by Graph"
        ),
        Event::Reopened { .. } => info!("requests leave again"),
        Event::Renewed { .. } => info!("token renewed"),
        Event::Settled(settled) => {
            let Evidence { http_status, error_code, detail, request_id, diagnostic, .. } = &settled.evidence;
            // The level of a tracing event is fixed where it stands, so the fields stand twice.
            macro_rules! settled {
                ($log:ident) => {
                    $log!(
                        user = settled.user,
                        order = settled.target,
                        outcome = settled.outcome.word(),
                        attempts = settled.attempts,
                        throttled_ms = settled.throttled_ms,
                        status = http_status,
                        error_code = error_code.as_deref(),
                        request_id = request_id.as_deref(),
                        client_request_id = settled.client_request_id.map(tracing::field::display),
                        diagnostic = diagnostic.as_deref(),
                        detail = said(detail),
                        "settled"
                    )
                };
            }
            if settled.outcome == Outcome::Revoked { settled!(debug) } else { settled!(info) }
        }
        Event::Stopping { why, .. } => warn!(why = %why, "stopping: nothing more is sent"),
        Event::Ended { .. } => info!("run ended"),
    }
}

/// A text, or no field at all where it is empty.
fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
