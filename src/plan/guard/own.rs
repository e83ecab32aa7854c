//! Who is protected unasked: whoever signed in, and the owners of the app.

use super::{GuardedId, UnprotectedId};
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;

/// What the operator reads of themselves.
pub(in crate::plan) const OPERATOR: &str =
    "you are signed in with this account; --include-self sends it last";
/// What protects an owner.
const OWNER: &str = "owner of the app that signs in";

/// Those who are protected by default. A run ends the sessions of whoever carries it out; and whoever owns the app must
/// be able to help it while it runs.
#[derive(Debug, Default)]
pub(super) struct ImplicitProtection {
    /// Whoever signed in, by all ids that are known.
    operator: Vec<UserId>,
    /// Whether they are to be sent, too.
    include_operator: bool,
    owners: Vec<Vec<UserId>>,
}

impl ImplicitProtection {
    pub(super) fn operator(&mut self, ids: Vec<UserId>, include: bool) {
        self.operator = ids;
        self.include_operator = include;
    }

    pub(super) fn owner(&mut self, ids: Vec<UserId>) {
        self.owners.push(ids);
    }

    pub(super) fn is_operator(&self, ids: &[UserId]) -> bool {
        ids.iter().any(|id| self.operator.contains(id))
    }

    /// Takes somebody off, by any id that is known of them.
    pub(super) fn apply_unprotect(&mut self, unprotected: &mut UnprotectedId) {
        if unprotected.is_one_of(&self.operator) {
            self.include_operator = true;
            unprotected.ids.extend(self.operator.iter().cloned());
            unprotected.reasons.push("you are signed in with this account".to_owned());
        }
        if let Some(at) = self.owners.iter().position(|ids| unprotected.is_one_of(ids)) {
            unprotected.ids.extend(self.owners.swap_remove(at));
            unprotected.reasons.push(OWNER.to_owned());
        }
    }

    pub(super) fn check(&self, named: GuardedId<'_>) -> Option<LeftOutReason> {
        let ids: Vec<&UserId> = named.ids.iter().chain(named.perhaps).collect();
        let is = |known: &[UserId]| ids.iter().any(|id| known.contains(id));
        let left_out = |why: &str| Some(LeftOutReason::new(Outcome::Protected, why.to_owned()));
        if !self.include_operator && !named.says_me && is(&self.operator) {
            return left_out(OPERATOR);
        }
        // Whoever asks for their own account asks for it as an owner's, too.
        let oneself = is(&self.operator);
        match self.owners.iter().any(|owner| is(owner)) && !oneself {
            true => left_out(OWNER),
            false => None,
        }
    }
}
