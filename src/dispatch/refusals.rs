//! Whether anybody may be revoked in a tenant at all, where the first users are refused (403).
//!
//! ```text
//!           20 refused, nobody revoked           20 of these refused, too, not all of them administrators
//!  InOrder ────────────────────────▶ Elsewhere ────────────────────────────────────────────▶ the tenant stops
//!     │                                  │
//!     │ somebody is revoked              │ somebody is revoked, or only administrators are left to ask
//!     └────────────────────────▶ Known ◀─┘ in order again; a refusal is its user's alone
//! ```
//!
//! A list may begin with users who need a higher role, and `--admins-first` makes it do so. What they are refused says
//! nothing of the others; so others are asked before all are given up. Only a success proves the permission, and only a
//! 403 speaks against it: a 404 or a failure may come before anybody looks at permissions and roles.

use crate::event::StopReason;
use crate::outcome::{Accepted, Outcome};

/// So many are refused before others are asked.
const IN_ORDER: u32 = 20;

/// So many others are asked at a time, and refused before all are given up. With the first ones, a run without the
/// permission costs forty users and what is in flight.
const ELSEWHERE: u32 = 20;

/// Watches the users of one tenant as they settle, until one is revoked.
#[derive(Debug)]
pub(super) struct ForbiddenStreak {
    state: StreakState,
    /// Users to be done.
    planned: u64,
    settled: u64,
    refused: u32,
    /// Those of them that were asked out of turn.
    refused_elsewhere: u32,
    /// Whether one of them is not known to hold a role.
    ordinary: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StreakState {
    InOrder,
    Elsewhere,
    Known,
}

/// Of whom an outcome is.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalSubject {
    /// A user who was asked out of turn.
    pub(super) from_elsewhere: bool,
    /// A user known to hold a role.
    pub(super) administrator: bool,
}

/// What follows from an outcome.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RefusalConsequence {
    /// So many others are to be asked, from elsewhere in the plan, before anybody else.
    AskElsewhere(u32),
    /// All others follow in the plan's order.
    GoOnInOrder,
    /// Nothing more should be sent in this tenant.
    Stop(StopReason),
}

impl ForbiddenStreak {
    pub(super) fn new(accepted: &Accepted, planned: u64) -> ForbiddenStreak {
        let state =
            if accepted.settles(Outcome::Forbidden) { StreakState::Known } else { StreakState::InOrder };
        ForbiddenStreak { state, planned, settled: 0, refused: 0, refused_elsewhere: 0, ordinary: false }
    }

    /// Somebody was revoked in this tenant, by whichever process of the run.
    pub(super) fn permitted(&mut self) {
        self.state = StreakState::Known;
    }

    /// Takes an outcome; says what follows from it.
    pub(super) fn settled(&mut self, outcome: Outcome, whom: RefusalSubject) -> Option<RefusalConsequence> {
        self.settled += 1;
        let was = self.state;
        match outcome {
            _ if was == StreakState::Known => return None,
            Outcome::Revoked | Outcome::AcceptedNoEffect => {
                self.permitted();
                return (was == StreakState::Elsewhere).then_some(RefusalConsequence::GoOnInOrder);
            }
            Outcome::Forbidden => self.take_refused(whom),
            _ => return self.asked_in_vain(whom.from_elsewhere),
        }
        let over = self.settled == self.planned && u64::from(self.refused) == self.settled;
        if over && self.refused >= IN_ORDER && self.ordinary {
            return Some(self.stop());
        }
        match was {
            StreakState::InOrder if self.refused >= IN_ORDER => {
                self.state = StreakState::Elsewhere;
                Some(RefusalConsequence::AskElsewhere(ELSEWHERE))
            }
            StreakState::Elsewhere if self.refused_elsewhere >= ELSEWHERE && self.ordinary => {
                Some(self.stop())
            }
            StreakState::Elsewhere if self.refused_elsewhere >= ELSEWHERE => {
                self.state = StreakState::Known;
                Some(RefusalConsequence::GoOnInOrder)
            }
            _ => None,
        }
    }

    /// Somebody's answer says nothing, or does not come for now: where it was awaited, another is asked instead.
    pub(super) fn asked_in_vain(&self, from_elsewhere: bool) -> Option<RefusalConsequence> {
        let awaited = from_elsewhere && self.state == StreakState::Elsewhere;
        awaited.then_some(RefusalConsequence::AskElsewhere(1))
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
            others => format!(", and {others} others who were tried from further down the list"),
        };
        let detail = format!("Graph refused the first {first} users (403){others}: {MISSING_PERMISSION}");
        RefusalConsequence::Stop(StopReason::Permission { detail })
    }
}

/// Who may revoke: learn.microsoft.com/graph/api/user-revokesigninsessions, and "Who can reset passwords" of
/// Entra's role documentation, which holds for invalidating refresh tokens, too.
const MISSING_PERMISSION: &str = "nobody was revoked. The app needs the permission User.RevokeSessions.All with an \
     administrator's consent; a signed-in operator needs a role as well: Helpdesk Administrator for ordinary users, \
     User Administrator for limited administrators, Privileged Authentication Administrator for all others. Grant it, \
     then `resume` the run";

#[cfg(test)]
mod tests {
    use Outcome::{AcceptedNoEffect, Failed, Forbidden, NotFound, Revoked};

    use super::*;

    const FIRST: RefusalSubject = RefusalSubject { from_elsewhere: false, administrator: false };
    const ADMIN: RefusalSubject = RefusalSubject { administrator: true, ..FIRST };
    const OTHER: RefusalSubject = RefusalSubject { from_elsewhere: true, ..FIRST };
    const OTHER_ADMIN: RefusalSubject = RefusalSubject { administrator: true, ..OTHER };

    fn refusals(planned: u64) -> ForbiddenStreak {
        ForbiddenStreak::new(&Accepted::default(), planned)
    }

    /// What follows from the last of so many.
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
        Some(RefusalConsequence::AskElsewhere(count))
    }

    #[test]
    fn others_are_asked_before_all_are_given_up() {
        let mut all = refusals(1_000);
        assert_eq!(after(&mut all, 19, Forbidden, FIRST), None);
        assert_eq!(after(&mut all, 1, Forbidden, FIRST), asks(20));
        // Those in flight are no others.
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
            assert_eq!(after(&mut all, 1, success, OTHER), Some(RefusalConsequence::GoOnInOrder));
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
        assert_eq!(after(&mut all, 20, Forbidden, OTHER_ADMIN), Some(RefusalConsequence::GoOnInOrder));
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
        // So few may each have a reason of their own.
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
