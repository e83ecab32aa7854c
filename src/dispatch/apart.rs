//! Users who seem to be throttled for their own sake, and not by a limit that all share.
//!
//! A 429 does not say so, and the first one closes the gate for everybody. But whoever is throttled twice in turn, while
//! others pass or nobody else was tried, is set apart: behind all others, with waits that hold for those set apart only.
//! A limit that others meet, too, brings back whoever was set apart while nobody else was tried.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::live::ActiveTarget;
use crate::event::TargetNo;

/// What tells a user's own throttle from a limit, in one tenant.
#[derive(Debug, Default)]
pub(super) struct BatchEvidence {
    /// The latest departures that were answered, of two users.
    tried: [Option<(TargetNo, Instant)>; 2],
    /// The latest departure of those who passed without a 429 before.
    passed: Option<Instant>,
    /// How many these are.
    pub(super) passes: u64,
    /// Since when somebody is set apart although nobody else was tried.
    unproved: Option<Instant>,
}

impl BatchEvidence {
    /// A user's request, which left then, was answered.
    pub(super) fn tried(&mut self, order: TargetNo, departed: Instant) {
        let [first, second] = &mut self.tried;
        let later = |one: Option<(TargetNo, Instant)>| one.is_none_or(|(_, at)| at <= departed);
        if first.is_some_and(|(other, _)| other == order) {
            *first = first.map(|(_, at)| (order, at.max(departed)));
        } else if later(*first) {
            *second = first.replace((order, departed));
        } else if later(*second) {
            *second = Some((order, departed));
        }
    }

    /// It passed, and was not throttled before.
    pub(super) fn passed(&mut self, departed: Instant) {
        self.passes += 1;
        self.passed = self.passed.max(Some(departed));
        if self.unproved.is_some_and(|since| departed >= since) {
            self.unproved = None;
        }
    }

    /// Whether a user who is throttled again seems to be for its own sake; `since` is when it was throttled before.
    pub(super) fn is_own(&mut self, order: TargetNo, since: Instant, now: Instant) -> bool {
        let others_passed = self.passed.is_some_and(|at| at >= since);
        let others_tried = self.tried.iter().flatten().any(|(other, at)| *other != order && *at >= since);
        if !others_passed && !others_tried {
            self.unproved.get_or_insert(now);
        }
        others_passed || !others_tried
    }

    /// Another user's request, which left then, was throttled. Whether that clears whoever is set apart unproved.
    pub(super) fn clears(&mut self, departed: Instant) -> bool {
        self.unproved.take_if(|since| departed >= *since).is_some()
    }
}

/// Those set apart, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct IsolatedRetries {
    waiting: VecDeque<(Instant, ActiveTarget)>,
    /// Those of them whose instant has come.
    due: VecDeque<ActiveTarget>,
    /// None of them leaves before.
    until: Option<Instant>,
}

impl IsolatedRetries {
    pub(super) fn push(&mut self, at: Instant, live: ActiveTarget) {
        self.waiting.push_back((at, live));
    }

    /// One of them was told to wait: that holds for all of them.
    pub(super) fn hold(&mut self, until: Instant) {
        self.until = self.until.max(Some(until));
        while let Some(live) = self.due.pop_back() {
            self.waiting.push_front((until, live));
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until > now) {
            return;
        }
        for (at, live) in std::mem::take(&mut self.waiting) {
            if at <= now { self.due.push_back(live) } else { self.waiting.push_back((at, live)) }
        }
    }

    /// When the next one's instant comes.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.waiting.iter().map(|(at, _)| *at).min()?;
        Some(self.until.map_or(first, |until| until.max(first)))
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.due.len()
    }

    /// How many may leave now by this sender.
    pub(super) fn due_for(&self, sender: usize) -> usize {
        self.due.iter().filter(|live| !live.refused_by.contains(sender)).count()
    }

    pub(super) fn pop_for(&mut self, sender: usize) -> Option<ActiveTarget> {
        let at = self.due.iter().position(|live| !live.refused_by.contains(sender))?;
        self.due.remove(at)
    }

    /// All of them.
    pub(super) fn drain(&mut self) -> Vec<ActiveTarget> {
        let due = std::mem::take(&mut self.due);
        due.into_iter().chain(std::mem::take(&mut self.waiting).into_iter().map(|(_, live)| live)).collect()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ActiveTarget> {
        self.due.iter_mut().chain(self.waiting.iter_mut().map(|(_, live)| live))
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
        let mut evidence = BatchEvidence::default();
        evidence.tried(1, at(0));
        evidence.tried(1, at(10));
        assert!(evidence.is_own(1, at(1), at(11)), "nobody else was tried");
        evidence.tried(2, at(12));
        assert!(evidence.clears(at(12)), "another was throttled");
        assert!(!evidence.clears(at(12)));
        evidence.tried(1, at(14));
        assert!(!evidence.is_own(1, at(11), at(15)));
        // Whoever left before says nothing.
        evidence.passed(at(10));
        assert!(!evidence.is_own(1, at(11), at(16)));
        evidence.passed(at(16));
        assert!(evidence.is_own(1, at(15), at(17)), "others pass");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_proves_it() {
        let began = Instant::now();
        let at = |seconds| at(seconds)(began);
        let mut evidence = BatchEvidence::default();
        evidence.tried(7, at(0));
        assert!(evidence.is_own(7, at(0), at(1)));
        evidence.passed(at(2));
        evidence.tried(8, at(3));
        assert!(!evidence.clears(at(3)), "it was proved before");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_holds_for_all_of_them_and_they_take_turns() {
        let began = Instant::now();
        let at = |seconds| at(seconds)(began);
        let live = |order| {
            ActiveTarget::new(super::super::TargetProgress {
                order,
                ..super::super::TargetProgress::default()
            })
        };
        let mut apart = IsolatedRetries::default();
        apart.push(at(1), live(2));
        apart.push(at(0), live(1));
        apart.wake(at(0));
        assert_eq!((apart.due_for(0), apart.next()), (1, Some(at(1))));
        apart.hold(at(5));
        apart.wake(at(4));
        assert_eq!((apart.due_for(0), apart.len(), apart.next()), (0, 2, Some(at(5))));
        apart.wake(at(5));
        let order = |live: Option<ActiveTarget>| live.map(|live| live.work.order);
        assert_eq!(
            [order(apart.pop_for(0)), order(apart.pop_for(0)), order(apart.pop_for(0))],
            [Some(1), Some(2), None]
        );
    }
}
