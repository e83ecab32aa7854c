//! Writes rows to any writer as they settle, in the formats of the files.

use std::io::{self, Write};

use super::csv::CsvRows;
use super::jsonl::JsonRows;
use super::row::ReportRow;

/// The format of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// As in `report.csv`, with a header.
    Csv,
    /// As in `report.jsonl`.
    Jsonl,
}

/// A stream of rows. Each complete row is flushed, so that a reader at the other end of a pipe gets it at once.
pub struct RowStream<W: Write>(RowEncoding<W>);

enum RowEncoding<W: Write> {
    Csv(Box<CsvRows<W>>),
    Jsonl(JsonRows<W>),
}

impl<W: Write> RowStream<W> {
    /// Starts the stream for inputs with these `columns`. The CSV header is written with the first row or at the end,
    /// because a reader that has already closed the pipe must not keep the run from starting.
    pub fn new(out: W, format: StreamFormat, columns: &[String]) -> io::Result<RowStream<W>> {
        Ok(RowStream(match format {
            StreamFormat::Csv => RowEncoding::Csv(Box::new(CsvRows::new(out, columns)?)),
            StreamFormat::Jsonl => RowEncoding::Jsonl(JsonRows::new(out, columns)),
        }))
    }

    /// Writes one row and flushes it.
    pub fn write(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        match &mut self.0 {
            RowEncoding::Csv(rows) => rows.write(row)?,
            RowEncoding::Jsonl(rows) => rows.write(row)?,
        }
        self.flush()
    }

    /// Ends the stream. If there was no row, this writes the header.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            RowEncoding::Csv(rows) => rows.flush(),
            RowEncoding::Jsonl(rows) => rows.flush(),
        }
    }
}
