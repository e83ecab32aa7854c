//! Whether ids are looked up in the directory, or compared as they are written.

use std::cell::RefCell;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::directory_source::DirectorySource;
use super::info_lookups::{InfoLookups, SkippedLookups};
use super::{GuardError, ListResolution, PlanError, PlanOptions};
use crate::directory::{Budget, DirectoryError, Permission, UserReadScope};
use crate::event::TenantIndex;
use crate::tenant::TenantResolver;
use crate::user_id::UserId;

/// Nobody's object id: whether users may be read can be learned by it, too.
const PROBE_USER_ID: Uuid = Uuid::from_u128(0xffff_ffff_ffff_4fff_bfff_ffff_ffff_ffff);

/// What a plan may know of users.
pub(super) struct PlanContext<'a, D> {
    /// The directory, where there is one: groups may be readable although users are not.
    pub(super) directory: Option<&'a D>,
    /// The same, where what is asked only informs.
    pub(super) info_lookups: Option<InfoLookups<D>>,
    /// Whether something depends on who the users are; otherwise, that only informs.
    pub(super) depends_on_users: bool,
    /// Users whom that did not tell.
    pub(super) skipped_lookups: SkippedLookups,
    /// Whether ids are looked up, and if not, why not.
    pub(super) resolution: ListResolution,
    /// Whether a list of people may hold nobody.
    pub(super) allow_empty: bool,
    /// Which tenant it is, where the run has several.
    pub(super) scope: TenantScope<'a>,
}

/// A tenant among those of a run.
#[derive(Clone, Copy, Default)]
pub(super) struct TenantScope<'a> {
    pub(super) tenant: TenantIndex,
    /// Which entries of lists hold there; all, where nothing is said.
    pub(super) resolver: Option<&'a TenantResolver>,
    /// What was found nowhere so far: an entry may hold in another tenant. Where there is no other, it is an error at once.
    pub(super) unresolved: Option<&'a RefCell<UnresolvedEntries>>,
}

/// The entries of lists, and whether any tenant knows them.
#[derive(Default)]
pub(super) struct UnresolvedEntries(BTreeMap<(&'static str, String), Option<GuardError>>);

impl UnresolvedEntries {
    /// The entries that no tenant knows.
    pub(super) fn into_errors(self) -> impl Iterator<Item = GuardError> {
        self.0.into_values().flatten()
    }
}

impl TenantScope<'_> {
    /// Whether an entry of a list holds here, by its cell in the list's column of tenants. In a run of one tenant, every
    /// entry does.
    pub(super) fn applies_here(&self, cell: Option<&str>) -> bool {
        self.unresolved.is_none() || self.resolver.is_none_or(|places| places.applies_in(cell, self.tenant))
    }

    /// Somebody knows the entry.
    pub(super) fn mark_found(&self, list: &'static str, entry: &str) {
        if let Some(unresolved) = self.unresolved {
            unresolved.borrow_mut().0.insert((list, entry.to_owned()), None);
        }
    }

    /// Nobody here knows the entry; an error where nobody else could.
    pub(super) fn mark_missing(
        &self,
        list: &'static str,
        entry: &str,
        why: GuardError,
    ) -> Result<(), GuardError> {
        let Some(unresolved) = self.unresolved else { return Err(why) };
        unresolved.borrow_mut().0.entry((list, entry.to_owned())).or_insert(Some(why));
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
    pub(super) async fn probe(
        directory: Option<&'a D>,
        options: &PlanOptions,
        probe_users: &[UserId],
        compares: bool,
        scope: TenantScope<'a>,
        budget: &Budget,
    ) -> Result<PlanContext<'a, D>, PlanError> {
        let build_context = |resolution: ListResolution| {
            let directory = directory.filter(|_| resolution != ListResolution::NotAsked);
            PlanContext {
                info_lookups: directory.map(|directory| InfoLookups::new(directory, budget)),
                depends_on_users: options.depends_on_users(),
                resolution,
                ..PlanContext::without_lookup(directory, options.allow_empty, scope)
            }
        };
        let Some(asked) = directory else {
            return match options.needs_directory() {
                true => Err(PlanError::LookupRequired),
                false => Ok(build_context(ListResolution::NotAsked)),
            };
        };
        let probe_user = probe_users.first().cloned().unwrap_or(UserId::Object(PROBE_USER_ID));
        let why = match asked.user_reads() {
            UserReadScope::Missing => missing_permission_error(),
            UserReadScope::Unknown if !options.needs_directory() && !compares => {
                return Ok(build_context(ListResolution::NotAsked));
            }
            reads if !options.depends_on_users() => {
                let informing = InfoLookups::new(asked, budget);
                let answer = match reads {
                    UserReadScope::Unknown if !options.needs_directory() => {
                        informing.check_reachable(probe_users).await
                    }
                    _ => informing.resolve(&[probe_user]).await.map(drop),
                };
                return Ok(build_context(match answer {
                    Ok(()) => ListResolution::Full,
                    Err(why) => ListResolution::Impossible(why.sentence()),
                }));
            }
            UserReadScope::Unknown if !options.needs_directory() => {
                match asked.check_reachable(probe_users).await {
                    Ok(()) => return Ok(build_context(ListResolution::Full)),
                    Err(why) => why,
                }
            }
            _ => match asked.resolve(&[probe_user]).await {
                Ok(_) => return Ok(build_context(ListResolution::Full)),
                Err(why) if why.is_forbidden() => why,
                Err(why) => return Err(why.into()),
            },
        };
        if options.needs_users() {
            return Err(why.into());
        }
        Ok(build_context(ListResolution::Impossible(why.to_string())))
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
    pub(super) fn lookup_directory(&self) -> Option<&'a D> {
        self.directory.filter(|_| self.is_resolved())
    }

    /// The same for what only informs.
    pub(super) fn info_lookups(&self) -> Option<&InfoLookups<D>> {
        self.info_lookups.as_ref().filter(|_| self.is_resolved())
    }
}

impl<'a, D> PlanContext<'a, D> {
    /// One in which nobody is looked up.
    pub(super) fn without_lookup(
        directory: Option<&'a D>,
        allow_empty: bool,
        scope: TenantScope<'a>,
    ) -> PlanContext<'a, D> {
        PlanContext {
            directory,
            info_lookups: None,
            depends_on_users: false,
            skipped_lookups: SkippedLookups::default(),
            resolution: ListResolution::NotAsked,
            allow_empty,
            scope,
        }
    }
}

/// The token lists permissions, and none that reads users.
pub(super) fn missing_permission_error() -> DirectoryError {
    DirectoryError::Forbidden {
        what: "users".to_owned(),
        permission: Permission::Users,
        detail: "the token does not list that permission".to_owned(),
    }
}
