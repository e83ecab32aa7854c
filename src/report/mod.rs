//! From the journal to the evidence: `report.csv`, `report.jsonl`, `report.html`, `summary.json`,
//! `remaining.csv` and `manifest.json`.
//!
//! Everything here is made from `run.json`, `plan.csv` and the journal alone, so that it can be made again at any
//! time, with the same bytes. One pass over the plan writes all files of rows; only a capped choice of rows is
//! kept in memory, for the page.

mod apps;
mod csv;
mod html;
mod jsonl;
mod manifest;
mod pass;
mod remaining;
mod row;
mod sample;
mod stream;
mod summary;
mod tenants;
#[cfg(test)]
mod tests;
mod text;
mod totals;
mod words;

use std::io;
use std::path::{Path, PathBuf};

pub use apps::AppShare;
pub use pass::for_each_row;
pub use row::{COLUMNS, ReportRow};
pub use stream::{RowStream, StreamFormat};
pub use summary::{Stopped, Summary, exit_code};
pub use tenants::{TenantNotes, TenantSummary};
pub use text::render as summary_text;
pub use totals::Totals;
pub use words::{meaning, next_step};

use crate::journal::{Ledger, RunFolder, RunRecord, write_private};
use crate::plan::PlanError;

/// A report can't be made. The run's evidence, plan and journal, is not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The plan can't be read back.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file of the run folder can't be read.
    #[error("can't read {path}: {source}; mend that, then make the reports again: the run's journal holds all they need", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A report can't be written.
    #[error("can't write {path}: {source}; make room or give access, then make the reports again: the run's journal holds all they need", path = path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// Why.
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

/// Takes the manifest away, since the journal is about to grow: however the process ends, none is left that speaks of
/// an earlier journal.
pub fn withdraw_manifest(folder: &RunFolder) -> Result<(), ReportError> {
    manifest::remove(folder)
}

/// Writes all reports of a run, the manifest last, and gives the summary. Call it when the journal is closed: the
/// manifest holds the journal's hash.
///
/// Each file is replaced whole. Fails where the plan or the journal can't be read or a file can't be written; a
/// manifest from an earlier time is then gone, so that none stands beside files it does not fit.
pub fn write(folder: &RunFolder, record: &RunRecord, ledger: &Ledger) -> Result<Summary, ReportError> {
    manifest::remove(folder)?;
    let pass = pass::write_rows(folder, record, ledger)?;
    let summary = Summary::new(record, ledger, &pass.totals, pass.by_tenant.as_ref());
    let path = folder.file(summary::NAME);
    write_private(&path, |out| summary.write(out)).map_err(ReportError::write(&path))?;
    let path = folder.file(html::NAME);
    write_private(&path, |out| html::write(out, record, &summary, &pass.sample))
        .map_err(ReportError::write(&path))?;
    manifest::write(folder, &record.id)?;
    Ok(summary)
}
