//! What the token's permissions allow. They are read from the token, but only Graph decides.

use super::Finding;
use crate::identity::TokenClaims;
use crate::text::sanitize::sanitize_truncated;

/// The only permission that revoking needs (learn.microsoft.com/graph/api/user-revokesigninsessions; the permission
/// reference of 2026-08).
pub const REQUIRED_PERMISSION: &str = "User.RevokeSessions.All";

/// Higher permissions that Graph accepts as well. The last is for delegated tokens; older versions of the same page
/// list it.
const SUFFICIENT_HIGHER: [&str; 5] = [
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
    "AgentIdUser.ReadWrite.All",
    "AgentIdUser.ReadWrite.IdentityParentedBy",
    "Directory.AccessAsUser.All",
];

/// Scopes that come with every sign-in of a user and allow reading only that user.
const SIGN_IN_SCOPES: [&str; 5] = ["openid", "profile", "email", "offline_access", "User.Read"];

/// What can be read, and with which permissions. The least privileged one comes first.
const READ_PERMISSIONS: [(&str, &[&str]); 4] = [
    (
        "groups",
        &[
            "GroupMember.Read.All",
            "Group.Read.All",
            "Group.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
    ),
    (
        "users",
        &[
            "User.ReadBasic.All",
            "User.Read.All",
            "User.ReadWrite.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
    ),
    (
        "directory roles",
        &[
            "RoleManagement.Read.Directory",
            "RoleManagement.Read.All",
            "Directory.Read.All",
            "Directory.ReadWrite.All",
        ],
    ),
    ("risky users", &["IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"]),
];

/// Further read permissions that are not more than needed for their purpose, in addition to the first of each row
/// above.
const OPTIONAL_READS: [&str; 7] = [
    "User.Read.All",
    "GroupMember.ReadBasic.All",
    "Member.Read.Hidden",
    "AdministrativeUnit.Read.All",
    "RoleEligibilitySchedule.Read.Directory",
    "Application.Read.All",
    "Organization.Read.All",
];

/// Whether the token's permissions allow revoking sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokePermission {
    /// By the permission made for it.
    Allowed,
    /// By a higher permission.
    AllowedByHigher,
    /// The token lists permissions, but none that allows it.
    Missing,
    /// The token lists no permissions.
    Unknown,
}

/// What a token's permissions allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions {
    /// Whether sessions may be revoked.
    pub revoke: RevokePermission,
    /// All permissions that the token lists.
    pub listed: Vec<String>,
    /// Those that this program has no use for.
    pub unneeded: Vec<String>,
}

impl Permissions {
    /// Reads them from a token's claims.
    pub fn from_claims(claims: &TokenClaims) -> Permissions {
        let listed = claims.permissions();
        let has = |wanted: &str| listed.iter().any(|listed| is_same_permission(listed, wanted));
        let revoking = match () {
            () if has(REQUIRED_PERMISSION) => RevokePermission::Allowed,
            () if SUFFICIENT_HIGHER.into_iter().any(has) => RevokePermission::AllowedByHigher,
            () if listed.is_empty() => RevokePermission::Unknown,
            () => RevokePermission::Missing,
        };
        let shown = |name: &&str| sanitize_truncated(name, 80);
        Permissions {
            revoke: revoking,
            listed: listed.iter().map(shown).collect(),
            unneeded: listed.iter().filter(|name| !is_needed(name)).map(shown).collect(),
        }
    }
}

fn is_same_permission(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether the program can use the permission, or it is harmless.
fn is_needed(name: &str) -> bool {
    let reading = READ_PERMISSIONS.iter().map(|(_, by)| by[0]);
    let known = SIGN_IN_SCOPES.into_iter().chain(OPTIONAL_READS).chain(reading).chain([REQUIRED_PERMISSION]);
    known.into_iter().any(|known| is_same_permission(known, name))
}

/// How to grant the permission to an app or to a user.
pub fn advice(app_only: bool) -> String {
    let kind = if app_only { "application" } else { "delegated" };
    format!(
        "grant the app the {kind} permission {REQUIRED_PERMISSION} of Microsoft Graph with admin consent, then \
         get a new token; `entra-revoke doctor --setup` prints the commands"
    )
}

/// Checks whether sessions may be revoked. `claims` is everything known about the token, and `credential_claims` only
/// what the token itself says.
///
/// An app's token from Entra lists what was granted. If it lists nothing, nothing was granted: usually admin consent is
/// missing. A run leaves even that to Graph, but `doctor` should find it beforehand.
pub fn check(claims: &TokenClaims, credential_claims: &TokenClaims) -> Finding {
    let permissions = Permissions::from_claims(claims);
    let advice = advice(claims.is_app_only() != Some(false));
    match permissions.revoke {
        RevokePermission::Allowed | RevokePermission::AllowedByHigher => allowed_finding(&permissions),
        RevokePermission::Missing => {
            let listed = permissions.listed.join(", ");
            Finding::fatal(
                "permission",
                format!("{REQUIRED_PERMISSION} is missing; the token has {listed}"),
                advice,
                4,
            )
        }
        RevokePermission::Unknown if credential_claims.idtyp.as_deref() == Some("app") => Finding::fatal(
            "permission",
            "the app's token lists no permissions: none was granted, or admin consent is missing; Graph would \
             refuse every user (403)",
            advice,
            4,
        ),
        RevokePermission::Unknown if claims.is_app_only() == Some(true) && claims.tid.is_some() => {
            Finding::warning(
                "permission",
                "the token lists no permissions: Graph will most likely refuse every user (403)",
                advice,
            )
        }
        RevokePermission::Unknown => {
            Finding::info("permission", "the token does not list its permissions; Graph decides")
        }
    }
}

fn allowed_finding(permissions: &Permissions) -> Finding {
    let only_required = permissions.revoke == RevokePermission::Allowed;
    if only_required && permissions.unneeded.is_empty() {
        return Finding::ok("permission", REQUIRED_PERMISSION);
    }
    let more = permissions.unneeded.join(", ");
    let finding = match only_required {
        true => format!("{REQUIRED_PERMISSION}, and more than needed: {more}"),
        false => format!("more than needed: {more}"),
    };
    Finding::warning(
        "permission",
        finding,
        format!("{REQUIRED_PERMISSION} is enough: remove the others if nothing else needs them"),
    )
}

/// Whether a token lists a permission to read the holders of directory roles.
pub fn can_read_roles(claims: &TokenClaims) -> bool {
    let listed = claims.permissions();
    let roles =
        READ_PERMISSIONS.iter().filter(|(what, _)| *what == "directory roles").flat_map(|(_, by)| *by);
    roles.into_iter().any(|by| listed.iter().any(|listed| is_same_permission(listed, by)))
}

/// What the token allows in addition to revoking.
pub fn check_reads(claims: &TokenClaims) -> Finding {
    let listed = claims.permissions();
    if listed.is_empty() {
        return Finding::info(
            "reading",
            "the token does not list what it may read; revoking needs no read permission",
        );
    }
    let allowed =
        |by: &[&str]| by.iter().any(|by| listed.iter().any(|listed| is_same_permission(listed, by)));
    let (can, not): (Vec<_>, Vec<_>) = READ_PERMISSIONS.iter().partition(|(_, by)| allowed(by));
    let may = match can.is_empty() {
        true => "nothing".to_owned(),
        false => can.iter().map(|(what, _)| *what).collect::<Vec<_>>().join(", "),
    };
    let found =
        Finding::info("reading", format!("the token can read {may}; revoking needs no read permission"));
    match not.is_empty() {
        true => found,
        false => {
            let missing: Vec<String> = not.iter().map(|(what, by)| format!("{what} ({})", by[0])).collect();
            found.with_details([format!("missing permissions to read: {}", missing.join(", "))])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn app(roles: &[&str]) -> TokenClaims {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        TokenClaims { idtyp: Some("app".into()), roles: Some(roles), ..TokenClaims::default() }
    }

    /// A token about which only its own claims are known.
    fn checked(claims: &TokenClaims) -> Finding {
        check(claims, claims)
    }

    fn user(scopes: &str) -> TokenClaims {
        TokenClaims { idtyp: Some("user".into()), scp: Some(scopes.into()), ..TokenClaims::default() }
    }

    #[test]
    fn the_least_permission_is_enough() {
        assert_eq!(checked(&app(&[REQUIRED_PERMISSION])), Finding::ok("permission", REQUIRED_PERMISSION));
        assert_eq!(
            checked(&user("openid profile User.Read user.revokesessions.all")).status,
            CheckStatus::Ok
        );
        assert_eq!(
            checked(&app(&[REQUIRED_PERMISSION, "GroupMember.Read.All", "User.ReadBasic.All"])).status,
            CheckStatus::Ok
        );
    }

    #[test]
    fn more_than_is_needed_is_named() {
        for higher in SUFFICIENT_HIGHER {
            let found = checked(&app(&[higher]));
            assert_eq!((found.status, found.exit_code), (CheckStatus::Warning, None), "{higher}");
            assert!(found.finding.contains(higher) && found.advice.unwrap().contains(REQUIRED_PERMISSION));
        }
        let found = checked(&app(&[REQUIRED_PERMISSION, "Mail.ReadWrite", "User.Read.All"]));
        assert_eq!(found.finding, format!("{REQUIRED_PERMISSION}, and more than needed: Mail.ReadWrite"));
    }

    #[test]
    fn missing_or_empty_permissions_fail() {
        let missing = checked(&app(&["User.Read.All"]));
        assert_eq!((missing.status, missing.exit_code), (CheckStatus::Failed, Some(4)));
        assert!(missing.finding.contains("User.Read.All") && missing.advice.unwrap().contains("application"));
        assert!(checked(&user("openid User.Read")).advice.unwrap().contains("delegated"));
        let none = TokenClaims { tid: Some("t".into()), ..app(&[]) };
        let found = checked(&none);
        assert_eq!((found.status, found.exit_code), (CheckStatus::Failed, Some(4)));
        // Only the sign-in method shows that these are an app's.
        let silent = TokenClaims::default();
        assert_eq!(check(&none, &TokenClaims { idtyp: None, ..none.clone() }).status, CheckStatus::Warning);
        assert_eq!(check(&app(&[]), &silent).status, CheckStatus::Info, "opaque");
        assert_eq!(checked(&silent).status, CheckStatus::Info);
    }

    #[test]
    fn readable_data_and_missing_permissions_are_listed() {
        let none = check_reads(&app(&[REQUIRED_PERMISSION]));
        assert!(none.finding.starts_with("the token can read nothing;"), "{none:?}");
        assert!(none.details[0].starts_with("missing permissions to read: groups (GroupMember."));
        let directory_reader = check_reads(&app(&["Directory.Read.All"]));
        assert!(
            directory_reader.finding.starts_with("the token can read groups, users, directory roles;"),
            "{directory_reader:?}"
        );
        assert_eq!(
            directory_reader.details,
            ["missing permissions to read: risky users (IdentityRiskyUser.Read.All)"]
        );
        assert_eq!(check_reads(&TokenClaims::default()).status, CheckStatus::Info);
    }
}
