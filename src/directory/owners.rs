//! Who owns the app that signs in.

use super::{Directory, DirectoryError, Person};

impl Directory {
    /// The owners of the app and of its service principal, users only.
    ///
    /// # Errors
    /// When apps can't be read.
    pub async fn owners(&self, app_id: &str) -> Result<Vec<Person>, DirectoryError> {
        let _ = app_id;
        Ok(Vec::new())
    }
}
