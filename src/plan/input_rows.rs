//! The rows of the inputs, read in full before anybody is asked anything: a file that can't be read is known first.

use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use super::{PlanError, PlanRow};
use crate::event::TargetNo;
use crate::files::TemporaryFile;
use crate::intake::{InputDigest, InputRow, Intake, RowStatus, Shard, ShardTenants};
use crate::tenant::TenantCounts;
use crate::user_id::UserId;

/// Rows are kept in memory up to this size, in bytes, and in a temporary file beyond.
const MAX_IN_MEMORY: usize = 4 << 20;

/// Rows on the way, as JSON lines.
type InputSpool = BufWriter<TemporaryFile>;

/// A part of an input.
pub(super) struct ShardPart {
    pub(super) shard: Shard,
    tenants: ShardTenants,
}

impl ShardPart {
    /// Whether a user whom a selection found is in it.
    pub(super) fn contains(&self, id: &UserId) -> bool {
        self.tenants.is_in(self.shard, None, &id.to_string())
    }
}

/// The rows of all inputs.
pub struct InputRows {
    spool: InputSpool,
    /// The rows of other shards, without their cells: what they call people counts for the lists.
    other_shards: InputSpool,
    /// Which part of the input it is, and how the parts are told apart; none where it is all of it.
    pub(super) shard_part: Option<ShardPart>,
    /// How many rows were read, of whatever shard.
    pub(super) input_rows: u64,
    /// The tenants that they name.
    tenants: ShardTenants,
    /// The inputs' own columns.
    pub columns: Vec<String>,
    /// The inputs' names.
    pub source_names: Vec<String>,
    /// What the reader decided, in words.
    pub notices: Vec<String>,
    /// The inputs' fingerprints.
    pub inputs: Vec<InputDigest>,
    /// Rows that name somebody, as far as can be seen without the directory.
    pub users: u64,
    /// Whether a row says `me`.
    pub names_me: bool,
    /// Whether some input names its users by mail addresses.
    pub ids_are_mail: bool,
    /// The tenants that rows name; none where no input has a column of them.
    pub tenant_counts: Option<TenantCounts>,
    /// The column that names them, by the name it has in the first input with one.
    pub tenant_column: Option<String>,
}

impl Default for InputRows {
    /// No input at all.
    fn default() -> InputRows {
        InputRows {
            spool: new_spool(),
            other_shards: new_spool(),
            shard_part: None,
            input_rows: 0,
            tenants: ShardTenants::default(),
            columns: Vec::new(),
            source_names: Vec::new(),
            notices: Vec::new(),
            inputs: Vec::new(),
            users: 0,
            ids_are_mail: false,
            names_me: false,
            tenant_counts: None,
            tenant_column: None,
        }
    }
}

impl InputRows {
    /// Reads all rows.
    ///
    /// # Errors
    /// When an input can't be read to its end, or the rows can't be kept.
    pub fn read(mut intake: Intake) -> Result<InputRows, PlanError> {
        let mut input = InputRows {
            columns: intake.columns().to_vec(),
            source_names: intake.source_names(),
            ids_are_mail: intake.ids_are_mail(),
            tenant_counts: intake.tenant_column().map(|_| TenantCounts::default()),
            tenant_column: intake.tenant_column().map(str::to_owned),
            ..InputRows::default()
        };
        for row in intake.by_ref() {
            let row = row?;
            input.tenants.add(row.tenant.as_deref());
            input.push(&row).map_err(spool_error)?;
        }
        input.notices = intake.notices();
        input.notices.extend(input.tenant_counts.as_ref().and_then(invalid_tenant_warning));
        input.inputs = intake.finish()?;
        Ok(input)
    }

    /// The targets of a plan that was made before, to be judged anew: their line is their place in the sending order, and
    /// so is their priority.
    ///
    /// # Errors
    /// When a row can't be read, or can't be kept.
    pub fn from_plan_targets(
        plan: impl Iterator<Item = Result<PlanRow, PlanError>>,
    ) -> Result<InputRows, PlanError> {
        let mut input = InputRows { source_names: vec!["the plan".to_owned()], ..InputRows::default() };
        for row in plan {
            let row = row?;
            let Some(order) = row.order() else { continue };
            input.push(&input_row_from_target(row, order)).map_err(spool_error)?;
        }
        Ok(input)
    }

    /// Gives the one input another name in the evidence: it was made for this run, and its path says nothing.
    pub fn rename_inputs(&mut self, name: &str) {
        for input in &mut self.inputs {
            name.clone_into(&mut input.name);
        }
    }

    /// Leaves the rows of other shards out: of those, only whom they name is kept, for the lists of people.
    ///
    /// # Errors
    /// When the rows can't be read back, or can't be kept.
    pub fn apply_shard(&mut self, shard: Shard) -> Result<(), PlanError> {
        let part = ShardPart { shard, tenants: std::mem::take(&mut self.tenants) };
        let (rows, input_rows) = (self.rows()?, self.input_rows);
        (self.users, self.names_me) = (0, false);
        // Only tenants of this part are signed in to.
        self.tenant_counts = self.tenant_counts.as_ref().map(|_| TenantCounts::default());
        for row in rows {
            let mut row = row?;
            if part.tenants.is_in(shard, row.tenant.as_deref(), &row.id) {
                self.push(&row).map_err(spool_error)?;
            } else {
                row.cells = Vec::new();
                write_row(&mut self.other_shards, &row).map_err(spool_error)?;
            }
        }
        (self.shard_part, self.input_rows) = (Some(part), input_rows);
        Ok(())
    }

    fn push(&mut self, row: &InputRow) -> std::io::Result<()> {
        let read = row.verdict == RowStatus::Read;
        self.input_rows += 1;
        self.users += u64::from(read);
        if let Some(named) = self.tenant_counts.as_mut().filter(|_| read) {
            named.count(row.tenant.as_deref(), &row.id);
        }
        self.names_me |= read && matches!(UserId::read(&row.id), Ok(UserId::Me));
        write_row(&mut self.spool, row)
    }

    /// The rows, in the inputs' order; what else is known stays.
    ///
    /// # Errors
    /// When the rows can't be read back.
    pub fn rows(&mut self) -> Result<impl Iterator<Item = Result<InputRow, PlanError>> + use<>, PlanError> {
        read_back(std::mem::replace(&mut self.spool, new_spool()))
    }

    /// The rows of other shards.
    pub(super) fn other_shard_rows(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<InputRow, PlanError>> + use<>, PlanError> {
        read_back(std::mem::replace(&mut self.other_shards, new_spool()))
    }
}

fn new_spool() -> InputSpool {
    BufWriter::new(TemporaryFile::new(MAX_IN_MEMORY))
}

fn write_row(spool: &mut InputSpool, row: &InputRow) -> std::io::Result<()> {
    serde_json::to_writer(&mut *spool, row)?;
    spool.write_all(b"\n")
}

fn read_back(
    spool: InputSpool,
) -> Result<impl Iterator<Item = Result<InputRow, PlanError>> + use<>, PlanError> {
    let mut spool = spool.into_inner().map_err(|error| spool_error(error.into_error()))?;
    spool.rewind().map_err(spool_error)?;
    let lines = BufReader::with_capacity(1 << 16, spool).split(b'\n');
    Ok(lines.map(|line| {
        let line = line.map_err(spool_error)?;
        serde_json::from_slice(&line).map_err(|error| spool_error(error.into()))
    }))
}

/// What to say of cells in the column of tenants that name none.
fn invalid_tenant_warning(tenants: &TenantCounts) -> Option<String> {
    let first = crate::text::sanitize::sanitize_truncated(tenants.first_senseless.as_deref()?, 60);
    Some(format!(
        "warning: {} of the column of tenants neither a tenant's id nor a domain, as {first}: such rows are invalid and \
         are not sent. If that column does not name tenants: --tenant-column none",
        match tenants.senseless {
            1 => "1 cell holds in place".to_owned(),
            cells => format!("{} cells hold in place", crate::text::humanize::count(cells)),
        }
    ))
}

fn input_row_from_target(row: PlanRow, order: TargetNo) -> InputRow {
    InputRow {
        source: 0,
        line: u64::from(order),
        id: row.user_id,
        also: Some(row.user_principal_name).into_iter().filter(|name| !name.is_empty()).collect(),
        perhaps: Vec::new(),
        priority: Some(order.to_string()),
        tenant: Some(row.tenant).filter(|tenant| !tenant.is_empty()),
        external_hint: row.external,
        cells: Vec::new(),
        note: None,
        verdict: RowStatus::Read,
    }
}

fn spool_error(source: std::io::Error) -> PlanError {
    PlanError::Write { what: "a temporary file".to_owned(), source }
}
