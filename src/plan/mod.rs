//! Turns rows and selections into targets: which users are revoked and in which order, and which are left out
//! and why.
//!
//! ```text
//!  input rows ─────▶ looked up in chunks ─┐
//!  selections ─────▶ page by page ────────┤
//!                                         ▼
//!  lists ──────────▶ guard ──────────▶ draft: left out, or a target
//!                                         │ spool of rows; IDs, origins, ranks
//!                                         ▼
//!                                     plan.csv, in sending order
//! ```
//!
//! [`Draft::build`] keeps in memory only the ID, origin and rank of each target. The rows with all their
//! columns are in a temporary file. [`Draft::freeze`] writes them to `plan.csv`, with the final order.
//! Nothing is sent before that file is written.

mod build;
mod context;
mod dedup_index;
mod directory_source;
mod distinct_names;
mod extra_confirmation;
mod guard;
mod info_lookups;
mod input_rows;
mod merge_summaries;
mod notices;
mod options;
mod plan_builder;
mod plan_csv;
mod preview;
mod recheck;
mod recount;
mod row_origin;
mod sending_order;
mod summary;
mod tenants;
#[cfg(test)]
mod tests;

pub use build::check_lists;
pub use directory_source::ReadProgress;
pub(crate) use distinct_names::distinct_names;
pub use extra_confirmation::{ExtraConfirmation, requires_number};
pub use guard::GuardError;
pub(crate) use guard::{EXCLUDE_LIST, PROTECT_LIST};
pub use input_rows::InputRows;
pub use options::{AccountFilter, ListEntry, MaxShare, PlanOptions};
pub use plan_csv::{LeftOutReason, PlanError, PlanReader, PlanRow};
pub use recheck::{ChangedUsers, PlanChanges, PlanMetadata};
pub use recount::{FieldMismatch, PlanRecount};
pub use summary::{LookupStatus, PlanSummary};
pub use tenants::{PlanTenant, PlanTenantFacts, PlanTenants};

use std::collections::BTreeMap;

use crate::directory::{Budget, Directory};
use crate::event::TenantIndex;
use crate::files::{Dir, TemporaryFile};
use crate::intake::{InputDigest, IntakeError};
use crate::journal::{PLAN_CSV, PlanRecord};
use crate::user_id::UserId;
use plan_builder::DraftRows;
use sending_order::SendingOrder;

/// One user to revoke.
#[derive(Clone, Debug)]
pub struct Target {
    /// The user's ID.
    pub user: UserId,
    /// Whether the user's home is another tenant; `None` if that is not known.
    pub external: Option<bool>,
    /// The user's tenant among those of the run.
    pub tenant: TenantIndex,
    /// Whether the user is known to hold a role.
    pub administrator: bool,
}

/// A plan that is not frozen yet.
pub struct Draft {
    spool: csv::Writer<TemporaryFile>,
    columns: Vec<String>,
    inputs: Vec<InputDigest>,
    notices: Vec<String>,
    drafted_rows: DraftRows,
    facts: PlanSummary,
    closed: build::ClosedTenants,
    tenant_column: Option<String>,
    budget: Budget,
}

/// The person or app that is signed in. By default, the operator is not revoked.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The IDs of the signed-in user; empty for an app.
    pub user_ids: Vec<UserId>,
    /// The IDs of the apps that send, in their order.
    pub app_ids: Vec<String>,
}

impl Draft {
    /// Makes a plan for one tenant, from the rows of the inputs and the users of the selections. Without the
    /// directory, IDs are compared as they are written.
    ///
    /// # Errors
    /// When a list can't be read and resolved in full, when a selection can't be read or has no users, or
    /// when it is not clear whether a row names a protected user.
    pub async fn build(
        input: InputRows,
        options: &PlanOptions,
        signed: &Operator,
        directory: Option<&Directory>,
    ) -> Result<Draft, PlanError> {
        Draft::build_with_progress(
            input,
            options,
            &PlanTenants::single(signed.clone(), directory, []),
            &|_| {},
        )
        .await
    }

    /// The same for any number of tenants, which are read at the same time. Reports the progress of long
    /// reads.
    ///
    /// # Errors
    /// The same. If there are several tenants and the directory of one can't be read, only that tenant is
    /// closed: see [`Draft::closed_tenants`].
    pub async fn build_with_progress(
        input: InputRows,
        options: &PlanOptions,
        tenants: &PlanTenants<'_, Directory>,
        progress: &dyn Fn(&ReadProgress<'_>),
    ) -> Result<Draft, PlanError> {
        build::build_plan(input, options, tenants, progress).await
    }

    /// The column that names the tenants, if one does.
    pub fn tenant_column(&self) -> Option<&str> {
        self.tenant_column.as_deref()
    }

    /// The tenants in which nothing may be sent, each with the reason: no users could be looked up there, so
    /// the lists could not be compared.
    pub fn closed_tenants(&self) -> &BTreeMap<TenantIndex, String> {
        &self.closed.reasons
    }

    /// What could not be checked, as one line, if there is something. It does not include that the sign-in
    /// may not read users, which has its own notice.
    pub fn unchecked(&self) -> Option<String> {
        let unchecked = match &self.facts.resolution {
            LookupStatus::Impossible(why) if notices::lacks_permission(why) => {
                let covered = summary::owners_unchecked();
                self.facts.unchecked.iter().filter(|word| **word != covered).cloned().collect()
            }
            _ => self.facts.failed_checks(),
        };
        (!unchecked.is_empty()).then(|| format!("not checked: {}", unchecked.join("; ")))
    }

    /// The time that failures of look-ups that only inform may still cost.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Adds something that could not be checked.
    pub fn add_unchecked(&mut self, what: String) {
        self.facts.unchecked.push(what);
    }

    /// The facts about the plan as a whole.
    pub fn summary(&self) -> &PlanSummary {
        &self.facts
    }

    /// The number of users to revoke.
    pub fn target_count(&self) -> usize {
        self.drafted_rows.targets.len()
    }

    /// Whether `me` is among them.
    pub fn includes_me(&self) -> bool {
        self.drafted_rows.targets.iter().any(|target| target.user == UserId::Me)
    }

    /// Whether the signed-in operator is among them, last of all.
    pub fn includes_operator(&self) -> bool {
        self.drafted_rows.includes_operator
    }

    /// Notices about the plan, in words.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// The inputs' own columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The inputs that were read.
    pub fn inputs(&self) -> &[InputDigest] {
        &self.inputs
    }

    /// The first row without a valid user ID, in words, if there is one.
    pub fn first_invalid(&self) -> Option<&str> {
        self.drafted_rows.first_invalid.as_deref()
    }

    /// The counts so far. The hash is empty until the plan is frozen.
    pub fn record(&self) -> PlanRecord {
        PlanRecord {
            rows: self.drafted_rows.rows,
            targets: self.drafted_rows.targets.len() as u32,
            left_out: self.drafted_rows.left_out.clone(),
            external: self.drafted_rows.external,
            selected: self.drafted_rows.selected,
            sha256: String::new(),
        }
    }

    /// Writes the plan into a run folder with the final order, and returns the targets in sending order. The
    /// file is not synced here: [`RunFolder::sync`](crate::journal::RunFolder::sync) does that for all files
    /// that must be on disk before the first request.
    pub fn freeze(self, folder: &Dir) -> Result<FrozenPlan, PlanError> {
        let mut record = self.record();
        let order = SendingOrder::from_ranks(&self.drafted_rows.ranks);
        let path = folder.file(PLAN_CSV);
        let out = folder.create_file(PLAN_CSV).map_err(|source| PlanError::write_error(&path, source))?;
        record.sha256 = plan_csv::write_plan_csv(self.spool, &self.columns, &order.positions, out, &path)?;
        let mut targets: Vec<Option<Target>> = self.drafted_rows.targets.into_iter().map(Some).collect();
        let targets = order.sequence.iter().filter_map(|index| targets[*index as usize].take()).collect();
        Ok(FrozenPlan { targets, record, columns: self.columns, inputs: self.inputs })
    }

    /// Calls `visit` for each row of the plan, in the input's order.
    pub fn for_each_row(
        self,
        mut visit: impl FnMut(&PlanRow) -> std::io::Result<()>,
    ) -> Result<(), PlanError> {
        let order = SendingOrder::from_ranks(&self.drafted_rows.ranks);
        plan_csv::for_each_row(self.spool, &order.positions, &mut visit)
    }
}

/// A plan that can no longer change.
pub struct FrozenPlan {
    /// Users to revoke, in sending order.
    pub targets: Vec<Target>,
    /// The counts of the plan, with its hash.
    pub record: PlanRecord,
    /// The inputs' own columns.
    pub columns: Vec<String>,
    /// The inputs that were read.
    pub inputs: Vec<InputDigest>,
}

impl From<IntakeError> for PlanError {
    fn from(error: IntakeError) -> Self {
        PlanError::Intake(Box::new(error))
    }
}
