//! Profiles: what a team signs in with, whom it protects and how it sends, named once in a config file.
//!
//! ```text
//!            ┌ place ┐ a path  ┌ file ┐ line by line  ┌ keys ┐
//!  --config ▶│       │────────▶│      │──────────────▶│      │──▶ Profile ──▶ settings::profiled ──▶ the flags
//!            └───────┘         └──────┘ secrets, nearest └───┘      └▶ check: what this machine has of it
//! ```
//!
//! A profile holds no secret: a key or a value that looks like one is refused, and never shown.

mod app;
mod check;
mod file;
mod keys;
mod place;
mod secrets;
mod tenant;
mod value;
mod within;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

pub use check::{exposed, lists, problems};
pub use file::ConfigFile;
pub use place::ConfigLocation;

use crate::dispatch::{BatchSize, HaltRule, Rate};
use crate::identity::{AdditionalApp, Cloud, CredentialSources};
use crate::outcome::Outcome;
use crate::plan::MaxShare;
use crate::tenant::TenantName;

/// The word that stands for no profile.
pub const NONE: &str = "none";

/// A profile, as the config file has it. Its keys are called as the flags are; paths are whole already.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The tenant: its id or one of its domains.
    pub tenant: Option<String>,
    /// The app's id.
    pub client_id: Option<String>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// What it names to sign in with.
    pub sources: CredentialSources,
    /// Further apps that send beside this one, in the file's order: `[[profile.NAME.app]]`.
    pub apps: Vec<AdditionalApp>,
    /// Tenants that have an app of their own, in the file's order: `[[profile.NAME.tenants]]`.
    pub tenants: Vec<TenantEntry>,
    /// Who is never sent: ids, and files of ids.
    pub protect: Vec<String>,
    /// The list of those who approve plans: without the signature of one, nothing is sent.
    pub approvers: Option<PathBuf>,
    /// Files of users to leave out.
    pub exclude_file: Vec<PathBuf>,
    /// The case's id.
    pub case_id: Option<String>,
    /// Where run folders are made.
    pub output_dir: Option<PathBuf>,
    /// Requests in flight at most.
    pub jobs: Option<u16>,
    /// `--batch-size`.
    pub batch_size: Option<BatchSize>,
    /// How fast requests leave.
    pub rate: Option<Rate>,
    /// How many leave at once after a pause.
    pub burst: Option<u32>,
    /// Tries after the first.
    pub retries: Option<u32>,
    /// The longest wait that a server may ask for.
    pub max_wait: Option<Duration>,
    /// When the sending ends.
    pub deadline: Option<Duration>,
    /// When to stop by itself.
    pub halt: Option<HaltRule>,
    /// More users than this are not sent at all.
    pub max_users: Option<u32>,
    /// The most users, as a share of the tenant's, for which no number must be confirmed.
    pub max_share: Option<MaxShare>,
    /// Outcomes that count as done.
    pub accept: Vec<Outcome>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// Further roots to trust.
    pub ca_cert: Option<PathBuf>,
}

/// How one tenant is signed in to, where it has an app of its own.
#[derive(Clone, Debug)]
pub struct TenantEntry {
    /// Which tenant.
    pub tenant: TenantName,
    /// Its app.
    pub app: AdditionalApp,
    /// The profile whose app it has, and where that stands, until the whole file is read.
    like: Option<(usize, String)>,
}

/// What is wrong in a config file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what is right.
    pub what: String,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// A profile can't be used. Ends a command with exit code 2, before anything is sent.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file can't be read.
    #[error("the config file {path} can't be read: {reason}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others may change the file: they would choose where secrets go, and who is protected.
    #[error("the config file is not used: {0}")]
    Insecure(String),
    /// What stands in the file is wrong.
    #[error("the config file {path} can't be used:{}", listed(.problems), path = path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// All that is wrong in it, by line.
        problems: Vec<ProfileProblem>,
    },
    /// There is no config file.
    #[error("there is no config file{}: write one, or name it with --config", at(.0))]
    NoFile(Option<PathBuf>),
    /// The file has no such profile.
    #[error("{path} has no profile {name}{hint}", path = path.display())]
    NoSuch {
        /// As asked for.
        name: String,
        /// The file.
        path: PathBuf,
        /// Which it has, with a separator before it.
        hint: String,
    },
    /// A config file was given, and nothing says which of its profiles is meant.
    #[error("--config {path} is given, but no profile of it is chosen: give --profile{hint}", path = path.display())]
    NotChosen {
        /// The file.
        path: PathBuf,
        /// What else to do, with a separator before it, or nothing.
        hint: &'static str,
    },
    /// The profile that was asked for and the environment say different things.
    #[error(
        "profile {profile} has {key} = {ours}, but {variable} is {theirs}: unset {variable}, or give {flag} to say \
         which is meant"
    )]
    Environment {
        /// The profile.
        profile: String,
        /// Its key.
        key: &'static str,
        /// What the profile says.
        ours: String,
        /// The environment's variable.
        variable: &'static str,
        /// What the environment says.
        theirs: String,
        /// The flag that settles it.
        flag: &'static str,
    },
}

fn listed(problems: &[ProfileProblem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}

fn at(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!(" at {}", path.display())).unwrap_or_default()
}
