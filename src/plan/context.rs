//! Decides whether IDs are looked up in the directory or compared as they are written.

use std::cell::RefCell;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::directory_source::DirectorySource;
use super::info_lookups::{OptionalLookups, SkippedLookups};
use super::{GuardError, LookupStatus, PlanError, PlanOptions};
use crate::directory::{Budget, DirectoryError, Permission, UserReadScope};
use crate::event::TenantIndex;
use crate::tenant::TenantResolver;
use crate::user_id::UserId;

/// An object ID that no user has. A read of it is enough to find out whether users may be read.
const PROBE_USER_ID: Uuid = Uuid::from_u128(0xffff_ffff_ffff_4fff_bfff_ffff_ffff_ffff);

/// What a plan can find out about users.
pub(super) struct PlanContext<'a, D> {
    /// The directory, if there is one. Groups may be readable even if users are not.
    pub(super) directory: Option<&'a D>,
    /// The directory for look-ups that only inform.
    pub(super) info_lookups: Option<OptionalLookups<D>>,
    /// Whether the plan depends on who the users are. If not, looking them up only informs.
    pub(super) depends_on_users: bool,
    /// Users whose informing look-up failed.
    pub(super) skipped_lookups: SkippedLookups,
    /// Whether IDs are looked up, and if not, why not.
    pub(super) resolution: LookupStatus,
    /// Whether a list may have no users.
    pub(super) allow_empty: bool,
    /// The tenant, if the run has several.
    pub(super) scope: TenantScope<'a>,
}

/// A tenant among those of a run.
#[derive(Clone, Copy, Default)]
pub(super) struct TenantScope<'a> {
    pub(super) tenant: TenantIndex,
    /// Decides which list entries apply in this tenant. Without it, all do.
    pub(super) resolver: Option<&'a TenantResolver>,
    /// The entries that no tenant has resolved so far: an entry may belong to another tenant. `None` if there
    /// is only one tenant, in which an unresolved entry is an error at once.
    pub(super) unresolved: Option<&'a RefCell<UnresolvedEntries>>,
}

/// The list entries, each with an error until a tenant resolves it.
#[derive(Default)]
pub(super) struct UnresolvedEntries(BTreeMap<(&'static str, String), Option<GuardError>>);

impl UnresolvedEntries {
    /// The errors of the entries that no tenant resolved.
    pub(super) fn into_errors(self) -> impl Iterator<Item = GuardError> {
        self.0.into_values().flatten()
    }
}

impl TenantScope<'_> {
    /// Whether a list entry applies in this tenant, by its cell in the list's tenant column. In a run of one
    /// tenant, every entry does.
    pub(super) fn applies_here(&self, cell: Option<&str>) -> bool {
        self.unresolved.is_none() || self.resolver.is_none_or(|places| places.applies_in(cell, self.tenant))
    }

    /// Records that this tenant resolved the entry.
    pub(super) fn mark_found(&self, list: &'static str, entry: &str) {
        if let Some(unresolved) = self.unresolved {
            unresolved.borrow_mut().0.insert((list, entry.to_owned()), None);
        }
    }

    /// Records that this tenant can't resolve the entry. Fails at once if there is no other tenant.
    pub(super) fn record_missing(
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
    /// Finds out whether users can be read, with a read of `probe_users`. There is no read if the token says
    /// that it may not read users, or if the token does not list its permissions and there is nothing to
    /// compare (`compares`).
    ///
    /// Without the permission, IDs are compared as they are written, and the lists refuse what can't be
    /// compared. The same applies if the token does not list its permissions, nothing requires the directory,
    /// and the read fails in any way: if the connection to Graph is the problem, the run itself will report
    /// it. But if the token says that it may read users and the plan depends on them, a directory that does
    /// not answer is an error: a bad connection must not lead to protected users being revoked.
    ///
    /// # Errors
    /// When users can't be read but the options need them, or when they should be readable and are not.
    pub(super) async fn probe(
        directory: Option<&'a D>,
        options: &PlanOptions,
        probe_users: &[UserId],
        compares: bool,
        scope: TenantScope<'a>,
        budget: &Budget,
    ) -> Result<PlanContext<'a, D>, PlanError> {
        let build_context = |resolution: LookupStatus| {
            let directory = directory.filter(|_| resolution != LookupStatus::NotAsked);
            PlanContext {
                info_lookups: directory.map(|directory| OptionalLookups::new(directory, budget)),
                depends_on_users: options.depends_on_users(),
                resolution,
                ..PlanContext::without_lookup(directory, options.allow_empty, scope)
            }
        };
        let Some(asked) = directory else {
            return match options.needs_directory() {
                true => Err(PlanError::LookupRequired),
                false => Ok(build_context(LookupStatus::NotAsked)),
            };
        };
        let probe_user = probe_users.first().cloned().unwrap_or(UserId::Object(PROBE_USER_ID));
        let why = match asked.user_reads() {
            UserReadScope::Missing => missing_permission_error(),
            UserReadScope::Unknown if !options.needs_directory() && !compares => {
                return Ok(build_context(LookupStatus::NotAsked));
            }
            reads if !options.depends_on_users() => {
                let informing = OptionalLookups::new(asked, budget);
                let answer = match reads {
                    UserReadScope::Unknown if !options.needs_directory() => {
                        informing.check_reachable(probe_users).await
                    }
                    _ => informing.resolve(&[probe_user]).await.map(drop),
                };
                return Ok(build_context(match answer {
                    Ok(()) => LookupStatus::Full,
                    Err(why) => LookupStatus::Impossible(why.sentence()),
                }));
            }
            UserReadScope::Unknown if !options.needs_directory() => {
                match asked.check_reachable(probe_users).await {
                    Ok(()) => return Ok(build_context(LookupStatus::Full)),
                    Err(why) => why,
                }
            }
            _ => match asked.resolve(&[probe_user]).await {
                Ok(_) => return Ok(build_context(LookupStatus::Full)),
                Err(why) if why.is_forbidden() => why,
                Err(why) => return Err(why.into()),
            },
        };
        if options.needs_users() {
            return Err(why.into());
        }
        Ok(build_context(LookupStatus::Impossible(why.to_string())))
    }

    /// Whether IDs are looked up.
    pub(super) fn is_resolved(&self) -> bool {
        self.resolution == LookupStatus::Full
    }

    /// Whether IDs should be looked up, but can't be.
    pub(super) fn is_lookup_impossible(&self) -> bool {
        matches!(self.resolution, LookupStatus::Impossible(_))
    }

    /// The directory, if IDs are looked up.
    pub(super) fn lookup_directory(&self) -> Option<&'a D> {
        self.directory.filter(|_| self.is_resolved())
    }

    /// The directory for look-ups that only inform, if IDs are looked up.
    pub(super) fn info_lookups(&self) -> Option<&OptionalLookups<D>> {
        self.info_lookups.as_ref().filter(|_| self.is_resolved())
    }
}

impl<'a, D> PlanContext<'a, D> {
    /// A context in which no users are looked up.
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
            resolution: LookupStatus::NotAsked,
            allow_empty,
            scope,
        }
    }
}

/// The error for a token that lists its permissions, but none to read users.
pub(super) fn missing_permission_error() -> DirectoryError {
    DirectoryError::Forbidden {
        what: "users".to_owned(),
        permission: Permission::Users,
        detail: "the token does not list this permission".to_owned(),
    }
}
