//! Why a plan file can't be written, read, or applied here and now.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::PlanError;

/// A plan file can't be made or used. Nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// It can't be written.
    #[error("the plan can't be written to {path}: {source}", path = path.display())]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file of that name.
    #[error(
        "{path} is there already, and may be a plan that somebody approved: give --overwrite to replace it, or \
         --plan-file with another name", path = path.display()
    )]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{path} is there and is no plan: it is not replaced. Name another file with --plan-file", path = path.display())]
    NotReplaceable {
        /// Which.
        path: PathBuf,
    },
    /// The plan itself can't be made or read back.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It can't be read.
    #[error("the plan {path} can't be read: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is something else.
    #[error("{path} is no plan file of entra-revoke: {reason}. `entra-revoke plan` makes one", path = path.display())]
    NotAPlan {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program made it.
    #[error(
        "{path} is a plan file of format {format}, and this entra-revoke knows formats up to {known}: use the version \
         that made it", path = path.display(), known = super::FORMAT
    )]
    NewerFormat {
        /// Which.
        path: PathBuf,
        /// Its format.
        format: u64,
    },
    /// What it says is not what it said when it was made.
    #[error(
        "{path} was changed after it was made: its hash is {found}, and it says {recorded}. Nothing is sent; make the plan \
         again", path = path.display()
    )]
    Changed {
        /// Which.
        path: PathBuf,
        /// The hash of what it says.
        found: String,
        /// The hash that stands in it.
        recorded: String,
    },
    /// It is another plan than the one that was approved.
    #[error(
        "{path} is not the plan that was approved: its SHA-256 is {found}, and --expect-sha256 says {expected}",
        path = path.display()
    )]
    NotApproved {
        /// Which.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// The one expected.
        expected: String,
    },
    /// It is too old.
    #[error(
        "{path} was made {age} ago, and --max-age allows {allowed}: make the plan again, or allow more",
        path = path.display()
    )]
    TooOld {
        /// Which.
        path: PathBuf,
        /// How long ago it was made.
        age: String,
        /// What is allowed.
        allowed: String,
    },
    /// It was made in the future.
    #[error(
        "{path} says that it was made at {made_at}, which is yet to come: the clock here or there is wrong",
        path = path.display()
    )]
    MadeInFuture {
        /// Which.
        path: PathBuf,
        /// When.
        made_at: String,
    },
    /// It is for another cloud or another Graph.
    #[error("the plan was made for {planned}; it can't be applied to {given}{hint}")]
    WrongDestination {
        /// What the plan says.
        planned: String,
        /// What was given.
        given: String,
        /// What to do, with a separator before it; or nothing.
        hint: String,
    },
    /// The directory calls somebody otherwise than the plan.
    #[error(
        "{path}: {users} called otherwise in the directory than in the plan: {names}. Whoever approved the plan may have \
         meant somebody else, so nothing is sent. Make the plan again; or look at `entra-revoke apply --dry-run`, and give \
         --allow-renamed if these are meant", path = path.display()
    )]
    Renamed {
        /// Which plan.
        path: PathBuf,
        /// How many.
        users: String,
        /// Which of them, as far as they are told.
        names: String,
    },
    /// The token does not tell its tenant, and the plan does.
    #[error(
        "the plan was made for tenant {planned}, and the token does not say its tenant: sign in with one that does, so \
         that nobody of another tenant is revoked"
    )]
    UnknownTenant {
        /// What the plan says.
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
