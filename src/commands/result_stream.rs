//! `-o jsonl` and `-o csv`: writes each row to standard output as soon as its target is settled.
//!
//! A separate thread writes the rows, behind an unbounded queue, so that a slow reader delays neither the sending nor
//! the reports. Each target is in the queue at most once, so the plan bounds its length.

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

/// How long the end of the run waits for the reader before it prints a message.
const READER_TIMEOUT: Duration = Duration::from_secs(2);

/// The rows for standard output. Dropping it waits until the rows in the queue are written.
pub(super) struct RunResults {
    /// `None` after the last row.
    queue: Option<Sender<ResultItem>>,
    /// Gets one message at the end: whether all rows were written.
    all_written: Receiver<bool>,
}

/// An item of the queue.
enum ResultItem {
    Settled(Box<SettledEvent>),
    /// The run is over: the rows of targets that were not settled are written, as the journal has them.
    Finished(Box<JournalIndex>),
}

impl RunResults {
    /// Starts the stream, if the output format asks for one. In a new run, the rows that are left out are written
    /// first. In a resumed run, only the rows of the targets in `work` are written.
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
                    "error: {error}. The run continues; the report files will be complete"
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

    /// Queues the row of a settled target. It does not wait.
    pub(super) fn send_settled(&self, settled: &SettledEvent) {
        self.send(ResultItem::Settled(Box::new(settled.clone())));
    }

    /// Writes the rows of all targets that were not settled, and waits for the reader. Returns whether all rows were
    /// written; if not, the error was printed already.
    pub(super) fn finish(mut self, journal_index: JournalIndex) -> bool {
        self.send(ResultItem::Finished(Box::new(journal_index)));
        self.wait()
    }

    fn send(&self, item: ResultItem) {
        if let Some(queue) = &self.queue {
            // If the thread has ended, it has printed its error.
            let _ = queue.send(item);
        }
    }

    fn wait(&mut self) -> bool {
        self.queue = None;
        match self.all_written.recv_timeout(READER_TIMEOUT) {
            Ok(all_out) => all_out,
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => {
                console::print_status("the run has ended; waiting for the reader of standard output");
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

/// The state of the thread.
struct ResultRows {
    stream: RowStream<console::StdoutWriter>,
    plan: PlanReader,
    /// The offset of each target's row in the plan; `None` after the row was written.
    offsets: Vec<Option<u64>>,
    record: RunRecord,
    /// The app that sends, if there is only one.
    only_app: Option<Arc<str>>,
}

impl ResultRows {
    /// Finds the offset of each row in the plan. Also returns the offsets of the rows that are left out, which are
    /// written first.
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

    /// Writes rows until the queue ends.
    fn write_all(mut self, left_out: &[u64], items: Receiver<ResultItem>) -> Result<(), Error> {
        let (case_id, only_app) = (self.record.case_id.clone(), self.only_app.take());
        let case_id = case_id.as_deref();
        let notes = TenantNotes::from_record(&self.record);
        for offset in left_out {
            if let Some(row) = self.row_at(*offset) {
                self.write_row(&notes.fill_tenant(ReportRow::from_plan_row(&row, case_id)))?;
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
                ResultItem::Finished(journal_index) => self.write_rest(&journal_index, case_id)?,
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
                tracing::error!(%error, "a result can't be printed; it is in the report");
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
