//! Computes the counts and facts of a plan again from its rows. A plan that is read back is compared with
//! them, so that no one approves numbers and names that do not belong to the IDs that are revoked.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;

use super::plan_builder::{DELETED_NOTE, MAX_PROTECTED_LISTED, MISSING_NOTE, UNPROTECTED_NOTE};
use super::sending_order::MAX_NAMED;
use super::{PlanMetadata, PlanRow, PlanSummary, PlanTenantFacts};
use crate::event::TargetNo;
use crate::journal::OutcomeCounts;
use crate::outcome::Outcome;
use crate::user_id::{UserId, names_external};

/// A value in a plan that contradicts its rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}, found {found}")]
pub struct FieldMismatch {
    /// The path of the value, such as `facts.guests`.
    pub field: String,
    /// The value from the rows.
    pub expected: String,
    /// The value in the plan.
    pub found: String,
}

impl FieldMismatch {
    /// A difference in this field.
    pub(crate) fn new(
        field: impl Into<String>,
        expected: impl Into<String>,
        found: impl Debug,
    ) -> FieldMismatch {
        FieldMismatch { field: field.into(), expected: expected.into(), found: format!("{found:?}") }
    }
}

/// Counts and names, computed row by row.
#[derive(Debug, Default)]
pub struct PlanRecount {
    /// The number of targets in the plan's counts. No position may be higher.
    targets: u32,
    /// The positions of the sending order that are taken.
    taken_positions: Vec<bool>,
    /// The users who are revoked.
    users: HashSet<UserId>,
    /// The users of rows that are left out as duplicates.
    duplicates: HashSet<UserId>,
    rows: u64,
    target_count: u32,
    left_out: OutcomeCounts,
    external: u64,
    /// The number of rows by the source in their line.
    sources: BTreeMap<String, u64>,
    guests: u64,
    synced: u64,
    disabled: u64,
    missing: u64,
    deleted: u64,
    administrators: u64,
    /// The number of targets by the text in `roles`.
    roles: BTreeMap<String, u64>,
    protected: Vec<(String, String)>,
    protected_users: HashSet<String>,
    unprotected: Vec<(String, String)>,
    named_targets: BTreeMap<TargetNo, String>,
}

impl PlanRecount {
    /// Starts a recount. `rows` is the real number of rows, so that no memory is allocated for more targets
    /// than that.
    ///
    /// # Errors
    /// When the plan's counts can't be right for that number of rows.
    pub fn new(planned: &PlanMetadata, rows: u64) -> Result<PlanRecount, FieldMismatch> {
        let counts = &planned.counts;
        check_equal("counts.rows", rows, counts.rows)?;
        if u64::from(counts.targets) > rows {
            return Err(FieldMismatch::new("counts.targets", format!("at most {rows}"), counts.targets));
        }
        let taken = vec![false; counts.targets as usize];
        Ok(PlanRecount { targets: counts.targets, taken_positions: taken, ..PlanRecount::default() })
    }

    /// Adds the next row.
    ///
    /// # Errors
    /// When it contradicts itself or another row.
    pub fn add(&mut self, row: &PlanRow) -> Result<(), FieldMismatch> {
        self.rows += 1;
        let field = |name: &str| format!("rows[{}].{name}", self.rows - 1);
        let source = row.line.rsplit_once(':').map_or("", |(source, _)| source);
        *self.sources.entry(source.to_owned()).or_default() += 1;
        if !row.tenant.is_empty() {
            return Err(FieldMismatch::new(
                field("tenant"),
                "none, because a plan is for one tenant",
                &row.tenant,
            ));
        }
        match (row.order(), &row.left_out) {
            (Some(order), None) => self.add_target(row, order),
            (None, Some(left_out)) => {
                let outcome = left_out.outcome;
                if !matches!(
                    outcome,
                    Outcome::Protected | Outcome::Excluded | Outcome::Duplicate | Outcome::Invalid
                ) {
                    let expected = "protected, excluded, duplicate or invalid";
                    return Err(FieldMismatch::new(field("left_out.outcome"), expected, outcome.word()));
                }
                *self.left_out.entry(outcome).or_default() += 1;
                match outcome {
                    Outcome::Protected => self.add_protected(row, &left_out.detail),
                    Outcome::Duplicate => {
                        let user = row.user_id.parse();
                        let user = user.map_err(|_| {
                            FieldMismatch::new(field("user_id"), "the user ID of another row", &row.user_id)
                        })?;
                        self.duplicates.insert(user);
                    }
                    _ => {}
                }
                Ok(())
            }
            (order, left_out) => {
                let found = (order, left_out.as_ref().map(|left_out| left_out.outcome.word()));
                Err(FieldMismatch::new(
                    field("order"),
                    "a position, or a reason why the row is left out",
                    found,
                ))
            }
        }
    }

    fn add_target(&mut self, row: &PlanRow, order: TargetNo) -> Result<(), FieldMismatch> {
        let field = |name: &str| format!("rows[{}].{name}", self.rows - 1);
        let place = (order as usize).checked_sub(1).and_then(|at| self.taken_positions.get_mut(at));
        match place.filter(|taken| !**taken) {
            Some(place) => *place = true,
            None => {
                let expected = format!("a position from 1 to {} that no other row has", self.targets);
                return Err(FieldMismatch::new(field("order"), expected, order));
            }
        }
        self.target_count += 1;
        let user: UserId = match row.user_id.parse() {
            Ok(UserId::Me) | Err(_) => {
                return Err(FieldMismatch::new(field("user_id"), "a user ID", &row.user_id));
            }
            Ok(user) => user,
        };
        // An object ID in the input is the account itself, whatever name the directory has for it. Without
        // the directory, the ID in the input is the one that is revoked.
        let given = UserId::parse_lenient(&row.input).ok();
        let is_given = given.as_ref() == Some(&user);
        let by_input = matches!(user, UserId::Principal(_)) || matches!(given, Some(UserId::Object(_)));
        if by_input && !is_given {
            let expected = given.map_or_else(|| "an object ID".to_owned(), |given| given.to_string());
            return Err(FieldMismatch::new(field("user_id"), expected, &row.user_id));
        }
        if !self.users.insert(user) {
            return Err(FieldMismatch::new(
                field("user_id"),
                "a user that no other row revokes",
                &row.user_id,
            ));
        }
        if !row.user_principal_name.is_empty() {
            let external = names_external(&row.user_principal_name);
            if row.external != Some(external) {
                return Err(FieldMismatch::new(field("external"), external.to_string(), row.external));
            }
        }
        self.external += u64::from(row.external == Some(true));
        self.guests += u64::from(row.guest == Some(true));
        self.synced += u64::from(row.synced == Some(true));
        self.disabled += u64::from(row.enabled == Some(false));
        if row.is_administrator() {
            self.administrators += 1;
            *self.roles.entry(row.roles.clone()).or_default() += 1;
        }
        let mut note = row.note.as_str();
        for (end, count) in [(MISSING_NOTE, &mut self.missing), (DELETED_NOTE, &mut self.deleted)] {
            if let Some(before) = note.strip_suffix(end) {
                *count += 1;
                note = before.trim_end_matches("; ");
            }
        }
        if let Some(reasons) = note.strip_prefix(UNPROTECTED_NOTE) {
            self.unprotected.push((row.display_name().to_owned(), reasons.to_owned()));
        }
        let shown = MAX_NAMED as u32;
        if order <= shown || order > self.targets.saturating_sub(shown) {
            self.named_targets.insert(order, row.display_name().to_owned());
        }
        Ok(())
    }

    fn add_protected(&mut self, row: &PlanRow, why: &str) {
        if self.protected.len() < MAX_PROTECTED_LISTED && self.protected_users.insert(row.user_id.clone()) {
            self.protected.push((row.display_name().to_owned(), why.to_owned()));
        }
    }

    /// Compares the plan with the values from its rows.
    ///
    /// # Errors
    /// With the first difference.
    pub fn compare(self, planned: &PlanMetadata) -> Result<(), FieldMismatch> {
        let PlanMetadata { counts, facts, inputs, .. } = planned;
        check_equal("counts.rows", self.rows, counts.rows)?;
        check_equal("counts.targets", self.target_count, counts.targets)?;
        check_equal("counts.left_out", &self.left_out, &counts.left_out)?;
        check_equal("counts.external", self.external, counts.external)?;
        check_equal("counts.sha256", "", counts.sha256.as_str())?;
        let inputs: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let files: Vec<&str> = facts.selection.iter().take(inputs.len()).map(String::as_str).collect();
        check_equal("facts.selection", &inputs, &files)?;
        check_equal("counts.selected", self.selected_rows(&inputs, facts), counts.selected)?;
        if let Some(user) = self.duplicates.iter().find(|user| !self.users.contains(user)) {
            return Err(FieldMismatch::new(
                "rows",
                "a row that revokes the same user as the duplicate",
                user.to_string(),
            ));
        }
        check_equal("facts.missing", self.missing, facts.missing)?;
        check_equal("facts.deleted", self.deleted, facts.deleted)?;
        check_equal("facts.guests", self.guests, facts.guests)?;
        check_equal("facts.synced", self.synced, facts.synced)?;
        check_equal("facts.disabled", self.disabled, facts.disabled)?;
        check_equal("facts.administrators", self.administrators, facts.administrators)?;
        self.compare_roles(facts)?;
        check_equal("facts.protected", &self.protected, &facts.protected)?;
        check_equal("facts.unprotected", &self.unprotected, &facts.unprotected)?;
        let names = |from: TargetNo, to: TargetNo| -> Vec<&String> {
            self.named_targets.range(from..to).map(|(_, name)| name).collect()
        };
        let first = MAX_NAMED as u32 + 1;
        check_equal("facts.first", names(1, first), facts.first.iter().collect::<Vec<_>>())?;
        check_equal("facts.last", names(first, TargetNo::MAX), facts.last.iter().collect::<Vec<_>>())?;
        check_equal("facts.tenants", &Vec::<PlanTenantFacts>::new(), &facts.tenants)?;
        self.compare_lists(facts)
    }

    /// The number of rows from selections: those whose line does not name an input.
    fn selected_rows(&self, inputs: &[&str], facts: &PlanSummary) -> u64 {
        // With a single input, lines are plain numbers.
        if inputs.len() == 1 && facts.selection.len() == 1 {
            return 0;
        }
        let other = self.sources.iter().filter(|(source, _)| !inputs.contains(&source.as_str()));
        other.map(|(_, rows)| rows).sum()
    }

    /// Compares the roles. A row has all roles of its target as one text. If roles were not read, no row may
    /// have any.
    fn compare_roles(&self, facts: &PlanSummary) -> Result<(), FieldMismatch> {
        let Some(planned_roles) = &facts.admins else {
            return match self.roles.is_empty() {
                true => Ok(()),
                false => Err(FieldMismatch::new("facts.admins", format!("{:?}", self.roles), "none")),
            };
        };
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        for (text, users) in &self.roles {
            for role in split_roles(text, planned_roles) {
                *found.entry(role.to_owned()).or_default() += users;
            }
        }
        check_equal("facts.admins", &found, planned_roles)?;
        match facts.global_administrators {
            Some((among, all)) if among > all || among > u64::from(self.target_count) => {
                let expected = format!("at most {all} and at most {}", self.target_count);
                Err(FieldMismatch::new("facts.global_administrators", expected, among))
            }
            _ => Ok(()),
        }
    }

    fn compare_lists(&self, facts: &PlanSummary) -> Result<(), FieldMismatch> {
        for (at, list) in facts.lists.iter().enumerate() {
            let field = |name: &str| format!("facts.lists[{at}].{name}");
            let entries = list.accounts.checked_add(list.groups).and_then(|sum| sum.checked_add(list.roles));
            let expected = entries.map_or("a smaller sum".to_owned(), |sum| sum.to_string());
            if entries != Some(list.entries) {
                return Err(FieldMismatch::new(field("entries"), expected, list.entries));
            }
        }
        Ok(())
    }
}

/// Splits the text of a row into roles. A role's own name may contain the separator.
fn split_roles<'a>(text: &'a str, known: &BTreeMap<String, u64>) -> Vec<&'a str> {
    let (mut rest, mut found) = (text, Vec::new());
    while !rest.is_empty() {
        let ends = |role: &&String| rest[role.len()..].is_empty() || rest[role.len()..].starts_with("; ");
        let begun = known.keys().filter(|role| !role.is_empty() && rest.starts_with(role.as_str()));
        let length = begun.filter(ends).map(String::len).max();
        let length = length.unwrap_or_else(|| rest.find("; ").unwrap_or(rest.len()));
        found.push(&rest[..length]);
        rest = rest[length..].strip_prefix("; ").unwrap_or_default();
    }
    found
}

fn check_equal<T: PartialEq + Debug>(field: &str, expected: T, found: T) -> Result<(), FieldMismatch> {
    match expected == found {
        true => Ok(()),
        false => Err(FieldMismatch::new(field, format!("{expected:?}"), found)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_name_may_contain_the_separator() {
        let known = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        assert_eq!(split_roles("A; B", &known(&["A", "B"])), ["A", "B"]);
        assert_eq!(split_roles("A; B; C", &known(&["A; B", "C", "A"])), ["A; B", "C"]);
        assert_eq!(split_roles("AB; B", &known(&["A"])), ["AB", "B"]);
        assert!(split_roles("", &known(&["A"])).is_empty());
    }
}
