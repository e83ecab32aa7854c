//! The guard: users who must not be revoked. They are on the protect list or the exclude list, or are
//! protected by default. The guard fails closed.
//!
//! If the directory is read, all users on a list are looked up first and compared by object ID. Otherwise an
//! object ID and a UPN can belong to the same person without any sign of it. So if a listed user has only one
//! of them and a row has only the other, the plan is refused. It is also refused if the lists pair one ID
//! with two of the other kind, because then the pairs prove nothing.

mod collect_ids;
mod error;
mod id_pairs;
mod implicit_protection;
mod list_file;
mod load;
mod members;
mod protect_list;

pub use error::GuardError;
use members::AccountIds;
pub(super) use members::{for_each_user, members_of_entry, read_members};

use crate::journal::ListRecord;
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;
use id_pairs::IdPairs;
use implicit_protection::ImplicitProtection;
pub(super) use implicit_protection::OPERATOR_REASON;
use protect_list::ProtectList;

/// The name of the protect list in errors.
pub(crate) const PROTECT_LIST: &str = "protect list";

/// The name of the exclude list in errors.
pub(crate) const EXCLUDE_LIST: &str = "exclude list";

/// The name of the `--first` list in errors.
pub(crate) const FIRST_LIST: &str = "--first list";

/// The counts of an entry of a list.
#[derive(Clone, Debug, Default)]
pub(super) struct ListCounts {
    pub(super) accounts: u64,
    pub(super) groups: u64,
    pub(super) roles: u64,
    /// Line numbers of comments that have IDs. They leave no one out.
    pub(super) comments: Vec<u64>,
}

/// All users who must not be revoked.
#[derive(Debug)]
pub(super) struct Guard {
    protect: ProtectList,
    exclude: ProtectList,
    implicit: ImplicitProtection,
    unprotected: Vec<UnprotectEntry>,
    /// The IDs that the lists give for one account; used only without look-ups.
    pairs: IdPairs,
    /// Whether all users were looked up. If so, IDs of the two kinds can be compared.
    is_resolved: bool,
}

/// A user of `--unprotect`.
#[derive(Debug)]
struct UnprotectEntry {
    id: UserId,
    /// All known IDs.
    ids: Vec<UserId>,
    /// What protects the user.
    reasons: Vec<String>,
}

/// The IDs that a row gives for its user.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowIds<'a> {
    /// All IDs in the row, and those that the directory has for them. The ID for the request comes first.
    pub(super) ids: &'a [UserId],
    /// IDs that may belong to the user. They can leave a row out too, but never make a row comparable.
    pub(super) possible_ids: &'a [UserId],
    /// Whether the row says `me`. An operator who writes that wants to be revoked.
    pub(super) is_me: bool,
}

impl Guard {
    /// Why a row's user is left out, if so.
    pub(super) fn check(&mut self, named: RowIds<'_>) -> Result<Option<LeftOutReason>, GuardError> {
        if let Some(left_out) = self.protect.check(named, self.is_resolved)? {
            return Ok(Some(left_out));
        }
        if let Some(left_out) = self.implicit.check(named) {
            return Ok(Some(left_out));
        }
        self.exclude.check(named, self.is_resolved)
    }

    /// Adds the other IDs that a row gives for a listed user. The row is left out by a filter, or belongs to
    /// another shard.
    pub(super) fn add_aliases(&mut self, ids: &[UserId]) {
        for list in [&mut self.protect, &mut self.exclude] {
            list.add_aliases(ids);
        }
    }

    /// The lists with their counts.
    pub(super) fn list_records(&self) -> Vec<ListRecord> {
        self.protect.list_records().chain(self.exclude.list_records()).collect()
    }

    /// Whether the lists are empty.
    pub(super) fn is_empty(&self) -> bool {
        self.protect.is_empty() && self.exclude.is_empty()
    }

    /// Whether one of these IDs is the operator's.
    pub(super) fn is_operator(&self, ids: &[UserId]) -> bool {
        self.implicit.is_operator(ids)
    }

    /// What would protect a user who is revoked because of `--unprotect`.
    pub(super) fn unprotected_reasons(&self, ids: &[UserId]) -> Option<String> {
        let found = self.unprotected.iter().find(|unprotected| unprotected.has_any_of(ids))?;
        Some(found.reasons.join("; "))
    }

    /// Runs after the last row: an ID that one row gives for a listed user must not be a target's ID in
    /// another row. `sent` says whether an ID belongs to a target.
    pub(super) fn reject_contradictions(
        &self,
        mut sent: impl FnMut(&UserId) -> bool,
    ) -> Result<(), GuardError> {
        [&self.protect, &self.exclude].into_iter().try_for_each(|list| list.reject_contradictions(&mut sent))
    }
}

impl Default for Guard {
    fn default() -> Self {
        Guard {
            protect: ProtectList::new(PROTECT_LIST, Outcome::Protected),
            exclude: ProtectList::new(EXCLUDE_LIST, Outcome::Excluded),
            implicit: ImplicitProtection::default(),
            unprotected: Vec::new(),
            pairs: IdPairs::default(),
            is_resolved: false,
        }
    }
}

impl UnprotectEntry {
    fn new(given: &UserId) -> UnprotectEntry {
        UnprotectEntry { id: given.clone(), ids: vec![given.clone()], reasons: Vec::new() }
    }

    /// Adds the other IDs that a list gives for the user.
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
