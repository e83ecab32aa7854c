//! Roles, and to whom they are assigned.

use serde_json::Value;
use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::named_object::{self, NamedObject};
use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, Permission, odata};

/// A role, as it is defined.
#[derive(Clone, Debug)]
pub(super) struct RoleDefinition {
    pub(super) object: NamedObject,
    /// Of a built-in role, the id that it has in every tenant; mostly the same as its own.
    template: Option<Uuid>,
}

/// All roles, built-in ones and the tenant's own: some two hundred at most, in a page or two
/// (learn.microsoft.com/graph/api/rbacapplication-list-roledefinitions).
pub(super) async fn definitions(
    reader: &GraphReader,
    what: &str,
) -> Result<Vec<RoleDefinition>, DirectoryError> {
    let url = "roleManagement/directory/roleDefinitions?$select=id,templateId,displayName".to_owned();
    let read =
        ReadRequest { what: what.to_owned(), url, eventual: false, permission: Permission::Roles, cost: 1 };
    let mut pages = GraphPages::new(reader.clone(), read);
    let mut definitions = Vec::new();
    while let Some(items) = pages.next().await? {
        for value in &items {
            definitions.push(RoleDefinition {
                object: NamedObject::read(value, what)?,
                template: optional_id(value, "templateId"),
            });
        }
    }
    Ok(definitions)
}

fn optional_id(value: &Value, name: &str) -> Option<Uuid> {
    value.get(name).and_then(Value::as_str).and_then(|text| Uuid::try_parse(text).ok())
}

/// The role with this id (its definition's or template's, or that of an activated role), or of this name.
///
/// Names are compared here and not by a filter: whether that tells upper from lower case, no page says.
pub(super) async fn find(reader: &GraphReader, text: &str) -> Result<NamedObject, DirectoryError> {
    let text = text.trim();
    let what = format!("role {}", crate::text::sanitize::sanitize_truncated(text, 256));
    let mut found = definitions(reader, &what).await?;
    let Ok(id) = Uuid::try_parse(text) else {
        let name = crate::text::sanitize::sanitize_truncated(text, 256).to_lowercase();
        found.retain(|definition| definition.object.name.to_lowercase() == name);
        return named_object::exactly_one(
            found.into_iter().map(|definition| definition.object).collect(),
            what,
        );
    };
    let of = |id: Uuid| {
        let is = |one: &&RoleDefinition| one.object.id == id || one.template == Some(id);
        found.iter().find(is).map(|one| one.object.clone())
    };
    if let Some(found) = of(id) {
        return Ok(found);
    }
    let template = template_of_activated_role(reader, id, &what).await?;
    template.and_then(of).ok_or(DirectoryError::NotFound { what })
}

/// The template of the activated role with this object id, which older tools show.
async fn template_of_activated_role(
    reader: &GraphReader,
    role: Uuid,
    what: &str,
) -> Result<Option<Uuid>, DirectoryError> {
    let url = format!("directoryRoles/{role}?$select=id,roleTemplateId");
    let read =
        ReadRequest { what: what.to_owned(), url, eventual: false, permission: Permission::Roles, cost: 1 };
    match reader.get(&read).await {
        Ok(role) => Ok(optional_id(&role, "roleTemplateId")),
        Err(DirectoryError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An assignment: of a role, to a principal, within a scope.
#[derive(Clone, Debug)]
pub(super) struct RoleAssignment {
    /// The role definition's id.
    pub(super) role: Option<Uuid>,
    /// Whether it holds in the whole tenant, and not in an administrative unit or for one app.
    pub(super) tenant_wide: bool,
    /// To whom.
    pub(super) principal: DirectoryObject,
}

/// How a principal may hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoleHold {
    /// Now; an eligible role that was activated among them
    /// (learn.microsoft.com/graph/api/rbacapplication-list-roleassignments).
    Active,
    /// It may be activated, now or from a time to come
    /// (learn.microsoft.com/graph/api/rbacapplication-list-roleeligibilityschedules).
    Eligible,
}

/// A list of assignments.
#[derive(Debug)]
pub(super) struct RoleAssignments {
    reader: GraphReader,
    what: String,
    pages: GraphPages,
}

impl RoleAssignments {
    /// Those of one role, or of all roles, which not every service answers: Graph's page asks for a filter.
    pub(super) fn new(
        reader: &GraphReader,
        what: String,
        role: Option<Uuid>,
        hold: RoleHold,
    ) -> RoleAssignments {
        let (collection, permission) = match hold {
            RoleHold::Active => ("roleAssignments", Permission::Roles),
            RoleHold::Eligible => ("roleEligibilitySchedules", Permission::Eligibility),
        };
        let filter = role.map_or_else(String::new, |role| {
            let filter = format!("roleDefinitionId eq {}", odata::quote(&role.to_string()));
            format!("$filter={}&", odata::encode(&filter))
        });
        let url = format!("roleManagement/directory/{collection}?{filter}$expand=principal");
        let read = ReadRequest { what: what.clone(), url, eventual: false, permission, cost: 2 };
        RoleAssignments { reader: reader.clone(), what, pages: GraphPages::new(reader.clone(), read) }
    }

    /// The next page. `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RoleAssignment>>, DirectoryError> {
        let Some(page) = self.next_each().await? else { return Ok(None) };
        page.into_iter().collect::<Result<_, _>>().map(Some)
    }

    /// The next page, each assignment by itself: one that makes no sense leaves the others as they are.
    pub(super) async fn next_each(
        &mut self,
    ) -> Result<Option<Vec<Result<RoleAssignment, DirectoryError>>>, DirectoryError> {
        let Some(items) = self.pages.next().await? else { return Ok(None) };
        let mut assignments = Vec::with_capacity(items.len());
        for value in &items {
            assignments.push(self.assignment(value).await);
        }
        Ok(Some(assignments))
    }

    async fn assignment(&self, value: &Value) -> Result<RoleAssignment, DirectoryError> {
        Ok(RoleAssignment {
            role: optional_id(value, "roleDefinitionId"),
            tenant_wide: value.get("directoryScopeId").and_then(Value::as_str) == Some("/"),
            principal: self.principal(value).await?,
        })
    }

    /// The principal, as it came with the assignment; where it did not, or does not say what it is, it is read.
    async fn principal(&self, value: &Value) -> Result<DirectoryObject, DirectoryError> {
        if let Some(principal) = value.get("principal").filter(|principal| principal.is_object()) {
            match DirectoryObject::read(principal, &self.what)? {
                DirectoryObject::Untyped(_) => {}
                known => return Ok(known),
            }
        }
        let untrusted = |reason: String| DirectoryError::Untrusted { what: self.what.clone(), reason };
        let id = optional_id(value, "principalId")
            .ok_or_else(|| untrusted("an assignment in Graph's answer names nobody".to_owned()))?;
        let url = format!("directoryObjects/{id}");
        let what = format!("{}: its holder {id}", self.what);
        match self
            .reader
            .get(&ReadRequest { what, url, eventual: false, permission: Permission::Users, cost: 1 })
            .await
        {
            Ok(found) => match DirectoryObject::read(&found, &self.what)? {
                DirectoryObject::Untyped(id) => Err(untrusted(format!(
                    "Graph does not say what its holder {id} is: a user, a group or an app"
                ))),
                known => Ok(known),
            },
            // Deleted: the assignment stays for a while, and gives nothing to anybody.
            Err(DirectoryError::NotFound { .. }) => Ok(DirectoryObject::Other),
            Err(error) => Err(error),
        }
    }
}
