//! `-o jsonl` and `-o csv`: each row on standard output as it settles.

use std::io::{self, Write};

use crate::console;
use crate::error::Error;
use crate::event::{Order, Settled};
use crate::journal::{Ledger, RunFolder, RunRecord};
use crate::plan::{PlanReader, PlanRow};
use crate::report::{ReportRow, RowStream, StreamFormat};
use crate::settings::Output;

/// The rows that standard output gets.
pub(super) struct Results {
    stream: RowStream<io::Stdout>,
    plan: PlanReader,
    /// For each target, where its row stands in the plan; taken once the row is out.
    offsets: Vec<Option<u64>>,
    case_id: Option<String>,
    /// The reader at the other end went away: the run goes on without it.
    gone: bool,
}

impl Results {
    /// Starts the stream if the output wants one. Rows that are never sent go out at once, unless the run was
    /// `resumed` and they went out before; so do the rows of targets that are not in `work` then.
    pub(super) fn start(
        output: Output,
        folder: &RunFolder,
        record: &RunRecord,
        work: Option<&[Order]>,
    ) -> Result<Option<Results>, Error> {
        let format = match output {
            Output::Jsonl => StreamFormat::Jsonl,
            Output::Csv => StreamFormat::Csv,
            Output::Text | Output::Json | Output::None => return Ok(None),
        };
        let mut plan = PlanReader::open(&folder.plan(), &record.plan.sha256)?;
        let stream = RowStream::new(io::stdout(), format, plan.columns())
            .map_err(|source| Error::Io { what: "can't write to standard output".to_owned(), source })?;
        let mut offsets = vec![None; record.plan.targets as usize];
        let mut left_out = Vec::new();
        loop {
            let offset = plan.offset();
            let Some(row) = plan.next().transpose()? else { break };
            match row.order() {
                Some(order) => offsets[order as usize - 1] = Some(offset),
                None => left_out.push(offset),
            }
        }
        let mut results = Results { stream, plan, offsets, case_id: record.case_id.clone(), gone: false };
        match work {
            None => results.put_left_out(&left_out)?,
            Some(work) => results.keep_only(work),
        }
        Ok(Some(results))
    }

    fn put_left_out(&mut self, offsets: &[u64]) -> Result<(), Error> {
        for offset in offsets {
            let row = self.plan.row_at(*offset)?;
            let case_id = self.case_id.clone();
            self.put(&ReportRow::left_out(&row, case_id.as_deref()));
        }
        Ok(())
    }

    fn keep_only(&mut self, work: &[Order]) {
        let mut kept = vec![None; self.offsets.len()];
        for order in work {
            kept[*order as usize - 1] = self.offsets[*order as usize - 1];
        }
        self.offsets = kept;
    }

    /// Puts a settled target's row out.
    pub(super) fn settled(&mut self, settled: &Settled) {
        if let Some(row) = self.take(settled.target) {
            let case_id = self.case_id.clone();
            self.put(&ReportRow::of_settled(&row, settled, case_id.as_deref()));
        }
    }

    /// Puts out the rows of all targets that never settled.
    pub(super) fn finish(mut self, ledger: &Ledger) -> io::Result<()> {
        for order in 1..=self.offsets.len() as Order {
            if let Some(row) = self.take(order) {
                let standing = ledger.standing(order)?;
                let case_id = self.case_id.clone();
                self.put(&ReportRow::of_target(&row, &standing, case_id.as_deref()));
            }
        }
        Ok(())
    }

    fn take(&mut self, order: Order) -> Option<PlanRow> {
        let offset = self.offsets.get_mut(order as usize - 1)?.take()?;
        match self.plan.row_at(offset) {
            Ok(row) => Some(row),
            Err(error) => {
                tracing::error!(%error, "a result can't be shown; it stands in the report");
                None
            }
        }
    }

    fn put(&mut self, row: &ReportRow<'_>) {
        if self.gone {
            return;
        }
        let put = console::aside(|| self.stream.write(row).and_then(|()| io::stdout().flush()));
        if let Err(error) = put {
            self.gone = true;
            tracing::warn!(%error, "nobody reads standard output any more; the run goes on");
        }
    }
}
