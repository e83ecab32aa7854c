//! What is left to do in one tenant, in the plan's order: not begun, to be sent again, to be sent again later.

use std::collections::BTreeMap;
use std::iter::Peekable;

use tokio::time::Instant;

use super::live::{Live, Senders, Work};
use crate::event::Order;

/// Targets that nobody worked on yet, in sending order.
pub type Fresh = Box<dyn ExactSizeIterator<Item = Work> + Send>;

/// One tenant's queue.
pub(super) struct Queue {
    fresh: Peekable<Fresh>,
    /// To be sent again as soon as the pacer allows, earliest in the plan first.
    ready: BTreeMap<Order, Live>,
    /// To be sent again at an instant of their own.
    delayed: BTreeMap<(Instant, Order), Live>,
}

impl Queue {
    pub(super) fn new(fresh: Fresh) -> Queue {
        Queue { fresh: fresh.peekable(), ready: BTreeMap::new(), delayed: BTreeMap::new() }
    }

    /// Targets that are not settled and not in flight.
    pub(super) fn len(&self) -> u64 {
        (self.fresh.len() + self.ready.len() + self.delayed.len()) as u64
    }

    pub(super) fn is_empty(&mut self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty() && self.fresh.peek().is_none()
    }

    /// How many may leave now as far as the queue is concerned, counted up to `most`.
    pub(super) fn waiting(&mut self, most: u32) -> u32 {
        let waiting = self.ready.len() + self.fresh.len();
        u32::try_from(waiting).unwrap_or(u32::MAX).min(most)
    }

    /// Puts a target back, to leave as soon as it may.
    pub(super) fn again(&mut self, live: Live) {
        self.ready.insert(live.work.order, live);
    }

    /// Puts a target back, to leave not before then.
    pub(super) fn again_at(&mut self, at: Instant, live: Live) {
        self.delayed.insert((at, live.work.order), live);
    }

    /// When the first of those who wait for an instant of their own may leave.
    pub(super) fn next_delayed(&self) -> Option<Instant> {
        self.delayed.keys().next().map(|(at, _)| *at)
    }

    /// Brings back those whose instant has come.
    pub(super) fn wake(&mut self, now: Instant) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let live = entry.remove();
            self.ready.insert(live.work.order, live);
        }
    }

    /// Takes up to `most` targets for one request by this sender: those who go again first. One that must go alone does.
    pub(super) fn take(&mut self, sender: usize, most: u32) -> Vec<Live> {
        let mut taken: Vec<Live> = Vec::with_capacity(most.min(20) as usize);
        while taken.len() < most as usize {
            let again = self.ready.iter().find(|(_, live)| !live.refused_by.contains(sender));
            let alone = again.is_some_and(|(_, live)| live.alone);
            if alone && !taken.is_empty() {
                break;
            }
            let next = match again.map(|(order, _)| *order) {
                Some(order) => self.ready.remove(&order),
                None => self.fresh.next().map(Live::new),
            };
            let Some(live) = next else { break };
            taken.push(live);
            if alone {
                break;
            }
        }
        taken
    }

    /// Whoever was refused may be asked for by any app again.
    pub(super) fn forget_refusals(&mut self) {
        for live in self.ready.values_mut().chain(self.delayed.values_mut()) {
            live.refused_by = Senders::default();
        }
    }

    /// Takes those who were begun, in no order that matters.
    pub(super) fn take_begun(&mut self) -> Vec<Live> {
        let ready = std::mem::take(&mut self.ready).into_values();
        ready.chain(std::mem::take(&mut self.delayed).into_values()).collect()
    }
}
