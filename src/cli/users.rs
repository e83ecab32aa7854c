//! The words for whom: who is chosen, how input is read, who is left out, and who goes first.

use std::path::PathBuf;

use clap::Args;

use crate::directory::{RiskLevel, non_empty};
use crate::intake::{self, Filter, Shard, TextEncoding};
use crate::plan::MaxShare;

/// Whom the directory names. What is chosen adds up, files included.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Users from the directory")]
pub struct ChoosingArgs {
    /// The members of a group, also of groups in it: its id or its name. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub group: Vec<String>,
    /// With --group: its direct members only
    #[arg(long)]
    pub direct: bool,
    /// Whoever holds a directory role, by itself or through a group: its name or its id. Repeatable
    #[arg(long, value_name = "NAME|ID", value_parser = non_empty)]
    pub role: Vec<String>,
    /// Roles count for those, too, who may activate them (PIM)
    #[arg(long)]
    pub eligible: bool,
    /// The users of an administrative unit: its id or its name. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub administrative_unit: Vec<String>,
    /// Users whom Identity Protection holds to be at risk: high, medium, low; repeatable, or with commas
    #[arg(long, value_name = "LEVEL", value_delimiter = ',')]
    pub risky_users: Vec<RiskLevel>,
    /// Users that an OData filter finds, such as "department eq 'Sales'". Repeatable
    #[arg(long, value_name = "ODATA", value_parser = non_empty)]
    pub users_filter: Vec<String>,
    /// Everybody who reports to this user, at any depth; not the user. Repeatable
    #[arg(long, value_name = "ID")]
    pub reports_of: Vec<String>,
    /// Every user of the tenant; confirmed by their number
    #[arg(long)]
    pub all_users: bool,
    /// Leave this user out; repeatable
    #[arg(long, value_name = "ID")]
    pub exclude: Vec<String>,
    /// Leave out the users in this file; repeatable
    #[arg(long, value_name = "FILE")]
    pub exclude_file: Vec<PathBuf>,
    /// Leave out the members of a group, also of groups in it. Repeatable
    #[arg(long, value_name = "ID|NAME", value_parser = non_empty)]
    pub exclude_group: Vec<String>,
    /// Leave out whoever holds a directory role. Repeatable
    #[arg(long, value_name = "NAME|ID", value_parser = non_empty)]
    pub exclude_role: Vec<String>,
    /// Leave out guests
    #[arg(long, conflicts_with = "guests_only")]
    pub members_only: bool,
    /// Leave out everybody but guests
    #[arg(long)]
    pub guests_only: bool,
    /// Leave out accounts that are disabled
    #[arg(long)]
    pub enabled_only: bool,
    /// Find the users of files also by mail address, alias, on-premises name and employee id
    #[arg(long)]
    pub resolve: bool,
    /// Go on where a selection or a protect list finds nobody
    #[arg(long)]
    pub allow_empty: bool,
    /// Don't look users up first: ids are sent as they are written. For files, where the directory can't be read
    #[arg(long)]
    pub no_lookup: bool,
}

/// Who goes first.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Order")]
pub struct OrderArgs {
    /// Send these before all others: a file of ids, group:ID or role:ID; repeatable, the first named go first
    #[arg(long, value_name = "FILE|group:ID|role:ID")]
    pub first: Vec<String>,
    /// Send holders of directory roles before others
    #[arg(long)]
    pub admins_first: bool,
}

/// How the input is read.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// The column of user ids, by name or number; found by its name otherwise
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// The column that orders the sending (1 first); `priority` otherwise
    #[arg(long, value_name = "NAME")]
    pub priority_column: Option<String>,
    /// The column of tenants, ids or domains; found by its name otherwise. The word none: no column names tenants
    #[arg(long, value_name = "NAME")]
    pub tenant_column: Option<String>,
    /// Whether --tenant was given on the command line, which a guessed column of tenants gives way to
    #[arg(skip)]
    pub tenant_is_named: bool,
    /// Delimiter of CSV: a character, or comma, semicolon, tab, pipe; found out otherwise
    #[arg(long, value_name = "CHAR", value_parser = intake::parse_delimiter)]
    pub delimiter: Option<u8>,
    /// Encoding, such as utf-8, utf-16le, windows-1252; found out otherwise
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<TextEncoding>,
    /// A sheet of an .xlsx file; otherwise the only one that holds user ids. Repeatable: one is read after another
    #[arg(long, value_name = "NAME")]
    pub sheet: Vec<String>,
    /// Leave out rows of .xlsx files that are hidden, by hand or by a filter
    #[arg(long)]
    pub visible_only: bool,
    /// Pass over the first N rows of data
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip_rows: u64,
    /// Read at most N rows of data
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_rows: Option<u64>,
    /// Take only rows whose column F matches the regular expression RE; repeatable, all must match
    #[arg(long = "match", value_name = "F=RE", value_parser = Filter::parse_match)]
    pub matches: Vec<Filter>,
    /// Leave out rows whose column F matches the regular expression RE; repeatable
    #[arg(long = "skip", value_name = "F=RE", value_parser = Filter::parse_skip)]
    pub skips: Vec<Filter>,
    /// Take the I-th of N parts, by tenant, then by user: for N machines that all read the same input. --expect-count,
    /// --max-users, --max-share, --strict and what the question asks hold for this part alone
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
}

/// How many users may be sent at once.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct CapArgs {
    /// Send nothing unless the plan holds exactly this many users
    #[arg(long, value_name = "N")]
    pub expect_count: Option<u32>,
    /// Above this share of the tenant's users, such as 10%, the number of users must be confirmed by itself
    #[arg(long, value_name = "PERCENT")]
    pub max_share: Option<MaxShare>,
}

/// Who answers the question.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct ConsentArgs {
    /// Don't ask before sending; needed where there is no terminal
    #[arg(short, long, alias = "force")]
    pub yes: bool,
    /// The same, and the plan holds exactly N users: wanted for --all-users, for more than --max-share, and for more than
    /// half of the tenant's Global Administrators
    #[arg(long, value_name = "N")]
    pub yes_i_mean: Option<u32>,
}

/// What keeps the wrong users from being sent.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Safety")]
pub struct SafetyArgs {
    /// Never send these: an id, a file of ids, group:ID or role:ID; a list that can't be read and resolved in full stops
    /// the run. Repeatable
    #[arg(long, value_name = "FILE|ID|group:ID|role:ID")]
    pub protect: Vec<String>,
    /// Send this user although somebody protects it: the very id. Shown in the question and kept in the report. Repeatable
    #[arg(long, value_name = "ID")]
    pub unprotect: Vec<String>,
    /// Send the signed-in operator, too, last of all: it ends this program's own session
    #[arg(long)]
    pub include_self: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub caps: CapArgs,
    /// Stop before the first request if a row is no user id
    #[arg(long)]
    pub strict: bool,
}
