//! One record of a text, limited in size.

/// The maximum length of a record, in bytes.
pub(super) const MAX_RECORD: usize = 1024 * 1024;
/// The maximum number of cells in a record: the number of columns of a spreadsheet.
pub(super) const MAX_CELLS: usize = 16_384;
/// How many bytes of a record that is too long are kept to show it.
const KEPT_BYTES: usize = 128;

/// A defect of a record that does not end the reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordDefect {
    TooLong,
    TooManyCells,
    /// Text follows the closing quote of a cell, and the cell has several lines or another quote follows.
    StrayQuote {
        from: u64,
        to: u64,
    },
}

/// One record. Its memory is reused for the next one.
#[derive(Debug, Default)]
pub(super) struct CsvRecord {
    /// The physical line where it starts, from 1.
    pub(super) line: u64,
    pub(super) defect: Option<RecordDefect>,
    /// Whether a line end followed the record. The last record may have none.
    pub(super) is_ended: bool,
    pub(super) bytes: Vec<u8>,
    pub(super) ends: Vec<usize>,
}

impl CsvRecord {
    /// The cells as bytes, which may not be UTF-8.
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        self.ends.iter().zip(starts).map(|(&end, start)| &self.bytes[start..end])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.defect = None;
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        if !self.is_cut() && self.bytes.len() + bytes.len() > MAX_RECORD {
            self.cut(RecordDefect::TooLong);
        } else if !self.is_cut() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    pub(super) fn end_cell(&mut self) {
        if !self.is_cut() && self.ends.len() == MAX_CELLS {
            self.cut(RecordDefect::TooManyCells);
        } else if !self.is_cut() {
            self.ends.push(self.bytes.len());
        }
    }

    /// The cell that has not ended yet.
    pub(super) fn open_cell(&self) -> &[u8] {
        &self.bytes[self.ends.last().copied().unwrap_or(0)..]
    }

    /// Removes this many bytes from the end of the cell that has not ended yet.
    pub(super) fn truncate_cell(&mut self, bytes: usize) {
        self.bytes.truncate(self.bytes.len() - bytes);
    }

    pub(super) fn is_cut(&self) -> bool {
        matches!(self.defect, Some(RecordDefect::TooLong | RecordDefect::TooManyCells))
    }

    fn cut(&mut self, defect: RecordDefect) {
        self.defect = Some(defect);
        self.bytes.truncate(KEPT_BYTES);
        self.ends.retain(|end| *end < KEPT_BYTES);
        self.ends.truncate(KEPT_BYTES);
        self.ends.push(self.bytes.len());
    }
}
