//! Logs: where they go, at which level, and which events of a run they have.
//!
//! Every line passes through [`sanitize`] as a whole, so text from a server or an input file can't act on the terminal
//! or forge a second line.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::level_filters::LevelFilter;
use tracing::{Subscriber, debug, info};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;

use super::suspend_progress;
use crate::event::{AnswerEvidence, Event};
use crate::files::append_to;
use crate::outcome::Outcome;
use crate::text::sanitize;

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

/// A word that is not a log format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid log format '{0}' (possible values: text, json)")]
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
    #[error("can't open the log file {}: {source}", sanitize::sanitize_line(&path.display().to_string()))]
    File {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This process has set up logging already.
    #[error("logging is already set up")]
    AlreadyInstalled,
}

/// Sets up logging for the process. Call it once, before anything is logged.
pub fn init(options: &LogOptions) -> Result<(), LogError> {
    let out = match &options.file {
        None => LogSink::Stderr,
        Some(path) => {
            let file = append_to(path).map_err(|source| LogError::File { path: path.clone(), source })?;
            LogSink::File(Arc::new(Mutex::new(file)))
        }
    };
    tracing::subscriber::set_global_default(subscriber(options, out)).map_err(|_| LogError::AlreadyInstalled)
}

fn subscriber(options: &LogOptions, out: LogSink) -> Box<dyn Subscriber + Send + Sync> {
    let lines = LogLines { out, format: options.format };
    let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_timer(UtcTimer).with_writer(lines);
    let registry = tracing_subscriber::registry().with(levels(options.verbosity));
    match options.format {
        LogFormat::Text => Box::new(registry.with(layer)),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(layer))
        }
    }
}

/// The level of this crate as requested, and a lower one for everything else. HTTP/2 logs nothing below info, because
/// its details are whole frames, and one of them has the token in it.
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

/// Times in UTC and RFC 3339, as in all other output.
struct UtcTimer;

impl FormatTime for UtcTimer {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:.3}", Timestamp::now())
    }
}

/// Where lines go.
#[derive(Clone)]
enum LogSink {
    Stderr,
    File(Arc<Mutex<File>>),
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<u8>>>),
}

/// Sanitizes each line. tracing-subscriber writes one whole line per call.
#[derive(Clone)]
struct LogLines {
    out: LogSink,
    format: LogFormat,
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = &'a LogLines;

    fn make_writer(&'a self) -> &'a LogLines {
        self
    }
}

impl Write for &LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut clean = match self.format {
            LogFormat::Text => sanitize::sanitize_line(text).into_owned(),
            LogFormat::Json => sanitize::sanitize_json(text).into_owned(),
        };
        clean.push('\n');
        match &self.out {
            LogSink::Stderr => suspend_progress(|| io::stderr().lock().write_all(clean.as_bytes()))?,
            LogSink::File(file) => {
                file.lock().unwrap_or_else(PoisonError::into_inner).write_all(clean.as_bytes())?
            }
            #[cfg(test)]
            LogSink::Memory(bytes) => {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend(clean.as_bytes())
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The target of log lines about a run's events.
const RUN_TARGET: &str = concat!(env!("CARGO_CRATE_NAME"), "::run");

/// Logs an event of a run: requests and revoked users at debug; users not done, and the run's own progress, at info.
/// Nothing is logged at a higher level, because the summary repeats all of it.
pub fn record(event: &Event) {
    match event {
        Event::Began(began) => {
            info!(
                target: RUN_TARGET,
                run = began.run,
                targets = began.targets,
                resumed = began.resumed,
                "run began"
            );
        }
        Event::Sent(sent) => debug!(target: RUN_TARGET,
            user = sent.user,
            order = sent.target,
            attempt = sent.attempt,
            client_request_id = %sent.client_request_id,
            "request sent"
        ),
        Event::Answered(answered) => {
            let AnswerEvidence { http_status, error_code, detail, request_id, diagnostic, .. } =
                &answered.evidence;
            debug!(target: RUN_TARGET,
                user = answered.user,
                order = answered.target,
                attempt = answered.attempt,
                outcome = answered.outcome.word(),
                status = http_status,
                error_code = error_code.as_deref(),
                request_id = request_id.as_deref(),
                diagnostic = diagnostic.as_deref(),
                detail = non_empty(detail),
                "will retry"
            );
        }
        Event::Throttled(throttled) => info!(target: RUN_TARGET,
            until = %format_args!("{:.3}", throttled.until),
            retry_after_ms = throttled.retry_after_ms,
            scope = throttled.scope.as_deref(),
            information = throttled.information.as_deref(),
            "throttled by Graph"
        ),
        Event::Reopened { .. } => info!(target: RUN_TARGET, "sending again"),
        Event::Renewed { .. } => info!(target: RUN_TARGET, "token renewed"),
        Event::Dropped { scope, why, .. } => {
            info!(
                target: RUN_TARGET,
                app = scope.app_id.as_deref(),
                %why,
                "an app stopped; others continue its work"
            );
        }
        Event::Settled(settled) => {
            let AnswerEvidence { http_status, error_code, detail, request_id, diagnostic, .. } =
                &settled.evidence;
            // The level of a tracing event is fixed at compile time, so both levels need the fields.
            macro_rules! settled {
                ($log:ident) => {
                    $log!(target: RUN_TARGET,
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
                        detail = non_empty(detail),
                        "settled"
                    )
                };
            }
            if settled.outcome == Outcome::Revoked { settled!(debug) } else { settled!(info) }
        }
        Event::Stopping { why, .. } => {
            info!(target: RUN_TARGET, why = why.to_string(), "stopping: no more requests are sent")
        }
        Event::Ended { .. } => info!(target: RUN_TARGET, "run ended"),
    }
}

/// `None` for an empty text, so that its field is omitted.
fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::test_events;

    fn capture_log(options: &LogOptions, act: impl FnOnce()) -> Vec<String> {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        tracing::subscriber::with_default(subscriber(options, LogSink::Memory(Arc::clone(&bytes))), act);
        let bytes = bytes.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    fn hostile() -> Event {
        let mut event = test_events::settled(7, Outcome::Forbidden);
        if let Event::Settled(settled) = &mut event {
            settled.user = "eve\u{1b}[2J\r\n\u{202e}\u{9b}\u{e0041}\"@contoso.com".to_owned();
            settled.evidence.http_status = Some(403);
            settled.evidence.request_id = Some("r\u{1b}]0;x\u{7}".to_owned());
        }
        event
    }

    #[test]
    fn text_log_escapes_hostile_text() {
        let lines = capture_log(&LogOptions { verbosity: 1, ..LogOptions::default() }, || record(&hostile()));
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].chars().any(sanitize::needs_escape), "{lines:?}");
        assert!(lines[0].contains("Z  INFO entra_revoke::run: settled user="), "{lines:?}");
    }

    #[test]
    fn json_log_is_flat_and_escapes_hostile_text() {
        let options = LogOptions { verbosity: 1, format: LogFormat::Json, file: None };
        let lines = capture_log(&options, || record(&hostile()));
        assert_eq!(lines.len(), 1);
        assert!(!lines[0].chars().any(sanitize::needs_escape), "{lines:?}");
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        let Event::Settled(settled) = hostile() else { unreachable!() };
        assert_eq!(line["user"], settled.user);
        assert_eq!(line["request_id"].as_str(), settled.evidence.request_id.as_deref());
        assert_eq!(
            (&line["status"], &line["order"], &line["level"]),
            (&403.into(), &7.into(), &"INFO".into())
        );
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
        assert!(line.get("error_code").is_none());
    }

    #[test]
    fn verbosity_opens_this_crate_before_others() {
        let line_count = |verbosity| {
            let lines = capture_log(&LogOptions { verbosity, ..LogOptions::default() }, || {
                record(&test_events::sent(1));
                record(&test_events::settled(1, Outcome::NotFound));
                tracing::warn!("ours");
                tracing::error!(target: "hyper::client", "hyper error");
                tracing::info!(target: "hyper::client", "hyper info");
                tracing::debug!(target: "h2::codec", "frame");
            });
            lines.len()
        };
        assert_eq!([line_count(0), line_count(1), line_count(2), line_count(3)], [2, 3, 5, 5]);
    }

    #[test]
    fn a_log_file_is_appended_to_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.log");
        for _ in 0..2 {
            let out = LogSink::File(Arc::new(Mutex::new(append_to(&path).unwrap())));
            let options = LogOptions::default();
            tracing::subscriber::with_default(subscriber(&options, out), || tracing::warn!("a line"));
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_log_file_that_cannot_be_opened_is_a_typed_error() {
        let path = std::env::temp_dir().join("no such folder").join("run.log");
        let error = init(&LogOptions { file: Some(path), ..LogOptions::default() }).unwrap_err();
        assert!(matches!(&error, LogError::File { .. }) && error.to_string().contains("no such folder"));
    }

    #[test]
    fn formats_are_parsed() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert_eq!(LogFormat::Text.to_string().parse(), Ok(LogFormat::Text));
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
