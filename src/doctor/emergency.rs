//! Emergency-access accounts ("break glass"): whom nobody should revoke by mistake.
//!
//! Microsoft advises two or more, cloud-only, in the tenant's `*.onmicrosoft.com` domain, with the role Global
//! Administrator (learn.microsoft.com/entra/identity/role-based-access-control/security-emergency-access).

use super::Finding;
use crate::directory::DirectoryUser;
use crate::harmless::sanitize_truncated;

/// Global Administrators that are named at most.
const SHOWN: usize = 8;

/// What such accounts are often called.
const NAMES: [&str; 8] = ["break", "glass", "emergency", "emerg", "bg-", "notfall", "urgence", "emergencia"];

/// Judges whom the runs of a profile protect: `lists` are the entries of its protect list, `administrators` the tenant's
/// Global Administrators, or why they are not known.
pub fn check(lists: &[String], administrators: Result<&[DirectoryUser], &str>) -> Finding {
    match (lists, administrators) {
        ([], Ok([])) => {
            Finding::info("protection", "no protect list; the tenant has no Global Administrator")
        }
        ([], Ok(administrators)) => suggest(administrators),
        ([], Err(why)) => Finding::info(
            "protection",
            format!("no protect list, and who holds Global Administrator is not known: {why}"),
        ),
        (lists, _) => {
            let entries: Vec<String> = lists.iter().map(|entry| sanitize_truncated(entry, 80)).collect();
            Finding::ok("protection", format!("on the protect list: {}", entries.join(", ")))
        }
    }
}

fn suggest(administrators: &[DirectoryUser]) -> Finding {
    let mut ranked: Vec<&DirectoryUser> = administrators.iter().collect();
    ranked.sort_by_key(|person| std::cmp::Reverse(likeness(person)));
    let likely = ranked.iter().filter(|person| likeness(person) >= 2).count();
    let found = match likely {
        0 => format!("no protect list; {} Global Administrators could be revoked", ranked.len()),
        1 => "no protect list; this account looks like one for emergencies".to_owned(),
        _ => "no protect list; these accounts look like ones for emergencies".to_owned(),
    };
    let shown = if likely == 0 { ranked.len() } else { likely }.min(SHOWN);
    let advice = match likely {
        0 => "protect those for emergencies, or all of them: --protect 'role:Global Administrator', or protect = […] in \
              the profile"
            .to_owned(),
        _ => {
            let each: Vec<String> =
                ranked[..likely.min(SHOWN)].iter().map(|person| format!("--protect {}", crate::shell::word(&called(person)))).collect();
            format!("{}, or protect = […] in the profile", each.join(" "))
        }
    };
    Finding::warning("protection", found, advice).with(ranked[..shown].iter().map(|person| line(person)))
}

/// How much an account looks like one for emergencies; 2 and above is likely.
fn likeness(person: &DirectoryUser) -> u32 {
    let upn = person.upn.as_deref().unwrap_or_default().to_lowercase();
    let name = person.name.as_deref().unwrap_or_default().to_lowercase();
    let called = NAMES.iter().any(|part| upn.contains(part) || name.contains(part));
    let cloud_only = person.synced == Some(false);
    2 * u32::from(called) + u32::from(upn.ends_with(".onmicrosoft.com") && cloud_only)
}

fn line(person: &DirectoryUser) -> String {
    let name =
        person.name.as_deref().map(|name| format!(" ({})", sanitize_truncated(name, 60))).unwrap_or_default();
    let disabled = if person.enabled == Some(false) { ", disabled" } else { "" };
    format!("{}{name}{disabled}", called(person))
}

fn called(person: &DirectoryUser) -> String {
    person.upn.as_deref().map_or_else(|| person.id.to_string(), |upn| sanitize_truncated(upn, 100))
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    fn person(upn: &str, synced: bool) -> DirectoryUser {
        DirectoryUser { upn: Some(upn.into()), synced: Some(synced), ..DirectoryUser::default() }
    }

    #[test]
    fn what_looks_like_an_emergency_account_is_suggested_alone() {
        let people = [
            person("ann@contoso.example", true),
            person("breakglass1@contoso.onmicrosoft.com", false),
            person("admin@contoso.onmicrosoft.com", false),
        ];
        let found = check(&[], Ok(&people));
        assert_eq!((found.status, found.ends_with), (CheckStatus::Warning, None));
        assert_eq!(found.details, ["breakglass1@contoso.onmicrosoft.com"]);
        assert!(found.advice.unwrap().starts_with("--protect breakglass1@"));
    }

    #[cfg(unix)]
    #[test]
    fn a_name_of_the_directory_is_one_word_of_the_command() {
        let people = [person("breakglass$(touch pwned)@contoso.onmicrosoft.com", false)];
        let advice = check(&[], Ok(&people)).advice.unwrap();
        assert!(advice.starts_with("--protect 'breakglass$(touch pwned)@"), "{advice}");
    }

    #[test]
    fn otherwise_all_global_administrators_are_named() {
        let people = [person("ann@contoso.example", true), person("bob@contoso.onmicrosoft.com", false)];
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
