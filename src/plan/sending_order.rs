//! The sending order: the `--first` lists, then administrators, then priorities, then the order of the input.

use std::collections::{BTreeMap, HashMap};

use crate::event::TargetNo;
use crate::user_id::UserId;

/// The number of names that the question shows from the start and from the end of the order.
pub(super) const MAX_NAMED: usize = 3;

/// The sort key of a target. Targets with equal keys keep the input's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetRank {
    /// Twice the number of the `--first` entry that has the user, plus one for non-administrators if
    /// administrators go first. The operator has the highest value.
    group: u32,
    priority: i64,
}

impl TargetRank {
    /// `first` is the number of the `--first` entry that has the user. `later` puts the user after the
    /// administrators.
    pub(super) fn new(first: Option<u32>, later: bool, priority: i64) -> TargetRank {
        let entry = first.unwrap_or(u32::MAX / 2 - 1);
        TargetRank { group: entry.saturating_mul(2) + u32::from(later), priority }
    }

    /// The rank after all others.
    pub(super) fn last() -> TargetRank {
        TargetRank { group: u32::MAX, priority: i64::MAX }
    }
}

/// The users who go first, each with the number of the `--first` entry that names them.
#[derive(Debug, Default)]
pub(super) struct FirstTargets(HashMap<UserId, u32>);

impl FirstTargets {
    /// Adds the IDs of a user. An ID that is added twice keeps the earlier entry.
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = UserId>, entry: u32) {
        for id in ids {
            self.0.entry(id).or_insert(entry);
        }
    }

    pub(super) fn earliest_entry(&self, ids: &[UserId]) -> Option<u32> {
        ids.iter().filter_map(|id| self.0.get(id).copied()).min()
    }
}

/// The sending order, in both directions.
pub(super) struct SendingOrder {
    /// The indexes of the targets, in sending order.
    pub(super) sequence: Vec<u32>,
    /// For each target, its position in the sequence, from 1.
    pub(super) positions: Vec<TargetNo>,
}

impl SendingOrder {
    pub(super) fn from_ranks(ranks: &[TargetRank]) -> SendingOrder {
        let mut sequence: Vec<u32> = (0..ranks.len() as u32).collect();
        sequence.sort_by_key(|index| ranks[*index as usize]);
        let mut place_of = vec![0; sequence.len()];
        for (place, index) in sequence.iter().enumerate() {
            place_of[*index as usize] = place as TargetNo + 1;
        }
        SendingOrder { sequence, positions: place_of }
    }
}

/// Collects the names of the first and last users while targets are added.
#[derive(Debug, Default)]
pub(super) struct FirstLastNames {
    first: BTreeMap<(TargetRank, u32), String>,
    last: BTreeMap<(TargetRank, u32), String>,
}

impl FirstLastNames {
    pub(super) fn push(&mut self, rank: TargetRank, index: u32, name: impl FnOnce() -> String) {
        let key = (rank, index);
        let early =
            self.first.len() < MAX_NAMED || self.first.last_key_value().is_some_and(|(last, _)| key < *last);
        let late =
            self.last.len() < MAX_NAMED || self.last.first_key_value().is_some_and(|(first, _)| key > *first);
        if !early && !late {
            return;
        }
        let name = name();
        if late {
            self.last.insert(key, name.clone());
            if self.last.len() > MAX_NAMED {
                self.last.pop_first();
            }
        }
        if early {
            self.first.insert(key, name);
            if self.first.len() > MAX_NAMED {
                self.first.pop_last();
            }
        }
    }

    /// The first names, and the last names that are not among the first.
    pub(super) fn into_names(self) -> (Vec<String>, Vec<String>) {
        let last = self.last.into_iter().filter(|(key, _)| !self.first.contains_key(key));
        let last = last.map(|(_, name)| name).collect();
        (self.first.into_values().collect(), last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_first_lists_administrators_priority_input() {
        let ranks = [
            TargetRank::new(None, true, i64::MAX),
            TargetRank::new(None, false, i64::MAX),
            TargetRank::last(),
            TargetRank::new(Some(1), true, 5),
            TargetRank::new(Some(0), true, i64::MAX),
            TargetRank::new(Some(1), true, 1),
            TargetRank::new(None, true, i64::MAX),
        ];
        assert_eq!(SendingOrder::from_ranks(&ranks).sequence, [4, 5, 3, 1, 0, 6, 2]);
    }

    #[test]
    fn first_and_last_targets_do_not_overlap() {
        let names = |count: u32| {
            let mut ends = FirstLastNames::default();
            for index in 0..count {
                let priority = i64::from(count - index);
                ends.push(TargetRank::new(None, true, priority), index, || priority.to_string());
            }
            ends.into_names()
        };
        assert_eq!(names(2), (vec!["1".into(), "2".into()], vec![]));
        assert_eq!(names(4), (vec!["1".into(), "2".into(), "3".into()], vec!["4".into()]));
        assert_eq!(names(9).1, ["7", "8", "9"]);
    }
}
