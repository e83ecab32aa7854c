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

mod again;
mod ask;
mod caution;
mod compose;
mod drafting;
mod facts;
mod file;
mod gathered;
mod guard;
mod informing;
mod joined;
mod names;
mod notices;
mod order;
mod preview;
mod recount;
mod seen;
mod sources;
mod tenants;
#[cfg(test)]
mod tests;
mod wishes;
mod world;

pub use again::{ChangeKind, PlanChanges, Planned};
pub use ask::ReadProgress;
pub use caution::{ExtraConfirmation, wants_number};
pub use compose::check_lists;
pub use facts::{ListResolution, PlanSummary};
pub use file::{LeftOutReason, PlanError, PlanReader, PlanRow};
pub use gathered::InputRows;
pub use guard::GuardError;
pub(crate) use guard::{EXCLUDED, PROTECTED};
pub(crate) use names::distinct;
pub use recount::{CountDifference, PlanRecount};
pub use tenants::{PlanTenant, PlanTenantFacts, PlanTenants};
pub use wishes::{AccountFilter, ListEntry, MaxShare, PlanOptions};

use std::collections::BTreeMap;

use crate::directory::{Budget, Directory};
use crate::event::TenantIndex;
use crate::files::{Dir, TemporaryFile};
use crate::intake::{InputDigest, IntakeError};
use crate::journal::{PLAN_CSV, PlanRecord};
use crate::user_id::UserId;
use drafting::DraftedRows;
use order::SendingOrder;

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
    drafted: DraftedRows,
    facts: PlanSummary,
    closed: compose::ClosedTenant,
    tenant_column: Option<String>,
    budget: Budget,
}

/// Who signed in: nobody is revoked by their own hand unasked.
#[derive(Clone, Debug, Default)]
pub struct Operator {
    /// The ids of the signed-in user; none for an app.
    pub operator: Vec<UserId>,
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
        gathered: InputRows,
        wishes: &PlanOptions,
        signed: &Operator,
        directory: Option<&Directory>,
    ) -> Result<Draft, PlanError> {
        Draft::compose_telling(gathered, wishes, &PlanTenants::one(signed.clone(), directory, []), &|_| {})
            .await
    }

    /// The same for any tenants, which are asked side by side; and tells how far long reads have come.
    ///
    /// # Errors
    /// The same. Where there are several tenants, one whose directory can't be read is only closed: see [`Draft::blocked_until`].
    pub async fn compose_telling(
        gathered: InputRows,
        wishes: &PlanOptions,
        tenants: &PlanTenants<'_, Directory>,
        tell: &dyn Fn(&ReadProgress<'_>),
    ) -> Result<Draft, PlanError> {
        compose::build_plan(gathered, wishes, tenants, tell).await
    }

    /// The column that names the tenants, if one does.
    pub fn tenant_column(&self) -> Option<&str> {
        self.tenant_column.as_deref()
    }

    /// Why nothing may be sent in single tenants: nobody could be looked up there, and the lists could not be compared.
    pub fn closed(&self) -> &BTreeMap<TenantIndex, String> {
        &self.closed.reasons
    }

    /// What could not be checked, in a sentence, where something could not: the question says it by itself. That the
    /// sign-in may not read users is a notice of its own.
    pub fn unchecked(&self) -> Option<String> {
        let unchecked = match &self.facts.resolution {
            ListResolution::Impossible(why) if notices::lacks_permission(why) => {
                let covered = facts::owners_unread();
                self.facts.unchecked.iter().filter(|word| **word != covered).cloned().collect()
            }
            _ => self.facts.failed(),
        };
        (!unchecked.is_empty()).then(|| format!("not checked: {}", unchecked.join("; ")))
    }

    /// The time that look-ups which only inform may still lose.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Takes in something more that could not be checked.
    pub fn note_unchecked(&mut self, what: String) {
        self.facts.unchecked.push(what);
    }

    /// What is known of the plan as a whole.
    pub fn facts(&self) -> &PlanSummary {
        &self.facts
    }

    /// Users to revoke.
    pub fn targets(&self) -> usize {
        self.drafted.targets.len()
    }

    /// Whether `me` is among them.
    pub fn names_me(&self) -> bool {
        self.drafted.targets.iter().any(|target| target.user == UserId::Me)
    }

    /// Whether the signed-in operator is among them, last of all.
    pub fn sends_operator(&self) -> bool {
        self.drafted.sends_operator
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
        self.drafted.first_invalid.as_deref()
    }

    /// Counts so far; the hash is empty until the plan is frozen.
    pub fn record(&self) -> PlanRecord {
        PlanRecord {
            rows: self.drafted.rows,
            targets: self.drafted.targets.len() as u32,
            left_out: self.drafted.left_out.clone(),
            external: self.drafted.external,
            selected: self.drafted.selected,
            sha256: String::new(),
        }
    }

    /// Writes the plan into a run folder with the order settled, and gives the targets in sending order. It is not synced here:
    /// [`RunFolder::sync`](crate::journal_path::RunFolder::sync) does that for all that stands before the first request.
    pub fn freeze(self, folder: &Dir) -> Result<FrozenPlan, PlanError> {
        let mut record = self.record();
        let order = SendingOrder::from_ranks(&self.drafted.ranks);
        let path = folder.file(PLAN_CSV);
        let out = folder.create_file(PLAN_CSV).map_err(|source| PlanError::write(&path, source))?;
        record.sha256 = file::write_plan(self.spool, &self.columns, &order.place_of, out, &path)?;
        let mut targets: Vec<Option<Target>> = self.drafted.targets.into_iter().map(Some).collect();
        let targets = order.sequence.iter().filter_map(|index| targets[*index as usize].take()).collect();
        Ok(FrozenPlan { targets, record, columns: self.columns, inputs: self.inputs })
    }

    /// Gives each row of the plan, in the input's order.
    pub fn for_each_row(
        self,
        mut visit: impl FnMut(&PlanRow) -> std::io::Result<()>,
    ) -> Result<(), PlanError> {
        let order = SendingOrder::from_ranks(&self.drafted.ranks);
        file::for_each_row(self.spool, &order.place_of, &mut visit)
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
