//! Finds rows whose cells have shifted: an unquoted delimiter in a name shifts the rest of the row to the right, a
//! missing cell shifts it to the left, and the column of user IDs then has another person's ID.
//!
//! A row is compared with the first rows of its file, except itself: which columns have IDs, and which have none. A
//! single odd cell is not proof. A shift leaves two traces: one before the column of IDs, where the cells came from,
//! and one in it or after it, where they went.

use std::collections::{HashMap, HashSet};

use super::column_choice::ColumnTable;
use super::column_profile::{CellKind, is_same_id};
use super::column_roles::ColumnRoles;
use super::error::quote;
use super::raw_row::RawRow;
use crate::user_id::names_external;

/// The weight of a column's name, in rows.
const NAME_WEIGHT: usize = 2;
/// With this number of IDs in the other rows, a single trace is enough.
const MIN_SURE_IDS: usize = 8;

/// What the first rows of a file show about the others.
#[derive(Debug, Default)]
pub(super) struct ExpectedColumns {
    columns: Vec<CellCounts>,
    names: Vec<String>,
    /// The line of the last row that was counted.
    last_line: u64,
    /// The IDs in each column, except in the column of IDs.
    ids_elsewhere: Vec<HashSet<String>>,
    /// How often each ID is in the column of IDs.
    ids: HashMap<String, usize>,
    /// The number of cells that most rows have; 0 if there is no such number.
    width: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct CellCounts {
    guids: usize,
    addresses: usize,
    texts: usize,
    blanks: usize,
    people_by_name: bool,
    text_by_name: bool,
}

/// What is odd about a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ShiftOddity {
    /// An ID in a column of text.
    Id,
    /// Text in a column of IDs.
    Text,
    /// An address in a column of object IDs, or the other way round.
    OtherKind,
}

impl CellCounts {
    fn remove(mut self, kind: CellKind) -> CellCounts {
        let count = match kind {
            CellKind::Guid => &mut self.guids,
            CellKind::Address => &mut self.addresses,
            CellKind::Text => &mut self.texts,
            CellKind::Blank => &mut self.blanks,
        };
        *count = count.saturating_sub(1);
        self
    }

    fn id_counts(&self) -> usize {
        self.guids + self.addresses
    }

    /// The counts of IDs and texts, including the weight of the name.
    fn weights(&self) -> (usize, usize) {
        let ids = self.id_counts() + if self.people_by_name { NAME_WEIGHT } else { 0 };
        (ids, self.texts + if self.text_by_name { NAME_WEIGHT } else { 0 })
    }

    fn holds_ids(&self) -> bool {
        let (ids, texts) = self.weights();
        ids * 10 >= (ids + texts) * 6 && ids > 0
    }

    fn holds_text(&self) -> bool {
        let (ids, texts) = self.weights();
        ids * 10 <= (ids + texts) * 4
    }

    fn oddity(&self, kind: CellKind) -> Option<ShiftOddity> {
        match kind {
            CellKind::Guid | CellKind::Address if self.holds_text() => Some(ShiftOddity::Id),
            CellKind::Text if self.holds_ids() => Some(ShiftOddity::Text),
            CellKind::Address if self.guids >= 1 && self.addresses == 0 && self.holds_ids() => {
                Some(ShiftOddity::OtherKind)
            }
            CellKind::Guid if self.addresses >= 1 && self.guids == 0 && self.holds_ids() => {
                Some(ShiftOddity::OtherKind)
            }
            _ => None,
        }
    }

    /// Whether nearly every row has an ID in this column.
    fn is_full_of_ids(&self) -> bool {
        self.holds_ids() && self.id_counts() >= 1 && (self.blanks + self.texts) * 20 <= self.id_counts()
    }
}

impl ExpectedColumns {
    /// Counts the first rows of a table whose column of IDs is known.
    pub(super) fn from_rows(table: &ColumnTable<'_>, id: usize) -> ExpectedColumns {
        let mut columns = vec![CellCounts::default(); table.names.len()];
        for (cells, header) in columns.iter_mut().zip(&table.headers) {
            cells.people_by_name = header.is_mostly_people();
            cells.text_by_name = header.promises_text();
        }
        let mut values = vec![HashSet::new(); columns.len()];
        let mut ids = HashMap::new();
        let mut widths = HashMap::new();
        let rows = || table.rows.iter().filter(|row| row.fault.is_none());
        for row in rows() {
            *widths.entry(row.cells.len()).or_insert(0_usize) += 1;
            for (at, cells) in columns.iter_mut().enumerate() {
                let text = row.cell(at);
                match CellKind::from_text(text) {
                    CellKind::Guid => cells.guids += 1,
                    CellKind::Address => cells.addresses += 1,
                    CellKind::Text => cells.texts += 1,
                    CellKind::Blank => cells.blanks += 1,
                }
                if CellKind::from_text(text).is_id() && at == id {
                    *ids.entry(text.to_lowercase()).or_insert(0) += 1;
                } else if CellKind::from_text(text).is_id() {
                    values[at].insert(text.to_lowercase());
                }
            }
        }
        let counted = rows().count();
        let usual = widths.into_iter().find(|(_, rows)| rows * 10 >= counted * 7);
        ExpectedColumns {
            columns,
            names: table.names.to_vec(),
            last_line: table.rows.last().map_or(0, |row| row.line),
            ids_elsewhere: values,
            ids,
            width: usual.map_or(0, |(width, _)| width),
        }
    }

    /// Why the row's cells seem to have shifted, if they do.
    pub(super) fn find_shift(&self, entry: &RawRow, roles: &ColumnRoles) -> Option<String> {
        // Values of objects stay with their keys, so nothing can shift.
        if self.columns.is_empty() {
            return None;
        }
        let id = self.id_column(entry, roles);
        let odd = self.oddities(entry, id);
        let before = |is: fn(ShiftOddity) -> bool| odd.iter().any(|(at, what)| *at < id && is(*what));
        let behind = odd.iter().any(|(at, _)| *at > id);
        let here = odd.iter().any(|(at, _)| *at == id);
        let any = |_: ShiftOddity| true;
        let is_short = entry.cells.len() < self.width;
        let own = CellKind::from_text(entry.cell(id));
        // A cell is missing in a row that is too short, or that has a blank where all others have an ID.
        let lacks = is_short || self.is_blank_behind(entry, id);
        let moved_left = before(|what| what == ShiftOddity::Id) && (is_short || !own.is_id());
        let moved_right = before(|what| what == ShiftOddity::Text) && self.has_id_elsewhere(entry, id);
        let moved_among_ids =
            own.is_id() && self.has_id_before(entry, id) && self.id_is_shifted_left(entry, id);
        let other_sort = here && own.is_id() && (lacks || behind);
        // An ID where other rows have none, and in the column of IDs a person who is in another column elsewhere.
        let displaced = odd.iter().any(|(at, what)| *at != id && *what == ShiftOddity::Id)
            && self.has_id_elsewhere(entry, id);
        // Text after the ID where other rows have IDs, in a row whose end is missing: all cells from the ID on have
        // shifted left.
        let is_only_ids = |at: usize| {
            let cells = self.other_rows(entry, at, CellKind::Text);
            cells.id_counts() > 0 && cells.texts == 0
        };
        let pulled = odd.iter().any(|(at, what)| *at > id && *what == ShiftOddity::Text && is_only_ids(*at))
            && (is_short || self.is_blank_at_end(entry) || self.has_id_elsewhere(entry, id));
        let nothing_left = behind && !own.is_id() && odd.iter().any(|(_, what)| *what == ShiftOddity::Id);
        let shifted = before(any) && (behind || here)
            || moved_left
            || moved_right
            || moved_among_ids
            || other_sort
            || displaced
            || pulled
            || nothing_left
            || self.is_certain_shift(entry, &odd, id);
        shifted.then(|| self.explain(&odd))
    }

    /// The column that has the row's user.
    fn id_column(&self, entry: &RawRow, roles: &ColumnRoles) -> usize {
        let is_blank = CellKind::from_text(entry.cell(roles.id)) == CellKind::Blank;
        roles.fallback.filter(|_| is_blank).unwrap_or(roles.id)
    }

    fn oddities(&self, entry: &RawRow, id: usize) -> Vec<(usize, ShiftOddity)> {
        let mut odd = Vec::new();
        for at in 0..self.columns.len() {
            let text = entry.cell(at);
            let kind = CellKind::from_text(text);
            // A name that is the user's own address shows nothing.
            let own = at != id && kind.is_id() && is_same_person(text, entry.cell(id));
            let spelled = kind == CellKind::Text && (text.contains('@') || text.eq_ignore_ascii_case("me"));
            if own || spelled || entry.is_unreadable(at) {
                continue;
            }
            odd.extend(self.other_rows(entry, at, kind).oddity(kind).map(|what| (at, what)));
        }
        odd
    }

    /// The counts of a column in the other rows.
    fn other_rows(&self, entry: &RawRow, at: usize, kind: CellKind) -> CellCounts {
        let cells = self.columns[at];
        if entry.line <= self.last_line { cells.remove(kind) } else { cells }
    }

    /// Whether a column after the IDs is blank, although other rows have an ID there.
    fn is_blank_behind(&self, entry: &RawRow, id: usize) -> bool {
        (id + 1..self.columns.len()).any(|at| {
            let kind = CellKind::from_text(entry.cell(at));
            kind == CellKind::Blank && self.other_rows(entry, at, kind).is_full_of_ids()
        })
    }

    /// Whether a column before the IDs that has IDs in other rows has one here.
    fn has_id_before(&self, entry: &RawRow, id: usize) -> bool {
        (0..id).any(|at| {
            let kind = CellKind::from_text(entry.cell(at));
            kind.is_id() && self.other_rows(entry, at, kind).holds_ids()
        })
    }

    /// Whether the row's ID is in a column after the column of IDs in other rows, but never in the column of IDs, and
    /// the former column is blank here, although nearly all other rows fill it.
    fn id_is_shifted_left(&self, entry: &RawRow, id: usize) -> bool {
        let text = entry.cell(id).to_lowercase();
        let own = usize::from(entry.line <= self.last_line);
        let elsewhere = self.ids.get(&text).copied().unwrap_or(0) > own;
        let from = |at: usize| {
            let is_blank = CellKind::from_text(entry.cell(at)) == CellKind::Blank;
            is_blank
                && self.ids_elsewhere[at].contains(&text)
                && self.other_rows(entry, at, CellKind::Blank).is_full_of_ids()
        };
        !elsewhere && (id + 1..self.columns.len()).any(from)
    }

    /// Whether the last column is blank, although nearly every other row has something there.
    fn is_blank_at_end(&self, entry: &RawRow) -> bool {
        let Some(last) = self.columns.len().checked_sub(1) else { return false };
        let kind = CellKind::from_text(entry.cell(last));
        let cells = self.other_rows(entry, last, kind);
        let filled = cells.id_counts() + cells.texts;
        kind == CellKind::Blank && filled > 0 && cells.blanks * 20 <= filled
    }

    /// Whether other rows have the row's ID in another column, but not in the column of IDs.
    fn has_id_elsewhere(&self, entry: &RawRow, id: usize) -> bool {
        let text = entry.cell(id).to_lowercase();
        let own = usize::from(entry.line <= self.last_line);
        let elsewhere = self.ids.get(&text).copied().unwrap_or(0) > own;
        !elsewhere
            && self.ids_elsewhere.iter().enumerate().any(|(at, values)| at != id && values.contains(&text))
    }

    /// Whether text before the IDs is enough proof alone: it is in a column of IDs, and no other row has text there.
    fn is_certain_shift(&self, entry: &RawRow, odd: &[(usize, ShiftOddity)], id: usize) -> bool {
        odd.iter().filter(|(at, what)| *at < id && *what == ShiftOddity::Text).any(|(at, _)| {
            let cells = self.other_rows(entry, *at, CellKind::Text);
            let raw = entry.cells.get(*at).map_or("", String::as_str);
            cells.texts == 0
                && (cells.id_counts() >= MIN_SURE_IDS || cells.id_counts() > 0 && raw.starts_with(' '))
        })
    }

    fn explain(&self, odd: &[(usize, ShiftOddity)]) -> String {
        let reasons = odd.iter().take(3).map(|(at, what)| {
            let name = quote(&self.names[*at]);
            match what {
                ShiftOddity::Id => format!("{name} has a user ID, which is not expected there"),
                ShiftOddity::Text => format!("{name} has no user ID, which is expected there"),
                ShiftOddity::OtherKind => format!("{name} has another kind of ID than expected there"),
            }
        });
        let reasons: Vec<String> = reasons.collect();
        let reasons = if reasons.is_empty() { "a cell is missing".to_owned() } else { reasons.join("; ") };
        format!(
            "the cells of this row seem shifted: {reasons}. Does an unquoted cell have a delimiter in it?"
        )
    }
}

/// Whether two IDs seem to be the same person: the user principal name of a guest includes the guest's address.
fn is_same_person(one: &str, other: &str) -> bool {
    let within = |guest: &str, address: &str| {
        let (guest, address) = (guest.to_lowercase(), address.to_lowercase().replace('@', "_"));
        names_external(&guest) && guest.split("#ext#").next() == Some(address.as_str())
    };
    is_same_id(one, other) || within(one, other) || within(other, one)
}
