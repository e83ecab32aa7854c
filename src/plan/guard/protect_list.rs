//! One list of people to leave out, by all the ids that are known of them.

use std::collections::{HashMap, HashSet};

use super::{GuardCounts, GuardError, RowIds, UnprotectedId};
use crate::journal::ListRecord;
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;

/// Somebody listed.
#[derive(Debug)]
struct ListedUser {
    /// The number of the reason.
    reason: u32,
    /// The number of the source.
    source: u32,
}

#[derive(Debug)]
pub(super) struct ProtectList {
    pub(super) name: &'static str,
    outcome: Outcome,
    /// Each id, with the numbers of those whom it names: one, mostly.
    ids: HashMap<UserId, Vec<u32>>,
    users: Vec<ListedUser>,
    reasons: Vec<String>,
    /// The files, and what is named directly, with what they hold.
    sources: Vec<ListRecord>,
    /// The number of the source that is read now.
    source: usize,
    /// Those whom rows named, by their numbers.
    matched: HashSet<u32>,
    /// Somebody is known by object id only.
    has_object_id_only: bool,
    /// Somebody is known by user principal name only.
    has_upn_only: bool,
    /// What rows called somebody listed, beside the ids on the list.
    aliases: HashSet<UserId>,
}

impl ProtectList {
    pub(super) fn new(name: &'static str, outcome: Outcome) -> ProtectList {
        ProtectList {
            name,
            outcome,
            ids: HashMap::new(),
            users: Vec::new(),
            reasons: Vec::new(),
            sources: Vec::new(),
            source: 0,
            matched: HashSet::new(),
            has_object_id_only: false,
            has_upn_only: false,
            aliases: HashSet::new(),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Where the next ones come from: a file, or what is named directly.
    pub(super) fn set_source(&mut self, source: &str) {
        let list = if self.outcome == Outcome::Protected { "protect" } else { "exclude" };
        let known = self.sources.iter().position(|known| known.name == source);
        self.source = known.unwrap_or_else(|| {
            self.sources.push(ListRecord {
                list: list.to_owned(),
                name: source.to_owned(),
                ..ListRecord::default()
            });
            self.sources.len() - 1
        });
    }

    /// Takes in what the source holds.
    pub(super) fn add_counts(&mut self, counts: GuardCounts) {
        let Some(source) = self.sources.get_mut(self.source) else { return };
        source.accounts += counts.accounts;
        source.groups += counts.groups;
        source.roles += counts.roles;
        source.entries += counts.accounts + counts.groups + counts.roles;
        source.comments.extend(counts.comments);
    }

    /// Each source with its counts.
    pub(super) fn list_records(&self) -> impl Iterator<Item = ListRecord> + '_ {
        let mut sources = self.sources.clone();
        for number in &self.matched {
            sources[self.users[*number as usize].source as usize].in_plan += 1;
        }
        sources.into_iter()
    }

    /// Adds one person, by all ids known of them. Who is named twice keeps the first reason.
    pub(super) fn add(&mut self, ids: Vec<UserId>, reason: &str) {
        let (object, name) = id_kinds(&ids);
        self.has_object_id_only |= object && !name;
        self.has_upn_only |= name && !object;
        if self.reasons.last().is_none_or(|last| last != reason) {
            self.reasons.push(reason.to_owned());
        }
        let reason = self.reasons.len() as u32 - 1;
        let source = self.source as u32;
        let number = self.users.len() as u32;
        self.users.push(ListedUser { reason, source });
        for id in ids {
            self.ids.entry(id).or_default().push(number);
        }
    }

    /// Adds accounts that the list places in another tenant of the run. If a row here has such an id all the same, the list's cell
    /// is wrong, and the account is left out. Other rows need not be comparable with them.
    pub(super) fn add_other_tenant(&mut self, accounts: Vec<Vec<UserId>>, reason: &str) {
        let comparable = (self.has_object_id_only, self.has_upn_only);
        for ids in accounts {
            self.add(ids, reason);
        }
        (self.has_object_id_only, self.has_upn_only) = comparable;
    }

    /// Takes somebody off, by any id that is known of them.
    pub(super) fn apply_unprotect(&mut self, unprotected: &mut UnprotectedId) {
        for id in &unprotected.ids {
            for number in self.ids.remove(id).unwrap_or_default() {
                let reason = &self.reasons[self.users[number as usize].reason as usize];
                if !unprotected.reasons.contains(reason) {
                    unprotected.reasons.push(reason.clone());
                }
            }
        }
    }

    /// Whether the ids name somebody listed, and why; if so, takes in all of them.
    pub(super) fn add_aliases(&mut self, ids: &[UserId]) -> Option<&str> {
        let number = *ids.iter().find_map(|id| self.ids.get(id))?.first()?;
        self.aliases.extend(ids.iter().cloned());
        let reason = self.users.get(number as usize)?.reason;
        self.reasons.get(reason as usize).map(String::as_str)
    }

    /// Remembers that a row of the plan names somebody listed.
    fn mark_matched(&mut self, ids: &[UserId]) {
        self.matched.extend(ids.iter().filter_map(|id| self.ids.get(id)).flatten());
    }

    pub(super) fn check(
        &mut self,
        named: RowIds<'_>,
        resolved: bool,
    ) -> Result<Option<LeftOutReason>, GuardError> {
        let RowIds { ids, possible_ids: perhaps, .. } = named;
        let (list, outcome) = (self.name, self.outcome);
        let all = [ids, perhaps].concat();
        self.mark_matched(&all);
        if let Some(reason) = self.add_aliases(&all) {
            return Ok(Some(LeftOutReason::new(outcome, reason.to_owned())));
        }
        let (object, name) = id_kinds(ids);
        if ids.contains(&UserId::Me) && !self.is_empty() && !(resolved && object) {
            return Err(GuardError::IncomparableMe { list });
        }
        let unknown = (self.has_upn_only && !name) || (self.has_object_id_only && !object);
        if unknown && !resolved {
            return Err(GuardError::Incomparable { list, user: ids[0].to_string() });
        }
        Ok(None)
    }

    pub(super) fn detect_contradictions(
        &self,
        sent: &mut impl FnMut(&UserId) -> bool,
    ) -> Result<(), GuardError> {
        match self.aliases.iter().find(|id| sent(id)) {
            Some(user) => Err(GuardError::Contradiction { list: self.name, user: user.to_string() }),
            None => Ok(()),
        }
    }
}

/// Whether an object id, and whether a user principal name is among the ids.
fn id_kinds(ids: &[UserId]) -> (bool, bool) {
    let object = ids.iter().any(|id| matches!(id, UserId::Object(_)));
    let name = ids.iter().any(|id| matches!(id, UserId::Principal(_)));
    (object, name)
}
