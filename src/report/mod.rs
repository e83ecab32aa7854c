//! From the journal to the evidence: `report.csv`, `report.jsonl`, `report.html`, `summary.json`, `remaining.csv` and
//! `manifest.json`.
//!
//! Everything here is made from `run.json`, `plan.csv` and the journal alone, so it can be made again at any time, with
//! the same bytes. One pass over the plan writes all row files. Only a limited sample of the rows is kept in memory,
//! for the page.

mod apps;
mod csv;
mod html;
mod integrity;
mod jsonl;
mod manifest;
pub mod merge;
mod outcome_text;
mod remaining;
mod row;
mod row_writer;
mod sample;
mod stream;
mod summary;
mod tenants;
#[cfg(test)]
mod tests;
mod text;
mod totals;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use apps::AppReport;
pub use integrity::{RunIntegrity, was_drill};
pub use manifest::{ManifestError, check as check_manifest};
pub use outcome_text::{meaning, next_step};
pub use row::{COLUMNS, ReportRow};
pub use row_writer::for_each_row;
pub use stream::{RowStream, StreamFormat};
pub use summary::{StopRecord, Summary, exit_code};
pub use tenants::{TenantNotes, TenantSummary};
pub use text::render as summary_text;
pub use totals::Totals;

use crate::files::Dir;
use crate::journal::{FolderError, JournalIndex, RunFolder, RunRecord};
use crate::plan::PlanError;

/// A report can't be made. This does not affect the run's evidence, which is its plan and journal.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The plan can't be read back.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file of the run folder can't be read.
    #[error("can't read {path}: {source}; fix this and run `entra-revoke report DIR`: nothing is \
         lost", path = path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// Two folders to be merged have the same row.
    #[error(
        "line {line} of the input is in {one} and in {other}: the runs did not split the same rows. They must \
         have the same --column, --skip-rows, --max-rows, --sheet and the like",
        line = crate::text::sanitize::sanitize_truncated(line, 80),
        one = one.display(), other = other.display()
    )]
    Overlap {
        /// The row's line.
        line: String,
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// The reports can't be synced to disk.
    #[error("{0}; fix this and run `entra-revoke report DIR`: nothing is lost")]
    Sync(#[from] FolderError),
    /// A report can't be written.
    #[error("can't write {path}: {source}; free up space or fix the permissions, then run `entra-revoke report \
         DIR`: nothing is lost", path = path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl ReportError {
    fn read(path: &Path) -> impl FnOnce(io::Error) -> ReportError + '_ {
        move |source| ReportError::Read { path: path.to_owned(), source }
    }

    fn write(path: &Path) -> impl FnOnce(io::Error) -> ReportError + '_ {
        move |source| ReportError::Write { path: path.to_owned(), source }
    }
}

/// Removes the manifest, because the journal is about to grow. However the process ends, no manifest of an earlier
/// journal is left. A manifest that does not match the files is kept under another name.
pub fn remove_manifest(folder: &RunFolder, integrity: &RunIntegrity) -> Result<(), ReportError> {
    integrity.retire_manifest(folder.dir(), true)
}

/// Writes all reports of a run, the manifest last, and returns the summary. The journal must be closed, because the
/// manifest has its hash.
///
/// Each file is replaced as a whole, and all are synced before the manifest is written, so a manifest never covers a
/// file that a power failure may have lost. Before that, an existing manifest is compared with the files. Changes are
/// reported in the summary and on the page, and that manifest is kept under another name.
///
/// # Errors
/// When the plan or the journal can't be read, or a file can't be written. An earlier manifest is then gone, so that
/// none remains next to files that it does not match.
pub fn write(folder: &RunFolder, record: &RunRecord, journal: &JournalIndex) -> Result<Summary, ReportError> {
    write_with_findings(folder, record, journal, &[])
}

/// The same, with further findings against the run's files.
pub fn write_with_findings(
    folder: &RunFolder,
    record: &RunRecord,
    journal: &JournalIndex,
    found: &[String],
) -> Result<Summary, ReportError> {
    let mut seal = RunIntegrity::check(folder, record).with_journal(record, journal);
    seal.findings.extend_from_slice(found);
    seal.retire_manifest(folder.dir(), false)?;
    let rows = |visit: row_writer::RowVisitor<'_>| for_each_row(folder, record, journal, visit);
    let pass = row_writer::write_rows(folder.dir(), &row_writer::ReportLayout::from_record(record), rows)?;
    let mut summary = Summary::new(record, journal, &pass.totals, pass.by_tenant.as_ref());
    summary.altered.clone_from(&seal.findings);
    write_pages(folder.dir(), &summary, &pass.sample)?;
    manifest::write(folder.dir(), &record.id, &manifest::RUN_FILES, &seal.findings)?;
    Ok(summary)
}

/// Writes `summary.json` and `report.html`.
fn write_pages(folder: &Dir, summary: &Summary, sample: &sample::ReportSample) -> Result<(), ReportError> {
    let put = |name: &str, fill: &dyn Fn(&mut dyn Write) -> io::Result<()>| {
        folder.replace_unsynced(name, fill).map_err(ReportError::write(&folder.file(name)))
    };
    put(summary::NAME, &|out| summary.write(out))?;
    put(html::NAME, &|out| html::write(out, summary, sample))
}
