//! Emergency-access ("break-glass") accounts, which should not be revoked by mistake.
//!
//! Microsoft advises two or more of them: cloud-only, in the tenant's `*.onmicrosoft.com` domain, with the role Global
//! Administrator (learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access).

use super::Finding;
use crate::directory::DirectoryUser;
use crate::text::sanitize::sanitize_truncated;

/// Maximum number of Global Administrators to list.
const MAX_SHOWN: usize = 8;

/// Parts of names that such accounts often have.
const NAME_HINTS: [&str; 8] =
    ["break", "glass", "emergency", "emerg", "bg-", "notfall", "urgence", "emergencia"];

/// Checks which users the runs of a profile protect. `lists` are the entries of its protect list. `administrators` are
/// the tenant's Global Administrators, or why they are not known.
pub fn check(lists: &[String], administrators: Result<&[DirectoryUser], &str>) -> Finding {
    match (lists, administrators) {
        ([], Ok([])) => {
            Finding::info("protection", "no protect list; the tenant has no Global Administrator")
        }
        ([], Ok(administrators)) => suggest(administrators),
        ([], Err(why)) => Finding::info(
            "protection",
            format!("no protect list; Global Administrators can't be recognized: {why}"),
        ),
        (lists, _) => {
            let entries: Vec<String> = lists.iter().map(|entry| sanitize_truncated(entry, 80)).collect();
            Finding::ok("protection", format!("on the protect list: {}", entries.join(", ")))
        }
    }
}

fn suggest(administrators: &[DirectoryUser]) -> Finding {
    let mut ranked: Vec<&DirectoryUser> = administrators.iter().collect();
    ranked.sort_by_key(|user| std::cmp::Reverse(break_glass_score(user)));
    let likely = ranked.iter().filter(|user| break_glass_score(user) >= 2).count();
    let found = match likely {
        0 => format!("no protect list; {} Global Administrators could be revoked", ranked.len()),
        1 => "no protect list; this looks like a break-glass account".to_owned(),
        _ => "no protect list; these look like break-glass accounts".to_owned(),
    };
    let shown = if likely == 0 { ranked.len() } else { likely }.min(MAX_SHOWN);
    let advice = match likely {
        0 => "protect the break-glass accounts, or all of them: --protect 'role:Global Administrator', or \
             protect = […] in the profile"
            .to_owned(),
        _ => {
            let each: Vec<String> = ranked[..likely.min(MAX_SHOWN)]
                .iter()
                .map(|user| format!("--protect {}", crate::shell::word(&upn_or_id(user))))
                .collect();
            format!("{}, or protect = […] in the profile", each.join(" "))
        }
    };
    Finding::warning("protection", found, advice).with_details(ranked[..shown].iter().map(|user| line(user)))
}

/// How much an account looks like a break-glass account. 2 or more means likely.
fn break_glass_score(user: &DirectoryUser) -> u32 {
    let upn = user.upn.as_deref().unwrap_or_default().to_lowercase();
    let name = user.name.as_deref().unwrap_or_default().to_lowercase();
    let called = NAME_HINTS.iter().any(|part| upn.contains(part) || name.contains(part));
    let cloud_only = user.synced == Some(false);
    2 * u32::from(called) + u32::from(upn.ends_with(".onmicrosoft.com") && cloud_only)
}

fn line(user: &DirectoryUser) -> String {
    let name =
        user.name.as_deref().map(|name| format!(" ({})", sanitize_truncated(name, 60))).unwrap_or_default();
    let disabled = if user.enabled == Some(false) { ", disabled" } else { "" };
    format!("{}{name}{disabled}", upn_or_id(user))
}

fn upn_or_id(user: &DirectoryUser) -> String {
    user.upn.as_deref().map_or_else(|| user.id.to_string(), |upn| sanitize_truncated(upn, 100))
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn user(upn: &str, synced: bool) -> DirectoryUser {
        DirectoryUser { upn: Some(upn.into()), synced: Some(synced), ..DirectoryUser::default() }
    }

    #[test]
    fn what_looks_like_an_emergency_account_is_suggested_alone() {
        let people = [
            user("ann@contoso.example", true),
            user("breakglass1@contoso.onmicrosoft.com", false),
            user("admin@contoso.onmicrosoft.com", false),
        ];
        let found = check(&[], Ok(&people));
        assert_eq!((found.status, found.exit_code), (CheckStatus::Warning, None));
        assert_eq!(found.details, ["breakglass1@contoso.onmicrosoft.com"]);
        assert!(found.advice.unwrap().starts_with("--protect breakglass1@"));
    }

    #[cfg(unix)]
    #[test]
    fn names_in_suggested_commands_are_quoted() {
        let people = [user("breakglass$(touch pwned)@contoso.onmicrosoft.com", false)];
        let advice = check(&[], Ok(&people)).advice.unwrap();
        assert!(advice.starts_with("--protect 'breakglass$(touch pwned)@"), "{advice}");
    }

    #[test]
    fn otherwise_all_global_administrators_are_named() {
        let people = [user("ann@contoso.example", true), user("bob@contoso.onmicrosoft.com", false)];
        let found = check(&[], Ok(&people));
        assert_eq!(found.details, ["bob@contoso.onmicrosoft.com", "ann@contoso.example"]);
        assert!(found.finding.contains("2 Global Administrators"), "{found:?}");
    }

    #[test]
    fn a_list_is_enough_and_what_cannot_be_read_is_told() {
        assert_eq!(check(&["list.csv".into()], Err("x")).status, CheckStatus::Ok);
        let found = check(&[], Err("it needs the permission X"));
        assert!(found.status == CheckStatus::Info && found.finding.contains("permission X"), "{found:?}");
    }
}
