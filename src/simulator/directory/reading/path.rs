//! Which path asks for which reading.

use std::borrow::Cow;

use crate::simulator::answer::GraphError;
use crate::simulator::route::{Whom, decode, unquote};

/// What can be read beside users and groups themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::simulator) enum Reading {
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
    Reports { whom: Whom, nested: bool, cast: bool, count: bool },
    /// `/users/{id}/manager`
    Manager(Whom),
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

/// The two objects that stand for an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum AppKind {
    /// Its registration.
    Application,
    /// What it is in this tenant.
    Principal,
}

impl AppKind {
    /// The word for it in a path.
    pub(super) fn word(self) -> &'static str {
        match self {
            AppKind::Application => "applications",
            AppKind::Principal => "servicePrincipals",
        }
    }
}

impl Reading {
    /// What it costs in resource units (Graph's throttling limits). Identity Protection counts apart.
    pub(in crate::simulator) fn units(&self) -> u32 {
        match self {
            Reading::Risky => 0,
            Reading::Apps(AppKind::Application) => 2,
            _ => 1,
        }
    }
}

/// A cast to users at the end of a path.
const USER: &str = "microsoft.graph.user";

/// The reading that a path behind the version asks for; `None` if it is for somebody else.
pub(in crate::simulator) fn of(path: &str) -> Result<Option<Reading>, GraphError> {
    let segments = path.split('/').map(decode).collect::<Result<Vec<_>, _>>()?;
    let (rest, cast) = match segments.split_last() {
        Some((last, rest)) if last == USER && !rest.is_empty() => (rest, true),
        _ => (&segments[..], false),
    };
    let words: Vec<&str> = rest.iter().map(Cow::as_ref).collect();
    let text = |word: &str| word.to_owned();
    let reading = match words[..] {
        ["directory", "deletedItems"] if cast => Reading::DeletedUsers,
        ["directoryRoles", role, "members"] => Reading::RoleMembers { role: text(role), cast },
        ["directory", "administrativeUnits", unit, "members"] => {
            Reading::UnitMembers { unit: text(unit), cast }
        }
        ["applications", key, "owners"] => {
            Reading::Owners { kind: AppKind::Application, key: text(key), cast }
        }
        ["servicePrincipals", key, "owners"] => {
            Reading::Owners { kind: AppKind::Principal, key: text(key), cast }
        }
        [head, "members"] if head.starts_with("directoryRoles(") => {
            Reading::RoleMembers { role: alternate(head, "roleTemplateId")?, cast }
        }
        [head, "owners"] if head.starts_with("applications(") => {
            Reading::Owners { kind: AppKind::Application, key: alternate(head, "appId")?, cast }
        }
        [head, "owners"] if head.starts_with("servicePrincipals(") => {
            Reading::Owners { kind: AppKind::Principal, key: alternate(head, "appId")?, cast }
        }
        _ if cast => return Ok(None),
        ["directoryRoles"] => Reading::Roles,
        ["directoryRoles", role] => Reading::Role(text(role)),
        [head] if head.starts_with("directoryRoles(") => Reading::Role(alternate(head, "roleTemplateId")?),
        ["roleManagement", "directory", "roleDefinitions"] => Reading::Definitions,
        ["roleManagement", "directory", "roleAssignments"] => Reading::Assignments,
        ["roleManagement", "directory", "roleEligibilitySchedules"] => Reading::Eligibilities,
        ["roleManagement", "directory", "roleEligibilityScheduleInstances"] => Reading::EligibilityInstances,
        ["directory", "administrativeUnits"] => Reading::Units,
        ["directory", "administrativeUnits", unit] => Reading::Unit(text(unit)),
        ["directory", "deletedItems", id] => Reading::Deleted(text(id)),
        ["identityProtection", "riskyUsers"] => Reading::Risky,
        ["organization"] => Reading::Organization,
        ["applications"] => Reading::Apps(AppKind::Application),
        ["servicePrincipals"] => Reading::Apps(AppKind::Principal),
        _ => return Ok(None),
    };
    Ok(Some(reading))
}

/// The reading that `rest`, which stands behind a user, asks for.
pub(in crate::simulator) fn of_user(whom: &Whom, rest: &str) -> Option<Reading> {
    let (rest, count) = rest.strip_suffix("/$count").map_or((rest, false), |rest| (rest, true));
    let (rest, cast) = match rest.strip_suffix(USER).and_then(|rest| rest.strip_suffix('/')) {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let whom = whom.clone();
    match rest {
        "directReports" => Some(Reading::Reports { whom, nested: false, cast, count }),
        "transitiveReports" => Some(Reading::Reports { whom, nested: true, cast, count }),
        "manager" if !cast && !count => Some(Reading::Manager(whom)),
        _ => None,
    }
}

/// The value in `name(key='value')`.
fn alternate(segment: &str, key: &str) -> Result<String, GraphError> {
    let inner = segment.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    let value = inner.and_then(|inner| inner.strip_prefix(key)?.trim_start().strip_prefix('='));
    let missing = || GraphError::bad_request("Bad Request - Error in query syntax.");
    unquote(value.ok_or_else(missing)?.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Reading {
        of(path).unwrap().unwrap()
    }

    #[test]
    fn paths_are_known_with_either_key_and_with_a_cast() {
        let members = |cast| Reading::RoleMembers { role: "r-1".into(), cast };
        assert_eq!(read("directoryRoles/r-1/members"), members(false));
        assert_eq!(read("directoryRoles(roleTemplateId='r-1')/members"), members(false));
        assert_eq!(
            read("directoryRoles(roleTemplateId=%27r-1%27)/members/microsoft.graph.user"),
            members(true)
        );
        let owners = Reading::Owners { kind: AppKind::Principal, key: "a".into(), cast: false };
        assert_eq!(read("servicePrincipals(appId='a')/owners"), owners);
        assert_eq!(read("directory/deletedItems/microsoft.graph.user"), Reading::DeletedUsers);
        assert_eq!(read("directory/deletedItems/x"), Reading::Deleted("x".into()));
    }

    #[test]
    fn what_is_not_read_here_is_left_to_others() {
        for path in [
            "users",
            "users/a",
            "groups/g/members",
            "microsoft.graph.user",
            "organization/microsoft.graph.user",
        ] {
            assert_eq!(of(path).unwrap(), None, "{path}");
        }
        assert!(of("directoryRoles(id='x')/members").is_err());
    }
}
