//! `-o jsonl` and `-o csv`: each row on standard output as it settles.
//!
//! A thread of its own writes them, behind a queue that takes whatever comes: a reader that pauses holds up neither
//! the sending nor the reports. The queue holds a settled target once at most, so the plan bounds it.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::execute::check_counts;
use crate::console;
use crate::console::OutputFormat;
use crate::error::Error;
use crate::event::{SettledEvent, TargetNo};
use crate::journal::{JournalIndex, RunFolder, RunRecord};
use crate::plan::{PlanReader, PlanRow};
use crate::report::{ReportRow, RowStream, StreamFormat, TenantNotes};

/// How long the end waits for the reader before it says so.
const READER_TIMEOUT: Duration = Duration::from_secs(2);

/// The rows that standard output gets. Dropping it waits until those that are there already are out.
pub(super) struct RunResults {
    /// None once nothing more comes.
    queue: Option<Sender<ResultItem>>,
    /// Tells at the end whether all rows are out.
    all_written: Receiver<bool>,
}

/// What goes to the thread.
enum ResultItem {
    Settled(Box<SettledEvent>),
    /// It is over: what never settled goes out, as this ledger has it.
    Rest(Box<JournalIndex>),
}

impl RunResults {
    /// Starts the stream if the output wants one. Rows that are never sent go out at once, unless the run was
    /// `resumed` and they went out before; so do the rows of targets that are not in `work` then.
    pub(super) fn start(
        output: OutputFormat,
        folder: &RunFolder,
        record: &RunRecord,
        work: Option<&[TargetNo]>,
        apps: &[Arc<str>],
    ) -> Result<Option<RunResults>, Error> {
        let format = match output {
            OutputFormat::Jsonl => StreamFormat::Jsonl,
            OutputFormat::Csv => StreamFormat::Csv,
            OutputFormat::Text | OutputFormat::Json | OutputFormat::None => return Ok(None),
        };
        let only_app = if let [only] = apps { Some(only.clone()) } else { None };
        let (rows, left_out) = ResultRows::open(format, folder, record, work, only_app)?;
        let (queue, items) = channel();
        let (done, ended) = channel();
        let write = move || {
            let written = rows.write_all(&left_out, items);
            if let Err(error) = &written {
                console::print_status(&format!(
                    "error: {error}; nothing stops for that, and the reports will hold all rows"
                ));
            }
            let _ = done.send(written.is_ok());
        };
        thread::Builder::new()
            .name("results".to_owned())
            .spawn(write)
            .map_err(|source| Error::Io { what: "can't start".to_owned(), source })?;
        Ok(Some(RunResults { queue: Some(queue), all_written: ended }))
    }

    /// Puts a settled target's row out. It does not wait.
    pub(super) fn send_settled(&self, settled: &SettledEvent) {
        self.send(ResultItem::Settled(Box::new(settled.clone())));
    }

    /// Puts out the rows of all targets that never settled, and waits for the reader. Says whether all rows are out;
    /// why they are not was told.
    pub(super) fn finish(mut self, journal_index: JournalIndex) -> bool {
        self.send(ResultItem::Rest(Box::new(journal_index)));
        self.wait()
    }

    fn send(&self, item: ResultItem) {
        if let Some(queue) = &self.queue {
            // A thread that has ended has told why.
            let _ = queue.send(item);
        }
    }

    fn wait(&mut self) -> bool {
        self.queue = None;
        match self.all_written.recv_timeout(READER_TIMEOUT) {
            Ok(all_out) => all_out,
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                console::print_status("the run is over; waiting for whoever reads standard output");
                self.all_written.recv().unwrap_or(false)
            }
        }
    }
}

impl Drop for RunResults {
    fn drop(&mut self) {
        if self.queue.is_some() {
            self.wait();
        }
    }
}

/// What the thread holds.
struct ResultRows {
    stream: RowStream<console::StdoutWriter>,
    plan: PlanReader,
    /// For each target, where its row stands in the plan; taken once the row is out.
    offsets: Vec<Option<u64>>,
    record: RunRecord,
    /// The app that sends, where there is one only.
    only_app: Option<Arc<str>>,
}

impl ResultRows {
    /// Finds each row's place in the plan; gives those that go out first, too.
    fn open(
        format: StreamFormat,
        folder: &RunFolder,
        record: &RunRecord,
        work: Option<&[TargetNo]>,
        only_app: Option<Arc<str>>,
    ) -> Result<(ResultRows, Vec<u64>), Error> {
        let mut plan = PlanReader::open(folder.dir(), &record.plan.sha256)?;
        let stream =
            RowStream::new(console::StdoutWriter::new(), format, plan.columns()).map_err(stdout_error)?;
        check_counts(folder, record)?;
        let mut offsets = vec![None; record.plan.targets as usize];
        let mut left_out = Vec::new();
        loop {
            let offset = plan.offset();
            let Some(row) = plan.next().transpose()? else { break };
            match row.order() {
                Some(order) => {
                    if let Some(place) = offsets.get_mut((order as usize).wrapping_sub(1)) {
                        *place = Some(offset);
                    }
                }
                None => left_out.push(offset),
            }
        }
        if let Some(work) = work {
            let mut kept = vec![None; offsets.len()];
            for order in work {
                kept[*order as usize - 1] = offsets[*order as usize - 1];
            }
            offsets = kept;
            left_out.clear();
        }
        Ok((ResultRows { stream, plan, offsets, record: record.clone(), only_app }, left_out))
    }

    /// Writes all that comes, to the end.
    fn write_all(mut self, left_out: &[u64], items: Receiver<ResultItem>) -> Result<(), Error> {
        let (case_id, only_app) = (self.record.case_id.clone(), self.only_app.take());
        let case_id = case_id.as_deref();
        let notes = TenantNotes::from_record(&self.record);
        for offset in left_out {
            if let Some(row) = self.row_at(*offset) {
                self.write_row(&notes.fill_tenant(ReportRow::from_left_out(&row, case_id)))?;
            }
        }
        for item in items {
            match item {
                ResultItem::Settled(settled) => {
                    if let Some(row) = self.next_row(settled.target) {
                        let row = ReportRow::from_settled(&row, &settled, case_id);
                        self.write_row(&notes.fill_tenant(row.with_default_app(only_app.as_deref())))?;
                    }
                }
                ResultItem::Rest(journal_index) => self.write_rest(&journal_index, case_id)?,
            }
        }
        console::with_console(|| self.stream.finish()).map_err(stdout_error)
    }

    fn write_rest(&mut self, journal_index: &JournalIndex, case_id: Option<&str>) -> Result<(), Error> {
        let notes = TenantNotes::new(&self.record, journal_index);
        let unread = |source| Error::Io { what: "can't read the journal".to_owned(), source };
        for order in 1..=self.offsets.len() as TargetNo {
            if let Some(row) = self.next_row(order) {
                let target_state = journal_index.target_state(order).map_err(unread)?;
                self.write_row(&notes.fill_tenant(ReportRow::from_target(&row, &target_state, case_id)))?;
            }
        }
        Ok(())
    }

    fn next_row(&mut self, order: TargetNo) -> Option<PlanRow> {
        let offset = self.offsets.get_mut(order as usize - 1)?.take()?;
        self.row_at(offset)
    }

    fn row_at(&mut self, offset: u64) -> Option<PlanRow> {
        match self.plan.row_at(offset) {
            Ok(row) => Some(row),
            Err(error) => {
                tracing::error!(%error, "a result can't be shown; it stands in the report");
                None
            }
        }
    }

    fn write_row(&mut self, row: &ReportRow<'_>) -> Result<(), Error> {
        console::with_console(|| self.stream.write(row)).map_err(stdout_error)
    }
}

fn stdout_error(source: io::Error) -> Error {
    Error::Io { what: "can't write to standard output".to_owned(), source }
}
