//! `run.json`: what a run is, who ran it, and with which settings. It contains no secrets.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ProtectRecord;
use crate::approval::ApprovalRecord;
use crate::dispatch::{BatchSize, Jobs};
use crate::graph::Priority;
use crate::identity::{AdditionalApp, CredentialSources};
use crate::intake::{InputDigest, Shard};
use crate::outcome::{AcceptedOutcomes, Outcome};

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// The version of the folder's format: see [`super::FORMAT`].
    pub format: u32,
    /// The run's short ID.
    pub id: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// The version of the program that started it.
    pub version: String,
    /// The operator's case ID.
    pub case_id: Option<String>,
    /// The name of the cloud.
    pub cloud: String,
    /// The tenant as it was given or found: an ID or a domain.
    pub tenant: Option<String>,
    /// The tenant's ID, from the token or from Graph.
    pub tenant_id: Option<String>,
    /// The ID that was given, if it could not be verified that it is the token's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified_tenant: Option<String>,
    /// The operator: the first app, or the user.
    pub operator: OperatorRecord,
    /// Whether the rows of the input name their tenants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_row: bool,
    /// The tenants, if there are several, in the order of the journal's numbers. Then `tenant` and `tenant_id` are
    /// empty, and `operator` is that of the first tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantRecord>,
    /// The apps at the start of the run, the operator's first. Empty in runs of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppRecord>,
    /// The input files, in order.
    pub inputs: Vec<InputDigest>,
    /// The column names of the inputs, in order.
    pub columns: Vec<String>,
    /// The plan's hash and counts.
    pub plan: PlanRecord,
    /// The profile that filled the settings, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileRecord>,
    /// What was decided before the run began.
    #[serde(flatten)]
    pub approval: ApprovalDecision,
    /// The settings that `resume` uses as defaults.
    pub settings: SettingsRecord,
    /// Set if the run is a drill: the simulator's settings, with which `resume` starts it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<serde_json::Value>,
}

/// One of the tenants of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// Its name in `plan.csv` and in the reports: its ID, or the first of its names if the sign-in failed.
    pub tenant: String,
    /// Its names in the rows.
    pub named: Vec<String>,
    /// Its ID, from the token.
    pub tenant_id: Option<String>,
    /// The app that sends there, if it is known.
    pub app_id: Option<String>,
    /// The sign-in method. `None` if the sign-in failed.
    pub auth: Option<String>,
    /// The number of users to revoke there.
    pub users: u64,
    /// Why this run never sends anything there: its users could not be compared with the lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// The app's ID, if the tenant has its own sign-in method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// That method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<CredentialSources>,
}

/// What was decided before a run began: which users to revoke, and who confirmed it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecision {
    /// The selection in words: files, groups, roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selection: Vec<String>,
    /// Protected users that are revoked anyway (`--unprotect`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprotected: Vec<UnprotectedRecord>,
    /// The lists that protect and exclude, with their counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListRecord>,
    /// Look-ups that only inform and failed, with the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// How the questions were answered: `--yes`, `--yes-i-mean 250`, or the typed answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
    /// The plan file that was applied, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_file: Option<PlanFileRecord>,
    /// The shard of the input that the run has, if it does not have all of it.
    #[serde(flatten)]
    pub shard_record: Option<ShardRecord>,
}

/// A list that protects or excludes, and what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRecord {
    /// `protect` or `exclude`.
    pub list: String,
    /// The file's name, or `--protect` or `--exclude` for entries on the command line.
    pub name: String,
    /// The number of entries.
    pub entries: u64,
    /// The number of entries that are single accounts.
    pub accounts: u64,
    /// The number of entries that are groups.
    #[serde(default)]
    pub groups: u64,
    /// The number of entries that are roles.
    #[serde(default)]
    pub roles: u64,
    /// The number of its users that also are in the plan's rows. They are left out.
    #[serde(default)]
    pub in_plan: u64,
    /// Comment lines that contain IDs, which protect or exclude no one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<u64>,
}

/// The shard of an input that a run has, and what is known of the whole input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The shard.
    pub shard: Shard,
    /// The number of rows of the whole input, without those from selections.
    pub input_rows: u64,
    /// The names of all sources as they are shown, in order: files, then selections.
    pub sources: Vec<String>,
}

/// A protected user that is revoked anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnprotectedRecord {
    /// A readable name.
    pub user: String,
    /// Why the user is protected.
    pub because: String,
}

/// The plan file that a run applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFileRecord {
    /// Its path.
    pub path: PathBuf,
    /// Its SHA-256 in hex, of its canonical form (see [`crate::plan_file`]).
    pub sha256: String,
    /// When it was created.
    pub made_at: Timestamp,
    /// Who created it.
    pub made_by: OperatorRecord,
    /// Who approved it, if that was required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<ApprovalRecord>,
}

/// The profile that filled the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// Its name.
    pub name: String,
    /// The config file that it is in.
    pub config: PathBuf,
}

/// Who ran it, as far as the token and the machine show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    /// The sign-in method: `token`, `token-file`, `client-secret`.
    pub auth: String,
    /// The app's ID (`appid` of the token, or `--client-id`).
    pub app_id: Option<String>,
    /// The signed-in user, for a delegated token.
    pub user: Option<String>,
    /// The account on this machine.
    pub local_user: Option<String>,
    /// The name of this machine.
    pub host: Option<String>,
}

impl OperatorRecord {
    /// The sign-in method and the signed-in user or app.
    pub fn short_description(&self) -> String {
        let account = self.user.as_ref().or(self.app_id.as_ref());
        account.map_or_else(|| self.auth.clone(), |account| format!("{} as {account}", self.auth))
    }
}

/// An app at the start of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// The app's ID, if it is known.
    pub app_id: Option<String>,
    /// The sign-in method. `None` if the sign-in failed.
    pub auth: Option<String>,
    /// The name of a further app: its profile, or its position in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it is not used, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl AppRecord {
    /// The app that the operator signed in with.
    pub fn from_operator(operator: &OperatorRecord) -> AppRecord {
        AppRecord {
            app_id: operator.app_id.clone(),
            auth: Some(operator.auth.clone()),
            ..AppRecord::default()
        }
    }
}

/// The plan's hash and counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The number of rows of the input.
    pub rows: u64,
    /// The number of users to revoke.
    pub targets: u32,
    /// The number of rows that are left out, by outcome.
    pub left_out: OutcomeCounts,
    /// The number of users known to be external.
    pub external: u64,
    /// The number of rows from selections. They have no cells of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub selected: u64,
    /// The SHA-256 of `plan.csv` in hex. Empty before there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Counts by outcome.
pub type OutcomeCounts = BTreeMap<Outcome, u64>;

/// The settings of a run, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsRecord {
    /// `--jobs`.
    pub jobs: Jobs,
    /// `--batch-size`. Runs of older versions sent one request per user.
    #[serde(default = "BatchSize::alone")]
    pub batch_size: BatchSize,
    /// `--rate`, as written.
    pub rate: String,
    /// `--burst`.
    pub burst: Option<u32>,
    /// `--retries`.
    pub retries: u32,
    /// `--timeout`, in milliseconds.
    pub timeout_ms: u64,
    /// `--max-wait`, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_wait_ms: Option<u64>,
    /// `--deadline`, in milliseconds.
    pub deadline_ms: Option<u64>,
    /// `--halt`, as written.
    pub halt: Option<String>,
    /// `--max-users`.
    pub max_users: Option<u32>,
    /// `--accept`.
    pub accept: AcceptedOutcomes,
    /// `--column`.
    pub column: Option<String>,
    /// `--tenant-column`: the column's name, or `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_column: Option<String>,
    /// `--graph-url`.
    pub graph_url: Option<String>,
    /// `--authority-url`.
    pub authority_url: Option<String>,
    /// `--client-id`.
    pub client_id: Option<String>,
    /// The sign-in settings that were given: the method, files, IDs.
    #[serde(flatten)]
    pub sources: CredentialSources,
    /// The further apps that were given, including those that could not sign in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<AdditionalApp>,
    /// `--throttle-priority`.
    #[serde(default)]
    pub throttle_priority: Priority,
    /// `--ca-cert`.
    pub ca_cert: Option<PathBuf>,
    /// The protect list, so that `resume` can read it again. `None` in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<ProtectRecord>,
}
