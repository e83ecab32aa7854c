//! The tenant itself.

use serde_json::Value;

use super::item::Item;
use super::reader::Read;
use super::{Directory, DirectoryError, Need, Person};

/// What the question and the plan say of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantFacts {
    /// Its display name, where it may be read; harmless to show.
    pub name: Option<String>,
}

fn read(what: &str, url: String, need: Need) -> Read {
    Read { what: what.to_owned(), url, eventual: false, need, cost: 1 }
}

impl Directory {
    /// The tenant's name; none where it can't be read, which ends nothing (learn.microsoft.com/graph/api/organization-list).
    ///
    /// # Errors
    /// When there is no token.
    pub async fn tenant(&self) -> Result<TenantFacts, DirectoryError> {
        let url = "organization?$select=id,displayName".to_owned();
        match self.reader.get(&read("the tenant's name", url, Need::Organization)).await {
            Ok(answer) => {
                let name = answer.pointer("/value/0/displayName").and_then(Value::as_str);
                let name = name.filter(|name| !name.trim().is_empty());
                Ok(TenantFacts { name: name.map(|name| crate::harmless::excerpt(name, 256)) })
            }
            Err(DirectoryError::SignIn(error)) => Err(DirectoryError::SignIn(error)),
            Err(error) => {
                tracing::debug!("{error}");
                Ok(TenantFacts::default())
            }
        }
    }

    /// How many users the tenant has, guests and disabled accounts among them, as Graph's index counts them
    /// (learn.microsoft.com/graph/aad-advanced-queries, `$count`).
    ///
    /// # Errors
    /// When users can't be counted.
    pub async fn count_users(&self) -> Result<u64, DirectoryError> {
        let read = read("the number of the tenant's users", "users/$count".to_owned(), Need::Users);
        self.reader.count(&Read { eventual: true, ..read }).await
    }

    /// The signed-in user; none for an app.
    ///
    /// # Errors
    /// When that can't be read.
    pub async fn me(&self) -> Result<Option<Person>, DirectoryError> {
        let what = "the signed-in user";
        let url = format!("me?$select={}", self.users.select());
        match self.reader.get(&read(what, url, Need::Users)).await {
            Ok(me) => Item::user(&me, what).map(Some),
            // "/me request is only valid with delegated authentication flow."
            Err(DirectoryError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
