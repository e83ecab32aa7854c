//! Whether ids are looked up in the directory, or compared as they are written.

use std::cell::RefCell;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::ask::DirectorySource;
use super::informing::{InfoLookups, SkippedLookup};
use super::{GuardError, ListResolution, PlanError, PlanOptions};
use crate::directory::{Budget, DirectoryError, Permission, UserReadScope};
use crate::event::TenantIndex;
use crate::tenant::TenantResolver;
use crate::user_id::UserId;

/// Nobody's object id: whether users may be read can be learned by it, too.
const NOBODY: Uuid = Uuid::from_u128(0xffff_ffff_ffff_4fff_bfff_ffff_ffff_ffff);

/// What a plan may know of users.
pub(super) struct PlanContext<'a, D> {
    /// The directory, where there is one: groups may be readable although users are not.
    pub(super) directory: Option<&'a D>,
    /// The same, where what is asked only informs.
    pub(super) informing: Option<InfoLookups<D>>,
    /// Whether something depends on who the users are; otherwise, that only informs.
    pub(super) needs_users: bool,
    /// Users whom that did not tell.
    pub(super) lost: SkippedLookup,
    /// Whether ids are looked up, and if not, why not.
    pub(super) resolution: ListResolution,
    /// Whether a list of people may hold nobody.
    pub(super) allow_empty: bool,
    /// Which tenant it is, where the run has several.
    pub(super) within: TenantScope<'a>,
}

/// A tenant among those of a run.
#[derive(Clone, Copy, Default)]
pub(super) struct TenantScope<'a> {
    pub(super) tenant: TenantIndex,
    /// Which entries of lists hold there; all, where nothing is said.
    pub(super) places: Option<&'a TenantResolver>,
    /// What was found nowhere so far: an entry may hold in another tenant. Where there is no other, it is an error at once.
    pub(super) misses: Option<&'a RefCell<UnresolvedEntries>>,
}

/// The entries of lists, and whether any tenant knows them.
#[derive(Default)]
pub(super) struct UnresolvedEntries(BTreeMap<(&'static str, String), Option<GuardError>>);

impl UnresolvedEntries {
    /// The entries that no tenant knows.
    pub(super) fn into_unknown(self) -> impl Iterator<Item = GuardError> {
        self.0.into_values().flatten()
    }
}

impl TenantScope<'_> {
    /// Whether an entry of a list holds here, by its cell in the list's column of tenants. In a run of one tenant, every
    /// entry does.
    pub(super) fn applies_here(&self, cell: Option<&str>) -> bool {
        self.misses.is_none() || self.places.is_none_or(|places| places.applies_in(cell, self.tenant))
    }

    /// Somebody knows the entry.
    pub(super) fn mark_found(&self, list: &'static str, entry: &str) {
        if let Some(misses) = self.misses {
            misses.borrow_mut().0.insert((list, entry.to_owned()), None);
        }
    }

    /// Nobody here knows the entry; an error where nobody else could.
    pub(super) fn missed(&self, list: &'static str, entry: &str, why: GuardError) -> Result<(), GuardError> {
        let Some(misses) = self.misses else { return Err(why) };
        misses.borrow_mut().0.entry((list, entry.to_owned())).or_insert(Some(why));
        Ok(())
    }
}

impl<'a, D: DirectorySource> PlanContext<'a, D> {
    /// Finds out, by a read of the first of these `people` unless the token itself says that it may read nobody.
    ///
    /// Where the token does not tell and there is nobody to compare with anybody (`compares`), nothing is asked.
    ///
    /// Without the permission, ids are compared as they are written: the lists then refuse what can't be compared. Where
    /// the token does not tell, and nothing was asked for that only the directory knows, anything but an answer means the
    /// same: what is wrong with the way to Graph, the run will meet for itself. Where the token says that it may read
    /// users, a directory that does not answer is another matter where something depends on it: whoever could be protected
    /// must not be sent for a bad connection.
    ///
    /// # Errors
    /// When users can't be read and the wishes can't do without, or when they should be readable and are not.
    pub(super) async fn find_out(
        directory: Option<&'a D>,
        wishes: &PlanOptions,
        people: &[UserId],
        compares: bool,
        within: TenantScope<'a>,
        budget: &Budget,
    ) -> Result<PlanContext<'a, D>, PlanError> {
        let world = |resolution: ListResolution| {
            let directory = directory.filter(|_| resolution != ListResolution::NotAsked);
            PlanContext {
                informing: directory.map(|directory| InfoLookups::new(directory, budget)),
                needs_users: wishes.depend_on_users(),
                resolution,
                ..PlanContext::unasked(directory, wishes.allow_empty, within)
            }
        };
        let Some(asked) = directory else {
            return match wishes.need_directory() {
                true => Err(PlanError::NoDirectory),
                false => Ok(world(ListResolution::NotAsked)),
            };
        };
        let somebody = people.first().cloned().unwrap_or(UserId::Object(NOBODY));
        let why = match asked.user_reads() {
            UserReadScope::Missing => lacking(),
            UserReadScope::Unknown if !wishes.need_directory() && !compares => {
                return Ok(world(ListResolution::NotAsked));
            }
            reads if !wishes.depend_on_users() => {
                let informing = InfoLookups::new(asked, budget);
                let answer = match reads {
                    UserReadScope::Unknown if !wishes.need_directory() => informing.answers(people).await,
                    _ => informing.resolve(&[somebody]).await.map(drop),
                };
                return Ok(world(match answer {
                    Ok(()) => ListResolution::Full,
                    Err(why) => ListResolution::Impossible(why.sentence()),
                }));
            }
            UserReadScope::Unknown if !wishes.need_directory() => match asked.answers(people).await {
                Ok(()) => return Ok(world(ListResolution::Full)),
                Err(why) => why,
            },
            _ => match asked.resolve(&[somebody]).await {
                Ok(_) => return Ok(world(ListResolution::Full)),
                Err(why) if why.is_forbidden() => why,
                Err(why) => return Err(why.into()),
            },
        };
        if wishes.need_users() {
            return Err(why.into());
        }
        Ok(world(ListResolution::Impossible(why.to_string())))
    }

    /// Whether ids are looked up.
    pub(super) fn is_resolved(&self) -> bool {
        self.resolution == ListResolution::Full
    }

    /// Whether ids would be looked up, and can't be.
    pub(super) fn is_impossible(&self) -> bool {
        matches!(self.resolution, ListResolution::Impossible(_))
    }

    /// The directory, where ids are looked up.
    pub(super) fn resolving(&self) -> Option<&'a D> {
        self.directory.filter(|_| self.is_resolved())
    }

    /// The same for what only informs.
    pub(super) fn informing(&self) -> Option<&InfoLookups<D>> {
        self.informing.as_ref().filter(|_| self.is_resolved())
    }
}

impl<'a, D> PlanContext<'a, D> {
    /// One in which nobody is looked up.
    pub(super) fn unasked(
        directory: Option<&'a D>,
        allow_empty: bool,
        within: TenantScope<'a>,
    ) -> PlanContext<'a, D> {
        PlanContext {
            directory,
            informing: None,
            needs_users: false,
            lost: SkippedLookup::default(),
            resolution: ListResolution::NotAsked,
            allow_empty,
            within,
        }
    }
}

/// The token lists permissions, and none that reads users.
pub(super) fn lacking() -> DirectoryError {
    DirectoryError::Forbidden {
        what: "users".to_owned(),
        permission: Permission::Users,
        detail: "the token does not list that permission".to_owned(),
    }
}
