//! The words for plans that are approved: `plan` and `apply`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{
    AppArgs, CapArgs, ChoosingArgs, ConsentArgs, EvidenceArgs, InputArgs, NetworkArgs, OrderArgs, OutputArgs,
    ProfileArgs, SafetyArgs, SendingArgs, SignInArgs,
};
use crate::text::duration;

pub(super) const PLAN_EXAMPLES: &str = "Examples:
      entra-revoke plan leavers.csv --protect break-glass.txt --case-id INC-4711
      entra-revoke plan --group Finance --exclude-role 'Global Administrator' --plan-file finance.json
  Then, by whoever sends it, with the hash that was approved:
      entra-revoke apply finance.json --expect-sha256 …";

pub(super) const APPLY_EXAMPLES: &str = "Examples:
      entra-revoke apply plan.json --expect-sha256 …
  Before you approve it: each id with the name that the directory has for it, and what changed; nothing is sent:
      entra-revoke apply plan.json --dry-run
  Only with the signature of an approver, in plan.json.sig (docs/safety.md):
      entra-revoke apply plan.json --approvers approvers";

/// `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Files with users: CSV, plain lists, .xlsx, JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the plan is written
    #[arg(long, value_name = "FILE", default_value = "plan.json", help_heading = "Plan")]
    pub plan_file: PathBuf,
    /// Replace a plan that is there
    #[arg(long, help_heading = "Plan")]
    pub overwrite: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub choosing: ChoosingArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub input: InputArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub order: OrderArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub safety: SafetyArgs,
    /// Send nothing if the plan holds more users than this: `apply` heeds it
    #[arg(long, value_name = "N", help_heading = "Safety")]
    pub max_users: Option<u32>,
    /// Longest wait that a server may ask for (Retry-After) while the directory is read [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, help_heading = "Network")]
    pub max_wait: Option<Duration>,
    /// Your case's id: it stands in the plan, and in every row of the report
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
    /// Send nothing unless this is the plan's SHA-256: that which was approved
    #[arg(long, value_name = "HEX", value_parser = sha256, help_heading = "Plan")]
    pub expect_sha256: Option<String>,
    /// Send nothing if the plan is older
    #[arg(long, value_name = "TIME", value_parser = duration::parse_positive, default_value = "24h", help_heading = "Plan")]
    pub max_age: Duration,
    /// Send nothing without PLAN.sig, the signature (ssh-keygen -Y sign -n entra-revoke) of somebody on this list of approvers
    /// (OpenSSH's allowed_signers) who is not the sender. Repeatable: all lists must hold the key
    #[arg(long, value_name = "FILE", help_heading = "Plan")]
    pub approvers: Vec<PathBuf>,
    /// Go on where the directory now calls an id otherwise than the plan does
    #[arg(long, help_heading = "Plan")]
    pub allow_renamed: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub consent: ConsentArgs,
    /// Never send these either, beside the plan's own lists: an id, a file of ids, group:ID or role:ID. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID", help_heading = "Safety")]
    pub protect: Vec<String>,
    /// Go on where a protect list holds nobody
    #[arg(long, help_heading = "Safety")]
    pub allow_empty: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub caps: CapArgs,
    /// Show the plan as it would be sent now, each id with the directory's name, and send nothing
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

/// A SHA-256 in hex, as `plan` prints it.
fn sha256(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let fits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if fits { Ok(text) } else { Err("a SHA-256 has 64 hex digits".to_owned()) }
}
