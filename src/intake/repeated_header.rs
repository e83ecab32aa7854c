//! A second header among the rows: exports that were put one after the other.

use super::cell::{is_id_like, trim, unquote};
use super::column_name::{ColumnName, ColumnPromise, normalize};
use super::delimiter::{DELIMITERS, from_sep_line};
use super::raw_row::RawRow;

/// A row that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatedHeader {
    /// The header once more.
    Same,
    /// The header of another table.
    Other,
    /// What stands above a header: `sep=;`, `#TYPE …`.
    Preface,
}

/// The header of a file, to know it again.
#[derive(Debug, Default)]
pub(super) struct KnownHeader {
    /// The physical line, where there is a header.
    pub(super) line: Option<u64>,
    /// Its cells, without signs and case; none for a table without a header.
    cells: Vec<String>,
}

impl KnownHeader {
    pub(super) fn from_row(entry: &RawRow) -> KnownHeader {
        let cells = (0..entry.cells.len()).map(|at| normalize(plain(entry.cell(at))));
        let mut cells: Vec<String> = cells.collect();
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        KnownHeader { line: Some(entry.line), cells }
    }

    /// What the row is, if it is no row of data. `id` is the column of ids.
    pub(super) fn compare(&self, entry: &RawRow, id: usize) -> Option<RepeatedHeader> {
        if is_id_like(entry.cell(id)) || entry.fault.is_some() {
            return None;
        }
        let first = entry.cells.first().map_or("", |cell| plain(cell));
        if first.starts_with("#TYPE ")
            || entry.filled_cells() == 1
                && (from_sep_line(first).is_some() || first.eq_ignore_ascii_case("sep="))
        {
            return Some(RepeatedHeader::Preface);
        }
        let cells: Vec<&str> = (0..entry.cells.len()).map(|at| plain(entry.cell(at))).collect();
        let mut squeezed: Vec<String> = cells.iter().map(|cell| normalize(cell)).collect();
        while squeezed.last().is_some_and(String::is_empty) {
            squeezed.pop();
        }
        if self.line.is_some() && squeezed == self.cells {
            return Some(RepeatedHeader::Same);
        }
        let filled: Vec<&str> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
        let split = |cell: &str| {
            let split =
                DELIMITERS.iter().map(|byte| cell.split(char::from(*byte)).map(plain).collect::<Vec<_>>());
            split.max_by_key(Vec::len).is_some_and(|parts| parts.len() > 1 && self.is_header(&parts))
        };
        let other = self.is_header(&filled)
            || self.matches_other_header(&squeezed, entry, id)
            || matches!(filled[..], [cell] if cell.len() < 4096 && split(cell));
        other.then_some(RepeatedHeader::Other)
    }

    /// Whether the row has a name of people where the ids stand, and each of its other cells is one of this file's columns or
    /// another known name: `Manager,Department` below `UPN,Department`.
    fn matches_other_header(&self, squeezed: &[String], entry: &RawRow, id: usize) -> bool {
        let id = if self.line.is_some() { id } else { return false };
        let names_people = |cell: &str| cell.len() <= 128 && ColumnName::new(cell).promises_people();
        squeezed.len() == self.cells.len()
            && names_people(plain(entry.cell(id)))
            && (0..squeezed.len()).all(|at| {
                let header = ColumnName::new(plain(entry.cell(at)));
                self.cells.contains(&squeezed[at]) || header.promises_people() || header.promises_text()
            })
    }

    /// Whether the cells are names of columns: half of them, with one that is sure, or two of this file's own.
    fn is_header(&self, cells: &[&str]) -> bool {
        if cells.iter().any(|cell| is_id_like(cell)) {
            return false;
        }
        let (mut own, mut known, mut sure) = (0, 0, false);
        for cell in cells.iter().filter(|cell| cell.len() <= 128) {
            let header = ColumnName::new(cell);
            let is_own = self.cells.contains(&normalize(cell));
            own += usize::from(is_own);
            known += usize::from(is_own || header.promises_people() || header.promises_text());
            sure |= match header.promise {
                ColumnPromise::UserObjectId | ColumnPromise::ObjectId | ColumnPromise::PrincipalName => true,
                ColumnPromise::SomePrincipalName => is_own || cells.len() > 1,
                ColumnPromise::Mail => cells.len() > 1,
                _ => false,
            };
        }
        (own >= 2 && own * 2 >= cells.len()) || (sure && known * 2 >= cells.len())
    }
}

/// Whether a line of a plain list is `Manager`, `FileOwner` and the like: below it stand other people than above.
pub(super) fn is_header_for_other_people(line: &str) -> bool {
    let line = plain(line);
    line.len() <= 128 && ColumnName::new(line).names_another_person()
}

/// The cell without blanks, a byte order mark and quotes around it.
fn plain(cell: &str) -> &str {
    trim(unquote(trim(cell)))
}
