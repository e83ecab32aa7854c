//! The tenant itself.

use super::{Directory, DirectoryError, Person};

/// What the question and the plan say of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantFacts {
    /// Its display name, where it may be read.
    pub name: Option<String>,
}

impl Directory {
    /// The tenant's name; none where it may not be read.
    pub async fn tenant(&self) -> Result<TenantFacts, DirectoryError> {
        Ok(TenantFacts::default())
    }

    /// How many users the tenant has (`/users/$count`).
    ///
    /// # Errors
    /// When users can't be counted.
    pub async fn count_users(&self) -> Result<u64, DirectoryError> {
        Ok(0)
    }

    /// The signed-in user; none for an app.
    ///
    /// # Errors
    /// When that can't be read.
    pub async fn me(&self) -> Result<Option<Person>, DirectoryError> {
        Ok(None)
    }
}
