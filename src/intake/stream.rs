//! All sources as one stream of rows.

use std::collections::HashMap;

use super::error::IntakeError;
use super::filter::Filters;
use super::input_digest::InputDigest;
use super::layout::{Layout, no_such_column};
use super::omission::Omissions;
use super::row_builder::RowBuilder;
use super::source_reader::{self, SourceReader};
use super::{InputRow, InputSource, IntakeOptions, SheetChoice, SheetSummary, SourceKind};

/// Opens the sources and decides how to read each. It returns no row yet, and reads only the first MiB of a text.
///
/// # Errors
/// If a source can't be opened, is neither text nor a workbook, is empty, or has no column of user IDs; if an option
/// names a column or sheet that does not exist; if standard input is named twice.
pub fn open(sources: &[InputSource], options: &IntakeOptions) -> Result<Intake, IntakeError> {
    if sources.is_empty() {
        return Err(IntakeError::NoSources);
    }
    if sources.iter().filter(|source| matches!(source, InputSource::Stdin)).count() > 1 {
        return Err(IntakeError::StdinTwice);
    }
    let mut opened = Vec::new();
    for source in sources {
        opened.extend(source_reader::open(source, options)?);
    }
    Intake::new(opened, options)
}

/// The rows of all sources, one after another, in the order of the sources.
///
/// Its memory is bounded for all sources. An `Err` ends the stream; the rows before it must not be used, because others
/// are missing.
pub struct Intake {
    sources: Vec<SourceReader>,
    builders: Vec<RowBuilder>,
    filters: Filters,
    columns: Vec<String>,
    id_columns: Vec<Option<String>>,
    /// For each source, how it is read, in words.
    decisions: Vec<String>,
    /// For each source, the parts that were not read so far.
    omissions: Vec<Omissions>,
    sheets: Vec<SheetSummary>,
    skip: u64,
    max: u64,
    /// Rows found so far in all sources.
    rows_read: u64,
    /// Rows found so far in the current source.
    rows_read_here: u64,
    current: usize,
    has_ended: bool,
}

impl Intake {
    pub(super) fn new(
        opened: Vec<(SourceReader, Layout)>,
        options: &IntakeOptions,
    ) -> Result<Self, IntakeError> {
        if opened.iter().all(|(source, _)| source.kind != SourceKind::Xlsx) {
            if matches!(options.sheets, SheetChoice::Named(_)) {
                return Err(IntakeError::WithoutWorkbook { flag: "--sheet" });
            }
            if options.visible_only {
                return Err(IntakeError::WithoutWorkbook { flag: "--visible-only" });
            }
        }
        if let [(first, _), ..] = &opened[..]
            && opened.iter().all(|(_, layout)| layout.is_list)
        {
            let requested = [
                ("--column", options.column.as_ref().filter(|column| *column != "1")),
                ("--priority-column", options.priority_column.as_ref()),
                (
                    "--tenant-column",
                    options.tenant_column.as_ref().filter(|column| *column != super::NO_TENANT_COLUMN),
                ),
            ];
            if let Some((flag, Some(column))) = requested.into_iter().find(|(_, column)| column.is_some()) {
                return Err(no_such_column(&first.name, flag, column, &[]));
            }
        }
        let (columns, places) = merge_columns(opened.iter().map(|(_, layout)| &layout.columns[..]));
        let filters = Filters::bind(&options.filters, &columns)?;
        let decisions = opened.iter().map(|(_, layout)| layout.notes.join("; ")).collect();
        let id_columns =
            opened.iter().map(|(_, layout)| layout.columns.get(layout.roles.id).cloned()).collect();
        let width = columns.len();
        let sheets = opened.iter().flat_map(|(source, _)| source.sheets.clone()).collect();
        let mut sources = Vec::new();
        let mut makers = Vec::new();
        let mut omissions = Vec::new();
        for (source, ((opened, mut layout), places)) in opened.into_iter().zip(places).enumerate() {
            sources.push(opened);
            omissions.push(std::mem::take(&mut layout.omissions));
            makers.push(RowBuilder { source, layout, column_map: places, width });
        }
        Ok(Self {
            sources,
            builders: makers,
            filters,
            columns,
            id_columns,
            decisions,
            omissions,
            sheets,
            skip: options.skip_rows,
            max: options.max_rows.unwrap_or(u64::MAX),
            rows_read: 0,
            rows_read_here: 0,
            current: 0,
            has_ended: false,
        })
    }

    /// The columns of all sources, each name once (ignoring case), in the order of first appearance. Plain lists have
    /// none.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// For each source, the name of its column of IDs; none for a plain list.
    pub fn id_columns(&self) -> &[Option<String>] {
        &self.id_columns
    }

    /// For each source, how it is read and which parts were not read so far, in words that are safe to show on a
    /// terminal. They are complete only after the last row.
    pub fn notices(&self) -> Vec<String> {
        let each = self.decisions.iter().zip(&self.omissions).zip(&self.sources);
        let each = each.flat_map(|((decision, omissions), source)| {
            let notes = omissions.notes(&source.name).into_iter().chain(source.note());
            std::iter::once(decision.clone()).chain(notes)
        });
        each.collect()
    }

    /// For each source, the parts that were not read so far. They are complete only after the last row.
    pub fn omissions(&self) -> &[Omissions] {
        &self.omissions
    }

    /// Whether a source names its users by mail addresses, which may not be their user principal names.
    pub fn ids_are_mail(&self) -> bool {
        self.builders.iter().any(|maker| maker.layout.roles.id_is_mail)
    }

    /// The name of the column of tenants in the first source that has one.
    pub fn tenant_column(&self) -> Option<&str> {
        let layouts = self.builders.iter().map(|maker| &maker.layout);
        layouts.filter_map(|layout| layout.columns.get(layout.roles.tenant?)).next().map(String::as_str)
    }

    /// The sheets of all workbooks, including those that are not read. If sheets were named, only those.
    pub fn sheets(&self) -> &[SheetSummary] {
        &self.sheets
    }

    /// The names of all sources, in order.
    pub fn source_names(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name.clone()).collect()
    }

    /// Reads the rest of each source (for example, after `max_rows`), and returns their digests, in order.
    ///
    /// # Errors
    /// If reading fails.
    pub fn finish(self) -> Result<Vec<InputDigest>, IntakeError> {
        self.sources.into_iter().map(SourceReader::finish).collect()
    }

    fn advance(&mut self) -> Result<Option<InputRow>, IntakeError> {
        while let Some(source) = self.sources.get_mut(self.current) {
            if self.rows_read.saturating_sub(self.skip) >= self.max {
                return Ok(None);
            }
            let Some(entry) = source.next(&mut self.omissions[self.current])? else {
                if self.rows_read_here == 0 {
                    let name = source.name.clone();
                    return Err(IntakeError::NoRows { name, what: "nothing follows its header or comments" });
                }
                self.current += 1;
                self.rows_read_here = 0;
                continue;
            };
            if self.builders[self.current].skip_header(
                &source.name,
                &entry,
                &mut self.omissions[self.current],
            )? {
                continue;
            }
            if let Some(row) =
                self.builders[self.current].build(entry, &self.filters, &mut self.omissions[self.current])
            {
                self.rows_read += 1;
                self.rows_read_here += 1;
                if self.rows_read > self.skip {
                    return Ok(Some(row));
                }
            }
        }
        if self.skip > 0 && self.rows_read <= self.skip {
            return Err(IntakeError::AllSkipped { rows: self.rows_read, skip: self.skip });
        }
        Ok(None)
    }
}

impl Iterator for Intake {
    type Item = Result<InputRow, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let next = self.advance().transpose();
        self.has_ended = !matches!(next, Some(Ok(_)));
        next
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("notices", &self.notices()).finish_non_exhaustive()
    }
}

/// Merges the columns of all sources. The second value is, for each source, the indices of its columns in the result.
fn merge_columns<'a>(sources: impl Iterator<Item = &'a [String]>) -> (Vec<String>, Vec<Vec<usize>>) {
    let mut columns = Vec::new();
    let mut known = HashMap::new();
    let places = sources
        .map(|names| {
            let place = |name: &String| {
                *known.entry(name.to_lowercase()).or_insert_with(|| {
                    columns.push(name.clone());
                    columns.len() - 1
                })
            };
            names.iter().map(place).collect()
        })
        .collect();
    (columns, places)
}
