//! A second header among the rows, from several exports in one file.

use super::cell::{is_id_like, trim, unquote};
use super::column_name::{ColumnName, NameMeaning, normalize};
use super::delimiter::{DELIMITERS, from_sep_line};
use super::raw_row::RawRow;

/// A record that is not a row of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatedHeader {
    /// The same header again.
    Same,
    /// The header of another table.
    Other,
    /// A line that belongs above a header: `sep=;`, `#TYPE …`.
    Preface,
}

/// The header of a file, to recognize it if it is repeated.
#[derive(Debug, Default)]
pub(super) struct KnownHeader {
    /// The physical line, if there is a header.
    pub(super) line: Option<u64>,
    /// Its cells, without case and punctuation; none for a table without a header.
    cells: Vec<String>,
}

impl KnownHeader {
    pub(super) fn from_row(entry: &RawRow) -> KnownHeader {
        let cells = (0..entry.cells.len()).map(|at| normalize(strip_decoration(entry.cell(at))));
        let mut cells: Vec<String> = cells.collect();
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        KnownHeader { line: Some(entry.line), cells }
    }

    /// The kind of header, if the record is not a row of data. `id` is the column of IDs.
    pub(super) fn compare(&self, entry: &RawRow, id: usize) -> Option<RepeatedHeader> {
        if is_id_like(entry.cell(id)) || entry.fault.is_some() {
            return None;
        }
        let first = entry.cells.first().map_or("", |cell| strip_decoration(cell));
        if first.starts_with("#TYPE ")
            || entry.filled_cells() == 1
                && (from_sep_line(first).is_some() || first.eq_ignore_ascii_case("sep="))
        {
            return Some(RepeatedHeader::Preface);
        }
        let cells: Vec<&str> = (0..entry.cells.len()).map(|at| strip_decoration(entry.cell(at))).collect();
        let mut squeezed: Vec<String> = cells.iter().map(|cell| normalize(cell)).collect();
        while squeezed.last().is_some_and(String::is_empty) {
            squeezed.pop();
        }
        if self.line.is_some() && squeezed == self.cells {
            return Some(RepeatedHeader::Same);
        }
        let filled: Vec<&str> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
        let split = |cell: &str| {
            let split = DELIMITERS
                .iter()
                .map(|byte| cell.split(char::from(*byte)).map(strip_decoration).collect::<Vec<_>>());
            split.max_by_key(Vec::len).is_some_and(|parts| parts.len() > 1 && self.is_header(&parts))
        };
        let other = self.is_header(&filled)
            || self.matches_other_header(&squeezed, entry, id)
            || matches!(filled[..], [cell] if cell.len() < 4096 && split(cell));
        other.then_some(RepeatedHeader::Other)
    }

    /// Whether the row has a name for people in the column of IDs, and each other cell is one of this file's column
    /// names or another known name: `Manager,Department` below `UPN,Department`.
    fn matches_other_header(&self, squeezed: &[String], entry: &RawRow, id: usize) -> bool {
        let id = if self.line.is_some() { id } else { return false };
        let names_people = |cell: &str| cell.len() <= 128 && ColumnName::new(cell).promises_people();
        squeezed.len() == self.cells.len()
            && names_people(strip_decoration(entry.cell(id)))
            && (0..squeezed.len()).all(|at| {
                let header = ColumnName::new(strip_decoration(entry.cell(at)));
                self.cells.contains(&squeezed[at]) || header.promises_people() || header.promises_text()
            })
    }

    /// Whether at least half of the cells are names of columns, with a certain one among them or two of this file's
    /// own.
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
                NameMeaning::UserObjectId | NameMeaning::ObjectId | NameMeaning::PrincipalName => true,
                NameMeaning::SomePrincipalName => is_own || cells.len() > 1,
                NameMeaning::Mail => cells.len() > 1,
                _ => false,
            };
        }
        (own >= 2 && own * 2 >= cells.len()) || (sure && known * 2 >= cells.len())
    }
}

/// Whether a line of a plain list is a header such as `Manager` or `FileOwner`, which has other people below it.
pub(super) fn is_header_for_other_people(line: &str) -> bool {
    let line = strip_decoration(line);
    line.len() <= 128 && ColumnName::new(line).names_another_person()
}

/// The cell without surrounding blanks, byte order mark and quotes.
fn strip_decoration(cell: &str) -> &str {
    trim(unquote(trim(cell)))
}
