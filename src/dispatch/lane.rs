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

use tokio::time::Instant;

use super::halt::Refusals;
use super::live::{Live, MOST_APPS};
use super::pacer::{Departure, Pacer, Permit};
use super::queue::{Fresh, Queue};
use super::renewal::{Renewals, Whose};
use super::sender::{App, Sender};
use super::width::Width;
use super::{Everywhere, Settings};
use crate::event::Stop;
use crate::graph::Graph;

/// A tenant to be worked on.
pub struct Tenant<G> {
    /// The apps that send there: at least one, or a reason why nothing is sent; at most [`MOST_APPS`].
    pub apps: Vec<App<G>>,
    /// What is to be done there.
    pub work: Fresh,
    /// Why nothing may be sent there at all, if that is so.
    pub refused: Option<Stop>,
}

/// The same, at work.
pub(super) struct Lane<G> {
    pub(super) queue: Queue,
    pub(super) senders: Vec<Sender<G>>,
    /// The limit that all apps of the tenant share.
    pub(super) pacer: Pacer,
    pub(super) width: Width,
    pub(super) refusals: Refusals,
    /// Why nothing more is sent in this tenant.
    pub(super) stop: Option<Stop>,
    /// The sender that is asked first.
    turn: usize,
}

/// What a lane can do now.
pub(super) enum Step {
    /// These leave by this sender.
    Leave { sender: usize, lives: Vec<Live> },
    /// Nothing before then.
    NotBefore(Instant),
    /// Nothing before an answer, a token, or more work.
    Wait,
    /// Nothing before an answer to one of this app's requests, in whatever tenant.
    WaitFor(Everywhere),
}

/// What a request was counted by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) app: Departure,
    pub(super) tenant: Departure,
    pub(super) everywhere: Option<(Everywhere, Departure)>,
}

/// What the pacers of one sender say together.
enum Leave {
    Go(u32),
    NotBefore(Instant),
    AfterAnswer(Option<Everywhere>),
}

impl<G: Graph> Lane<G> {
    pub(super) fn new(tenant: Tenant<G>, settings: &Settings, places: usize) -> Lane<G> {
        let planned = tenant.work.len() as u64;
        let apps = tenant.apps.into_iter().take(MOST_APPS);
        let senders: Vec<_> = apps.map(|app| Sender::new(app, &settings.pacing, planned)).collect();
        Lane {
            queue: Queue::new(tenant.work),
            senders,
            pacer: Pacer::new(settings.pacing.tenant, planned),
            width: Width::new(settings.jobs, settings.batch, places),
            refusals: Refusals::new(settings.accepted.clone()),
            stop: tenant.refused,
            turn: 0,
        }
    }

    /// Whether there is anything left that may be sent.
    pub(super) fn is_left(&mut self) -> bool {
        self.stop.is_none() && !self.queue.is_empty()
    }

    /// Takes the next request's users, if somebody may leave now.
    pub(super) fn step(
        &mut self,
        index: usize,
        everywhere: &mut [Pacer],
        renewals: &mut Renewals,
        now: Instant,
    ) -> Step {
        if self.stop.is_some() {
            return Step::Wait;
        }
        self.queue.wake(now);
        let delayed = self.queue.next_delayed();
        let otherwise = |step: Step| match (step, delayed) {
            (Step::NotBefore(at), Some(delayed)) => Step::NotBefore(at.min(delayed)),
            (Step::Wait, Some(delayed)) => Step::NotBefore(delayed),
            (step, _) => step,
        };
        let waiting = self.queue.waiting(self.width.room().max(1));
        if waiting == 0 {
            return otherwise(Step::Wait);
        }
        let mut step = Step::Wait;
        for nth in 0..self.senders.len() {
            let sender = (self.turn + nth) % self.senders.len();
            let whose = Whose { lane: index, sender };
            let working = &mut self.senders[sender];
            if working.is_dropped || !working.has_token(whose, renewals) {
                continue;
            }
            match self.may_leave(sender, waiting, everywhere) {
                Leave::Go(_) if self.width.free() == 0 => {
                    self.width.is_short();
                    return otherwise(Step::Wait);
                }
                Leave::Go(most) => match self.width.share(most, waiting, now) {
                    Ok(users) => {
                        let lives = self.queue.take(sender, users);
                        if !lives.is_empty() {
                            self.turn = (sender + 1) % self.senders.len();
                            return Step::Leave { sender, lives };
                        }
                    }
                    Err(until) => step = sooner(step, until),
                },
                Leave::NotBefore(at) => step = sooner(step, at),
                Leave::AfterAnswer(Some(app)) => {
                    if matches!(step, Step::Wait) {
                        step = Step::WaitFor(app);
                    }
                }
                Leave::AfterAnswer(None) => {}
            }
        }
        otherwise(step)
    }

    /// Asks the three limits at once, and counts nothing.
    fn may_leave(&mut self, sender: usize, wanted: u32, everywhere: &mut [Pacer]) -> Leave {
        let sender = &mut self.senders[sender];
        let own = sender.pacer.permit(wanted);
        let tenant = self.pacer.permit(wanted);
        let app = sender.everywhere.map(|app| (app, everywhere[app.0].permit(wanted)));
        let mut may = match (own, tenant) {
            (Permit::Go(own), Permit::Go(tenant)) => Leave::Go(own.min(tenant)),
            (Permit::AfterAnswer, _) | (_, Permit::AfterAnswer) => return Leave::AfterAnswer(None),
            (Permit::NotBefore(own), Permit::NotBefore(tenant)) => Leave::NotBefore(own.max(tenant)),
            (Permit::NotBefore(at), _) | (_, Permit::NotBefore(at)) => Leave::NotBefore(at),
        };
        if let Some((app, permit)) = app {
            may = match (may, permit) {
                (Leave::Go(users), Permit::Go(all)) => Leave::Go(users.min(all)),
                (Leave::Go(_), Permit::AfterAnswer) => Leave::AfterAnswer(Some(app)),
                (Leave::NotBefore(one), Permit::NotBefore(other)) => Leave::NotBefore(one.max(other)),
                (Leave::Go(_), Permit::NotBefore(at)) => Leave::NotBefore(at),
                (may, _) => may,
            };
        }
        may
    }

    /// Counts a request that leaves.
    pub(super) fn depart(&mut self, sender: usize, users: u32, everywhere: &mut [Pacer]) -> Counted {
        self.width.left();
        let sender = &mut self.senders[sender];
        Counted {
            app: sender.pacer.depart(users),
            tenant: self.pacer.depart(users),
            everywhere: sender.everywhere.map(|app| (app, everywhere[app.0].depart(users))),
        }
    }

    /// Senders that still work.
    pub(super) fn working(&self) -> impl Iterator<Item = usize> {
        self.senders.iter().enumerate().filter(|(_, sender)| !sender.is_dropped).map(|(at, _)| at)
    }

    /// Until when Graph itself asked all senders to wait.
    pub(super) fn asked_until(&self) -> Option<Instant> {
        let tenant = self.pacer.asked_until();
        let all: Option<Vec<Instant>> =
            self.working().map(|at| self.senders[at].pacer.asked_until()).collect();
        let apps = all.and_then(|all| all.into_iter().min());
        tenant.max(apps)
    }
}

fn sooner(step: Step, at: Instant) -> Step {
    match step {
        Step::NotBefore(before) => Step::NotBefore(before.min(at)),
        _ => Step::NotBefore(at),
    }
}
