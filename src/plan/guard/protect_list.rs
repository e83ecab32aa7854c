//! One list of users to leave out, with all their known IDs.

use std::collections::{HashMap, HashSet};

use super::{GuardError, ListCounts, RowIds, UnprotectEntry};
use crate::journal::ListRecord;
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;

/// A user on the list.
#[derive(Debug)]
struct ListedUser {
    /// Index into `ProtectList::reasons`.
    reason: u32,
    /// Index into `ProtectList::sources`.
    source: u32,
}

/// The protect list or the exclude list.
#[derive(Debug)]
pub(super) struct ProtectList {
    pub(super) name: &'static str,
    outcome: Outcome,
    /// For each ID, the indexes of its users (usually one).
    ids: HashMap<UserId, Vec<u32>>,
    users: Vec<ListedUser>,
    reasons: Vec<String>,
    /// The files, and the flag for users named directly, with their counts.
    sources: Vec<ListRecord>,
    /// Index of the source that is being read.
    source: usize,
    /// Indexes of the users that rows name.
    matched: HashSet<u32>,
    /// Whether a user is known only by object ID.
    has_object_id_only: bool,
    /// Whether a user is known only by user principal name.
    has_upn_only: bool,
    /// Other IDs that rows give for listed users, in addition to those on the list.
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

    /// Sets the source of the users that are added next: a file name, or a flag.
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

    /// Adds the counts of the current source.
    pub(super) fn add_counts(&mut self, counts: ListCounts) {
        let Some(source) = self.sources.get_mut(self.source) else { return };
        source.accounts += counts.accounts;
        source.groups += counts.groups;
        source.roles += counts.roles;
        source.entries += counts.accounts + counts.groups + counts.roles;
        source.comments.extend(counts.comments);
    }

    /// The sources with their counts.
    pub(super) fn list_records(&self) -> impl Iterator<Item = ListRecord> + '_ {
        let mut sources = self.sources.clone();
        for number in &self.matched {
            sources[self.users[*number as usize].source as usize].in_plan += 1;
        }
        sources.into_iter()
    }

    /// Adds a user with all known IDs. A user who is added twice keeps the first reason.
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

    /// Adds accounts that the list assigns to another tenant of the run. If a row of this tenant has such an
    /// ID nevertheless, the list's tenant cell is wrong, and the user is left out. Other rows need not be
    /// comparable with these accounts.
    pub(super) fn add_other_tenant(&mut self, accounts: Vec<Vec<UserId>>, reason: &str) {
        let comparable = (self.has_object_id_only, self.has_upn_only);
        for ids in accounts {
            self.add(ids, reason);
        }
        (self.has_object_id_only, self.has_upn_only) = comparable;
    }

    /// Removes a user from the list, by any known ID.
    pub(super) fn apply_unprotect(&mut self, unprotected: &mut UnprotectEntry) {
        for id in &unprotected.ids {
            for number in self.ids.remove(id).unwrap_or_default() {
                let reason = &self.reasons[self.users[number as usize].reason as usize];
                if !unprotected.reasons.contains(reason) {
                    unprotected.reasons.push(reason.clone());
                }
            }
        }
    }

    /// The reason if one of the IDs is on the list. In that case, all of them are added as aliases.
    pub(super) fn add_aliases(&mut self, ids: &[UserId]) -> Option<&str> {
        let number = *ids.iter().find_map(|id| self.ids.get(id))?.first()?;
        self.aliases.extend(ids.iter().cloned());
        let reason = self.users.get(number as usize)?.reason;
        self.reasons.get(reason as usize).map(String::as_str)
    }

    /// Records that a row of the plan names a user on the list.
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

    pub(super) fn reject_contradictions(
        &self,
        sent: &mut impl FnMut(&UserId) -> bool,
    ) -> Result<(), GuardError> {
        match self.aliases.iter().find(|id| sent(id)) {
            Some(user) => Err(GuardError::Contradiction { list: self.name, user: user.to_string() }),
            None => Ok(()),
        }
    }
}

/// Whether the IDs include an object ID, and whether they include a user principal name.
fn id_kinds(ids: &[UserId]) -> (bool, bool) {
    let object = ids.iter().any(|id| matches!(id, UserId::Object(_)));
    let name = ids.iter().any(|id| matches!(id, UserId::Principal(_)));
    (object, name)
}
