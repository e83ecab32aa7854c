//! Decides for each row whether it becomes a target or is left out.

use std::collections::HashSet;

use super::dedup_index::DedupIndex;
use super::directory_source::{user_display_name, user_ids};
use super::guard::{Guard, OPERATOR_REASON, RowIds};
use super::row_origin::{RowOrigin, SourceNames};
use super::sending_order::{FirstLastNames, FirstTargets, TargetRank};
use super::{AccountFilter, LeftOutReason, PlanError, PlanRow, PlanSummary, Target};
use crate::directory::{DirectoryError, DirectoryUser, Permission, PrivilegedUsers, ResolvedId};
use crate::event::TenantIndex;
use crate::files::TemporaryFile;
use crate::intake::{InputRow, RowStatus};
use crate::journal::{ListRecord, OutcomeCounts};
use crate::outcome::Outcome;
use crate::user_id::{InvalidUserId, UserId, explain, names_external, unwrap_address};

/// The maximum size of rows in memory, in bytes. Beyond it, they are in a temporary file.
pub(super) const SPOOL_IN_MEMORY: usize = 4 << 20;

/// The priority of a row without one: after all others.
const NO_PRIORITY: i64 = i64::MAX;

/// The maximum number of protected users in the summary. The plan file lists all of them.
pub(super) const MAX_PROTECTED_LISTED: usize = 1_000;

/// Notes on targets that the directory does not know, that are deleted, or that are revoked although
/// protected. They are part of the format of plan files: `recount` searches plan files for them, including files of
/// older versions.
pub(super) const MISSING_NOTE: &str = "the directory knows no such user";
pub(super) const DELETED_NOTE: &str = "this user is deleted";
pub(super) const UNPROTECTED_NOTE: &str = "sent although it is protected (--unprotect): ";

/// The maximum number of users named in the notice about unknown users.
const MAX_MISSING_NAMED: usize = 3;

/// What is kept in memory while rows are added.
#[derive(Default)]
pub(super) struct DraftRows {
    pub(super) targets: Vec<Target>,
    pub(super) ranks: Vec<TargetRank>,
    pub(super) origins: Vec<RowOrigin>,
    pub(super) rows: u64,
    /// The number of rows from selections.
    pub(super) selected: u64,
    /// The number of rows and users of selections that belong to other shards.
    pub(super) other_shard_rows: u64,
    pub(super) left_out: OutcomeCounts,
    pub(super) external: u64,
    pub(super) first_invalid: Option<String>,
    pub(super) bad_priorities: u64,
    /// The first users whom the directory does not know, as the input names them.
    pub(super) missing: Vec<String>,
    /// Whether the signed-in operator is a target.
    pub(super) includes_operator: bool,
    /// Whether the signed-in operator was left out by default.
    pub(super) skips_operator: bool,
}

/// The rules that decide about the rows of one tenant.
#[derive(Default)]
pub(super) struct RowRules {
    pub(super) guard: Guard,
    pub(super) first: FirstTargets,
    pub(super) admins: Option<PrivilegedUsers>,
    pub(super) account_filter: AccountFilter,
    /// Whether the directory returns account types.
    pub(super) knows_account_types: bool,
    pub(super) admins_first: bool,
}

impl RowRules {
    fn roles_of(&self, person: &DirectoryUser) -> Option<&[String]> {
        self.admins.as_ref()?.roles.get(&person.id).map(Vec::as_slice)
    }
}

/// The counts of one tenant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlanTenantCounts {
    pub(super) users: u64,
    /// The number of Global Administrators among them and in the tenant; `None` if roles are not known.
    pub(super) global_administrators: Option<(u64, u64)>,
}

/// A plan while rows are added.
pub(super) struct PlanBuilder {
    /// The rules of each tenant, in the order of the plan's tenants.
    rules: Vec<RowRules>,
    /// The name of each tenant in the plan.
    tenants: Vec<String>,
    /// The counts of each tenant.
    tenant_counts: Vec<PlanTenantCounts>,
    names: SourceNames,
    columns: usize,
    dedup_index: DedupIndex,
    first_last_names: FirstLastNames,
    protected: HashSet<(TenantIndex, UserId)>,
    pub(super) spool: csv::Writer<TemporaryFile>,
    pub(super) drafted_rows: DraftRows,
    pub(super) facts: PlanSummary,
}

/// A user who may become a target.
struct RowCandidate<'a> {
    /// The user's tenant.
    tenant: TenantIndex,
    /// The ID for the request.
    user: UserId,
    person: Option<&'a DirectoryUser>,
    /// All known IDs, `user` first.
    ids: Vec<UserId>,
    possible_ids: Vec<UserId>,
    is_me: bool,
    external_hint: Option<bool>,
    priority: Option<&'a str>,
    /// The directory's answer, if it did not find the user.
    unresolved: Option<&'a ResolvedId>,
}

impl PlanBuilder {
    /// Creates a builder for tenants with these rules and names. `columns` is the number of the input's own
    /// columns.
    pub(super) fn new(
        rules: Vec<RowRules>,
        tenants: Vec<String>,
        names: SourceNames,
        columns: usize,
        facts: PlanSummary,
    ) -> PlanBuilder {
        let spool = TemporaryFile::new(SPOOL_IN_MEMORY);
        let each = rules.iter().map(|rules| PlanTenantCounts {
            users: 0,
            // If the list of Global Administrators has gaps, those that are known count. If none is known,
            // the number is unknown.
            global_administrators: rules
                .admins
                .as_ref()
                .filter(|admins| {
                    !(admins.global_administrators_incomplete && admins.global_administrators.is_empty())
                })
                .map(|admins| (0, admins.global_administrators.len() as u64)),
        });
        PlanBuilder {
            tenant_counts: each.collect(),
            rules,
            tenants,
            names,
            columns,
            dedup_index: DedupIndex::default(),
            first_last_names: FirstLastNames::default(),
            protected: HashSet::new(),
            spool: csv::WriterBuilder::new().has_headers(false).from_writer(spool),
            drafted_rows: DraftRows::default(),
            facts,
        }
    }

    /// Decides about a row of a file. `tenant` is its tenant, or why it has none. `found` is the result of
    /// the look-up, if there was one.
    pub(super) fn add_row(
        &mut self,
        row: &InputRow,
        tenant: Result<TenantIndex, String>,
        found: Option<&ResolvedId>,
    ) -> Result<(), PlanError> {
        let origin = RowOrigin::new(row.source, row.line);
        let mut planned = PlanRow::from_row(row, &self.names.display_origin(origin).to_string());
        if let Ok(tenant) = tenant {
            planned.tenant.clone_from(&self.tenants[tenant as usize]);
        }
        let left_out = match &row.status {
            RowStatus::Excluded(why) => {
                if let Ok(tenant) = tenant {
                    self.add_alias(row, tenant);
                }
                Some(LeftOutReason::new(Outcome::Excluded, why.clone()))
            }
            RowStatus::Unreadable(why) => Some(LeftOutReason::new(Outcome::Invalid, why.clone())),
            RowStatus::Read => match tenant.and_then(|tenant| candidate_from_row(row, tenant, found)) {
                Ok(candidate) => self.decide(&candidate, &mut planned, origin)?,
                Err(why) => Some(LeftOutReason::new(Outcome::Invalid, why)),
            },
        };
        self.push(planned, left_out)
    }

    /// Adds the IDs of a row of another shard as aliases: if its user is on a list, these IDs are protected
    /// here too.
    pub(super) fn record_alias(&mut self, row: &InputRow, tenant: Option<TenantIndex>) {
        self.drafted_rows.other_shard_rows += 1;
        if let (false, Some(tenant)) = (matches!(row.status, RowStatus::Unreadable(_)), tenant) {
            self.add_alias(row, tenant);
        }
    }

    /// The same for a selected user of another shard.
    pub(super) fn record_user_alias(&mut self, person: &DirectoryUser) {
        self.drafted_rows.other_shard_rows += 1;
        self.rules[0].guard.add_aliases(&user_ids(person).collect::<Vec<UserId>>());
    }

    fn add_alias(&mut self, row: &InputRow, tenant: TenantIndex) {
        if let Ok(user) = UserId::parse_lenient(&row.id) {
            let others = row
                .other_ids
                .iter()
                .chain(&row.possible_ids)
                .filter_map(|text| UserId::parse_lenient(text).ok());
            let guard = &mut self.rules[tenant as usize].guard;
            guard.add_aliases(&std::iter::once(user).chain(others).collect::<Vec<UserId>>());
        }
    }

    /// Decides about a user of a selection.
    pub(super) fn add_user(&mut self, person: &DirectoryUser, origin: RowOrigin) -> Result<(), PlanError> {
        let id = UserId::Object(person.id);
        let mut planned = PlanRow {
            tenant: self.tenants[0].clone(),
            line: self.names.display_origin(origin).to_string(),
            input: person.upn.as_deref().map_or_else(|| id.to_string(), str::to_owned),
            cells: vec![String::new(); self.columns],
            ..PlanRow::default()
        };
        // There are selections only in runs of one tenant.
        let candidate = RowCandidate {
            tenant: 0,
            user: id,
            person: Some(person),
            ids: user_ids(person).collect(),
            possible_ids: Vec::new(),
            is_me: false,
            external_hint: None,
            priority: None,
            unresolved: None,
        };
        self.drafted_rows.selected += 1;
        let left_out = self.decide(&candidate, &mut planned, origin)?;
        self.push(planned, left_out)
    }

    /// Checks the rows against each other after the last one, and returns the plan.
    pub(super) fn finish(mut self) -> Result<BuiltPlan, PlanError> {
        let (seen, targets) = (&self.dedup_index, &self.drafted_rows.targets);
        for (tenant, rules) in (0..).zip(&self.rules) {
            rules.guard.reject_contradictions(|id| seen.is_alias_of_target(tenant, id, targets))?;
        }
        (self.facts.first, self.facts.last) = self.first_last_names.into_names();
        for list in self.rules.iter().flat_map(|rules| rules.guard.list_records()) {
            merge_list(&mut self.facts.lists, list);
        }
        Ok(BuiltPlan {
            spool: self.spool,
            drafted_rows: self.drafted_rows,
            facts: self.facts,
            tenant_counts: self.tenant_counts,
        })
    }

    fn push(&mut self, mut planned: PlanRow, left_out: Option<LeftOutReason>) -> Result<(), PlanError> {
        self.drafted_rows.rows += 1;
        if let Some(left_out) = left_out {
            *self.drafted_rows.left_out.entry(left_out.outcome).or_default() += 1;
            if left_out.outcome == Outcome::Invalid && self.drafted_rows.first_invalid.is_none() {
                self.drafted_rows.first_invalid = Some(format!("line {}: {}", planned.line, left_out.detail));
            }
            planned.left_out = Some(left_out);
        }
        planned.write(&mut self.spool).map_err(PlanError::spool_error)
    }

    fn decide(
        &mut self,
        candidate: &RowCandidate<'_>,
        planned: &mut PlanRow,
        origin: RowOrigin,
    ) -> Result<Option<LeftOutReason>, PlanError> {
        let RowCandidate { tenant, user, ids, possible_ids: perhaps, .. } = candidate;
        let rules = &mut self.rules[*tenant as usize];
        planned.user_id = user.to_string();
        if let Some(person) = candidate.person {
            planned.set_directory_attributes(person, rules.roles_of(person));
        }
        if let Some(left_out) = rules.guard.check(candidate.row_ids())? {
            self.record_protected(candidate, &left_out);
            return Ok(Some(left_out));
        }
        if let Some(why) = candidate
            .person
            .map(|person| rules.account_filter.reason(person, rules.knows_account_types))
            .transpose()?
            .flatten()
        {
            return Ok(Some(LeftOutReason::new(Outcome::Excluded, why.to_owned())));
        }
        // Duplicates are included, because their IDs are also IDs of the target.
        if !rules.guard.is_empty() {
            self.dedup_index.add_aliases(*tenant, ids.iter().filter(|id| *id != user).chain(perhaps));
        }
        if let Some(first) = self.dedup_index.find(*tenant, user, &self.drafted_rows.targets) {
            let line = self.names.display_origin(self.drafted_rows.origins[first as usize]);
            return Ok(Some(LeftOutReason::new(Outcome::Duplicate, format!("same user as on line {line}"))));
        }
        self.add_target(candidate, planned, origin);
        Ok(None)
    }

    fn add_target(&mut self, candidate: &RowCandidate<'_>, planned: &mut PlanRow, origin: RowOrigin) {
        let index = self.drafted_rows.targets.len() as u32;
        let rank = self.rank(candidate);
        planned.external = candidate.external();
        planned.priority = candidate.priority.unwrap_or_default().to_owned();
        planned.index = Some(index);
        planned.note = self.note(candidate, planned);
        self.count_target(candidate, planned.external);
        self.first_last_names.push(rank, index, || candidate.display_name());
        self.dedup_index.insert(candidate.tenant, &candidate.user, index, &self.drafted_rows.targets);
        self.drafted_rows.targets.push(Target {
            user: candidate.user.clone(),
            external: planned.external,
            tenant: candidate.tenant,
            administrator: planned.is_administrator(),
        });
        self.drafted_rows.ranks.push(rank);
        self.drafted_rows.origins.push(origin);
    }

    fn rank(&mut self, candidate: &RowCandidate<'_>) -> TargetRank {
        let priority = self.priority(candidate.priority);
        let rules = &self.rules[candidate.tenant as usize];
        if rules.guard.is_operator(&candidate.ids) {
            self.drafted_rows.includes_operator = true;
            return TargetRank::last();
        }
        let later =
            rules.admins_first && candidate.person.is_none_or(|person| rules.roles_of(person).is_none());
        TargetRank::new(rules.first.earliest_entry(&candidate.ids), later, priority)
    }

    fn priority(&mut self, text: Option<&str>) -> i64 {
        let text = text.unwrap_or_default().trim();
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                self.drafted_rows.bad_priorities += u64::from(!text.is_empty());
                NO_PRIORITY
            }
        }
    }

    /// The note on a target.
    fn note(&mut self, candidate: &RowCandidate<'_>, planned: &PlanRow) -> String {
        let mut notes = Vec::new();
        if let Some(reasons) = self.rules[candidate.tenant as usize].guard.unprotected_reasons(&candidate.ids)
        {
            notes.push(format!("{UNPROTECTED_NOTE}{reasons}"));
            self.facts.unprotected.push((candidate.display_name(), reasons));
        }
        let unknown = match candidate.unresolved {
            Some(ResolvedId::Missing) => {
                self.facts.missing += 1;
                MISSING_NOTE
            }
            Some(ResolvedId::Deleted(_)) => {
                self.facts.deleted += 1;
                DELETED_NOTE
            }
            _ => return notes.join("; "),
        };
        if self.drafted_rows.missing.len() < MAX_MISSING_NAMED {
            self.drafted_rows.missing.push(planned.input.clone());
        }
        notes.push(unknown.to_owned());
        notes.join("; ")
    }

    fn count_target(&mut self, candidate: &RowCandidate<'_>, external: Option<bool>) {
        self.drafted_rows.external += u64::from(external == Some(true));
        let each = &mut self.tenant_counts[candidate.tenant as usize];
        each.users += 1;
        let Some(person) = candidate.person else { return };
        let facts = &mut self.facts;
        facts.guests += u64::from(person.guest == Some(true));
        facts.synced += u64::from(person.synced == Some(true));
        facts.disabled += u64::from(person.enabled == Some(false));
        let Some(known) = &self.rules[candidate.tenant as usize].admins else { return };
        if let Some((global, _)) = &mut each.global_administrators {
            *global += u64::from(known.global_administrators.contains(&person.id));
        }
        let Some(roles) = known.roles.get(&person.id) else { return };
        facts.administrators += 1;
        for role in roles {
            *facts.admins.get_or_insert_default().entry(role.clone()).or_default() += 1;
        }
    }

    fn record_protected(&mut self, candidate: &RowCandidate<'_>, left_out: &LeftOutReason) {
        if left_out.outcome != Outcome::Protected {
            return;
        }
        self.drafted_rows.skips_operator |= left_out.detail == OPERATOR_REASON;
        if self.protected.len() < MAX_PROTECTED_LISTED
            && self.protected.insert((candidate.tenant, candidate.user.clone()))
        {
            self.facts.protected.push((candidate.display_name(), left_out.detail.clone()));
        }
    }
}

/// Merges the counts of a list in one tenant with those in others. Its entries are the same in all tenants.
fn merge_list(lists: &mut Vec<ListRecord>, list: ListRecord) {
    match lists.iter_mut().find(|known| known.list == list.list && known.name == list.name) {
        Some(known) if known.entries == list.entries => known.in_plan += list.in_plan,
        _ => lists.push(list),
    }
}

/// A plan after the last row.
pub(super) struct BuiltPlan {
    pub(super) spool: csv::Writer<TemporaryFile>,
    pub(super) drafted_rows: DraftRows,
    pub(super) facts: PlanSummary,
    pub(super) tenant_counts: Vec<PlanTenantCounts>,
}

impl RowCandidate<'_> {
    fn row_ids(&self) -> RowIds<'_> {
        RowIds { ids: &self.ids, possible_ids: &self.possible_ids, is_me: self.is_me }
    }

    fn display_name(&self) -> String {
        self.person.map_or_else(|| self.user.to_string(), user_display_name)
    }

    /// Whether the user's home is another tenant. The directory takes precedence over the row.
    fn external(&self) -> Option<bool> {
        if let Some(name) = self.person.and_then(|person| person.upn.as_deref()) {
            return Some(names_external(name));
        }
        if self.person.is_some_and(|person| person.guest == Some(true)) || self.external_hint == Some(true) {
            return Some(true);
        }
        self.user.is_external().or(self.external_hint)
    }
}

/// The user of a row, or why it has none.
fn candidate_from_row<'a>(
    row: &'a InputRow,
    tenant: TenantIndex,
    found: Option<&'a ResolvedId>,
) -> Result<RowCandidate<'a>, String> {
    let given = UserId::parse_lenient(&row.id);
    let (user, person) = match (found, &given) {
        (Some(ResolvedId::User(person)), _) => (UserId::Object(person.id), Some(person)),
        (Some(ResolvedId::Ambiguous(names)), _) => {
            return Err(format!("ambiguous: it may be any of {}; use an ID", names.join(", ")));
        }
        (_, Ok(user)) => match (user.check(), found) {
            (Ok(()), _) => (user.clone(), None),
            // The name is not in the directory and is not valid in Entra, so it is a typo.
            (Err(why), Some(_)) => {
                return Err(format!(
                    "the directory has no such user, and the name is not valid: {}",
                    explain(&row.id, &why)
                ));
            }
            (Err(why), None) => return Err(invalid_id_reason(&row.id, &why)),
        },
        (Some(_), Err(_)) => {
            return Err("no user has this name, mail address, alias or employee ID".to_owned());
        }
        (None, Err(why)) => return Err(invalid_id_reason(&row.id, why)),
    };
    let is_me = given == Ok(UserId::Me);
    let parsed = |texts: &'a [String]| texts.iter().filter_map(|text| UserId::parse_lenient(text).ok());
    let mut ids = vec![user.clone()];
    let others = person.into_iter().flat_map(user_ids).chain(given).chain(parsed(&row.other_ids));
    ids.extend(others.filter(|id: &UserId| *id != user));
    Ok(RowCandidate {
        tenant,
        user,
        person,
        ids,
        possible_ids: parsed(&row.possible_ids).collect(),
        is_me,
        external_hint: row.external_hint,
        priority: row.priority.as_deref(),
        unresolved: found.filter(|_| person.is_none()),
    })
}

/// Why a text is not a user ID, with a hint at `--resolve` if it may be another name.
fn invalid_id_reason(text: &str, why: &InvalidUserId) -> String {
    let other = match why {
        InvalidUserId::NeitherGuidNorName => " (--resolve also looks for other names)",
        _ if unwrap_address(text).is_some() => " (--resolve looks it up)",
        _ => "",
    };
    format!("not a user ID: {}{other}", explain(text, why))
}

impl AccountFilter {
    /// Why a user is left out by the filter, if so. If account types can be read but nothing is known about a
    /// user, that user no longer exists, and stays in like any unknown user.
    fn reason(
        &self,
        person: &DirectoryUser,
        knows_account_types: bool,
    ) -> Result<Option<&'static str>, PlanError> {
        if knows_account_types && person.upn.is_none() {
            return Ok(None);
        }
        let unknown = |what: &str| DirectoryError::Forbidden {
            what: format!("whether {} is {what}", user_display_name(person)),
            permission: Permission::Users,
            detail: "Graph's answer does not include it".to_owned(),
        };
        if let Some(guests) = self.guests {
            match (person.guest.ok_or_else(|| unknown("a guest"))?, guests) {
                (true, false) => return Ok(Some("a guest (--members-only)")),
                (false, true) => return Ok(Some("not a guest (--guests-only)")),
                _ => {}
            }
        }
        let disabled = self.enabled && !person.enabled.ok_or_else(|| unknown("enabled"))?;
        Ok(disabled.then_some("a disabled account (--enabled-only)"))
    }
}
