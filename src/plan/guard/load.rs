//! Loads what the guard must know before the first row is checked.

use super::{Guard, GuardError, UnprotectEntry, for_each_user};
use crate::directory::ResolvedId;
use crate::outcome::Outcome;
use crate::plan::context::{PlanContext, TenantScope};
use crate::plan::directory_source::{DirectorySource, ProgressFn, resolve_all, user_ids};
use crate::plan::summary::owners_unchecked;
use crate::plan::{ListEntry, Operator, PlanError, PlanOptions};
use crate::user_id::UserId;

/// The flag that removes a user from the lists, as errors name it.
const UNPROTECT: &str = "--unprotect";

/// A guard, and what could not be checked, in words.
pub(in crate::plan) struct LoadedGuard {
    pub(in crate::plan) guard: Guard,
    pub(in crate::plan) unchecked: Vec<String>,
}

impl Guard {
    /// Looks up all users who must not be revoked.
    ///
    /// # Errors
    /// When a list can't be read in full, an entry does not name a user, or `--unprotect` names a user who is
    /// not protected.
    pub(in crate::plan) async fn load<D: DirectorySource>(
        options: &PlanOptions,
        operator: &Operator,
        context: &PlanContext<'_, D>,
        progress: ProgressFn<'_>,
    ) -> Result<LoadedGuard, PlanError> {
        let mut guard = Guard { is_resolved: context.is_resolved(), ..Guard::default() };
        guard.unprotected = resolve_unprotected(&options.unprotect, context).await?;
        let resolved = guard.is_resolved;
        for (list, entries) in
            [(&mut guard.protect, &options.protect), (&mut guard.exclude, &options.exclude)]
        {
            for entry in entries {
                let (name, outcome) = (list.name, list.outcome());
                list.set_source(&source_name(outcome, entry));
                let (unprotected, pairs) = (&mut guard.unprotected, &mut guard.pairs);
                let mut add = |ids: Vec<UserId>, origin: &str, location: &str| -> Result<(), GuardError> {
                    if !resolved {
                        pairs.add_pair(name, &ids, location)?;
                    }
                    unprotected.iter_mut().for_each(|unprotected_id| unprotected_id.add_aliases(&ids));
                    list.add(ids, &protection_reason(outcome, entry, origin));
                    Ok(())
                };
                let mut elsewhere = Vec::new();
                let counts = for_each_user(name, entry, context, progress, &mut elsewhere, &mut add).await?;
                list.add_counts(counts);
                list.add_other_tenant(
                    elsewhere,
                    &format!("{}, for another tenant", source_name(outcome, entry)),
                );
            }
        }
        let mut loaded = LoadedGuard { guard, unchecked: Vec::new() };
        loaded.protect_operator(options, operator, context).await;
        loaded.protect_app_owners(operator, context).await;
        loaded.guard.unprotect(options.allow_unused_unprotect, &context.scope)?;
        loaded.guard.add_always_protected(options, context, progress).await?;
        Ok(loaded)
    }

    /// Adds the users whom `--unprotect` can't remove.
    async fn add_always_protected<D: DirectorySource>(
        &mut self,
        options: &PlanOptions,
        context: &PlanContext<'_, D>,
        progress: ProgressFn<'_>,
    ) -> Result<(), GuardError> {
        let resolved = self.is_resolved;
        let (list, pairs) = (&mut self.protect, &mut self.pairs);
        for entry in &options.protect_always {
            let (name, outcome) = (list.name, list.outcome());
            list.set_source(&source_name(outcome, entry));
            let mut add = |ids: Vec<UserId>, origin: &str, location: &str| -> Result<(), GuardError> {
                if !resolved {
                    pairs.add_pair(name, &ids, location)?;
                }
                list.add(ids, &protection_reason(outcome, entry, origin));
                Ok(())
            };
            let mut elsewhere = Vec::new();
            let counts = for_each_user(name, entry, context, progress, &mut elsewhere, &mut add).await?;
            list.add_counts(counts);
            list.add_other_tenant(elsewhere, &format!("{}, for another tenant", source_name(outcome, entry)));
        }
        Ok(())
    }

    /// Removes the users of `--unprotect` from the lists.
    fn unprotect(&mut self, may_miss: bool, scope: &TenantScope<'_>) -> Result<(), GuardError> {
        for unprotected_id in &mut self.unprotected {
            self.implicit.apply_unprotect(unprotected_id);
            self.protect.apply_unprotect(unprotected_id);
            let id = unprotected_id.id.to_string();
            if !unprotected_id.reasons.is_empty() {
                scope.mark_found(UNPROTECT, &id);
            } else if !may_miss {
                scope.record_missing(UNPROTECT, &id.clone(), GuardError::NotProtected { id })?;
            }
        }
        Ok(())
    }
}

/// The users of `--unprotect`, each with all known IDs.
async fn resolve_unprotected<D: DirectorySource>(
    given: &[UserId],
    context: &PlanContext<'_, D>,
) -> Result<Vec<UnprotectEntry>, PlanError> {
    let found = match context.lookup_directory() {
        Some(directory) => resolve_all(directory, given).await?,
        None => Vec::new(),
    };
    let mut wanted: Vec<UnprotectEntry> = given.iter().map(UnprotectEntry::new).collect();
    for (unprotected_id, found) in wanted.iter_mut().zip(found) {
        if let ResolvedId::User(person) = found {
            unprotected_id.ids.extend(user_ids(&person));
        }
    }
    Ok(wanted)
}

/// A failed look-up here does not stop the plan, because the operator is protected by the names in the token
/// anyway. It is reported as not checked.
impl LoadedGuard {
    async fn protect_operator<D: DirectorySource>(
        &mut self,
        options: &PlanOptions,
        operator: &Operator,
        context: &PlanContext<'_, D>,
    ) {
        let mut ids = operator.user_ids.clone();
        let named = ids.iter().find(|id| **id != UserId::Me).cloned();
        let found = match (context.info_lookups(), named) {
            (Some(directory), Some(id)) => {
                directory.resolve(&[id]).await.map(|mut found| match found.pop() {
                    Some(ResolvedId::User(person)) => Some(person),
                    _ => None,
                })
            }
            // An opaque token does not say which user it belongs to, but Graph does.
            (Some(directory), None) if !ids.is_empty() => directory.me().await,
            _ => Ok(None),
        };
        let person = found.unwrap_or_else(|why| {
            let what = match ids.iter().any(|id| *id != UserId::Me) {
                true => "whether your own account is among them under another name",
                false => "which account the token belongs to",
            };
            self.unchecked.push(why.line(what));
            None
        });
        ids.extend(person.iter().flat_map(user_ids));
        self.guard.implicit.set_operator(ids, options.include_self);
    }

    async fn protect_app_owners<D: DirectorySource>(
        &mut self,
        operator: &Operator,
        context: &PlanContext<'_, D>,
    ) {
        let Some(directory) = context.info_lookups() else {
            if context.is_lookup_impossible() && !operator.app_ids.is_empty() {
                self.unchecked.push(owners_unchecked());
            }
            return;
        };
        for app in &operator.app_ids {
            match directory.app_owners(app).await {
                Ok(owners) => {
                    owners.iter().for_each(|owner| self.guard.implicit.add_owner(user_ids(owner).collect()))
                }
                // A read that fails for one app usually fails for all of them.
                Err(why) => return self.unchecked.push(why.line("the app's owners")),
            }
        }
    }
}

/// The name under which a list is counted: its file name, or the flag that names users directly.
fn source_name(outcome: Outcome, entry: &ListEntry) -> String {
    match entry {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Selector(_) if outcome == Outcome::Protected => "--protect".to_owned(),
        ListEntry::Id(_) | ListEntry::Selector(_) => "--exclude".to_owned(),
    }
}

/// Why a user is left out, in words.
fn protection_reason(outcome: Outcome, entry: &ListEntry, origin: &str) -> String {
    let protects = outcome == Outcome::Protected;
    match entry {
        ListEntry::Id(_) if protects => "on the protect list".to_owned(),
        ListEntry::Id(_) => "excluded by ID".to_owned(),
        ListEntry::File(_) if protects => format!("on the protect list ({origin})"),
        ListEntry::File(_) => format!("excluded by {origin}"),
        ListEntry::Selector(_) if protects => format!("protected: {origin}"),
        ListEntry::Selector(_) => format!("excluded: {origin}"),
    }
}
