//! Which tenant's turn it is. Each lane is checked again at its own instant. Of the lanes whose instant has
//! come, the one that has not sent for the longest time goes first.

use std::collections::BTreeSet;

use tokio::time::Instant;

/// The turns of the lanes.
#[derive(Debug)]
pub(super) struct Schedule {
    /// The instant at which each lane is checked, its place among those of the same instant, and the lane.
    turns: BTreeSet<(Instant, u64, usize)>,
    /// For each lane: when it is checked without an event, if ever, and its place.
    lanes: Vec<(Option<Instant>, u64)>,
    last_place: u64,
}

impl Schedule {
    /// Starts with all lanes due, in their order.
    pub(super) fn new(lanes: usize) -> Schedule {
        let now = Instant::now();
        let places = 0..lanes as u64;
        Schedule {
            turns: places.clone().map(|place| (now, place, place as usize)).collect(),
            lanes: places.map(|place| (Some(now), place)).collect(),
            last_place: lanes as u64,
        }
    }

    /// Removes and returns the lane whose turn it is, if there is one.
    pub(super) fn due(&mut self, now: Instant) -> Option<usize> {
        let turn = self.turns.first().copied().filter(|(at, _, _)| *at <= now)?;
        self.turns.remove(&turn);
        self.lanes[turn.2].0 = None;
        Some(turn.2)
    }

    /// The instant at which the next lane is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.turns.first().map(|(at, _, _)| *at)
    }

    /// Schedules a check of the lane for `at`, unless an earlier one is scheduled.
    pub(super) fn at(&mut self, lane: usize, at: Instant) {
        let (before, place) = self.lanes[lane];
        if before.is_some_and(|before| before <= at) {
            return;
        }
        if let Some(before) = before {
            self.turns.remove(&(before, place, lane));
        }
        self.turns.insert((at, place, lane));
        self.lanes[lane].0 = Some(at);
    }

    /// Moves a lane that has sent behind the others.
    pub(super) fn has_sent(&mut self, lane: usize) {
        let (before, place) = self.lanes[lane];
        let had = before.is_some_and(|at| self.turns.remove(&(at, place, lane)));
        self.last_place += 1;
        self.lanes[lane].1 = self.last_place;
        if let Some(at) = before.filter(|_| had) {
            self.turns.insert((at, self.last_place, lane));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_longest_goes_first() {
        let mut schedule = Schedule::new(3);
        let now = Instant::now();
        let mut turns = Vec::new();
        for _ in 0..7 {
            let lane = schedule.due(now).unwrap();
            turns.push(lane);
            schedule.has_sent(lane);
            schedule.at(lane, now);
        }
        assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_keeps_the_earliest_of_its_instants_and_its_place() {
        let mut schedule = Schedule::new(2);
        let now = Instant::now();
        assert_eq!((schedule.due(now), schedule.due(now), schedule.due(now)), (Some(0), Some(1), None));
        let second = Duration::from_secs(1);
        schedule.at(1, now + second);
        schedule.at(0, now + 2 * second);
        schedule.at(0, now + second);
        schedule.at(0, now + 3 * second);
        assert_eq!(schedule.next(), Some(now + second));
        assert_eq!(schedule.due(now), None);
        assert_eq!(schedule.due(now + second), Some(0));
        assert_eq!(schedule.due(now + second), Some(1));
        assert_eq!(schedule.next(), None);
    }
}
