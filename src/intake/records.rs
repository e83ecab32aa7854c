//! Splits text into records, in bounded memory whatever the text is.
//!
//! The rules are those of RFC 4180 read kindly: a quote opens only at the start of a cell, lines may end with LF, CRLF
//! or CR, lines without a character are passed over. Physical lines are counted, and two things that hide people
//! are found out: a record too long to hold, and a quote that is not closed.

use std::io::{self, Read};

/// The longest record that is held, in bytes.
pub(super) const MAX_RECORD: usize = 1024 * 1024;
/// The most cells a record may have, as many as a spreadsheet has columns.
pub(super) const MAX_CELLS: usize = 16_384;
/// How many bytes are kept of a record that is too long, to show it.
const KEPT: usize = 128;

/// How a line falls into cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each line is one cell, and quotes mean nothing.
    Lines,
    /// Cells with this byte between them, quoted where needed.
    Cells(u8),
}

/// What is wrong with a record that could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Defect {
    TooLong,
    TooManyCells,
    /// A quoted cell ran over several lines, and text follows its closing quote: a stray quote.
    StrayQuote {
        from: u64,
        to: u64,
    },
}

/// One record. Its memory is used again for the next.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The physical line where it starts, from 1.
    pub(super) line: u64,
    pub(super) defect: Option<Defect>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    /// The cells, as the bytes they were: not yet known to be UTF-8.
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(&end, start)| &self.bytes[start..end])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.defect = None;
    }

    fn push(&mut self, bytes: &[u8]) {
        if !self.is_cut() && self.bytes.len() + bytes.len() > MAX_RECORD {
            self.cut(Defect::TooLong);
        } else if !self.is_cut() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn end_cell(&mut self) {
        if !self.is_cut() && self.ends.len() == MAX_CELLS {
            self.cut(Defect::TooManyCells);
        } else if !self.is_cut() {
            self.ends.push(self.bytes.len());
        }
    }

    fn is_cut(&self) -> bool {
        matches!(self.defect, Some(Defect::TooLong | Defect::TooManyCells))
    }

    fn cut(&mut self, defect: Defect) {
        self.defect = Some(defect);
        self.bytes.truncate(KEPT);
        self.ends.retain(|end| *end < KEPT);
        self.ends.truncate(KEPT);
        self.ends.push(self.bytes.len());
    }
}

/// What ends the reading of records.
#[derive(Debug)]
pub(super) enum RecordError {
    Io(io::Error),
    /// The quote opened on this line is not closed.
    OpenQuote {
        line: u64,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing of the record was seen.
    Fresh,
    CellStart,
    Plain,
    Quoted,
    /// After a quote inside quotes: the end of the cell, or the first of two.
    Closing,
}

/// Reads records one by one.
pub(super) struct Records<R> {
    reader: R,
    shape: Shape,
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    line: u64,
    after_cr: bool,
}

impl<R: Read> Records<R> {
    pub(super) fn new(reader: R, shape: Shape) -> Self {
        let chunk = vec![0; 32 * 1024].into_boxed_slice();
        Self { reader, shape, chunk, start: 0, end: 0, line: 1, after_cr: false }
    }

    /// From the next record on, lines fall into cells in this way.
    pub(super) fn set_shape(&mut self, shape: Shape) {
        self.shape = shape;
    }

    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    /// Reads the next record. `false` means that there is none.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, RecordError> {
        record.clear();
        let delimiter = match self.shape {
            Shape::Lines => None,
            Shape::Cells(byte) => Some(byte),
        };
        let mut state = State::Fresh;
        let mut quote = (0, 0); // the line where it opened, and the bytes since
        loop {
            if self.start == self.end && !self.fill().map_err(RecordError::Io)? {
                return match state {
                    State::Fresh => Ok(false),
                    State::Quoted => Err(RecordError::OpenQuote { line: quote.0 }),
                    _ => {
                        record.end_cell();
                        Ok(true)
                    }
                };
            }
            let unread = &self.chunk[self.start..self.end];
            let byte = unread[0];
            let ends_line = matches!(byte, b'\r' | b'\n');
            match state {
                State::Quoted => {
                    let run = unread.iter().position(|b| matches!(b, b'"' | b'\r' | b'\n'));
                    let run = run.unwrap_or(unread.len()).max(usize::from(ends_line));
                    quote.1 += run.max(1);
                    if quote.1 > MAX_RECORD {
                        return Err(RecordError::OpenQuote { line: quote.0 });
                    }
                    if run == 0 {
                        state = State::Closing;
                    } else {
                        record.push(&unread[..run]);
                    }
                    self.pass(run.max(1), byte);
                }
                State::Closing if byte == b'"' => {
                    record.push(b"\"");
                    self.pass(1, byte);
                    state = State::Quoted;
                }
                _ if ends_line => {
                    self.pass(1, byte);
                    if state != State::Fresh {
                        record.end_cell();
                        return Ok(true);
                    }
                }
                _ if Some(byte) == delimiter => {
                    if state == State::Fresh {
                        record.line = self.line;
                    }
                    record.end_cell();
                    self.pass(1, byte);
                    state = State::CellStart;
                }
                State::Plain => {
                    let is_end = |b: &u8| matches!(b, b'\r' | b'\n') || Some(*b) == delimiter;
                    let run = unread.iter().position(is_end).unwrap_or(unread.len());
                    record.push(&unread[..run]);
                    self.pass(run, byte);
                }
                State::Closing => {
                    if self.line != quote.0 && record.defect.is_none() {
                        record.defect = Some(Defect::StrayQuote { from: quote.0, to: self.line });
                    }
                    state = State::Plain;
                }
                State::Fresh | State::CellStart => {
                    if state == State::Fresh {
                        record.line = self.line;
                    }
                    state = State::Plain;
                    if byte == b'"' && delimiter.is_some() {
                        quote = (self.line, 0);
                        self.pass(1, byte);
                        state = State::Quoted;
                    }
                }
            }
        }
    }

    /// Goes on by `count` bytes, of which `first` is the first; a line end comes alone.
    fn pass(&mut self, count: usize, first: u8) {
        self.start += count;
        self.line += u64::from(first == b'\r' || (first == b'\n' && !self.after_cr));
        self.after_cr = first == b'\r';
    }

    fn fill(&mut self) -> io::Result<bool> {
        loop {
            match self.reader.read(&mut self.chunk) {
                Ok(n) => {
                    (self.start, self.end) = (0, n);
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

    fn all(text: &[u8], shape: Shape) -> Vec<(u64, Vec<String>, Option<Defect>)> {
        let mut records = Records::new(text, shape);
        let mut record = Record::default();
        let mut found = Vec::new();
        while records.read(&mut record).unwrap() {
            let cells = record.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            found.push((record.line, cells, record.defect));
        }
        found
    }

    fn read(text: &str) -> Vec<(u64, Vec<String>)> {
        all(text.as_bytes(), Shape::Cells(b',')).into_iter().map(|(line, cells, _)| (line, cells)).collect()
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
    fn reads_kindly() {
        assert_eq!(read("a\"b,\"c\"d,\n,"), vec![cells(1, &["a\"b", "cd", ""]), cells(2, &["", ""])]);
        assert_eq!(read("\"\""), vec![cells(1, &[""])]);
        let found = all(b"x,\"a\nb\"c\ny", Shape::Cells(b','));
        assert_eq!(found[0].2, Some(Defect::StrayQuote { from: 1, to: 2 }));
        assert_eq!(found[1].0, 3);
        let lines = all(b"\"a,b\r\rc", Shape::Lines);
        assert_eq!(
            lines.iter().map(|line| (line.0, line.1[0].as_str())).collect::<Vec<_>>(),
            [(1, "\"a,b"), (3, "c")]
        );
    }

    #[test]
    fn names_the_line_of_an_open_quote() {
        let mut records = Records::new(&b"a,b\nc,\"d\ne,f\n"[..], Shape::Cells(b','));
        let mut record = Record::default();
        assert!(records.read(&mut record).unwrap());
        assert!(matches!(records.read(&mut record), Err(RecordError::OpenQuote { line: 2 })));
        let endless = io::Cursor::new(b"\n\"").chain(io::repeat(b'x'));
        let mut records = Records::new(endless, Shape::Cells(b','));
        assert!(matches!(records.read(&mut record), Err(RecordError::OpenQuote { line: 2 })));
    }

    #[test]
    fn what_is_too_long_is_passed_over_in_bounded_memory() {
        for shape in [Shape::Lines, Shape::Cells(b',')] {
            for filler in [b'x', b','] {
                let text = io::repeat(filler).take(16 << 20).chain(&b"\nann"[..]);
                let mut records = Records::new(text, shape);
                let mut record = Record::default();
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
        fn agrees_with_the_csv_crate(text in "[ab,\"\n\r]{0,40}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let expected: Vec<Vec<String>> =
                reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
            let mut records = Records::new(text.as_bytes(), Shape::Cells(b','));
            let mut record = Record::default();
            let mut found = Vec::new();
            loop {
                match records.read(&mut record) {
                    Ok(true) => found.push(
                        record.cells().map(|c| String::from_utf8_lossy(c).into_owned()).collect::<Vec<_>>()),
                    Ok(false) => { prop_assert_eq!(&found, &expected); break }
                    // The other reader takes the end of the text for the closing quote.
                    Err(_) => { prop_assert_eq!(&found[..], &expected[..found.len()]); break }
                }
            }
        }
    }
}
