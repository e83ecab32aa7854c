//! What is left to do in one tenant, in the plan's order: not begun, to be sent again, to be sent again later; and behind
//! all of these, who is set apart.
//!
//! Whoever an app was refused (403) waits for another app of the tenant. The queue knows which apps work, so that
//! nobody ever waits for one that does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::apart::IsolatedRetries;
use super::fresh::{LAST_RANK, PendingTargets, RemainingTargets};
use super::live::{ActiveTarget, Senders};
use crate::event::TargetNo;
use crate::plan::Target;

/// One tenant's queue.
pub(super) struct Queue {
    fresh: RemainingTargets,
    /// Where the first users were all refused: how many more are asked from elsewhere in the plan until it is clear
    /// whether anybody may be revoked.
    elsewhere: Option<u32>,
    /// All of the run's.
    targets: Arc<[Target]>,
    /// To be sent again as soon as the pacers allow, earliest in the plan first; by the apps that were refused them.
    /// No set is there without anybody, and none holds all working apps.
    ready: BTreeMap<Senders, BTreeMap<TargetNo, ActiveTarget>>,
    /// To be sent again at an instant of their own.
    delayed: BTreeMap<(Instant, TargetNo), ActiveTarget>,
    /// Who seems to be throttled for its own sake.
    apart: IsolatedRetries,
    /// The apps that work.
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
            apart: IsolatedRetries::default(),
            working,
        }
    }

    /// From now on only so many more are begun, from all over the plan: those first who hold no role as far as is known, and
    /// who were never tried.
    pub(super) fn ask_elsewhere(&mut self, count: u32) {
        self.elsewhere = Some(self.elsewhere.unwrap_or_default().saturating_add(count));
    }

    /// The plan's order holds again.
    pub(super) fn go_on_in_order(&mut self) {
        self.elsewhere = None;
    }

    /// Targets that are not settled and not in flight.
    pub(super) fn len(&self) -> u64 {
        let ready: usize = self.ready.values().map(BTreeMap::len).sum();
        (self.fresh.len() + ready + self.delayed.len() + self.apart.len()) as u64
    }

    /// Whether all were tried in this process.
    pub(super) fn is_all_tried(&self) -> bool {
        self.fresh.len() == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty() && self.fresh.len() == 0 && self.apart.len() == 0
    }

    /// How many may leave now by this sender as far as the queue is concerned, counted up to `most`.
    pub(super) fn waiting_for(&self, sender: usize, most: u32) -> u32 {
        let again: usize = self.open_to(sender).map(|(_, lives)| lives.len()).sum();
        let fresh = self.elsewhere.map_or(self.fresh.len(), |most| self.fresh.len().min(most as usize));
        let first = again + fresh;
        let waiting = if first > 0 { first } else { self.apart.due_for(sender) };
        u32::try_from(waiting).unwrap_or(u32::MAX).min(most)
    }

    /// The next of those that nobody worked on yet.
    fn next_fresh(&mut self) -> Option<ActiveTarget> {
        let Some(left) = &mut self.elsewhere else { return self.fresh.next().map(ActiveTarget::new) };
        *left = left.checked_sub(1)?;
        Some(ActiveTarget { from_elsewhere: true, ..self.pick()? })
    }

    /// Somebody from anywhere in the plan.
    fn pick(&mut self) -> Option<ActiveTarget> {
        let targets = &self.targets;
        let work = self.fresh.pick(|work| match targets[work.order as usize - 1].administrator {
            true => LAST_RANK,
            // Whoever an earlier process sent would say the same as before.
            false => u8::from(work.attempts > 0),
        })?;
        Some(ActiveTarget::new(work))
    }

    fn open_to(&self, sender: usize) -> impl Iterator<Item = (&Senders, &BTreeMap<TargetNo, ActiveTarget>)> {
        self.ready.iter().filter(move |(refused_by, _)| !refused_by.contains(sender))
    }

    /// Puts a target back, to leave as soon as it may.
    pub(super) fn requeue(&mut self, mut live: ActiveTarget) {
        if live.refused_by.contains_all(self.working) {
            // None is left that was not asked, and one of those that were has gone since.
            live.refused_by = Senders::default();
        }
        self.ready.entry(live.refused_by).or_default().insert(live.work.order, live);
    }

    /// Puts a target back, to leave not before then.
    pub(super) fn again_at(&mut self, at: Instant, live: ActiveTarget) {
        self.delayed.insert((at, live.work.order), live);
    }

    /// Puts a target behind all others, to leave not before then.
    pub(super) fn set_apart(&mut self, at: Instant, live: ActiveTarget) {
        self.apart.push(at, live);
    }

    /// Nobody who is set apart leaves before then.
    pub(super) fn hold_apart(&mut self, until: Instant) {
        self.apart.hold(until);
    }

    /// Those who are set apart are as all others again.
    pub(super) fn clear_apart(&mut self) {
        for live in self.apart.drain() {
            self.requeue(ActiveTarget { apart: None, ..live });
        }
    }

    /// When the first of those who wait for an instant of their own may leave.
    pub(super) fn next_delayed(&self) -> Option<Instant> {
        let delayed = self.delayed.keys().next().map(|(at, _)| *at);
        [delayed, self.apart.next()].into_iter().flatten().min()
    }

    /// Brings back those whose instant has come.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let live = entry.remove();
            self.requeue(live);
        }
        self.apart.wake(now);
    }

    /// Takes somebody who was not tried yet, from anywhere in the plan: a gate that one user keeps closed may be open to
    /// another. Where there is none, whoever is next.
    pub(super) fn take_other(&mut self, sender: usize) -> Vec<ActiveTarget> {
        let other = if self.elsewhere.is_none() { self.pick() } else { None };
        other.map_or_else(|| self.pop_batch(sender, 1), |live| vec![live])
    }

    /// Takes up to `most` targets for one request by this sender: those who go again first, and those set apart where
    /// there is nobody else. One that must go alone does.
    pub(super) fn pop_batch(&mut self, sender: usize, most: u32) -> Vec<ActiveTarget> {
        let first = self.take_by(most, |queue, first| queue.take_next(sender, first));
        if first.is_empty() { self.take_by(most, |queue, _| queue.apart.pop_for(sender)) } else { first }
    }

    fn take_by(
        &mut self,
        most: u32,
        next: impl Fn(&mut Queue, bool) -> Option<ActiveTarget>,
    ) -> Vec<ActiveTarget> {
        let mut taken: Vec<ActiveTarget> = Vec::with_capacity(most.min(20) as usize);
        while taken.len() < most as usize {
            let Some(live) = next(self, taken.is_empty()) else { break };
            let alone = live.alone;
            taken.push(live);
            if alone {
                break;
            }
        }
        taken
    }

    /// The next in line for this sender, unless it must go alone and may not.
    fn take_next(&mut self, sender: usize, may_be_alone: bool) -> Option<ActiveTarget> {
        let first = |(refused_by, lives): (&Senders, &BTreeMap<TargetNo, ActiveTarget>)| {
            lives.first_key_value().map(|(order, live)| (*order, *refused_by, live.alone))
        };
        let Some((order, refused_by, alone)) = self.open_to(sender).filter_map(first).min() else {
            return self.next_fresh();
        };
        if alone && !may_be_alone {
            return None;
        }
        let lives = self.ready.get_mut(&refused_by)?;
        let live = lives.remove(&order);
        if lives.is_empty() {
            self.ready.remove(&refused_by);
        }
        live
    }

    /// This app works no more: whoever only it had not been refused yet must not wait for it.
    pub(super) fn dropped(&mut self, sender: usize) {
        self.working.remove(sender);
        let all = std::mem::take(&mut self.ready);
        all.into_values().flatten().for_each(|(_, live)| self.requeue(live));
        let working = self.working;
        let all_asked = self.apart.iter_mut().filter(|live| live.refused_by.contains_all(working));
        all_asked.for_each(|live| live.refused_by = Senders::default());
    }

    /// Takes those who were begun, in no order that matters.
    pub(super) fn take_begun(&mut self) -> Vec<ActiveTarget> {
        let ready = std::mem::take(&mut self.ready).into_values().flat_map(BTreeMap::into_values);
        ready.chain(std::mem::take(&mut self.delayed).into_values()).chain(self.apart.drain()).collect()
    }
}
