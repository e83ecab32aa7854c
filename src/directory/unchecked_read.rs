//! What a look-up that only informs came to where it failed.

use super::DirectoryError;

/// Something that would only have informed could not be looked up. No error is made of it: the plan goes on without, and
/// says so.
#[derive(Debug)]
pub struct UncheckedRead(DirectoryError);

impl UncheckedRead {
    /// What an error means where nothing depends on the answer.
    pub fn new(why: DirectoryError) -> UncheckedRead {
        UncheckedRead(why)
    }

    /// Why, in a few words that stand in brackets.
    pub fn reason(&self) -> String {
        short_reason(&self.0)
    }

    /// Why, in whole sentences.
    pub fn sentence(&self) -> String {
        self.0.to_string()
    }

    /// As a line: what was not checked, and why.
    pub fn line(&self, what: &str) -> String {
        format!("{what} ({})", self.reason())
    }
}

/// Why the directory could not be read, in a few words that stand in brackets.
pub(super) fn short_reason(why: &DirectoryError) -> String {
    match why {
        DirectoryError::Forbidden { permission, .. } => format!("needs {}", permission.name()),
        DirectoryError::NotFound { .. } => "Graph knows no such thing".to_owned(),
        DirectoryError::Refused { detail, .. } => format!("Graph does not understand it: {detail}"),
        DirectoryError::Unavailable { reason, .. } | DirectoryError::Untrusted { reason, .. } => {
            reason.clone()
        }
        DirectoryError::Ambiguous { .. } | DirectoryError::SignIn(_) => why.to_string(),
    }
}
