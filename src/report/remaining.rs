//! `remaining.csv`: every row that is not done, ready to be used as input.

use std::io::{self, Write};

use super::row::ReportRow;
use crate::intake;
use crate::outcome::Outcome;

/// The rows that are not done, with exactly the same cells as in the input. Spreadsheet formulas are not escaped here,
/// because the next run would then look for another user.
///
/// If all rows come from one input with columns, the columns are those of the input. Otherwise there is a column
/// `user_id` before them, with the ID or, if that is not valid, the input's cell. Users from a selection have no cells.
pub(super) struct RemainingFile<W: Write> {
    out: csv::Writer<W>,
    columns: usize,
    with_id: bool,
}

impl<W: Write> RemainingFile<W> {
    /// Writes the header for a run with this many `inputs`, this many rows from selections (`selected`) and these
    /// `columns`.
    pub(super) fn new(
        out: W,
        inputs: usize,
        selected: u64,
        columns: &[String],
    ) -> io::Result<RemainingFile<W>> {
        // The reader made up these names for a file without a header, so they are of no use to the next reader.
        let made_up = columns.iter().enumerate().all(|(at, name)| *name == format!("column {}", at + 1));
        let with_id = inputs != 1 || selected > 0 || made_up;
        let mut remaining =
            RemainingFile { out: csv::Writer::from_writer(out), columns: columns.len(), with_id };
        remaining.record("user_id", columns)?;
        Ok(remaining)
    }

    /// Writes one row.
    pub(super) fn write(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        let id = if row.outcome == Outcome::Invalid { row.input } else { row.user_id };
        if row.detail.contains(intake::CUT_LINE) {
            return self.write_truncated(id, row.cells);
        }
        self.record(id, row.cells)
    }

    /// Writes a row that may be truncated, with a character that an ID can't contain: a truncated ID could be that of
    /// another user.
    fn write_truncated(&mut self, id: &str, cells: &[String]) -> io::Result<()> {
        let mut cells = cells.to_vec();
        let last = cells.iter_mut().rfind(|cell| !cell.is_empty());
        let is_id = last.as_ref().is_none_or(|cell| cell.as_str() == id);
        last.into_iter().for_each(|cell| cell.push('…'));
        let id = if is_id { format!("{id}…") } else { id.to_owned() };
        self.record(&id, &cells)
    }

    /// Flushes everything that was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn record(&mut self, id: &str, cells: &[String]) -> io::Result<()> {
        if self.with_id {
            self.out.write_field(id)?;
        }
        for place in 0..self.columns {
            self.out.write_field(cells.get(place).map_or("", String::as_str))?;
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }
}
