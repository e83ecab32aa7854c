//! What `csv-core` does not report about a text: its physical lines, and quotes that hide users.

use super::cell::trim;

#[derive(Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    /// The cell is not quoted.
    Plain,
    /// The next byte is the opening quote.
    Opening,
    Quoted,
    /// After a quote inside quotes: the closing quote, or the first of two.
    Closing,
    /// After the closing quote.
    After,
}

/// Follows each byte that is split into cells.
pub(super) struct QuoteAudit {
    line: u64,
    is_after_cr: bool,
    state: QuoteState,
    /// The line of the last opening quote.
    opened_on: u64,
    /// The bytes since the opening quote.
    open_bytes: usize,
    /// The line of its closing quote.
    closed_on: u64,
    /// The bytes after the closing quote.
    bytes_after: usize,
    /// The line where text followed a closing quote, with unpaired quotes, in this record.
    unpaired_on: Option<u64>,
}

impl QuoteAudit {
    pub(super) fn new() -> Self {
        Self {
            line: 1,
            is_after_cr: false,
            state: QuoteState::Plain,
            opened_on: 0,
            open_bytes: 0,
            closed_on: 0,
            bytes_after: 0,
            unpaired_on: None,
        }
    }

    /// The physical line of the next byte, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Whether a quote is open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, QuoteState::Opening | QuoteState::Quoted)
    }

    /// The line of the last opening quote.
    pub(super) fn opened_on(&self) -> u64 {
        self.opened_on
    }

    /// How many bytes follow an opening quote that is not closed yet.
    pub(super) fn open_bytes(&self) -> usize {
        if self.is_open() { self.open_bytes } else { 0 }
    }

    pub(super) fn begin_cell(&mut self, quoted: bool) {
        (self.state, self.opened_on) =
            (if quoted { QuoteState::Opening } else { QuoteState::Plain }, self.line);
        (self.open_bytes, self.bytes_after) = (0, 0);
    }

    /// Follows these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let is_quote = *byte == b'"';
            self.state = match self.state {
                QuoteState::Plain => QuoteState::Plain,
                QuoteState::Opening => QuoteState::Quoted,
                QuoteState::Quoted if is_quote => QuoteState::Closing,
                QuoteState::Closing if is_quote => QuoteState::Quoted,
                QuoteState::Quoted => QuoteState::Quoted,
                QuoteState::Closing | QuoteState::After => QuoteState::After,
            };
            match self.state {
                QuoteState::Quoted | QuoteState::Closing => {
                    self.open_bytes += 1;
                    self.closed_on = self.line;
                }
                QuoteState::After => self.bytes_after += 1,
                QuoteState::Plain | QuoteState::Opening => {}
            }
            self.line += u64::from(*byte == b'\r' || (*byte == b'\n' && !self.is_after_cr));
            self.is_after_cr = *byte == b'\r';
        }
    }

    /// Checks the cell that ends here, at a delimiter or line end that was passed (`ended`), or at the end of the text.
    /// Returns how many bytes at its end are blanks after the closing quote, and the first and last line of the text
    /// that a stray quote joins.
    pub(super) fn end_cell(&mut self, cell: &[u8], ended: bool) -> (usize, Option<(u64, u64)>) {
        let after = self.bytes_after.saturating_sub(usize::from(ended)).min(cell.len());
        let tail = &cell[cell.len() - after..];
        let quotes = tail.iter().filter(|byte| **byte == b'"').count();
        if is_blank(tail) {
            let was_plain = self.state == QuoteState::Plain;
            let stray = self.unpaired_on.filter(|_| was_plain && cell.contains(&b'"'));
            return (if tail.contains(&0x1a) { 0 } else { after }, stray.map(|line| (line, line)));
        }
        if self.closed_on != self.opened_on {
            return (0, Some((self.opened_on, self.closed_on)));
        }
        let before = self.unpaired_on;
        if quotes % 2 == 1 {
            self.unpaired_on = Some(self.closed_on);
        }
        (0, before.map(|line| (line, self.closed_on)))
    }

    /// Resets the state of the previous record.
    pub(super) fn begin_record(&mut self) {
        self.unpaired_on = None;
    }
}

/// Whether all of the bytes are invisible: white space, including a no-break space of Windows-1252, or the end mark of
/// DOS.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().all(|chunk| {
        let seen =
            chunk.valid().chars().any(|c| c != '\u{1a}' && !trim(c.encode_utf8(&mut [0; 4])).is_empty());
        !seen && chunk.invalid().iter().all(|byte| *byte == 0xa0)
    })
}
