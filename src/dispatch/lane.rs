//! One tenant's part of a run: its queue, the apps that send there, and the limit that they share.
//!
//! ```text
//!            ┌─ sender (app A): token, pacer ─┐
//!   queue ──▶├─ sender (app B): token, pacer ─┼──▶ tenant's pacer ──▶ places (jobs, batch size)
//!            └─ sender (app C): token, pacer ─┘
//! ```
//!
//! Work flows to whichever app may send next. A request leaves when its app's pacer, the tenant's, and the app's over
//! all tenants allow it at once; only then it is counted by all of them.

use std::sync::Arc;

use tokio::time::Instant;

use super::DispatchSettings;
use super::apart::BatchEvidence;
use super::fresh::PendingTargets;
use super::live::{ActiveTarget, MOST_APPS, Senders};
use super::pacer::{Pacer, PacerDecision, Permit};
use super::queue::Queue;
use super::refusals::ForbiddenStreak;
use super::renewal::{Renewals, SenderId};
use super::sender::{Sender, SendingApp};
use super::shared::{AppLimitId, AppWideLimits};
use super::width::{BatchShare, ConcurrencyLimit};
use crate::event::StopReason;
use crate::graph::Graph;
use crate::plan::Target;

/// A tenant to be worked on.
pub struct LaneTenant<G> {
    /// The apps that send there: at least one, or a reason why nothing is sent; at most [`MOST_APPS`].
    pub apps: Vec<SendingApp<G>>,
    /// What is to be done there.
    pub work: PendingTargets,
    /// Why nothing may be sent there at all, if that is so.
    pub refused: Option<StopReason>,
}

/// The same, at work.
pub(super) struct Lane<G> {
    pub(super) queue: Queue,
    pub(super) senders: Vec<Sender<G>>,
    /// The limit that all apps of the tenant share.
    pub(super) pacer: Pacer,
    pub(super) width: ConcurrencyLimit,
    pub(super) refusals: ForbiddenStreak,
    /// What tells a user's own throttle from a limit.
    pub(super) evidence: BatchEvidence,
    /// Why nothing more is sent in this tenant.
    pub(super) stop: Option<StopReason>,
    /// The sender that is asked first.
    turn: usize,
    /// Answers about users, and those of them that settled one: more are needed than there are users.
    pub(super) answered: u64,
    pub(super) settled: u64,
}

/// What a lane can do now.
pub(super) enum LaneStep {
    /// These leave by this sender.
    Leave { sender: usize, lives: Vec<ActiveTarget> },
    /// Nothing before then; where there is no instant, nothing before an answer, a token, or a call from an app's line.
    Rest { until: Option<Instant> },
}

/// What a request was counted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneCounts {
    pub(super) app: Permit,
    pub(super) tenant: Permit,
    pub(super) everywhere: Option<(AppLimitId, Permit)>,
}

/// What stands between the lane's users and one of its senders.
enum SendPermit {
    /// Nothing, for so many.
    Free(u32),
    /// Time alone.
    NotBefore(Instant),
    /// An answer, a token, a call: whatever it is, it makes the lane look again.
    Closed,
}

impl<G: Graph> Lane<G> {
    pub(super) fn new(
        tenant: LaneTenant<G>,
        targets: Arc<[Target]>,
        settings: &DispatchSettings,
        places: usize,
    ) -> Lane<G> {
        let planned = tenant.work.len() as u64;
        let apps = tenant.apps.into_iter().take(MOST_APPS);
        let senders: Vec<_> = apps.map(|app| Sender::new(app, &settings.pacing, planned)).collect();
        Lane {
            queue: Queue::new(tenant.work, targets, Senders::first(senders.len())),
            senders,
            pacer: Pacer::new(settings.pacing.tenant, planned),
            width: ConcurrencyLimit::new(settings, places),
            refusals: ForbiddenStreak::new(&settings.accepted, planned),
            evidence: BatchEvidence::default(),
            stop: tenant.refused,
            turn: 0,
            answered: 0,
            settled: 0,
        }
    }

    /// Whether there is anything left that may be sent.
    pub(super) fn is_left(&mut self) -> bool {
        self.stop.is_none() && !self.queue.is_empty()
    }

    /// Takes the next request's users, if somebody may leave now.
    pub(super) fn step(
        &mut self,
        lane: usize,
        shared: &mut AppWideLimits,
        renewals: &mut Renewals,
        now: Instant,
    ) -> LaneStep {
        if self.stop.is_some() {
            return LaneStep::Rest { until: None };
        }
        self.width.reset_starved();
        self.queue.wake(now);
        let mut until = self.queue.next_delayed();
        for nth in 0..self.senders.len() {
            let sender = (self.turn + nth) % self.senders.len();
            match self.way(SenderId { lane, sender }, shared, renewals, now) {
                SendPermit::Free(users) => {
                    self.turn = (sender + 1) % self.senders.len();
                    let again = self.is_probing_again(sender, shared);
                    let queue = &mut self.queue;
                    let lives = if again { queue.take_other(sender) } else { queue.pop_batch(sender, users) };
                    return LaneStep::Leave { sender, lives };
                }
                SendPermit::NotBefore(at) => until = Some(until.map_or(at, |before| before.min(at))),
                SendPermit::Closed => {}
            }
        }
        LaneStep::Rest { until }
    }

    /// Who of the waiting may leave by this sender. Counts nothing.
    fn way(
        &mut self,
        whose: SenderId,
        shared: &mut AppWideLimits,
        renewals: &mut Renewals,
        now: Instant,
    ) -> SendPermit {
        let waiting = self.queue.waiting_for(whose.sender, self.width.room().max(1));
        let sender = &mut self.senders[whose.sender];
        if waiting == 0 || sender.is_dropped || !sender.has_token(whose, renewals) {
            return SendPermit::Closed;
        }
        let most = match both(sender.pacer.permit(waiting), self.pacer.permit(waiting)) {
            PacerDecision::Go(users) => users,
            PacerDecision::NotBefore(at) => return SendPermit::NotBefore(at),
            PacerDecision::AfterAnswer => return SendPermit::Closed,
        };
        let Some(most) = self.permitted_everywhere(whose, shared, most) else { return SendPermit::Closed };
        if self.width.free() == 0 {
            self.width.is_short(now);
            return SendPermit::Closed;
        }
        // A probe waits for nobody.
        let together = if self.is_probing(whose.sender, shared) { most } else { waiting };
        let gathering = &mut self.senders[whose.sender].gathering;
        match self.width.share(most, together, gathering, now) {
            BatchShare::Now(users) => SendPermit::Free(users),
            BatchShare::NotBefore(at) => SendPermit::NotBefore(at),
        }
    }

    /// Asks the app's limit over all its tenants; the lane stands in line where it is in the way of a free place.
    fn permitted_everywhere(&self, whose: SenderId, shared: &mut AppWideLimits, most: u32) -> Option<u32> {
        let Some(app) = self.senders[whose.sender].everywhere else { return Some(most) };
        let permitted = shared.permit(app, whose.lane, most);
        if permitted.is_none() && self.width.free() > 0 {
            shared.enqueue_for_app_limit(app, whose.lane);
        }
        permitted
    }

    /// Whether the next to leave tries a closed gate.
    fn is_probing(&self, sender: usize, shared: &AppWideLimits) -> bool {
        let sender = &self.senders[sender];
        let everywhere = sender.everywhere.and_then(|app| shared.pacer(app).closed_until());
        everywhere.or(sender.pacer.closed_until()).or(self.pacer.closed_until()).is_some()
    }

    /// Whether it does so after a probe was throttled.
    fn is_probing_again(&self, sender: usize, shared: &AppWideLimits) -> bool {
        let sender = &self.senders[sender];
        let everywhere = sender.everywhere.is_some_and(|app| shared.pacer(app).is_probing_again());
        everywhere || sender.pacer.is_probing_again() || self.pacer.is_probing_again()
    }

    /// Counts a request that leaves.
    pub(super) fn depart(&mut self, sender: usize, users: u32, shared: &mut AppWideLimits) -> LaneCounts {
        self.width.on_sent();
        let sender = &mut self.senders[sender];
        LaneCounts {
            app: sender.pacer.depart(users),
            tenant: self.pacer.depart(users),
            everywhere: sender.everywhere.map(|app| (app, shared.depart(app, users))),
        }
    }

    /// Senders that still work.
    pub(super) fn working(&self) -> impl Iterator<Item = usize> {
        self.senders.iter().enumerate().filter(|(_, sender)| !sender.is_dropped).map(|(at, _)| at)
    }

    /// The sender sends nothing more.
    pub(super) fn drop_sender(&mut self, sender: usize) {
        self.senders[sender].is_dropped = true;
        self.queue.dropped(sender);
    }

    /// Until when Graph itself asked all senders to wait.
    pub(super) fn asked_until(&self, shared: &AppWideLimits) -> Option<Instant> {
        let of = |at: usize| {
            let sender = &self.senders[at];
            let everywhere = sender.everywhere.and_then(|app| shared.pacer(app).asked_until());
            sender.pacer.asked_until().max(everywhere)
        };
        // None is the least: one app that may send is enough.
        let apps = self.working().map(of).min().flatten();
        self.pacer.asked_until().max(apps)
    }
}

/// What two limits say together.
fn both(one: PacerDecision, other: PacerDecision) -> PacerDecision {
    match (one, other) {
        (PacerDecision::Go(one), PacerDecision::Go(other)) => PacerDecision::Go(one.min(other)),
        (PacerDecision::AfterAnswer, _) | (_, PacerDecision::AfterAnswer) => PacerDecision::AfterAnswer,
        (PacerDecision::NotBefore(one), PacerDecision::NotBefore(other)) => {
            PacerDecision::NotBefore(one.max(other))
        }
        (PacerDecision::NotBefore(at), PacerDecision::Go(_))
        | (PacerDecision::Go(_), PacerDecision::NotBefore(at)) => PacerDecision::NotBefore(at),
    }
}
