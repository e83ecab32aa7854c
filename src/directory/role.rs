//! Roles, and to whom they are assigned.

use serde_json::Value;
use uuid::Uuid;

use super::item::Item;
use super::named::{Kind, Named};
use super::pages::Pages;
use super::reader::{Read, Reader};
use super::{DirectoryError, Need, odata};

/// Role definitions, as they are looked up. The id of a built-in one is that of its template.
const ROLES: Kind = Kind {
    noun: "role",
    path: "roleManagement/directory/roleDefinitions",
    select: "id,displayName",
    need: Need::Roles,
};

/// Roles that were activated, which have an object id of their own: older tools show that one.
const ACTIVATED: Kind =
    Kind { noun: "role", path: "directoryRoles", select: "id,displayName,roleTemplateId", need: Need::Roles };

/// The role with this id (its definition's or template's, or that of an activated role), or of this name.
pub(super) async fn find(reader: &Reader, text: &str) -> Result<Named, DirectoryError> {
    let text = text.trim();
    let Ok(id) = Uuid::try_parse(text) else {
        return ROLES.by_filter(reader, text, &format!("displayName eq {}", odata::literal(text))).await;
    };
    match ROLES.by_id(reader, id).await {
        Err(DirectoryError::NotFound { what }) => match activated(reader, id).await? {
            Some(template) => ROLES.by_id(reader, template).await,
            None => Err(DirectoryError::NotFound { what }),
        },
        found => found,
    }
}

/// The template of the activated role with this object id.
async fn activated(reader: &Reader, id: Uuid) -> Result<Option<Uuid>, DirectoryError> {
    let url = format!("{}/{id}?$select={}", ACTIVATED.path, ACTIVATED.select);
    let what = ACTIVATED.what(&id.to_string());
    let read = Read { what, url, eventual: false, need: ACTIVATED.need, cost: 1 };
    match reader.get(&read).await {
        Ok(role) => {
            Ok(role.get("roleTemplateId").and_then(Value::as_str).and_then(|id| Uuid::try_parse(id).ok()))
        }
        Err(DirectoryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An assignment: of a role, to a principal, within a scope.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    /// The role definition's id.
    pub(super) role: Option<Uuid>,
    /// Whether it holds in the whole tenant, and not in an administrative unit or for one app.
    pub(super) tenant_wide: bool,
    /// To whom.
    pub(super) principal: Item,
}

/// How a principal may hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Now; an eligible role that was activated among them
    /// (learn.microsoft.com/graph/api/rbacapplication-list-roleassignments).
    Active,
    /// It may be activated, now or from a time to come
    /// (learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityschedules).
    Eligible,
}

/// A list of assignments.
#[derive(Debug)]
pub(super) struct Assignments {
    reader: Reader,
    what: String,
    pages: Pages,
}

impl Assignments {
    /// Those of one role, or of all roles, which not every service answers: Graph's page asks for a filter.
    pub(super) fn of(reader: &Reader, what: String, role: Option<Uuid>, hold: Hold) -> Assignments {
        let (collection, need) = match hold {
            Hold::Active => ("roleAssignments", Need::Roles),
            Hold::Eligible => ("roleEligibilitySchedules", Need::Eligibility),
        };
        let filter = role.map_or_else(String::new, |role| {
            let filter = format!("roleDefinitionId eq {}", odata::literal(&role.to_string()));
            format!("$filter={}&", odata::encoded(&filter))
        });
        let url = format!("roleManagement/directory/{collection}?{filter}$expand=principal");
        let read = Read { what: what.clone(), url, eventual: false, need, cost: 2 };
        Assignments { reader: reader.clone(), what, pages: Pages::new(reader.clone(), read) }
    }

    /// The next page. `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Assignment>>, DirectoryError> {
        let Some(items) = self.pages.next().await? else { return Ok(None) };
        let mut assignments = Vec::with_capacity(items.len());
        for value in &items {
            assignments.push(self.assignment(value).await?);
        }
        Ok(Some(assignments))
    }

    async fn assignment(&self, value: &Value) -> Result<Assignment, DirectoryError> {
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        Ok(Assignment {
            role: Uuid::try_parse(text("roleDefinitionId")).ok(),
            tenant_wide: text("directoryScopeId") == "/",
            principal: self.principal(value, text("principalId")).await?,
        })
    }

    /// The principal, as it came with the assignment; where it did not, or does not say what it is, it is read.
    async fn principal(&self, value: &Value, id: &str) -> Result<Item, DirectoryError> {
        if let Some(principal) = value.get("principal").filter(|principal| principal.is_object()) {
            match Item::read(principal, &self.what)? {
                Item::Untold(_) => {}
                told => return Ok(told),
            }
        }
        let untrusted = |reason: String| DirectoryError::Untrusted { what: self.what.clone(), reason };
        let id = Uuid::try_parse(id)
            .map_err(|_| untrusted("an assignment in Graph's answer names nobody".to_owned()))?;
        let url = format!("directoryObjects/{id}");
        let what = format!("{}: its holder {id}", self.what);
        match self.reader.get(&Read { what, url, eventual: false, need: Need::Users, cost: 1 }).await {
            Ok(found) => match Item::read(&found, &self.what)? {
                Item::Untold(id) => Err(untrusted(format!(
                    "Graph does not say what its holder {id} is: a user, a group or an app"
                ))),
                told => Ok(told),
            },
            // Deleted: the assignment stays for a while, and gives nothing to anybody.
            Err(DirectoryError::NotFound { .. }) => Ok(Item::Other),
            Err(error) => Err(error),
        }
    }
}
