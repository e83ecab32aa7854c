//! Targets that were not started yet: taken in sending order, or from anywhere in the plan.

use std::collections::BTreeSet;

use super::active_target::TargetProgress;
use crate::event::TargetNo;

/// Targets that were not started yet, in sending order. A whole plan takes no memory for each target.
#[derive(Clone, Debug, PartialEq)]
pub enum PendingTargets {
    /// The first targets of the plan, up to this number.
    First(TargetNo),
    /// These targets, for which nothing was done before.
    Orders(Vec<TargetNo>),
    /// These targets, with the work of earlier processes.
    Work(Vec<TargetProgress>),
}

impl PendingTargets {
    /// The number of targets.
    pub fn len(&self) -> usize {
        match self {
            PendingTargets::First(count) => *count as usize,
            PendingTargets::Orders(orders) => orders.len(),
            PendingTargets::Work(work) => work.len(),
        }
    }

    /// Whether there are no targets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn work(&self, index: usize) -> Option<TargetProgress> {
        let order = match self {
            PendingTargets::First(count) => TargetNo::try_from(index + 1).ok().filter(|order| order <= count),
            PendingTargets::Orders(orders) => orders.get(index).copied(),
            PendingTargets::Work(work) => return work.get(index).cloned(),
        };
        order.map(|order| TargetProgress { order, ..TargetProgress::default() })
    }
}

/// Pending targets, and which of them were taken.
#[derive(Debug)]
pub(super) struct RemainingTargets {
    fresh: PendingTargets,
    /// The index of the first that was not taken in order.
    next: usize,
    /// Indices after it that were taken out of order.
    picked: BTreeSet<usize>,
    /// The number that were taken out of order.
    picks: u32,
    /// The lowest rank that may be left.
    rank: u8,
}

/// The rank of users who are picked after all others.
pub(super) const LAST_RANK: u8 = 2;

impl RemainingTargets {
    pub(super) fn new(fresh: PendingTargets) -> RemainingTargets {
        RemainingTargets { fresh, next: 0, picked: BTreeSet::new(), picks: 0, rank: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.fresh.len() - self.next - self.picked.len()
    }

    /// Takes the next target in order.
    pub(super) fn next(&mut self) -> Option<TargetProgress> {
        while self.picked.remove(&self.next) {
            self.next += 1;
        }
        let work = self.fresh.work(self.next)?;
        self.next += 1;
        Some(work)
    }

    /// Takes a target of the lowest `rank` that is left (from 0 to [`LAST_RANK`]). Picks are as far from one
    /// another as possible: the last target, then the middle, the quarters, the eighths.
    pub(super) fn pick(&mut self, rank: impl Fn(&TargetProgress) -> u8) -> Option<TargetProgress> {
        let (from, to) = (self.next, self.fresh.len());
        if from >= to {
            return None;
        }
        let place = from + ((to - from) as f64 * fraction(self.picks)) as usize;
        let place = place.min(to - 1);
        let is_left = |index: &usize| !self.picked.contains(index);
        let suits = |index: &usize| self.fresh.work(*index).is_some_and(|work| rank(&work) <= self.rank);
        let found = (place..to).chain(from..place).filter(is_left).find(suits);
        let Some(index) = found else {
            // This rank is used up, and no target returns, so it is not searched again.
            self.rank += 1;
            return if self.rank <= LAST_RANK { self.pick(rank) } else { None };
        };
        self.picks += 1;
        self.picked.insert(index);
        self.fresh.work(index)
    }
}

/// 1, 1/2, 1/4, 3/4, 1/8, 5/8, …: the binary digits of the number, reversed after the point.
fn fraction(nth: u32) -> f64 {
    if nth == 0 { 1.0 } else { f64::from(nth.reverse_bits()) / (f64::from(u32::MAX) + 1.0) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picks(
        rest: &mut RemainingTargets,
        count: usize,
        rank: impl Fn(&TargetProgress) -> u8,
    ) -> Vec<TargetNo> {
        (0..count).map_while(|_| rest.pick(&rank)).map(|work| work.order).collect()
    }

    #[test]
    fn picks_are_spread_by_halves() {
        let mut rest = RemainingTargets::new(PendingTargets::First(100));
        (1..=20).for_each(|order| assert_eq!(rest.next().unwrap().order, order));
        assert_eq!(picks(&mut rest, 6, |_| 0), [100, 61, 41, 81, 31, 71]);
        assert_eq!(rest.len(), 74);
    }

    #[test]
    fn those_of_a_lower_rank_are_picked_before_all_others() {
        let mut rest = RemainingTargets::new(PendingTargets::Orders((1..=60).collect()));
        let rank = |work: &TargetProgress| match work.order {
            20 | 40 | 60 => 0,
            1..=10 => 1,
            _ => LAST_RANK,
        };
        let mut picked = picks(&mut rest, 99, rank);
        assert_eq!((picked.len(), rest.len()), (60, 0));
        picked[..3].sort_unstable();
        picked[3..13].sort_unstable();
        assert_eq!(picked[..3], [20, 40, 60]);
        assert_eq!(picked[3..13], (1..=10).collect::<Vec<_>>()[..]);
        assert!(rest.next().is_none());
    }

    proptest! {
        /// Each target is taken once, and those that are taken in order come in order.
        #[test]
        fn each_is_taken_once(count in 0u32..60, ways in prop::collection::vec(any::<bool>(), 0..80)) {
            let mut rest = RemainingTargets::new(PendingTargets::First(count));
            let (mut all, mut ordered) = (Vec::new(), Vec::new());
            for picks in ways.into_iter().chain(std::iter::repeat_n(false, 60)) {
                prop_assert_eq!(rest.len(), count as usize - all.len());
                let work = if picks { rest.pick(|work| (work.order % 3) as u8) } else { rest.next() };
                let Some(work) = work else { continue };
                all.push(work.order);
                ordered.extend((!picks).then_some(work.order));
            }
            prop_assert!(ordered.is_sorted());
            all.sort_unstable();
            prop_assert_eq!(all, (1..=count).collect::<Vec<_>>());
        }
    }
}
