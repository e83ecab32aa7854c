//! Directory roles: who holds them, and who may.
//!
//! `/directoryRoles` holds only activated roles, and its members come in one page; scoped holders are not among them.
//! `/roleManagement/directory` holds every definition, and assignments with their scope ("/", or
//! "/administrativeUnits/{id}"); who is only eligible stands in `roleEligibilitySchedules`. Shapes as in Graph's pages
//! "List unifiedRoleAssignments" (2024-07) and "List roleEligibilitySchedules" (2023).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::simulator::fingerprint;
use crate::simulator::tenant::{Object, Role, Tenant};

/// Whether somebody holds the role.
fn activated(role: &Role) -> bool {
    !role.active.is_empty() || !role.scoped.is_empty()
}

/// The activated roles.
pub(super) fn all(tenant: &Tenant) -> Vec<Value> {
    tenant.roles.iter().filter(|role| activated(role)).map(one).collect()
}

/// The activated role with this id or template.
pub(super) fn find<'a>(tenant: &'a Tenant, key: &str) -> Option<&'a Role> {
    tenant.role(key).filter(|role| activated(role))
}

/// As `directoryRoles` show it.
pub(super) fn one(role: &Role) -> Value {
    json!({
        "id": role.id,
        "deletedDateTime": null,
        "description": role.name,
        "displayName": role.name,
        "roleTemplateId": role.template,
    })
}

/// Every role's definition: of all built-in roles, and of those that the tenant has.
pub(super) fn definitions(tenant: &Tenant) -> Vec<Value> {
    let known = |template| tenant.roles.iter().any(|role| role.template == template);
    let others = Tenant::built_in_roles().filter(|&(_, template)| !known(template));
    let own = tenant.roles.iter().map(|role| definition(&role.name, role.template));
    own.chain(others.map(|(name, template)| definition(name, template))).collect()
}

fn definition(name: &str, template: Uuid) -> Value {
    json!({
        "id": template,
        "description": name,
        "displayName": name,
        "isBuiltIn": Tenant::built_in_roles().any(|(_, known)| known == template),
        "isEnabled": true,
        "templateId": template,
        "version": "1",
    })
}

/// Every assignment that is in force.
pub(super) fn assignments(tenant: &Tenant, principals: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for role in &tenant.roles {
        let everywhere = role.active.iter().map(|&who| (who, "/".to_owned()));
        let scoped = role.scoped.iter().map(|&(who, unit)| (who, scope(tenant, unit)));
        for (who, scope) in everywhere.chain(scoped).filter(|&(who, _)| tenant.exists(who)) {
            let mut row = json!({
                "id": assignment_id(tenant, role, who, &scope),
                "principalId": tenant.id_of(who),
                "directoryScopeId": scope,
                "roleDefinitionId": role.template,
            });
            if principals {
                row["principal"] = brief(tenant, who);
            }
            rows.push(row);
        }
    }
    rows
}

fn scope(tenant: &Tenant, unit: u32) -> String {
    format!("/administrativeUnits/{}", tenant.id_of(Object::Unit(unit)))
}

/// Looks like Graph's: base64 of what is assigned to whom, and a number.
fn assignment_id(tenant: &Tenant, role: &Role, who: Object, scope: &str) -> String {
    let ids = [role.template.into_bytes(), tenant.id_of(who).into_bytes()].concat();
    let number = if scope == "/" { 1 } else { fingerprint::of(scope.as_bytes()) % 1000 + 2 };
    format!("{}-{number}", URL_SAFE_NO_PAD.encode(ids))
}

/// Everybody who may activate a role.
pub(super) fn eligibilities(tenant: &Tenant, principals: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for role in &tenant.roles {
        for &who in role.eligible.iter().filter(|&&who| tenant.exists(who)) {
            let principal = tenant.id_of(who);
            let id = fingerprint::guid(&format!("eligible:{}:{principal}", role.template));
            let mut row = json!({
                "id": id,
                "principalId": principal,
                "roleDefinitionId": role.template,
                "directoryScopeId": "/",
                "appScopeId": null,
                "memberType": "Direct",
                "status": "Provisioned",
            });
            if principals {
                row["principal"] = brief(tenant, who);
            }
            rows.push(row);
        }
    }
    rows
}

/// An object as it stands within an assignment that was expanded.
fn brief(tenant: &Tenant, object: Object) -> Value {
    let (kind, name) = match object {
        Object::User(at) => {
            let user = tenant.user_at(at);
            return json!({
                "@odata.type": "#microsoft.graph.user",
                "id": user.id,
                "displayName": user.name,
                "userPrincipalName": user.upn,
                "mail": user.mail,
                "accountEnabled": user.enabled,
                "userType": if user.guest { "Guest" } else { "Member" },
            });
        }
        Object::Group(at) => ("group", tenant.group_at(at).name.as_str()),
        Object::App(at) => ("servicePrincipal", tenant.apps[at as usize].name.as_str()),
        Object::Device(at) => ("device", tenant.devices[at as usize].name.as_str()),
        Object::Unit(at) => ("administrativeUnit", tenant.units[at as usize].name.as_str()),
        Object::Role(at) => ("directoryRole", tenant.roles[at as usize].name.as_str()),
    };
    json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": tenant.id_of(object), "displayName": name})
}
