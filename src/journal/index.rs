//! Reading the journal back: how it stands for each target, for the report and for `resume`.
//!
//! One pass keeps a few bytes a target (where its first and its last line stand); details are read again from the
//! file when a row is written. Whatever can't be read is left out: that can only lose knowledge of a request,
//! never invent an outcome.

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

use super::consistency::{BeganLines, JournalOddities, LastLineKind, LineFacts};
use super::{FORMAT, JOURNAL, Journal, JournalError, RunFolder};
use crate::event::{
    AnswerEvidence, BeganEvent, Event, EventScope, StopReason, TargetNo, TenantIndex, ThrottledEvent,
};
use crate::files::Dir;
use crate::number;
use crate::outcome::{Accepted, Outcome};

/// Longest line that is read, in bytes. Our own stay far below; a longer one is damage.
const MAX_LINE: usize = 1 << 20;

/// The journal can't be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalReadError {
    /// The operating system refused.
    #[error("can't read {path}: {source}", path = path.display())]
    Io {
        /// The journal.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was written by a newer program.
    #[error("{path} has format {found}, this version reads {FORMAT}: use a newer entra-revoke", path = path.display())]
    NewerFormat {
        /// The journal.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// It belongs to another run.
    #[error(
        "{path} is the journal of run {found}, and run.json beside it is of run {run}: put this run's own journal back",
        path = path.display(), found = crate::text::sanitize::sanitize_truncated(found, 40), run = crate::text::sanitize::sanitize_truncated(run, 40)
    )]
    OtherRun {
        /// The journal.
        path: PathBuf,
        /// The run that it names.
        found: String,
        /// The folder's.
        run: String,
    },
    /// It belongs to another plan.
    #[error("{path} was written for another plan.csv: the plan was changed after the run began", path = path.display())]
    OtherPlan {
        /// The journal.
        path: PathBuf,
    },
}

/// How it stands for one target.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetState {
    /// The word that holds if nothing more comes.
    pub outcome: Outcome,
    /// The last answer.
    pub evidence: AnswerEvidence,
    /// Requests sent.
    pub attempts: u32,
    /// Time waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// When the first request left.
    pub first_sent_at: Option<Timestamp>,
    /// When it was settled; none where the run never came to that.
    pub settled_at: Option<Timestamp>,
    /// The last attempt's `client-request-id`.
    pub client_request_id: Option<Uuid>,
}

/// What the journal holds of one target.
#[derive(Clone, Copy, Default)]
struct TargetTrace {
    /// Where its first `sent` line starts; 0 is the `began` line, so it stands for none.
    first_sent: u64,
    /// Where its last line starts.
    last_line: u64,
    attempts: u32,
    outcome: Option<Outcome>,
    /// What its last line was, and of which process; both only tell lines that can't be.
    last_kind: LastLineKind,
    last_process: u16,
}

/// A journal, read.
pub struct JournalIndex {
    path: PathBuf,
    file: File,
    window: RefCell<ReadWindow>,
    traces: Vec<TargetTrace>,
    /// Each process that took up the run.
    pub processes: Vec<BeganEvent>,
    /// Where their lines start.
    process_starts: Vec<u64>,
    /// The same lines, and damaged ones, as they stand there.
    began_lines: BeganLines,
    /// Lines that can't stand as the program wrote them.
    oddities: JournalOddities,
    /// The apps that the last process lost on the way, and why.
    pub dropped: Vec<(EventScope, StopReason)>,
    /// Why the last process stopped early, if it did.
    pub stopped: Option<StopReason>,
    /// When the last process left the run; none where it was killed.
    pub ended_at: Option<Timestamp>,
    /// Time of the last readable line.
    pub last_at: Option<Timestamp>,
    /// The same, as it stands there.
    last_line_at: String,
    /// How often the gate closed.
    pub throttle_count: u64,
    /// What Graph asked for: in each tenant, where a run has several, or in all.
    pub closings: BTreeMap<Option<TenantIndex>, Vec<ClosingLine>>,
    /// Why the last process stopped early in single tenants.
    pub stopped_in: BTreeMap<TenantIndex, StopReason>,
    /// Lines that could not be read, the torn tail not counted.
    pub damaged: u64,
    /// Where the last whole line ends, in bytes.
    pub(super) complete_bytes: u64,
}

/// A wait that Graph asked for, by the clock of then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosingLine {
    at: Timestamp,
    until: Timestamp,
    requested: Duration,
}

/// So many waits of a tenant are kept; later ones mostly make earlier ones count for nothing.
const MAX_CLOSINGS: usize = 64;

/// Where Graph did not say how long, not more than this of our own wait holds for another process.
const MAX_OWN_WAIT: Duration = Duration::from_secs(15);

impl ClosingLine {
    fn new(throttled: &ThrottledEvent) -> ClosingLine {
        let asked = throttled.retry_after_ms.map_or(MAX_OWN_WAIT, number::millis);
        ClosingLine { at: throttled.at, until: throttled.until, requested: asked }
    }

    /// What is left of it now, which is never more than what was asked for: a clock that was wrong then, or is now,
    /// makes no wait longer.
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        let max = number::between(self.at, self.until)?.min(self.requested);
        number::between(now, self.until).map(|left| left.min(max))
    }

    /// Whether nothing of an earlier one is left when this one is over, whatever the clock says.
    fn covers(&self, earlier: ClosingLine) -> bool {
        self.until >= earlier.until && self.requested >= earlier.requested
    }
}

/// A short mark of a user id, by which a line is known to speak of the plan's user.
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
    /// Read as a time only for the last line: that costs more than all else here.
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
    /// Reads the journal in a run folder, of a plan with these users' [`fingerprint`]s, in sending order. A missing journal is an
    /// empty one: the process was killed before its first line.
    pub fn read(folder: &Dir, users: &[u32], plan_sha256: &str) -> Result<JournalIndex, JournalReadError> {
        let path = folder.file(JOURNAL);
        let fail = |source| JournalReadError::Io { path: path.clone(), source };
        let file = folder.write(JOURNAL).map_err(fail)?;
        // A killed process may have written lines that it never synced; what counts from here on is on disk.
        file.sync_data().map_err(fail)?;
        let mut index = JournalIndex {
            path: path.clone(),
            traces: vec![TargetTrace::default(); users.len()],
            processes: Vec::new(),
            process_starts: Vec::new(),
            began_lines: BeganLines::default(),
            oddities: JournalOddities::default(),
            dropped: Vec::new(),
            stopped: None,
            ended_at: None,
            last_at: None,
            last_line_at: String::new(),
            throttle_count: 0,
            closings: BTreeMap::new(),
            stopped_in: BTreeMap::new(),
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

    /// Refuses a newer journal and that of another plan. One bit that was damaged in a line makes it neither.
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

    /// Refuses the journal of another run, whichever of its processes names that: another run over the same input has the
    /// same plan. One bit that was damaged in a line makes it no other run's.
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

    /// Which lines can't stand as the program wrote them, in sentences without their full stop.
    pub fn oddities(&self) -> Vec<String> {
        self.oddities.sentences()
    }

    /// Takes one line in; none where it makes no sense.
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
        let left = self.outstanding(&Accepted::default()).count();
        self.oddities.check_began(&began, self.processes.last(), left);
        self.processes.push(began);
        self.process_starts.push(start);
        self.dropped.clear();
        self.stopped = None;
        self.stopped_in.clear();
        self.ended_at = None;
    }

    fn add_event(&mut self, event: Event) {
        match event {
            Event::Throttled(throttled) => {
                self.throttle_count += 1;
                let closing = ClosingLine::new(&throttled);
                let closings = self.closings.entry(throttled.whose.tenant).or_default();
                closings.retain(|earlier| !closing.covers(*earlier));
                closings.push(closing);
                // A journal of any length keeps no more than the last ones.
                if closings.len() > MAX_CLOSINGS {
                    closings.remove(0);
                }
            }
            Event::Dropped { scope, why, .. } => self.dropped.push((scope, why)),
            Event::Stopping { why, tenant: None, .. } => self.stopped = Some(why),
            Event::Stopping { why, tenant: Some(tenant), .. } => {
                self.stopped_in.insert(tenant, why);
            }
            Event::Ended { at } => self.ended_at = Some(at),
            _ => {}
        }
    }

    /// The word that holds for a target if nothing more comes.
    pub fn outcome(&self, target: TargetNo) -> Outcome {
        self.trace(target).outcome.unwrap_or(Outcome::NotAttempted)
    }

    /// Requests sent for a target.
    pub fn attempts(&self, target: TargetNo) -> u32 {
        self.trace(target).attempts
    }

    fn trace(&self, target: TargetNo) -> TargetTrace {
        let index = (target as usize).wrapping_sub(1);
        self.traces.get(index).copied().unwrap_or_default()
    }

    /// The targets that a resumed run has left, in sending order: all that is not done, in any way that is not
    /// accepted as done.
    pub fn outstanding(&self, accepted: &Accepted) -> impl Iterator<Item = TargetNo> {
        let left = |(index, trace): (usize, &TargetTrace)| {
            let outcome = trace.outcome.unwrap_or(Outcome::NotAttempted);
            (!accepted.settles(outcome)).then_some(index as TargetNo + 1)
        };
        self.traces.iter().enumerate().filter_map(left)
    }

    /// All that is known of a target.
    ///
    /// Fails only where the file can't be read; a line that no longer makes sense gives what can still be said.
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

    /// The app of a line that names none: that of the process which wrote it, where it had one only.
    fn single_app(&self, line: u64) -> Option<Arc<str>> {
        let process = self.process_starts.partition_point(|start| *start <= line).checked_sub(1)?;
        match &self.processes.get(process)?.apps[..] {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// What a target's last line says. A `settled` line, of which a report reads as many as there are users, is parsed
    /// as what it is, without the detour over an event of any kind.
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
                state.evidence.detail = "sent, and the run was cut off before an answer came".to_owned();
            }
            _ => {
                state.outcome = Outcome::InDoubt;
                state.evidence.detail = "the journal's line of its outcome can't be read".to_owned();
            }
        }
        Ok(())
    }

    /// When the request of the `sent` line that starts there left.
    fn sent_at(&self, start: u64) -> io::Result<Option<Timestamp>> {
        let mut window = self.window.borrow_mut();
        let sent: Option<Event> = serde_json::from_slice(window.line_at(&self.file, start)?).ok();
        Ok(sent.and_then(|event| if let Event::Sent(sent) = event { Some(sent.at) } else { None }))
    }

    /// Cuts the torn tail off and goes on writing behind the last whole line.
    pub fn into_journal(self, folder: &RunFolder) -> Result<Journal, JournalError> {
        let mut file = self.file;
        file.set_len(self.complete_bytes)?;
        file.seek(SeekFrom::Start(self.complete_bytes))?;
        Journal::new(file, self.complete_bytes)?.watched_in(folder)
    }
}

/// Where in the journal a target's line stands.
#[derive(Clone, Copy)]
struct ReplayContext {
    /// How many processes took up the run before it.
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
        odd: &mut JournalOddities,
    ) -> Option<()> {
        let (last, attempt, outcome) = match &*header.event {
            "sent" => (LastLineKind::Sent, header.attempt?, Outcome::InDoubt),
            "answered" => (LastLineKind::Answered, header.attempts.or(header.attempt)?, header.outcome?),
            "settled" => (LastLineKind::Settled, header.attempts.or(header.attempt)?, header.outcome?),
            _ => return None,
        };
        let ReplayContext { process, all_read } = context;
        let same_process = self.last_process == process;
        let line =
            LineFacts { last, attempt, outcome, http_status: header.http_status, all_read, same_process };
        odd.compare_with_last(&line, self.last_kind, self.attempts);
        (self.last_kind, self.last_process) = (last, process);
        self.attempts = self.attempts.max(attempt);
        if last == LastLineKind::Sent && self.first_sent == 0 {
            self.first_sent = start;
        }
        // What is done stays done: nothing that stands behind it can take it back.
        if self.outcome != Some(Outcome::Revoked) {
            self.outcome = Some(outcome);
            self.last_line = start;
        }
        Some(())
    }
}

/// A `settled` line, as far as a report needs it: [`AnswerEvidence`] stands in the line's own fields, and to gather those
/// from an [`Event`] costs three times as much.
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

/// How a `settled` line begins, as this program writes it.
const SETTLED_PREFIX: &[u8] = br#"{"event":"settled","#;

/// A part of the journal in memory. Rows are read in the input's order and settle in nearly the same, so that the
/// next line mostly lies in the part that was read for the one before.
#[derive(Default)]
struct ReadWindow {
    start: u64,
    bytes: Vec<u8>,
}

impl ReadWindow {
    /// How much is read at once, and how much of it lies before the line that was asked for; bytes.
    const SIZE: u64 = 256 << 10;
    const BEFORE: u64 = 64 << 10;

    /// The line that starts there, up to its end or the longest length.
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

    /// Where the line that starts there ends, if all of it is here.
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

/// Lines of bounded length, with the offsets at which they start.
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

    /// The next whole line without its end, or `Some((_, None))` for one that is too long; the torn tail ends it.
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
