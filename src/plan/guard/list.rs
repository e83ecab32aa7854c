//! One list of people to leave out, by all the ids that are known of them.

use std::collections::{HashMap, HashSet};

use super::{GuardError, Named, Unprotected};
use crate::outcome::Outcome;
use crate::plan::LeftOut;
use crate::user_id::UserId;

#[derive(Debug)]
pub(super) struct List {
    pub(super) name: &'static str,
    outcome: Outcome,
    /// Each id, with the number of its reason.
    ids: HashMap<UserId, u32>,
    reasons: Vec<String>,
    /// Somebody is known by object id only.
    object_only: bool,
    /// Somebody is known by user principal name only.
    name_only: bool,
    /// What rows called somebody listed, beside the ids on the list.
    learned: HashSet<UserId>,
}

impl List {
    pub(super) fn new(name: &'static str, outcome: Outcome) -> List {
        List {
            name,
            outcome,
            ids: HashMap::new(),
            reasons: Vec::new(),
            object_only: false,
            name_only: false,
            learned: HashSet::new(),
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Adds one person, by all ids known of them. Who is named twice keeps the first reason.
    pub(super) fn add(&mut self, ids: Vec<UserId>, reason: &str) {
        let (object, name) = kinds(&ids);
        self.object_only |= object && !name;
        self.name_only |= name && !object;
        if self.reasons.last().is_none_or(|last| last != reason) {
            self.reasons.push(reason.to_owned());
        }
        let number = self.reasons.len() as u32 - 1;
        for id in ids {
            self.ids.entry(id).or_insert(number);
        }
    }

    /// Takes somebody off, by any id that is known of them.
    pub(super) fn take_off(&mut self, unprotected: &mut Unprotected) {
        for id in &unprotected.ids {
            let reason = self.ids.remove(id).and_then(|number| self.reasons.get(number as usize));
            if let Some(reason) = reason.filter(|reason| !unprotected.reasons.contains(reason)) {
                unprotected.reasons.push(reason.clone());
            }
        }
    }

    /// Whether the ids name somebody listed, and why; if so, takes in all of them.
    pub(super) fn learn(&mut self, ids: &[UserId]) -> Option<&str> {
        let number = *ids.iter().find_map(|id| self.ids.get(id))?;
        self.learned.extend(ids.iter().cloned());
        self.reasons.get(number as usize).map(String::as_str)
    }

    pub(super) fn check(&mut self, named: Named<'_>, resolved: bool) -> Result<Option<LeftOut>, GuardError> {
        let Named { ids, perhaps, .. } = named;
        let (list, outcome) = (self.name, self.outcome);
        if let Some(reason) = self.learn(&[ids, perhaps].concat()) {
            return Ok(Some(LeftOut::new(outcome, reason.to_owned())));
        }
        let (object, name) = kinds(ids);
        if ids.contains(&UserId::Me) && !self.is_empty() && !(resolved && object) {
            return Err(GuardError::IncomparableMe { list });
        }
        let unknown = (self.name_only && !name) || (self.object_only && !object);
        if unknown && !resolved {
            return Err(GuardError::Incomparable { list, user: ids[0].to_string() });
        }
        Ok(None)
    }

    pub(super) fn look_back(&self, sent: &mut impl FnMut(&UserId) -> bool) -> Result<(), GuardError> {
        match self.learned.iter().find(|id| sent(id)) {
            Some(user) => Err(GuardError::Contradiction { list: self.name, user: user.to_string() }),
            None => Ok(()),
        }
    }
}

/// Whether an object id, and whether a user principal name is among the ids.
fn kinds(ids: &[UserId]) -> (bool, bool) {
    let object = ids.iter().any(|id| matches!(id, UserId::Object(_)));
    let name = ids.iter().any(|id| matches!(id, UserId::Principal(_)));
    (object, name)
}
