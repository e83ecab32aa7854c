//! Which users a signed-in user may revoke. That depends on the directory roles of both.
//!
//! The action is `microsoft.directory/users/invalidateAllRefreshTokens`. Which role covers which users is in "Who can
//! reset passwords" (learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions), and
//! the IDs are in "Microsoft Entra built-in roles" (…/permissions-reference).

use super::Finding;
use crate::identity::TokenClaims;

/// The users that a role may revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RevocableUsers {
    /// Users without a role. For some roles the documentation says no more.
    Users,
    /// Also administrators with limited roles.
    Limited,
    /// All users.
    All,
}

struct DoctorRole {
    id: &'static str,
    name: &'static str,
    reach: RevocableUsers,
}

const fn role(id: &'static str, name: &'static str, reach: RevocableUsers) -> DoctorRole {
    DoctorRole { id, name, reach }
}

/// The built-in roles that have the action.
const ROLES: [DoctorRole; 12] = [
    role("62e90394-69f5-4237-9190-012177145e10", "Global Administrator", RevocableUsers::All),
    role(
        "7be44c8a-adaf-4e2a-84d6-ab2649e08a13",
        "Privileged Authentication Administrator",
        RevocableUsers::All,
    ),
    role("fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator", RevocableUsers::Limited),
    role("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator", RevocableUsers::Users),
    role("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator", RevocableUsers::Users),
    role("58f930cc-fcf4-4152-852c-1d7dbf502139", "Entra SOC Identity Responder", RevocableUsers::Users),
    role("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", "Security Operator", RevocableUsers::Users),
    role("9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers", RevocableUsers::Users),
    role("d2562ede-74db-457e-a7b6-544e236ebb61", "AI Administrator", RevocableUsers::Users),
    role("db506228-d27e-4b7d-95e5-295956d6615f", "Agent ID Administrator", RevocableUsers::Users),
    role("4ba39ca4-527c-499a-b93d-d9b492c50246", "Partner Tier1 Support", RevocableUsers::Users),
    role("e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8", "Partner Tier2 Support", RevocableUsers::Users),
];

const ADVICE: &str = "get the lowest role that covers your list assigned (or activated in PIM) for the whole \
     tenant, then sign in again: Helpdesk Administrator for users, User Administrator for limited \
     administrators, Privileged Authentication Administrator for all; an app needs no role";

/// Checks the roles of a signed-in user.
pub fn check(claims: &TokenClaims) -> Finding {
    let Some(held) = &claims.wids else {
        return Finding::info(
            "roles",
            "the token does not list the user's directory roles; without one that may revoke, Graph answers \
             403",
        );
    };
    let holds = |role: &&DoctorRole| held.iter().any(|id| id.eq_ignore_ascii_case(role.id));
    let useful: Vec<&DoctorRole> = ROLES.iter().filter(holds).collect();
    let names = useful.iter().map(|role| role.name).collect::<Vec<_>>().join(", ");
    match useful.iter().map(|role| role.reach).max() {
        Some(RevocableUsers::All) => {
            Finding::ok("roles", format!("{names}: may revoke everyone, including administrators"))
        }
        Some(RevocableUsers::Limited) => Finding::ok(
            "roles",
            format!(
                "{names}: may revoke users and limited administrators; Global Administrators and other \
                 privileged ones end as forbidden (403)"
            ),
        ),
        Some(RevocableUsers::Users) => Finding::ok(
            "roles",
            format!(
                "{names}: may revoke users; most administrators end as forbidden (403), Global \
                 Administrators always"
            ),
        ),
        None => Finding::warning(
            "roles",
            "the token lists no directory role that may revoke others (roles for an administrative unit do \
             not show): Graph will most likely refuse every user (403)",
            ADVICE,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn holding(ids: &[&str]) -> Finding {
        let wids = Some(ids.iter().map(|id| (*id).to_owned()).collect());
        check(&TokenClaims { wids, ..TokenClaims::default() })
    }

    #[test]
    fn strongest_role_decides_the_reach() {
        for (at, says) in
            [(0, "everyone"), (1, "everyone"), (2, "limited administrators"), (3, "403"), (5, "403")]
        {
            let found = holding(&[ROLES[3].id, &ROLES[at].id.to_uppercase()]);
            assert_eq!(found.status, CheckStatus::Ok);
            assert!(found.finding.contains(says) && found.finding.contains(ROLES[at].name), "{found:?}");
        }
    }

    #[test]
    fn a_user_without_a_role_is_warned() {
        // Every user's token has this ID, which stands for no role.
        let found = holding(&["b79fbf4d-3ef9-4689-8143-76b194e85509"]);
        assert_eq!((found.status, found.exit_code), (CheckStatus::Warning, None));
        // The documentation once said that a Password Administrator may.
        assert_eq!(holding(&["966707d0-3269-4727-9be2-8c3a10f19b9d"]).status, CheckStatus::Warning);
        assert_eq!(check(&TokenClaims::default()).status, CheckStatus::Info);
    }

    #[test]
    fn roles_are_unique() {
        for (at, role) in ROLES.iter().enumerate() {
            assert!(uuid::Uuid::try_parse(role.id).is_ok(), "{}", role.name);
            assert!(ROLES[at + 1..].iter().all(|other| other.id != role.id && other.name != role.name));
        }
    }
}
