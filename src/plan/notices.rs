//! What people should know of a plan, in words.

use super::PlanSummary;
use super::build::unresolved_reason;
use super::context::missing_permission_error;
use super::plan_builder::DraftedRows;
use crate::directory::Permission;
use crate::journal::ShardRecord;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;

/// What to say. `mail` is set where the input names its users by mail addresses, and those are not looked for.
pub(super) fn plan_notices(drafted_rows: &DraftedRows, facts: &PlanSummary, mail: bool) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(sharded) = &facts.sharded {
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
            "you are among the users, and are left out: it would end your own sign-in. --include-self sends you last"
                .to_owned(),
        );
    }
    if drafted_rows.bad_priorities > 0 {
        notices.push(format!(
            "{} priorities are no whole numbers: those users go last",
            drafted_rows.bad_priorities
        ));
    }
    notices
}

/// Which part of the input this is.
fn shard_notice(sharded: &ShardRecord, drafted_rows: &DraftedRows) -> String {
    let (rows, all) = (
        humanize::count(drafted_rows.rows),
        humanize::count(drafted_rows.rows + drafted_rows.other_shard_rows),
    );
    let nobody = if drafted_rows.rows == 0 { ": there is nobody for this one" } else { "" };
    format!("shard {}: {rows} of {all} rows{nobody}", sharded.shard)
}

/// What it costs that ids are compared as they are written, in two sentences.
fn unresolved_notice(why: &str) -> String {
    let why = match lacks_permission(why) {
        true => format!("the sign-in lacks {}", Permission::Users.name()),
        false => why.trim_end_matches(". Nothing was sent").replace(". ", "; "),
    };
    format!(
        "users are not looked up first: {why}. So guests named by object id, users who do not exist, administrators, and one \
         person under two ids can't be told beforehand"
    )
}

/// Whether users were not looked up for want of the permission. Other refusals have other causes than the one for which
/// Graph has this word.
pub(super) fn lacks_permission(why: &str) -> bool {
    why == missing_permission_error().to_string() || why.contains("Authorization_RequestDenied")
}

fn missing_notice(drafted_rows: &DraftedRows, facts: &PlanSummary, mail: bool) -> String {
    let absent = facts.missing + facts.deleted;
    let names: Vec<String> = drafted_rows.missing.iter().map(|name| sanitize_truncated(name, 80)).collect();
    let more = if absent > names.len() as u64 { ", …" } else { "" };
    let verb = if absent == 1 { "does" } else { "do" };
    let deleted = match facts.deleted {
        0 => String::new(),
        _ if facts.missing == 0 => " any more".to_owned(),
        some => format!(" ({} deleted)", humanize::count(some)),
    };
    let hint = if mail { ". They are named by mail addresses: --resolve looks for those" } else { "" };
    format!("{} {verb} not exist{deleted}: {}{more}{hint}", humanize::users(absent), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unresolved_notice_is_two_sentences() {
        let denied = "users can't be read: Graph refuses it (403, Authorization_RequestDenied: Insufficient privileges). It \
                      needs the permission User.Read.All";
        for why in [missing_permission_error().to_string().as_str(), denied] {
            let said = unresolved_notice(why);
            assert!(
                said.starts_with("users are not looked up first: the sign-in lacks User.Read.All. So "),
                "{said}"
            );
        }
        // What is refused for another cause is not laid on the permission.
        let policy = "users can't be read: Graph refuses it (403, blocked by policy). It needs the permission User.Read.All";
        let down = "users can't be read: Graph answered 503. Nothing was sent";
        for (why, kept) in [(policy, "blocked by policy"), (down, "Graph answered 503. So ")] {
            let said = unresolved_notice(why);
            assert!(said.contains(kept) && said.matches(". ").count() == 1, "{said}");
        }
    }
}
