//! The users that the entries of a list name: IDs and files directly, groups and roles by the directory.

use std::path::Path;

use super::list_file::ProtectFileEntries;
use super::{FIRST_LIST, GuardError, ListCounts};
use crate::directory::{DirectoryError, ResolvedId, Selector};
use crate::intake::{self, InputSource, IntakeError, IntakeOptions, RowStatus};
use crate::plan::ListEntry;
use crate::plan::context::PlanContext;
use crate::plan::directory_source::{
    DirectorySource, ProgressFn, ReadProgress, UserPages, resolve_all, user_ids,
};
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::UserId;

/// The number of IDs that are looked up together.
const CHUNK: usize = 2_000;

/// What an entry stands for: one account, or a group or role.
#[derive(Debug)]
pub(in crate::plan) enum ListMember {
    /// One account.
    Account(AccountIds),
    /// The users in a group or role.
    Selector {
        selector: Selector,
        /// Where the selector comes from, for messages.
        location: String,
        /// Its tenant, as the file says.
        tenant: Option<String>,
    },
}

/// One account, with all IDs that the list gives.
#[derive(Debug)]
pub(in crate::plan) struct AccountIds {
    /// The IDs. The first one is used for the look-up.
    pub(in crate::plan) ids: Vec<UserId>,
    /// Where the IDs come from, for messages.
    pub(in crate::plan) location: String,
    /// Its tenant, as the file says.
    pub(in crate::plan) tenant: Option<String>,
    /// Whether the user may be missing from the directory, because the ID is a mail address beside an ID.
    pub(in crate::plan) may_be_unknown: bool,
}

impl ListMember {
    fn location(&self) -> (&str, Option<&str>) {
        match self {
            ListMember::Account(AccountIds { location, tenant, .. })
            | ListMember::Selector { location, tenant, .. } => (location, tenant.as_deref()),
        }
    }
}

/// Called for each user on a list: with all known IDs, the reason to show, and where the IDs come from.
pub(in crate::plan) type ListedUserVisitor<'a> =
    &'a mut dyn FnMut(Vec<UserId>, &str, &str) -> Result<(), GuardError>;

/// Reads one entry, as far as possible without the directory.
pub(in crate::plan) fn members_of_entry(
    list: &'static str,
    entry: &ListEntry,
) -> Result<Vec<ListMember>, GuardError> {
    read_members(list, entry).map(|(members, _)| members)
}

/// Reads one entry, and counts its parts.
pub(in crate::plan) fn read_members(
    list: &'static str,
    entry: &ListEntry,
) -> Result<(Vec<ListMember>, ListCounts), GuardError> {
    let mut counts = ListCounts::default();
    let members = match entry {
        ListEntry::Id(UserId::Me) => return Err(GuardError::Me { list }),
        ListEntry::Id(user) => {
            let location = user.to_string();
            if matches!(user, UserId::Principal(_)) && Path::new(&location).is_file() {
                return Err(GuardError::IdAndFile { list, entry: location });
            }
            vec![ListMember::Account(AccountIds {
                ids: vec![user.clone()],
                location,
                tenant: None,
                may_be_unknown: false,
            })]
        }
        // The order is not a safety matter, so the --first list is read like any other input.
        ListEntry::File(path) if list == FIRST_LIST => members_from_rows(list, path)?,
        ListEntry::File(path) => {
            let ProtectFileEntries { members, comments } = super::list_file::read_entries(list, path)?;
            counts.comments = comments;
            members
        }
        ListEntry::Selector(selector) => {
            vec![ListMember::Selector {
                selector: selector.clone(),
                location: selector.to_string(),
                tenant: None,
            }]
        }
    };
    for member in &members {
        match member {
            ListMember::Account(_) => counts.accounts += 1,
            ListMember::Selector { selector: Selector::Role { .. }, .. } => counts.roles += 1,
            ListMember::Selector { .. } => counts.groups += 1,
        }
    }
    Ok((members, counts))
}

fn members_from_rows(list: &'static str, path: &Path) -> Result<Vec<ListMember>, GuardError> {
    let unreadable = |source: IntakeError| match source.shows_content() {
        true => GuardError::AmbiguousColumns { list, path: path.to_owned() },
        false => GuardError::Unreadable { list, source: Box::new(source) },
    };
    let rows =
        intake::open(&[InputSource::File(path.to_owned())], &IntakeOptions::default()).map_err(unreadable)?;
    if rows.ids_are_mail() {
        return Err(GuardError::MailAddresses { list, path: path.to_owned() });
    }
    let mut members = Vec::new();
    for row in rows {
        let row = row.map_err(unreadable)?;
        let number = members.len() + 1;
        let wrong =
            |reason: String| GuardError::InvalidLine { list, path: path.to_owned(), line: row.line, reason };
        if let RowStatus::Unreadable(_) | RowStatus::Excluded(_) = &row.status {
            return Err(wrong("the line has no user ID".to_owned()));
        }
        let location = format!("account {number} ({}, line {})", path.display(), row.line);
        if let ListEntry::Selector(selector) = ListEntry::parse(&row.id, false) {
            members.push(ListMember::Selector { selector, location, tenant: row.tenant });
            continue;
        }
        let id = UserId::parse_lenient(&row.id)
            .map_err(|why| wrong(format!("an entry is not a user ID: {why}")))?;
        if id == UserId::Me {
            return Err(GuardError::Me { list });
        }
        let also = row.other_ids.iter().filter_map(|text| UserId::parse_lenient(text).ok());
        let ids = std::iter::once(id).chain(also).collect();
        members.push(ListMember::Account(AccountIds {
            ids,
            location,
            tenant: row.tenant,
            may_be_unknown: false,
        }));
    }
    Ok(members)
}

/// Calls `visit` for every user that an entry names, and returns the counts of the entry. `other_tenant` gets
/// the IDs that the file assigns to another tenant of the run.
pub(in crate::plan) async fn for_each_user<D: DirectorySource>(
    list: &'static str,
    entry: &ListEntry,
    context: &PlanContext<'_, D>,
    progress: ProgressFn<'_>,
    other_tenant: &mut Vec<Vec<UserId>>,
    visit: ListedUserVisitor<'_>,
) -> Result<ListCounts, GuardError> {
    let reason = match entry {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Selector(_) => String::new(),
    };
    let mut accounts = Vec::new();
    let (members, counts) = read_members(list, entry)?;
    for member in members {
        let (location, tenant) = member.location();
        if !context.scope.applies_here(tenant) {
            let why = GuardError::OtherTenant {
                list,
                entry: sanitize_truncated(location, 200),
                tenant: sanitize_truncated(tenant.unwrap_or_default(), 80),
            };
            context.scope.record_missing(list, location, why)?;
            if let ListMember::Account(AccountIds { ids, .. }) = member {
                other_tenant.push(ids);
            }
            continue;
        }
        match member {
            ListMember::Account(ids) => accounts.push(ids),
            ListMember::Selector { selector, location, .. } => {
                visit_directory_members(list, &selector, &location, context, progress, visit).await?;
            }
        }
    }
    let Some(directory) = context.lookup_directory() else {
        for AccountIds { ids, location, .. } in accounts {
            context.scope.mark_found(list, &location);
            visit(ids, &reason, &location)?;
        }
        return Ok(counts);
    };
    let mut so_far = 0;
    let of = Some(accounts.len() as u64);
    for chunk in accounts.chunks_mut(CHUNK) {
        let asked: Vec<UserId> = chunk.iter().map(|member| member.ids[0].clone()).collect();
        let failed = |source| GuardError::Directory { list, entry: entry.to_string(), source };
        let found = resolve_all(directory, &asked).await.map_err(failed)?;
        for (member, found) in chunk.iter_mut().zip(found) {
            let AccountIds { ids, location, may_be_unknown: may_miss, .. } = member;
            let ids = std::mem::take(ids);
            if *may_miss && !matches!(found, ResolvedId::User(_)) {
                visit(ids, &reason, location)?;
                continue;
            }
            match resolve_member(list, ids, location, found) {
                Ok(ids) => {
                    context.scope.mark_found(list, location);
                    visit(ids, &reason, location)?;
                }
                Err(why) => context.scope.record_missing(list, location, why)?,
            }
        }
        so_far += chunk.len() as u64;
        progress(&ReadProgress { what: list, count: so_far, total: of });
    }
    Ok(counts)
}

/// All IDs of a user on a list. A user who is not in the directory is an error.
fn resolve_member(
    list: &'static str,
    mut ids: Vec<UserId>,
    entry: &str,
    found: ResolvedId,
) -> Result<Vec<UserId>, GuardError> {
    let unresolved = |reason: &str| {
        Err(GuardError::NoSuchUser { list, entry: sanitize_truncated(entry, 200), reason: reason.to_owned() })
    };
    match found {
        ResolvedId::User(person) => {
            ids.extend(user_ids(&person));
            Ok(ids)
        }
        ResolvedId::Missing => unresolved("but there is no such user"),
        ResolvedId::Deleted(_) => unresolved("but that user is deleted"),
        ResolvedId::Ambiguous(names) => {
            unresolved(&format!("which may be any of {}", sanitize_truncated(&names.join(", "), 300)))
        }
    }
}

async fn visit_directory_members<D: DirectorySource>(
    list: &'static str,
    selector: &Selector,
    entry: &str,
    context: &PlanContext<'_, D>,
    progress: ProgressFn<'_>,
    visit: ListedUserVisitor<'_>,
) -> Result<(), GuardError> {
    let failed = |source| GuardError::Directory { list, entry: entry.to_owned(), source };
    let Some(directory) = context.directory else {
        return Err(GuardError::LookupDisabled { list, entry: sanitize_truncated(entry, 200) });
    };
    let mut pages = match directory.select_users(selector).await {
        Err(why @ DirectoryError::NotFound { .. }) => {
            return context.scope.record_missing(list, entry, failed(why));
        }
        asked => asked.map_err(failed)?,
    };
    let what = pages.name().to_owned();
    let mut so_far = 0;
    while let Some(page) = pages.next_page().await.map_err(failed)? {
        so_far += page.len() as u64;
        for person in &page {
            visit(user_ids(person).collect(), &what, entry)?;
        }
        progress(&ReadProgress { what: &what, count: so_far, total: pages.expected() });
    }
    let missing = pages.missing();
    if missing > 0 {
        let reason = format!("Graph counted {missing} more users than it returned");
        return Err(failed(DirectoryError::Untrusted { what, reason }));
    }
    // An empty group or role is usually not the intended one.
    if so_far == 0 && !context.allow_empty {
        let reason = "which has no users (use --allow-empty if that is intended)".to_owned();
        return context.scope.record_missing(
            list,
            entry,
            GuardError::NoSuchUser { list, entry: what, reason },
        );
    }
    context.scope.mark_found(list, entry);
    Ok(())
}
