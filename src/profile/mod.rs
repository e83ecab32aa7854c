//! Profiles: a team's settings for signing in, protecting users and sending, in a config file.
//!
//! ```text
//!            ┌ place ┐ a path  ┌ file ┐ line by line  ┌ keys ┐
//!  --config ▶│       │────────▶│      │──────────────▶│      │──▶ Profile ──▶ settings::chosen_profile ──▶ the flags
//!            └───────┘         └──────┘ secrets, nearest └───┘      └▶ check: do its files exist here?
//! ```
//!
//! A profile holds no secret: a key or a value that looks like one is refused, and never shown.

mod app;
mod check;
mod file;
mod keys;
mod location;
mod secrets;
mod section;
mod tenant;
mod value;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use check::{exposed, lists, problems};
pub use file::ConfigFile;
pub use location::ConfigLocation;

use crate::dispatch::{BatchSize, HaltRule, Rate};
use crate::identity::{AdditionalApp, Cloud, CredentialSources};
use crate::outcome::Outcome;
use crate::plan::MaxShare;
use crate::tenant::TenantName;

/// The word for no profile.
pub const NO_PROFILE: &str = "none";

/// A profile from the config file. Its keys have the names of the flags; paths are already absolute.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The tenant: its ID or one of its domains.
    pub tenant: Option<String>,
    /// The app's ID.
    pub client_id: Option<String>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// What to sign in with.
    pub sources: CredentialSources,
    /// Further apps that send in the same tenant, in the order of the file: `[[profile.NAME.app]]`.
    pub apps: Vec<AdditionalApp>,
    /// Tenants with their own app, in the order of the file: `[[profile.NAME.tenants]]`.
    pub tenants: Vec<TenantEntry>,
    /// Users who are never revoked: IDs, and files of IDs.
    pub protect: Vec<String>,
    /// The list of approvers. Without the signature of one of them, nothing is revoked.
    pub approvers: Option<PathBuf>,
    /// Files of users to leave out.
    pub exclude_file: Vec<PathBuf>,
    /// The ID of the case.
    pub case_id: Option<String>,
    /// The folder for run folders.
    pub output_dir: Option<PathBuf>,
    /// Maximum number of requests in flight.
    pub jobs: Option<u16>,
    /// `--batch-size`.
    pub batch_size: Option<BatchSize>,
    /// How fast requests leave.
    pub rate: Option<Rate>,
    /// How many requests may leave at once after a pause.
    pub burst: Option<u32>,
    /// Retries after the first attempt.
    pub retries: Option<u32>,
    /// The longest wait that a server may ask for.
    pub max_wait: Option<Duration>,
    /// When sending ends.
    pub deadline: Option<Duration>,
    /// When to stop automatically.
    pub halt: Option<HaltRule>,
    /// A run with more users than this is refused.
    pub max_users: Option<u32>,
    /// The largest share of the tenant's users that needs no confirmation of their number.
    pub max_share: Option<MaxShare>,
    /// Outcomes that count as done.
    pub accept: Vec<Outcome>,
    /// Time limit for a response.
    pub timeout: Option<Duration>,
    /// Additional root certificates to trust.
    pub ca_cert: Option<PathBuf>,
}

/// The sign-in settings of a tenant with its own app.
#[derive(Clone, Debug)]
pub struct TenantEntry {
    /// The tenant.
    pub tenant: TenantName,
    /// Its app.
    pub app: AdditionalApp,
    /// The profile whose app it uses, with its offset in the file, until the whole file is read.
    inherits_from: Option<(usize, String)>,
}

/// A problem in a config file, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A profile can't be used. Ends a command with exit code 2, before the first request.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file can't be read.
    #[error("can't read the config file {path}: {reason}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        reason: String,
    },
    /// Other accounts may change the file, and so decide where secrets are sent and who is protected.
    #[error("the config file is not used: {0}")]
    Insecure(String),
    /// The file has errors.
    #[error("the config file {path} is not valid:{}", format_problems(.problems), path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All problems in it, by line.
        problems: Vec<ProfileProblem>,
    },
    /// There is no config file.
    #[error("there is no config file{}: create it, or use --config", location_suffix(.0))]
    NoFile(Option<PathBuf>),
    /// The file has no such profile.
    #[error("{path} has no profile {name}{hint}", path = path.display())]
    NoSuch {
        /// The name that was asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// The profiles that it has, with a separator before them.
        hint: String,
    },
    /// A config file was named without a profile.
    #[error("--config {path} was used without --profile; choose a profile{hint}", path = path.display())]
    NotChosen {
        /// The file.
        path: PathBuf,
        /// What else to do, with a separator before it, or empty.
        hint: &'static str,
    },
    /// The named profile and the environment contradict each other.
    #[error(
        "profile {profile} has {key} = {ours}, but {variable} is {theirs}: unset {variable}, or use {flag} to \
         choose"
    )]
    Environment {
        /// The profile.
        profile: String,
        /// Its key.
        key: &'static str,
        /// The profile's value.
        ours: String,
        /// The environment variable.
        variable: &'static str,
        /// The variable's value.
        theirs: String,
        /// The flag that overrides both.
        flag: &'static str,
    },
}

fn format_problems(problems: &[ProfileProblem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

fn location_suffix(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default()
}
