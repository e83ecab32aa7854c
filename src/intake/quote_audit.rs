//! What `csv-core` does not say of a text: its physical lines, and quotes that hide people.

use super::cell::trim;

#[derive(Clone, Copy, PartialEq, Eq)]
enum QuoteState {
    /// No quote opens the cell.
    Plain,
    /// Its opening quote is the next byte.
    Opening,
    Quoted,
    /// After a quote inside quotes: the end of the cell, or the first of two.
    Closing,
    /// After the closing quote.
    After,
}

/// Looks at each byte that is split.
pub(super) struct QuoteAudit {
    line: u64,
    is_after_cr: bool,
    state: QuoteState,
    /// The line of the last opening quote, and the bytes since.
    opened_on: u64,
    open_bytes: usize,
    /// The line of its closing quote, and the bytes since.
    closed_on: u64,
    bytes_after: usize,
    /// The line where text followed a closing quote, with quotes that do not pair, in this record.
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

    /// The line of the quote that opened last.
    pub(super) fn opened_on(&self) -> u64 {
        self.opened_on
    }

    /// How many bytes came since a quote was opened that is still open.
    pub(super) fn open_bytes(&self) -> usize {
        if self.is_open() { self.open_bytes } else { 0 }
    }

    pub(super) fn begin_cell(&mut self, quoted: bool) {
        (self.state, self.opened_on) =
            (if quoted { QuoteState::Opening } else { QuoteState::Plain }, self.line);
        (self.open_bytes, self.bytes_after) = (0, 0);
    }

    /// Goes on by these bytes.
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

    /// Judges the cell that ends, with a delimiter or line end passed (`ended`), or with the text. It gives how many
    /// bytes at its end are blanks after its closing quote, and from which line to which a stray quote joins text.
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

    /// Forgets what was found of the record before.
    pub(super) fn begin_record(&mut self) {
        self.unpaired_on = None;
    }
}

/// Whether the bytes are only what nobody sees: white space, a no-break space of Windows-1252 too, or the end mark of DOS.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().all(|chunk| {
        let seen =
            chunk.valid().chars().any(|c| c != '\u{1a}' && !trim(c.encode_utf8(&mut [0; 4])).is_empty());
        !seen && chunk.invalid().iter().all(|byte| *byte == 0xa0)
    })
}
