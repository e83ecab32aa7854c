//! What `doctor` finds of the protect list: whether it can be resolved, or whom it should hold.

use crate::directory::{Directory, DirectoryError, DirectoryUser, Permission, ResolvedId};
use crate::doctor::{Finding, break_glass, permissions};
use crate::identity::TokenClaims;
use crate::plan::{Draft, InputRows, ListEntry, Operator, PlanOptions};
use crate::text::humanize;
use crate::user_id::UserId;

/// The exit code of a run whose protect list can't be used.
const USAGE: u8 = 2;

/// Whether the protect list can be resolved; where there is none, whom it should hold.
pub(super) async fn check_protect_list(
    lists: &[String],
    claims: &TokenClaims,
    directory: &Directory,
) -> Finding {
    let options = PlanOptions {
        protect: lists.iter().map(|entry| ListEntry::parse(entry, false)).collect(),
        ..PlanOptions::default()
    };
    if !lists.is_empty() {
        return match Draft::build(InputRows::default(), &options, &Operator::default(), Some(directory)).await
        {
            Ok(draft) => {
                let counts = draft.summary().lists.iter().map(|list| humanize::list(list, false));
                break_glass::check(lists, Err("")).with_details(counts)
            }
            Err(error) => {
                let advice = "mend the list: nothing is sent while it can't be read and resolved in full";
                Finding::fatal("protection", error.to_string(), advice, USAGE)
            }
        };
    }
    if !permissions::can_read_roles(claims) {
        return break_glass::check(lists, Err(&format!("it needs {}", Permission::Roles)));
    }
    match global_administrators(directory).await {
        Ok(people) => break_glass::check(lists, Ok(&people)),
        Err(error) => break_glass::check(lists, Err(&error.to_string())),
    }
}

/// The tenant's Global Administrators, as far as users can be read.
async fn global_administrators(directory: &Directory) -> Result<Vec<DirectoryUser>, DirectoryError> {
    let ids: Vec<UserId> =
        directory.privileged_users().await?.global.into_iter().map(UserId::Object).collect();
    let known = directory.resolve(&ids).await?.into_iter();
    Ok(known.filter_map(|one| if let ResolvedId::User(person) = one { Some(person) } else { None }).collect())
}
