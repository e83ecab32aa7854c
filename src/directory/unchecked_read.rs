//! The failure of a look-up that only informs.

use super::DirectoryError;

/// A look-up that would only have informed and that failed. It is not an error: planning continues without it and says
/// so.
#[derive(Debug)]
pub struct UncheckedRead(DirectoryError);

impl UncheckedRead {
    /// Wraps the error of a look-up that only informs.
    pub fn new(why: DirectoryError) -> UncheckedRead {
        UncheckedRead(why)
    }

    /// The reason in a few words, for brackets.
    pub fn reason(&self) -> String {
        short_reason(&self.0)
    }

    /// The reason in whole sentences.
    pub fn sentence(&self) -> String {
        self.0.to_string()
    }

    /// One line: what was not checked, and why.
    pub fn line(&self, what: &str) -> String {
        format!("{what} ({})", self.reason())
    }
}

/// Why the directory could not be read, in a few words for brackets.
pub(super) fn short_reason(why: &DirectoryError) -> String {
    match why {
        DirectoryError::Forbidden { permission, .. } => format!("needs {}", permission.name()),
        DirectoryError::NotFound { .. } => "not found".to_owned(),
        DirectoryError::Refused { detail, .. } => format!("Graph rejects the request: {detail}"),
        DirectoryError::Unavailable { reason, .. } | DirectoryError::Untrusted { reason, .. } => {
            reason.clone()
        }
        DirectoryError::Ambiguous { .. } | DirectoryError::SignIn(_) => why.to_string(),
    }
}
