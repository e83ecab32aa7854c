//! Users who are protected by default: the signed-in operator, and the owners of the app.

use super::{RowIds, UnprotectEntry};
use crate::outcome::Outcome;
use crate::plan::LeftOutReason;
use crate::user_id::UserId;

/// Why the operator is left out. The text speaks to the operator.
pub(in crate::plan) const OPERATOR_REASON: &str =
    "you are signed in with this account; --include-self revokes it last";
/// Why an owner is left out.
const OWNER_REASON: &str = "owner of the app that signs in";

/// Users who are protected by default. Without this, a run could end the operator's own sessions. And the
/// app's owners must be able to fix the app during a run.
#[derive(Debug, Default)]
pub(super) struct ImplicitProtection {
    /// All known IDs of the operator.
    operator_ids: Vec<UserId>,
    /// Whether the operator is revoked too.
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

    /// Removes the protection of a user, by any known ID of that user.
    pub(super) fn apply_unprotect(&mut self, unprotected: &mut UnprotectEntry) {
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
        // An operator who asks for their own account is not protected as an owner of the app either.
        let is_operator_row = is(&self.operator_ids);
        match self.owner_ids.iter().any(|owner| is(owner)) && !is_operator_row {
            true => left_out(OWNER_REASON),
            false => None,
        }
    }
}
