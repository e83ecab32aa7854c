//! The errors that end a command, each with its exit code and what to do next.

use crate::approval::ApprovalError;
use crate::console::log::LogError;
use crate::http::ClientBuildError;
use crate::identity::SignInError;
use crate::journal::{FolderError, JournalError, JournalReadError};
use crate::plan::PlanError;
use crate::plan_file::PlanFileError;
use crate::profile::ProfileError;
use crate::report::merge::MergeError;
use crate::report::{ManifestError, ReportError};

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments contradict each other, or the input can't be used.
    #[error("{0}")]
    Usage(String),
    /// The input can't be read, or the plan can't be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The directory keeps the plan from being made; it could be made without the directory.
    #[error(
        "{}. --no-lookup works without the directory: IDs are then compared as written",
        .0.to_string().trim_end_matches('.')
    )]
    NoLookupSuggested(#[source] PlanError),
    /// The profile is missing or can't be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Logging can't be set up.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The HTTP client can't be set up.
    #[error(transparent)]
    Connect(#[from] ClientBuildError),
    /// The sign-in failed.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The operator answered the question with no.
    #[error("cancelled: not confirmed. Nothing was revoked")]
    Declined,
    /// The plan exceeds a limit, or the number that was typed is not the expected one.
    #[error("nothing was revoked: {0}")]
    NotConfirmed(String),
    /// The plan file is missing or can't be applied.
    #[error(transparent)]
    PlanFile(#[from] PlanFileError),
    /// The plan lacks the approval of a second person.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// The question can't be asked.
    #[error(
        "can't ask for confirmation, because there is no terminal; to continue without asking, use --yes"
    )]
    NoTerminal,
    /// The run folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The journal can't be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal can't be read.
    #[error(transparent)]
    JournalRead(#[from] JournalReadError),
    /// Run folders can't be merged.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A run folder's files do not match its manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// A report can't be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Something else failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The simulator can't be started.
    #[error("can't start the simulator: {0}")]
    Simulator(String),
}

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Plan(PlanError::Write { .. }) => 1,
            Error::Plan(PlanError::Directory(error))
            | Error::NoLookupSuggested(PlanError::Directory(error)) => error.exit_code(),
            Error::Usage(_)
            | Error::Plan(_)
            | Error::NoLookupSuggested(_)
            | Error::Profile(_)
            | Error::Approval(_)
            | Error::NoTerminal => 2,
            Error::Merge(_) | Error::Manifest(_) | Error::Report(ReportError::Overlap { .. }) => 2,
            Error::JournalRead(JournalReadError::OtherRun { .. }) => 2,
            Error::Connect(error) if error.is_usage() => 2,
            Error::Folder(FolderError::NoRun { .. } | FolderError::Refused(_)) => 2,
            Error::SignIn(error) if error.is_usage() => 2,
            Error::SignIn(_) => 4,
            Error::PlanFile(error) => error.exit_code(),
            Error::Declined | Error::NotConfirmed(_) => 5,
            _ => 1,
        }
    }
}
