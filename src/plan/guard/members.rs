//! Whom the entries of a list name: ids and files at once, groups and roles as the directory tells.

use std::path::Path;

use super::GuardError;
use crate::directory::{DirectoryError, Resolved, Selector};
use crate::harmless::excerpt;
use crate::intake::{self, Options, Source, Verdict};
use crate::plan::Listed;
use crate::plan::ask::{Ask, Pages, Reading, Tell, ids_of, resolve};
use crate::plan::world::World;
use crate::user_id::UserId;

/// Ids that are looked up at once.
const CHUNK: usize = 2_000;

/// Part of an entry.
#[derive(Debug)]
pub(in crate::plan) enum Member {
    /// One person, by all ids that are given.
    Ids {
        ids: Vec<UserId>,
        /// Where they are given.
        place: String,
        /// In which tenant, as the file says.
        tenant: Option<String>,
    },
    /// Those whom the directory names.
    Of {
        selector: Selector,
        /// In which tenant, as the file says.
        tenant: Option<String>,
    },
}

impl Member {
    fn tenant(&self) -> Option<&str> {
        match self {
            Member::Ids { tenant, .. } | Member::Of { tenant, .. } => tenant.as_deref(),
        }
    }
}

/// One person on a list: all ids that are known.
pub(in crate::plan) type Take<'a> = &'a mut dyn FnMut(Vec<UserId>, &str) -> Result<(), GuardError>;

/// Reads one entry, as far as that can be done without the directory.
pub(in crate::plan) fn members(list: &'static str, entry: &Listed) -> Result<Vec<Member>, GuardError> {
    let members = match entry {
        Listed::Id(user) => {
            vec![Member::Ids { ids: vec![user.clone()], place: user.to_string(), tenant: None }]
        }
        Listed::File(path) => of_file(list, path)?,
        Listed::Of(selector) => vec![Member::Of { selector: selector.clone(), tenant: None }],
    };
    let is_me = |member: &Member| matches!(member, Member::Ids { ids, .. } if ids.contains(&UserId::Me));
    match members.iter().any(is_me) {
        true => Err(GuardError::Me { list }),
        false => Ok(members),
    }
}

fn of_file(list: &'static str, path: &Path) -> Result<Vec<Member>, GuardError> {
    let unreadable = |source| GuardError::Unreadable { list, source: Box::new(source) };
    let rows = intake::open(&[Source::File(path.to_owned())], &Options::default()).map_err(unreadable)?;
    if rows.ids_are_mail() {
        return Err(GuardError::Mail { list, path: path.to_owned() });
    }
    let mut members = Vec::new();
    for row in rows {
        let row = row.map_err(unreadable)?;
        let wrong = |reason: String| GuardError::Line { list, path: path.to_owned(), line: row.line, reason };
        if let Verdict::Unreadable(why) | Verdict::Excluded(why) = &row.verdict {
            return Err(wrong(why.clone()));
        }
        if let Listed::Of(selector) = Listed::read(&row.id, false) {
            members.push(Member::Of { selector, tenant: row.tenant });
            continue;
        }
        let id: UserId = row.id.parse().map_err(|why| wrong(format!("'{}' is no user id: {why}", row.id)))?;
        let also = row.also.iter().filter_map(|text| text.parse().ok());
        let ids = std::iter::once(id).chain(also).collect();
        let place = format!("{} ({}, line {})", row.id, path.display(), row.line);
        members.push(Member::Ids { ids, place, tenant: row.tenant });
    }
    Ok(members)
}

/// Gives `take` everybody whom an entry names, with the reason to give for it.
pub(in crate::plan) async fn for_each_person<D: Ask>(
    list: &'static str,
    entry: &Listed,
    world: &World<'_, D>,
    tell: Tell<'_>,
    take: Take<'_>,
) -> Result<(), GuardError> {
    let reason = match entry {
        Listed::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        Listed::Id(_) | Listed::Of(_) => String::new(),
    };
    let mut named = Vec::new();
    let here = members(list, entry)?.into_iter().filter(|member| world.within.holds(member.tenant()));
    for member in here {
        match member {
            Member::Ids { ids, place, .. } => named.push((ids, place)),
            Member::Of { selector, .. } => of_directory(list, &selector, world, tell, take).await?,
        }
    }
    let Some(directory) = world.resolving() else {
        return named.into_iter().try_for_each(|(ids, _)| take(ids, &reason));
    };
    let mut so_far = 0;
    let of = Some(named.len() as u64);
    for chunk in named.chunks_mut(CHUNK) {
        let asked: Vec<UserId> = chunk.iter().map(|(ids, _)| ids[0].clone()).collect();
        let failed = |source| GuardError::Directory { list, entry: entry.to_string(), source };
        let found = resolve(directory, &asked).await.map_err(failed)?;
        for ((ids, place), found) in chunk.iter_mut().zip(found) {
            match with_found(list, std::mem::take(ids), place, found) {
                Ok(ids) => {
                    world.within.found(list, place);
                    take(ids, &reason)?;
                }
                Err(why) => world.within.missed(list, place, why)?,
            }
        }
        so_far += chunk.len() as u64;
        tell(&Reading { what: list, so_far, of });
    }
    Ok(())
}

/// All ids of a person on a list; nobody passes who is nobody in the directory.
fn with_found(
    list: &'static str,
    mut ids: Vec<UserId>,
    entry: &str,
    found: Resolved,
) -> Result<Vec<UserId>, GuardError> {
    let nobody = |reason: &str| {
        Err(GuardError::Nobody { list, entry: excerpt(entry, 200), reason: reason.to_owned() })
    };
    match found {
        Resolved::Person(person) => {
            ids.extend(ids_of(&person));
            Ok(ids)
        }
        Resolved::Missing => nobody("but there is no such user"),
        Resolved::Deleted(_) => nobody("but that user is deleted"),
        Resolved::Ambiguous(names) => {
            nobody(&format!("which may be any of {}", excerpt(&names.join(", "), 300)))
        }
    }
}

async fn of_directory<D: Ask>(
    list: &'static str,
    selector: &Selector,
    world: &World<'_, D>,
    tell: Tell<'_>,
    take: Take<'_>,
) -> Result<(), GuardError> {
    let failed = |source| GuardError::Directory { list, entry: selector.to_string(), source };
    let Some(directory) = world.directory else { return Ok(()) };
    let entry = selector.to_string();
    let mut pages = match directory.people(selector).await {
        Err(why @ DirectoryError::NotFound { .. }) => return world.within.missed(list, &entry, failed(why)),
        asked => asked.map_err(failed)?,
    };
    let what = pages.name().to_owned();
    let mut so_far = 0;
    while let Some(page) = pages.next_page().await.map_err(failed)? {
        so_far += page.len() as u64;
        for person in &page {
            take(ids_of(person).collect(), &what)?;
        }
        tell(&Reading { what: &what, so_far, of: pages.expected() });
    }
    let missing = pages.missing();
    if missing > 0 {
        let reason = format!("Graph counted {missing} more users than it gave");
        return Err(failed(DirectoryError::Untrusted { what, reason }));
    }
    // A group or a role that holds nobody is mostly another one than was meant.
    if so_far == 0 && !world.allow_empty {
        let reason = "which holds no user; --allow-empty goes on".to_owned();
        return world.within.missed(list, &entry, GuardError::Nobody { list, entry: what, reason });
    }
    world.within.found(list, &entry);
    Ok(())
}
