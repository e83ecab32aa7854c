//! `run.json`: what a run is, who ran it, and with which settings. It holds no secret.

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
use crate::outcome::{Accepted, Outcome};

/// The contents of `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// Version of the folder's format; see [`super::FORMAT`].
    pub format: u32,
    /// The run's short id.
    pub id: String,
    /// When the run was begun.
    pub started_at: Timestamp,
    /// Version of the program that began it.
    pub version: String,
    /// The operator's case id.
    pub case_id: Option<String>,
    /// The cloud's name.
    pub cloud: String,
    /// The tenant as it was given and found: an id or a domain.
    pub tenant: Option<String>,
    /// The tenant's id as the token or Graph says it.
    pub tenant_id: Option<String>,
    /// The id that was given, where nothing told whether it is the token's tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unverified_tenant: Option<String>,
    /// Who ran it: the first app, or the person.
    pub operator: OperatorRecord,
    /// Whether the rows of the input name their tenants.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_row: bool,
    /// Its tenants, where it has several, in the order of the journal's numbers. Then `tenant` and `tenant_id` are empty,
    /// and `operator` is that of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantRecord>,
    /// The apps that it was begun with, the operator's first; none in runs of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<AppRecord>,
    /// The input files, in order.
    pub inputs: Vec<InputDigest>,
    /// The inputs' own columns, in order.
    pub columns: Vec<String>,
    /// What the plan holds.
    pub plan: PlanRecord,
    /// The profile that filled the settings, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileRecord>,
    /// What was decided before it began.
    #[serde(flatten)]
    pub decided: ApprovalDecision,
    /// The settings that `resume` takes as defaults.
    pub settings: SettingsRecord,
    /// Set where the run is a drill: the simulator's settings, with which `resume` starts it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<serde_json::Value>,
}

/// One of a run's tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantRecord {
    /// What `plan.csv` and the reports call it: its id, or the first of its names where nobody could sign in.
    pub tenant: String,
    /// The names that rows give it.
    pub named: Vec<String>,
    /// Its id, as the token says it.
    pub tenant_id: Option<String>,
    /// The app that sends there, as far as it is known.
    pub app_id: Option<String>,
    /// How it signed in; none where it did not.
    pub auth: Option<String>,
    /// Users to revoke there.
    pub users: u64,
    /// Why nothing is ever sent there in this run: nobody could be compared with the lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// The app's id, where the tenant has its own way to sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// That way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<CredentialSources>,
}

/// What was decided before a run began: for whom it was, and who said yes to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalDecision {
    /// Whom it was asked for, in words: files, groups, roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selection: Vec<String>,
    /// Who was sent although somebody protects them (`--unprotect`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprotected: Vec<UnprotectedRecord>,
    /// The lists that protect and exclude, with their counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<ListRecord>,
    /// What only informs and could not be looked up, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
    /// How the questions were answered: `--yes`, `--yes-i-mean 250`, or what was typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
    /// The plan file that was applied, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_file: Option<PlanFileRecord>,
    /// Which part of its input it holds, where it does not hold all of it.
    #[serde(flatten)]
    pub sharded: Option<ShardRecord>,
}

/// A list that protects or excludes, and what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListRecord {
    /// `protect` or `exclude`.
    pub list: String,
    /// The file's name; `--protect` or `--exclude` for what is named directly.
    pub name: String,
    /// Its entries.
    pub entries: u64,
    /// Entries that are single accounts.
    pub accounts: u64,
    /// Entries that are groups.
    #[serde(default)]
    pub groups: u64,
    /// Entries that are roles.
    #[serde(default)]
    pub roles: u64,
    /// Those whom it names and the plan's rows name, too: they are left out.
    #[serde(default)]
    pub in_plan: u64,
    /// Lines of comments that hold ids: nobody is left out by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<u64>,
}

/// Which part of an input a run holds, and what is known of the whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Which part.
    pub shard: Shard,
    /// Rows of the whole input, without those that selections from the directory gave.
    pub input_rows: u64,
    /// The names of all sources as lines show them, in order: files, then selections.
    pub sources: Vec<String>,
}

/// Somebody who was sent although somebody protects them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnprotectedRecord {
    /// By a name that people know.
    pub user: String,
    /// What protects them.
    pub because: String,
}

/// The plan file that a run applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFileRecord {
    /// Where it lay.
    pub path: PathBuf,
    /// Its SHA-256, in hex: over what it says, in one spelling (see [`crate::plan_file`]).
    pub sha256: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: OperatorRecord,
    /// Who approved it, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<ApprovalRecord>,
}

/// Which profile filled the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// Its name.
    pub name: String,
    /// The config file that it stands in.
    pub config: PathBuf,
}

/// Who ran it, as far as the token and the machine tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorRecord {
    /// How the program signed in: `token`, `token-file`, `client-secret`.
    pub auth: String,
    /// The app's id (`appid` of the token, or `--client-id`).
    pub app_id: Option<String>,
    /// The signed-in user, for a delegated token.
    pub user: Option<String>,
    /// The account on this machine.
    pub local_user: Option<String>,
    /// This machine.
    pub host: Option<String>,
}

impl OperatorRecord {
    /// The way to sign in, and as whom.
    pub fn short_description(&self) -> String {
        let whom = self.user.as_ref().or(self.app_id.as_ref());
        whom.map_or_else(|| self.auth.clone(), |whom| format!("{} as {whom}", self.auth))
    }
}

/// An app that a run was begun with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRecord {
    /// The app's id, as far as it is known.
    pub app_id: Option<String>,
    /// How it signed in; none where it did not.
    pub auth: Option<String>,
    /// What names a further app: its profile, or its place in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Why it takes no part, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl AppRecord {
    /// The app by which somebody signed in.
    pub fn from_operator(operator: &OperatorRecord) -> AppRecord {
        AppRecord {
            app_id: operator.app_id.clone(),
            auth: Some(operator.auth.clone()),
            ..AppRecord::default()
        }
    }
}

/// What the plan holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// Rows of the input.
    pub rows: u64,
    /// Users to revoke.
    pub targets: u32,
    /// Rows that are not sent, by word.
    pub left_out: OutcomeCounts,
    /// Users known to be external.
    pub external: u64,
    /// Rows that selections from the directory gave: they have no cells of their own.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub selected: u64,
    /// SHA-256 of `plan.csv`, in hex; empty while there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How many, by outcome.
pub type OutcomeCounts = BTreeMap<Outcome, u64>;

/// The settings of a run, without secrets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsRecord {
    /// `--jobs`.
    pub jobs: Jobs,
    /// `--batch-size`; runs of older versions sent everybody alone.
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
    pub accept: Accepted,
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
    /// What was named to sign in with: the way, files, ids.
    #[serde(flatten)]
    pub sources: CredentialSources,
    /// The further apps that were named, also those that could not sign in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<AdditionalApp>,
    /// `--throttle-priority`.
    #[serde(default)]
    pub throttle_priority: Priority,
    /// `--ca-cert`.
    pub ca_cert: Option<PathBuf>,
    /// Whom the run protects, so that `resume` can look again; none in runs of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<ProtectRecord>,
}
