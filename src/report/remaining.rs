//! `remaining.csv`: every row that is not done, ready to be an input.

use std::io::{self, Write};

use super::row::ReportRow;
use crate::intake;
use crate::outcome::Outcome;

/// The rows that are not done, with their cells exactly as they stood: what a spreadsheet would take for a
/// formula is not disarmed here, or the next run would look for another user.
///
/// Where all rows come from one input with columns, these are the file's columns, and no more. Otherwise a column
/// `user_id` stands before them: the id, or the input's cell where it is none. Users whom a selection found have no cells.
pub(super) struct RemainingFile<W: Write> {
    out: csv::Writer<W>,
    columns: usize,
    with_id: bool,
}

impl<W: Write> RemainingFile<W> {
    /// Writes the header for a run with this many inputs, so many rows from selections, and these own `columns`.
    pub(super) fn new(
        out: W,
        inputs: usize,
        selected: u64,
        columns: &[String],
    ) -> io::Result<RemainingFile<W>> {
        // Names that the reader made up for a file without a header say nothing to the next reader.
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

    /// Writes a row that may be cut off, with a mark that no id can hold: taken as it is, half an id could be another
    /// user's.
    fn write_truncated(&mut self, id: &str, cells: &[String]) -> io::Result<()> {
        let mut cells = cells.to_vec();
        let last = cells.iter_mut().rfind(|cell| !cell.is_empty());
        let is_id = last.as_ref().is_none_or(|cell| cell.as_str() == id);
        last.into_iter().for_each(|cell| cell.push('…'));
        let id = if is_id { format!("{id}…") } else { id.to_owned() };
        self.record(&id, &cells)
    }

    /// Hands on all that was written.
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
