//! Directory roles: their holders, and the principals that are eligible.
//!
//! `/directoryRoles` has only activated roles. Their members come in one page, without holders that are scoped to a
//! unit. `/roleManagement/directory` has all definitions, and the assignments with their scope ("/", or
//! "/administrativeUnits/{ID}"). Principals that are only eligible are in `roleEligibilitySchedules`. Shapes are as in
//! Graph's pages "List unifiedRoleAssignments" (2024-07) and "List roleEligibilitySchedules" (2023).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::simulator::fingerprint;
use crate::simulator::store::{DirectoryStore, Object, Role};

/// Whether any principal holds the role.
fn is_activated(role: &Role) -> bool {
    !role.active.is_empty() || !role.scoped.is_empty()
}

/// The activated roles.
pub(super) fn all(store: &DirectoryStore) -> Vec<Value> {
    store.roles.iter().filter(|role| is_activated(role)).map(role_json).collect()
}

/// The activated role with this ID or template.
pub(super) fn find<'a>(store: &'a DirectoryStore, key: &str) -> Option<&'a Role> {
    store.role(key).filter(|role| is_activated(role))
}

/// The JSON of a role in `directoryRoles`.
pub(super) fn role_json(role: &Role) -> Value {
    json!({
        "id": role.id,
        "deletedDateTime": null,
        "description": role.name,
        "displayName": role.name,
        "roleTemplateId": role.template,
    })
}

/// The definitions of all built-in roles, and of the other roles of the tenant.
pub(super) fn definitions(store: &DirectoryStore) -> Vec<Value> {
    let known = |template| store.roles.iter().any(|role| role.template == template);
    let others = DirectoryStore::built_in_roles().filter(|&(_, template)| !known(template));
    let own = store.roles.iter().map(|role| definition(&role.name, role.template));
    own.chain(others.map(|(name, template)| definition(name, template))).collect()
}

fn definition(name: &str, template: Uuid) -> Value {
    json!({
        "id": template,
        "description": name,
        "displayName": name,
        "isBuiltIn": DirectoryStore::built_in_roles().any(|(_, known)| known == template),
        "isEnabled": true,
        "templateId": template,
        "version": "1",
    })
}

/// All active assignments.
pub(super) fn assignments(store: &DirectoryStore, principals: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for role in &store.roles {
        let everywhere = role.active.iter().map(|&who| (who, "/".to_owned()));
        let scoped = role.scoped.iter().map(|&(who, unit)| (who, scope(store, unit)));
        for (who, scope) in everywhere.chain(scoped).filter(|&(who, _)| store.exists(who)) {
            let mut row = json!({
                "id": assignment_id(store, role, who, &scope),
                "principalId": store.object_id(who),
                "directoryScopeId": scope,
                "roleDefinitionId": role.template,
            });
            if principals {
                row["principal"] = principal_json(store, who);
            }
            rows.push(row);
        }
    }
    rows
}

fn scope(store: &DirectoryStore, unit: u32) -> String {
    format!("/administrativeUnits/{}", store.object_id(Object::Unit(unit)))
}

/// An ID that looks like Graph's: base64 of the template and the principal, and a number.
fn assignment_id(store: &DirectoryStore, role: &Role, who: Object, scope: &str) -> String {
    let ids = [role.template.into_bytes(), store.object_id(who).into_bytes()].concat();
    let number = if scope == "/" { 1 } else { fingerprint::hash(scope.as_bytes()) % 1000 + 2 };
    format!("{}-{number}", URL_SAFE_NO_PAD.encode(ids))
}

/// All principals that are eligible for a role.
pub(super) fn eligibilities(store: &DirectoryStore, principals: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for role in &store.roles {
        for &who in role.eligible.iter().filter(|&&who| store.exists(who)) {
            let principal = store.object_id(who);
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
                row["principal"] = principal_json(store, who);
            }
            rows.push(row);
        }
    }
    rows
}

/// The JSON of a principal within an expanded assignment.
fn principal_json(store: &DirectoryStore, object: Object) -> Value {
    let (kind, name) = match object {
        Object::User(at) => {
            let user = store.user_at(at);
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
        Object::Group(at) => ("group", store.group_at(at).name.as_str()),
        Object::App(at) => ("servicePrincipal", store.apps[at as usize].name.as_str()),
        Object::Device(at) => ("device", store.devices[at as usize].name.as_str()),
        Object::Unit(at) => ("administrativeUnit", store.units[at as usize].name.as_str()),
        Object::Role(at) => ("directoryRole", store.roles[at as usize].name.as_str()),
    };
    json!({"@odata.type": format!("#microsoft.graph.{kind}"), "id": store.object_id(object), "displayName": name})
}
