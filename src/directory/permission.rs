//! Which permission a read needs (learn.microsoft.com/graph/permissions-reference).

use std::fmt;

use super::directory_user;
use crate::identity::TokenClaims;

/// The least privileged permission that a read needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Users and their properties.
    Users,
    /// Groups and their members.
    Groups,
    /// Members of groups and units that hide them.
    HiddenMembers,
    /// Directory roles and their holders.
    Roles,
    /// The users who may activate a role.
    Eligibility,
    /// Administrative units and their members.
    Units,
    /// Risky users. They also need a licence.
    Risk,
    /// Apps and their owners.
    Apps,
    /// The tenant's name.
    Organization,
}

impl Permission {
    /// The permission's name.
    pub fn name(self) -> &'static str {
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
        write!(f, "the permission {}", self.name())?;
        if *self == Permission::Risk {
            f.write_str(" (and a licence of Entra ID P2)")?;
        }
        Ok(())
    }
}

/// Permissions that each allow reading users.
const FULL_USER_READ: [&str; 5] = [
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "Directory.AccessAsUser.All",
];

/// The permission that allows reading users' basic profiles: names, but not states.
const BASIC_USER_READ: &str = "User.ReadBasic.All";

/// Whether a token may read users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserReadScope {
    /// It lists a permission for that.
    Full,
    /// It lists only a permission for basic profiles: names, but not whether users are enabled, guests or synced.
    Basic,
    /// It lists permissions, but none for that.
    Missing,
    /// It does not list any permission, so only Graph's answer will show it.
    Unknown,
}

impl UserReadScope {
    /// The scope in the token's claims.
    pub fn from_claims(claims: &TokenClaims) -> UserReadScope {
        let listed = claims.permissions();
        if listed.is_empty() {
            return UserReadScope::Unknown;
        }
        let lists = |name: &str| listed.iter().any(|permission| permission.eq_ignore_ascii_case(name));
        if FULL_USER_READ.iter().any(|name| lists(name)) {
            UserReadScope::Full
        } else if lists(BASIC_USER_READ) {
            UserReadScope::Basic
        } else {
            UserReadScope::Missing
        }
    }

    /// The fields of a user that may be requested (`$select`).
    pub(super) fn select(self) -> &'static str {
        if self == UserReadScope::Basic { directory_user::BASIC_SELECT } else { directory_user::SELECT }
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
        assert_eq!(of(&["User.RevokeSessions.All", "user.read.all"]), UserReadScope::Full);
        assert_eq!(of(&["User.ReadBasic.All"]), UserReadScope::Basic);
        assert_eq!(of(&["User.ReadBasic.All", "Directory.Read.All"]), UserReadScope::Full);
        assert_eq!(of(&["User.RevokeSessions.All"]), UserReadScope::Missing);
    }
}
