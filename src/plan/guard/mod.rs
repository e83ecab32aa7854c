//! Who must not be sent: the protect list, whoever is protected by default, and the exclusions; fail-closed.
//!
//! Where the directory is read, everybody on a list is looked up first, and compared by object id. Otherwise an object id
//! and a UPN can name the same person, and nobody can tell: where a protected person is known only by one and a row only
//! by the other, the plan is refused. So it is where the lists pair one id with two of the other kind: such a pair proves
//! nothing.

mod collect_ids;
mod error;
mod id_pairs;
mod implicit_protection;
mod list_file;
mod load;
mod members;
mod protect_list;

pub use error::GuardError;
use members::MemberIds;
pub(super) use members::{for_each_user, members_of_entry, read_members};

use crate::journal::ListRecord;
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;
use id_pairs::IdPairs;
use implicit_protection::ImplicitProtection;
pub(super) use implicit_protection::OPERATOR_REASON;
use protect_list::ProtectList;

/// What the protect list is called in errors.
pub(crate) const PROTECTED: &str = "protect list";

/// What the exclusions are called in errors.
pub(crate) const EXCLUDED: &str = "list of exclusions";

/// What the list of those who go first is called in errors.
pub(crate) const FIRST: &str = "list of those who go first";

/// What an entry of a list holds.
#[derive(Clone, Debug, Default)]
pub(super) struct GuardCounts {
    pub(super) accounts: u64,
    pub(super) groups: u64,
    pub(super) roles: u64,
    /// Lines of comments that hold ids: nobody is left out by them.
    pub(super) comments: Vec<u64>,
}

/// Everybody who must not be sent.
#[derive(Debug)]
pub(super) struct Guard {
    protect: ProtectList,
    exclude: ProtectList,
    implicit: ImplicitProtection,
    unprotected: Vec<UnprotectedId>,
    /// Which ids the lists call one account, where nobody is looked up.
    pairs: IdPairs,
    /// Whether everybody was looked up: then ids of two kinds are no riddle.
    is_resolved: bool,
}

/// Somebody of `--unprotect`.
#[derive(Debug)]
struct UnprotectedId {
    given: UserId,
    /// All ids that are known.
    ids: Vec<UserId>,
    /// What protects them.
    reasons: Vec<String>,
}

/// What a row says of its user.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowIds<'a> {
    /// All ids that it gives, and those of the person whom the directory knows by them; that to send by first.
    pub(super) ids: &'a [UserId],
    /// Ids that it may give: they leave somebody out, too, and never make anybody comparable.
    pub(super) possible_ids: &'a [UserId],
    /// Whether it says `me`: whoever writes that means to be sent.
    pub(super) is_me: bool,
}

impl Guard {
    /// Whether a row's user is left out.
    pub(super) fn check(&mut self, named: RowIds<'_>) -> Result<Option<LeftOutReason>, GuardError> {
        if let Some(left_out) = self.protect.check(named, self.is_resolved)? {
            return Ok(Some(left_out));
        }
        if let Some(left_out) = self.implicit.check(named) {
            return Ok(Some(left_out));
        }
        self.exclude.check(named, self.is_resolved)
    }

    /// Takes in what a row that a filter leaves out, or that is another shard's, calls somebody listed.
    pub(super) fn add_aliases(&mut self, ids: &[UserId]) {
        for list in [&mut self.protect, &mut self.exclude] {
            list.add_aliases(ids);
        }
    }

    /// Each list with its counts.
    pub(super) fn list_records(&self) -> Vec<ListRecord> {
        self.protect.list_records().chain(self.exclude.list_records()).collect()
    }

    /// Whether anybody is on a list.
    pub(super) fn is_empty(&self) -> bool {
        self.protect.is_empty() && self.exclude.is_empty()
    }

    /// Whether these are the ids of whoever signed in.
    pub(super) fn is_operator(&self, ids: &[UserId]) -> bool {
        self.implicit.is_operator(ids)
    }

    /// What protects somebody who is sent all the same.
    pub(super) fn unprotected_reasons(&self, ids: &[UserId]) -> Option<String> {
        let found = self.unprotected.iter().find(|unprotected| unprotected.has_any_of(ids))?;
        Some(found.reasons.join("; "))
    }

    /// Looks back once all rows are in: what they called somebody listed must not be what another row calls a
    /// target. `sent` says whether an id is one of a target's.
    pub(super) fn detect_contradictions(
        &self,
        mut sent: impl FnMut(&UserId) -> bool,
    ) -> Result<(), GuardError> {
        [&self.protect, &self.exclude].into_iter().try_for_each(|list| list.detect_contradictions(&mut sent))
    }
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            protect: ProtectList::new(PROTECTED, Outcome::Protected),
            exclude: ProtectList::new(EXCLUDED, Outcome::Excluded),
            implicit: ImplicitProtection::default(),
            unprotected: Vec::new(),
            pairs: IdPairs::default(),
            is_resolved: false,
        }
    }
}

impl UnprotectedId {
    fn new(given: &UserId) -> UnprotectedId {
        UnprotectedId { given: given.clone(), ids: vec![given.clone()], reasons: Vec::new() }
    }

    /// Takes in what a list calls them, too.
    fn add_aliases(&mut self, ids: &[UserId]) {
        if self.has_any_of(ids) {
            self.ids.extend_from_slice(ids);
        }
    }

    fn has_any_of(&self, ids: &[UserId]) -> bool {
        ids.iter().any(|id| self.ids.contains(id))
    }
}

#[cfg(test)]
mod tests;
