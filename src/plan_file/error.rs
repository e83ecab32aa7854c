//! Errors of plan files: they can't be written, read, or applied here and now.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::PlanError;

/// A plan file can't be made or used, so nothing is revoked.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file can't be written.
    #[error("can't write the plan to {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is already a file with this name.
    #[error(
        "{path} already exists and may be an approved plan: use --overwrite to replace it, or --plan-file \
         for another name", path = path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is something other than a plan.
    #[error(
        "{path} exists and is not a plan, so it is not replaced: use --plan-file for another name",
        path = path.display()
    )]
    NotReplaceable {
        /// The file.
        path: PathBuf,
    },
    /// The plan itself can't be made or read back.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The file can't be read.
    #[error("can't read the plan {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a valid plan.
    #[error(
        "{path} is not a valid plan file: {reason}. To make a plan file, use `entra-revoke plan`",
        path = path.display()
    )]
    NotAPlan {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program made it.
    #[error(
        "{path} has plan format {format}, but this version reads formats up to {known}: use the version that \
         made it", path = path.display(), known = super::FORMAT
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// The content was changed after the plan was made.
    #[error(
        "{path} was changed after it was made: its hash is {found}, but the file says {recorded}. Make the \
         plan again. Nothing was revoked", path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The hash of the content.
        found: String,
        /// The hash in the file.
        recorded: String,
    },
    /// It is not the approved plan.
    #[error(
        "{path} is not the plan that was approved: its SHA-256 is {found}, but --expect-sha256 says \
         {expected}", path = path.display()
    )]
    NotApproved {
        /// The file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The hash in `--expect-sha256`.
        expected: String,
    },
    /// It is too old.
    #[error(
        "{path} was made {age} ago, but --max-age allows {allowed}: make the plan again, or raise --max-age",
        path = path.display()
    )]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its age.
        age: String,
        /// The allowed age.
        allowed: String,
    },
    /// Its time is in the future.
    #[error(
        "{path} says that it was made at {made_at}, which is in the future: check the clocks of this machine \
         and of the one that made it",
        path = path.display()
    )]
    MadeInFuture {
        /// The file.
        path: PathBuf,
        /// Its time.
        made_at: String,
    },
    /// It is for another cloud or another Graph.
    #[error("the plan was made for {planned}; it can't be applied to {given}{hint}")]
    WrongDestination {
        /// The plan's cloud, Graph or tenant.
        planned: String,
        /// The current one.
        given: String,
        /// What to do, with a separator before it, or empty.
        hint: String,
    },
    /// The directory has other names for users than the plan.
    #[error(
        "{path}: the directory and the plan have different names for {users}, so the approver may have meant \
         someone else. Nothing was revoked. Make the plan again, or check `entra-revoke apply --dry-run` and \
         use --allow-renamed if these are the right users: {names}", path = path.display()
    )]
    Renamed {
        /// The file.
        path: PathBuf,
        /// The number of users, in words.
        users: String,
        /// The first of them, with both names.
        names: String,
    },
    /// The token does not name its tenant, but the plan does.
    #[error(
        "the plan was made for tenant {planned}, but the token does not name its tenant: use a token that \
         does, so that no users of another tenant are revoked"
    )]
    UnknownTenant {
        /// The plan's tenant.
        planned: String,
    },
}

impl PlanFileError {
    /// The process's exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            PlanFileError::Write { .. } => 1,
            PlanFileError::Plan(PlanError::Write { .. }) => 1,
            _ => 2,
        }
    }

    pub(super) fn write_error(path: &Path) -> impl FnOnce(io::Error) -> PlanFileError + '_ {
        move |source| PlanFileError::Write { path: path.to_owned(), source }
    }

    pub(super) fn not_a_plan(path: &Path, reason: impl Into<String>) -> PlanFileError {
        let reason = crate::text::sanitize::sanitize_truncated(&reason.into(), 200);
        PlanFileError::NotAPlan { path: path.to_owned(), reason }
    }
}
