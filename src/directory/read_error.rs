//! Why one request found nothing, before it is said of what.

use super::reader::ReadRequest;
use super::{DirectoryError, Permission};
use crate::identity::SignInError;

/// Why one request found nothing.
#[derive(Clone, Debug)]
pub(super) enum ReadError {
    /// Graph knows no such thing.
    NotFound,
    /// A permission is missing.
    Forbidden(String),
    /// Graph does not understand the question.
    Refused {
        /// Its error code, made harmless.
        code: String,
        /// What it said.
        detail: String,
    },
    /// Graph has lost its place in a list: the list must be read anew.
    PageLost(String),
    /// No sense came, to the last try.
    Unavailable(String),
    /// What came can't be trusted.
    Untrusted(String),
    /// No token.
    SignIn(SignInError),
}

impl ReadError {
    /// As the directory's error of this read.
    pub(super) fn into_directory_error(self, read: &ReadRequest) -> DirectoryError {
        self.with_context(&read.what, read.permission)
    }

    /// As the directory's error of what was asked for.
    pub(super) fn with_context(self, what: &str, permission: Permission) -> DirectoryError {
        let what = what.to_owned();
        match self {
            ReadError::NotFound => DirectoryError::NotFound { what },
            ReadError::Forbidden(detail) => DirectoryError::Forbidden { what, permission, detail },
            ReadError::Refused { detail, .. } => DirectoryError::Refused { what, detail },
            ReadError::PageLost(detail) => DirectoryError::Unavailable {
                what,
                reason: format!("Graph lost its place in the list again and again ({detail}); try again"),
            },
            ReadError::Unavailable(reason) => DirectoryError::Unavailable { what, reason },
            ReadError::Untrusted(reason) => DirectoryError::Untrusted { what, reason },
            ReadError::SignIn(error) => DirectoryError::SignIn(error),
        }
    }
}
