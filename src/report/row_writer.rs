//! The single pass over plan and journal that writes all row files.

use std::cell::RefCell;
use std::io::{self, Write};

use super::ReportError;
use super::csv::CsvRows;
use super::jsonl::JsonRows;
use super::remaining::RemainingFile;
use super::row::ReportRow;
use super::sample::ReportSample;
use super::tenants::{TenantNotes, TenantTotals};
use super::totals::Totals;
use crate::files::{ContentWriter, Dir};
use crate::journal::{JournalIndex, RunFolder, RunRecord};
use crate::outcome::{AcceptedOutcomes, OutcomeClass};
use crate::plan::PlanReader;

/// The row files.
const ROW_FILES: [&str; 3] = ["report.csv", "report.jsonl", "remaining.csv"];

/// What the row files need in addition to the rows.
pub(super) struct ReportLayout<'a> {
    /// The columns of the inputs.
    pub(super) columns: &'a [String],
    /// The number of inputs.
    pub(super) inputs: usize,
    /// The number of rows from selections.
    pub(super) selected: u64,
    /// The outcomes that count as done.
    pub(super) accepted: &'a AcceptedOutcomes,
    /// Whether there are several tenants.
    pub(super) by_tenant: bool,
}

impl<'a> ReportLayout<'a> {
    /// The layout for one run.
    pub(super) fn from_record(record: &'a RunRecord) -> ReportLayout<'a> {
        ReportLayout {
            columns: &record.columns,
            inputs: record.inputs.len(),
            selected: record.plan.selected,
            accepted: &record.settings.accept,
            by_tenant: !record.tenants.is_empty(),
        }
    }
}

/// A function that gets each row.
pub(super) type RowVisitor<'a> = &'a mut dyn FnMut(&ReportRow<'_>) -> Result<(), ReportError>;

/// The results of the pass, in addition to the files.
pub(super) struct RowStats {
    pub(super) totals: Totals,
    /// The same for each tenant, if there are several.
    pub(super) by_tenant: Option<TenantTotals>,
    pub(super) sample: ReportSample,
}

/// Visits all rows of a run once, in the order of the input.
///
/// # Errors
/// When the plan was changed, the journal can't be read, or `visit` fails.
pub fn for_each_row<E: From<ReportError>>(
    folder: &RunFolder,
    record: &RunRecord,
    journal: &JournalIndex,
    mut visit: impl FnMut(&ReportRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let case_id = record.case_id.as_deref();
    let notes = TenantNotes::new(record, journal);
    let only_app = single_app(record, journal);
    let plan = PlanReader::open(folder.dir(), &record.plan.sha256).map_err(ReportError::Plan)?;
    for row in plan {
        let row = row.map_err(ReportError::Plan)?;
        match row.order() {
            Some(order) => {
                let state = journal.target_state(order).map_err(ReportError::read(&folder.journal_path()))?;
                let row = ReportRow::from_target(&row, &state, case_id).with_default_app(only_app);
                visit(&notes.fill_tenant(row))?;
            }
            None => visit(&notes.fill_tenant(ReportRow::from_plan_row(&row, case_id)))?,
        }
    }
    Ok(())
}

/// The only app of a run whose journal does not name it, as in older versions: the app that started the run, if no
/// other process resumed it.
pub(super) fn single_app<'a>(record: &'a RunRecord, journal: &JournalIndex) -> Option<&'a str> {
    let by_one = matches!(&journal.processes[..], [only] if only.apps.is_empty());
    record.operator.app_id.as_deref().filter(|_| by_one)
}

/// Writes `report.csv`, `report.jsonl` and `remaining.csv` with the rows that `rows` visits.
pub(super) fn write_rows(
    folder: &Dir,
    layout: &ReportLayout<'_>,
    rows: impl FnOnce(RowVisitor<'_>) -> Result<(), ReportError>,
) -> Result<RowStats, ReportError> {
    let [csv_name, json_name, remaining_name] = ROW_FILES;
    let first_error = FirstWriteError { folder, first: RefCell::default() };
    let mut stats = None;
    let written = first_error.replace_file(csv_name, |csv| {
        first_error.replace_file(json_name, |json| {
            first_error.replace_file(remaining_name, |remaining| {
                let files = ReportFiles { csv, json, remaining };
                stats = Some(
                    write_files(folder, layout, rows, files)
                        .map_err(|error| first_error.record_first(error))?,
                );
                Ok(())
            })
        })
    });
    match (first_error.first.into_inner(), written, stats) {
        (Some(error), _, _) => Err(error),
        (None, Ok(()), Some(stats)) => Ok(stats),
        (None, written, _) => Err(ReportError::write(&folder.file(csv_name))(
            written.err().unwrap_or_else(|| io::Error::other("nothing was written")),
        )),
    }
}

/// The files being written.
struct ReportFiles<'a> {
    csv: &'a mut dyn Write,
    json: &'a mut dyn Write,
    remaining: &'a mut dyn Write,
}

fn write_files(
    folder: &Dir,
    layout: &ReportLayout<'_>,
    rows: impl FnOnce(RowVisitor<'_>) -> Result<(), ReportError>,
    files: ReportFiles<'_>,
) -> Result<RowStats, ReportError> {
    let [csv_path, json_path, remaining_path] = &ROW_FILES.map(|name| folder.file(name));
    let columns = layout.columns;
    let mut csv = CsvRows::new(files.csv, columns).map_err(ReportError::write(csv_path))?;
    let mut json = JsonRows::new(files.json, columns);
    let mut remaining = RemainingFile::new(files.remaining, layout.inputs, layout.selected, columns)
        .map_err(ReportError::write(remaining_path))?;
    let mut stats = RowStats {
        totals: Totals::new(layout.accepted),
        by_tenant: layout.by_tenant.then(|| TenantTotals::new(layout.accepted)),
        sample: ReportSample::default(),
    };
    rows(&mut |row| {
        csv.write(row).map_err(ReportError::write(csv_path))?;
        json.write(row).map_err(ReportError::write(json_path))?;
        let class = stats.totals.add(row);
        if let Some(by_tenant) = &mut stats.by_tenant {
            by_tenant.add(row);
        }
        if class == OutcomeClass::NotDone {
            remaining.write(row).map_err(ReportError::write(remaining_path))?;
        }
        stats.sample.add(row, class);
        Ok(())
    })?;
    csv.flush().map_err(ReportError::write(csv_path))?;
    json.flush().map_err(ReportError::write(json_path))?;
    remaining.flush().map_err(ReportError::write(remaining_path))?;
    Ok(stats)
}

/// The first error while several files were open, with its file.
struct FirstWriteError<'a> {
    folder: &'a Dir,
    first: RefCell<Option<ReportError>>,
}

impl FirstWriteError<'_> {
    fn replace_file(&self, name: &str, fill: impl ContentWriter) -> io::Result<()> {
        let written = self.folder.replace_unsynced(name, fill);
        written.map_err(|error| self.record_first(ReportError::write(&self.folder.file(name))(error)))
    }

    /// Stores the first error. Returns a placeholder that only says that there is one.
    fn record_first(&self, error: ReportError) -> io::Error {
        self.first.borrow_mut().get_or_insert(error);
        io::Error::other("another file of the report failed")
    }
}
