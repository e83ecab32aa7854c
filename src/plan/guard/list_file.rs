//! Reads the entries of a protect or exclude list from its file. If any line is not understood, the list is
//! refused.

use std::path::Path;

use super::collect_ids::{CollectedIds, collect_ids, is_blank};
use super::members::ListMember;
use super::{AccountIds, FIRST_LIST, GuardError};
use crate::files::{self, FileError};
use crate::intake::{IntakeError, ListColumns, ListError, ListRecord, read_list};
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::{UserId, clean, explain};

/// The entries, and the line numbers of comments that have IDs.
pub(super) struct ProtectFileEntries {
    pub(super) members: Vec<ListMember>,
    pub(super) comments: Vec<u64>,
}

/// Reads all entries.
///
/// # Errors
/// When the file can't be read in full, or one of its lines is not understood.
pub(super) fn read_entries(list: &'static str, path: &Path) -> Result<ProtectFileEntries, GuardError> {
    let line = |line, reason| GuardError::InvalidLine { list, path: path.to_owned(), line, reason };
    // Other accounts must not be able to change a protect list: they could have users revoked. The --first
    // list only changes the order, so it may be writable by others. A path that can't be resolved is reported
    // below.
    let judged = if list == FIRST_LIST { Ok(()) } else { files::check_path(path) };
    if let Err(error @ FileError::Distrust(_)) = judged {
        return Err(GuardError::Insecure { list, why: error.to_string() });
    }
    let file = read_list(path).map_err(|error| match error {
        ListError::Source(source) => unreadable_error(list, path, source),
        ListError::Line { line: at, reason } => line(at, reason),
    })?;
    let mut members = Vec::new();
    for (number, table) in file.tables.iter().enumerate() {
        let mut header: Option<(&ListRecord, ListColumns)> = None;
        for record in &table.records {
            let own = record.names.as_ref().map(|names| ListColumns::from_names(names));
            let columns = own.as_ref().or(header.as_ref().map(|(_, columns)| columns));
            let sheet = |reason: String| match &table.sheet {
                Some(_) => format!("on sheet {}, {reason}", number + 1),
                None => reason,
            };
            let wrong = |reason: String| line(record.line, sheet(reason));
            let found = collect_ids(&record.cells, columns).map_err(&wrong)?;
            if found.is_me {
                return Err(GuardError::Me { list });
            }
            if !found.is_empty() {
                if let Some(what) = columns.and_then(|columns| columns.non_user_kind(&record.cells)) {
                    let hint = "a list can have users, `group:NAME` and `role:NAME`";
                    return Err(wrong(format!("it is {what}, not a user: {hint}")));
                }
                if let Some(at) = columns.and_then(|columns| find_cell_without_id(record, &found, columns)) {
                    return Err(wrong(no_id_reason(at)));
                }
                add_record(list, path, record, found, columns, &mut members)?;
                continue;
            }
            match (&header, ListColumns::from_known_names(&record.cells)) {
                (None, Some(columns)) if own.is_none() => header = Some((record, columns)),
                (Some((first, _)), Some(_)) if is_same_header(first, record) => {}
                _ => return Err(wrong(NO_ENTRY_REASON.to_owned())),
            }
        }
    }
    if members.is_empty() {
        let name = path.display().to_string();
        let what = "nothing follows its header or comments";
        return Err(unreadable_error(list, path, IntakeError::NoRows { name, what }));
    }
    let is_entry = |text: &str| collect_ids(&[text.to_owned()], None).is_ok_and(|found| found.is_empty());
    let comments = file.comments.iter().filter(|(_, text)| !is_entry(text.trim_start_matches(['#', ' '])));
    let comments = comments.map(|(line, _)| *line).collect();
    Ok(ProtectFileEntries { members, comments })
}

/// Whether two headers have the same columns in the same order.
fn is_same_header(first: &ListRecord, again: &ListRecord) -> bool {
    let names =
        |record: &ListRecord| record.cells.iter().map(|cell| clean(cell).to_lowercase()).collect::<Vec<_>>();
    names(first) == names(again)
}

/// Finds a cell in an ID column that is not empty but has no ID. If a column that surely has IDs has one in
/// this row, the other ID columns may have a name or a number.
fn find_cell_without_id(record: &ListRecord, found: &CollectedIds, columns: &ListColumns) -> Option<usize> {
    if !found.selectors.is_empty() || record.cells.iter().skip(columns.width).any(|cell| !is_blank(cell)) {
        return None;
    }
    let has_id = |at: usize| found.ids.iter().any(|(index, _)| *index == at);
    let is_unread = |at: &usize| !has_id(*at) && record.cells.get(*at).is_some_and(|cell| !is_blank(cell));
    let is_sure = columns.user_only.iter().any(|at| has_id(*at));
    let others = columns.object_ids.iter().chain(&columns.upns).filter(|_| !is_sure);
    columns.user_only.iter().chain(others).copied().find(is_unread)
}

// The content of a list is never shown: a plan or a profile from someone else can name any file on this
// machine.

fn no_id_reason(at: usize) -> String {
    format!(
        "column {} has neither an object ID nor a user principal name, but another cell of the line does: it \
         is not clear which account is meant",
        at + 1
    )
}

const NO_ENTRY_REASON: &str = "it has no object ID, user principal name, `group:` or `role:` entry. Remove \
     the line, or begin it with # if it is a comment";

/// Adds a record with IDs. If the header says so, an object ID and the user principal name next to it are one
/// account. Any other ID is an account of its own.
fn add_record(
    list: &'static str,
    path: &Path,
    record: &ListRecord,
    found: CollectedIds,
    columns: Option<&ListColumns>,
    members: &mut Vec<ListMember>,
) -> Result<(), GuardError> {
    let fits = |columns: &&ListColumns| record.cells.iter().skip(columns.width).all(|cell| is_blank(cell));
    let columns = columns.filter(fits);
    let tenant = columns.and_then(|columns| record.cells.get(columns.tenant?));
    let tenant = tenant.map(|cell| clean(cell)).filter(|cell| !is_blank(cell) && !cell.contains('@'));
    let tenant = tenant.map(str::to_owned);
    let location = |what: String| format!("{what} ({}, line {})", path.display(), record.line);
    for selector in found.selectors {
        let location = location(selector.to_string());
        members.push(ListMember::Selector { selector, location, tenant: tenant.clone() });
    }
    let is_in = |places: fn(&ListColumns) -> &[usize], at: usize| {
        columns.is_some_and(|columns| places(columns).contains(&at))
    };
    let is_mail = |at: usize| is_in(|columns| &columns.mails, at);
    let mut ids = found.ids;
    if !ids.is_empty() && ids.iter().all(|(at, _)| is_mail(*at)) {
        return Err(GuardError::MailAddresses { list, path: path.to_owned() });
    }
    let mut push = |ids: Vec<UserId>, may_miss: bool| {
        let location = location(format!("account {}", members.len() + 1));
        members.push(ListMember::Account(AccountIds {
            ids,
            location,
            tenant: tenant.clone(),
            may_be_unknown: may_miss,
        }));
    };
    let only = |places: fn(&ListColumns) -> &[usize]| {
        let mut all = ids.iter().filter(|(at, _)| is_in(places, *at)).flat_map(|(_, ids)| ids);
        let first = all.next()?.clone();
        all.all(|id| *id == first).then_some(first)
    };
    let object = only(|columns| &columns.object_ids).filter(|id| matches!(id, UserId::Object(_)));
    let name = only(|columns| &columns.upns).filter(|id| matches!(id, UserId::Principal(_)));
    let mut known = Vec::new();
    if let (Some(object), Some(name)) = (object, name) {
        known = vec![object, name];
        push(known.clone(), false);
    }
    // Mail addresses come last, because they are the least certain: one may not be a user principal name.
    ids.sort_by_key(|(at, _)| is_mail(*at));
    for (at, ids) in ids {
        if !ids.iter().any(|id| known.contains(id)) {
            known.extend(ids.iter().cloned());
            push(ids, is_mail(at));
        }
    }
    Ok(())
}

fn unreadable_error(list: &'static str, path: &Path, source: IntakeError) -> GuardError {
    let text = path.file_name().unwrap_or_default().to_string_lossy();
    // An invalid ID was parsed as a file name. If there is no such file, the message is about the ID.
    match UserId::parse_lenient(&text) {
        Ok(id) if !path.exists() => {
            let why = id.check().err().map(|why| explain(&text, &why)).unwrap_or_default();
            GuardError::InvalidEntry { list, text: sanitize_truncated(&text, 120), why }
        }
        Err(why) if !path.exists() && text.contains('@') => {
            GuardError::InvalidEntry { list, text: sanitize_truncated(&text, 120), why: explain(&text, &why) }
        }
        _ => GuardError::Unreadable { list, source: Box::new(source) },
    }
}
