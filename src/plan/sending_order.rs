//! Who goes before whom: the lists of those who go first, administrators, priorities, and the input's order.

use std::collections::{BTreeMap, HashMap};

use crate::event::TargetNo;
use crate::user_id::UserId;

/// Names that the question shows of each end.
pub(super) const MAX_NAMED: usize = 3;

/// What a target is ordered by; equals keep the input's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetRank {
    /// The entry of `--first` that holds it, twice, and one more for who is no administrator where those go first;
    /// the operator behind all.
    group: u32,
    priority: i64,
}

impl TargetRank {
    /// `first` is the number of the entry of `--first` that holds the user; `later` sends whoever is no administrator
    /// behind those who are.
    pub(super) fn new(first: Option<u32>, later: bool, priority: i64) -> TargetRank {
        let entry = first.unwrap_or(u32::MAX / 2 - 1);
        TargetRank { group: entry.saturating_mul(2) + u32::from(later), priority }
    }

    /// Behind all others.
    pub(super) fn last() -> TargetRank {
        TargetRank { group: u32::MAX, priority: i64::MAX }
    }
}

/// Those who go first, by the number of the entry that names them.
#[derive(Debug, Default)]
pub(super) struct FirstTargets(HashMap<UserId, u32>);

impl FirstTargets {
    /// Who is named twice goes with the earlier entry.
    pub(super) fn add(&mut self, ids: impl IntoIterator<Item = UserId>, entry: u32) {
        for id in ids {
            self.0.entry(id).or_insert(entry);
        }
    }

    pub(super) fn earliest_entry(&self, ids: &[UserId]) -> Option<u32> {
        ids.iter().filter_map(|id| self.0.get(id).copied()).min()
    }
}

/// The sending order, both ways.
pub(super) struct SendingOrder {
    /// Indexes of targets, first to send first.
    pub(super) sequence: Vec<u32>,
    /// For each target, its place in the sequence, from 1.
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

/// The names of those who go first and last, while targets still come in.
#[derive(Debug, Default)]
pub(super) struct HeadTail {
    first: BTreeMap<(TargetRank, u32), String>,
    last: BTreeMap<(TargetRank, u32), String>,
}

impl HeadTail {
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

    /// The first ones, and the last ones that are not among those.
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
            let mut ends = HeadTail::default();
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
