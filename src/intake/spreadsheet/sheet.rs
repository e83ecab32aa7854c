//! Reads the rows of one sheet, one by one, each cell as text.

use std::collections::{BTreeMap, VecDeque};

use quick_xml::events::BytesStart;
use serde::{Deserialize, Serialize};

use super::WorkbookError;
use super::number_format::{NumberStyle, number};
use super::rich_text::{RichText, unescape};
use super::workbook::SharedStrings;
use super::xml::{XmlNode, XmlReader, attribute, attribute_is_true, name};
use crate::intake::cell::trim;
use crate::intake::raw_row::{CellFault, RawRow};
use crate::intake::record_reader::{MAX_CELLS, MAX_RECORD};

/// The maximum number of rows in a sheet.
const MAX_ROWS: u64 = 1_048_576;
/// The maximum number of groups of hidden columns.
const MAX_RANGES: usize = 1_000;
/// The maximum number of cells without a value in ranges of formulas.
const MAX_VALUELESS: u64 = 100_000;

/// A row's cells that are not empty, each with its column.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SparseRow {
    /// The row number, from 1.
    pub(super) line: u64,
    pub(super) is_hidden: bool,
    pub(super) cells: Vec<(usize, String)>,
    pub(super) faults: Vec<CellFault>,
}

impl SparseRow {
    /// How many cells it has, including empty ones.
    pub(super) fn width(&self) -> usize {
        self.cells.iter().map(|(at, _)| at + 1).max().unwrap_or(0)
    }

    pub(super) fn length(&self) -> usize {
        self.cells.iter().map(|(_, text)| text.len()).sum()
    }

    pub(super) fn into_raw_row(self) -> RawRow {
        let mut cells = vec![String::new(); self.width()];
        let too_long = self.length() > MAX_RECORD;
        for (at, text) in self.cells {
            cells[at] = text;
        }
        let trouble = too_long.then(|| "longer than 1 MiB".to_owned());
        RawRow {
            line: self.line,
            cells,
            fault: trouble,
            is_truncated: too_long,
            cell_faults: self.faults,
            ..RawRow::default()
        }
    }
}

/// A range of cells that a formula should have filled, but that has no values.
struct ValuelessRange {
    rows: (u64, u64),
    columns: (usize, usize),
    why: String,
}

/// A sheet that is being read.
pub(super) struct SheetReader<'a> {
    xml: XmlReader<'a>,
    shared: &'a SharedStrings,
    /// Whether the list of rows has begun.
    has_begun: bool,
    /// Whether the reader is inside the list of rows.
    in_rows: bool,
    ended: bool,
    /// The hidden columns: the first and the last of each group.
    pub(super) hidden_columns: Vec<(usize, usize)>,
    last_line: u64,
    formula_ranges: Vec<ValuelessRange>,
    /// The number of cells in all ranges so far.
    valueless: u64,
    ready: VecDeque<SparseRow>,
}

impl<'a> SheetReader<'a> {
    pub(super) fn new(xml: XmlReader<'a>, shared: &'a SharedStrings) -> Self {
        Self {
            xml,
            shared,
            has_begun: false,
            in_rows: false,
            ended: false,
            hidden_columns: Vec::new(),
            last_line: 0,
            formula_ranges: Vec::new(),
            valueless: 0,
            ready: VecDeque::new(),
        }
    }

    /// The next row that is not empty.
    pub(super) fn next(&mut self) -> Result<Option<SparseRow>, WorkbookError> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            if self.ended {
                return Ok(None);
            }
            self.read_next_tag()?;
        }
    }

    /// Reads up to the end of a row, or of the part.
    fn read_next_tag(&mut self) -> Result<(), WorkbookError> {
        let tag = match self.xml.next()? {
            XmlNode::Open(tag) => tag,
            XmlNode::Text(_) => return Ok(()),
            XmlNode::Close => {
                // This closes the list of rows: the ends of tags in it were read with these.
                self.in_rows = false;
                return Ok(());
            }
            XmlNode::End => {
                self.ended = true;
                return self.fill_formula_ranges(MAX_ROWS + 1);
            }
        };
        let is_own = self.xml.is_main_namespace(&tag);
        match name(&tag) {
            "row" if self.in_rows && is_own => {
                let line = self.line(&tag)?;
                let is_hidden = attribute_is_true(&tag, "hidden")? || is_zero(&tag, "ht")?;
                self.fill_formula_ranges(line)?;
                self.read_row(line, is_hidden)
            }
            // A tag of another namespace, or a choice between two forms, which other programs may not show.
            _ if self.in_rows => {
                Err(WorkbookError::ambiguous(&format!("what follows row {} of a sheet", self.last_line)))
            }
            "worksheet" | "sheetData" | "row" if !is_own => Err(WorkbookError::ambiguous("a sheet")),
            "row" => Err(WorkbookError::ambiguous("a row outside the list of rows")),
            "worksheet" => Ok(()),
            "sheetData" => {
                if std::mem::replace(&mut self.has_begun, true) {
                    return Err(WorkbookError::Damaged("a sheet has two lists of rows".into()));
                }
                self.in_rows = true;
                Ok(())
            }
            "cols" if is_own => Ok(()),
            "col" if is_own => self.column(&tag),
            _ => self.xml.skip_unless_rows(),
        }
    }

    fn column(&mut self, tag: &BytesStart<'_>) -> Result<(), WorkbookError> {
        let number =
            |name| Ok::<_, WorkbookError>(attribute(tag, name)?.and_then(|n| n.trim().parse::<usize>().ok()));
        if let (Some(min), Some(max)) = (number("min")?, number("max")?)
            && (attribute_is_true(tag, "hidden")? || is_zero(tag, "width")?)
        {
            self.hidden_columns.push((min.saturating_sub(1), max.saturating_sub(1)));
        }
        if self.hidden_columns.len() > MAX_RANGES {
            return Err(WorkbookError::TooLarge("over 1,000 groups of hidden columns".into()));
        }
        Ok(())
    }

    /// The row's number; if it has none, the one after the previous row.
    fn line(&mut self, tag: &BytesStart<'_>) -> Result<u64, WorkbookError> {
        let given = attribute(tag, "r")?.filter(|given| !given.trim().is_empty());
        let line = match given {
            Some(given) => given
                .trim()
                .parse()
                .map_err(|_| WorkbookError::Damaged("a row number is not valid".into()))?,
            None => self.last_line + 1,
        };
        if line == 0 || line > MAX_ROWS {
            return Err(WorkbookError::Damaged("a row is beyond row 1,048,576".into()));
        }
        if line <= self.last_line {
            return Err(WorkbookError::Damaged(format!(
                "its rows are not in order, or row {line} occurs twice"
            )));
        }
        Ok(line)
    }

    fn read_row(&mut self, line: u64, is_hidden: bool) -> Result<(), WorkbookError> {
        let mut cells: BTreeMap<usize, (String, Option<String>)> = BTreeMap::new();
        let mut next_column = 0;
        let mut length = 0;
        loop {
            let tag = match self.xml.next()? {
                XmlNode::Open(tag) if !self.is_unambiguous(&tag) => {
                    return Err(WorkbookError::ambiguous(&format!("row {line} of a sheet")));
                }
                XmlNode::Open(tag) if name(&tag) == "c" => tag,
                XmlNode::Open(_) => {
                    self.xml.skip()?;
                    continue;
                }
                XmlNode::Text(_) => continue,
                XmlNode::Close | XmlNode::End => break,
            };
            let column = match attribute(&tag, "r")?.filter(|given| !given.trim().is_empty()) {
                Some(given) => column_in_line(given.trim(), line)
                    .ok_or_else(|| WorkbookError::Damaged(format!("a cell of row {line} has no position")))?,
                None => next_column,
            };
            if column >= MAX_CELLS {
                return Err(WorkbookError::Damaged("a cell is beyond column XFD".into()));
            }
            next_column = column + 1;
            let (mut text, fault) = self.cell(&tag, line, column)?;
            // Text after the maximum length is dropped.
            if length > MAX_RECORD {
                text = String::new();
            }
            length += text.len();
            if cells.contains_key(&column) {
                let place = address(line, column);
                return Err(WorkbookError::Damaged(format!("its cell {place} occurs twice")));
            }
            cells.insert(column, (text, fault));
        }
        // Cells that a formula in another cell should have filled.
        for area in self.formula_ranges.iter().filter(|area| area.rows.0 <= line && line <= area.rows.1) {
            for column in area.columns.0..=area.columns.1 {
                let (text, fault) = cells.entry(column).or_default();
                if trim(text).is_empty() {
                    *text = "=".to_owned();
                    *fault = Some(area.why.clone());
                }
            }
        }
        self.formula_ranges.retain(|area| area.rows.1 > line);
        self.last_line = line;
        let mut row = SparseRow { line, is_hidden, ..SparseRow::default() };
        for (column, (text, fault)) in cells {
            if let Some(why) = fault {
                row.faults.push(CellFault { column, why });
            }
            if !trim(&text).is_empty() {
                row.cells.push((column, text));
            }
        }
        if !row.cells.is_empty() {
            self.ready.push_back(row);
        }
        Ok(())
    }

    /// Adds the rows before `line` that are missing, but that a formula without values should have filled.
    fn fill_formula_ranges(&mut self, line: u64) -> Result<(), WorkbookError> {
        let first =
            self.formula_ranges.iter().map(|area| area.rows.0).min().unwrap_or(line).max(self.last_line + 1);
        let last = self.formula_ranges.iter().map(|area| area.rows.1).max().unwrap_or(0).min(line - 1);
        for missing in first..=last {
            let mut row = SparseRow { line: missing, ..SparseRow::default() };
            for area in
                self.formula_ranges.iter().filter(|area| area.rows.0 <= missing && missing <= area.rows.1)
            {
                for column in area.columns.0..=area.columns.1 {
                    row.cells.push((column, "=".to_owned()));
                    row.faults.push(CellFault { column, why: area.why.clone() });
                }
            }
            if !row.cells.is_empty() {
                self.ready.push_back(row);
            }
        }
        Ok(())
    }

    /// The cell's text, and why it can't be trusted.
    fn cell(
        &mut self,
        tag: &BytesStart<'_>,
        line: u64,
        column: usize,
    ) -> Result<(String, Option<String>), WorkbookError> {
        let kind = attribute(tag, "t")?.unwrap_or_default();
        let style = attribute(tag, "s")?
            .and_then(|s| s.trim().parse().ok())
            .map_or(NumberStyle::Number, |at| self.shared.style(at));
        let (mut value, mut inline, mut formula, mut area) = (None, None, None, None);
        let two_ways = || WorkbookError::ambiguous(&format!("cell {}", address(line, column)));
        loop {
            let tag = match self.xml.next()? {
                XmlNode::Open(tag) => tag,
                XmlNode::Text(_) => continue,
                XmlNode::Close | XmlNode::End => break,
            };
            let is_again = match name(&tag) {
                "v" => value.is_some(),
                "is" => inline.is_some(),
                "f" => formula.is_some(),
                _ => false,
            };
            if is_again || !self.is_unambiguous(&tag) {
                return Err(two_ways());
            }
            match name(&tag) {
                "v" => value = Some(self.text()?),
                "is" => inline = Some(unescape(&RichText::read(&mut self.xml)?).into_owned()),
                "f" => {
                    area = attribute(&tag, "ref")?
                        .filter(|_| matches!(attribute(&tag, "t"), Ok(Some(kind)) if kind != "shared"));
                    formula = Some(self.text()?);
                }
                _ => self.xml.skip()?,
            }
        }
        let (value, inline) = (value.unwrap_or_default(), inline.unwrap_or_default());
        if !trim(&value).is_empty() && !trim(&inline).is_empty() && value != inline {
            return Err(two_ways());
        }
        let place = || address(line, column);
        let text = match kind.as_str() {
            "s" if value.trim().is_empty() => inline,
            "s" => {
                let string = value.trim().parse().ok().and_then(|at| self.shared.string(at));
                let missing = || {
                    WorkbookError::Damaged(format!(
                        "its cell {} refers to a text that does not exist",
                        place()
                    ))
                };
                string.ok_or_else(missing)?.to_owned()
            }
            "b" if value.trim() == "1" => "TRUE".to_owned(),
            "b" if value.trim() == "0" => "FALSE".to_owned(),
            "inlineStr" if !inline.is_empty() => inline,
            "str" | "inlineStr" => unescape(&value).into_owned(),
            "e" | "d" => value.trim().to_owned(),
            _ if value.trim().is_empty() => inline,
            _ => number(&value, style, self.shared.from_1904),
        };
        let Some(formula) = formula else { return Ok((text, None)) };
        let shown = if formula.is_empty() {
            String::new()
        } else {
            format!(" ({})", super::quote(&format!("={formula}")))
        };
        if kind == "e" {
            let why =
                format!("the formula in cell {}{shown} returned the error {}", place(), super::quote(&text));
            return Ok((text, Some(why)));
        }
        if !trim(&text).is_empty() {
            return Ok((text, None));
        }
        let why = format!(
            "the formula in cell {}{shown} has no stored value: open the workbook in a spreadsheet program and \
             save it, or replace the formula with its value",
            place()
        );
        if let Some(((top, left), (bottom, right))) = area.as_deref().and_then(corners) {
            let (bottom, right) = (bottom.min(MAX_ROWS), right.min(MAX_CELLS - 1));
            let cells = (bottom + 1).saturating_sub(top) * (right as u64 + 1).saturating_sub(left as u64);
            self.valueless += cells;
            if self.valueless > MAX_VALUELESS {
                return Err(WorkbookError::TooLarge("formulas without values in over 100,000 cells".into()));
            }
            self.formula_ranges.push(ValuelessRange {
                rows: (top, bottom),
                columns: (left, right),
                why: why.clone(),
            });
        }
        // The cell must not be empty, so that its row is not lost, neither here nor when the rest is read again.
        Ok((format!("={formula}"), Some(why)))
    }

    /// Whether all programs read the tag in the same way.
    fn is_unambiguous(&self, tag: &BytesStart<'_>) -> bool {
        self.xml.is_main_namespace(tag) && name(tag) != "AlternateContent"
    }

    /// The text within the tag that was opened last.
    fn text(&mut self) -> Result<String, WorkbookError> {
        let mut text = String::new();
        loop {
            match self.xml.next()? {
                XmlNode::Text(piece) if text.len() <= MAX_RECORD => text.push_str(&piece),
                XmlNode::Text(_) => {}
                XmlNode::Open(_) => return Err(WorkbookError::ambiguous("a value with a tag in it")),
                XmlNode::Close | XmlNode::End => return Ok(text),
            }
        }
    }
}

fn is_zero(tag: &BytesStart<'_>, wanted: &str) -> Result<bool, WorkbookError> {
    Ok(attribute(tag, wanted)?
        .and_then(|size| size.trim().parse::<f64>().ok())
        .is_some_and(|size| size <= 0.0))
}

/// The column of a cell such as `B7` in this row. Some programs omit the row number.
fn column_in_line(cell: &str, line: u64) -> Option<usize> {
    let (column, digits) = column(cell)?;
    (digits.is_empty() || digits.parse() == Ok(line)).then_some(column)
}

/// The column, from 0, and the text after its letters.
fn column(cell: &str) -> Option<(usize, &str)> {
    let cell = cell.strip_prefix('$').unwrap_or(cell);
    let letters = cell.bytes().take_while(u8::is_ascii_alphabetic).count();
    let number = cell.get(..letters)?.bytes().try_fold(0_usize, |sum, b| {
        sum.checked_mul(26)?.checked_add(usize::from(b.to_ascii_uppercase() - b'A') + 1)
    })?;
    Some((number.checked_sub(1)?, cell.get(letters..)?.trim_start_matches('$')))
}

type CellRef = (u64, usize);

/// The corners of a range such as `A2:B9`.
fn corners(area: &str) -> Option<(CellRef, CellRef)> {
    let (from, to) = area.trim().split_once(':')?;
    let corner = |cell| column(cell).and_then(|(column, digits)| Some((digits.parse::<u64>().ok()?, column)));
    Some((corner(from)?, corner(to)?))
}

/// The cell's name, such as `B7`.
pub(super) fn address(line: u64, column: usize) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        letters.push(b'A' + ((rest - 1) % 26) as u8);
        rest = (rest - 1) / 26;
    }
    let letters: String = letters.iter().rev().map(|b| char::from(*b)).collect();
    format!("{letters}{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_their_names() {
        assert_eq!(column_in_line("B7", 7), Some(1));
        assert_eq!(column_in_line("xfd1048576", 1_048_576), Some(16_383));
        assert_eq!(
            (column_in_line("A", 3), column_in_line("B7", 8), column_in_line("7", 7)),
            (Some(0), None, None)
        );
        assert_eq!((address(7, 1), address(1, 16_383)), ("B7".to_owned(), "XFD1".to_owned()));
        assert_eq!(corners("$A$2:C9"), Some(((2, 0), (9, 2))));
    }
}
