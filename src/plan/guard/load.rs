//! Whom the guard must know of, before any row is looked at.

use super::{Guard, GuardError, UnprotectedId, for_each_person};
use crate::directory::ResolvedId;
use crate::outcome::Outcome;
use crate::plan::ask::{DirectorySource, ProgressFn, ids_of, resolve};
use crate::plan::facts::owners_unread;
use crate::plan::world::{PlanContext, TenantScope};
use crate::plan::{ListEntry, Operator, PlanError, PlanOptions};
use crate::user_id::UserId;

/// The flag that takes somebody off the lists.
const UNPROTECT: &str = "--unprotect";

/// A guard, and what it could not look at, in words.
pub(in crate::plan) struct Loaded {
    pub(in crate::plan) guard: Guard,
    pub(in crate::plan) unchecked: Vec<String>,
}

impl Guard {
    /// Looks up everybody who must not be sent.
    ///
    /// # Errors
    /// When a list can't be read in full, an entry names nobody, or `--unprotect` names somebody whom nothing protects.
    pub(in crate::plan) async fn load<D: DirectorySource>(
        wishes: &PlanOptions,
        signed: &Operator,
        world: &PlanContext<'_, D>,
        tell: ProgressFn<'_>,
    ) -> Result<Loaded, PlanError> {
        let mut guard = Guard { resolved: world.is_resolved(), ..Guard::default() };
        guard.unprotected = wanted(&wishes.unprotect, world).await?;
        let resolved = guard.resolved;
        for (list, entries) in [(&mut guard.protect, &wishes.protect), (&mut guard.exclude, &wishes.exclude)]
        {
            for entry in entries {
                let (name, outcome) = (list.name, list.outcome());
                list.set_source(&source(outcome, entry));
                let (unprotected, pairs) = (&mut guard.unprotected, &mut guard.pairs);
                let mut add = |ids: Vec<UserId>, whence: &str, place: &str| -> Result<(), GuardError> {
                    if !resolved {
                        pairs.add_pair(name, &ids, place)?;
                    }
                    unprotected.iter_mut().for_each(|somebody| somebody.add_aliases(&ids));
                    list.add(ids, &reason(outcome, entry, whence));
                    Ok(())
                };
                let mut elsewhere = Vec::new();
                let counts = for_each_person(name, entry, world, tell, &mut elsewhere, &mut add).await?;
                list.count(counts);
                list.add_elsewhere(elsewhere, &format!("{}, for another tenant", source(outcome, entry)));
            }
        }
        let mut loaded = Loaded { guard, unchecked: Vec::new() };
        loaded.protect_operator(wishes, signed, world).await;
        loaded.protect_app_owners(signed, world).await;
        loaded.guard.unprotect(wishes.unprotect_may_miss, &world.within)?;
        loaded.guard.protect_now(wishes, world, tell).await?;
        Ok(loaded)
    }

    /// Adds whom nothing takes off again.
    async fn protect_now<D: DirectorySource>(
        &mut self,
        wishes: &PlanOptions,
        world: &PlanContext<'_, D>,
        tell: ProgressFn<'_>,
    ) -> Result<(), GuardError> {
        let resolved = self.resolved;
        let (list, pairs) = (&mut self.protect, &mut self.pairs);
        for entry in &wishes.protect_now {
            let (name, outcome) = (list.name, list.outcome());
            list.set_source(&source(outcome, entry));
            let mut add = |ids: Vec<UserId>, whence: &str, place: &str| -> Result<(), GuardError> {
                if !resolved {
                    pairs.add_pair(name, &ids, place)?;
                }
                list.add(ids, &reason(outcome, entry, whence));
                Ok(())
            };
            let mut elsewhere = Vec::new();
            let counts = for_each_person(name, entry, world, tell, &mut elsewhere, &mut add).await?;
            list.count(counts);
            list.add_elsewhere(elsewhere, &format!("{}, for another tenant", source(outcome, entry)));
        }
        Ok(())
    }

    /// Takes those off that are to be sent all the same.
    fn unprotect(&mut self, may_miss: bool, within: &TenantScope<'_>) -> Result<(), GuardError> {
        for somebody in &mut self.unprotected {
            self.own.apply_unprotect(somebody);
            self.protect.apply_unprotect(somebody);
            let id = somebody.given.to_string();
            if !somebody.reasons.is_empty() {
                within.mark_found(UNPROTECT, &id);
            } else if !may_miss {
                within.missed(UNPROTECT, &id.clone(), GuardError::NotProtected { id })?;
            }
        }
        Ok(())
    }
}

/// Those of `--unprotect`, by all ids that are known of them.
async fn wanted<D: DirectorySource>(
    given: &[UserId],
    world: &PlanContext<'_, D>,
) -> Result<Vec<UnprotectedId>, PlanError> {
    let found = match world.resolving() {
        Some(directory) => resolve(directory, given).await?,
        None => Vec::new(),
    };
    let mut wanted: Vec<UnprotectedId> = given.iter().map(UnprotectedId::new).collect();
    for (somebody, found) in wanted.iter_mut().zip(found) {
        if let ResolvedId::User(person) = found {
            somebody.ids.extend(ids_of(&person));
        }
    }
    Ok(wanted)
}

/// Who is protected unasked is looked up to inform: by the names that the token gives, the operator is protected anyway.
/// What can't be looked up is told.
impl Loaded {
    async fn protect_operator<D: DirectorySource>(
        &mut self,
        wishes: &PlanOptions,
        signed: &Operator,
        world: &PlanContext<'_, D>,
    ) {
        let mut ids = signed.operator.clone();
        let named = ids.iter().find(|id| **id != UserId::Me).cloned();
        let found = match (world.informing(), named) {
            (Some(directory), Some(id)) => {
                directory.resolve(&[id]).await.map(|mut found| match found.pop() {
                    Some(ResolvedId::User(person)) => Some(person),
                    _ => None,
                })
            }
            // An opaque token does not tell whose it is; Graph does.
            (Some(directory), None) if !ids.is_empty() => directory.me().await,
            _ => Ok(None),
        };
        let person = found.unwrap_or_else(|why| {
            let what = match ids.iter().any(|id| *id != UserId::Me) {
                true => "whether your own account is among them under another name",
                false => "whose account signs in",
            };
            self.unchecked.push(why.line(what));
            None
        });
        ids.extend(person.iter().flat_map(ids_of));
        self.guard.own.operator(ids, wishes.include_self);
    }

    async fn protect_app_owners<D: DirectorySource>(
        &mut self,
        signed: &Operator,
        world: &PlanContext<'_, D>,
    ) {
        let Some(directory) = world.informing() else {
            if world.is_impossible() && !signed.app_ids.is_empty() {
                self.unchecked.push(owners_unread());
            }
            return;
        };
        for app in &signed.app_ids {
            match directory.owners(app).await {
                Ok(owners) => owners.iter().for_each(|owner| self.guard.own.owner(ids_of(owner).collect())),
                // What fails for one app mostly fails for all.
                Err(why) => return self.unchecked.push(why.line("the app's owners")),
            }
        }
    }
}

/// What a list is called where it is counted: its file, or the flag that names people directly.
fn source(outcome: Outcome, entry: &ListEntry) -> String {
    match entry {
        ListEntry::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        ListEntry::Id(_) | ListEntry::Of(_) if outcome == Outcome::Protected => "--protect".to_owned(),
        ListEntry::Id(_) | ListEntry::Of(_) => "--exclude".to_owned(),
    }
}

/// Why somebody is left out, in words.
fn reason(outcome: Outcome, entry: &ListEntry, whence: &str) -> String {
    let protects = outcome == Outcome::Protected;
    match entry {
        ListEntry::Id(_) if protects => "on the protect list".to_owned(),
        ListEntry::Id(_) => "excluded by id".to_owned(),
        ListEntry::File(_) if protects => format!("on the protect list ({whence})"),
        ListEntry::File(_) => format!("excluded by {whence}"),
        ListEntry::Of(_) if protects => format!("protected: {whence}"),
        ListEntry::Of(_) => format!("excluded: {whence}"),
    }
}
