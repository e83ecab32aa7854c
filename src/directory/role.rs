//! Roles and their assignments.

use serde_json::Value;
use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::named_object::{self, NamedObject};
use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, Permission, odata};

/// The definition of a role.
#[derive(Clone, Debug)]
pub(super) struct RoleDefinition {
    pub(super) object: NamedObject,
    /// For a built-in role, the ID that it has in every tenant. Usually the same as its object ID.
    template: Option<Uuid>,
}

/// All roles, both built-in and the tenant's own: about two hundred at most, on one or two pages
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

/// Finds the role with this ID (of its definition, its template or an activated role), or with this name.
///
/// Names are compared here and not in a filter, because it is not documented whether a filter ignores case.
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

/// The template of the activated role with this object ID, which older tools show.
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

/// The assignment of a role to a principal within a scope.
#[derive(Clone, Debug)]
pub(super) struct RoleAssignment {
    /// The ID of the role definition.
    pub(super) role: Option<Uuid>,
    /// Whether it applies to the whole tenant, and not only to an administrative unit or one app.
    pub(super) tenant_wide: bool,
    /// The holder.
    pub(super) principal: DirectoryObject,
}

/// How a principal holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RoleAssignmentKind {
    /// Now, including eligible roles that were activated
    /// (learn.microsoft.com/graph/api/rbacapplication-list-roleassignments).
    Active,
    /// It may be activated, now or from a later date
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
    /// The assignments of one role, or of all roles. Not every service lists those of all roles, because Graph's
    /// documentation asks for a filter.
    pub(super) fn new(
        reader: &GraphReader,
        what: String,
        role: Option<Uuid>,
        hold: RoleAssignmentKind,
    ) -> RoleAssignments {
        let (collection, permission) = match hold {
            RoleAssignmentKind::Active => ("roleAssignments", Permission::Roles),
            RoleAssignmentKind::Eligible => ("roleEligibilitySchedules", Permission::Eligibility),
        };
        let filter = role.map_or_else(String::new, |role| {
            let filter = format!("roleDefinitionId eq {}", odata::quote(&role.to_string()));
            format!("$filter={}&", odata::encode(&filter))
        });
        let url = format!("roleManagement/directory/{collection}?{filter}$expand=principal");
        let read = ReadRequest { what: what.clone(), url, eventual: false, permission, cost: 2 };
        RoleAssignments { reader: reader.clone(), what, pages: GraphPages::new(reader.clone(), read) }
    }

    /// The next page. `None` after the last page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RoleAssignment>>, DirectoryError> {
        let Some(page) = self.next_each().await? else { return Ok(None) };
        page.into_iter().collect::<Result<_, _>>().map(Some)
    }

    /// The next page, with a result for each assignment: an invalid one does not affect the others.
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

    /// The principal that came with the assignment. If it is missing or has no type, it is read.
    async fn principal(&self, value: &Value) -> Result<DirectoryObject, DirectoryError> {
        if let Some(principal) = value.get("principal").filter(|principal| principal.is_object()) {
            match DirectoryObject::read(principal, &self.what)? {
                DirectoryObject::Untyped(_) => {}
                known => return Ok(known),
            }
        }
        let untrusted = |reason: String| DirectoryError::Untrusted { what: self.what.clone(), reason };
        let id = optional_id(value, "principalId")
            .ok_or_else(|| untrusted("an assignment in Graph's answer has no principal".to_owned()))?;
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
            // The holder was deleted. The assignment remains for a while, but no one has the role through it.
            Err(DirectoryError::NotFound { .. }) => Ok(DirectoryObject::Other),
            Err(error) => Err(error),
        }
    }
}
