//! `plan.csv`: every row of the input once, in the input's order, with its place in the sending order or the
//! reason why it is left out, and the input's own columns behind.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::SpooledTempFile;

use super::GuardError;
use crate::digest::{Hashing, sha256_of};
use crate::directory::DirectoryError;
use crate::event::Order;
use crate::intake::{IntakeError, Row};
use crate::outcome::Outcome;

/// The plan's columns before the input's own.
const COLUMNS: [&str; 8] =
    ["order", "line", "input", "user_id", "left_out", "detail", "external", "priority"];

/// No plan can be made, or a plan can't be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The input can't be read.
    #[error(transparent)]
    Intake(Box<IntakeError>),
    /// Somebody may be protected, and nobody can tell.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The directory can't be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The plan, or the temporary file behind it, can't be written.
    #[error("can't write {what}: {source}")]
    Write {
        /// Which file.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A plan can't be read back.
    #[error("can't read {path}: {reason}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl PlanError {
    pub(super) fn spool(error: csv::Error) -> PlanError {
        PlanError::Write { what: "a temporary file".to_owned(), source: error.into() }
    }

    pub(super) fn write(path: &Path, source: io::Error) -> PlanError {
        PlanError::Write { what: path.display().to_string(), source }
    }
}

/// Why a row is never sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// `protected`, `excluded`, `duplicate` or `invalid`.
    pub outcome: Outcome,
    /// In words.
    pub detail: String,
}

impl LeftOut {
    pub(super) fn new(outcome: Outcome, detail: String) -> LeftOut {
        LeftOut { outcome, detail }
    }
}

/// One row of the input, as the plan holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Its place in the sending order, from 1; none for a row that is left out. While the plan is drafted, the
    /// index of its target.
    pub index: Option<u32>,
    /// Its line, with the file's name before it where there are several.
    pub line: String,
    /// The id cell, as it stood in the input.
    pub input: String,
    /// The user id in its canonical spelling; empty where there is none.
    pub user_id: String,
    /// Why it is left out.
    pub left_out: Option<LeftOut>,
    /// Whether the user's home is another tenant, where that is known.
    pub external: Option<bool>,
    /// The priority cell.
    pub priority: String,
    /// The input's own cells.
    pub cells: Vec<String>,
}

impl PlanRow {
    pub(super) fn from_row(row: &Row, line: &str) -> PlanRow {
        PlanRow {
            line: line.to_owned(),
            input: row.id.clone(),
            cells: row.cells.clone(),
            ..PlanRow::default()
        }
    }

    /// Its place in the sending order; none where it is not sent.
    pub fn order(&self) -> Option<Order> {
        self.index
    }

    pub(super) fn write<W: Write>(&self, out: &mut csv::Writer<W>) -> csv::Result<()> {
        let index = self.index.map(|index| index.to_string()).unwrap_or_default();
        let word = self.left_out.as_ref().map_or("", |left_out| left_out.outcome.word());
        let detail = self.left_out.as_ref().map_or("", |left_out| &left_out.detail);
        let external = self.external.map_or("", |external| if external { "true" } else { "false" });
        for cell in [&index, &self.line, &self.input, &self.user_id, word, detail, external, &self.priority] {
            out.write_field(cell)?;
        }
        out.write_record(&self.cells)
    }

    fn parse(record: &csv::StringRecord) -> Option<PlanRow> {
        let text = |at: usize| record.get(at).map(str::to_owned);
        let left_out = match record.get(4)? {
            "" => None,
            word => Some(LeftOut { outcome: word.parse().ok()?, detail: text(5)? }),
        };
        let index = match record.get(0)? {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        let external = match record.get(6)? {
            "" => None,
            word => Some(word.parse().ok()?),
        };
        // A row is either sent or left out, and never both.
        (index.is_some() != left_out.is_some()).then_some(())?;
        Some(PlanRow {
            index,
            line: text(1)?,
            input: text(2)?,
            user_id: text(3)?,
            left_out,
            external,
            priority: text(7)?,
            cells: record.iter().skip(COLUMNS.len()).map(str::to_owned).collect(),
        })
    }
}

/// Copies the spool to `out` with targets' indexes turned into places, syncs it, and gives its SHA-256 in hex.
pub(super) fn write_plan(
    spool: csv::Writer<SpooledTempFile>,
    columns: &[String],
    place_of: &[Order],
    out: File,
    path: &Path,
) -> Result<String, PlanError> {
    let fail = |source| PlanError::write(path, source);
    let mut out = Hashing::new(BufWriter::with_capacity(1 << 16, out));
    print_plan(spool, columns, place_of, &mut out).map_err(|error| match error {
        PlanError::Write { source, .. } => fail(source),
        other => other,
    })?;
    let (inner, sha256) = out.finish();
    inner.into_inner().map_err(|error| fail(error.into_error()))?.sync_all().map_err(fail)?;
    Ok(sha256)
}

/// Copies the spool to `out` with targets' indexes turned into places.
pub(super) fn print_plan(
    spool: csv::Writer<SpooledTempFile>,
    columns: &[String],
    place_of: &[Order],
    out: &mut dyn Write,
) -> Result<(), PlanError> {
    let failed = |source| PlanError::Write { what: "the plan".to_owned(), source };
    let mut out = csv::Writer::from_writer(out);
    out.write_record(header(columns)).map_err(|error| failed(error.into()))?;
    for_each_row(spool, place_of, &mut |row| Ok(row.write(&mut out)?))?;
    out.flush().map_err(failed)
}

/// The plan's header: its own columns, then the inputs'.
pub(super) fn header(columns: &[String]) -> impl Iterator<Item = &str> {
    COLUMNS.iter().copied().chain(columns.iter().map(String::as_str))
}

/// Gives the spool's rows with targets' indexes turned into places.
pub(super) fn for_each_row(
    spool: csv::Writer<SpooledTempFile>,
    place_of: &[Order],
    visit: &mut dyn FnMut(&PlanRow) -> io::Result<()>,
) -> Result<(), PlanError> {
    let failed = |source| PlanError::Write { what: "the plan".to_owned(), source };
    let mut spool = spool.into_inner().map_err(|error| PlanError::spool(error.into_error().into()))?;
    spool.rewind().map_err(|error| PlanError::spool(error.into()))?;
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::with_capacity(1 << 16, spool));
    let mut record = csv::StringRecord::new();
    while rows.read_record(&mut record).map_err(PlanError::spool)? {
        let lost = || failed(io::Error::other("the temporary file holds a row that makes no sense"));
        let mut row = PlanRow::parse(&record).ok_or_else(lost)?;
        row.index = row.index.and_then(|index| place_of.get(index as usize).copied());
        visit(&row).map_err(failed)?;
    }
    Ok(())
}

/// The rows of a `plan.csv`, in the input's order.
pub struct PlanReader {
    path: PathBuf,
    rows: csv::Reader<BufReader<File>>,
    record: csv::StringRecord,
    columns: Vec<String>,
}

impl PlanReader {
    /// Opens a plan and checks that it is the one with this SHA-256 (hex): a changed plan is refused.
    pub fn open(path: &Path, sha256: &str) -> Result<PlanReader, PlanError> {
        let fail = |reason: String| PlanError::Read { path: path.to_owned(), reason };
        let io = |error: io::Error| fail(error.to_string());
        if sha256_of(path).map_err(io)? != sha256 {
            return Err(fail("it was changed after the run began".to_owned()));
        }
        let file = BufReader::with_capacity(1 << 16, File::open(path).map_err(io)?);
        let mut rows = csv::Reader::from_reader(file);
        let header = rows.headers().map_err(|error| fail(error.to_string()))?;
        let columns = header.iter().skip(COLUMNS.len()).map(str::to_owned).collect();
        Ok(PlanReader { path: path.to_owned(), rows, record: csv::StringRecord::new(), columns })
    }

    /// The inputs' own columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Where the next row starts, in bytes.
    pub fn offset(&self) -> u64 {
        self.rows.position().byte()
    }

    /// The row that starts at `offset`; the next one read is the one behind it.
    pub fn row_at(&mut self, offset: u64) -> Result<PlanRow, PlanError> {
        let mut position = csv::Position::new();
        position.set_byte(offset);
        let row = match self.rows.seek(position) {
            Ok(()) => self.read(),
            Err(error) => Err(error.to_string()),
        };
        let row = row.and_then(|row| row.ok_or_else(|| "a row is missing".to_owned()));
        row.map_err(|reason| PlanError::Read { path: self.path.clone(), reason })
    }

    fn read(&mut self) -> Result<Option<PlanRow>, String> {
        match self.rows.read_record(&mut self.record) {
            Ok(true) => match PlanRow::parse(&self.record) {
                Some(row) => Ok(Some(row)),
                None => Err("a row makes no sense".to_owned()),
            },
            Ok(false) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Iterator for PlanReader {
    type Item = Result<PlanRow, PlanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = self.read().map_err(|reason| PlanError::Read { path: self.path.clone(), reason });
        read.transpose()
    }
}
