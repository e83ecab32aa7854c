//! One record as text, whatever it came from, with what is wrong with it.

use serde::{Deserialize, Serialize};

use super::cell::{is_id_like, unquote};
use super::encoding::{TextEncoding, UNDECODABLE};
use super::records::{Defect, Record, Shape};

/// A record of a text, or a row of a sheet.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// The physical line where it starts, or the row's number in the sheet; from 1.
    pub(super) line: u64,
    /// The cells. Where there is trouble they are only for showing.
    pub(super) cells: Vec<String>,
    /// Why the record cannot be trusted.
    pub(super) trouble: Option<String>,
    /// Whether cells are missing, because the record is too long.
    pub(super) cut: bool,
    /// Cells whose text is not their value.
    pub(super) faults: Vec<CellFault>,
}

/// A cell whose text is not its value: a formula without a stored value, for instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CellFault {
    /// Its column, from 0.
    pub(super) column: usize,
    /// What is wrong with it.
    pub(super) why: String,
}

impl Entry {
    pub(super) fn from_record(record: &Record, encoding: TextEncoding, shape: Shape) -> Self {
        let mut trouble = record.defect.map(explain);
        let mut cells = Vec::new();
        for (at, bytes) in record.cells().enumerate() {
            if trouble.is_none() {
                trouble = fault(bytes, at + 1, encoding);
            }
            let cell = String::from_utf8_lossy(bytes).into_owned();
            if trouble.is_none() && swallows_rows(&cell, shape) {
                let number = at + 1;
                trouble = Some(format!(
                    "cell {number} holds what looks like further rows: is a quote (\") missing?"
                ));
            }
            cells.push(cell);
        }
        let cut = matches!(record.defect, Some(Defect::TooLong | Defect::TooManyCells));
        Self { line: record.line, cells, trouble, cut, faults: Vec::new() }
    }

    /// The cell, trimmed; nothing where the record is shorter.
    pub(super) fn cell(&self, at: usize) -> &str {
        self.cells.get(at).map_or("", |cell| super::cell::trim(cell))
    }

    /// Why the cell's text is not its value.
    pub(super) fn fault(&self, at: usize) -> Option<&str> {
        self.faults.iter().find(|fault| fault.column == at).map(|fault| fault.why.as_str())
    }

    /// How many cells hold something.
    pub(super) fn filled(&self) -> usize {
        (0..self.cells.len()).filter(|at| !self.cell(*at).is_empty()).count()
    }
}

fn explain(defect: Defect) -> String {
    match defect {
        Defect::TooLong => "longer than 1 MiB".into(),
        Defect::TooManyCells => "more than 16,384 cells".into(),
        Defect::StrayQuote { from, to } => format!(
            "a quoted cell runs from line {from} to line {to} and text follows its closing quote: \
             a stray quote (\") on line {from}?"
        ),
    }
}

/// Whether a quoted cell runs over several lines of which one could be a row of its own, with a user id in it: between
/// two stray quotes whole rows would vanish.
fn swallows_rows(cell: &str, shape: Shape) -> bool {
    let Shape::Cells(delimiter) = shape else { return false };
    let delimiter = char::from(delimiter);
    let mut further = cell.split(['\r', '\n']).skip(1).filter(|line| line.contains(delimiter));
    further.any(|line| line.split(delimiter).any(|part| is_id_like(unquote(part))))
}

/// What is wrong with the bytes of a cell, the `number`th of its record.
fn fault(bytes: &[u8], number: usize, encoding: TextEncoding) -> Option<String> {
    if let Err(error) = std::str::from_utf8(bytes) {
        let byte = bytes[error.valid_up_to()];
        return Some(if encoding.is_utf8() {
            format!(
                "byte 0x{byte:02X} in cell {number} is not UTF-8: \
                 if the file was saved as Windows-1252, give --encoding windows-1252"
            )
        } else {
            debug_assert_eq!(byte, UNDECODABLE);
            format!("cell {number} holds bytes that are not valid {encoding}")
        });
    }
    bytes.contains(&0).then(|| format!("cell {number} holds a NUL byte"))
}
