//! Lists as text: one account per line, or cells with a delimiter between them.

use super::super::bulk_template::is_version;
use super::super::csv_record;
use super::super::delimiter::{DELIMITERS, from_sep_line};
use super::super::error::IntakeError;
use super::super::record_reader::{RecordDefect, RecordError, RecordFormat, RecordReader};
use super::{IdList, ListError, ListRow, ListTable};
use crate::user_id::trim;

/// How many records are compared to detect the delimiter.
const MAX_ROWS: usize = 200;

/// Reads the records of a text. Bytes that are not UTF-8 are those that could not be decoded.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<IdList, ListError> {
    let shape = detect_format(bytes);
    let open_quote = |error| match error {
        RecordError::OpenQuote { line } => {
            ListError::Source(IntakeError::OpenQuote { name: name.to_owned(), line })
        }
        RecordError::Io(error) => ListError::Source(IntakeError::Read { name: name.to_owned(), error }),
    };
    let (mut list, mut table) = (IdList::default(), ListTable::default());
    let mut records = RecordReader::new(bytes, shape);
    let mut record = csv_record::CsvRecord::default();
    while records.read(&mut record).map_err(open_quote)? {
        let line = record.line;
        let mut cells = decode_cells(&record).map_err(|reason| ListError::Line { line, reason })?;
        if is_blank(&cells) {
            continue;
        }
        let begun = !table.records.is_empty();
        if shape == RecordFormat::Lines || !begun {
            if is_comment(&cells, shape) {
                list.comments.push((line, cells.join(" ")));
                continue;
            }
            if !begun && (sep_line(&cells).is_some() || is_template_version(&cells)) {
                continue;
            }
        }
        if let (RecordFormat::Lines, Some(at)) = (shape, trailing_comment(&cells[0])) {
            list.comments.push((line, cells[0][at..].to_owned()));
            cells[0].truncate(at);
        }
        if !is_separator(&cells) {
            table.records.push(ListRow { line, cells, names: None });
        }
    }
    list.tables.push(table);
    Ok(list)
}

fn decode_cells(record: &csv_record::CsvRecord) -> Result<Vec<String>, String> {
    match record.defect {
        Some(RecordDefect::TooLong) => return Err("longer than 1 MiB".to_owned()),
        Some(RecordDefect::TooManyCells) => return Err("more than 16,384 cells".to_owned()),
        Some(RecordDefect::StrayQuote { from, to }) => {
            return Err(format!(
                "a quoted cell runs from line {from} to line {to} and text follows its closing quote: a stray \
                 quote (\")?"
            ));
        }
        None => {}
    }
    let mut cells = Vec::new();
    for (at, bytes) in record.cells().enumerate() {
        let number = at + 1;
        let text = std::str::from_utf8(bytes)
            .map_err(|_| format!("cell {number} has bytes that are not text: save the list as UTF-8"))?;
        if text.contains('\0') {
            return Err(format!("cell {number} has a NUL byte"));
        }
        cells.push(text.to_owned());
    }
    Ok(cells)
}

/// How lines are split into cells: by the delimiter that splits the first record into several, and most other records
/// into as many.
fn detect_format(bytes: &[u8]) -> RecordFormat {
    let mut best: Option<(usize, usize, u8)> = None;
    for delimiter in DELIMITERS {
        let mut records = RecordReader::new(bytes, RecordFormat::Cells(delimiter));
        let mut record = csv_record::CsvRecord::default();
        let (mut width, mut same, mut all) = (0, 0, 0);
        while let Ok(true) = records.read(&mut record) {
            let cells: Vec<String> =
                record.cells().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
            if width == 0 {
                if let Some(found) = sep_line(&cells) {
                    return RecordFormat::Cells(found.unwrap_or(delimiter));
                }
                let passed = is_blank(&cells)
                    || is_comment(&cells, RecordFormat::Cells(delimiter))
                    || is_template_version(&cells);
                if passed {
                    continue;
                }
                width = cells.len();
            }
            all += 1;
            same += usize::from(cells.len() == width);
            if all == MAX_ROWS {
                break;
            }
        }
        let share = (same * 100).checked_div(all).unwrap_or(0);
        if width > 1 && best.is_none_or(|(top, wide, _)| (share, width) > (top, wide)) {
            best = Some((share, width, delimiter));
        }
    }
    best.map_or(RecordFormat::Lines, |(_, _, delimiter)| RecordFormat::Cells(delimiter))
}

/// The delimiter in Excel's line `sep=;`, if the record is one. The inner `None` means that this delimiter itself has
/// split the line.
fn sep_line(cells: &[String]) -> Option<Option<u8>> {
    match cells {
        [line] => from_sep_line(trim(line)).map(Some),
        [key, rest] if trim(key).eq_ignore_ascii_case("sep=") && rest.is_empty() => Some(None),
        _ => None,
    }
}

/// Whether the record is empty; a 0x1A is the end mark of DOS files.
fn is_blank(cells: &[String]) -> bool {
    cells.iter().all(|cell| trim(cell).trim_matches('\u{1a}').is_empty())
}

/// Whether the record is a comment: it begins with a `#` that is not the name of a column.
fn is_comment(cells: &[String], shape: RecordFormat) -> bool {
    let Some(rest) = cells.first().and_then(|cell| trim(cell).strip_prefix('#')) else { return false };
    match shape {
        RecordFormat::Lines => !rest.starts_with(['"', ',', ';', '\t', '|']),
        RecordFormat::Cells(_) => !trim(rest).is_empty() || cells.len() == 1,
    }
}

/// The start of a comment after an entry of a plain list: a `#` after white space. (The `#` of `#EXT#` follows a
/// letter.) If there are delimiters before it, the line may be a row of cells, which have no comments.
fn trailing_comment(line: &str) -> Option<usize> {
    let mut before = ' ';
    let (at, _) = line.char_indices().find(|(_, c)| {
        let begins = *c == '#' && before.is_whitespace();
        before = *c;
        begins
    })?;
    (!line[..at].contains([',', ';', '\t', '|'])).then_some(at)
}

/// Whether the record is the first line of Entra's templates and has nothing else: an account may follow the word.
fn is_template_version(cells: &[String]) -> bool {
    is_version(cells[0].trim_end_matches([',', ';', '\t', '|', ' '])) && is_blank(&cells[1..])
}

/// Whether the record is a separator line under a header.
fn is_separator(cells: &[String]) -> bool {
    let drawn: String = cells.iter().flat_map(|cell| cell.chars()).filter(|c| !c.is_whitespace()).collect();
    drawn.len() >= 3 && drawn.chars().all(|c| "-=_|+:*".contains(c))
}
