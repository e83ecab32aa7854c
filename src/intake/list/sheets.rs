//! Lists as workbooks: every sheet, hidden or not, with its hidden rows and columns.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{DataRef, Reader, SheetType, Xlsx};

use super::super::digest::Hashing;
use super::super::error::IntakeError;
use super::super::spreadsheet::{as_text, broken, check, copy};
use super::{List, ListError, Record, Table};
use crate::user_id::trim;

/// The most cells that are held.
const MOST_CELLS: usize = 2_000_000;

/// Reads the workbook that begins with `head`.
pub(super) fn read(name: &str, head: &[u8], raw: &mut Hashing) -> Result<List, ListError> {
    let mut file = copy(name, head, raw)?;
    check(name, &mut file)?;
    let read = catch_unwind(AssertUnwindSafe(|| tables(name, file)));
    let tables = read.unwrap_or_else(|_| Err(broken(name, &"it is damaged").into()))?;
    if tables.is_empty() {
        return Err(IntakeError::NoRows { name: name.to_owned(), what: "its sheets are empty" }.into());
    }
    Ok(List { tables, comments: Vec::new() })
}

fn tables(name: &str, file: std::fs::File) -> Result<Vec<Table>, ListError> {
    let mut book = Xlsx::new(BufReader::new(file)).map_err(|error| broken(name, &error))?;
    let mut tables = Vec::new();
    let mut cells = 0;
    for sheet in book.sheets_metadata().to_vec() {
        match sheet.typ {
            SheetType::WorkSheet => {}
            SheetType::ChartSheet => continue,
            _ => {
                let reason = format!("sheet {}: it is no sheet of cells", sheet.name);
                return Err(ListError::Line { line: 1, reason });
            }
        }
        let mut rows: BTreeMap<u32, Vec<(u32, String)>> = BTreeMap::new();
        let mut reader = book.worksheet_cells_reader(&sheet.name).map_err(|error| broken(name, &error))?;
        while let Some(cell) =
            reader.next_cell_with_formula_metadata().map_err(|error| broken(name, &error))?
        {
            let (row, column) = cell.pos;
            let text = as_text(&cell.value);
            let stop = |what: &str| {
                let line = u64::from(row) + 1;
                let reason = format!("sheet {}: the cell in column {} {what}", sheet.name, column + 1);
                Err(ListError::Line { line, reason })
            };
            if matches!(cell.value, DataRef::Error(_)) {
                return stop("holds an error in place of a value");
            }
            if trim(&text).is_empty() {
                match cell.formula {
                    Some(_) => {
                        return stop(
                            "holds a formula without a value: open the file in Excel, and save it again",
                        );
                    }
                    None => continue,
                }
            }
            cells += 1;
            if cells > MOST_CELLS {
                let what = "over 2 million cells".to_owned();
                return Err(IntakeError::TooLarge { name: name.to_owned(), what }.into());
            }
            rows.entry(row).or_default().push((column, text));
        }
        let records: Vec<Record> = rows.into_iter().map(|(row, cells)| record(row, cells)).collect();
        if !records.is_empty() {
            tables.push(Table { sheet: Some(sheet.name), records });
        }
    }
    Ok(tables)
}

/// Cells that are said to be in one place, or beyond the last column, stand behind the others: none is lost.
fn record(row: u32, cells: Vec<(u32, String)>) -> Record {
    let limit = super::super::records::MAX_CELLS;
    let width =
        cells.iter().map(|(at, _)| *at as usize + 1).filter(|width| *width <= limit).max().unwrap_or(0);
    let mut placed = vec![String::new(); width];
    let mut further = Vec::new();
    for (at, text) in cells {
        match placed.get_mut(at as usize).filter(|cell| cell.is_empty()) {
            Some(cell) => *cell = text,
            None => further.push(text),
        }
    }
    placed.append(&mut further);
    Record { line: u64::from(row) + 1, cells: placed, names: None }
}
