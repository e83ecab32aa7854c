//! Why one request failed, without saying yet what was requested.

use super::reader::ReadRequest;
use super::{DirectoryError, Permission};
use crate::identity::SignInError;

/// Why one request failed.
#[derive(Clone, Debug)]
pub(super) enum ReadError {
    /// Graph does not know the object.
    NotFound,
    /// A permission is missing.
    Forbidden(String),
    /// Graph rejects the request.
    Refused {
        /// Graph's error code, sanitized.
        code: String,
        /// Graph's error text.
        detail: String,
    },
    /// Graph no longer accepts the paging token, so the list must be read from the start.
    PageLost(String),
    /// There was no usable answer up to the last retry.
    Unavailable(String),
    /// The answer can't be trusted.
    Untrusted(String),
    /// There is no token.
    SignIn(SignInError),
}

impl ReadError {
    /// The directory's error for this read.
    pub(super) fn into_directory_error(self, read: &ReadRequest) -> DirectoryError {
        self.with_context(&read.what, read.permission)
    }

    /// The directory's error for what was requested.
    pub(super) fn with_context(self, what: &str, permission: Permission) -> DirectoryError {
        let what = what.to_owned();
        match self {
            ReadError::NotFound => DirectoryError::NotFound { what },
            ReadError::Forbidden(detail) => DirectoryError::Forbidden { what, permission, detail },
            ReadError::Refused { detail, .. } => DirectoryError::Refused { what, detail },
            ReadError::PageLost(detail) => DirectoryError::Unavailable {
                what,
                reason: format!("Graph's paging token expired repeatedly; try again ({detail})"),
            },
            ReadError::Unavailable(reason) => DirectoryError::Unavailable { what, reason },
            ReadError::Untrusted(reason) => DirectoryError::Untrusted { what, reason },
            ReadError::SignIn(error) => DirectoryError::SignIn(error),
        }
    }
}
