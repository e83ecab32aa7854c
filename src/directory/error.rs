//! Why the directory could not be read.

use super::Permission;
use crate::identity::SignInError;

/// The directory could not be read. Texts of the server's in it are harmless to show.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The sign-in lacks a permission.
    #[error("{what} can't be read: Graph refuses it ({detail}). It needs {permission}")]
    Forbidden {
        /// What was asked for, in words: `group Finance`.
        what: String,
        /// What it needs.
        permission: Permission,
        /// What Graph said.
        detail: String,
    },
    /// There is no such thing.
    #[error("there is no {what} in this tenant")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// A name is that of several things.
    #[error("{what} is ambiguous: {}. Name one of them by its id", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        what: String,
        /// Those it may be: name and id.
        candidates: Vec<String>,
    },
    /// Graph refuses the question itself.
    #[error("{what} can't be read: Graph does not understand it ({detail})")]
    Refused {
        /// What was asked for.
        what: String,
        /// What Graph said.
        detail: String,
    },
    /// Graph did not answer, or only with failures, to the last try.
    #[error("{what} can't be read: {reason}")]
    Unavailable {
        /// What was asked for.
        what: String,
        /// The last failure.
        reason: String,
    },
    /// An answer that can't be trusted: nothing is built on it.
    #[error("{what} can't be read: {reason}")]
    Untrusted {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No token.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl DirectoryError {
    /// Whether a permission is what is missing.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, DirectoryError::Forbidden { .. })
    }

    /// The process's exit code where this ends it: 4 for a sign-in or permission, 2 for names that fit nothing, 1
    /// otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            DirectoryError::Forbidden { .. } | DirectoryError::SignIn(_) => 4,
            DirectoryError::NotFound { .. }
            | DirectoryError::Ambiguous { .. }
            | DirectoryError::Refused { .. } => 2,
            DirectoryError::Unavailable { .. } | DirectoryError::Untrusted { .. } => 1,
        }
    }
}
