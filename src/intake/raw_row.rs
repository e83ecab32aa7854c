//! One record of any source as text, with its faults.

use serde::{Deserialize, Serialize};

use super::bulk_template::{is_example, is_version};
use super::cell::{is_id_like, trim, unquote};
use super::encoding::{TextEncoding, UNDECODABLE};
use super::omission::{OmissionReason, Omissions};
use super::record_reader::{CsvRecord, RecordDefect, RecordFormat};

/// A record of a text, or a row of a sheet.
#[derive(Debug, Clone, Default)]
pub(super) struct RawRow {
    /// The physical line where it starts, or the row number in the sheet; from 1.
    pub(super) line: u64,
    /// The cells. If there is a fault, they are only shown.
    pub(super) cells: Vec<String>,
    /// Why the record can't be trusted.
    pub(super) fault: Option<String>,
    /// Whether cells are missing because the record is too long.
    pub(super) is_truncated: bool,
    /// The cells whose bytes are not text. They have U+FFFD or NUL, and are only shown.
    pub(super) damage: Vec<UndecodableCell>,
    /// Whether the end mark of DOS was at its start or end.
    pub(super) had_end_mark: bool,
    /// Cells whose text is not their value.
    pub(super) cell_faults: Vec<CellFault>,
}

/// A cell that could not be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct UndecodableCell {
    /// The cell, from 0.
    pub(super) cell: usize,
    pub(super) reason: OmissionReason,
    /// The first byte that is not valid.
    byte: u8,
}

/// A cell whose text is not its value: for example, a formula without a stored value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CellFault {
    /// Its column, from 0.
    pub(super) column: usize,
    /// What is wrong with it.
    pub(super) why: String,
}

impl RawRow {
    pub(super) fn from_record(record: &CsvRecord, encoding: TextEncoding, shape: RecordFormat) -> Self {
        let mut trouble = record.defect.map(explain);
        let mut cells = Vec::new();
        let mut damage = Vec::new();
        for (at, bytes) in record.cells().enumerate() {
            damage.extend(UndecodableCell::find(bytes, at, encoding));
            let cell = String::from_utf8_lossy(bytes).into_owned();
            if trouble.is_none() && contains_further_rows(&cell, shape) {
                let number = at + 1;
                trouble =
                    Some(format!("cell {number} seems to include further rows: is a quote (\") missing?"));
            }
            cells.push(cell);
        }
        let cut = matches!(record.defect, Some(RecordDefect::TooLong | RecordDefect::TooManyCells));
        trouble = trouble.or_else(|| find_split_quote(&cells));
        let mut entry =
            Self { line: record.line, cells, fault: trouble, is_truncated: cut, damage, ..Self::default() };
        entry.strip_end_mark();
        entry
    }

    /// Why the record is not a row, if that is clear without the header.
    pub(super) fn omission(&self) -> Option<OmissionReason> {
        let filled = || self.cells.iter().map(|cell| trim(unquote(cell))).filter(|cell| !cell.is_empty());
        if self.fault.is_some() {
            return None;
        }
        let first = filled().next();
        if first.is_none() {
            return self.had_end_mark.then_some(OmissionReason::EndMark);
        }
        if !self.damage.is_empty() {
            let is_debris =
                filled().all(|cell| cell.chars().all(|c| matches!(c, '\0' | char::REPLACEMENT_CHARACTER)));
            return (is_debris && self.damage.iter().all(|damage| damage.is_padding()))
                .then_some(OmissionReason::EndMark);
        }
        if first.is_some_and(is_version) && filled().count() == 1 {
            return Some(OmissionReason::Version);
        }
        if first.is_some_and(is_example) && filled().skip(1).all(|cell| !is_id_like(cell)) {
            return Some(OmissionReason::Example);
        }
        is_separator(filled()).then_some(OmissionReason::Separator)
    }

    /// Counts the parts that could not be read in a record that is read nevertheless.
    pub(super) fn record_omissions(&self, omissions: &mut Omissions) {
        if self.had_end_mark {
            omissions.add(OmissionReason::EndMark, self.line);
        }
        self.damage.iter().for_each(|damage| omissions.add(damage.reason, self.line));
    }

    /// Whether the text of this cell is not its value: bytes that are not text, or a formula without a value.
    pub(super) fn is_unreadable(&self, cell: usize) -> bool {
        self.damage.iter().any(|damage| damage.cell == cell)
            || self.cell_faults.iter().any(|fault| fault.column == cell)
    }

    /// Why this cell could not be read, if so.
    pub(super) fn damage_in(&self, cell: usize) -> Option<String> {
        self.damage.iter().find(|damage| damage.cell == cell).map(UndecodableCell::explain)
    }

    /// Removes the end mark of DOS before the first cell and after the last.
    fn strip_end_mark(&mut self) {
        let is_mark = |c: char| c == '\u{1a}';
        let ends = [self.cells.first(), self.cells.last()];
        let (first, last) = (
            ends[0].is_some_and(|c| trim(c).starts_with(is_mark)),
            ends[1].is_some_and(|c| trim(c).ends_with(is_mark)),
        );
        if let (true, Some(cell)) = (first, self.cells.first_mut()) {
            *cell = trim(cell).trim_start_matches(is_mark).to_owned();
        }
        if let (true, Some(cell)) = (last, self.cells.last_mut()) {
            *cell = trim(cell).trim_end_matches(is_mark).to_owned();
        }
        self.had_end_mark = first || last;
    }

    /// The trimmed cell; empty if the record is shorter.
    pub(super) fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", |cell| super::cell::trim(cell))
    }

    /// Why the cell's text is not its value.
    pub(super) fn cell_fault(&self, at: usize) -> Option<&str> {
        self.cell_faults.iter().find(|fault| fault.column == at).map(|fault| fault.why.as_str())
    }

    /// How many cells are not empty.
    pub(super) fn filled_cells(&self) -> usize {
        (0..self.cells.len()).filter(|at| !self.cell(*at).is_empty()).count()
    }
}

fn explain(defect: RecordDefect) -> String {
    match defect {
        RecordDefect::TooLong => "longer than 1 MiB".into(),
        RecordDefect::TooManyCells => "more than 16,384 cells".into(),
        RecordDefect::StrayQuote { from, to } if from == to => format!(
            "text and another quote follow the closing quote of a cell on line {from}: is a quote (\") not \
             doubled?"
        ),
        RecordDefect::StrayQuote { from, to } => format!(
            "a quoted cell runs from line {from} to line {to} and text follows its closing quote: \
             a stray quote (\") on line {from}?"
        ),
    }
}

/// Whether one of several lines of a quoted cell could be a row with a user ID. Otherwise, rows between two stray
/// quotes would be lost.
fn contains_further_rows(cell: &str, shape: RecordFormat) -> bool {
    let RecordFormat::Cells(delimiter) = shape else { return false };
    let delimiter = char::from(delimiter);
    let mut further = cell.split(['\r', '\n']).skip(1).filter(|line| line.contains(delimiter));
    further.any(|line| line.split(delimiter).any(|part| is_id_like(unquote(part))))
}

/// Reports single or typographic quotes, which `csv-core` does not know, that open in one cell and close in another.
/// Then the delimiter between them belongs to the text, and the cells have shifted.
fn find_split_quote(cells: &[String]) -> Option<String> {
    const PAIRS: [(char, &[char]); 5] = [
        ('\'', &['\'']),
        ('\u{2018}', &['\u{2019}', '\u{2018}']),
        ('\u{201c}', &['\u{201d}', '\u{201c}']),
        ('\u{201e}', &['\u{201c}', '\u{201d}']),
        ('\u{ab}', &['\u{bb}']),
    ];
    for (at, cell) in cells.iter().enumerate() {
        let text = trim(cell);
        let Some((open, closers)) = PAIRS.iter().find(|(open, _)| text.starts_with(*open)) else { continue };
        if text[open.len_utf8()..].contains(*closers) {
            continue;
        }
        // An ID between them is a separate cell, so the quotes are not a pair.
        let further = cells[at + 1..].iter().map(|cell| trim(cell)).take_while(|cell| !is_id_like(cell));
        let closed =
            further.enumerate().find(|(_, cell)| cell.ends_with(*closers) && !cell.starts_with(*open));
        if let Some((further, _)) = closed {
            return Some(format!(
                "a quote opens in cell {} and closes in cell {}: if that is one cell, put double quotes (\") \
                 around it",
                at + 1,
                at + further + 2
            ));
        }
    }
    None
}

/// Whether the cells are a separator line: `-----`, `|---|`, `+----+`, `=====`, `:--|--:`.
fn is_separator<'a>(cells: impl Iterator<Item = &'a str>) -> bool {
    let mut strokes = 0;
    let mut longest = 0;
    for cell in cells {
        let mut run = 0;
        for c in cell.chars() {
            let is_stroke = matches!(c, '-' | '=' | '_' | '*' | '~' | '#' | '\u{2010}'..='\u{2015}' | '\u{2500}'..='\u{257f}');
            if !is_stroke && !matches!(c, '|' | '+' | ':' | ' ' | '\t' | ',' | ';') {
                return false;
            }
            run = if is_stroke { run + 1 } else { 0 };
            longest = longest.max(run);
            strokes += usize::from(is_stroke);
        }
    }
    // A row with one hyphen in every cell has no values but is a row; several hyphens in sequence are a separator.
    longest >= 2 && strokes >= 3
}

impl UndecodableCell {
    /// Finds bytes of a cell that are not text.
    fn find(bytes: &[u8], cell: usize, encoding: TextEncoding) -> Option<Self> {
        if let Err(error) = std::str::from_utf8(bytes) {
            let byte = bytes[error.valid_up_to()];
            debug_assert!(encoding.is_utf8() || byte == UNDECODABLE);
            return Some(Self { cell, reason: OmissionReason::UndecodableBytes(encoding), byte });
        }
        bytes.contains(&0).then_some(Self { cell, reason: OmissionReason::Nul, byte: 0 })
    }

    fn explain(&self) -> String {
        let number = self.cell + 1;
        match self.reason {
            OmissionReason::UndecodableBytes(encoding) if !encoding.is_utf8() => {
                format!("cell {number} has bytes that are not valid {encoding}")
            }
            OmissionReason::UndecodableBytes(_) => format!(
                "byte 0x{:02X} in cell {number} is not UTF-8: \
                 if the file was saved as Windows-1252, use --encoding windows-1252",
                self.byte
            ),
            _ => format!("cell {number} has a NUL byte"),
        }
    }

    /// Whether it can be the rest of a character at the end of a file, or the padding of a file.
    fn is_padding(&self) -> bool {
        match self.reason {
            OmissionReason::UndecodableBytes(encoding) => !encoding.is_utf8(),
            reason => reason == OmissionReason::Nul,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cells: &[&str]) -> RawRow {
        RawRow { cells: cells.iter().map(ToString::to_string).collect(), ..RawRow::default() }
    }

    #[test]
    fn tells_lines_that_are_drawn_from_rows() {
        for drawn in [
            &["-----"][..],
            &["|---|"],
            &["+----+-----+"],
            &["====="],
            &["", ":--", "--:", ""],
            &["----", "", "---"],
        ] {
            assert_eq!(entry(drawn).omission(), Some(OmissionReason::Separator), "{drawn:?}");
        }
        for row in [
            &["-"][..],
            &["-", "-", "-", "-"],
            &["ann@contoso.com", "-----"],
            &["--x--"],
            &["...", "n/a"],
            &["--"],
        ] {
            assert_eq!(entry(row).omission(), None, "{row:?}");
        }
    }

    #[test]
    fn quotes_of_other_kinds_that_span_cells_are_found() {
        let split = |cells: &[&str]| find_split_quote(&entry(cells).cells).is_some();
        assert!(split(&["1", " 'Lee", " Ann'", "b@c.de"]));
        assert!(split(&["\u{201c}Lee", "Ann\u{201d}"]));
        assert!(split(&["\u{201e}Lee", "Ann\u{201c}"]));
        assert!(!split(&["'t Hart", "'Ann'", "b@c.de"]));
        assert!(!split(&["'Ann'", "'Lee'"]));
    }
}
