//! Splits any text into records, in bounded memory.
//!
//! `csv-core` finds the ends of cells and records: a quote opens only at the start of a cell, lines may end with LF,
//! CRLF or CR, and empty lines are skipped. Blanks before an opening quote and after a closing quote are dropped here,
//! because otherwise a delimiter inside the quotes would shift the cells. A [`QuoteAudit`] also counts the physical
//! lines and finds quotes that hide users: an unclosed or a stray one. A record that is too long is truncated.

use std::io::{self, Read};

use csv_core::{ReadFieldResult, Reader, ReaderBuilder};

pub(super) use super::csv_record::{CsvRecord, MAX_CELLS, MAX_RECORD, RecordDefect};
use super::quote_audit::{QuoteAudit, is_blank};

/// The maximum number of blanks before an opening quote, in bytes.
const MAX_BLANKS: usize = 4096;
/// The size of the buffers before and after `csv-core`, in bytes.
const CHUNK: usize = 32 * 1024;

/// How a line is split into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordFormat {
    /// Each line is one cell, and quotes have no meaning.
    Lines,
    /// Cells with this byte between them, quoted if necessary.
    Cells(u8),
}

/// An error that ends the reading of records.
#[derive(Debug)]
pub(super) enum RecordError {
    Io(io::Error),
    /// The quote opened on this line is not closed.
    OpenQuote {
        line: u64,
    },
}

impl From<io::Error> for RecordError {
    fn from(error: io::Error) -> Self {
        RecordError::Io(error)
    }
}

/// Reads records one by one.
pub(super) struct RecordReader<R> {
    reader: R,
    shape: RecordFormat,
    splitter: Reader,
    /// Text that was read but not yet split.
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    /// The splitter's output for one cell.
    text: Box<[u8]>,
    audit: QuoteAudit,
}

impl<R: Read> RecordReader<R> {
    pub(super) fn new(reader: R, shape: RecordFormat) -> Self {
        let buffer = || vec![0; CHUNK].into_boxed_slice();
        let mut records = Self {
            reader,
            shape,
            splitter: Reader::new(),
            chunk: buffer(),
            start: 0,
            end: 0,
            text: buffer(),
            audit: QuoteAudit::new(),
        };
        records.set_shape(shape);
        records
    }

    /// Sets how lines are split into cells, from the next record on.
    pub(super) fn set_shape(&mut self, shape: RecordFormat) {
        self.shape = shape;
        if let RecordFormat::Cells(delimiter) = shape {
            self.splitter = ReaderBuilder::new().delimiter(delimiter).build();
        }
    }

    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// Reads the next record. `false` means that there is none.
    pub(super) fn read(&mut self, record: &mut CsvRecord) -> Result<bool, RecordError> {
        record.clear();
        while let Some(byte) = self.peek()?.filter(|byte| matches!(byte, b'\r' | b'\n')) {
            self.audit.feed(&[byte]);
            self.start += 1;
        }
        if self.peek()?.is_none() {
            return Ok(false);
        }
        record.line = self.audit.line();
        self.audit.begin_record();
        match self.shape {
            RecordFormat::Lines => self.read_line(record)?,
            RecordFormat::Cells(delimiter) => while !self.read_cell(record, delimiter)? {},
        }
        Ok(true)
    }

    fn read_line(&mut self, record: &mut CsvRecord) -> Result<(), RecordError> {
        while self.peek()?.is_some() {
            let unread = &self.chunk[self.start..self.end];
            let run = unread.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let passed = run.map_or(unread.len(), |run| run + 1);
            record.push(&unread[..run.unwrap_or(passed)]);
            self.audit.feed(&unread[..passed]);
            self.start += passed;
            record.is_ended = run.is_some();
            if record.is_ended {
                break;
            }
        }
        record.end_cell();
        Ok(())
    }

    /// Reads one cell, and returns whether it is the record's last one.
    fn read_cell(&mut self, record: &mut CsvRecord, delimiter: u8) -> Result<bool, RecordError> {
        let quoted = self.skip_to_quote(delimiter)?;
        self.audit.begin_cell(quoted);
        loop {
            let is_end = self.peek()?.is_none();
            let unread = &self.chunk[self.start..self.end];
            let (result, read, wrote) = self.splitter.read_field(unread, &mut self.text);
            self.audit.feed(&unread[..read]);
            record.push(&self.text[..wrote]);
            self.start += read;
            if self.audit.open_bytes() > MAX_RECORD || (is_end && self.audit.is_open()) {
                return Err(RecordError::OpenQuote { line: self.audit.opened_on() });
            }
            let is_last = match result {
                ReadFieldResult::Field { record_end } => record_end,
                ReadFieldResult::End => true,
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => continue,
            };
            if !record.is_cut() {
                let (blanks, stray) = self.audit.end_cell(record.open_cell(), !is_end);
                record.truncate_cell(blanks);
                record.defect =
                    record.defect.or(stray.map(|(from, to)| RecordDefect::StrayQuote { from, to }));
            }
            record.end_cell();
            record.is_ended = !is_end;
            return Ok(is_last);
        }
    }

    /// Whether the next cell is quoted. Blanks before its quote are skipped.
    fn skip_to_quote(&mut self, delimiter: u8) -> io::Result<bool> {
        loop {
            let unread = &self.chunk[self.start..self.end];
            let is_text = |byte: &u8| {
                byte.is_ascii() && (*byte == delimiter || !matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | 0x1a))
            };
            match unread.iter().position(is_text) {
                Some(0) => return Ok(unread[0] == b'"'),
                Some(at) if unread[at] == b'"' && is_blank(&unread[..at]) => {
                    self.audit.feed(&unread[..at]);
                    self.start += at;
                    return Ok(true);
                }
                None if unread.len() < MAX_BLANKS && self.fill()? => {}
                _ => return Ok(false),
            }
        }
    }

    /// The next byte; `None` at the end of the text.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        let more = self.start < self.end || self.fill()?;
        Ok(more.then(|| self.chunk[self.start]))
    }

    /// Reads more text into the buffer. `false` means that there is none.
    fn fill(&mut self) -> io::Result<bool> {
        self.chunk.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        loop {
            match self.reader.read(&mut self.chunk[self.end..]) {
                Ok(n) => {
                    self.end += n;
                    return Ok(n > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &[u8], shape: RecordFormat) -> Vec<(u64, Vec<String>, Option<RecordDefect>)> {
        let mut records = RecordReader::new(text, shape);
        let mut record = CsvRecord::default();
        let mut found = Vec::new();
        while records.read(&mut record).unwrap() {
            let cells = record.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            found.push((record.line, cells, record.defect));
        }
        found
    }

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        all(text.as_bytes(), RecordFormat::Cells(b','))
            .into_iter()
            .map(|(line, cells, _)| (line, cells))
            .collect()
    }

    fn cells(line: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (line, cells.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn counts_physical_lines_whatever_ends_them() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "", "\"1", "2\",x", "c,\"d \"\"e\"\"\""].join(end);
            let two = format!("1{end}2");
            let expected = vec![cells(1, &["a", "b"]), cells(3, &[&two, "x"]), cells(5, &["c", "d \"e\""])];
            assert_eq!(read(&text), expected, "{end:?}");
        }
    }

    #[test]
    fn lenient_quotes_are_read() {
        assert_eq!(read("a\"b,\"c\"d,\n,"), vec![cells(1, &["a\"b", "cd", ""]), cells(2, &["", ""])]);
        assert_eq!(read("\"\""), vec![cells(1, &[""])]);
        let found = all(b"x,\"a\nb\"c\ny", RecordFormat::Cells(b','));
        assert_eq!(found[0].2, Some(RecordDefect::StrayQuote { from: 1, to: 2 }));
        assert_eq!(found[1].0, 3);
        let lines = all(b"\"a,b\r\rc", RecordFormat::Lines);
        assert_eq!(
            lines.iter().map(|line| (line.0, line.1[0].as_str())).collect::<Vec<_>>(),
            [(1, "\"a,b"), (3, "c")]
        );
    }

    /// Returns a text in pieces, as pipes and decoders do.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn names_the_line_of_an_open_quote() {
        let mut records = RecordReader::new(&b"a,b\nc,\"d\ne,f\n"[..], RecordFormat::Cells(b','));
        let mut record = CsvRecord::default();
        assert!(records.read(&mut record).unwrap());
        assert!(matches!(records.read(&mut record), Err(RecordError::OpenQuote { line: 2 })));
        let endless = io::Cursor::new(b"\n\"").chain(io::repeat(b'x'));
        let mut records = RecordReader::new(endless, RecordFormat::Cells(b','));
        assert!(matches!(records.read(&mut record), Err(RecordError::OpenQuote { line: 2 })));
    }

    #[test]
    fn overlong_record_is_skipped_in_bounded_memory() {
        for shape in [RecordFormat::Lines, RecordFormat::Cells(b',')] {
            for filler in [b'x', b','] {
                let text = io::repeat(filler).take(16 << 20).chain(&b"\nann"[..]);
                let mut records = RecordReader::new(text, shape);
                let mut record = CsvRecord::default();
                assert!(records.read(&mut record).unwrap());
                assert!(record.defect.is_some());
                assert!(record.bytes.capacity() <= 2 * MAX_RECORD && record.ends.capacity() <= 2 * MAX_CELLS);
                assert!(records.read(&mut record).unwrap());
                assert_eq!((record.line, record.defect), (2, None));
                assert_eq!(record.cells().next().unwrap(), b"ann");
            }
        }
    }

    proptest! {
        #[test]
        fn chunk_size_does_not_change_the_records(text in "[ab,\" \u{a0}\t\n\r]{0,60}", size in 1..9_usize, lines: bool) {
            let shape = if lines { RecordFormat::Lines } else { RecordFormat::Cells(b',') };
            let read = |reader: &mut dyn Read| {
                let (mut records, mut record, mut found) = (RecordReader::new(reader, shape), CsvRecord::default(), Vec::new());
                let end = loop {
                    match records.read(&mut record) {
                        Ok(true) => found.push((record.line, record.defect, record.bytes.clone(), record.ends.clone())),
                        other => break format!("{other:?}"),
                    }
                };
                (found, end)
            };
            prop_assert_eq!(read(&mut Drip(text.as_bytes(), size)), read(&mut text.as_bytes()));
        }

        #[test]
        fn agrees_with_the_csv_crate(text in "[ab,\"\n\r]{0,40}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
            let mut records = RecordReader::new(text.as_bytes(), RecordFormat::Cells(b','));
            let mut record = CsvRecord::default();
            let mut found = Vec::new();
            loop {
                match records.read(&mut record) {
                    Ok(true) => found.push(
                        record.cells().map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>()),
                    Ok(false) => { prop_assert_eq!(&found, &expected); break }
                    // The other reader treats the end of the text as the closing quote.
                    Err(_) => { prop_assert_eq!(&found[..], &expected[..found.len()]); break }
                }
            }
        }
    }
}
