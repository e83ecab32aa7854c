//! The tenant itself.

use serde_json::Value;
use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::reader::ReadRequest;
use super::{Directory, DirectoryError, DirectoryUser, Permission};

/// The facts about a tenant that the confirmation question and the plan show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationFacts {
    /// Its display name, if it may be read. Safe to show.
    pub name: Option<String>,
}

/// A tenant as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Its ID.
    pub id: Uuid,
    /// Its display name. Safe to show.
    pub name: Option<String>,
    /// The domains that it has verified, in lower case.
    pub domains: Vec<String>,
}

impl Organization {
    fn read(answer: &Value) -> Result<Organization, &'static str> {
        let one = answer.pointer("/value/0").ok_or("an answer without a tenant")?;
        let id = one.get("id").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok());
        let id = id.filter(|id| !id.is_nil()).ok_or("a tenant without an ID")?;
        let name = one.get("displayName").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let domains = one.get("verifiedDomains").and_then(Value::as_array).into_iter().flatten();
        let domains = domains.filter_map(|domain| domain.get("name")?.as_str());
        Ok(Organization {
            id,
            name: name.map(|name| crate::text::sanitize::sanitize_truncated(name, 256)),
            domains: domains.map(str::to_lowercase).collect(),
        })
    }
}

fn request(what: &str, url: String, permission: Permission) -> ReadRequest {
    ReadRequest { what: what.to_owned(), url, eventual: false, permission, cost: 1 }
}

impl Directory {
    /// The tenant's name. `None` if it can't be read, which does not end the run.
    pub async fn organization_facts(&self) -> Result<OrganizationFacts, DirectoryError> {
        match self.organization().await {
            Ok(tenant) => Ok(OrganizationFacts { name: tenant.name }),
            Err(DirectoryError::SignIn(error)) => Err(DirectoryError::SignIn(error)),
            Err(error) => {
                tracing::debug!("{error}");
                Ok(OrganizationFacts::default())
            }
        }
    }

    /// The tenant of the token: its ID, its name and its domains (learn.microsoft.com/graph/api/organization-list).
    ///
    /// # Errors
    /// When the tenant can't be read.
    pub async fn organization(&self) -> Result<Organization, DirectoryError> {
        let what = "the tenant's name";
        let url = "organization?$select=id,displayName,verifiedDomains".to_owned();
        let answer = self.reader.get(&request(what, url, Permission::Organization)).await?;
        Organization::read(&answer).map_err(|why| DirectoryError::Untrusted {
            what: what.to_owned(),
            reason: format!("the answer has {why}"),
        })
    }

    /// How many users the tenant has, including guests and disabled accounts, as Graph's index counts them
    /// (learn.microsoft.com/graph/aad-advanced-queries, `$count`).
    ///
    /// # Errors
    /// When users can't be counted.
    pub async fn count_users(&self) -> Result<u64, DirectoryError> {
        let read = request("the number of the tenant's users", "users/$count".to_owned(), Permission::Users);
        self.reader.count(&ReadRequest { eventual: true, ..read }).await
    }

    /// The mail addresses of the signed-in user; none for an app.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn my_mail_addresses(&self) -> Result<Vec<String>, DirectoryError> {
        let url = "me?$select=mail,otherMails,proxyAddresses".to_owned();
        let me = match self.reader.get(&request("your own mail addresses", url, Permission::Users)).await {
            Ok(me) => me,
            Err(DirectoryError::Refused { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let lists = ["otherMails", "proxyAddresses"].into_iter().filter_map(|name| me.get(name)?.as_array());
        let all = me.get("mail").into_iter().chain(lists.flatten()).filter_map(Value::as_str);
        let bare = |address: &str| match address.split_once(':') {
            Some((kind, address)) if kind.eq_ignore_ascii_case("smtp") => address.to_owned(),
            _ => address.to_owned(),
        };
        Ok(all.map(bare).collect())
    }

    /// The signed-in user; none for an app.
    ///
    /// # Errors
    /// When the user can't be read.
    pub async fn me(&self) -> Result<Option<DirectoryUser>, DirectoryError> {
        let what = "the signed-in user";
        let url = format!("me?$select={}", self.users.select());
        match self.reader.get(&request(what, url, Permission::Users)).await {
            Ok(me) => DirectoryObject::read_user(&me, what).map(Some),
            // "/me request is only valid with delegated authentication flow."
            Err(DirectoryError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
