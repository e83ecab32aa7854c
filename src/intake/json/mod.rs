//! JSON: a list of strings or objects, an object around such a list, or such values one after another.
//!
//! ```text
//! text ──▶ tracker ──▶ document ──▶ record ──▶ table ──▶ rows
//!          lines,      values, one  keys and   union of  in a second
//!          bounds      at a time    cells      the keys  pass
//! ```
//!
//! The keys of objects are the columns, with the same rules as for the header of a CSV. The text is read to its end
//! before the first row is returned: a text that is truncated, malformed, or says that it is one page of several is
//! refused completely.

mod document;
mod flatten;
mod line_tracker;
mod table;
#[cfg(test)]
mod tests;

use std::io::BufReader;

use self::document::JsonFault;
use self::line_tracker::{LineTracker, TrackedReader};
use self::table::{JsonTable, TableShape};
use super::column_roles::find_column;
use super::encoding::DecodedText;
use super::error::IntakeError;
use super::layout::{Layout, decide_json_layout, no_such_column};
use super::{IntakeOptions, NO_TENANT_COLUMN};

pub(super) use self::table::JsonRows;

/// The name of the only column if the records are strings, which have no keys.
const TEXT_COLUMN: &str = "column 1";

/// Whether the decoded text begins like JSON: with a list or an object that is empty or begins with a double quote, a
/// list or an object. A GUID in braces and a name in square brackets do not.
pub(super) fn looks_like_json(text: &[u8]) -> bool {
    let space = |byte: &&u8| byte.is_ascii_whitespace();
    let mut bytes = text.iter().skip_while(|byte| byte.is_ascii_whitespace());
    let first = bytes.next();
    let next = bytes.find(|byte| !space(byte));
    match (first, next) {
        (Some(b'{'), Some(b'"' | b'}')) | (Some(b'['), Some(b'"' | b'{' | b'[' | b']')) => true,
        // Only an opening bracket: the text is truncated.
        (Some(b'{' | b'['), None) => true,
        _ => false,
    }
}

/// Reads all of the text, and decides how to read its records.
pub(super) fn open(
    name: &str,
    text: DecodedText,
    options: &IntakeOptions,
) -> Result<(JsonRows, Layout, DecodedText), IntakeError> {
    let mut table = JsonTable::new();
    let place = LineTracker::new();
    let mut text = BufReader::with_capacity(32 * 1024, text);
    document::read(TrackedReader::new(&mut text, &place), &place, &mut table)
        .map_err(|JsonFault { line, what }| IntakeError::Json { name: name.to_owned(), line, what })?;
    if table.count() == 0 {
        return Err(IntakeError::NoRows { name: name.to_owned(), what: "the list in it is empty" });
    }
    let mut layout = match table.shape() {
        Some(TableShape::Objects) => {
            decide_json_layout(name, &table.take_first_rows(), options).map_err(IntakeError::without_line)?
        }
        _ => text_list_layout(name, options)?,
    };
    // The header is not a record.
    layout.rows_before = 0;
    let rows = table.into_rows().map_err(|error| IntakeError::Read { name: name.to_owned(), error })?;
    Ok((rows, layout, text.into_inner()))
}

/// The layout of records that are strings: one column.
fn text_list_layout(name: &str, options: &IntakeOptions) -> Result<Layout, IntakeError> {
    let columns = vec![TEXT_COLUMN.to_owned()];
    let asked = [
        ("--column", options.column.as_ref().filter(|column| *column != "1")),
        ("--priority-column", options.priority_column.as_ref()),
        ("--tenant-column", options.tenant_column.as_ref().filter(|column| *column != NO_TENANT_COLUMN)),
    ];
    for (flag, column) in asked {
        if let Some(column) = column
            && find_column(&columns, column).is_none()
        {
            return Err(no_such_column(name, flag, column, &[]));
        }
    }
    let notes = vec!["a list of strings, each a user ID".to_owned()];
    Ok(Layout { columns, notes, ..Layout::default() })
}
