//! Which permission a read needs (learn.microsoft.com/graph/permissions-reference).

use std::fmt;

use super::person;
use crate::identity::TokenClaims;

/// A permission that a read needs: the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Users and what is known of them.
    Users,
    /// Groups and their members.
    Groups,
    /// Members of groups and units that hide them.
    HiddenMembers,
    /// Directory roles and who holds them.
    Roles,
    /// Who may activate a role.
    Eligibility,
    /// Administrative units and their members.
    Units,
    /// Risky users; also a licence.
    Risk,
    /// Apps and their owners.
    Apps,
    /// The tenant's name.
    Organization,
}

impl Permission {
    /// The least permission's name.
    pub fn permission(self) -> &'static str {
        match self {
            Permission::Users => "User.Read.All",
            Permission::Groups => "GroupMember.Read.All",
            Permission::HiddenMembers => "Member.Read.Hidden",
            Permission::Roles => "RoleManagement.Read.Directory",
            Permission::Eligibility => "RoleEligibilitySchedule.Read.Directory",
            Permission::Units => "AdministrativeUnit.Read.All",
            Permission::Risk => "IdentityRiskyUser.Read.All",
            Permission::Apps => "Application.Read.All",
            Permission::Organization => "Organization.Read.All",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the permission {}", self.permission())?;
        if *self == Permission::Risk {
            f.write_str(" (and a licence of Entra ID P2)")?;
        }
        Ok(())
    }
}

/// Permissions of which each lets users be read.
const USERS: [&str; 5] = [
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Directory.AccessAsUser.All",
];

/// The permission that lets users' basic profiles be read: names, not states.
const BASIC: &str = "User.ReadBasic.All";

/// Whether a token may read users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserReadScope {
    /// It lists a permission that does.
    Allowed,
    /// It lists one for users' basic profiles only: who they are, not whether they are enabled, guests or synced.
    Basic,
    /// It lists permissions, and none that does.
    Lacking,
    /// It does not tell: Graph will.
    Unknown,
}

impl UserReadScope {
    /// As the token's claims tell.
    pub fn from_claims(claims: &TokenClaims) -> UserReadScope {
        let listed = claims.permissions();
        if listed.is_empty() {
            return UserReadScope::Unknown;
        }
        let lists = |name: &str| listed.iter().any(|permission| permission.eq_ignore_ascii_case(name));
        if USERS.iter().any(|name| lists(name)) {
            UserReadScope::Allowed
        } else if lists(BASIC) {
            UserReadScope::Basic
        } else {
            UserReadScope::Lacking
        }
    }

    /// What of a user may be asked for (`$select`).
    pub(super) fn select(self) -> &'static str {
        if self == UserReadScope::Basic { person::BASIC_SELECT } else { person::SELECT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_may_be_read() {
        let of = |roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            UserReadScope::from_claims(&TokenClaims { roles: Some(roles), ..TokenClaims::default() })
        };
        assert_eq!(of(&[]), UserReadScope::Unknown);
        assert_eq!(of(&["User.RevokeSessions.All", "user.read.all"]), UserReadScope::Allowed);
        assert_eq!(of(&["User.ReadBasic.All"]), UserReadScope::Basic);
        assert_eq!(of(&["User.ReadBasic.All", "Directory.Read.All"]), UserReadScope::Allowed);
        assert_eq!(of(&["User.RevokeSessions.All"]), UserReadScope::Lacking);
    }
}
