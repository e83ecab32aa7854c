//! Why the directory could not be read.

use super::Permission;
use crate::identity::SignInError;

/// The directory could not be read. The server's texts in it are safe to show.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The sign-in lacks a permission.
    #[error("can't read {what}: this needs {permission} (Graph answered {detail})")]
    Forbidden {
        /// What was requested, in words: `group Finance`.
        what: String,
        /// The missing permission.
        permission: Permission,
        /// Graph's error text.
        detail: String,
    },
    /// The object does not exist.
    #[error("there is no {what} in this tenant")]
    NotFound {
        /// What was requested.
        what: String,
    },
    /// Several objects have the name.
    #[error("{what} is ambiguous. Use an ID: {}", candidates.join(", "))]
    Ambiguous {
        /// What was requested.
        what: String,
        /// The objects with this name: name and ID of each.
        candidates: Vec<String>,
    },
    /// Graph rejects the request itself.
    #[error("can't read {what}: Graph rejects the request ({detail})")]
    Refused {
        /// What was requested.
        what: String,
        /// Graph's error text.
        detail: String,
    },
    /// Graph did not answer, or failed up to the last retry.
    #[error("can't read {what}: {reason}")]
    Unavailable {
        /// What was requested.
        what: String,
        /// The last failure.
        reason: String,
    },
    /// The answer can't be trusted, so it is not used.
    #[error("can't read {what}: {reason}")]
    Untrusted {
        /// What was requested.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// There is no token.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl DirectoryError {
    /// Whether a permission is missing.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, DirectoryError::Forbidden { .. })
    }

    /// The exit code of the process if this ends it: 4 for the sign-in or a permission, 2 for names that match nothing,
    /// 1 otherwise.
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
