//! Whom a signed-in person may revoke: that depends on their directory roles, and on those of the target.
//!
//! The action is `microsoft.directory/users/invalidateAllRefreshTokens`; who reaches whom is told by "Who can reset
//! passwords" (learn.microsoft.com/entra/identity/role-based-access-control/privileged-roles-permissions), the ids by
//! "Microsoft Entra built-in roles" (…/permissions-reference).

use super::Finding;
use crate::identity::TokenClaims;

/// Whom a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RoleReach {
    /// Users without a role. For some roles the documents do not say more.
    Users,
    /// Those, and administrators of limited kinds.
    Limited,
    /// Everybody.
    All,
}

struct DoctorRole {
    id: &'static str,
    name: &'static str,
    reach: RoleReach,
}

const fn role(id: &'static str, name: &'static str, reach: RoleReach) -> DoctorRole {
    DoctorRole { id, name, reach }
}

/// The built-in roles that hold the action.
const ROLES: [DoctorRole; 12] = [
    role("62e90394-69f5-4237-9190-012177145e10", "Global Administrator", RoleReach::All),
    role("7be44c8a-adaf-4e2a-84d6-ab2649e08a13", "Privileged Authentication Administrator", RoleReach::All),
    role("fe930be7-5e62-47db-91af-98c3a49a38b1", "User Administrator", RoleReach::Limited),
    role("729827e3-9c14-49f7-bb1b-9608f156bbb8", "Helpdesk Administrator", RoleReach::Users),
    role("c4e39bd9-1100-46d3-8c65-fb160da0071f", "Authentication Administrator", RoleReach::Users),
    role("58f930cc-fcf4-4152-852c-1d7dbf502139", "Entra SOC Identity Responder", RoleReach::Users),
    role("5f2222b1-57c3-48ba-8ad5-d4759f1fde6f", "Security Operator", RoleReach::Users),
    role("9360feb5-f418-4baa-8175-e2a00bac4301", "Directory Writers", RoleReach::Users),
    role("d2562ede-74db-457e-a7b6-544e236ebb61", "AI Administrator", RoleReach::Users),
    role("db506228-d27e-4b7d-95e5-295956d6615f", "Agent ID Administrator", RoleReach::Users),
    role("4ba39ca4-527c-499a-b93d-d9b492c50246", "Partner Tier1 Support", RoleReach::Users),
    role("e00e864a-17c5-4a4b-9c06-f5b95a8d5bd8", "Partner Tier2 Support", RoleReach::Users),
];

const ADVICE: &str = "have the least role that reaches your list assigned (or activated in PIM) for the whole tenant, \
                      then sign in anew: Helpdesk Administrator for users, User Administrator for limited \
                      administrators, Privileged Authentication Administrator for all; an app needs no role";

/// Judges the roles of a signed-in person.
pub fn check(claims: &TokenClaims) -> Finding {
    let Some(held) = &claims.wids else {
        return Finding::info(
            "roles",
            "the token does not tell the user's directory roles: without one that may revoke, Graph answers 403",
        );
    };
    let holds = |role: &&DoctorRole| held.iter().any(|id| id.eq_ignore_ascii_case(role.id));
    let useful: Vec<&DoctorRole> = ROLES.iter().filter(holds).collect();
    let names = useful.iter().map(|role| role.name).collect::<Vec<_>>().join(", ");
    match useful.iter().map(|role| role.reach).max() {
        Some(RoleReach::All) => {
            Finding::ok("roles", format!("{names}: reaches everybody, administrators too"))
        }
        Some(RoleReach::Limited) => Finding::ok(
            "roles",
            format!(
                "{names}: reaches users and limited administrators; Global Administrators and other privileged ones \
                 end as forbidden (403)"
            ),
        ),
        Some(RoleReach::Users) => Finding::ok(
            "roles",
            format!(
                "{names}: reaches users; most administrators end as forbidden (403), Global Administrators always"
            ),
        ),
        None => Finding::warning(
            "roles",
            "the user holds no directory role that may revoke others, as far as the token tells (roles for an \
             administrative unit do not show): Graph will most likely refuse everybody (403)",
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
            [(0, "everybody"), (1, "everybody"), (2, "limited administrators"), (3, "403"), (5, "403")]
        {
            let found = holding(&[ROLES[3].id, &ROLES[at].id.to_uppercase()]);
            assert_eq!(found.status, CheckStatus::Ok);
            assert!(found.finding.contains(says) && found.finding.contains(ROLES[at].name), "{found:?}");
        }
    }

    #[test]
    fn a_user_without_a_role_is_warned() {
        // Every user's token names this one; it is that of a user without any role.
        let found = holding(&["b79fbf4d-3ef9-4689-8143-76b194e85509"]);
        assert_eq!((found.status, found.exit_code), (CheckStatus::Warning, None));
        // The documents once said that a Password Administrator may.
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
