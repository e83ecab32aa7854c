//! The made-up tenant of a drill that reads the directory: users, groups and roles from a seed, and the users in the
//! drill's files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run;
use crate::cli::CommonRunArgs;
use crate::error::Error;
use crate::plan::PlanOptions;
use crate::simulator::{DirectoryConfig, GenerateConfig, UserConfig};
use crate::user_id::UserId;

/// The domain of all made-up users.
pub(super) const DOMAIN: &str = "drill.example";

/// The permissions of the drill's app.
pub(super) const PERMISSIONS: [&str; 8] = [
    "User.RevokeSessions.All",
    "User.Read.All",
    "GroupMember.Read.All",
    "RoleManagement.Read.Directory",
    "RoleEligibilitySchedule.Read.Directory",
    "AdministrativeUnit.Read.All",
    "IdentityRiskyUser.Read.All",
    "Application.Read.All",
];

/// A made-up tenant, as `run.json` stores it for `resume`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SyntheticTenant {
    users: u32,
    seed: u64,
    /// The users in the files, which exist as well.
    named: Vec<String>,
}

impl SyntheticTenant {
    /// A tenant with `users` users from this seed, and those in the files. Standard input can't be read twice, so its
    /// users are not added; only made-up ones exist.
    pub(super) fn new(
        users: u32,
        seed: u64,
        files: &[PathBuf],
        work: &CommonRunArgs,
        options: &PlanOptions,
    ) -> Result<SyntheticTenant, Error> {
        let files: Vec<PathBuf> = files.iter().filter(|path| *path != Path::new("-")).cloned().collect();
        let mut named = BTreeSet::new();
        if !files.is_empty() {
            for row in run::read_all_shards(&files, work, options)?.rows()? {
                named.insert(row?.id.to_lowercase());
            }
        }
        named.retain(|id| !id.ends_with(&format!("@{DOMAIN}")));
        Ok(SyntheticTenant { users, seed, named: named.into_iter().collect() })
    }

    /// The simulator's directory.
    pub(super) fn directory(&self) -> DirectoryConfig {
        DirectoryConfig {
            organization: "Drill Ltd".to_owned(),
            domain: DOMAIN.to_owned(),
            generate: Some(GenerateConfig { users: self.users, seed: self.seed }),
            user: self.named.iter().filter_map(|id| user_config(id)).collect(),
            ..DirectoryConfig::default()
        }
    }
}

/// A user with this ID; `None` if it is not an ID.
fn user_config(id: &str) -> Option<UserConfig> {
    Some(match id.parse().ok()? {
        UserId::Object(id) => {
            UserConfig { upn: format!("{id}@{DOMAIN}"), id: Some(id), ..UserConfig::default() }
        }
        UserId::Principal(upn) => UserConfig { upn: upn.into(), ..UserConfig::default() },
        UserId::Me => return None,
    })
}
