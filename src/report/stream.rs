//! Rows to any writer as they settle, in the files' own formats.

use std::io::{self, Write};

use super::csv::CsvRows;
use super::jsonl::JsonRows;
use super::row::ReportRow;

/// The form of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamFormat {
    /// As `report.csv`, header first.
    Csv,
    /// As `report.jsonl`.
    Jsonl,
}

/// A stream of rows. Each row is handed on whole, so that a reader at the other end of a pipe sees it at once.
pub struct RowStream<W: Write>(RowEncoding<W>);

enum RowEncoding<W: Write> {
    Csv(Box<CsvRows<W>>),
    Jsonl(JsonRows<W>),
}

impl<W: Write> RowStream<W> {
    /// Starts the stream for inputs with these own `columns`; CSV has a header, which goes out with the first
    /// row (or with the end): a reader that is gone already must not keep a run from being sent.
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

    /// Ends the stream: with it goes out whatever stands before the first row, where there was none.
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
