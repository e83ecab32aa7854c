//! Who is protected unasked: whoever signed in, and the owners of the app.

use super::{RowIds, UnprotectedId};
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;

/// What the operator reads of themselves.
pub(in crate::plan) const OPERATOR_REASON: &str =
    "you are signed in with this account; --include-self sends it last";
/// What protects an owner.
const OWNER_REASON: &str = "owner of the app that signs in";

/// Those who are protected by default. A run ends the sessions of whoever carries it out; and whoever owns the app must
/// be able to help it while it runs.
#[derive(Debug, Default)]
pub(super) struct ImplicitProtection {
    /// Whoever signed in, by all ids that are known.
    operator_ids: Vec<UserId>,
    /// Whether they are to be sent, too.
    include_operator: bool,
    owner_ids: Vec<Vec<UserId>>,
}

impl ImplicitProtection {
    pub(super) fn set_operator(&mut self, ids: Vec<UserId>, include: bool) {
        self.operator_ids = ids;
        self.include_operator = include;
    }

    pub(super) fn add_owner(&mut self, ids: Vec<UserId>) {
        self.owner_ids.push(ids);
    }

    pub(super) fn is_operator(&self, ids: &[UserId]) -> bool {
        ids.iter().any(|id| self.operator_ids.contains(id))
    }

    /// Takes somebody off, by any id that is known of them.
    pub(super) fn apply_unprotect(&mut self, unprotected: &mut UnprotectedId) {
        if unprotected.has_any_of(&self.operator_ids) {
            self.include_operator = true;
            unprotected.ids.extend(self.operator_ids.iter().cloned());
            unprotected.reasons.push("you are signed in with this account".to_owned());
        }
        if let Some(at) = self.owner_ids.iter().position(|ids| unprotected.has_any_of(ids)) {
            unprotected.ids.extend(self.owner_ids.swap_remove(at));
            unprotected.reasons.push(OWNER_REASON.to_owned());
        }
    }

    pub(super) fn check(&self, named: RowIds<'_>) -> Option<LeftOutReason> {
        let ids: Vec<&UserId> = named.ids.iter().chain(named.possible_ids).collect();
        let is = |known: &[UserId]| ids.iter().any(|id| known.contains(id));
        let left_out = |why: &str| Some(LeftOutReason::new(Outcome::Protected, why.to_owned()));
        if !self.include_operator && !named.is_me && is(&self.operator_ids) {
            return left_out(OPERATOR_REASON);
        }
        // Whoever asks for their own account asks for it as an owner's, too.
        let is_operator_row = is(&self.operator_ids);
        match self.owner_ids.iter().any(|owner| is(owner)) && !is_operator_row {
            true => left_out(OWNER_REASON),
            false => None,
        }
    }
}
