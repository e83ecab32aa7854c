//! Whom the entries of a list name: ids and files at once, groups and roles as the directory tells.

use std::path::Path;

use super::file::ProtectFileEntries;
use super::{FIRST, GuardCounts, GuardError};
use crate::directory::{DirectoryError, ResolvedId, Selector};
use crate::harmless::sanitize_truncated;
use crate::intake::{self, InputSource, IntakeError, IntakeOptions, RowStatus};
use crate::plan::ListEntry;
use crate::plan::ask::{DirectorySource, ProgressFn, ReadProgress, UserPages, ids_of, resolve};
use crate::plan::world::PlanContext;
use crate::user_id::UserId;

/// Ids that are looked up at once.
const CHUNK: usize = 2_000;

/// Part of an entry.
#[derive(Debug)]
pub(in crate::plan) enum Member {
    /// One account.
    Ids(MemberIds),
    /// Those whom the directory names.
    Of {
        selector: Selector,
        /// Where it is given.
        place: String,
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
    pub(in crate::plan) place: String,
    /// In which tenant, as the file says.
    pub(in crate::plan) tenant: Option<String>,
    /// Whether the directory may know no such user: it is a mail address beside an id.
    pub(in crate::plan) may_miss: bool,
}

impl Member {
    fn place(&self) -> (&str, Option<&str>) {
        match self {
            Member::Ids(MemberIds { place, tenant, .. }) | Member::Of { place, tenant, .. } => {
                (place, tenant.as_deref())
            }
        }
    }
}

/// One person on a list: all ids that are known, the reason to give, and where the ids are given.
pub(in crate::plan) type Take<'a> = &'a mut dyn FnMut(Vec<UserId>, &str, &str) -> Result<(), GuardError>;

/// Reads one entry, as far as that can be done without the directory.
pub(in crate::plan) fn members(list: &'static str, entry: &ListEntry) -> Result<Vec<Member>, GuardError> {
    entries(list, entry).map(|(members, _)| members)
}

/// Reads one entry, and counts what it holds.
pub(in crate::plan) fn entries(
    list: &'static str,
    entry: &ListEntry,
) -> Result<(Vec<Member>, GuardCounts), GuardError> {
    let mut counts = GuardCounts::default();
    let members = match entry {
        ListEntry::Id(UserId::Me) => return Err(GuardError::Me { list }),
        ListEntry::Id(user) => {
            let place = user.to_string();
            if matches!(user, UserId::Principal(_)) && Path::new(&place).is_file() {
                return Err(GuardError::IdAndFile { list, entry: place });
            }
            vec![Member::Ids(MemberIds { ids: vec![user.clone()], place, tenant: None, may_miss: false })]
        }
        // Who goes first is no matter of safety: that list is read as any input is.
        ListEntry::File(path) if list == FIRST => members_from_rows(list, path)?,
        ListEntry::File(path) => {
            let ProtectFileEntries { members, comments } = super::file::read(list, path)?;
            counts.comments = comments;
            members
        }
        ListEntry::Of(selector) => {
            vec![Member::Of { selector: selector.clone(), place: selector.to_string(), tenant: None }]
        }
    };
    for member in &members {
        match member {
            Member::Ids(_) => counts.accounts += 1,
            Member::Of { selector: Selector::Role { .. }, .. } => counts.roles += 1,
            Member::Of { .. } => counts.groups += 1,
        }
    }
    Ok((members, counts))
}

fn members_from_rows(list: &'static str, path: &Path) -> Result<Vec<Member>, GuardError> {
    let unreadable = |source: IntakeError| match source.shows_content() {
        true => GuardError::Columns { list, path: path.to_owned() },
        false => GuardError::Unreadable { list, source: Box::new(source) },
    };
    let rows =
        intake::open(&[InputSource::File(path.to_owned())], &IntakeOptions::default()).map_err(unreadable)?;
    if rows.ids_are_mail() {
        return Err(GuardError::Mail { list, path: path.to_owned() });
    }
    let mut members = Vec::new();
    for row in rows {
        let row = row.map_err(unreadable)?;
        let number = members.len() + 1;
        let wrong = |reason: String| GuardError::Line { list, path: path.to_owned(), line: row.line, reason };
        if let RowStatus::Unreadable(_) | RowStatus::Excluded(_) = &row.verdict {
            return Err(wrong("it names no user".to_owned()));
        }
        let place = format!("account {number} ({}, line {})", path.display(), row.line);
        if let ListEntry::Of(selector) = ListEntry::read(&row.id, false) {
            members.push(Member::Of { selector, place, tenant: row.tenant });
            continue;
        }
        let id = UserId::read(&row.id).map_err(|why| wrong(format!("an entry is no user id: {why}")))?;
        if id == UserId::Me {
            return Err(GuardError::Me { list });
        }
        let also = row.also.iter().filter_map(|text| UserId::read(text).ok());
        let ids = std::iter::once(id).chain(also).collect();
        members.push(Member::Ids(MemberIds { ids, place, tenant: row.tenant, may_miss: false }));
    }
    Ok(members)
}

/// Gives `take` every person whom an entry names, with the reason to give for it; and what the entry holds. `elsewhere` gets the ids
/// that the file places in another tenant of the run.
pub(in crate::plan) async fn for_each_person<D: DirectorySource>(
    list: &'static str,
    entry: &ListEntry,
    world: &PlanContext<'_, D>,
    tell: ProgressFn<'_>,
    elsewhere: &mut Vec<Vec<UserId>>,
    take: Take<'_>,
) -> Result<GuardCounts, GuardError> {
    let reason = match entry {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Of(_) => String::new(),
    };
    let mut named = Vec::new();
    let (members, counts) = entries(list, entry)?;
    for member in members {
        let (place, tenant) = member.place();
        if !world.within.applies_here(tenant) {
            let why = GuardError::Elsewhere {
                list,
                entry: sanitize_truncated(place, 200),
                tenant: sanitize_truncated(tenant.unwrap_or_default(), 80),
            };
            world.within.missed(list, place, why)?;
            if let Member::Ids(MemberIds { ids, .. }) = member {
                elsewhere.push(ids);
            }
            continue;
        }
        match member {
            Member::Ids(ids) => named.push(ids),
            Member::Of { selector, place, .. } => {
                members_from_directory(list, &selector, &place, world, tell, take).await?;
            }
        }
    }
    let Some(directory) = world.resolving() else {
        for MemberIds { ids, place, .. } in named {
            world.within.mark_found(list, &place);
            take(ids, &reason, &place)?;
        }
        return Ok(counts);
    };
    let mut so_far = 0;
    let of = Some(named.len() as u64);
    for chunk in named.chunks_mut(CHUNK) {
        let asked: Vec<UserId> = chunk.iter().map(|member| member.ids[0].clone()).collect();
        let failed = |source| GuardError::Directory { list, entry: entry.to_string(), source };
        let found = resolve(directory, &asked).await.map_err(failed)?;
        for (member, found) in chunk.iter_mut().zip(found) {
            let MemberIds { ids, place, may_miss, .. } = member;
            let ids = std::mem::take(ids);
            if *may_miss && !matches!(found, ResolvedId::User(_)) {
                take(ids, &reason, place)?;
                continue;
            }
            match with_found(list, ids, place, found) {
                Ok(ids) => {
                    world.within.mark_found(list, place);
                    take(ids, &reason, place)?;
                }
                Err(why) => world.within.missed(list, place, why)?,
            }
        }
        so_far += chunk.len() as u64;
        tell(&ReadProgress { what: list, so_far, of });
    }
    Ok(counts)
}

/// All ids of a person on a list; nobody passes who is nobody in the directory.
fn with_found(
    list: &'static str,
    mut ids: Vec<UserId>,
    entry: &str,
    found: ResolvedId,
) -> Result<Vec<UserId>, GuardError> {
    let nobody = |reason: &str| {
        Err(GuardError::Nobody { list, entry: sanitize_truncated(entry, 200), reason: reason.to_owned() })
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
    world: &PlanContext<'_, D>,
    tell: ProgressFn<'_>,
    take: Take<'_>,
) -> Result<(), GuardError> {
    let failed = |source| GuardError::Directory { list, entry: entry.to_owned(), source };
    let Some(directory) = world.directory else {
        return Err(GuardError::NotRead { list, entry: sanitize_truncated(entry, 200) });
    };
    let mut pages = match directory.people(selector).await {
        Err(why @ DirectoryError::NotFound { .. }) => return world.within.missed(list, entry, failed(why)),
        asked => asked.map_err(failed)?,
    };
    let what = pages.name().to_owned();
    let mut so_far = 0;
    while let Some(page) = pages.next_page().await.map_err(failed)? {
        so_far += page.len() as u64;
        for person in &page {
            take(ids_of(person).collect(), &what, entry)?;
        }
        tell(&ReadProgress { what: &what, so_far, of: pages.expected() });
    }
    let missing = pages.missing();
    if missing > 0 {
        let reason = format!("Graph counted {missing} more users than it gave");
        return Err(failed(DirectoryError::Untrusted { what, reason }));
    }
    // A group or a role that holds nobody is mostly another one than was meant.
    if so_far == 0 && !world.allow_empty {
        let reason = "which holds no user; --allow-empty goes on".to_owned();
        return world.within.missed(list, entry, GuardError::Nobody { list, entry: what, reason });
    }
    world.within.mark_found(list, entry);
    Ok(())
}
