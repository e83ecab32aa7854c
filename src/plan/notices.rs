//! Notices about a plan, in words.

use super::PlanSummary;
use super::build::unresolved_reason;
use super::context::missing_permission_error;
use super::plan_builder::DraftRows;
use crate::directory::Permission;
use crate::journal::ShardRecord;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;

/// The notices about a plan. `mail` says that the input has mail addresses and that these are not looked up.
pub(super) fn plan_notices(drafted_rows: &DraftRows, facts: &PlanSummary, mail: bool) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(sharded) = &facts.shard {
        notices.push(shard_notice(sharded, drafted_rows));
    }
    if let Some(why) = unresolved_reason(&facts.resolution).filter(|_| !drafted_rows.targets.is_empty()) {
        notices.push(unresolved_notice(why));
    }
    let absent = facts.missing + facts.deleted;
    if absent > 0 {
        notices.push(missing_notice(drafted_rows, facts, mail));
    }
    if drafted_rows.skips_operator {
        notices.push(
            "you are among the users and are left out, because this would end your own sign-in. \
             --include-self revokes you last"
                .to_owned(),
        );
    }
    if drafted_rows.bad_priorities > 0 {
        notices.push(format!(
            "the priority of {} is not a whole number: they come last",
            humanize::users(drafted_rows.bad_priorities)
        ));
    }
    notices
}

/// Says which part of the input this shard has.
fn shard_notice(sharded: &ShardRecord, drafted_rows: &DraftRows) -> String {
    let (rows, all) = (
        humanize::count(drafted_rows.rows),
        humanize::count(drafted_rows.rows + drafted_rows.other_shard_rows),
    );
    let none = if drafted_rows.rows == 0 { ": none for this shard" } else { "" };
    format!("shard {}: {rows} of {all} rows{none}", sharded.shard)
}

/// Says in two sentences what the plan lacks if IDs are compared as they are written.
fn unresolved_notice(why: &str) -> String {
    let why = match lacks_permission(why) {
        true => format!("the token does not have the permission {}", Permission::Users.name()),
        false => why.trim_end_matches(". Nothing was revoked").replace(". ", "; "),
    };
    format!(
        "users can't be looked up before the run: {why}. Guests given by object ID, unknown users, \
         administrators and users listed under two IDs are not recognized"
    )
}

/// Whether users were not looked up because the permission is missing. Graph uses this error code only for
/// that cause.
pub(super) fn lacks_permission(why: &str) -> bool {
    why == missing_permission_error().to_string() || why.contains("Authorization_RequestDenied")
}

fn missing_notice(drafted_rows: &DraftRows, facts: &PlanSummary, mail: bool) -> String {
    let absent = facts.missing + facts.deleted;
    let names: Vec<String> = drafted_rows.missing.iter().map(|name| sanitize_truncated(name, 80)).collect();
    let more = if absent > names.len() as u64 { ", …" } else { "" };
    let verb = if absent == 1 { "does" } else { "do" };
    let deleted = match facts.deleted {
        0 => String::new(),
        _ if facts.missing == 0 => " any more".to_owned(),
        some => format!(" ({} deleted)", humanize::count(some)),
    };
    let hint = if mail { ". They are mail addresses: --resolve looks them up" } else { "" };
    format!("{} {verb} not exist{deleted}: {}{more}{hint}", humanize::users(absent), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unresolved_notice_is_two_sentences() {
        let denied = "users can't be read: Graph refuses it (403, Authorization_RequestDenied: Insufficient \
                      privileges). It needs the permission User.Read.All";
        for why in [missing_permission_error().to_string().as_str(), denied] {
            let notice = unresolved_notice(why);
            assert!(
                notice.starts_with(
                    "users can't be looked up before the run: the token does not have the permission User.Read.All. \
                     Guests "
                ),
                "{notice}"
            );
        }
        // If the refusal has another cause, the notice does not blame the permission.
        let policy = "users can't be read: Graph refuses it (403, blocked by policy). It needs the \
                      permission User.Read.All";
        let down = "can't read users: Graph answered 503. Nothing was revoked";
        for (why, kept) in [(policy, "blocked by policy"), (down, "Graph answered 503. Guests ")] {
            let notice = unresolved_notice(why);
            assert!(notice.contains(kept) && notice.matches(". ").count() == 1, "{notice}");
        }
    }
}
