//! Whether any user may be revoked in a tenant, if the first users are refused (403).
//!
//! ```text
//!           20 refused, no one revoked           20 of these refused, too, not all administrators
//!  InOrder ────────────────────────▶ Elsewhere ────────────────────────────────────────────▶ the tenant stops
//!     │                                  │
//!     │ a user is revoked                │ a user is revoked, or all refused users are administrators
//!     └────────────────────────▶ Known ◀─┘ in order again; a 403 only concerns its user
//! ```
//!
//! A list may begin with users who require a higher role, and with `--admins-first` it does. That they are
//! refused proves nothing about the others, so others are tried before the tenant is given up. Only a success
//! proves the permission, and only a 403 counts against it: a 404 or a failure may come before Graph checks
//! permissions and roles.

use crate::event::StopReason;
use crate::outcome::{AcceptedOutcomes, Outcome};

/// The number of refused users after which others are tried.
const IN_ORDER: u32 = 20;

/// The number of others that are tried, and refused, before the tenant is given up. Together with the first
/// ones, a run without the permission costs forty requests and those in flight.
const ELSEWHERE: u32 = 20;

/// Counts the refusals in one tenant, until a user is revoked.
#[derive(Debug)]
pub(super) struct ForbiddenStreak {
    state: StreakState,
    /// The number of users in the run.
    planned: u64,
    settled: u64,
    refused: u32,
    /// Refused users that were taken out of order.
    refused_elsewhere: u32,
    /// Whether a refused user is not known to hold a role.
    ordinary: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreakState {
    InOrder,
    Elsewhere,
    Known,
}

/// The kind of user that an outcome is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalSubject {
    /// Whether the user was taken out of order.
    pub(super) from_elsewhere: bool,
    /// Whether the user is known to hold a role.
    pub(super) administrator: bool,
}

/// The consequence of an outcome.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RefusalConsequence {
    /// This many other users are to be tried next, from elsewhere in the plan.
    SampleFurtherDown(u32),
    /// The others are tried in the plan's order.
    ResumePlanOrder,
    /// Nothing more should be sent in this tenant.
    Stop(StopReason),
}

impl ForbiddenStreak {
    pub(super) fn new(accepted: &AcceptedOutcomes, planned: u64) -> ForbiddenStreak {
        let state =
            if accepted.is_done(Outcome::Forbidden) { StreakState::Known } else { StreakState::InOrder };
        ForbiddenStreak { state, planned, settled: 0, refused: 0, refused_elsewhere: 0, ordinary: false }
    }

    /// Notes that a user was revoked in this tenant, by any process of the run.
    pub(super) fn permitted(&mut self) {
        self.state = StreakState::Known;
    }

    /// Counts an outcome. Returns its consequence, if it has one.
    pub(super) fn settled(&mut self, outcome: Outcome, whom: RefusalSubject) -> Option<RefusalConsequence> {
        self.settled += 1;
        let was = self.state;
        match outcome {
            _ if was == StreakState::Known => return None,
            Outcome::Revoked | Outcome::AcceptedNoEffect => {
                self.permitted();
                return (was == StreakState::Elsewhere).then_some(RefusalConsequence::ResumePlanOrder);
            }
            Outcome::Forbidden => self.take_refused(whom),
            _ => return self.replace_inconclusive(whom.from_elsewhere),
        }
        let over = self.settled == self.planned && u64::from(self.refused) == self.settled;
        if over && self.refused >= IN_ORDER && self.ordinary {
            return Some(self.stop());
        }
        match was {
            StreakState::InOrder if self.refused >= IN_ORDER => {
                self.state = StreakState::Elsewhere;
                Some(RefusalConsequence::SampleFurtherDown(ELSEWHERE))
            }
            StreakState::Elsewhere if self.refused_elsewhere >= ELSEWHERE && self.ordinary => {
                Some(self.stop())
            }
            StreakState::Elsewhere if self.refused_elsewhere >= ELSEWHERE => {
                self.state = StreakState::Known;
                Some(RefusalConsequence::ResumePlanOrder)
            }
            _ => None,
        }
    }

    /// Handles an answer that proves nothing, or is delayed. If it was needed, another user is tried instead.
    pub(super) fn replace_inconclusive(&self, from_elsewhere: bool) -> Option<RefusalConsequence> {
        let awaited = from_elsewhere && self.state == StreakState::Elsewhere;
        awaited.then_some(RefusalConsequence::SampleFurtherDown(1))
    }

    fn take_refused(&mut self, whom: RefusalSubject) {
        self.refused += 1;
        self.refused_elsewhere += u32::from(whom.from_elsewhere);
        self.ordinary |= !whom.administrator;
    }

    fn stop(&self) -> RefusalConsequence {
        let first = self.refused - self.refused_elsewhere;
        let others = match self.refused_elsewhere {
            0 => String::new(),
            others => format!(", and {others} others from further down the list"),
        };
        let detail = format!("Graph refused the first {first} users (403){others}: {MISSING_PERMISSION}");
        RefusalConsequence::Stop(StopReason::Permission { detail })
    }
}

/// Who may revoke: learn.microsoft.com/graph/api/user-revokesigninsessions, and "Who can reset passwords" in
/// the documentation of Entra's roles, which also applies to invalidating refresh tokens.
const MISSING_PERMISSION: &str = "no user was revoked. The app needs the permission User.RevokeSessions.All \
     with admin consent; a signed-in user also needs a role: Helpdesk Administrator to revoke ordinary users, \
     User Administrator to revoke limited administrators, Privileged Authentication Administrator to revoke \
     other administrators. Grant what is missing, then `resume` the run";

#[cfg(test)]
mod tests {
    use Outcome::{AcceptedNoEffect, Failed, Forbidden, NotFound, Revoked};

    use super::*;

    const FIRST: RefusalSubject = RefusalSubject { from_elsewhere: false, administrator: false };
    const ADMIN: RefusalSubject = RefusalSubject { administrator: true, ..FIRST };
    const OTHER: RefusalSubject = RefusalSubject { from_elsewhere: true, ..FIRST };
    const OTHER_ADMIN: RefusalSubject = RefusalSubject { administrator: true, ..OTHER };

    fn refusals(planned: u64) -> ForbiddenStreak {
        ForbiddenStreak::new(&AcceptedOutcomes::default(), planned)
    }

    /// The consequence of the last of `count` outcomes.
    fn after(
        refusals: &mut ForbiddenStreak,
        count: usize,
        outcome: Outcome,
        whom: RefusalSubject,
    ) -> Option<RefusalConsequence> {
        let mut all = (0..count).map(|_| refusals.settled(outcome, whom));
        all.nth(count - 1)?
    }

    fn asks(count: u32) -> Option<RefusalConsequence> {
        Some(RefusalConsequence::SampleFurtherDown(count))
    }

    #[test]
    fn others_are_asked_before_all_are_given_up() {
        let mut all = refusals(1_000);
        assert_eq!(after(&mut all, 19, Forbidden, FIRST), None);
        assert_eq!(after(&mut all, 1, Forbidden, FIRST), asks(20));
        // Users in flight do not count as others.
        assert_eq!(after(&mut all, 12, Forbidden, FIRST), None);
        assert_eq!(after(&mut all, 19, Forbidden, OTHER), None);
        let Some(RefusalConsequence::Stop(stop)) = after(&mut all, 1, Forbidden, OTHER) else { panic!() };
        assert_eq!(stop.exit_code(), 4);
        let said = stop.to_string();
        for part in ["first 32 users", "20 others", "User.RevokeSessions.All", "Helpdesk Administrator"] {
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn one_success_is_proof_for_good() {
        for success in [Revoked, AcceptedNoEffect] {
            let mut all = refusals(1_000);
            after(&mut all, 20, Forbidden, FIRST);
            assert_eq!(after(&mut all, 1, success, OTHER), Some(RefusalConsequence::ResumePlanOrder));
            assert_eq!(after(&mut all, 500, Forbidden, FIRST), None);
        }
        let mut all = refusals(1_000);
        all.permitted();
        assert_eq!(after(&mut all, 500, Forbidden, FIRST), None);
    }

    #[test]
    fn what_says_nothing_proves_nothing_and_another_is_asked_instead() {
        let mut all = refusals(1_000);
        after(&mut all, 19, Forbidden, FIRST);
        assert_eq!(after(&mut all, 100, NotFound, FIRST), None);
        assert_eq!(after(&mut all, 1, Forbidden, FIRST), asks(20));
        assert_eq!(after(&mut all, 1, NotFound, OTHER), asks(1));
        assert_eq!(after(&mut all, 1, Failed, OTHER), asks(1));
        assert_eq!(after(&mut all, 1, Failed, FIRST), None);
        assert!(matches!(after(&mut all, 20, Forbidden, OTHER), Some(RefusalConsequence::Stop(_))));
    }

    #[test]
    fn administrators_alone_stop_nothing() {
        let mut all = refusals(1_000);
        assert_eq!(after(&mut all, 20, Forbidden, ADMIN), asks(20));
        assert_eq!(after(&mut all, 20, Forbidden, OTHER_ADMIN), Some(RefusalConsequence::ResumePlanOrder));
        assert_eq!(after(&mut all, 500, Forbidden, FIRST), None);
        let mut one = refusals(1_000);
        after(&mut one, 20, Forbidden, ADMIN);
        after(&mut one, 1, Forbidden, OTHER);
        assert!(matches!(after(&mut one, 19, Forbidden, OTHER_ADMIN), Some(RefusalConsequence::Stop(_))));
    }

    #[test]
    fn a_small_run_that_is_refused_as_a_whole_says_why() {
        for planned in [20, 33] {
            let mut all = refusals(planned);
            let last = after(&mut all, planned as usize, Forbidden, FIRST);
            assert!(matches!(last, Some(RefusalConsequence::Stop(_))), "{planned}");
        }
        let mut admins = refusals(33);
        assert_eq!(after(&mut admins, 33, Forbidden, ADMIN), None);
        // With so few users, each may have been refused for a different reason.
        assert_eq!(after(&mut refusals(19), 19, Forbidden, FIRST), None);
        let mut mixed = refusals(33);
        after(&mut mixed, 3, NotFound, FIRST);
        assert_eq!(after(&mut mixed, 30, Forbidden, FIRST), None);
    }

    #[test]
    fn accepted_refusals_stop_nothing() {
        let mut all = ForbiddenStreak::new(&[Forbidden].into_iter().collect(), 1_000);
        assert_eq!(after(&mut all, 500, Forbidden, FIRST), None);
    }
}
