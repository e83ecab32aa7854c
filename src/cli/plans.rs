//! The arguments of `plan` and `apply`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{
    AppArgs, ConfirmArgs, EvidenceArgs, InputArgs, LimitArgs, NetworkArgs, OrderArgs, OutputArgs,
    ProfileArgs, SafetyArgs, SelectionArgs, SendingArgs, SignInArgs,
};
use crate::text::duration;

pub(super) const PLAN_EXAMPLES: &str = "Examples:
      entra-revoke plan leavers.csv --protect break-glass.txt --case-id INC-4711
      entra-revoke plan --group Finance --exclude-role 'Global Administrator' --plan-file finance.json
  Then apply it, with the hash that was approved:
      entra-revoke apply finance.json --expect-sha256 …";

pub(super) const APPLY_EXAMPLES: &str = "Examples:
      entra-revoke apply plan.json --expect-sha256 …
  Before you approve it, see each ID with its name in the directory, and what changed (nothing is revoked):
      entra-revoke apply plan.json --dry-run
  Apply it only if an approver has signed it, in plan.json.sig (docs/safety.md):
      entra-revoke apply plan.json --approvers approvers";

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Files of users: CSV, plain lists, .xlsx or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The plan file to write
    #[arg(long, value_name = "FILE", default_value = "plan.json", help_heading = "Plan")]
    pub plan_file: PathBuf,
    /// Replace an existing plan
    #[arg(long, help_heading = "Plan")]
    pub overwrite: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub choosing: SelectionArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub input: InputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub order: OrderArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub safety: SafetyArgs,
    /// Revoke nothing if the plan has more users than this; `apply` checks it
    #[arg(long, value_name = "N", help_heading = "Safety")]
    pub max_users: Option<u32>,
    /// Longest wait that a server may ask for (Retry-After) while the directory is read [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Network")]
    pub max_wait: Option<Duration>,
    /// Your case ID, for the plan and every row of the report
    #[arg(long, value_name = "TEXT", help_heading = "Evidence")]
    pub case_id: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan file that `plan` wrote
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Revoke nothing unless the plan has this SHA-256, the one that was approved
    #[arg(long, value_name = "HEX", value_parser = parse_sha256, help_heading = "Plan")]
    pub expect_sha256: Option<String>,
    /// Revoke nothing if the plan is older than this
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, default_value = "24h", help_heading = "Plan")]
    pub max_age: Duration,
    /// Require a signature in PLAN.sig (ssh-keygen -Y sign -n entra-revoke) by an approver on this list (OpenSSH's
    /// allowed_signers) other than the person who applies the plan. Repeatable; the signing key must then be on every
    /// list
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    pub approvers: Vec<PathBuf>,
    /// Continue even if an ID's name in the directory differs from the one in the plan
    #[arg(long, help_heading = "Plan")]
    pub allow_renamed: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub consent: ConfirmArgs,
    /// Never revoke these, in addition to the plan's own lists: an ID, a file of IDs, group:ID or role:ID. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID", help_heading = "Safety")]
    pub protect: Vec<String>,
    /// Continue if a protect list is empty
    #[arg(long, help_heading = "Safety")]
    pub allow_empty: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub caps: LimitArgs,
    /// Show the plan as it would be applied now, each ID with its name in the directory, and revoke nothing
    #[arg(long, alias = "what-if", help_heading = "Safety")]
    pub dry_run: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sending: SendingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub profile: ProfileArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub sign_in: SignInArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub apps: AppArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub output: OutputArgs,
}

/// Parses a SHA-256 in hex, as `plan` prints it.
fn parse_sha256(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text) } else { Err("a SHA-256 has 64 hex digits".to_owned()) }
}
