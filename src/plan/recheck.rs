//! Checks a plan again that was made earlier: users who are protected now are left out, and all others are
//! revoked as planned, in the same order.

use std::io;

use super::plan_builder::{DraftRows, SPOOL_IN_MEMORY, UNPROTECTED_NOTE};
use super::sending_order::TargetRank;
use super::{Draft, LeftOutReason, LookupStatus, PlanError, PlanRow, PlanSummary, Target, plan_csv};
use crate::event::TargetNo;
use crate::files::TemporaryFile;
use crate::intake::InputDigest;
use crate::journal::PlanRecord;
use crate::outcome::Outcome;
use crate::user_id::{UserId, names_external};

/// A plan file's data other than its rows.
#[derive(Clone, Debug)]
pub struct PlanMetadata {
    /// The inputs' own columns.
    pub columns: Vec<String>,
    /// The inputs that were read.
    pub inputs: Vec<InputDigest>,
    /// The counts.
    pub counts: PlanRecord,
    /// The facts about the plan as a whole.
    pub facts: PlanSummary,
}

/// The maximum number of names for each kind of change.
const MAX_NAMES: usize = 5;

/// What changed since a plan was made.
#[derive(Clone, Debug, Default)]
pub struct PlanChanges {
    /// Users who are protected now, with the reason. They are left out.
    pub protected: ChangedUsers,
    /// Users whose ID is not valid. They are left out.
    pub invalid: ChangedUsers,
    /// Users whom the directory does not know any more, or has deleted. They are revoked nevertheless.
    pub not_found: ChangedUsers,
    /// Users whose account was disabled. They are revoked nevertheless.
    pub disabled: ChangedUsers,
    /// Users for whom the directory and the plan have different names. The approver may have meant someone
    /// else.
    pub renamed: ChangedUsers,
    /// Users whose account type has changed: a member became a guest, or a guest became a member.
    pub changed_type: ChangedUsers,
    /// Users whose roles have changed.
    pub changed_roles: ChangedUsers,
    /// Users who are revoked although protected, while the plan's row does not say so.
    pub unprotected: ChangedUsers,
}

/// Users with the same change.
#[derive(Clone, Debug, Default)]
pub struct ChangedUsers {
    /// The number of users.
    pub users: u64,
    /// The first of them, by display name.
    pub names: Vec<String>,
}

impl ChangedUsers {
    fn add(&mut self, name: impl FnOnce() -> String) {
        self.users += 1;
        if self.names.len() < MAX_NAMES {
            self.names.push(name());
        }
    }
}

impl Draft {
    /// The plan as it was made.
    ///
    /// # Errors
    /// When a row can't be read or is not valid.
    pub fn from_plan_file(
        planned: PlanMetadata,
        rows: impl Iterator<Item = Result<PlanRow, PlanError>>,
    ) -> Result<Draft, PlanError> {
        let mut recheck = PlanRecheck::new(planned);
        for row in rows {
            let row = row?;
            let rank = row.order().map(rank_from_order);
            recheck.push(row, rank)?;
        }
        Ok(recheck.finish())
    }

    /// The plan as it would be applied now. `now` is a new plan of its targets, in sending order.
    ///
    /// # Errors
    /// When a row can't be read or is not valid.
    pub fn recheck(
        planned: PlanMetadata,
        rows: impl Iterator<Item = Result<PlanRow, PlanError>>,
        now: Draft,
    ) -> Result<(Draft, PlanChanges), PlanError> {
        let Draft { spool, notices, drafted_rows, facts, budget, .. } = now;
        let mut recheck = PlanRecheck::new(planned);
        recheck.update_summary(facts, &drafted_rows);
        (recheck.draft.notices, recheck.draft.budget) = (notices, budget);
        recheck.knows_roles = recheck.draft.facts.admins.is_some();
        let mut changes = PlanChanges::default();
        // Here the positions are the indexes themselves, so that each target's rank can be found by its
        // index.
        let indexes: Vec<TargetNo> = (0..drafted_rows.targets.len() as TargetNo).collect();
        let mut today = Vec::new();
        plan_csv::for_each_row(spool, &indexes, &mut |row| {
            today.push(CurrentRow::new(row));
            Ok(())
        })?;
        let mut today = CurrentRows::new(today);
        for row in rows {
            let mut row = row?;
            let Some(order) = row.order() else {
                recheck.push(row, None)?;
                continue;
            };
            let current = today.next_row(order).ok_or_else(damaged_plan_error)?;
            let rank = current.index.and_then(|index| drafted_rows.ranks.get(index as usize).copied());
            recheck.compare(&mut row, current, &mut changes);
            let rank = row.order().map(|order| rank.unwrap_or_else(|| rank_from_order(order)));
            recheck.push(row, rank)?;
        }
        Ok((recheck.finish(), changes))
    }
}

impl Draft {
    /// The targets of an earlier plan that are protected now, by their position in that plan, each with the
    /// reason. The draft must be one of those targets ([`super::InputRows::from_plan_targets`]).
    ///
    /// # Errors
    /// When a row can't be read back.
    pub fn currently_protected(self) -> Result<Vec<(TargetNo, String)>, PlanError> {
        let indexes: Vec<TargetNo> = (0..self.drafted_rows.targets.len() as TargetNo).collect();
        let mut protected = Vec::new();
        plan_csv::for_each_row(self.spool, &indexes, &mut |row| {
            let CurrentRow { order, protected: why, .. } = CurrentRow::new(row);
            protected.extend(why.map(|why| (order, why.into_string())));
            Ok(())
        })?;
        Ok(protected)
    }
}

/// The relevant state of a target now.
struct CurrentRow {
    order: TargetNo,
    index: Option<TargetNo>,
    protected: Option<Box<str>>,
    /// Why its ID is not valid, if so.
    invalid: Option<Box<str>>,
    /// The note on the target, such as that the user is not in the directory.
    note: Option<Box<str>>,
    enabled: Option<bool>,
    guest: Option<bool>,
    roles: Box<str>,
    /// User principal name and display name.
    names: [Box<str>; 2],
}

impl CurrentRow {
    fn new(row: &PlanRow) -> CurrentRow {
        let left_out = |outcome: Outcome| {
            let left_out = row.left_out.as_ref().filter(|left_out| left_out.outcome == outcome);
            left_out.map(|left_out| left_out.detail.as_str().into())
        };
        CurrentRow {
            order: row.line.parse().unwrap_or_default(),
            index: row.index,
            protected: left_out(Outcome::Protected),
            invalid: left_out(Outcome::Invalid),
            note: Some(row.note.as_str()).filter(|note| !note.is_empty()).map(Into::into),
            enabled: row.enabled,
            guest: row.guest,
            roles: row.roles.as_str().into(),
            names: [&row.user_principal_name, &row.display_name].map(|name| name.as_str().into()),
        }
    }
}

/// The state of all targets now, by their position in the sending order.
struct CurrentRows(Vec<Option<CurrentRow>>);

impl CurrentRows {
    fn new(mut all: Vec<CurrentRow>) -> CurrentRows {
        all.sort_by_key(|today| today.order);
        CurrentRows(all.into_iter().map(Some).collect())
    }

    fn next_row(&mut self, order: TargetNo) -> Option<CurrentRow> {
        let slot = self.0.get_mut((order as usize).checked_sub(1)?)?;
        slot.take().filter(|today| today.order == order)
    }
}

/// The plan while its rows are added.
struct PlanRecheck {
    draft: Draft,
    /// Whether each target was looked up when the plan was made.
    planned_with_lookup: bool,
    /// Whether the current roles are known.
    knows_roles: bool,
}

impl PlanRecheck {
    fn new(planned: PlanMetadata) -> PlanRecheck {
        let PlanMetadata { columns, inputs, counts, facts } = planned;
        let spool = TemporaryFile::new(SPOOL_IN_MEMORY);
        let spool = csv::WriterBuilder::new().has_headers(false).from_writer(spool);
        let drafted_rows = DraftRows { selected: counts.selected, ..DraftRows::default() };
        PlanRecheck {
            planned_with_lookup: facts.resolution == LookupStatus::Full,
            knows_roles: false,
            draft: Draft {
                spool,
                columns,
                inputs,
                notices: Vec::new(),
                drafted_rows,
                facts,
                closed: Default::default(),
                tenant_column: None,
                budget: Default::default(),
            },
        }
    }

    /// Replaces the facts by the current ones. The selection, the shard and the users who were protected from
    /// the start stay.
    fn update_summary(&mut self, now: PlanSummary, drafted_rows: &DraftRows) {
        let planned = std::mem::take(&mut self.draft.facts);
        let protected = planned.protected.into_iter().chain(now.protected).collect();
        let (selection, sharded) = (planned.selection, planned.shard);
        self.draft.facts = PlanSummary { selection, shard: sharded, protected, ..now };
        self.draft.drafted_rows.includes_operator = drafted_rows.includes_operator;
    }

    /// Compares a row with the state of its target now, and updates the row.
    fn compare(&mut self, row: &mut PlanRow, current: CurrentRow, changes: &mut PlanChanges) {
        if let Some(rename) = self.describe_rename(row, &current.names) {
            changes.renamed.add(|| rename);
        }
        let [upn, name] = &current.names;
        if !upn.is_empty() {
            // The operator must see the directory's name for the ID, not the one in a file.
            row.user_principal_name = upn.as_ref().into();
            row.display_name = name.as_ref().into();
            row.external = Some(names_external(upn));
        }
        if let Some(why) = current.protected {
            changes.protected.add(|| format!("{} ({why})", row_name(row)));
            row.left_out =
                Some(LeftOutReason::new(Outcome::Protected, format!("{why} (since the plan was made)")));
            row.index = None;
            return;
        }
        if let Some(why) = current.invalid {
            changes.invalid.add(|| format!("{} ({why})", row_name(row)));
            row.left_out = Some(LeftOutReason::new(Outcome::Invalid, why.into()));
            row.index = None;
            return;
        }
        self.compare_account(row, &current, changes);
        match current.note {
            Some(note) if note.starts_with(UNPROTECTED_NOTE) && !row.note.starts_with(UNPROTECTED_NOTE) => {
                changes.unprotected.add(|| format!("{} ({note})", row_name(row)));
                row.note = note.into();
            }
            Some(note) if row.note.is_empty() => {
                changes.not_found.add(|| format!("{} ({note})", row_name(row)));
                row.note = note.into();
            }
            _ => {}
        }
        if row.enabled != Some(false) && current.enabled == Some(false) {
            if row.enabled == Some(true) {
                changes.disabled.add(|| row_name(row));
            }
            row.enabled = Some(false);
        }
    }

    /// Compares the account type and the roles.
    fn compare_account(&self, row: &mut PlanRow, current: &CurrentRow, changes: &mut PlanChanges) {
        if current.guest.is_some() && row.guest != current.guest {
            if row.guest.is_some() {
                let kind = if current.guest == Some(true) { "a guest" } else { "a member" };
                changes.changed_type.add(|| format!("{} is {kind}", row_name(row)));
            }
            row.guest = current.guest;
        }
        if self.knows_roles && *row.roles != *current.roles {
            let now = if current.roles.is_empty() { "none" } else { &current.roles };
            changes.changed_roles.add(|| format!("{} ({now})", row_name(row)));
            row.roles = current.roles.as_ref().into();
        }
    }

    /// Describes the difference between the plan's names for a user and the directory's names for the ID, if
    /// there is one.
    fn describe_rename(&self, row: &PlanRow, [upn, name]: &[Box<str>; 2]) -> Option<String> {
        let is_known = !upn.is_empty() || !name.is_empty();
        let by_id = matches!(row.user_id.parse(), Ok(UserId::Object(_)));
        let (mut planned_upn, planned_name) = (row.user_principal_name.as_str(), row.display_name.as_str());
        if planned_upn.is_empty() && planned_name.is_empty() && by_id {
            match UserId::parse_lenient(&row.input) {
                // The row has a user principal name, and nothing shows that the ID belongs to it.
                Ok(UserId::Principal(_)) => planned_upn = &row.input,
                _ if self.planned_with_lookup && is_known => {
                    return Some(format!(
                        "{} has no name in the plan, but is {} in the directory",
                        row.user_id,
                        full_name(upn, name)
                    ));
                }
                _ => return None,
            }
            if !is_known {
                return Some(format!("{planned_upn} is {}, which can't be resolved", row.user_id));
            }
        }
        let differs = |planned: &str, now: &str| !planned.is_empty() && !now.is_empty() && planned != now;
        // User principal names are compared like IDs, ignoring case.
        if differs(&planned_upn.to_lowercase(), &upn.to_lowercase()) {
            return Some(format!("{planned_upn} is {}", if upn.is_empty() { name } else { upn }));
        }
        differs(planned_name, name)
            .then(|| format!("{} is {}", full_name(planned_upn, planned_name), full_name(upn, name)))
    }

    fn push(&mut self, mut row: PlanRow, rank: Option<TargetRank>) -> Result<(), PlanError> {
        let drafted_rows = &mut self.draft.drafted_rows;
        drafted_rows.rows += 1;
        match (rank, &row.left_out) {
            (Some(rank), None) => {
                let user: UserId = row.user_id.parse().map_err(|_| damaged_plan_error())?;
                row.index = Some(drafted_rows.targets.len() as TargetNo);
                let administrator = row.is_administrator();
                drafted_rows.targets.push(Target { user, external: row.external, tenant: 0, administrator });
                drafted_rows.ranks.push(rank);
                drafted_rows.external += u64::from(row.external == Some(true));
            }
            (None, Some(left_out)) => {
                *drafted_rows.left_out.entry(left_out.outcome).or_default() += 1;
                if left_out.outcome == Outcome::Invalid && drafted_rows.first_invalid.is_none() {
                    drafted_rows.first_invalid = Some(format!("line {}: {}", row.line, left_out.detail));
                }
            }
            _ => return Err(damaged_plan_error()),
        }
        row.write(&mut self.draft.spool).map_err(PlanError::spool_error)
    }

    fn finish(self) -> Draft {
        self.draft
    }
}

fn rank_from_order(order: TargetNo) -> TargetRank {
    TargetRank::new(None, false, i64::from(order))
}

/// Both names of a user.
fn full_name(upn: &str, name: &str) -> String {
    match (upn, name) {
        ("", only) | (only, "") => only.to_owned(),
        (upn, name) => format!("{name} ({upn})"),
    }
}

fn row_name(row: &PlanRow) -> String {
    row.display_name().to_owned()
}

fn damaged_plan_error() -> PlanError {
    let source = io::Error::other("a row of the plan is not valid");
    PlanError::Write { what: "the plan again".to_owned(), source }
}
