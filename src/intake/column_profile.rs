//! What the cells of a column have in the first rows: how many are filled, GUIDs or addresses.

use super::cell::{is_address, is_guid, trim};
use super::raw_row::RawRow;

/// The kind of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CellKind {
    /// Nothing, or a word for nothing.
    Blank,
    /// A GUID.
    Guid,
    /// Something that looks like an address.
    Address,
    /// Anything else.
    Text,
}

impl CellKind {
    pub(super) fn from_text(text: &str) -> CellKind {
        if means_blank(text) {
            CellKind::Blank
        } else if is_guid(text) {
            CellKind::Guid
        } else if is_address(text) {
            CellKind::Address
        } else {
            CellKind::Text
        }
    }

    pub(super) fn is_id(self) -> bool {
        matches!(self, CellKind::Guid | CellKind::Address)
    }
}

/// The maximum length of the words below, in bytes.
const MAX_BLANK_CHARS: usize = 16;

/// Words that exports, spreadsheets and people write for an empty cell, in lower case.
const BLANKS: &[&str] = &[
    "#n/a",
    "#n/a n/a",
    "#nv",
    "#n/d",
    "#null!",
    "#ref!",
    "#value!",
    "#name?",
    "#wert!",
    "#bezug!",
    "n/a",
    "na",
    "n.a.",
    "n.a",
    "n/d",
    "n/v",
    "k.a.",
    "nil",
    "null",
    "none",
    "nan",
    "undefined",
    "unknown",
    "empty",
    "blank",
    "\\n",
    "-",
    "--",
    "---",
    "–",
    "—",
    ".",
    "?",
    "0",
    "not available",
    "not applicable",
    "not set",
    "no value",
    "keine",
    "leer",
    "aucun",
    "aucune",
    "ninguno",
    "geen",
    "nessuno",
    "vacant",
    "tbd",
];

/// Whether the cell means nothing: empty, `#N/A`, `null`, `-`, the nil GUID.
pub(super) fn means_blank(text: &str) -> bool {
    let text = trim(text);
    let inner = [('(', ')'), ('<', '>'), ('[', ']'), ('{', '}')]
        .iter()
        .find_map(|(open, close)| text.strip_prefix(*open).and_then(|rest| rest.strip_suffix(*close)));
    let text = inner.map_or(text, trim);
    let is_nil = || is_guid(text) && text.bytes().all(|b| matches!(b, b'0' | b'-'));
    let is_word = || {
        let lower = text.to_lowercase();
        BLANKS.contains(&lower.as_str())
    };
    text.is_empty() || text.len() <= MAX_BLANK_CHARS && is_word() || is_nil()
}

/// Counts of the cells of one column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ColumnProfile {
    /// All rows.
    pub(super) rows: usize,
    /// Cells that are not blank.
    pub(super) filled: usize,
    pub(super) guids: usize,
    /// GUIDs of 32 digits without hyphens and braces.
    pub(super) bare_hex: usize,
    pub(super) addresses: usize,
    /// Cells that are not IDs but may have been meant as one: they have an `@`, or begin like an entry of a list.
    pub(super) malformed: usize,
    /// Cells that could not be read.
    unreadable: usize,
}

/// How well the cells fit a column of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnFit {
    /// At least half of them are IDs.
    Good,
    /// At least half of them are IDs or may have been meant as IDs.
    Malformed,
    Empty,
    Bad,
}

impl ColumnProfile {
    fn add(&mut self, text: &str) {
        self.rows += 1;
        let kind = CellKind::from_text(text);
        self.filled += usize::from(kind != CellKind::Blank);
        match kind {
            CellKind::Guid => {
                self.guids += 1;
                self.bare_hex += usize::from(trim(text).len() == 32);
            }
            CellKind::Address => self.addresses += 1,
            CellKind::Text => {
                let entry = text.split_once(':').is_some_and(|(head, _)| {
                    ["group", "role"].iter().any(|word| head.trim().eq_ignore_ascii_case(word))
                });
                let marred = entry || text.contains('@') || text.eq_ignore_ascii_case("me");
                self.malformed += usize::from(marred);
            }
            CellKind::Blank => {}
        }
    }

    /// Counts a cell that could not be read. It may have anything, so it does not count against the column.
    fn add_unread(&mut self) {
        self.rows += 1;
        self.unreadable += 1;
    }

    pub(super) fn ids(&self) -> usize {
        self.guids + self.addresses
    }

    pub(super) fn fit(&self) -> ColumnFit {
        match self.filled {
            0 if self.unreadable > 0 => ColumnFit::Malformed,
            0 => ColumnFit::Empty,
            filled if self.ids() * 2 >= filled => ColumnFit::Good,
            filled if (self.ids() + self.malformed) * 2 >= filled => ColumnFit::Malformed,
            _ => ColumnFit::Bad,
        }
    }

    /// Whether the IDs among the cells are object IDs rather than addresses.
    pub(super) fn holds_guids(&self) -> bool {
        self.guids > self.addresses + self.malformed
    }

    /// Whether the cells are the digits that Microsoft 365 writes for concealed names.
    pub(super) fn is_concealed(&self) -> bool {
        self.bare_hex > 0 && self.bare_hex * 2 >= self.filled
    }

    /// Whether at least this share of all rows has an ID, in percent.
    pub(super) fn has_id_share(&self, percent: usize) -> bool {
        self.ids() > 0 && self.ids() * 100 >= self.rows * percent
    }
}

/// The profiles of all columns.
pub(super) fn profile_columns(width: usize, rows: &[RawRow]) -> Vec<ColumnProfile> {
    let mut profiles = vec![ColumnProfile::default(); width];
    for row in rows.iter().filter(|row| row.fault.is_none()) {
        for (at, profile) in profiles.iter_mut().enumerate() {
            if row.is_unreadable(at) {
                profile.add_unread();
            } else {
                profile.add(row.cell(at));
            }
        }
    }
    profiles
}

/// A comparison of two columns in the rows where both have an ID.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ColumnPair {
    pub(super) both: usize,
    pub(super) differ: usize,
}

impl ColumnPair {
    pub(super) fn from_columns(rows: &[RawRow], one: usize, other: usize) -> ColumnPair {
        let mut pair = ColumnPair::default();
        for row in rows.iter().filter(|row| row.fault.is_none()) {
            if row.is_unreadable(one) || row.is_unreadable(other) {
                continue;
            }
            let (one, other) = (row.cell(one), row.cell(other));
            if CellKind::from_text(one).is_id() && CellKind::from_text(other).is_id() {
                pair.both += 1;
                pair.differ += usize::from(!is_same_id(one, other));
            }
        }
        pair
    }

    /// Whether they are the same in at least 19 of 20 rows.
    pub(super) fn agrees(self) -> bool {
        self.both > 0 && self.differ * 20 <= self.both
    }
}

/// Whether two cells have the same ID.
pub(super) fn is_same_id(one: &str, other: &str) -> bool {
    let plain = |text: &str| -> String {
        let text = trim(text).to_lowercase();
        if is_guid(&text) { text.chars().filter(char::is_ascii_hexdigit).collect() } else { text }
    };
    plain(one) == plain(other)
}

/// Whether each object ID of one column belongs to one name of the other, as for users. In a log, one user has many
/// events.
pub(super) fn belong_to_same_users(rows: &[RawRow], one: usize, other: usize) -> bool {
    let mut there = std::collections::HashMap::new();
    let mut back = std::collections::HashMap::new();
    let (mut pairs, mut several_ids, mut several_names) = (0, 0, 0);
    for row in rows.iter().filter(|row| row.fault.is_none()) {
        if row.is_unreadable(one) || row.is_unreadable(other) {
            continue;
        }
        let (one, other) = (row.cell(one).to_lowercase(), row.cell(other).to_lowercase());
        if CellKind::from_text(&one).is_id() && CellKind::from_text(&other).is_id() {
            pairs += 1;
            several_names += usize::from(*there.entry(one.clone()).or_insert_with(|| other.clone()) != other);
            several_ids += usize::from(*back.entry(other).or_insert_with(|| one.clone()) != one);
        }
    }
    // A single renamed user, or a single wrong row, proves nothing.
    [several_ids, several_names].into_iter().all(|count| count < 2 || count * 20 <= pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_as_blank() {
        for text in [
            "",
            " ",
            "#N/A",
            "null",
            "NULL",
            "(null)",
            "-",
            "n/a",
            "None",
            "(blank)",
            "0",
            "—",
            "<none>",
            "\\N",
            "00000000-0000-0000-0000-000000000000",
            "{00000000-0000-0000-0000-000000000000}",
        ] {
            assert!(means_blank(text), "{text:?}");
        }
        assert_eq!(BLANKS.iter().map(|blank| blank.len()).max(), Some(MAX_BLANK_CHARS - 2));
        for text in ["a@b.de", "8a0f3c1e-1111-2222-3333-444455556666", "Ann", "1", "nan@contoso.com"] {
            assert!(!means_blank(text), "{text:?}");
        }
    }
}
