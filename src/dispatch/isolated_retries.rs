//! Users who seem to be throttled individually, and not by a limit that all share.
//!
//! A 429 does not say which of these it is, and the first one closes the gate for all users. But a user who
//! is throttled twice in a row, while others pass or no other was tried, is isolated: retried after all
//! others, with waits that hold for isolated users only. If another user meets the limit too, users who were
//! isolated while no other was tried are brought back.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::active_target::ActiveTarget;
use crate::event::TargetNo;

/// The evidence that distinguishes a user's own throttle from a limit, in one tenant.
#[derive(Debug, Default)]
pub(super) struct ThrottleEvidence {
    /// The latest answered departures, of two different users.
    tried: [Option<(TargetNo, Instant)>; 2],
    /// The latest departure of users who passed without an earlier 429.
    passed: Option<Instant>,
    /// The number of users who passed without an earlier 429.
    pub(super) passes: u64,
    /// Since when a user is isolated although no other user was tried.
    unproved: Option<Instant>,
}

impl ThrottleEvidence {
    /// Notes that a user's request, which left at `dispatched`, was answered.
    pub(super) fn tried(&mut self, order: TargetNo, dispatched: Instant) {
        let [first, second] = &mut self.tried;
        let later = |one: Option<(TargetNo, Instant)>| one.is_none_or(|(_, at)| at <= dispatched);
        if first.is_some_and(|(other, _)| other == order) {
            *first = first.map(|(_, at)| (order, at.max(dispatched)));
        } else if later(*first) {
            *second = first.replace((order, dispatched));
        } else if later(*second) {
            *second = Some((order, dispatched));
        }
    }

    /// Notes that such a request passed, and that the user was not throttled before.
    pub(super) fn passed(&mut self, dispatched: Instant) {
        self.passes += 1;
        self.passed = self.passed.max(Some(dispatched));
        if self.unproved.is_some_and(|since| dispatched >= since) {
            self.unproved = None;
        }
    }

    /// Whether a user who is throttled again seems to be throttled individually. `since` is the instant of
    /// the throttle before.
    pub(super) fn is_individual(&mut self, order: TargetNo, since: Instant, now: Instant) -> bool {
        let others_passed = self.passed.is_some_and(|at| at >= since);
        let others_tried = self.tried.iter().flatten().any(|(other, at)| *other != order && *at >= since);
        if !others_passed && !others_tried {
            self.unproved.get_or_insert(now);
        }
        others_passed || !others_tried
    }

    /// Notes that another user's request was throttled. Returns whether users who were isolated without proof
    /// are to be brought back.
    pub(super) fn clears(&mut self, dispatched: Instant) -> bool {
        self.unproved.take_if(|since| dispatched >= *since).is_some()
    }
}

/// The isolated users, in the order in which they were isolated.
#[derive(Debug, Default)]
pub(super) struct IsolatedRetries {
    waiting: VecDeque<(Instant, ActiveTarget)>,
    /// Isolated users whose instant has come.
    due: VecDeque<ActiveTarget>,
    /// No isolated user leaves before this instant.
    until: Option<Instant>,
}

impl IsolatedRetries {
    pub(super) fn push(&mut self, at: Instant, active: ActiveTarget) {
        self.waiting.push_back((at, active));
    }

    /// One isolated user was asked to wait: that holds for all of them.
    pub(super) fn hold(&mut self, until: Instant) {
        self.until = self.until.max(Some(until));
        while let Some(active) = self.due.pop_back() {
            self.waiting.push_front((until, active));
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until > now) {
            return;
        }
        for (at, active) in std::mem::take(&mut self.waiting) {
            if at <= now { self.due.push_back(active) } else { self.waiting.push_back((at, active)) }
        }
    }

    /// The instant at which the next one may leave.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.waiting.iter().map(|(at, _)| *at).min()?;
        Some(self.until.map_or(first, |until| until.max(first)))
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.due.len()
    }

    /// The number of users who may leave now by this sender.
    pub(super) fn due_for(&self, sender: usize) -> usize {
        self.due.iter().filter(|active| !active.refused_by.contains(sender)).count()
    }

    pub(super) fn pop_for(&mut self, sender: usize) -> Option<ActiveTarget> {
        let at = self.due.iter().position(|active| !active.refused_by.contains(sender))?;
        self.due.remove(at)
    }

    /// Removes and returns all of them.
    pub(super) fn drain(&mut self) -> Vec<ActiveTarget> {
        let due = std::mem::take(&mut self.due);
        due.into_iter()
            .chain(std::mem::take(&mut self.waiting).into_iter().map(|(_, active)| active))
            .collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ActiveTarget> {
        self.due.iter_mut().chain(self.waiting.iter_mut().map(|(_, active)| active))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> impl Fn(Instant) -> Instant {
        move |began| began + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_others_meet_is_nobodys_own() {
        let began = Instant::now();
        let at = |seconds| at(seconds)(began);
        let mut evidence = ThrottleEvidence::default();
        evidence.tried(1, at(0));
        evidence.tried(1, at(10));
        assert!(evidence.is_individual(1, at(1), at(11)), "nobody else was tried");
        evidence.tried(2, at(12));
        assert!(evidence.clears(at(12)), "another was throttled");
        assert!(!evidence.clears(at(12)));
        evidence.tried(1, at(14));
        assert!(!evidence.is_individual(1, at(11), at(15)));
        // A request that left earlier proves nothing.
        evidence.passed(at(10));
        assert!(!evidence.is_individual(1, at(11), at(16)));
        evidence.passed(at(16));
        assert!(evidence.is_individual(1, at(15), at(17)), "others pass");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_proves_it() {
        let began = Instant::now();
        let at = |seconds| at(seconds)(began);
        let mut evidence = ThrottleEvidence::default();
        evidence.tried(7, at(0));
        assert!(evidence.is_individual(7, at(0), at(1)));
        evidence.passed(at(2));
        evidence.tried(8, at(3));
        assert!(!evidence.clears(at(3)), "it was proved before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_holds_for_all_of_them_and_they_take_turns() {
        let began = Instant::now();
        let at = |seconds| at(seconds)(began);
        let active = |order| {
            ActiveTarget::new(super::super::TargetProgress {
                order,
                ..super::super::TargetProgress::default()
            })
        };
        let mut apart = IsolatedRetries::default();
        apart.push(at(1), active(2));
        apart.push(at(0), active(1));
        apart.wake(at(0));
        assert_eq!((apart.due_for(0), apart.next()), (1, Some(at(1))));
        apart.hold(at(5));
        apart.wake(at(4));
        assert_eq!((apart.due_for(0), apart.len(), apart.next()), (0, 2, Some(at(5))));
        apart.wake(at(5));
        let order = |active: Option<ActiveTarget>| active.map(|active| active.work.order);
        assert_eq!(
            [order(apart.pop_for(0)), order(apart.pop_for(0)), order(apart.pop_for(0))],
            [Some(1), Some(2), None]
        );
    }
}
