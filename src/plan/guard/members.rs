//! Whom the entries of a list name: ids and files at once, groups and roles as the directory tells.

use std::path::Path;

use super::list_file::ProtectFileEntries;
use super::{FIRST, GuardCounts, GuardError};
use crate::directory::{DirectoryError, ResolvedId, Selector};
use crate::intake::{self, InputSource, IntakeError, IntakeOptions, RowStatus};
use crate::plan::ListEntry;
use crate::plan::context::PlanContext;
use crate::plan::directory_source::{
    DirectorySource, ProgressFn, ReadProgress, UserPages, ids_of, resolve_all,
};
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::UserId;

/// Ids that are looked up at once.
const CHUNK: usize = 2_000;

/// Part of an entry.
#[derive(Debug)]
pub(in crate::plan) enum Member {
    /// One account.
    Ids(MemberIds),
    /// Those whom the directory names.
    Selected {
        selector: Selector,
        /// Where it is given.
        location: String,
        /// In which tenant, as the file says.
        tenant: Option<String>,
    },
}

/// One account, by all ids that are given.
#[derive(Debug)]
pub(in crate::plan) struct MemberIds {
    /// That to look it up by first.
    pub(in crate::plan) ids: Vec<UserId>,
    /// Where they are given.
    pub(in crate::plan) location: String,
    /// In which tenant, as the file says.
    pub(in crate::plan) tenant: Option<String>,
    /// Whether the directory may know no such user: it is a mail address beside an id.
    pub(in crate::plan) may_be_unknown: bool,
}

impl Member {
    fn location(&self) -> (&str, Option<&str>) {
        match self {
            Member::Ids(MemberIds { location, tenant, .. }) | Member::Selected { location, tenant, .. } => {
                (location, tenant.as_deref())
            }
        }
    }
}

/// One person on a list: all ids that are known, the reason to give, and where the ids are given.
pub(in crate::plan) type ListedUserVisitor<'a> =
    &'a mut dyn FnMut(Vec<UserId>, &str, &str) -> Result<(), GuardError>;

/// Reads one entry, as far as that can be done without the directory.
pub(in crate::plan) fn members_of_entry(
    list: &'static str,
    entry: &ListEntry,
) -> Result<Vec<Member>, GuardError> {
    read_members(list, entry).map(|(members, _)| members)
}

/// Reads one entry, and counts what it holds.
pub(in crate::plan) fn read_members(
    list: &'static str,
    entry: &ListEntry,
) -> Result<(Vec<Member>, GuardCounts), GuardError> {
    let mut counts = GuardCounts::default();
    let members = match entry {
        ListEntry::Id(UserId::Me) => return Err(GuardError::Me { list }),
        ListEntry::Id(user) => {
            let location = user.to_string();
            if matches!(user, UserId::Principal(_)) && Path::new(&location).is_file() {
                return Err(GuardError::IdAndFile { list, entry: location });
            }
            vec![Member::Ids(MemberIds {
                ids: vec![user.clone()],
                location,
                tenant: None,
                may_be_unknown: false,
            })]
        }
        // Who goes first is no matter of safety: that list is read as any input is.
        ListEntry::File(path) if list == FIRST => members_from_rows(list, path)?,
        ListEntry::File(path) => {
            let ProtectFileEntries { members, comments } = super::list_file::read_entries(list, path)?;
            counts.comments = comments;
            members
        }
        ListEntry::Selected(selector) => {
            vec![Member::Selected {
                selector: selector.clone(),
                location: selector.to_string(),
                tenant: None,
            }]
        }
    };
    for member in &members {
        match member {
            Member::Ids(_) => counts.accounts += 1,
            Member::Selected { selector: Selector::Role { .. }, .. } => counts.roles += 1,
            Member::Selected { .. } => counts.groups += 1,
        }
    }
    Ok((members, counts))
}

fn members_from_rows(list: &'static str, path: &Path) -> Result<Vec<Member>, GuardError> {
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
        if let RowStatus::Unreadable(_) | RowStatus::Excluded(_) = &row.verdict {
            return Err(wrong("it names no user".to_owned()));
        }
        let location = format!("account {number} ({}, line {})", path.display(), row.line);
        if let ListEntry::Selected(selector) = ListEntry::parse(&row.id, false) {
            members.push(Member::Selected { selector, location, tenant: row.tenant });
            continue;
        }
        let id = UserId::read(&row.id).map_err(|why| wrong(format!("an entry is no user id: {why}")))?;
        if id == UserId::Me {
            return Err(GuardError::Me { list });
        }
        let also = row.also.iter().filter_map(|text| UserId::read(text).ok());
        let ids = std::iter::once(id).chain(also).collect();
        members.push(Member::Ids(MemberIds { ids, location, tenant: row.tenant, may_be_unknown: false }));
    }
    Ok(members)
}

/// Gives `take` every person whom an entry names, with the reason to give for it; and what the entry holds. `elsewhere` gets the ids
/// that the file places in another tenant of the run.
pub(in crate::plan) async fn for_each_user<D: DirectorySource>(
    list: &'static str,
    entry: &ListEntry,
    context: &PlanContext<'_, D>,
    progress: ProgressFn<'_>,
    other_tenant: &mut Vec<Vec<UserId>>,
    visit: ListedUserVisitor<'_>,
) -> Result<GuardCounts, GuardError> {
    let reason = match entry {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Selected(_) => String::new(),
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
            context.scope.mark_missing(list, location, why)?;
            if let Member::Ids(MemberIds { ids, .. }) = member {
                other_tenant.push(ids);
            }
            continue;
        }
        match member {
            Member::Ids(ids) => accounts.push(ids),
            Member::Selected { selector, location, .. } => {
                members_from_directory(list, &selector, &location, context, progress, visit).await?;
            }
        }
    }
    let Some(directory) = context.lookup_directory() else {
        for MemberIds { ids, location, .. } in accounts {
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
            let MemberIds { ids, location, may_be_unknown: may_miss, .. } = member;
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
                Err(why) => context.scope.mark_missing(list, location, why)?,
            }
        }
        so_far += chunk.len() as u64;
        progress(&ReadProgress { what: list, count: so_far, total: of });
    }
    Ok(counts)
}

/// All ids of a person on a list; nobody passes who is nobody in the directory.
fn resolve_member(
    list: &'static str,
    mut ids: Vec<UserId>,
    entry: &str,
    found: ResolvedId,
) -> Result<Vec<UserId>, GuardError> {
    let nobody = |reason: &str| {
        Err(GuardError::NoSuchUser { list, entry: sanitize_truncated(entry, 200), reason: reason.to_owned() })
    };
    match found {
        ResolvedId::User(person) => {
            ids.extend(ids_of(&person));
            Ok(ids)
        }
        ResolvedId::Missing => nobody("but there is no such user"),
        ResolvedId::Deleted(_) => nobody("but that user is deleted"),
        ResolvedId::Ambiguous(names) => {
            nobody(&format!("which may be any of {}", sanitize_truncated(&names.join(", "), 300)))
        }
    }
}

async fn members_from_directory<D: DirectorySource>(
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
            return context.scope.mark_missing(list, entry, failed(why));
        }
        asked => asked.map_err(failed)?,
    };
    let what = pages.name().to_owned();
    let mut so_far = 0;
    while let Some(page) = pages.next_page().await.map_err(failed)? {
        so_far += page.len() as u64;
        for person in &page {
            visit(ids_of(person).collect(), &what, entry)?;
        }
        progress(&ReadProgress { what: &what, count: so_far, total: pages.expected() });
    }
    let missing = pages.missing();
    if missing > 0 {
        let reason = format!("Graph counted {missing} more users than it gave");
        return Err(failed(DirectoryError::Untrusted { what, reason }));
    }
    // A group or a role that holds nobody is mostly another one than was meant.
    if so_far == 0 && !context.allow_empty {
        let reason = "which holds no user; --allow-empty goes on".to_owned();
        return context.scope.mark_missing(list, entry, GuardError::NoSuchUser { list, entry: what, reason });
    }
    context.scope.mark_found(list, entry);
    Ok(())
}
