//! One tenant's part of a run: its queue, the apps that send there, and the limit that they share.
//!
//! ```text
//!            ┌─ sender (app A): token, pacer ─┐
//!   queue ──▶├─ sender (app B): token, pacer ─┼──▶ tenant's pacer ──▶ places (jobs, batch size)
//!            └─ sender (app C): token, pacer ─┘
//! ```
//!
//! Work flows to whichever app may send next. A request leaves when its app's pacer, the tenant's pacer, and
//! the app's pacer over all tenants allow it at the same time. Only then do all of them count it.

use std::sync::Arc;

use tokio::time::Instant;

use super::DispatchSettings;
use super::active_target::{ActiveTarget, MAX_APPS, Senders};
use super::app_wide_limits::{AppLimitId, AppWideLimits};
use super::concurrency_limit::{BatchShare, ConcurrencyLimit};
use super::isolated_retries::ThrottleEvidence;
use super::pacer::{Pacer, PacerDecision, Permit};
use super::pending_targets::PendingTargets;
use super::queue::Queue;
use super::refusals::ForbiddenStreak;
use super::renewal::{Renewals, SenderId};
use super::sender::{Sender, SendingApp};
use crate::event::StopReason;
use crate::graph::Graph;
use crate::plan::Target;

/// A tenant in which users are to be revoked.
pub struct LaneTenant<G> {
    /// The apps that send there: from one to [`MAX_APPS`], or none if `refused` is set.
    pub apps: Vec<SendingApp<G>>,
    /// The targets in this tenant.
    pub work: PendingTargets,
    /// Why nothing may be sent there, if that is so.
    pub refused: Option<StopReason>,
}

/// The state of a tenant during the run.
pub(super) struct Lane<G> {
    pub(super) queue: Queue,
    pub(super) senders: Vec<Sender<G>>,
    /// The limit that all apps of the tenant share.
    pub(super) pacer: Pacer,
    pub(super) width: ConcurrencyLimit,
    pub(super) refusals: ForbiddenStreak,
    /// The evidence that distinguishes a user's own throttle from a limit.
    pub(super) evidence: ThrottleEvidence,
    /// Why nothing more is sent in this tenant, if that is so.
    pub(super) stop: Option<StopReason>,
    /// The sender that is tried first.
    turn: usize,
    /// The number of answers about users, and of settled users. A user may take several answers.
    pub(super) answered: u64,
    pub(super) settled: u64,
}

/// What a lane does next.
pub(super) enum LaneStep {
    /// These users are sent by this sender.
    Leave { sender: usize, active_targets: Vec<ActiveTarget> },
    /// Nothing before this instant. If there is none, nothing before an answer, a new token, or the lane's
    /// turn at an app's limit.
    Rest { until: Option<Instant> },
}

/// The permits of a request, one from each limit that counted it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneCounts {
    pub(super) app: Permit,
    pub(super) tenant: Permit,
    pub(super) everywhere: Option<(AppLimitId, Permit)>,
}

/// Whether one of the lane's senders may send.
enum SendPermit {
    /// Up to this many users may be sent.
    Free(u32),
    /// Nothing may be sent before this instant.
    NotBefore(Instant),
    /// Nothing may be sent before an answer, a new token, or a turn. Each of these makes the lane check
    /// again.
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
        let apps = tenant.apps.into_iter().take(MAX_APPS);
        let senders: Vec<_> = apps.map(|app| Sender::new(app, &settings.pacing, planned)).collect();
        Lane {
            queue: Queue::new(tenant.work, targets, Senders::first(senders.len())),
            senders,
            pacer: Pacer::new(settings.pacing.tenant, planned),
            width: ConcurrencyLimit::new(settings, places),
            refusals: ForbiddenStreak::new(&settings.accepted, planned),
            evidence: ThrottleEvidence::default(),
            stop: tenant.refused,
            turn: 0,
            answered: 0,
            settled: 0,
        }
    }

    /// Whether anything is left that may be sent.
    pub(super) fn is_left(&mut self) -> bool {
        self.stop.is_none() && !self.queue.is_empty()
    }

    /// Takes the users for the next request, if one may leave now.
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
            match self.check_sender(SenderId { lane, sender }, shared, renewals, now) {
                SendPermit::Free(users) => {
                    self.turn = (sender + 1) % self.senders.len();
                    let again = self.is_probing_again(sender, shared);
                    let queue = &mut self.queue;
                    let active_targets =
                        if again { queue.take_other(sender) } else { queue.pop_batch(sender, users) };
                    return LaneStep::Leave { sender, active_targets };
                }
                SendPermit::NotBefore(at) => until = Some(until.map_or(at, |before| before.min(at))),
                SendPermit::Closed => {}
            }
        }
        LaneStep::Rest { until }
    }

    /// How many of the waiting users may leave by this sender. Counts nothing.
    fn check_sender(
        &mut self,
        sender_id: SenderId,
        shared: &mut AppWideLimits,
        renewals: &mut Renewals,
        now: Instant,
    ) -> SendPermit {
        let waiting = self.queue.waiting_for(sender_id.sender, self.width.room().max(1));
        let sender = &mut self.senders[sender_id.sender];
        if waiting == 0 || sender.is_dropped || !sender.has_token(sender_id, renewals) {
            return SendPermit::Closed;
        }
        let most = match combine(sender.pacer.permit(waiting), self.pacer.permit(waiting)) {
            PacerDecision::Go(users) => users,
            PacerDecision::NotBefore(at) => return SendPermit::NotBefore(at),
            PacerDecision::AfterAnswer => return SendPermit::Closed,
        };
        let Some(most) = self.permitted_everywhere(sender_id, shared, most) else {
            return SendPermit::Closed;
        };
        if self.width.free() == 0 {
            self.width.is_short(now);
            return SendPermit::Closed;
        }
        // A probe does not wait for other users.
        let together = if self.is_probing(sender_id.sender, shared) { most } else { waiting };
        let gathering = &mut self.senders[sender_id.sender].gathering;
        match self.width.share(most, together, gathering, now) {
            BatchShare::Now(users) => SendPermit::Free(users),
            BatchShare::NotBefore(at) => SendPermit::NotBefore(at),
        }
    }

    /// Asks the app's limit over all its tenants. If there is a free slot, but the limit refuses, the lane
    /// waits in line.
    fn permitted_everywhere(
        &self,
        sender_id: SenderId,
        shared: &mut AppWideLimits,
        most: u32,
    ) -> Option<u32> {
        let Some(app) = self.senders[sender_id.sender].everywhere else { return Some(most) };
        let permitted = shared.permit(app, sender_id.lane, most);
        if permitted.is_none() && self.width.free() > 0 {
            shared.enqueue_for_app_limit(app, sender_id.lane);
        }
        permitted
    }

    /// Whether the next request is a probe of a closed gate.
    fn is_probing(&self, sender: usize, shared: &AppWideLimits) -> bool {
        let sender = &self.senders[sender];
        let everywhere = sender.everywhere.and_then(|app| shared.pacer(app).closed_until());
        everywhere.or(sender.pacer.closed_until()).or(self.pacer.closed_until()).is_some()
    }

    /// Whether it is a probe, and an earlier probe was throttled.
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

    /// The indices of senders that still work.
    pub(super) fn active_senders(&self) -> impl Iterator<Item = usize> {
        self.senders.iter().enumerate().filter(|(_, sender)| !sender.is_dropped).map(|(at, _)| at)
    }

    /// Stops the sender.
    pub(super) fn drop_sender(&mut self, sender: usize) {
        self.senders[sender].is_dropped = true;
        self.queue.drop_sender(sender);
    }

    /// Until when Graph itself asked all senders to wait.
    pub(super) fn asked_until(&self, shared: &AppWideLimits) -> Option<Instant> {
        let of = |at: usize| {
            let sender = &self.senders[at];
            let everywhere = sender.everywhere.and_then(|app| shared.pacer(app).asked_until());
            sender.pacer.asked_until().max(everywhere)
        };
        // `None` is the minimum: one app that may send is enough.
        let apps = self.active_senders().map(of).min().flatten();
        self.pacer.asked_until().max(apps)
    }
}

/// Combines the decisions of two limits.
fn combine(one: PacerDecision, other: PacerDecision) -> PacerDecision {
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
