//! What people should know of a plan, in words.

use super::PlanFacts;
use super::compose::impossible;
use super::drafting::Drafted;
use crate::console::wording;
use crate::harmless::excerpt;

/// What to say. `mail` is set where the input names its users by mail addresses, and those are not looked for.
pub(super) fn of(drafted: &Drafted, facts: &PlanFacts, mail: bool) -> Vec<String> {
    let mut notices = Vec::new();
    if let Some(why) = impossible(&facts.resolution).filter(|_| !drafted.targets.is_empty()) {
        let why = why.trim_end_matches(". Nothing was sent");
        notices.push(format!(
            "{why}. Without, guests are not told apart, who is named by name and by object id is sent twice, and users who \
             do not exist show on the way only"
        ));
    }
    let absent = facts.missing + facts.deleted;
    if absent > 0 {
        notices.push(missing(drafted, facts, mail));
    }
    if drafted.spares_operator {
        notices.push(
            "you are among the users, and are left out: it would end your own sign-in. --include-self sends you last"
                .to_owned(),
        );
    }
    if drafted.bad_priorities > 0 {
        notices
            .push(format!("{} priorities are no whole numbers: those users go last", drafted.bad_priorities));
    }
    if !facts.unchecked.is_empty() {
        notices.push(format!("not checked: {}", facts.unchecked.join("; ")));
    }
    notices
}

fn missing(drafted: &Drafted, facts: &PlanFacts, mail: bool) -> String {
    let absent = facts.missing + facts.deleted;
    let names: Vec<String> = drafted.missing.iter().map(|name| excerpt(name, 80)).collect();
    let more = if absent > names.len() as u64 { ", …" } else { "" };
    let verb = if absent == 1 { "does" } else { "do" };
    let deleted = match facts.deleted {
        0 => String::new(),
        _ if facts.missing == 0 => " any more".to_owned(),
        some => format!(" ({} deleted)", wording::count(some)),
    };
    let hint = if mail { ". They are named by mail addresses: --resolve looks for those" } else { "" };
    format!("{} {verb} not exist{deleted}: {}{more}{hint}", wording::users(absent), names.join(", "))
}
