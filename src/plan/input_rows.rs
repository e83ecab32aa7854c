//! The rows of the inputs. They are read in full before sign-in, so that a file that can't be read is
//! reported first.

use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

use super::{PlanError, PlanRow};
use crate::event::TargetNo;
use crate::files::TemporaryFile;
use crate::intake::{InputDigest, InputRow, Intake, RowStatus, Shard, ShardTenants};
use crate::tenant::TenantCounts;
use crate::user_id::UserId;

/// The maximum size of rows in memory, in bytes. Beyond it, they are in a temporary file.
const MAX_IN_MEMORY: usize = 4 << 20;

/// Rows that were read, as JSON lines.
type InputSpool = BufWriter<TemporaryFile>;

/// One shard of the input.
pub(super) struct ShardPart {
    pub(super) shard: Shard,
    tenants: ShardTenants,
}

impl ShardPart {
    /// Whether a user of a selection belongs to it.
    pub(super) fn contains(&self, id: &UserId) -> bool {
        self.tenants.is_in(self.shard, None, &id.to_string())
    }
}

/// The rows of all inputs.
pub struct InputRows {
    spool: InputSpool,
    /// The rows of other shards, without their cells. The lists need their IDs as aliases.
    other_shards: InputSpool,
    /// The shard; `None` if this is the whole input.
    pub(super) shard_part: Option<ShardPart>,
    /// The number of rows in all shards.
    pub(super) input_rows: u64,
    /// The tenants that the rows name.
    tenants: ShardTenants,
    /// The inputs' own columns.
    pub columns: Vec<String>,
    /// The inputs' names.
    pub source_names: Vec<String>,
    /// Notices about how the inputs were read, in words.
    pub notices: Vec<String>,
    /// The inputs' fingerprints.
    pub inputs: Vec<InputDigest>,
    /// The number of rows that name a user, as far as is known without the directory.
    pub users: u64,
    /// Whether a row says `me`.
    pub has_me: bool,
    /// Whether an input has mail addresses as IDs.
    pub ids_are_mail: bool,
    /// The tenants that rows name; `None` if no input has a tenant column.
    pub tenant_counts: Option<TenantCounts>,
    /// The name of the tenant column in the first input that has one.
    pub tenant_column: Option<String>,
}

impl Default for InputRows {
    /// No input.
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
            has_me: false,
            tenant_counts: None,
            tenant_column: None,
        }
    }
}

impl InputRows {
    /// Reads all rows.
    ///
    /// # Errors
    /// When an input can't be read in full, or the rows can't be stored.
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

    /// The targets of an earlier plan, to be checked again. Their line and their priority are their position
    /// in the sending order.
    ///
    /// # Errors
    /// When a row can't be read or stored.
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

    /// Sets another name for the inputs in the evidence. For an input that was made for this run, the path
    /// says nothing.
    pub fn rename_inputs(&mut self, name: &str) {
        for input in &mut self.inputs {
            name.clone_into(&mut input.name);
        }
    }

    /// Leaves out the rows of other shards. Only their IDs are kept, because the lists need them.
    ///
    /// # Errors
    /// When the rows can't be read back or stored.
    pub fn apply_shard(&mut self, shard: Shard) -> Result<(), PlanError> {
        let part = ShardPart { shard, tenants: std::mem::take(&mut self.tenants) };
        let (rows, input_rows) = (self.rows()?, self.input_rows);
        (self.users, self.has_me) = (0, false);
        // Only tenants of this shard need a sign-in.
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
        let read = row.status == RowStatus::Read;
        self.input_rows += 1;
        self.users += u64::from(read);
        if let Some(named) = self.tenant_counts.as_mut().filter(|_| read) {
            named.count(row.tenant.as_deref(), &row.id);
        }
        self.has_me |= read && matches!(UserId::parse_lenient(&row.id), Ok(UserId::Me));
        write_row(&mut self.spool, row)
    }

    /// The rows, in the order of the inputs. They can be taken only once.
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

/// The warning about cells in the tenant column that are not tenants.
fn invalid_tenant_warning(tenants: &TenantCounts) -> Option<String> {
    let first = crate::text::sanitize::sanitize_truncated(tenants.first_invalid.as_deref()?, 60);
    Some(format!(
        "warning: {} (first: {first}). Those rows are invalid and are skipped. If that column does not have \
         tenants, use --tenant-column none",
        match tenants.invalid {
            1 => "1 cell in the tenant column is not a tenant ID or domain".to_owned(),
            cells => format!(
                "{} cells in the tenant column are not a tenant ID or \
                 domain",
                crate::text::humanize::count(cells)
            ),
        }
    ))
}

fn input_row_from_target(row: PlanRow, order: TargetNo) -> InputRow {
    InputRow {
        source: 0,
        line: u64::from(order),
        id: row.user_id,
        other_ids: Some(row.user_principal_name).into_iter().filter(|name| !name.is_empty()).collect(),
        possible_ids: Vec::new(),
        priority: Some(order.to_string()),
        tenant: Some(row.tenant).filter(|tenant| !tenant.is_empty()),
        external_hint: row.external,
        cells: Vec::new(),
        note: None,
        status: RowStatus::Read,
    }
}

fn spool_error(source: std::io::Error) -> PlanError {
    PlanError::Write { what: "a temporary file".to_owned(), source }
}
