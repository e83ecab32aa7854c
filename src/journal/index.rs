//! Reads the journal back: the state of each target, for the report and for `resume`.
//!
//! One pass keeps a few bytes per target (the positions of its first and last line). Details are read again from the
//! file when a row is written. What can't be read is left out: that can only lose knowledge of a request, but never
//! invent an outcome.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use uuid::Uuid;

use super::consistency::{BeganLines, JournalAnomalies, LastLineKind, LineFacts};
use super::{FORMAT, JOURNAL, Journal, JournalError, RunFolder};
use crate::event::{
    AnswerEvidence, BeganEvent, Event, EventScope, StopReason, TargetNo, TenantIndex, ThrottledEvent,
};
use crate::files::Dir;
use crate::number;
use crate::outcome::{AcceptedOutcomes, Outcome};

/// Maximum length of a line, in bytes. The program's own lines are much shorter, so a longer one is damaged.
const MAX_LINE: usize = 1 << 20;

/// The journal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalReadError {
    /// The operating system refused access.
    #[error("can't read {path}: {source}", path = path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It was written by a newer program.
    #[error("{path} has format {found}, this version reads {FORMAT}: use a newer \
         entra-revoke", path = path.display())]
    NewerFormat {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It belongs to another run.
    #[error(
        "{path} is the journal of run {found}, but run.json next to it belongs to run {run}: put this run's \
         own journal back",
        path = path.display(), found = crate::text::sanitize::sanitize_truncated(found, 40), run = crate::text::sanitize::sanitize_truncated(run, 40)
    )]
    OtherRun {
        /// The journal.
        path: PathBuf,
        /// The run in the journal.
        found: String,
        /// The run in `run.json`.
        run: String,
    },
    /// It belongs to another plan.
    #[error("{path} was written for another plan.csv: the plan was changed after the run \
         began", path = path.display())]
    OtherPlan {
        /// The journal.
        path: PathBuf,
    },
}

/// The state of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetState {
    /// The outcome according to the lines so far.
    pub outcome: Outcome,
    /// The last answer.
    pub evidence: AnswerEvidence,
    /// The number of requests.
    pub attempts: u32,
    /// Time waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// When the first request was sent.
    pub first_sent_at: Option<Timestamp>,
    /// When its outcome became final. `None` if it never was.
    pub settled_at: Option<Timestamp>,
    /// The `client-request-id` of the last attempt.
    pub client_request_id: Option<Uuid>,
}

/// The positions and facts that are kept for one target.
#[derive(Clone, Copy, Default)]
struct TargetTrace {
    /// Where its first `sent` line starts. 0 means none, because the `began` line is there.
    first_sent: u64,
    /// Where its last line starts.
    last_line: u64,
    attempts: u32,
    outcome: Option<Outcome>,
    /// The kind of its last line and the process that wrote it. They only serve to find impossible lines.
    last_kind: LastLineKind,
    last_process: u16,
}

/// A journal that was read.
pub struct JournalIndex {
    path: PathBuf,
    file: File,
    window: RefCell<ReadWindow>,
    traces: Vec<TargetTrace>,
    /// The processes that started or resumed the run.
    pub processes: Vec<BeganEvent>,
    /// Where their lines start.
    process_starts: Vec<u64>,
    /// The raw text of these lines, and of damaged ones.
    began_lines: BeganLines,
    /// Lines that this program could not have written.
    oddities: JournalAnomalies,
    /// The apps that the last process stopped using, and why.
    pub dropped_apps: Vec<(EventScope, StopReason)>,
    /// Why the last process stopped early, if it did.
    pub stopped: Option<StopReason>,
    /// When the last process ended. `None` if it was killed.
    pub ended_at: Option<Timestamp>,
    /// The time of the last readable line.
    pub last_at: Option<Timestamp>,
    /// The same as text.
    last_line_at: String,
    /// How often the gate closed.
    pub throttle_count: u64,
    /// Graph's waits by tenant. The key is `None` if the run has only one tenant.
    pub throttle_waits: BTreeMap<Option<TenantIndex>, Vec<ThrottleWait>>,
    /// Why the last process stopped early in individual tenants.
    pub stopped_tenants: BTreeMap<TenantIndex, StopReason>,
    /// The number of lines that could not be read, without a torn last line.
    pub damaged: u64,
    /// Where the last complete line ends, in bytes.
    pub(super) complete_bytes: u64,
}

/// A wait that Graph asked for, by the clock of the process that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleWait {
    at: Timestamp,
    until: Timestamp,
    requested: Duration,
}

/// This many waits of a tenant are kept. Later waits usually cover earlier ones.
const MAX_THROTTLE_WAITS: usize = 64;

/// If Graph did not say how long to wait, the program chose a wait. A later process waits at most this long for it.
const MAX_OWN_WAIT: Duration = Duration::from_secs(15);

impl ThrottleWait {
    fn new(throttled: &ThrottledEvent) -> ThrottleWait {
        let asked = throttled.retry_after_ms.map_or(MAX_OWN_WAIT, number::millis);
        ThrottleWait { at: throttled.at, until: throttled.until, requested: asked }
    }

    /// How much of it is left now, which is never more than Graph asked for. A clock that was or is wrong does not make
    /// the wait longer.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        let max = number::duration_between(self.at, self.until)?.min(self.requested);
        number::duration_between(now, self.until).map(|left| left.min(max))
    }

    /// Whether this wait lasts at least as long as an earlier one, whatever the clock says.
    fn covers(&self, earlier: ThrottleWait) -> bool {
        self.until >= earlier.until && self.requested >= earlier.requested
    }
}

/// A short hash of a user ID, to check that a line is about the plan's user.
pub fn fingerprint(user: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish() as u32
}

/// The few fields of a target's line that the first pass needs.
#[derive(Deserialize)]
struct LineHeader<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    /// Only parsed as a time for the last line, because that takes longer than everything else here.
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(default)]
    target: Option<TargetNo>,
    #[serde(default, borrow)]
    user: Option<Cow<'a, str>>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    attempts: Option<u32>,
    #[serde(default)]
    outcome: Option<Outcome>,
    #[serde(default)]
    http_status: Option<u16>,
}

impl JournalIndex {
    /// Reads the journal of a run folder. `users` are the [`fingerprint`]s of the plan's users, in sending order. A
    /// missing journal counts as empty: the process was killed before its first line.
    pub fn read(folder: &Dir, users: &[u32], plan_sha256: &str) -> Result<JournalIndex, JournalReadError> {
        let path = folder.file(JOURNAL);
        let fail = |source| JournalReadError::Io { path: path.clone(), source };
        let file = folder.write(JOURNAL).map_err(fail)?;
        // A killed process may have written lines that it never synced. After this sync, every line that is read below
        // is on disk.
        file.sync_data().map_err(fail)?;
        let mut index = JournalIndex {
            path: path.clone(),
            traces: vec![TargetTrace::default(); users.len()],
            processes: Vec::new(),
            process_starts: Vec::new(),
            began_lines: BeganLines::default(),
            oddities: JournalAnomalies::default(),
            dropped_apps: Vec::new(),
            stopped: None,
            ended_at: None,
            last_at: None,
            last_line_at: String::new(),
            throttle_count: 0,
            throttle_waits: BTreeMap::new(),
            stopped_tenants: BTreeMap::new(),
            damaged: 0,
            complete_bytes: 0,
            file: file.try_clone().map_err(fail)?,
            window: RefCell::default(),
        };
        let mut lines = JournalLines::new(file);
        while let Some((start, line)) = lines.next().map_err(fail)? {
            if line.is_none_or(|line| index.apply_line(start, line, users).is_none()) {
                index.damaged += 1;
                index.began_lines.add_damaged(line.unwrap_or_default());
            }
        }
        index.complete_bytes = lines.complete_bytes;
        index.last_at = index.last_line_at.parse().ok();
        index.check_format_and_plan(plan_sha256)?;
        Ok(index)
    }

    /// Refuses a journal of a newer format or of another plan. A single damaged bit does not count as a difference.
    fn check_format_and_plan(&mut self, plan_sha256: &str) -> Result<(), JournalReadError> {
        let path = || self.path.clone();
        let mut damaged = 0;
        for (place, began) in self.processes.iter().enumerate() {
            let nearly = |member: String| self.began_lines.nearly_contains(place, &member);
            if began.format > FORMAT {
                match nearly(format!("\"format\":{FORMAT},")) {
                    true => damaged += 1,
                    false => return Err(JournalReadError::NewerFormat { path: path(), found: began.format }),
                }
            }
            if began.plan_sha256 != plan_sha256 {
                match nearly(format!("\"plan_sha256\":\"{plan_sha256}\"")) {
                    true => damaged += 1,
                    false => return Err(JournalReadError::OtherPlan { path: path() }),
                }
            }
        }
        self.damaged += damaged;
        Ok(())
    }

    /// Refuses the journal if any of its `began` lines names another run. A run of the same input has the same
    /// plan, so the plan's hash does not show it. A single damaged bit does not count as a difference.
    ///
    /// # Errors
    /// When a line names another run.
    pub fn check_run(&mut self, run: &str) -> Result<(), JournalReadError> {
        let member = format!("\"run\":\"{run}\"");
        for (place, began) in self.processes.iter().enumerate() {
            if began.run == run {
                continue;
            }
            if !self.began_lines.nearly_contains(place, &member) {
                let (found, run) = (began.run.clone(), run.to_owned());
                return Err(JournalReadError::OtherRun { path: self.path.clone(), found, run });
            }
            self.damaged += 1;
        }
        let is_named = !self.processes.is_empty() || self.began_lines.damaged_contains(&member);
        if !is_named && self.traces.iter().any(|trace| trace.last_kind != LastLineKind::Nothing) {
            self.oddities.set_run_unnamed();
        }
        Ok(())
    }

    /// The lines that the program can't have written like this, as sentences without the full stop.
    pub fn anomalies(&self) -> Vec<String> {
        self.oddities.sentences()
    }

    /// Applies one line. `None` if it is not valid.
    fn apply_line(&mut self, start: u64, line: &[u8], users: &[u32]) -> Option<()> {
        let header: LineHeader = serde_json::from_slice(line).ok()?;
        let behind_the_end = self.ended_at.is_some();
        match header.target {
            Some(target) => {
                let index = (target as usize).checked_sub(1)?;
                if *users.get(index)? != fingerprint(header.user.as_deref()?) {
                    return None;
                }
                let process = self.processes.len() as u16;
                let all_read = self.damaged == 0;
                self.traces[index].apply_line(
                    start,
                    &header,
                    ReplayContext { process, all_read },
                    &mut self.oddities,
                )?;
            }
            None => match serde_json::from_slice(line).ok()? {
                Event::Began(began) => {
                    self.add_began(start, began);
                    self.began_lines.add_readable(line);
                }
                event => self.add_event(event),
            },
        }
        if behind_the_end && &*header.event != "began" {
            self.oddities.count_after_end();
        }
        self.last_line_at.clear();
        self.last_line_at.push_str(&header.at);
        Some(())
    }

    fn add_began(&mut self, start: u64, began: BeganEvent) {
        let left = self.outstanding(&AcceptedOutcomes::default()).count();
        self.oddities.check_began(&began, self.processes.last(), left);
        self.processes.push(began);
        self.process_starts.push(start);
        self.dropped_apps.clear();
        self.stopped = None;
        self.stopped_tenants.clear();
        self.ended_at = None;
    }

    fn add_event(&mut self, event: Event) {
        match event {
            Event::Throttled(throttled) => {
                self.throttle_count += 1;
                let closing = ThrottleWait::new(&throttled);
                let closings = self.throttle_waits.entry(throttled.event_scope.tenant).or_default();
                closings.retain(|earlier| !closing.covers(*earlier));
                closings.push(closing);
                // Only the last ones are kept, so that the memory stays small for a long journal.
                if closings.len() > MAX_THROTTLE_WAITS {
                    closings.remove(0);
                }
            }
            Event::Dropped { scope, why, .. } => self.dropped_apps.push((scope, why)),
            Event::Stopping { why, tenant: None, .. } => self.stopped = Some(why),
            Event::Stopping { why, tenant: Some(tenant), .. } => {
                self.stopped_tenants.insert(tenant, why);
            }
            Event::Ended { at } => self.ended_at = Some(at),
            _ => {}
        }
    }

    /// The outcome of a target if no more lines follow.
    pub fn outcome(&self, target: TargetNo) -> Outcome {
        self.trace(target).outcome.unwrap_or(Outcome::NotAttempted)
    }

    /// The number of requests for a target.
    pub fn attempts(&self, target: TargetNo) -> u32 {
        self.trace(target).attempts
    }

    fn trace(&self, target: TargetNo) -> TargetTrace {
        let index = (target as usize).wrapping_sub(1);
        self.traces.get(index).copied().unwrap_or_default()
    }

    /// The targets that a resumed run still has to revoke, in sending order: all whose outcome is not accepted as done.
    pub fn outstanding(&self, accepted: &AcceptedOutcomes) -> impl Iterator<Item = TargetNo> {
        let left = |(index, trace): (usize, &TargetTrace)| {
            let outcome = trace.outcome.unwrap_or(Outcome::NotAttempted);
            (!accepted.is_done(outcome)).then_some(index as TargetNo + 1)
        };
        self.traces.iter().enumerate().filter_map(left)
    }

    /// Everything that is known about a target. If a line has been damaged since, the state has what is known without
    /// it.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn target_state(&self, target: TargetNo) -> io::Result<TargetState> {
        let trace = self.trace(target);
        let mut state = TargetState {
            outcome: trace.outcome.unwrap_or(Outcome::NotAttempted),
            evidence: AnswerEvidence::default(),
            attempts: trace.attempts,
            throttled_ms: 0,
            first_sent_at: None,
            settled_at: None,
            client_request_id: None,
        };
        if trace.last_line == 0 {
            return Ok(state);
        }
        self.read_last_line(&mut state, trace)?;
        if state.evidence.app_id.is_none() && state.attempts > 0 {
            state.evidence.app_id = self.single_app(trace.last_line);
        }
        if state.first_sent_at.is_none() {
            state.first_sent_at = self.sent_at(trace.first_sent)?;
        }
        Ok(state)
    }

    /// The app of a line without one: the only app of the process that wrote it. `None` if that had several.
    fn single_app(&self, line: u64) -> Option<Arc<str>> {
        let process = self.process_starts.partition_point(|start| *start <= line).checked_sub(1)?;
        match &self.processes.get(process)?.apps[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Adds the facts of a target's last line. A `settled` line is parsed directly and not as an [`Event`], because a
    /// report reads one for each user.
    fn read_last_line(&self, state: &mut TargetState, trace: TargetTrace) -> io::Result<()> {
        let mut window = self.window.borrow_mut();
        let line = window.line_at(&self.file, trace.last_line)?;
        if line.starts_with(SETTLED_PREFIX)
            && let Ok(settled) = serde_json::from_slice::<SettledLine>(line)
            && settled.outcome == state.outcome
        {
            settled.apply_to(state);
            return Ok(());
        }
        match serde_json::from_slice(line) {
            Ok(Event::Settled(settled)) if settled.outcome == state.outcome => {
                state.evidence = settled.evidence;
                state.throttled_ms = settled.throttled_ms;
                state.first_sent_at = settled.first_sent_at;
                state.settled_at = Some(settled.at);
                state.client_request_id = settled.client_request_id;
            }
            Ok(Event::Answered(answered)) => {
                state.evidence = answered.evidence;
                state.throttled_ms = answered.throttled_ms;
                state.client_request_id = answered.client_request_id;
            }
            Ok(Event::Sent(sent)) => {
                state.client_request_id = Some(sent.client_request_id);
                state.evidence.app_id = sent.app_id;
                state.evidence.detail = "sent, but the run was interrupted before the answer \
                     arrived"
                    .to_owned();
            }
            _ => {
                state.outcome = Outcome::InDoubt;
                state.evidence.detail = "the journal line with the outcome can't be read".to_owned();
            }
        }
        Ok(())
    }

    /// When the request of the `sent` line at this position was sent.
    fn sent_at(&self, start: u64) -> io::Result<Option<Timestamp>> {
        let mut window = self.window.borrow_mut();
        let sent: Option<Event> = serde_json::from_slice(window.line_at(&self.file, start)?).ok();
        Ok(sent.and_then(|event| if let Event::Sent(sent) = event { Some(sent.at) } else { None }))
    }

    /// Cuts off the torn last line and continues after the last complete one.
    pub fn into_journal(self, folder: &RunFolder) -> Result<Journal, JournalError> {
        let mut file = self.file;
        file.set_len(self.complete_bytes)?;
        file.seek(SeekFrom::Start(self.complete_bytes))?;
        Journal::new(file, self.complete_bytes)?.with_location(folder)
    }
}

/// The place of a target's line in the journal.
#[derive(Clone, Copy)]
struct ReplayContext {
    /// The number of processes so far.
    process: u16,
    /// Whether every line so far could be read.
    all_read: bool,
}

impl TargetTrace {
    fn apply_line(
        &mut self,
        start: u64,
        header: &LineHeader<'_>,
        context: ReplayContext,
        odd: &mut JournalAnomalies,
    ) -> Option<()> {
        let (last, attempt, outcome) = match &*header.event {
            "sent" => (LastLineKind::Sent, header.attempt?, Outcome::InDoubt),
            "answered" => (LastLineKind::Answered, header.attempts.or(header.attempt)?, header.outcome?),
            "settled" => (LastLineKind::Settled, header.attempts.or(header.attempt)?, header.outcome?),
            _ => return None,
        };
        let ReplayContext { process, all_read } = context;
        let same_process = self.last_process == process;
        let line = LineFacts {
            kind: last,
            attempt,
            outcome,
            http_status: header.http_status,
            all_read,
            same_process,
        };
        odd.compare_with_last(&line, self.last_kind, self.attempts);
        (self.last_kind, self.last_process) = (last, process);
        self.attempts = self.attempts.max(attempt);
        if last == LastLineKind::Sent && self.first_sent == 0 {
            self.first_sent = start;
        }
        // A success is final: no later line can undo it.
        if self.outcome != Some(Outcome::Revoked) {
            self.outcome = Some(outcome);
            self.last_line = start;
        }
        Some(())
    }
}

/// A `settled` line, as far as a report needs it. The line has the fields of [`AnswerEvidence`] at its top level, and
/// reading them through an [`Event`] takes three times as long.
#[derive(Deserialize)]
struct SettledLine<'a> {
    at: Timestamp,
    outcome: Outcome,
    #[serde(default)]
    http_status: Option<u16>,
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default, borrow)]
    detail: Cow<'a, str>,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    server_date: Option<String>,
    #[serde(default)]
    diagnostic: Option<String>,
    #[serde(default)]
    app_id: Option<Arc<str>>,
    throttled_ms: u64,
    #[serde(default)]
    first_sent_at: Option<Timestamp>,
    #[serde(default)]
    client_request_id: Option<Uuid>,
}

impl SettledLine<'_> {
    fn apply_to(self, state: &mut TargetState) {
        state.evidence = AnswerEvidence {
            http_status: self.http_status,
            error_code: self.error_code,
            detail: self.detail.into_owned(),
            request_id: self.request_id,
            server_date: self.server_date,
            diagnostic: self.diagnostic,
            app_id: self.app_id,
        };
        state.throttled_ms = self.throttled_ms;
        state.first_sent_at = self.first_sent_at;
        state.settled_at = Some(self.at);
        state.client_request_id = self.client_request_id;
    }
}

/// The start of a `settled` line, as this program writes it.
const SETTLED_PREFIX: &[u8] = br#"{"event":"settled","#;

/// A part of the journal in memory. Rows are read in the order of the input and settle in nearly the same order, so the
/// next line is usually in the part that was read for the previous one.
#[derive(Default)]
struct ReadWindow {
    start: u64,
    bytes: Vec<u8>,
}

impl ReadWindow {
    /// How many bytes are read at once, and how many of them are before the requested line.
    const SIZE: u64 = 256 << 10;
    const BEFORE: u64 = 64 << 10;

    /// The line that starts at `start`, up to its end or the maximum length.
    fn line_at(&mut self, file: &File, start: u64) -> io::Result<&[u8]> {
        if self.find(start).is_none() {
            self.read(file, start.saturating_sub(Self::BEFORE), Self::SIZE)?;
        }
        if self.find(start).is_none() {
            self.read(file, start, MAX_LINE as u64)?;
        }
        let from = (start - self.start) as usize;
        let line = self.bytes.get(from..).unwrap_or_default();
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        Ok(&line[..end])
    }

    /// Where the line that starts there ends, if it is completely in memory.
    fn find(&self, start: u64) -> Option<usize> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..)?.iter().position(|byte| *byte == b'\n')
    }

    fn read(&mut self, mut file: &File, start: u64, size: u64) -> io::Result<()> {
        self.start = start;
        self.bytes.clear();
        file.seek(SeekFrom::Start(start))?;
        file.take(size).read_to_end(&mut self.bytes)?;
        Ok(())
    }
}

/// Lines of limited length, with their start offsets.
struct JournalLines {
    reader: BufReader<File>,
    line: Vec<u8>,
    offset: u64,
    complete_bytes: u64,
}

impl JournalLines {
    fn new(file: File) -> JournalLines {
        JournalLines {
            reader: BufReader::with_capacity(1 << 18, file),
            line: Vec::new(),
            offset: 0,
            complete_bytes: 0,
        }
    }

    /// The next complete line without its line end, or `Some((_, None))` for one that is too long. A torn last line
    /// counts as the end.
    #[allow(clippy::type_complexity)]
    fn next(&mut self) -> io::Result<Option<(u64, Option<&[u8]>)>> {
        let start = self.offset;
        self.line.clear();
        let mut too_long = false;
        loop {
            let available = self.reader.fill_buf()?;
            if available.is_empty() {
                return Ok(None);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            too_long |= self.line.len() + part.len() > MAX_LINE;
            if !too_long {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(available.len(), |end| end + 1);
            self.reader.consume(used);
            self.offset += used as u64;
            if end.is_some() {
                self.complete_bytes = self.offset;
                return Ok(Some((start, (!too_long).then_some(&self.line[..]))));
            }
        }
    }
}
