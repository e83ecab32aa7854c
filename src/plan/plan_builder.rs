//! What becomes of each row, one after the other.

use std::collections::HashSet;

use super::dedup_index::DedupIndex;
use super::directory_source::{ids_of, user_display_name};
use super::guard::{Guard, OPERATOR_REASON, RowIds};
use super::row_origin::{RowOrigin, SourceNames};
use super::sending_order::{FirstTargets, HeadTail, TargetRank};
use super::{AccountFilter, LeftOutReason, PlanError, PlanRow, PlanSummary, Target};
use crate::directory::{DirectoryError, DirectoryUser, Permission, PrivilegedUsers, ResolvedId};
use crate::event::TenantIndex;
use crate::files::TemporaryFile;
use crate::intake::{InputRow, RowStatus};
use crate::journal::{ListRecord, OutcomeCounts};
use crate::outcome::Outcome;
use crate::user_id::{InvalidUserId, UserId, explain, names_external, unwrap_address};

/// Rows are kept in memory up to this size, in bytes, and in a temporary file beyond.
pub(super) const SPOOL_IN_MEMORY: usize = 4 << 20;

/// Sent after everybody who has a priority.
const NO_PRIORITY: i64 = i64::MAX;

/// Protected persons whom the facts name; the plan has them all.
pub(super) const MAX_PROTECTED_LISTED: usize = 1_000;

/// What is said of a target whom the directory does not know, or has deleted, or who is sent although protected.
pub(super) const MISSING_NOTE: &str = "the directory knows no such user";
pub(super) const DELETED_NOTE: &str = "this user is deleted";
pub(super) const UNPROTECTED_NOTE: &str = "sent although it is protected (--unprotect): ";

/// Missing users whom the notice names.
const MAX_MISSING_NAMED: usize = 3;

/// What is kept in memory while rows come in.
#[derive(Default)]
pub(super) struct DraftedRows {
    pub(super) targets: Vec<Target>,
    pub(super) ranks: Vec<TargetRank>,
    pub(super) origins: Vec<RowOrigin>,
    pub(super) rows: u64,
    /// Rows that selections gave.
    pub(super) selected: u64,
    /// Rows, and users of selections, that are in other shards.
    pub(super) other_shard_rows: u64,
    pub(super) left_out: OutcomeCounts,
    pub(super) external: u64,
    pub(super) first_invalid: Option<String>,
    pub(super) bad_priorities: u64,
    /// The first users whom the directory does not know, as they were named.
    pub(super) missing: Vec<String>,
    /// Whether the signed-in operator is a target.
    pub(super) includes_operator: bool,
    /// Whether the signed-in operator was left out unasked.
    pub(super) skips_operator: bool,
}

/// By which rules rows are sorted.
#[derive(Default)]
pub(super) struct RowRules {
    pub(super) guard: Guard,
    pub(super) first: FirstTargets,
    pub(super) admins: Option<PrivilegedUsers>,
    pub(super) account_filter: AccountFilter,
    /// Whether the directory tells what kind of account somebody has.
    pub(super) knows_account_types: bool,
    pub(super) admins_first: bool,
}

impl RowRules {
    fn roles_of(&self, person: &DirectoryUser) -> Option<&[String]> {
        self.admins.as_ref()?.roles.get(&person.id).map(Vec::as_slice)
    }
}

/// What is counted of one tenant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlanTenantCounts {
    pub(super) users: u64,
    /// Global Administrators among them, and those that the tenant has; none where roles are not known.
    pub(super) global_administrators: Option<(u64, u64)>,
}

/// A plan while rows come in.
pub(super) struct PlanBuilder {
    /// Those of each tenant, in the order of the plan's.
    rules: Vec<RowRules>,
    /// What each is called in the plan.
    tenants: Vec<String>,
    /// What is counted of each alone.
    tenant_counts: Vec<PlanTenantCounts>,
    names: SourceNames,
    columns: usize,
    dedup_index: DedupIndex,
    head_tail: HeadTail,
    protected: HashSet<(TenantIndex, UserId)>,
    pub(super) spool: csv::Writer<TemporaryFile>,
    pub(super) drafted_rows: DraftedRows,
    pub(super) facts: PlanSummary,
}

/// Somebody who may become a target.
struct RowCandidate<'a> {
    /// In which tenant.
    tenant: TenantIndex,
    /// The id to send by.
    user: UserId,
    person: Option<&'a DirectoryUser>,
    /// All ids that are known, `user` first.
    ids: Vec<UserId>,
    possible_ids: Vec<UserId>,
    is_me: bool,
    external_hint: Option<bool>,
    priority: Option<&'a str>,
    /// What the directory said where it knows nobody.
    unresolved: Option<&'a ResolvedId>,
}

impl PlanBuilder {
    /// For rows with so many columns of their own, in tenants with these rules and keys.
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
            // Of a list with gaps, those who are known count; none of them tells nothing.
            global_administrators: rules
                .admins
                .as_ref()
                .filter(|admins| !(admins.global_unsure && admins.global.is_empty()))
                .map(|admins| (0, admins.global.len() as u64)),
        });
        PlanBuilder {
            tenant_counts: each.collect(),
            rules,
            tenants,
            names,
            columns,
            dedup_index: DedupIndex::default(),
            head_tail: HeadTail::default(),
            protected: HashSet::new(),
            spool: csv::WriterBuilder::new().has_headers(false).from_writer(spool),
            drafted_rows: DraftedRows::default(),
            facts,
        }
    }

    /// Decides what becomes of a file's row in its tenant, or why it has none; `found` is whom the directory knows by it,
    /// where that was asked.
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
        let left_out = match &row.verdict {
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

    /// Takes in what a row of another shard calls its user: whoever is listed is so under that id here, too.
    pub(super) fn record_alias(&mut self, row: &InputRow, tenant: Option<TenantIndex>) {
        self.drafted_rows.other_shard_rows += 1;
        if let (false, Some(tenant)) = (matches!(row.verdict, RowStatus::Unreadable(_)), tenant) {
            self.add_alias(row, tenant);
        }
    }

    /// The same of a user of another shard.
    pub(super) fn record_user_alias(&mut self, person: &DirectoryUser) {
        self.drafted_rows.other_shard_rows += 1;
        self.rules[0].guard.add_aliases(&ids_of(person).collect::<Vec<UserId>>());
    }

    fn add_alias(&mut self, row: &InputRow, tenant: TenantIndex) {
        if let Ok(user) = UserId::read(&row.id) {
            let others = row.also.iter().chain(&row.perhaps).filter_map(|text| UserId::read(text).ok());
            let guard = &mut self.rules[tenant as usize].guard;
            guard.add_aliases(&std::iter::once(user).chain(others).collect::<Vec<UserId>>());
        }
    }

    /// Decides what becomes of somebody whom a selection found.
    pub(super) fn add_user(&mut self, person: &DirectoryUser, origin: RowOrigin) -> Result<(), PlanError> {
        let id = UserId::Object(person.id);
        let mut planned = PlanRow {
            tenant: self.tenants[0].clone(),
            line: self.names.display_origin(origin).to_string(),
            input: person.upn.as_deref().map_or_else(|| id.to_string(), str::to_owned),
            cells: vec![String::new(); self.columns],
            ..PlanRow::default()
        };
        // Selections are of one tenant alone.
        let candidate = RowCandidate {
            tenant: 0,
            user: id,
            person: Some(person),
            ids: ids_of(person).collect(),
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

    /// Looks back once all rows are in, and gives the facts.
    pub(super) fn finish(mut self) -> Result<BuiltPlan, PlanError> {
        let (seen, targets) = (&self.dedup_index, &self.drafted_rows.targets);
        for (tenant, rules) in (0..).zip(&self.rules) {
            rules.guard.detect_contradictions(|id| seen.is_alias_of_target(tenant, id, targets))?;
        }
        (self.facts.first, self.facts.last) = self.head_tail.into_names();
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
        if let Some(left_out) = rules.guard.check(candidate.guarded_id())? {
            self.note_protected(candidate, &left_out);
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
        // Of duplicates, too: what they call their target counts as much.
        if !rules.guard.is_empty() {
            self.dedup_index.add_aliases(*tenant, ids.iter().filter(|id| *id != user).chain(perhaps));
        }
        if let Some(first) = self.dedup_index.find(*tenant, user, &self.drafted_rows.targets) {
            let line = self.names.display_origin(self.drafted_rows.origins[first as usize]);
            return Ok(Some(LeftOutReason::new(
                Outcome::Duplicate,
                format!("named before (by line {line})"),
            )));
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
        self.head_tail.push(rank, index, || candidate.display_name());
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

    /// What there is to say of a target beforehand.
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
            *global += u64::from(known.global.contains(&person.id));
        }
        let Some(roles) = known.roles.get(&person.id) else { return };
        facts.administrators += 1;
        for role in roles {
            *facts.admins.get_or_insert_default().entry(role.clone()).or_default() += 1;
        }
    }

    fn note_protected(&mut self, candidate: &RowCandidate<'_>, left_out: &LeftOutReason) {
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

/// Joins what a list holds in one tenant to what it holds in others: its entries are the same everywhere.
fn merge_list(lists: &mut Vec<ListRecord>, list: ListRecord) {
    match lists.iter_mut().find(|known| known.list == list.list && known.name == list.name) {
        Some(known) if known.entries == list.entries => known.in_plan += list.in_plan,
        _ => lists.push(list),
    }
}

/// A plan once all rows are in.
pub(super) struct BuiltPlan {
    pub(super) spool: csv::Writer<TemporaryFile>,
    pub(super) drafted_rows: DraftedRows,
    pub(super) facts: PlanSummary,
    pub(super) tenant_counts: Vec<PlanTenantCounts>,
}

impl RowCandidate<'_> {
    fn guarded_id(&self) -> RowIds<'_> {
        RowIds { ids: &self.ids, possible_ids: &self.possible_ids, is_me: self.is_me }
    }

    fn display_name(&self) -> String {
        self.person.map_or_else(|| self.user.to_string(), user_display_name)
    }

    /// Whether the user's home is another tenant: the directory knows best, then the row.
    fn external(&self) -> Option<bool> {
        if let Some(name) = self.person.and_then(|person| person.upn.as_deref()) {
            return Some(names_external(name));
        }
        if self.person.is_some_and(|person| person.guest == Some(true)) || self.external_hint == Some(true) {
            return Some(true);
        }
        self.user.external().or(self.external_hint)
    }
}

/// Who a row names; or why nobody can tell.
fn candidate_from_row<'a>(
    row: &'a InputRow,
    tenant: TenantIndex,
    found: Option<&'a ResolvedId>,
) -> Result<RowCandidate<'a>, String> {
    let given = UserId::read(&row.id);
    let (user, person) = match (found, &given) {
        (Some(ResolvedId::User(person)), _) => (UserId::Object(person.id), Some(person)),
        (Some(ResolvedId::Ambiguous(names)), _) => {
            return Err(format!("ambiguous: it may be any of {}; name one by its id", names.join(", ")));
        }
        (_, Ok(user)) => match (user.check(), found) {
            (Ok(()), _) => (user.clone(), None),
            // The directory's word is final: what it does not know and Entra can't have is a slip.
            (Err(why), Some(_)) => {
                return Err(format!(
                    "the directory knows no such user, and there can be none: {}",
                    explain(&row.id, &why)
                ));
            }
            (Err(why), None) => return Err(invalid_id_reason(&row.id, &why)),
        },
        (Some(_), Err(_)) => return Err("no user has that name, mail address, alias or number".to_owned()),
        (None, Err(why)) => return Err(invalid_id_reason(&row.id, why)),
    };
    let says_me = given == Ok(UserId::Me);
    let parsed = |texts: &'a [String]| texts.iter().filter_map(|text| UserId::read(text).ok());
    let mut ids = vec![user.clone()];
    let others = person.into_iter().flat_map(ids_of).chain(given).chain(parsed(&row.also));
    ids.extend(others.filter(|id: &UserId| *id != user));
    Ok(RowCandidate {
        tenant,
        user,
        person,
        ids,
        possible_ids: parsed(&row.perhaps).collect(),
        is_me: says_me,
        external_hint: row.external_hint,
        priority: row.priority.as_deref(),
        unresolved: found.filter(|_| person.is_none()),
    })
}

/// Why a text is no user id, and that it may be another name.
fn invalid_id_reason(text: &str, why: &InvalidUserId) -> String {
    let other = match why {
        InvalidUserId::NeitherGuidNorName => " (--resolve looks for other names, too)",
        _ if unwrap_address(text).is_some() => " (--resolve looks it up)",
        _ => "",
    };
    format!("not a user id: {}{other}", explain(text, why))
}

impl AccountFilter {
    /// Why a person does not stay in. Of whom nothing is known although users may be read (`told`), the directory has
    /// nobody any more: they stay in, as rows of unknown users do.
    fn reason(&self, person: &DirectoryUser, told: bool) -> Result<Option<&'static str>, PlanError> {
        if told && person.upn.is_none() {
            return Ok(None);
        }
        let unknown = |what: &str| DirectoryError::Forbidden {
            what: format!("whether {} is {what}", user_display_name(person)),
            permission: Permission::Users,
            detail: "it gives the user without that".to_owned(),
        };
        if let Some(guests) = self.guests {
            match (person.guest.ok_or_else(|| unknown("a guest"))?, guests) {
                (true, false) => return Ok(Some("a guest (--members-only)")),
                (false, true) => return Ok(Some("no guest (--guests-only)")),
                _ => {}
            }
        }
        let disabled = self.enabled && !person.enabled.ok_or_else(|| unknown("enabled"))?;
        Ok(disabled.then_some("a disabled account (--enabled-only)"))
    }
}
