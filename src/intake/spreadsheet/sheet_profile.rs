//! Facts about the sheets, and the choice of the sheets that are lists of users.

use super::quote;
use super::sheet::SparseRow;
use super::workbook::SheetEntry;
use crate::intake::cell::{is_id_like, trim};
use crate::intake::error::IntakeError;
use crate::intake::layout::find_header;
use crate::intake::raw_row::RawRow;
use crate::intake::{IntakeOptions, SheetSummary};

/// How many rows are used to decide how to read the sheet.
const MAX_FIRST_ROWS: usize = 1_000;
/// The maximum number of cells in them, including empty ones.
const MAX_FIRST_CELLS: usize = 500_000;
/// The maximum text in them, in bytes.
const MAX_FIRST_TEXT: usize = 8 * 1024 * 1024;
/// The maximum number of rows with IDs in a cover sheet, which only names the people behind the workbook.
const MAX_COVER_IDS: u64 = 3;
/// How many numbers of hidden rows a note shows.
const MAX_NAMED_LINES: usize = 5;

/// A sheet and the facts about it.
pub(super) struct SheetProfile {
    pub(super) sheet: SheetEntry,
    /// The positions in the spool where its rows begin and end.
    pub(super) from: u64,
    pub(super) to: u64,
    first: FirstRows,
    pub(super) rows: u64,
    id_rows: u64,
    /// Rows with an ID after words such as `Prepared by`.
    signature_rows: u64,
    fault_rows: u64,
    pub(super) faults: u64,
    pub(super) hidden: u64,
    /// The numbers of the first hidden rows.
    hidden_lines: Vec<u64>,
    pub(super) hidden_columns: Vec<(usize, usize)>,
    has_header: bool,
}

impl SheetProfile {
    pub(super) fn new(sheet: SheetEntry, from: u64) -> Self {
        Self {
            sheet,
            from,
            to: from,
            first: FirstRows::default(),
            rows: 0,
            id_rows: 0,
            signature_rows: 0,
            fault_rows: 0,
            faults: 0,
            hidden: 0,
            hidden_lines: Vec::new(),
            hidden_columns: Vec::new(),
            has_header: false,
        }
    }

    pub(super) fn count_hidden(&mut self, line: u64) {
        self.hidden += 1;
        if self.hidden_lines.len() < MAX_NAMED_LINES {
            self.hidden_lines.push(line);
        }
    }

    pub(super) fn add(&mut self, row: SparseRow) {
        let id = row.cells.iter().position(|(_, cell)| is_id_like(cell));
        self.rows += 1;
        self.id_rows += u64::from(id.is_some());
        let words = id.map_or(&[][..], |id| &row.cells[..id]);
        self.signature_rows += u64::from(words.last().is_some_and(|(_, label)| is_signature(label)));
        self.fault_rows += u64::from(!row.faults.is_empty());
        self.faults += row.faults.len() as u64;
        self.first.add(row);
    }

    pub(super) fn finish(&mut self, to: u64, options: &IntakeOptions) {
        self.to = to;
        // The first rows are dropped, because those of many sheets would take too much memory.
        let first = std::mem::take(&mut self.first).entries;
        self.has_header = find_header(&first, options).is_some();
    }

    /// How many rows may have an ID.
    fn ids(&self) -> u64 {
        // Below a header, a formula without a value may be an ID.
        self.id_rows + if self.has_header { self.fault_rows } else { 0 }
    }

    /// Whether it is a cover sheet: its few IDs only name the people behind the workbook.
    fn is_cover(&self) -> bool {
        !self.has_header
            && self.id_rows <= MAX_COVER_IDS
            && (self.signature_rows == self.id_rows || (self.id_rows == 1 && self.rows > 2))
    }

    pub(super) fn summary(&self, workbook: &str, is_read: bool) -> SheetSummary {
        SheetSummary {
            workbook: workbook.to_owned(),
            name: self.sheet.name.clone(),
            is_hidden: self.sheet.is_hidden,
            is_read,
            rows: self.rows,
            id_rows: self.id_rows,
            hidden_rows: self.hidden,
            valueless_formulas: self.faults,
        }
    }

    /// The sheet's name and its number of IDs.
    pub(super) fn describe(&self) -> String {
        let hidden = if self.sheet.is_hidden { ", hidden" } else { "" };
        let ids = match self.ids() {
            0 => String::new(),
            1 => " (1 row with a user ID)".to_owned(),
            rows => format!(" ({rows} rows with user IDs)"),
        };
        format!("{}{hidden}{ids}", quote(&self.sheet.name))
    }

    /// The note on hidden rows.
    pub(super) fn hidden_rows_note(&self, visible_only: bool) -> Option<String> {
        let mut lines = self.hidden_lines.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        if self.hidden > MAX_NAMED_LINES as u64 {
            lines.push_str(", …");
        }
        let (rows, are) = if self.hidden == 1 { ("row", "is") } else { ("rows", "are") };
        let what = match (self.hidden, visible_only) {
            (0, _) => return None,
            (_, true) => "left out (--visible-only)",
            (_, false) => {
                "read as well, because a filter hides rows without removing them: --visible-only leaves hidden \
                 rows out"
            }
        };
        Some(format!("{} hidden {rows} ({lines}) {are} {what}", self.hidden))
    }

    pub(super) fn is_hidden_column(&self, at: usize) -> bool {
        self.hidden_columns.iter().any(|(from, to)| (*from..=*to).contains(&at))
    }
}

/// The first rows of a sheet.
#[derive(Default)]
pub(super) struct FirstRows {
    pub(super) entries: Vec<RawRow>,
    cells: usize,
    text: usize,
}

impl FirstRows {
    /// Adds a row, and returns whether there is room for more.
    pub(super) fn add(&mut self, row: SparseRow) -> bool {
        self.cells = self.cells.saturating_add(row.width());
        self.text = self.text.saturating_add(row.length());
        let is_little = self.cells <= MAX_FIRST_CELLS && self.text <= MAX_FIRST_TEXT;
        let takes = self.entries.len() < MAX_FIRST_ROWS && (is_little || self.entries.is_empty());
        if takes {
            // Records that are not rows do not count, as when rows are read later.
            self.entries.extend(Some(row.into_raw_row()).filter(|entry| entry.omission().is_none()));
        }
        takes
    }
}

/// Whether the words before an address show that the person is behind the workbook.
fn is_signature(label: &str) -> bool {
    const WORDS: [&str; 22] = [
        "by",
        "author",
        "owner",
        "contact",
        "contacts",
        "prepared",
        "created",
        "requested",
        "requester",
        "approved",
        "approver",
        "reviewed",
        "reviewer",
        "from",
        "to",
        "questions",
        "e-mail",
        "support",
        "autor",
        "kontakt",
        "von",
        "par",
    ];
    let label = trim(label);
    let mut words = label.split(|c: char| !c.is_alphanumeric() && c != '-').map(str::to_lowercase);
    label.ends_with(':') || words.any(|word| WORDS.contains(&word.as_str()))
}

/// The sheet to read if none was named: the only visible one that is a list of users.
pub(super) fn choose_sheet(name: &str, profiles: &[SheetProfile]) -> Result<usize, IntakeError> {
    let places = |wanted: &dyn Fn(&SheetProfile) -> bool| -> Vec<usize> {
        let found = profiles.iter().enumerate().filter(|(_, profile)| wanted(profile));
        found.map(|(at, _)| at).collect()
    };
    let which = |what: &str, sheets: &[usize]| {
        let sheets = sheets.iter().map(|at| profiles[*at].describe()).collect::<Vec<_>>().join(", ");
        Err(IntakeError::WhichSheet { name: name.to_owned(), what: format!("{what}: {sheets}") })
    };
    let is_visible = |profile: &SheetProfile| !profile.sheet.is_hidden;
    let lists = places(&|profile| is_visible(profile) && profile.ids() > 0 && !profile.is_cover());
    let covers = places(&|profile| is_visible(profile) && profile.ids() > 0);
    for sheets in [&lists, &covers] {
        match sheets[..] {
            [] => {}
            [only] => return Ok(only),
            _ => return which("several sheets have user IDs", sheets),
        }
    }
    let hidden = places(&|profile| profile.ids() > 0);
    if !hidden.is_empty() {
        return which("only hidden sheets have user IDs", &hidden);
    }
    let headed = places(&|profile| is_visible(profile) && profile.has_header);
    let filled = places(&|profile| is_visible(profile) && profile.rows > 0);
    match (&headed[..], &filled[..]) {
        ([only], _) | ([], [only, ..]) => Ok(*only),
        ([], []) => {
            let left_out = profiles.iter().any(|profile| is_visible(profile) && profile.hidden > 0);
            let what = if left_out { "all its rows are hidden" } else { "its visible sheets are empty" };
            Err(IntakeError::NoRows { name: name.to_owned(), what })
        }
        (several, _) => which("several sheets have a column of user IDs", several),
    }
}
