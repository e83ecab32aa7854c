//! The queue of one tenant, in the plan's order: targets that were not started, targets to send again, and
//! targets to send again later. Isolated users come after all of these.
//!
//! If Graph refused a user to an app (403), the user waits for another app of the tenant. The queue knows
//! which apps work, so that no user waits for one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::active_target::{ActiveTarget, Senders};
use super::isolated_retries::IsolatedRetries;
use super::pending_targets::{LAST_RANK, PendingTargets, RemainingTargets};
use crate::event::TargetNo;
use crate::plan::Target;

/// The queue of one tenant.
pub(super) struct Queue {
    fresh: RemainingTargets,
    /// If all of the first users were refused: how many more are tried from elsewhere in the plan, until it
    /// is clear whether any user may be revoked.
    elsewhere: Option<u32>,
    /// All targets of the run.
    targets: Arc<[Target]>,
    /// Targets to send again as soon as the pacers allow, earliest in the plan first, grouped by the apps
    /// that were refused. No group is empty, and no set contains all working apps.
    ready: BTreeMap<Senders, BTreeMap<TargetNo, ActiveTarget>>,
    /// Targets to send again at their own instant.
    delayed: BTreeMap<(Instant, TargetNo), ActiveTarget>,
    /// Users who seem to be throttled individually.
    isolated: IsolatedRetries,
    /// The apps that still work.
    working: Senders,
}

impl Queue {
    pub(super) fn new(fresh: PendingTargets, targets: Arc<[Target]>, working: Senders) -> Queue {
        let (ready, delayed) = (BTreeMap::new(), BTreeMap::new());
        Queue {
            fresh: RemainingTargets::new(fresh),
            elsewhere: None,
            targets,
            ready,
            delayed,
            isolated: IsolatedRetries::default(),
            working,
        }
    }

    /// From now on, only this many more targets are started, from all over the plan. First come those that
    /// are not known to hold a role and were never tried.
    pub(super) fn sample_further_down(&mut self, count: u32) {
        self.elsewhere = Some(self.elsewhere.unwrap_or_default().saturating_add(count));
    }

    /// Returns to the plan's order.
    pub(super) fn resume_plan_order(&mut self) {
        self.elsewhere = None;
    }

    /// The number of targets that are neither settled nor in flight.
    pub(super) fn len(&self) -> u64 {
        let ready: usize = self.ready.values().map(BTreeMap::len).sum();
        (self.fresh.len() + ready + self.delayed.len() + self.isolated.len()) as u64
    }

    /// Whether all targets were tried in this process.
    pub(super) fn is_all_tried(&self) -> bool {
        self.fresh.len() == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty() && self.fresh.len() == 0 && self.isolated.len() == 0
    }

    /// How many may leave now by this sender, as far as the queue is concerned, up to `most`.
    pub(super) fn waiting_for(&self, sender: usize, most: u32) -> u32 {
        let again: usize = self.open_to(sender).map(|(_, active_targets)| active_targets.len()).sum();
        let fresh = self.elsewhere.map_or(self.fresh.len(), |most| self.fresh.len().min(most as usize));
        let first = again + fresh;
        let waiting = if first > 0 { first } else { self.isolated.due_for(sender) };
        u32::try_from(waiting).unwrap_or(u32::MAX).min(most)
    }

    /// The next target that was not started yet.
    fn next_fresh(&mut self) -> Option<ActiveTarget> {
        let Some(left) = &mut self.elsewhere else { return self.fresh.next().map(ActiveTarget::new) };
        *left = left.checked_sub(1)?;
        Some(ActiveTarget { from_elsewhere: true, ..self.pick()? })
    }

    /// Picks a target from anywhere in the plan.
    fn pick(&mut self) -> Option<ActiveTarget> {
        let targets = &self.targets;
        let work = self.fresh.pick(|work| match targets[work.order as usize - 1].administrator {
            true => LAST_RANK,
            // For a user whom an earlier process tried, the answer would be the same.
            false => u8::from(work.attempts > 0),
        })?;
        Some(ActiveTarget::new(work))
    }

    fn open_to(&self, sender: usize) -> impl Iterator<Item = (&Senders, &BTreeMap<TargetNo, ActiveTarget>)> {
        self.ready.iter().filter(move |(refused_by, _)| !refused_by.contains(sender))
    }

    /// Returns a target to the queue, to leave as soon as possible.
    pub(super) fn requeue(&mut self, mut active: ActiveTarget) {
        if active.refused_by.contains_all(self.working) {
            // All working apps have been tried. One that was tried has been dropped since.
            active.refused_by = Senders::default();
        }
        self.ready.entry(active.refused_by).or_default().insert(active.work.order, active);
    }

    /// Returns a target to the queue, to leave not before `at`.
    pub(super) fn requeue_at(&mut self, at: Instant, active: ActiveTarget) {
        self.delayed.insert((at, active.work.order), active);
    }

    /// Isolates a target: it leaves after all others, and not before `at`.
    pub(super) fn isolate(&mut self, at: Instant, active: ActiveTarget) {
        self.isolated.push(at, active);
    }

    /// No isolated user leaves before `until`.
    pub(super) fn hold_isolated(&mut self, until: Instant) {
        self.isolated.hold(until);
    }

    /// Returns all isolated users to the queue.
    pub(super) fn requeue_isolated(&mut self) {
        for active in self.isolated.drain() {
            self.requeue(ActiveTarget { isolated: None, ..active });
        }
    }

    /// The first instant for which a target waits.
    pub(super) fn next_delayed(&self) -> Option<Instant> {
        let delayed = self.delayed.keys().next().map(|(at, _)| *at);
        [delayed, self.isolated.next()].into_iter().flatten().min()
    }

    /// Moves targets whose instant has come back to the queue.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let active = entry.remove();
            self.requeue(active);
        }
        self.isolated.wake(now);
    }

    /// Takes a user who was not tried yet, from anywhere in the plan, because a gate that one user keeps
    /// closed may be open to another. If there is none, takes the next in line.
    pub(super) fn take_other(&mut self, sender: usize) -> Vec<ActiveTarget> {
        let other = if self.elsewhere.is_none() { self.pick() } else { None };
        other.map_or_else(|| self.pop_batch(sender, 1), |active| vec![active])
    }

    /// Takes up to `most` targets for one request by this sender: first those to send again, then new ones,
    /// and isolated ones only if there are no others. A target that must be sent alone is taken alone.
    pub(super) fn pop_batch(&mut self, sender: usize, most: u32) -> Vec<ActiveTarget> {
        let first = self.take_by(most, |queue, first| queue.take_next(sender, first));
        if first.is_empty() { self.take_by(most, |queue, _| queue.isolated.pop_for(sender)) } else { first }
    }

    fn take_by(
        &mut self,
        max: u32,
        next: impl Fn(&mut Queue, bool) -> Option<ActiveTarget>,
    ) -> Vec<ActiveTarget> {
        let mut taken: Vec<ActiveTarget> = Vec::with_capacity(max.min(20) as usize);
        while taken.len() < max as usize {
            let Some(active) = next(self, taken.is_empty()) else { break };
            let alone = active.alone;
            taken.push(active);
            if alone {
                break;
            }
        }
        taken
    }

    /// Takes the next in line for this sender, unless it must be sent alone and may not.
    fn take_next(&mut self, sender: usize, may_be_alone: bool) -> Option<ActiveTarget> {
        let first = |(refused_by, active_targets): (&Senders, &BTreeMap<TargetNo, ActiveTarget>)| {
            active_targets.first_key_value().map(|(order, active)| (*order, *refused_by, active.alone))
        };
        let Some((order, refused_by, alone)) = self.open_to(sender).filter_map(first).min() else {
            return self.next_fresh();
        };
        if alone && !may_be_alone {
            return None;
        }
        let active_targets = self.ready.get_mut(&refused_by)?;
        let active = active_targets.remove(&order);
        if active_targets.is_empty() {
            self.ready.remove(&refused_by);
        }
        active
    }

    /// Removes an app that does not work any more. Users who were waiting only for this app must stop waiting.
    pub(super) fn drop_sender(&mut self, sender: usize) {
        self.working.remove(sender);
        let all = std::mem::take(&mut self.ready);
        all.into_values().flatten().for_each(|(_, active)| self.requeue(active));
        let working = self.working;
        let all_asked = self.isolated.iter_mut().filter(|active| active.refused_by.contains_all(working));
        all_asked.for_each(|active| active.refused_by = Senders::default());
    }

    /// Takes the targets that were started, in any order.
    pub(super) fn take_started(&mut self) -> Vec<ActiveTarget> {
        let ready = std::mem::take(&mut self.ready).into_values().flat_map(BTreeMap::into_values);
        ready.chain(std::mem::take(&mut self.delayed).into_values()).chain(self.isolated.drain()).collect()
    }
}
