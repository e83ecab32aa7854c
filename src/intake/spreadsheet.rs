//! Workbooks: the rows of one sheet of an `.xlsx` file, each cell as text.
//!
//! The file is copied to a temporary one while it is hashed, so that standard input works too and what is read is what
//! was hashed. The sheet is held in memory, within limits.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, ExcelDateTime, Reader, SheetType, SheetVisible, Xlsx};

use super::digest::Hashing;
use super::entry::Entry;
use super::error::{IntakeError, shown};
use super::layout::{Layout, decide};
use super::records::MAX_RECORD;
use super::sniff::LOOK_AT;
use super::{Options, zip};

/// The largest file that is taken for a workbook, in bytes.
const LARGEST: u64 = 100 * 1024 * 1024;
/// The most that a workbook may unpack to, by its own account, in bytes.
const LARGEST_UNPACKED: u64 = 1024 * 1024 * 1024;
/// The most text that is held of a sheet, in bytes, and the most cells.
const MOST_TEXT: usize = 256 * 1024 * 1024;
const MOST_CELLS: usize = 10_000_000;

/// The rows of a sheet that hold something, in their order.
pub(super) struct Rows {
    rows: std::vec::IntoIter<SparseRow>,
    /// What was read, in words.
    pub(super) said: String,
}

/// A row's number, from 1, and its cells that hold something, each with its column.
struct SparseRow {
    line: u64,
    cells: Vec<(usize, String)>,
}

impl Rows {
    pub(super) fn next(&mut self) -> Option<Entry> {
        self.rows.next().map(|row| row.entry())
    }
}

impl SparseRow {
    fn entry(&self) -> Entry {
        let width = self.cells.iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let mut cells = vec![String::new(); width];
        for (at, text) in &self.cells {
            cells[*at].clone_from(text);
        }
        let too_long = self.cells.iter().map(|(_, text)| text.len()).sum::<usize>() > MAX_RECORD;
        let trouble = too_long.then(|| "longer than 1 MiB".to_owned());
        Entry { line: self.line, cells, trouble, cut: too_long, ..Entry::default() }
    }
}

/// Reads the sheet asked for, or the first visible one, of the workbook that begins with `head`.
pub(super) fn open(
    name: &str,
    head: &[u8],
    raw: &mut Hashing,
    options: &Options,
) -> Result<(Rows, Layout), IntakeError> {
    let mut file = copy(name, head, raw)?;
    check(name, &mut file)?;
    // A damaged workbook must not end the program, whatever the library makes of it.
    let read = catch_unwind(AssertUnwindSafe(|| read_sheet(name, file, options)));
    let (rows, said) = read.unwrap_or_else(|_| Err(broken(name, &"it is damaged")))?;
    let entries = rows.iter().map(SparseRow::entry).filter(|entry| entry.omission().is_none());
    let first: Vec<Entry> = entries.take(LOOK_AT).collect();
    if first.is_empty() {
        return Err(IntakeError::NoRows { name: name.to_owned(), what: "the sheet is empty" });
    }
    let one_column = first.iter().all(|entry| entry.cells.len() < 2);
    let layout = decide(name, &first, one_column, options)?;
    Ok((Rows { rows: rows.into_iter(), said }, layout))
}

fn copy(name: &str, head: &[u8], raw: &mut Hashing) -> Result<std::fs::File, IntakeError> {
    let failed = |error| IntakeError::Read { name: name.to_owned(), error };
    let mut file = tempfile::tempfile().map_err(failed)?;
    let length = io::copy(&mut Cursor::new(head).chain(raw).take(LARGEST + 1), &mut file).map_err(failed)?;
    if length > LARGEST {
        return Err(IntakeError::TooLarge { name: name.to_owned(), what: "over 100 MiB".into() });
    }
    Ok(file)
}

/// Refuses archives that are no workbooks, and workbooks that unpack to too much.
fn check(name: &str, file: &mut std::fs::File) -> Result<(), IntakeError> {
    let failed = |error| IntakeError::Read { name: name.to_owned(), error };
    let contents =
        zip::contents(file).map_err(failed)?.ok_or_else(|| broken(name, &"it is cut off or damaged"))?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let has = |wanted: &str| contents.names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let not = |what: &str, remedy| {
        Err(IntakeError::NotText { name: name.to_owned(), what: what.to_owned(), remedy })
    };
    if has("xl/workbook.bin") {
        not("an .xlsb workbook", "save it as .xlsx or as CSV UTF-8")
    } else if has("mimetype") && has("content.xml") {
        not("an OpenDocument file", "save it as .xlsx or as CSV UTF-8")
    } else if has("word/document.xml") {
        not("a Word document", "save the list as plain text")
    } else if !has("[Content_Types].xml") {
        not("a zip archive", "unpack it first")
    } else if contents.unpacked > LARGEST_UNPACKED {
        Err(IntakeError::TooLarge { name: name.to_owned(), what: "it unpacks to over 1 GiB".into() })
    } else {
        Ok(())
    }
}

fn read_sheet(
    name: &str,
    file: std::fs::File,
    options: &Options,
) -> Result<(Vec<SparseRow>, String), IntakeError> {
    let mut book = Xlsx::new(io::BufReader::new(file)).map_err(|error| broken(name, &error))?;
    let sheets: Vec<_> =
        book.sheets_metadata().iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).cloned().collect();
    let wanted = match &options.sheet {
        Some(wanted) => {
            let same = |sheet: &&calamine::Sheet| sheet.name.trim().eq_ignore_ascii_case(wanted.trim());
            sheets.iter().find(|sheet| sheet.name == *wanted).or_else(|| sheets.iter().find(same))
        }
        None => {
            let visible = sheets.iter().find(|sheet| sheet.visible == SheetVisible::Visible);
            visible.or_else(|| sheets.first())
        }
    };
    let Some(sheet) = wanted else {
        return Err(IntakeError::NoSuchSheet {
            name: name.to_owned(),
            sheet: shown(options.sheet.as_deref().unwrap_or("of cells")),
            sheets: sheets.into_iter().map(|sheet| sheet.name).collect(),
        });
    };
    let mut said = format!("xlsx, sheet {}", shown(&sheet.name));
    let others: Vec<String> =
        sheets.iter().filter(|other| other.name != sheet.name).map(|other| shown(&other.name)).collect();
    if !others.is_empty() {
        said.push_str(&format!(" (not read: {})", others.join(", ")));
    }
    Ok((read_rows(name, &mut book, &sheet.name)?, said))
}

fn read_rows<R: Read + Seek>(
    name: &str,
    book: &mut Xlsx<R>,
    sheet: &str,
) -> Result<Vec<SparseRow>, IntakeError> {
    let mut reader = book.worksheet_cells_reader(sheet).map_err(|error| broken(name, &error))?;
    let mut rows: Vec<SparseRow> = Vec::new();
    let (mut text_length, mut cells) = (0, 0);
    while let Some(cell) = reader.next_cell().map_err(|error| broken(name, &error))? {
        let text = as_text(cell.get_value());
        if super::cell::trim(&text).is_empty() {
            continue;
        }
        text_length += text.len();
        cells += 1;
        if text_length > MOST_TEXT || cells > MOST_CELLS {
            let what = "the sheet holds over 256 MiB of text or 10 million cells".to_owned();
            return Err(IntakeError::TooLarge { name: name.to_owned(), what });
        }
        let (row, column) = cell.get_position();
        let (line, column) = (u64::from(row) + 1, column as usize);
        if column >= super::records::MAX_CELLS {
            return Err(broken(name, &"a cell lies beyond the last column"));
        }
        match rows.last_mut() {
            Some(last) if last.line == line => last.cells.push((column, text)),
            Some(last) if last.line > line => return Err(broken(name, &"its rows are not in order")),
            _ => rows.push(SparseRow { line, cells: vec![(column, text)] }),
        }
    }
    Ok(rows)
}

/// The cell as somebody would type it: whole numbers without a point, dates as in RFC 3339 without a zone.
fn as_text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(yes) => if *yes { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(moment) => date(moment),
        DataRef::Error(error) => error.to_string(),
    }
}

fn date(moment: &ExcelDateTime) -> String {
    if !moment.is_datetime() {
        return moment.as_f64().to_string();
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    let time = format!("{hour:02}:{minute:02}:{second:02}");
    match moment.as_f64() {
        days if days < 1.0 => time,
        days if days.fract() == 0.0 => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02}T{time}"),
    }
}

fn broken(name: &str, what: &dyn std::fmt::Display) -> IntakeError {
    IntakeError::Spreadsheet { name: name.to_owned(), what: super::error::bare(&what.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::super::source::from_reader;
    use super::super::zip::tests::archive;
    use super::*;

    fn refused(bytes: Vec<u8>) -> String {
        let reader = Box::new(Cursor::new(bytes));
        from_reader("x".into(), reader, &Options::default()).err().map(|e| e.to_string()).unwrap_or_default()
    }

    #[test]
    fn other_archives_and_bombs_are_refused() {
        assert!(
            refused(archive(&[("users.csv", 9)]))
                .contains("a zip archive, not a list of users: unpack it first")
        );
        assert!(refused(archive(&[("[Content_Types].xml", 9), ("word/document.xml", 9)])).contains("Word"));
        assert!(refused(archive(&[("[Content_Types].xml", 9), ("xl/a", u32::MAX)])).contains("over 1 GiB"));
        assert!(refused(archive(&[("[Content_Types].xml", 9)])).contains("Save it again"));
        assert!(refused(b"PK\x03\x04cut".to_vec()).contains("cut off"));
    }

    #[test]
    fn cells_are_as_somebody_would_type_them() {
        assert_eq!(as_text(&DataRef::Float(42.0)), "42");
        assert_eq!(as_text(&DataRef::Float(0.5)), "0.5");
        assert_eq!(as_text(&DataRef::Bool(true)), "TRUE");
        let day = |days| ExcelDateTime::new(days, calamine::ExcelDateTimeType::DateTime, false);
        assert_eq!(date(&day(46_000.0)), "2025-12-09");
        assert_eq!(date(&day(46_000.25)), "2025-12-09T06:00:00");
        assert_eq!(date(&day(0.5)), "12:00:00");
    }
}
