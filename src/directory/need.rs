//! Which permission a read needs (learn.microsoft.com/graph/permissions-reference).

use std::fmt;

use super::person;
use crate::identity::TokenClaims;

/// A permission that a read needs: the least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
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

impl Need {
    /// The least permission's name.
    pub fn permission(self) -> &'static str {
        match self {
            Need::Users => "User.Read.All",
            Need::Groups => "GroupMember.Read.All",
            Need::HiddenMembers => "Member.Read.Hidden",
            Need::Roles => "RoleManagement.Read.Directory",
            Need::Eligibility => "RoleEligibilitySchedule.Read.Directory",
            Need::Units => "AdministrativeUnit.Read.All",
            Need::Risk => "IdentityRiskyUser.Read.All",
            Need::Apps => "Application.Read.All",
            Need::Organization => "Organization.Read.All",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the permission {}", self.permission())?;
        if *self == Need::Risk {
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
pub enum UserReads {
    /// It lists a permission that does.
    Allowed,
    /// It lists one for users' basic profiles only: who they are, not whether they are enabled, guests or synced.
    Basic,
    /// It lists permissions, and none that does.
    Lacking,
    /// It does not tell: Graph will.
    Unknown,
}

impl UserReads {
    /// As the token's claims tell.
    pub fn of(claims: &TokenClaims) -> UserReads {
        let listed = claims.permissions();
        if listed.is_empty() {
            return UserReads::Unknown;
        }
        let lists = |name: &str| listed.iter().any(|permission| permission.eq_ignore_ascii_case(name));
        if USERS.iter().any(|name| lists(name)) {
            UserReads::Allowed
        } else if lists(BASIC) {
            UserReads::Basic
        } else {
            UserReads::Lacking
        }
    }

    /// What of a user may be asked for (`$select`).
    pub(super) fn select(self) -> &'static str {
        if self == UserReads::Basic { person::BASIC_SELECT } else { person::SELECT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_tells_what_may_be_read() {
        let of = |roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            UserReads::of(&TokenClaims { roles: Some(roles), ..TokenClaims::default() })
        };
        assert_eq!(of(&[]), UserReads::Unknown);
        assert_eq!(of(&["User.RevokeSessions.All", "user.read.all"]), UserReads::Allowed);
        assert_eq!(of(&["User.ReadBasic.All"]), UserReads::Basic);
        assert_eq!(of(&["User.ReadBasic.All", "Directory.Read.All"]), UserReads::Allowed);
        assert_eq!(of(&["User.RevokeSessions.All"]), UserReads::Lacking);
    }
}
