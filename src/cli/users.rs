//! The arguments about users: which are selected, how input is read, which are left out, and which are revoked first.

use std::path::PathBuf;

use clap::Args;

use crate::directory::{RiskLevel, non_empty};
use crate::intake::{self, Filter, Shard, TextEncoding};
use crate::plan::MaxShare;

/// Selections from the directory. All selections are added together, and so are files.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Users from the directory")]
pub struct SelectionArgs {
    /// Members of a group, including nested groups, by ID or name. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub group: Vec<String>,
    /// With --group: only its direct members
    #[arg(long)]
    pub direct: bool,
    /// Holders of a directory role, directly or through a group, by name or ID. Repeatable
    #[arg(long, value_name = "NAME|ID", value_parser = non_empty)]
    pub role: Vec<String>,
    /// With roles: include users who can activate the role (PIM)
    #[arg(long)]
    pub eligible: bool,
    /// Users of an administrative unit, by ID or name. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub administrative_unit: Vec<String>,
    /// Users at risk in Identity Protection: high, medium, low; repeatable, or separated by commas
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub risky_users: Vec<RiskLevel>,
    /// Users that match an OData filter, such as "department eq 'Sales'". Repeatable
    #[arg(long, value_name = "ODATA", value_parser = non_empty)]
    pub users_filter: Vec<String>,
    /// Everyone who reports to this user, at any depth, not including the user. Repeatable
    #[arg(long, value_name = "ID")]
    pub reports_of: Vec<String>,
    /// All users of the tenant; you have to confirm their number
    #[arg(long)]
    pub all_users: bool,
    /// Leave this user out; repeatable
    #[arg(long, value_name = "ID")]
    pub exclude: Vec<String>,
    /// Leave out the users in this file; repeatable
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,
    /// Leave out members of a group, including nested groups. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub exclude_group: Vec<String>,
    /// Leave out holders of a directory role. Repeatable
    #[arg(long, value_name = "NAME|ID", value_parser = non_empty)]
    pub exclude_role: Vec<String>,
    /// Leave out guests
    #[arg(long, conflicts_with = "guests_only")]
    pub members_only: bool,
    /// Leave out everyone except guests
    #[arg(long)]
    pub guests_only: bool,
    /// Leave out disabled accounts
    #[arg(long)]
    pub enabled_only: bool,
    /// Also match users in files by mail address, alias, on-premises name and employee ID
    #[arg(long)]
    pub resolve: bool,
    /// Continue if a selection or a protect list has no users
    #[arg(long)]
    pub allow_empty: bool,
    /// Don't look up users first; use IDs as written. Only for users from files; use it when the directory can't be
    /// read
    #[arg(long)]
    pub no_lookup: bool,
}

/// Which users are revoked first.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Order")]
pub struct OrderArgs {
    /// Revoke these before all others: a file of IDs, group:ID or role:ID; repeatable, in the order given
    #[arg(long, value_name = "FILE|group:ID|role:ID")]
    pub first: Vec<String>,
    /// Revoke holders of directory roles before others
    #[arg(long)]
    pub admins_first: bool,
}

/// How the input is read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Column of user IDs, by name or number [default: found by its name]
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Column of priorities: users with 1 are revoked first [default: `priority`]
    #[arg(long, value_name = "NAME")]
    pub priority_column: Option<String>,
    /// Column of tenants, by name or number; `none` if there is none [default: found by its name]
    #[arg(long, value_name = "NAME")]
    pub tenant_column: Option<String>,
    /// Whether --tenant was given on the command line; then a column of tenants is not detected
    #[arg(skip)]
    pub tenant_is_named: bool,
    /// CSV delimiter: a character, or comma, semicolon, tab, pipe [default: detected]
    #[arg(long, value_name = "CHAR", value_parser = intake::parse_delimiter)]
    pub delimiter: Option<u8>,
    /// Encoding, such as utf-8, utf-16le, windows-1252 [default: detected]
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<TextEncoding>,
    /// Sheet of an .xlsx file; repeatable, read in the order given [default: the only one with user IDs]
    #[arg(long, value_name = "NAME")]
    pub sheet: Vec<String>,
    /// Leave out hidden rows of .xlsx files, including those hidden by a filter
    #[arg(long)]
    pub visible_only: bool,
    /// Skip the first N rows of data
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip_rows: u64,
    /// Read at most N rows of data
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rows: Option<u64>,
    /// Use only rows whose COLUMN matches the regular expression REGEX; repeatable, all must match
    #[arg(long = "match", value_name = "COLUMN=REGEX", value_parser = Filter::parse_match)]
    pub matches: Vec<Filter>,
    /// Leave out rows whose COLUMN matches the regular expression REGEX; repeatable
    #[arg(long = "skip", value_name = "COLUMN=REGEX", value_parser = Filter::parse_skip)]
    pub skips: Vec<Filter>,
    /// Use part I of N, for N machines that all read the same input (split by tenant, then by user). --expect-count,
    /// --max-users, --max-share, --strict and the confirmation prompt apply to this part only
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// Limits on the number of users in the plan.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct LimitArgs {
    /// Revoke nothing unless the plan has exactly this many users
    #[arg(long, value_name = "N")]
    pub expect_count: Option<u32>,
    /// If the plan has more than this share of the tenant's users, such as 10%, you have to confirm their number
    #[arg(long, value_name = "PERCENT")]
    pub max_share: Option<MaxShare>,
}

/// Answers to the question that are given in advance.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct ConfirmArgs {
    /// Don't ask before revoking; needed if there is no terminal
    #[arg(short, long, alias = "force")]
    pub yes: bool,
    /// Like --yes, if the plan has exactly N users; needed for --all-users, for more than --max-share, and for more
    /// than half of the tenant's Global Administrators
    #[arg(long, value_name = "N")]
    pub yes_i_mean: Option<u32>,
}

/// Safeguards against revoking the wrong users.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct SafetyArgs {
    /// Never revoke these: an ID, a file of IDs, group:ID or role:ID. The run stops if a list can't be read and
    /// resolved completely. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID")]
    pub protect: Vec<String>,
    /// Revoke this user although it is protected; give the exact ID. Shown in the confirmation prompt and in the
    /// report. Repeatable
    #[arg(long, value_name = "ID")]
    pub unprotect: Vec<String>,
    /// Also revoke the signed-in user, last of all; this ends the program's own session
    #[arg(long)]
    pub include_self: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub caps: LimitArgs,
    /// Stop before the first request if a row does not have a valid user ID
    #[arg(long)]
    pub strict: bool,
}
