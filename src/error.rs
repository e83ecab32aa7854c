//! What ends a run: typed, with its exit code and what to do next.

use crate::approval::ApprovalError;
use crate::console::log::LogError;
use crate::http::ConnectError;
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
    /// The words of the command make no sense together, or the input is not fit.
    #[error("{0}")]
    Usage(String),
    /// The input can't be read, or the plan can't be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan can't be made with what the directory says, or does not say; it could be made without.
    #[error("{}. --no-lookup goes without the directory: ids are then compared as they are written", .0.to_string().trim_end_matches('.'))]
    Avoidable(#[source] PlanError),
    /// No profile, or none that can be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No log file.
    #[error(transparent)]
    Log(#[from] LogError),
    /// No HTTP client.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No token.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The operator said no.
    #[error("nothing was sent: the question was answered with no")]
    Declined,
    /// A cap or a number that was typed stands against it.
    #[error("nothing was sent: {0}")]
    Refused(String),
    /// No plan file, or none that can be applied.
    #[error(transparent)]
    PlanFile(#[from] PlanFileError),
    /// A plan that nobody else approved.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// No question could be asked.
    #[error("there is no terminal to ask on; give --yes to go on without a question")]
    NoTerminal,
    /// The run folder can't be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The journal can't be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal can't be read.
    #[error(transparent)]
    Ledger(#[from] JournalReadError),
    /// Run folders can't be joined.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A run folder's files are not those of which its manifest speaks.
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
    #[error("the simulator can't be started: {0}")]
    Simulator(String),
}

impl Error {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Plan(PlanError::Write { .. }) => 1,
            Error::Plan(PlanError::Directory(error)) | Error::Avoidable(PlanError::Directory(error)) => {
                error.exit_code()
            }
            Error::Usage(_)
            | Error::Plan(_)
            | Error::Avoidable(_)
            | Error::Profile(_)
            | Error::Approval(_)
            | Error::NoTerminal => 2,
            Error::Merge(_) | Error::Manifest(_) | Error::Report(ReportError::Overlap { .. }) => 2,
            Error::Ledger(JournalReadError::OtherRun { .. }) => 2,
            Error::Connect(error) if error.is_usage() => 2,
            Error::Folder(FolderError::NoRun { .. } | FolderError::Refused(_)) => 2,
            Error::SignIn(error) if error.is_usage() => 2,
            Error::SignIn(_) => 4,
            Error::PlanFile(error) => error.exit_code(),
            Error::Declined | Error::Refused(_) => 5,
            _ => 1,
        }
    }
}
