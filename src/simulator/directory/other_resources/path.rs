//! Which path asks for which resource.

use std::borrow::Cow;

use crate::simulator::graph_response::GraphError;
use crate::simulator::route::{UserRef, decode, unquote};

/// A resource that can be read, other than users and groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum OtherResource {
    /// `/directoryRoles`
    Roles,
    /// `/directoryRoles/{id}`, `/directoryRoles(roleTemplateId='…')`
    Role(String),
    /// `…/members`
    RoleMembers { role: String, cast: bool },
    /// `/roleManagement/directory/roleDefinitions`
    Definitions,
    /// `/roleManagement/directory/roleAssignments`
    Assignments,
    /// `/roleManagement/directory/roleEligibilitySchedules`
    Eligibilities,
    /// `/roleManagement/directory/roleEligibilityScheduleInstances`
    EligibilityInstances,
    /// `/directory/administrativeUnits`
    Units,
    /// `/directory/administrativeUnits/{id}`
    Unit(String),
    /// `…/members`
    UnitMembers { unit: String, cast: bool },
    /// `/identityProtection/riskyUsers`
    Risky,
    /// `/users/{id}/directReports`, `/users/{id}/transitiveReports`
    Reports { user_ref: UserRef, nested: bool, cast: bool, count: bool },
    /// `/users/{id}/manager`
    Manager(UserRef),
    /// `/directory/deletedItems/microsoft.graph.user`
    DeletedUsers,
    /// `/directory/deletedItems/{id}`
    Deleted(String),
    /// `/organization`
    Organization,
    /// `/applications`, `/servicePrincipals`
    Apps(AppKind),
    /// `/applications(appId='…')/owners`, `/applications/{id}/owners`, and the same of service principals
    Owners { kind: AppKind, key: String, cast: bool },
}

/// The two objects that represent an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum AppKind {
    /// The registration.
    Application,
    /// The service principal, which represents the app in a tenant.
    Principal,
}

impl AppKind {
    /// The segment in a path.
    pub(super) fn segment(self) -> &'static str {
        match self {
            AppKind::Application => "applications",
            AppKind::Principal => "servicePrincipals",
        }
    }
}

impl OtherResource {
    /// The cost in resource units (Graph's throttling limits). Identity Protection has its own quota.
    pub(in crate::simulator) fn units(&self) -> u32 {
        match self {
            OtherResource::Risky => 0,
            OtherResource::Apps(AppKind::Application) => 2,
            _ => 1,
        }
    }
}

/// The cast to users, at the end of a path.
const USER: &str = "microsoft.graph.user";

/// The resource that a path below the version names; `None` if it is not one of these.
pub(in crate::simulator) fn parse(path: &str) -> Result<Option<OtherResource>, GraphError> {
    let segments = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let (rest, cast) = match segments.split_last() {
        Some((last, rest)) if last == USER && !rest.is_empty() => (rest, true),
        _ => (&segments[..], false),
    };
    let words: Vec<&str> = rest.iter().map(Cow::as_ref).collect();
    let text = |word: &str| word.to_owned();
    let resource = match words[..] {
        ["directory", "deletedItems"] if cast => OtherResource::DeletedUsers,
        ["directoryRoles", role, "members"] => OtherResource::RoleMembers { role: text(role), cast },
        ["directory", "administrativeUnits", unit, "members"] => {
            OtherResource::UnitMembers { unit: text(unit), cast }
        }
        ["applications", key, "owners"] => {
            OtherResource::Owners { kind: AppKind::Application, key: text(key), cast }
        }
        ["servicePrincipals", key, "owners"] => {
            OtherResource::Owners { kind: AppKind::Principal, key: text(key), cast }
        }
        [head, "members"] if head.starts_with("directoryRoles(") => {
            OtherResource::RoleMembers { role: parse_alternate_key(head, "roleTemplateId")?, cast }
        }
        [head, "owners"] if head.starts_with("applications(") => OtherResource::Owners {
            kind: AppKind::Application,
            key: parse_alternate_key(head, "appId")?,
            cast,
        },
        [head, "owners"] if head.starts_with("servicePrincipals(") => {
            OtherResource::Owners { kind: AppKind::Principal, key: parse_alternate_key(head, "appId")?, cast }
        }
        _ if cast => return Ok(None),
        ["directoryRoles"] => OtherResource::Roles,
        ["directoryRoles", role] => OtherResource::Role(text(role)),
        [head] if head.starts_with("directoryRoles(") => {
            OtherResource::Role(parse_alternate_key(head, "roleTemplateId")?)
        }
        ["roleManagement", "directory", "roleDefinitions"] => OtherResource::Definitions,
        ["roleManagement", "directory", "roleAssignments"] => OtherResource::Assignments,
        ["roleManagement", "directory", "roleEligibilitySchedules"] => OtherResource::Eligibilities,
        ["roleManagement", "directory", "roleEligibilityScheduleInstances"] => {
            OtherResource::EligibilityInstances
        }
        ["directory", "administrativeUnits"] => OtherResource::Units,
        ["directory", "administrativeUnits", unit] => OtherResource::Unit(text(unit)),
        ["directory", "deletedItems", id] => OtherResource::Deleted(text(id)),
        ["identityProtection", "riskyUsers"] => OtherResource::Risky,
        ["organization"] => OtherResource::Organization,
        ["applications"] => OtherResource::Apps(AppKind::Application),
        ["servicePrincipals"] => OtherResource::Apps(AppKind::Principal),
        _ => return Ok(None),
    };
    Ok(Some(resource))
}

/// The resource that `rest`, the path behind a user, names.
pub(in crate::simulator) fn parse_below_user(user_ref: &UserRef, rest: &str) -> Option<OtherResource> {
    let (rest, count) = rest.strip_suffix("/$count").map_or((rest, false), |rest| (rest, true));
    let (rest, cast) = match rest.strip_suffix(USER).and_then(|rest| rest.strip_suffix('/')) {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let user_ref = user_ref.clone();
    match rest {
        "directReports" => Some(OtherResource::Reports { user_ref, nested: false, cast, count }),
        "transitiveReports" => Some(OtherResource::Reports { user_ref, nested: true, cast, count }),
        "manager" if !cast && !count => Some(OtherResource::Manager(user_ref)),
        _ => None,
    }
}

/// The value in `name(key='value')`.
fn parse_alternate_key(segment: &str, key: &str) -> Result<String, GraphError> {
    let inner = segment.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    let value = inner.and_then(|inner| inner.strip_prefix(key)?.trim_start().strip_prefix('='));
    let missing = || GraphError::bad_request("Bad Request - Error in query syntax.");
    unquote(value.ok_or_else(missing)?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> OtherResource {
        parse(path).unwrap().unwrap()
    }

    #[test]
    fn paths_are_known_with_either_key_and_with_a_cast() {
        let members = |cast| OtherResource::RoleMembers { role: "r-1".into(), cast };
        assert_eq!(read("directoryRoles/r-1/members"), members(false));
        assert_eq!(read("directoryRoles(roleTemplateId='r-1')/members"), members(false));
        assert_eq!(
            read("directoryRoles(roleTemplateId=%27r-1%27)/members/microsoft.graph.user"),
            members(true)
        );
        let owners = OtherResource::Owners { kind: AppKind::Principal, key: "a".into(), cast: false };
        assert_eq!(read("servicePrincipals(appId='a')/owners"), owners);
        assert_eq!(read("directory/deletedItems/microsoft.graph.user"), OtherResource::DeletedUsers);
        assert_eq!(read("directory/deletedItems/x"), OtherResource::Deleted("x".into()));
    }

    #[test]
    fn paths_of_other_modules_are_not_parsed() {
        for path in [
            "users",
            "users/a",
            "groups/g/members",
            "microsoft.graph.user",
            "organization/microsoft.graph.user",
        ] {
            assert_eq!(parse(path).unwrap(), None, "{path}");
        }
        assert!(parse("directoryRoles(id='x')/members").is_err());
    }
}
