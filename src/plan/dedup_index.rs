//! An index of the users named so far, by tenant and ID. The same name in two tenants is two users.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use super::Target;
use crate::event::TenantIndex;
use crate::user_id::UserId;

/// The users named so far, as indexes into the targets, found by hash.
#[derive(Default)]
pub(super) struct DedupIndex {
    table: HashTable<u32>,
    hasher: RandomState,
    /// Hashes of the other IDs that rows give for their targets. Filled only if a list leaves users out.
    alias_hashes: HashSet<u64>,
}

impl DedupIndex {
    pub(super) fn find(&self, tenant: TenantIndex, user: &UserId, targets: &[Target]) -> Option<u32> {
        let same = |index: &u32| {
            let target = &targets[*index as usize];
            target.tenant == tenant && target.user == *user
        };
        self.table.find(self.hasher.hash_one((tenant, user)), same).copied()
    }

    pub(super) fn add_aliases<'a>(&mut self, tenant: TenantIndex, ids: impl IntoIterator<Item = &'a UserId>) {
        self.alias_hashes.extend(ids.into_iter().map(|id| self.hasher.hash_one((tenant, id))));
    }

    /// Whether a row gives this ID for a target of the tenant.
    pub(super) fn is_alias_of_target(&self, tenant: TenantIndex, id: &UserId, targets: &[Target]) -> bool {
        self.find(tenant, id, targets).is_some()
            || self.alias_hashes.contains(&self.hasher.hash_one((tenant, id)))
    }

    pub(super) fn insert(&mut self, tenant: TenantIndex, user: &UserId, index: u32, targets: &[Target]) {
        let hasher = &self.hasher;
        let rehash = |index: &u32| {
            let target = &targets[*index as usize];
            hasher.hash_one((target.tenant, &target.user))
        };
        self.table.insert_unique(hasher.hash_one((tenant, user)), index, rehash);
    }
}
