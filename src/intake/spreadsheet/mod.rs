//! Workbooks: the rows of sheets of an `.xlsx` file, each cell as text.
//!
//! The file is copied to a temporary file while it is hashed, so that standard input works as well, and the bytes that
//! are read are those that were hashed. Its parts are unpacked piece by piece, and its rows are spooled to disk. Only
//! the shared strings and the first rows stay in memory, within limits.
//!
//! ```text
//! archive ──▶ xml ──▶ sheet ──▶ spool ──▶ Rows
//!  limited     tags    rows      │
//!  unpacking   book: strings     └▶ profile: which sheets are lists of users
//! ```
//!
//! The XML is read here, because libraries for workbooks do not report which rows are hidden and which cells have a
//! formula without a value.

mod archive;
mod number_format;
mod rich_text;
mod row_spool;
mod sheet;
mod sheet_profile;
mod workbook;
mod xml;

use std::fs::File;
use std::io::{self, Cursor, Read};

use super::error::{IntakeError, escape_name, quote};
use super::input_digest::{HashingReader, InputDigest};
use super::layout::{Layout, decide_layout};
use super::raw_row::RawRow;
use super::{IntakeOptions, SheetChoice, SheetSummary, SourceKind};
use crate::files::{TemporaryWriter, temporary_file_error};
use archive::Archive;
use row_spool::{RowSpool, SpooledRows, SpooledSheet};
use sheet::SheetReader;
use sheet_profile::{FirstRows, SheetProfile};
use workbook::WorkbookIndex;
use xml::XmlReader;

/// The maximum size of a workbook, in bytes.
const MAX_FILE_BYTES: u64 = 100 * 1024 * 1024;
/// The maximum text of all sheets together, in bytes.
const MAX_TEXT: usize = 256 * 1024 * 1024;
/// The maximum number of cells in all sheets together.
const MAX_CELLS: usize = 10_000_000;
/// The maximum number of cells in all sheets together, including empty ones before and between the others.
const MAX_GRID_CELLS: usize = 100_000_000;
/// The maximum number of columns of all sheets together.
const MAX_COLUMNS: usize = 100_000;

/// Why a workbook can't be read.
#[derive(Debug)]
enum WorkbookError {
    /// Reading or writing failed.
    Io(io::Error),
    /// It is damaged, or not a workbook.
    Damaged(String),
    /// It exceeds a limit; the text says which one.
    TooLarge(String),
}

impl From<io::Error> for WorkbookError {
    fn from(error: io::Error) -> Self {
        WorkbookError::Io(error)
    }
}

impl WorkbookError {
    /// The error if other programs might show something else than this one reads.
    fn ambiguous(what: &str) -> Self {
        WorkbookError::Damaged(format!("{what} can be read in two ways"))
    }

    fn into_intake_error(self, name: &str) -> IntakeError {
        let name = name.to_owned();
        match self {
            WorkbookError::Io(error) => IntakeError::Read { name, error },
            WorkbookError::Damaged(what) => IntakeError::Spreadsheet { name, what },
            WorkbookError::TooLarge(what) => IntakeError::TooLarge { name, what },
        }
    }
}

/// The rows of a sheet that are not empty, in order.
pub(super) struct SheetRows(SpooledRows);

impl SheetRows {
    pub(super) fn next(&mut self) -> io::Result<Option<RawRow>> {
        Ok(self.0.next()?.map(sheet::SparseRow::into_raw_row))
    }
}

/// A sheet that is to be read.
pub(super) struct OpenedSheet {
    /// The name for messages: the workbook, and the sheet if there are several.
    pub(super) name: String,
    pub(super) rows: SheetRows,
    pub(super) layout: Layout,
}

/// A workbook that is to be read.
pub(super) struct Workbook {
    pub(super) sheets: Vec<OpenedSheet>,
    /// Facts about its sheets. If sheets were named, only about those.
    pub(super) summaries: Vec<SheetSummary>,
    pub(super) digest: InputDigest,
}

/// Reads the workbook that begins with `head`.
pub(super) fn open(
    name: &str,
    head: &[u8],
    mut raw: HashingReader,
    options: &IntakeOptions,
) -> Result<Workbook, IntakeError> {
    let file = copy_to_file(name, head, &mut raw)?;
    let failed = |error: WorkbookError| error.into_intake_error(name);
    let archive = Archive::open(file).map_err(failed)?;
    check_is_xlsx(name, &archive)?;
    let mut book = WorkbookIndex::open(archive).map_err(failed)?;
    let all: Vec<String> = book.sheets.iter().map(|sheet| sheet.name.clone()).collect();
    let asked = requested_sheets(name, &book.sheets, options)?;
    let mut spool = RowSpool::new();
    let mut bounds = WorkbookSize::default();
    let mut profiles = Vec::new();
    for at in &asked {
        let sheet = book.sheets[*at].clone();
        profiles.push(read_sheet(&mut book, sheet, &mut spool, &mut bounds, options).map_err(failed)?);
    }
    let spooled = spool.finish().map_err(|error| WorkbookError::Io(error).into_intake_error(name))?;
    let chosen: Vec<usize> = match options.sheets {
        SheetChoice::Auto => vec![sheet_profile::choose_sheet(name, &profiles)?],
        SheetChoice::Named(_) => (0..profiles.len()).collect(),
        SheetChoice::All => (0..profiles.len()).filter(|at| profiles[*at].rows > 0).collect(),
    };
    if chosen.is_empty() {
        return Err(IntakeError::NoRows { name: name.to_owned(), what: "its sheets are empty" });
    }
    let mut sheets = Vec::new();
    let (mut columns, mut rows) = (0_usize, 0_usize);
    for at in &chosen {
        let profile = &profiles[*at];
        let sheet_name = &profile.sheet.name;
        let label =
            if chosen.len() == 1 { name.to_owned() } else { format!("{name} [{}]", escape_name(sheet_name)) };
        let first = first_rows(&spooled, profile)
            .map_err(|error| WorkbookError::Io(error).into_intake_error(name))?;
        let mut layout = layout(&label, &first, profile, options)?;
        columns += layout.columns.len();
        rows += profile.rows as usize;
        if columns.saturating_mul(rows) > MAX_GRID_CELLS || columns > MAX_COLUMNS {
            let what = "100,000 columns or 100 million cells, with empty ones";
            return Err(WorkbookError::TooLarge(format!("over {what}")).into_intake_error(name));
        }
        let unread = unread_sheets_note(&all, &profiles, &chosen);
        layout.notes.insert(0, format!("{label}: xlsx, sheet {}{unread}", quote(sheet_name)));
        sheets.push(OpenedSheet {
            name: label,
            rows: SheetRows(spooled.rows(profile.from, profile.to)),
            layout,
        });
    }
    let facts = profiles.iter().enumerate().map(|(at, p)| p.summary(name, chosen.contains(&at))).collect();
    let digest = raw.finish(name.to_owned(), SourceKind::Xlsx);
    let digest = digest.map_err(|error| WorkbookError::Io(error).into_intake_error(name))?;
    Ok(Workbook { sheets, summaries: facts, digest })
}

/// Reads all rows of all sheets of the workbook that begins with `head`, including hidden ones, with the names of the
/// sheets.
pub(super) fn read_all(
    name: &str,
    head: &[u8],
    raw: &mut HashingReader,
) -> Result<Vec<(String, Vec<RawRow>)>, IntakeError> {
    let failed = |error: WorkbookError| error.into_intake_error(name);
    let archive = Archive::open(copy_to_file(name, head, raw)?).map_err(failed)?;
    check_is_xlsx(name, &archive)?;
    let mut book = WorkbookIndex::open(archive).map_err(failed)?;
    let mut bounds = WorkbookSize::default();
    let mut all = Vec::new();
    for sheet in book.sheets.clone() {
        let rows = read_rows(&mut book, &sheet, &mut bounds).map_err(failed)?;
        all.push((sheet.name, rows));
    }
    Ok(all)
}

fn read_rows(
    book: &mut WorkbookIndex,
    sheet: &workbook::SheetEntry,
    bounds: &mut WorkbookSize,
) -> Result<Vec<RawRow>, WorkbookError> {
    let missing =
        || WorkbookError::Damaged(format!("the part of its sheet {} is missing", quote(&sheet.name)));
    let part = book.archive.part(&sheet.part)?.ok_or_else(missing)?;
    let mut reader = SheetReader::new(XmlReader::new(part)?, &book.shared);
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        bounds.add(&row)?;
        rows.push(row.into_raw_row());
    }
    Ok(rows)
}

/// Copies the file to a temporary file.
fn copy_to_file(name: &str, head: &[u8], raw: &mut HashingReader) -> Result<File, IntakeError> {
    let failed = |error| IntakeError::Read { name: name.to_owned(), error };
    let mut file = tempfile::tempfile().map_err(temporary_file_error).map_err(failed)?;
    let length =
        io::copy(&mut Cursor::new(head).chain(raw).take(MAX_FILE_BYTES + 1), &mut TemporaryWriter(&mut file))
            .map_err(failed)?;
    if length > MAX_FILE_BYTES {
        return Err(IntakeError::TooLarge { name: name.to_owned(), what: "over 100 MiB".into() });
    }
    Ok(file)
}

/// Refuses archives that are not workbooks.
fn check_is_xlsx(name: &str, archive: &Archive) -> Result<(), IntakeError> {
    let not = |what: &str, remedy| {
        Err(IntakeError::NotText { name: name.to_owned(), what: what.to_owned(), remedy })
    };
    if archive.has("xl/workbook.bin") {
        not("an .xlsb workbook", "save it as .xlsx or as CSV UTF-8")
    } else if archive.has("mimetype") && archive.has("content.xml") {
        not("an OpenDocument file", "save it as .xlsx or as CSV UTF-8")
    } else if archive.has("word/document.xml") {
        not("a Word document", "save the list as plain text")
    } else if archive.has("ppt/presentation.xml") {
        not("a presentation", "save the list as plain text")
    } else if !archive.has("[Content_Types].xml") {
        not("a zip archive", "unpack it first")
    } else {
        Ok(())
    }
}

/// The indices of the sheets to read.
fn requested_sheets(
    name: &str,
    sheets: &[workbook::SheetEntry],
    options: &IntakeOptions,
) -> Result<Vec<usize>, IntakeError> {
    let missing = |wanted: &str| IntakeError::NoSuchSheet {
        name: name.to_owned(),
        sheet: wanted.to_owned(),
        sheets: sheets.iter().map(|sheet| sheet.name.clone()).collect(),
    };
    let SheetChoice::Named(names) = &options.sheets else {
        return if sheets.is_empty() { Err(missing("of cells")) } else { Ok((0..sheets.len()).collect()) };
    };
    let mut places = Vec::new();
    for wanted in names {
        let same =
            |sheet: &workbook::SheetEntry| sheet.name.trim().to_lowercase() == wanted.trim().to_lowercase();
        let exact = sheets.iter().position(|sheet| sheet.name == *wanted);
        let at = exact.or_else(|| sheets.iter().position(same)).ok_or_else(|| missing(&quote(wanted)))?;
        if !places.contains(&at) {
            places.push(at);
        }
    }
    Ok(places)
}

/// How much was read from all sheets together.
#[derive(Default)]
struct WorkbookSize {
    text: usize,
    cells: usize,
    grid_cells: usize,
}

impl WorkbookSize {
    fn add(&mut self, row: &sheet::SparseRow) -> Result<(), WorkbookError> {
        self.text += row.length();
        self.cells += row.cells.len();
        self.grid_cells += row.width();
        if self.text > MAX_TEXT || self.cells > MAX_CELLS || self.grid_cells > MAX_GRID_CELLS {
            let what =
                "its sheets have over 256 MiB of text, 10 million cells, or 100 million with empty ones";
            return Err(WorkbookError::TooLarge(what.into()));
        }
        Ok(())
    }
}

/// Reads a sheet and spools its rows.
fn read_sheet(
    book: &mut WorkbookIndex,
    sheet: workbook::SheetEntry,
    spool: &mut RowSpool,
    bounds: &mut WorkbookSize,
    options: &IntakeOptions,
) -> Result<SheetProfile, WorkbookError> {
    let missing =
        || WorkbookError::Damaged(format!("the part of its sheet {} is missing", quote(&sheet.name)));
    let part = book.archive.part(&sheet.part)?.ok_or_else(missing)?;
    let mut reader = SheetReader::new(XmlReader::new(part)?, &book.shared);
    let mut profile = SheetProfile::new(sheet, spool.length());
    while let Some(row) = reader.next()? {
        if row.is_hidden {
            profile.count_hidden(row.line);
            if options.visible_only {
                continue;
            }
        }
        bounds.add(&row)?;
        spool.push(&row)?;
        profile.add(row);
    }
    profile.hidden_columns = std::mem::take(&mut reader.hidden_columns);
    profile.finish(spool.length(), options);
    Ok(profile)
}

/// The sheet's first rows.
fn first_rows(spooled: &SpooledSheet, profile: &SheetProfile) -> io::Result<Vec<RawRow>> {
    let mut first = FirstRows::default();
    let mut rows = spooled.rows(profile.from, profile.to);
    while let Some(row) = rows.next()? {
        if !first.add(row) {
            break;
        }
    }
    Ok(first.entries)
}

/// Decides how to read the sheet.
fn layout(
    name: &str,
    first: &[RawRow],
    profile: &SheetProfile,
    options: &IntakeOptions,
) -> Result<Layout, IntakeError> {
    let hidden = profile.hidden_rows_note(options.visible_only);
    if first.is_empty() {
        let what = if hidden.is_some() { "all rows of the sheet are hidden" } else { "the sheet is empty" };
        return Err(IntakeError::NoRows { name: name.to_owned(), what });
    }
    let one_column = first.iter().all(|entry| entry.cells.len() < 2);
    let mut layout = decide_layout(name, first, one_column, options)?;
    if profile.sheet.is_hidden {
        layout.notes.push("the sheet is hidden".to_owned());
    }
    if profile.is_hidden_column(layout.roles.id) {
        layout.notes.push("the column of user IDs is hidden".to_owned());
    }
    layout.notes.extend(hidden);
    match profile.faults {
        0 => {}
        1 => layout.notes.push("1 cell has a formula without a value".to_owned()),
        cells => layout.notes.push(format!("{cells} cells have formulas without values")),
    }
    Ok(layout)
}

/// The sheets that are not read, in words.
fn unread_sheets_note(all: &[String], profiles: &[SheetProfile], chosen: &[usize]) -> String {
    let mut sheets = Vec::new();
    for name in all {
        match profiles.iter().position(|profile| profile.sheet.name == *name) {
            Some(at) if chosen.contains(&at) => {}
            Some(at) => sheets.push(profiles[at].describe()),
            None => sheets.push(quote(name)),
        }
    }
    const MAX_NAMED: usize = 12;
    let more = sheets.len().saturating_sub(MAX_NAMED);
    sheets.truncate(MAX_NAMED);
    if more > 0 {
        sheets.push(format!("{more} more"));
    }
    if sheets.is_empty() { String::new() } else { format!(" (not read: {})", sheets.join(", ")) }
}
