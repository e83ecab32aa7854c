//! `plan.csv`: every row of the input once, in the input's order, with its position in the sending order or
//! the reason why it is left out, followed by the input's own columns.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::GuardError;
use crate::directory::{DirectoryError, DirectoryUser};
use crate::event::TargetNo;
use crate::files::{Dir, TemporaryFile};
use crate::intake::{InputRow, IntakeError};
use crate::journal::PLAN_CSV;
use crate::outcome::Outcome;
use crate::text::digest::{HashingWriter, sha256_of_reader};
use crate::text::sanitize::{neutralize_formula, restore_formula, sanitize_line};

/// The plan's columns before the input's own. The last six come from the directory. The tenant column is in
/// the middle, because the first column of an input may also be called `tenant` and must not be taken for it.
pub(super) const PLAN_COLUMNS: [&str; 15] = [
    "order",
    "line",
    "input",
    "user_id",
    "left_out",
    "detail",
    "external",
    "priority",
    "tenant",
    "user_principal_name",
    "display_name",
    "user_type",
    "enabled",
    "synced",
    "roles",
];

/// The index of the tenant column.
const TENANT_COLUMN: usize = 8;

/// The number of columns in earlier formats: format 2 has no tenant, format 1 has no directory columns
/// either.
const FORMAT_2_COLUMNS: usize = PLAN_COLUMNS.len() - 1;
const FORMAT_1_COLUMNS: usize = TENANT_COLUMN;

/// A plan can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The input can't be read.
    #[error(transparent)]
    Intake(Box<IntakeError>),
    /// It is not known whether a user is protected.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The directory can't be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The options need the directory, but it is not read.
    #[error(
        "this plan needs the directory (for selections, groups and roles on lists, account types, --resolve, \
         --admins-first or --max-share): remove --no-lookup"
    )]
    LookupRequired,
    /// A selection has no users.
    #[error(
        "{selection} has no users. Check the name; if the selection is meant to be empty, use \
         --allow-empty"
    )]
    EmptySelection {
        /// The selection.
        selection: String,
    },
    /// The tenant's users can't be counted.
    #[error("can't check --max-share: {0}")]
    UserCount(#[source] DirectoryError),
    /// The plan or its temporary file can't be written.
    #[error("can't write {what}: {source}")]
    Write {
        /// The file, in words.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// A plan can't be read back.
    #[error("can't read {path}: {reason}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl PlanError {
    pub(super) fn spool_error(error: csv::Error) -> PlanError {
        PlanError::Write { what: "a temporary file".to_owned(), source: error.into() }
    }

    pub(super) fn write_error(path: &Path, source: io::Error) -> PlanError {
        PlanError::Write { what: path.display().to_string(), source }
    }
}

/// Why a row is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOutReason {
    /// `protected`, `excluded`, `duplicate` or `invalid`.
    pub outcome: Outcome,
    /// The reason, in words.
    pub detail: String,
}

impl LeftOutReason {
    pub(super) fn new(outcome: Outcome, detail: String) -> LeftOutReason {
        LeftOutReason { outcome, detail }
    }
}

/// One row of the input in the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRow {
    /// Its position in the sending order, from 1; `None` for a row that is left out. In a draft, it is the
    /// index of its target.
    #[serde(rename = "order")]
    pub index: Option<u32>,
    /// Its line number, with the source's name before it if there are several sources.
    pub line: String,
    /// The ID cell as it is in the input.
    pub input: String,
    /// The user ID in its canonical spelling; empty if there is none.
    pub user_id: String,
    /// Why it is left out.
    pub left_out: Option<LeftOutReason>,
    /// Whether the user's home is another tenant, if known.
    pub external: Option<bool>,
    /// The priority cell.
    pub priority: String,
    /// A remark about a user who is revoked, such as one who is not in the directory.
    pub note: String,
    /// The user principal name from the directory; empty without a look-up.
    pub user_principal_name: String,
    /// The display name from the directory; empty without a look-up.
    pub display_name: String,
    /// Whether the user type is Guest, if known.
    pub guest: Option<bool>,
    /// Whether the account is enabled, if known.
    pub enabled: Option<bool>,
    /// Whether the account is synchronized from on-premises, if known.
    pub synced: Option<bool>,
    /// The directory roles of the user.
    pub roles: String,
    /// The tenant, by its name in `run.json`; empty if the run has only one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// The input's own cells.
    pub cells: Vec<String>,
}

impl PlanRow {
    pub(super) fn from_row(row: &InputRow, line: &str) -> PlanRow {
        PlanRow {
            line: line.to_owned(),
            input: row.id.clone(),
            cells: row.cells.clone(),
            ..PlanRow::default()
        }
    }

    /// Its position in the sending order; `None` if it is left out.
    pub fn order(&self) -> Option<TargetNo> {
        self.index
    }

    /// Sets the attributes that the directory has.
    pub(super) fn set_directory_attributes(&mut self, person: &DirectoryUser, roles: Option<&[String]>) {
        // The plan's file must be safe to show in a terminal.
        let safe = |text: &Option<Box<str>>| sanitize_line(text.as_deref().unwrap_or_default()).into_owned();
        (self.user_principal_name, self.display_name) = (safe(&person.upn), safe(&person.name));
        (self.guest, self.enabled, self.synced) = (person.guest, person.enabled, person.synced);
        self.roles = roles.unwrap_or_default().join("; ");
    }

    /// The name to show for the user: the one in the directory, or the ID.
    pub fn display_name(&self) -> &str {
        let names = [&self.user_principal_name, &self.display_name].into_iter().find(|name| !name.is_empty());
        names.unwrap_or(&self.user_id)
    }

    /// Whether the user is known to hold a role.
    pub fn is_administrator(&self) -> bool {
        !self.roles.is_empty()
    }

    /// `Guest` or `Member`, as Graph writes it; empty if it is not known.
    pub fn user_type(&self) -> &'static str {
        self.guest.map_or("", |guest| if guest { "Guest" } else { "Member" })
    }

    pub(super) fn write<W: Write>(&self, out: &mut csv::Writer<W>) -> csv::Result<()> {
        let index = self.index.map(|index| index.to_string()).unwrap_or_default();
        let word = self.left_out.as_ref().map_or("", |left_out| left_out.outcome.word());
        let detail = self.left_out.as_ref().map_or(&self.note, |left_out| &left_out.detail);
        let cells: [&str; PLAN_COLUMNS.len()] = [
            &index,
            &self.line,
            &self.input,
            &self.user_id,
            word,
            detail,
            format_flag(self.external),
            &self.priority,
            &self.tenant,
            &neutralize_formula(&self.user_principal_name),
            &neutralize_formula(&self.display_name),
            self.user_type(),
            format_flag(self.enabled),
            format_flag(self.synced),
            &neutralize_formula(&self.roles),
        ];
        for cell in cells {
            out.write_field(cell)?;
        }
        out.write_record(&self.cells)
    }

    /// Parses a row. `plan_columns` is the number of columns before the input's own.
    fn parse(record: &csv::StringRecord, plan_columns: usize) -> Option<PlanRow> {
        let text = |at: usize| record.get(at).map(str::to_owned);
        let shift = usize::from(plan_columns == PLAN_COLUMNS.len());
        let directory_cell =
            |at: usize| if at + shift < plan_columns { record.get(at + shift) } else { Some("") };
        let name = |at: usize| directory_cell(at).map(|text| restore_formula(text).into_owned());
        let (left_out, note) = match record.get(4)? {
            "" => (None, text(5)?),
            word => (Some(LeftOutReason { outcome: word.parse().ok()?, detail: text(5)? }), String::new()),
        };
        let index = match record.get(0)? {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        // A row is either a target or left out, never both.
        (index.is_some() != left_out.is_some()).then_some(())?;
        Some(PlanRow {
            index,
            line: text(1)?,
            input: text(2)?,
            user_id: text(3)?,
            left_out,
            external: parse_flag(record.get(6)?)?,
            priority: text(7)?,
            note,
            user_principal_name: name(8)?,
            display_name: name(9)?,
            guest: match directory_cell(10)? {
                "" => None,
                "Guest" => Some(true),
                "Member" => Some(false),
                _ => return None,
            },
            enabled: parse_flag(directory_cell(11)?)?,
            synced: parse_flag(directory_cell(12)?)?,
            roles: name(13)?,
            tenant: if shift == 1 { text(TENANT_COLUMN)? } else { String::new() },
            cells: record.iter().skip(plan_columns).map(str::to_owned).collect(),
        })
    }
}

fn format_flag(known: Option<bool>) -> &'static str {
    known.map_or("", |yes| if yes { "true" } else { "false" })
}

fn parse_flag(word: &str) -> Option<Option<bool>> {
    match word {
        "" => Some(None),
        word => word.parse().ok().map(Some),
    }
}

/// Copies the spool to `out`, with the indexes of targets replaced by positions. Returns the SHA-256 in hex.
pub(super) fn write_plan_csv(
    spool: csv::Writer<TemporaryFile>,
    columns: &[String],
    place_of: &[TargetNo],
    out: File,
    path: &Path,
) -> Result<String, PlanError> {
    let fail = |source| PlanError::write_error(path, source);
    let mut out = HashingWriter::new(BufWriter::with_capacity(1 << 16, out));
    copy_plan_csv(spool, columns, place_of, &mut out).map_err(|error| match error {
        PlanError::Write { source, .. } => fail(source),
        other => other,
    })?;
    let (inner, sha256) = out.finish();
    inner.into_inner().map_err(|error| fail(error.into_error()))?;
    Ok(sha256)
}

/// Copies the spool to `out`, with the indexes of targets replaced by positions.
pub(super) fn copy_plan_csv(
    spool: csv::Writer<TemporaryFile>,
    columns: &[String],
    place_of: &[TargetNo],
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
    PLAN_COLUMNS.iter().copied().chain(columns.iter().map(String::as_str))
}

/// Calls `visit` for each row of the spool, with the indexes of targets replaced by positions.
pub(super) fn for_each_row(
    spool: csv::Writer<TemporaryFile>,
    place_of: &[TargetNo],
    visit: &mut dyn FnMut(&PlanRow) -> io::Result<()>,
) -> Result<(), PlanError> {
    let failed = |source| PlanError::Write { what: "the plan".to_owned(), source };
    let mut spool = spool.into_inner().map_err(|error| PlanError::spool_error(error.into_error().into()))?;
    spool.rewind().map_err(|error| PlanError::spool_error(error.into()))?;
    let mut rows =
        csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::with_capacity(1 << 16, spool));
    let mut record = csv::StringRecord::new();
    while rows.read_record(&mut record).map_err(PlanError::spool_error)? {
        let damaged_row = || failed(io::Error::other("the temporary file has an invalid row"));
        let mut row = PlanRow::parse(&record, PLAN_COLUMNS.len()).ok_or_else(damaged_row)?;
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
    /// The number of columns before the input's own.
    plan_columns: usize,
}

impl PlanReader {
    /// Opens the plan in a run folder. A plan without this SHA-256 (hex) was changed, and is refused.
    pub fn open(folder: &Dir, sha256: &str) -> Result<PlanReader, PlanError> {
        let path = folder.file(PLAN_CSV);
        let fail = |reason: String| PlanError::Read { path: path.clone(), reason };
        let io = |error: io::Error| fail(error.to_string());
        let mut file = folder.read(PLAN_CSV).map_err(io)?;
        if sha256_of_reader(&file).map_err(io)? != sha256 {
            return Err(fail("it was changed after the run began".to_owned()));
        }
        file.rewind().map_err(io)?;
        let mut rows = csv::Reader::from_reader(BufReader::with_capacity(1 << 16, file));
        let header = rows.headers().map_err(|error| fail(error.to_string()))?;
        // Plans of earlier versions have fewer columns. Their runs can still be resumed and reported.
        let without_tenant =
            PLAN_COLUMNS.iter().enumerate().filter(|(at, _)| *at != TENANT_COLUMN).map(|(_, name)| *name);
        let known = match () {
            () if header.iter().take(PLAN_COLUMNS.len()).eq(PLAN_COLUMNS) => PLAN_COLUMNS.len(),
            () if header.iter().take(FORMAT_2_COLUMNS).eq(without_tenant) => FORMAT_2_COLUMNS,
            () => FORMAT_1_COLUMNS,
        };
        let columns = header.iter().skip(known).map(str::to_owned).collect();
        Ok(PlanReader { path, rows, record: csv::StringRecord::new(), columns, plan_columns: known })
    }

    /// The inputs' own columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The byte offset of the next row.
    pub fn offset(&self) -> u64 {
        self.rows.position().byte()
    }

    /// The row that starts at `offset`. The next read continues after it.
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
            Ok(true) => match PlanRow::parse(&self.record, self.plan_columns) {
                Some(row) => Ok(Some(row)),
                None => Err("a row is not valid".to_owned()),
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
