//! From rows and selections to targets: who is revoked, in which order, and who is left out and why.
//!
//! ```text
//!  gathered rows ──▶ looked up in pieces ─┐
//!  selections ─────▶ page by page ────────┤
//!                                         ▼
//!  lists ──────────▶ guard ──────────▶ drafting: left out, or a target
//!                                         │ spool of rows; ids, places, ranks
//!                                         ▼
//!                                     plan.csv, in sending order
//! ```
//!
//! [`Draft::build`] keeps of each target only its id, its place and its rank; the rows themselves, with all their
//! columns, lie in a temporary file. [`Draft::freeze`] writes `plan.csv` from it, with the order settled. Nothing is
//! sent before that file stands.

mod build;
mod context;
mod dedup_index;
mod directory_source;
mod distinct_names;
mod extra_confirmation;
mod guard;
mod info_lookups;
mod input_rows;
mod merge_stats;
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
pub(crate) use guard::{EXCLUDED, PROTECTED};
pub use input_rows::InputRows;
pub use options::{AccountFilter, ListEntry, MaxShare, PlanOptions};
pub use plan_csv::{LeftOutReason, PlanError, PlanReader, PlanRow};
pub use recheck::{ChangedUsers, PlanChanges, PlanMetadata};
pub use recount::{CountDifference, PlanRecount};
pub use summary::{ListResolution, PlanSummary};
pub use tenants::{PlanTenant, PlanTenantFacts, PlanTenants};

use std::collections::BTreeMap;

use crate::directory::{Budget, Directory};
use crate::event::TenantIndex;
use crate::files::{Dir, TemporaryFile};
use crate::intake::{InputDigest, IntakeError};
use crate::journal::{PLAN_CSV, PlanRecord};
use crate::user_id::UserId;
use plan_builder::DraftedRows;
use sending_order::SendingOrder;

/// One user to revoke.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whose sessions.
    pub user: UserId,
    /// Whether the user's home is another tenant; none where nothing tells.
    pub external: Option<bool>,
    /// In which of the run's tenants.
    pub tenant: TenantIndex,
    /// Whether the user is known to hold a role.
    pub administrator: bool,
}

/// A plan that was read and not frozen yet.
pub struct Draft {
    spool: csv::Writer<TemporaryFile>,
    columns: Vec<String>,
    inputs: Vec<InputDigest>,
    notices: Vec<String>,
    drafted_rows: DraftedRows,
    facts: PlanSummary,
    closed: build::ClosedTenants,
    tenant_column: Option<String>,
    budget: Budget,
}

/// Who signed in: nobody is revoked by their own hand unasked.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The ids of the signed-in user; none for an app.
    pub user_ids: Vec<UserId>,
    /// The ids of the apps that send, the first one's first.
    pub app_ids: Vec<String>,
}

impl Draft {
    /// Makes a plan of the rows of the inputs, and of whom the directory names, for one tenant. Without the directory, ids
    /// are compared as they are written.
    ///
    /// # Errors
    /// When a list of people can't be read and resolved in full, when a selection can't be read or names nobody, or when
    /// nobody can tell whether a row is somebody protected.
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

    /// The same for any tenants, which are asked side by side; and tells how far long reads have come.
    ///
    /// # Errors
    /// The same. Where there are several tenants, one whose directory can't be read is only closed: see `Draft::closed`.
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

    /// Why nothing may be sent in single tenants: nobody could be looked up there, and the lists could not be compared.
    pub fn closed_tenants(&self) -> &BTreeMap<TenantIndex, String> {
        &self.closed.reasons
    }

    /// What could not be checked, in a sentence, where something could not: the question says it by itself. That the
    /// sign-in may not read users is a notice of its own.
    pub fn unchecked(&self) -> Option<String> {
        let unchecked = match &self.facts.resolution {
            ListResolution::Impossible(why) if notices::lacks_permission(why) => {
                let covered = summary::owners_unchecked();
                self.facts.unchecked.iter().filter(|word| **word != covered).cloned().collect()
            }
            _ => self.facts.failed_checks(),
        };
        (!unchecked.is_empty()).then(|| format!("not checked: {}", unchecked.join("; ")))
    }

    /// The time that look-ups which only inform may still lose.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes in something more that could not be checked.
    pub fn add_unchecked(&mut self, what: String) {
        self.facts.unchecked.push(what);
    }

    /// What is known of the plan as a whole.
    pub fn summary(&self) -> &PlanSummary {
        &self.facts
    }

    /// Users to revoke.
    pub fn targets(&self) -> usize {
        self.drafted_rows.targets.len()
    }

    /// Whether `me` is among them.
    pub fn names_me(&self) -> bool {
        self.drafted_rows.targets.iter().any(|target| target.user == UserId::Me)
    }

    /// Whether the signed-in operator is among them, last of all.
    pub fn includes_operator(&self) -> bool {
        self.drafted_rows.includes_operator
    }

    /// What people should know of it, in words.
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

    /// The first row that is no user id, in words, if there is one.
    pub fn first_invalid(&self) -> Option<&str> {
        self.drafted_rows.first_invalid.as_deref()
    }

    /// Counts so far; the hash is empty until the plan is frozen.
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

    /// Writes the plan into a run folder with the order settled, and gives the targets in sending order. It is not synced here:
    /// [`RunFolder::sync`](crate::journal::RunFolder::sync) does that for all that stands before the first request.
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

    /// Gives each row of the plan, in the input's order.
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
    /// What the plan holds, with its hash.
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
