//! What is known of a plan as a whole: for the question, the plan file, and the evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PlanTenantFacts;
use super::notices::lacks_permission;
use crate::directory::Permission;
use crate::journal::{ListRecord, ShardRecord};

/// Counts and names of a plan. Counts are of targets, unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    /// Whom it was asked for, in words: files, groups, roles.
    pub selection: Vec<String>,
    /// Whether each target was looked up in the directory, and if not, why not.
    pub resolution: ListResolution,
    /// Targets that the directory does not know.
    pub missing: u64,
    /// Targets that were deleted and can be restored.
    pub deleted: u64,
    /// Guests by their type.
    pub guests: u64,
    /// Accounts synchronized from on-premises.
    pub synced: u64,
    /// Accounts that are disabled already.
    pub disabled: u64,
    /// Targets that hold a directory role, by the role's name; someone may stand in several. None where roles could
    /// not be read.
    pub admins: Option<BTreeMap<String, u64>>,
    /// Targets that hold any directory role.
    pub administrators: u64,
    /// Global Administrators among the targets, and in the whole tenant.
    pub global_administrators: Option<(u64, u64)>,
    /// Who is protected, by a name that people know, and why; those of the selection first.
    pub protected: Vec<(String, String)>,
    /// Who would be protected and is sent all the same (`--unprotect`), and what protects them.
    pub unprotected: Vec<(String, String)>,
    /// The lists that protect and exclude, with their counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListRecord>,
    /// What could not be checked, in words: the app's owners without the permission.
    pub unchecked: Vec<String>,
    /// The first and the last users in sending order, by names that people know; at most three each.
    pub first: Vec<String>,
    /// The last ones; none of them is among the first.
    pub last: Vec<String>,
    /// The run's tenants, where it has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<PlanTenantFacts>,
    /// How many users the tenant has, or all of them together, where that was asked.
    pub tenant_users: Option<u64>,
    /// Which part of the input it is, where it is not all of it.
    #[serde(flatten)]
    pub sharded: Option<ShardRecord>,
}

impl PlanSummary {
    /// What could not be looked up although it was tried, or may not be read; each in words. The guard of Global
    /// Administrators is silent where roles can't be read, and that is said.
    pub fn failed_checks(&self) -> Vec<String> {
        let users = match &self.resolution {
            ListResolution::Impossible(why) if lacks_permission(why) => {
                Some(who_exists(Some(&format!("needs {}", Permission::Users.name()))))
            }
            ListResolution::Impossible(why) => Some(who_exists(Some(why))),
            ListResolution::Full | ListResolution::NotAsked => None,
        };
        let admins = users.as_ref().and_then(|_| self.administrators_unchecked());
        users.into_iter().chain(admins).chain(self.unchecked.iter().cloned()).collect()
    }

    /// All that nobody could tell, also what was not asked.
    pub fn all_unchecked(&self) -> Vec<String> {
        match self.resolution {
            ListResolution::Impossible(_) => self.failed_checks(),
            ListResolution::Full => {
                self.administrators_unchecked().into_iter().chain(self.failed_checks()).collect()
            }
            ListResolution::NotAsked => {
                let admins = self.administrators_unchecked();
                std::iter::once(who_exists(None)).chain(admins).chain(self.failed_checks()).collect()
            }
        }
    }

    /// Where nobody knows who holds roles, and no line says so yet.
    fn administrators_unchecked(&self) -> Option<String> {
        let told = self.unchecked.iter().any(|word| word.contains("who holds"));
        (self.global_administrators.is_none() && !told).then(|| "who of them is an administrator".to_owned())
    }
}

/// What is not checked of an app that may read no users.
pub(super) fn owners_unchecked() -> String {
    format!("who owns the app (needs {} and {})", Permission::Users.name(), Permission::Apps.name())
}

fn who_exists(why: Option<&String>) -> String {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    format!("who of them exists, or is a guest{why}")
}

/// Whether targets were looked up in the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListResolution {
    /// Each of them.
    Full,
    /// None: the directory was not asked.
    #[default]
    NotAsked,
    /// None, and why: the permission that is missing.
    Impossible(String),
}
