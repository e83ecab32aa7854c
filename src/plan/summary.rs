//! The facts about a plan as a whole: for the question, the plan file, and the evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PlanTenantFacts;
use super::notices::lacks_permission;
use crate::directory::Permission;
use crate::journal::{ListRecord, ShardRecord};

/// Counts and names of a plan. Counts are of targets unless stated otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// What was selected, in words: files, groups, roles.
    pub selection: Vec<String>,
    /// Whether each target was looked up in the directory, and if not, why not.
    pub resolution: LookupStatus,
    /// Targets that the directory does not know.
    pub missing: u64,
    /// Targets that were deleted and can be restored.
    pub deleted: u64,
    /// Targets whose user type is Guest.
    pub guests: u64,
    /// Targets that are synchronized from on-premises.
    pub synced: u64,
    /// Targets that are already disabled.
    pub disabled: u64,
    /// The number of targets that hold each directory role, by the role's name. A target can count for
    /// several roles. `None` if roles could not be read.
    pub admins: Option<BTreeMap<String, u64>>,
    /// Targets that hold any directory role.
    pub administrators: u64,
    /// The number of Global Administrators among the targets, and in the whole tenant.
    pub global_administrators: Option<(u64, u64)>,
    /// Protected users by display name, each with the reason.
    pub protected: Vec<(String, String)>,
    /// Protected users who are revoked nevertheless (`--unprotect`), each with what protects them.
    pub unprotected: Vec<(String, String)>,
    /// The protect and exclude lists, with their counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListRecord>,
    /// What could not be checked, in words. Example: the app's owners, if the permission is missing.
    pub unchecked: Vec<String>,
    /// The first users in sending order, by display name; at most three.
    pub first: Vec<String>,
    /// The last users in sending order that are not in `first`; at most three.
    pub last: Vec<String>,
    /// The run's tenants, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<PlanTenantFacts>,
    /// The number of users in all tenants together, if it was counted (`--max-share`).
    pub tenant_users: Option<u64>,
    /// The shard, if the plan has only a part of the input.
    #[serde(flatten)]
    pub shard: Option<ShardRecord>,
}

impl PlanSummary {
    /// What could not be looked up because it failed or is not permitted, in words. Without roles, the check
    /// of the Global Administrators is skipped, so that is in the list too.
    pub fn failed_checks(&self) -> Vec<String> {
        let users = match &self.resolution {
            LookupStatus::Impossible(why) if lacks_permission(why) => {
                Some(who_exists(Some(&format!("needs {}", Permission::Users.name()))))
            }
            LookupStatus::Impossible(why) => Some(who_exists(Some(why))),
            LookupStatus::Full | LookupStatus::NotAsked => None,
        };
        let admins = users.as_ref().and_then(|_| self.administrators_unchecked());
        users.into_iter().chain(admins).chain(self.unchecked.iter().cloned()).collect()
    }

    /// Everything that is unknown, including what was not looked up.
    pub fn all_unchecked(&self) -> Vec<String> {
        match self.resolution {
            LookupStatus::Impossible(_) => self.failed_checks(),
            LookupStatus::Full => {
                self.administrators_unchecked().into_iter().chain(self.failed_checks()).collect()
            }
            LookupStatus::NotAsked => {
                let admins = self.administrators_unchecked();
                std::iter::once(who_exists(None)).chain(admins).chain(self.failed_checks()).collect()
            }
        }
    }

    /// A line about administrators, if roles are not known and no other line says so.
    fn administrators_unchecked(&self) -> Option<String> {
        let is_listed = self.unchecked.iter().any(|line| line.contains("holders of role"));
        (self.global_administrators.is_none() && !is_listed)
            .then(|| "which users are administrators".to_owned())
    }
}

/// The line about the app's owners, if the app may not read users.
pub(super) fn owners_unchecked() -> String {
    format!("the owners of the app (needs {} and {})", Permission::Users.name(), Permission::Apps.name())
}

fn who_exists(why: Option<&String>) -> String {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("which users exist, and which are guests{why}")
}

/// Whether targets were looked up in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupStatus {
    /// Yes, each of them.
    Full,
    /// No, because the directory was not asked.
    #[default]
    NotAsked,
    /// No, for this reason, such as a missing permission.
    Impossible(String),
}
