//! The options of a plan from flags.

use crate::cli::CommonRunArgs;
use crate::directory::Selector;
use crate::error::Error;
use crate::plan::{AccountFilter, ListEntry, PlanOptions};
use crate::user_id::{UserId, explain};

/// Parses the flags for a plan.
///
/// # Errors
/// If a user ID is not valid.
pub fn plan_options(work: &CommonRunArgs) -> Result<PlanOptions, Error> {
    let (choosing, safety) = (&work.selection, &work.safety);
    let eligible = choosing.eligible;
    let listed = |texts: &[String]| -> Vec<ListEntry> {
        texts.iter().map(|text| ListEntry::parse(text, eligible)).collect()
    };
    let mut exclude = listed(&choosing.exclude);
    exclude.extend(choosing.exclude_file.iter().cloned().map(ListEntry::File));
    let groups = choosing.exclude_group.iter().map(|name| group(name, false));
    let roles = choosing.exclude_role.iter().map(|name| role(name, eligible));
    exclude.extend(groups.chain(roles).map(ListEntry::Selector));
    Ok(PlanOptions {
        selectors: selectors(work)?,
        protect: listed(&safety.protect),
        unprotect: ids("--unprotect", &safety.unprotect)?,
        protect_always: Vec::new(),
        allow_unused_unprotect: false,
        always_look_up: false,
        exclude,
        include_self: safety.include_self,
        account_filter: AccountFilter {
            guests: match (choosing.guests_only, choosing.members_only) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            enabled: choosing.enabled_only,
        },
        first: listed(&work.order.first),
        admins_first: work.order.admins_first,
        resolve_names: choosing.resolve,
        allow_empty: choosing.allow_empty,
        max_share: safety.caps.max_share,
    })
}

fn selectors(work: &CommonRunArgs) -> Result<Vec<Selector>, Error> {
    let choosing = &work.selection;
    let mut selectors: Vec<Selector> = Vec::new();
    selectors.extend(choosing.group.iter().map(|name| group(name, choosing.direct)));
    selectors.extend(choosing.role.iter().map(|name| role(name, choosing.eligible)));
    selectors.extend(choosing.administrative_unit.iter().cloned().map(Selector::Unit));
    if !choosing.risky_users.is_empty() {
        selectors.push(Selector::Risky(choosing.risky_users.clone()));
    }
    selectors.extend(choosing.users_filter.iter().cloned().map(Selector::Filter));
    selectors.extend(ids("--reports-of", &choosing.reports_of)?.into_iter().map(Selector::ReportsOf));
    if choosing.all_users {
        selectors.push(Selector::AllUsers);
    }
    Ok(selectors)
}

fn group(name: &str, direct: bool) -> Selector {
    Selector::Group { name: name.to_owned(), direct }
}

fn role(name: &str, eligible: bool) -> Selector {
    Selector::Role { name: name.to_owned(), eligible }
}

fn ids(flag: &str, texts: &[String]) -> Result<Vec<UserId>, Error> {
    let parse = |text: &String| {
        let user = UserId::parse_lenient(text).and_then(|user| user.check().map(|()| user));
        user.map_err(|why| {
            let why = explain(text, &why);
            let message = format!("{flag} {text}: not a user ID: {why}");
            Error::Usage(crate::text::sanitize::sanitize_truncated(&message, 400))
        })
    };
    texts.iter().map(parse).collect()
}
