//! The users named so far.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::Target;
use crate::user_id::UserId;

/// The users named so far: indexes into the targets, found by hash.
#[derive(Default)]
pub(super) struct Seen {
    table: HashTable<u32>,
    hasher: RandomState,
    /// Hashes of the other ids that rows give their targets, where somebody is to be left out.
    others: HashSet<u64>,
}

impl Seen {
    pub(super) fn find(&self, user: &UserId, targets: &[Target]) -> Option<u32> {
        let same = |index: &u32| targets[*index as usize].user == *user;
        self.table.find(self.hasher.hash_one(user), same).copied()
    }

    pub(super) fn also_called<'a>(&mut self, ids: impl IntoIterator<Item = &'a UserId>) {
        self.others.extend(ids.into_iter().map(|id| self.hasher.hash_one(id)));
    }

    /// Whether some row gives a target this id.
    pub(super) fn names_target(&self, id: &UserId, targets: &[Target]) -> bool {
        self.find(id, targets).is_some() || self.others.contains(&self.hasher.hash_one(id))
    }

    pub(super) fn insert(&mut self, user: &UserId, index: u32, targets: &[Target]) {
        let hasher = &self.hasher;
        let rehash = |index: &u32| hasher.hash_one(&targets[*index as usize].user);
        self.table.insert_unique(hasher.hash_one(user), index, rehash);
    }
}
