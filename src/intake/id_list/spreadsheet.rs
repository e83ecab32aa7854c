//! Lists as workbooks: every sheet, including hidden ones, with its hidden rows and columns.

use super::super::error::IntakeError;
use super::super::input_digest::HashingReader;
use super::super::spreadsheet;
use super::{IdList, ListError, ListRow, ListTable};
use crate::user_id::trim;

/// Reads the workbook that begins with `head`.
pub(super) fn read(name: &str, head: &[u8], raw: &mut HashingReader) -> Result<IdList, ListError> {
    let mut tables = Vec::new();
    for (sheet, entries) in spreadsheet::read_all(name, head, raw)? {
        let mut records = Vec::new();
        for entry in entries {
            let stop = |reason: String| {
                Err(ListError::Line { line: entry.line, reason: format!("of a sheet: {reason}") })
            };
            if let Some(trouble) = entry.fault {
                return stop(trouble);
            }
            if let Some(fault) = entry.cell_faults.first() {
                return stop(fault.why.clone());
            }
            if entry.cells.iter().any(|cell| !trim(cell).is_empty()) {
                records.push(ListRow { line: entry.line, cells: entry.cells, names: None });
            }
        }
        if !records.is_empty() {
            tables.push(ListTable { sheet: Some(sheet), records });
        }
    }
    if tables.is_empty() {
        return Err(IntakeError::NoRows { name: name.to_owned(), what: "its sheets are empty" }.into());
    }
    Ok(IdList { tables, comments: Vec::new() })
}
