//! The position in a JSON text: the physical line, and the size of the record so far.

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use super::super::record_reader::MAX_RECORD;

/// The position of the byte that was read last.
pub(super) struct LineTracker {
    line: Cell<u64>,
    before: Cell<u8>,
    /// How many bytes the record may still have.
    remaining: Cell<usize>,
}

impl LineTracker {
    pub(super) fn new() -> Self {
        Self { line: Cell::new(1), before: Cell::new(0), remaining: Cell::new(MAX_RECORD) }
    }

    /// The physical line, from 1. Lines end with LF, CRLF or CR.
    pub(super) fn line(&self) -> u64 {
        self.line.get()
    }

    /// Begins a new record.
    pub(super) fn begin_record(&self) {
        self.remaining.set(MAX_RECORD);
    }

    /// Whether the record is too long.
    pub(super) fn is_exhausted(&self) -> bool {
        self.remaining.get() == 0
    }

    fn advance(&self, byte: u8) -> io::Result<()> {
        if self.before.get() == b'\n' || (self.before.get() == b'\r' && byte != b'\n') {
            self.line.set(self.line.get() + 1);
        }
        self.before.set(byte);
        self.remaining.set(self.remaining.get().saturating_sub(1));
        if self.is_exhausted() { Err(io::Error::other("the record is too long")) } else { Ok(()) }
    }
}

/// A reader that tracks the position. It returns one byte at a time, so the position is never more than one byte, which
/// the parser peeks at, ahead of the parser.
pub(super) struct TrackedReader<'a, R> {
    inner: R,
    tracker: &'a LineTracker,
}

impl<'a, R: BufRead> TrackedReader<'a, R> {
    pub(super) fn new(inner: R, place: &'a LineTracker) -> Self {
        Self { inner, tracker: place }
    }
}

impl<R: BufRead> Read for TrackedReader<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(slot) = out.first_mut() else { return Ok(0) };
        let Some(byte) = self.inner.fill_buf()?.first().copied() else { return Ok(0) };
        self.tracker.advance(byte)?;
        self.inner.consume(1);
        *slot = byte;
        Ok(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_end_belongs_to_the_line_that_it_ends() {
        for (text, lines) in
            [("a\nb", [1, 1, 2].as_slice()), ("a\r\nb", &[1, 1, 1, 2]), ("\r\rb", &[1, 2, 3])]
        {
            let place = LineTracker::new();
            let mut reader = TrackedReader::new(text.as_bytes(), &place);
            let found: Vec<u64> =
                std::iter::from_fn(|| (reader.read(&mut [0; 8]).unwrap() > 0).then(|| place.line()))
                    .collect();
            assert_eq!(found, lines, "{text:?}");
        }
    }

    #[test]
    fn one_record_is_bounded_and_many_are_not() {
        let place = LineTracker::new();
        let mut reader = TrackedReader::new(io::BufReader::new(io::repeat(b' ')), &place);
        for _ in 0..3 {
            place.begin_record();
            io::copy(&mut reader.by_ref().take(MAX_RECORD as u64 - 1), &mut io::sink()).unwrap();
        }
        assert!(reader.read(&mut [0; 1]).is_err());
        assert!(place.is_exhausted());
    }
}
