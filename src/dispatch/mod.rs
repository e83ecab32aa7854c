//! The loop that owns a run: queues, pacers, retries, halt rules, journal. Workers only carry one request each.
//!
//! ```text
//!              ┌─ lane: tenant 1 ─┐
//!  schedule ──▶├─ lane: tenant 2 ─┼─▶ journal: `sent` ─▶ workers ─▶ Graph ─▶ answers ─▶ verdicts ─▶ journal ─▶ listeners
//!              └─ lane: tenant n ─┘        ▲                                    │
//!                    ▲                     └── again, when the pacer allows ────┘
//!                    └── apps over all tenants: one limit each
//! ```
//!
//! Each turn launches what may leave, then waits for the first of: answers, a synced journal, a renewed token, a
//! signal, an instant. Waiting happens here, in the queues; no worker sleeps. A lane is one tenant's part of the run,
//! and none waits for another's throttle or failing sign-in.
//!
//! The order of things is what makes a run survive a kill: a request's `sent` line is written before the request
//! leaves, and an outcome is told to anybody only once its line is synced.

mod answers;
mod apart;
mod backoff;
mod forecast;
mod fresh;
mod halt;
mod lane;
mod launch;
mod live;
mod pacer;
mod queue;
mod rate;
mod recorder;
mod refusals;
mod renewal;
mod schedule;
mod sender;
mod shared;
mod throttle_scopes;
mod tokens;
mod verdict;
mod width;

#[cfg(test)]
mod tests;

pub use forecast::Forecast;
pub use fresh::PendingTargets;
pub use halt::{HaltRule, InvalidHalt};
pub use lane::LaneTenant;
pub use live::{MOST_APPS, TargetProgress};
pub use pacer::{Pacer, PacerDecision, Permit};
pub use rate::{InvalidRate, PacingSettings, Rate, RatePolicy};
pub use sender::SendingApp;
pub use shared::AppLimitId;
pub use verdict::{Verdict, verdict};
pub use width::{BatchSize, InvalidWidth, Jobs, MOST_IN_BATCH};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::event::{Event, EventScope, StopReason, TenantIndex};
use crate::graph::{BatchAnswer, BatchRequest, Graph};
use crate::journal::{Journal, JournalError};
use crate::number::after;
use crate::outcome::Accepted;
use crate::plan::Target;
use lane::{Lane, LaneCounts};
use live::ActiveTarget;
use recorder::AttemptRecorder;
use renewal::{Renewals, SenderId};
use schedule::Schedule;
use shared::AppWideLimits;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    /// Requests in flight at most, in each tenant.
    pub jobs: Jobs,
    /// Users in one request.
    pub batch: BatchSize,
    /// Requests in flight at most in all tenants together: as many as the system has room for.
    pub places: usize,
    /// How fast users may leave.
    pub pacing: PacingSettings,
    /// Tries after the first one, for answers that a repeat may mend.
    pub retries: u32,
    /// Whoever is asked to wait for longer is not waited for.
    pub max_wait: Duration,
    /// When sending ends, counted from the dispatcher's start.
    pub deadline: Option<Duration>,
    /// When to stop by itself.
    pub halt: Option<HaltRule>,
    /// Outcomes that count as done.
    pub accepted: Accepted,
}

/// How the dispatcher ended.
#[derive(Debug)]
pub struct DispatchOutcome {
    /// Why it stopped ahead of the plan's end, if it did.
    pub stop: Option<StopReason>,
    /// Why it stopped in single tenants, by their place; where there is one tenant only, that stops the run.
    pub tenants: Vec<Option<StopReason>>,
}

/// The time now, as the journal writes it.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// One run's loop. `listen` hears each event after the journal has it.
pub struct Dispatcher<G, L> {
    targets: Arc<[Target]>,
    settings: DispatchSettings,
    recorder: AttemptRecorder<L>,

    /// A tenant each, in the order of [`Target::store`].
    lanes: Vec<Lane<G>>,
    schedule: Schedule,
    /// The limits of apps over all their tenants.
    shared: AppWideLimits,
    /// A lane that had something left when it was last looked for.
    left_at: usize,

    /// About to leave: their `sent` lines are gathered and not written.
    staged: Vec<(InFlightRequest, Vec<BatchRequest>)>,
    in_flight: HashMap<Id, InFlightRequest>,
    workers: JoinSet<Vec<BatchAnswer>>,
    renewals: Renewals,

    watch: halt::FailureThreshold,
    forecast: Forecast,
    deadline: Option<Instant>,
    stop: Option<StopReason>,
}

/// A request in flight.
struct InFlightRequest {
    departed: DispatchedAttempt,
    lives: Vec<ActiveTarget>,
}

/// By whom a request left, when, and what it was counted by.
#[derive(Clone, Copy, Debug)]
struct DispatchedAttempt {
    whose: SenderId,
    counted: LaneCounts,
    at: Instant,
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Sets up a run over `targets` (in sending order), of which each tenant's work is to be done.
    pub fn new(
        tenants: Vec<LaneTenant<G>>,
        targets: Arc<[Target]>,
        settings: DispatchSettings,
        journal: Journal,
        listen: L,
    ) -> Self {
        let planned = tenants.iter().map(|tenant| tenant.work.len() as u64).sum();
        let shared = AppWideLimits::new(&tenants, &settings.pacing);
        let places = (settings.places / tenants.len().max(1)).clamp(1, settings.jobs.max());
        let lanes: Vec<_> = tenants
            .into_iter()
            .map(|tenant| Lane::new(tenant, Arc::clone(&targets), &settings, places))
            .collect();
        Dispatcher {
            schedule: Schedule::new(lanes.len()),
            shared,
            left_at: 0,
            watch: halt::FailureThreshold::new(settings.halt, settings.accepted.clone(), planned),
            deadline: settings.deadline.and_then(|time| Instant::now().checked_add(time)),
            stop: None,
            lanes,
            targets,
            settings,
            recorder: AttemptRecorder::new(journal, listen),
            staged: Vec::new(),
            in_flight: HashMap::new(),
            workers: JoinSet::new(),
            renewals: JoinSet::new(),
            forecast: Forecast::default(),
        }
    }

    /// Where the time that is left can be read while the run goes on.
    pub fn forecast(&self) -> Forecast {
        self.forecast.clone()
    }

    /// Lets nothing be sent: the run ends as soon as it begins, and says why.
    pub fn refuse(&mut self, why: StopReason) {
        self.stop(why);
    }

    /// Sends nothing in this tenant for so long: Graph asked an earlier process of the run to wait.
    pub fn hold(&mut self, tenant: TenantIndex, wait: Duration) {
        if let (Some(lane), Some(until)) =
            (self.lanes.get_mut(tenant as usize), Some(after(Instant::now(), wait)))
        {
            // What nobody would wait for is asked again: somebody went on with the run.
            lane.pacer.close(if wait > self.settings.max_wait { Instant::now() } else { until });
        }
    }

    /// Users of this tenant were revoked by an earlier process of the run: whoever is refused now is refused alone.
    pub fn is_permitted(&mut self, tenant: TenantIndex) {
        if let Some(lane) = self.lanes.get_mut(tenant as usize) {
            lane.refusals.permitted();
        }
    }

    /// Runs to the end. What comes through `interrupts` stops the sending; what is in flight is waited for.
    pub async fn run(mut self, mut interrupts: mpsc::Receiver<StopReason>) -> DispatchOutcome {
        self.tell_refused();
        loop {
            let wake = self.launch();
            self.stop_on_journal_error();
            if self.is_over() {
                break;
            }
            tokio::select! {
                biased;
                Some(stop) = interrupts.recv() => self.stop(stop),
                // Rare beside answers, which may come without a pause: these must not wait for one.
                () = self.recorder.more_synced() => self.recorder.tell_synced(),
                Some(renewed) = self.renewals.join_next_with_id(), if !self.renewals.is_empty() => {
                    self.take_renewed(renewed);
                }
                Some(joined) = self.workers.join_next_with_id(), if !self.workers.is_empty() => {
                    self.take_joined(joined);
                }
                () = sleep_until(wake.unwrap_or_else(far)), if wake.is_some() => {}
            }
        }
        self.finish()
    }

    /// Nothing is in flight, and nothing is left or may be sent.
    fn is_over(&mut self) -> bool {
        let idle = self.in_flight.is_empty() && self.workers.is_empty();
        idle && (self.stop.is_some() || !self.is_left())
    }

    /// Whether there is anything left to send. Looks first where there was something before: most turns look at one lane.
    fn is_left(&mut self) -> bool {
        let all = (self.left_at..self.lanes.len()).chain(0..self.left_at);
        let left = { all }.find(|lane| self.lanes[*lane].is_left());
        self.left_at = left.unwrap_or(self.left_at);
        left.is_some()
    }

    fn stop(&mut self, why: StopReason) {
        if self.stop.is_none() {
            tracing::info!(%why, "sending stops");
            self.recorder.note(Event::Stopping { at: now(), why: why.clone(), tenant: None });
            self.recorder.write_and_sync();
            self.stop = Some(why);
        }
    }

    /// Stops the sending in one tenant; where there is no other, the whole run.
    fn stop_lane(&mut self, lane: usize, why: StopReason) {
        if self.lanes[lane].stop.is_some() {
            return;
        }
        if self.lanes.len() == 1 {
            return self.stop(why);
        }
        tracing::warn!(tenant = lane, %why, "sending stops in one tenant; the others go on");
        self.note_stopped(lane, why.clone());
        self.lanes[lane].stop = Some(why);
    }

    fn note_stopped(&mut self, lane: usize, why: StopReason) {
        self.recorder.note(Event::Stopping { at: now(), why, tenant: Some(lane as TenantIndex) });
    }

    /// Tells of the tenants in which nothing may be sent from the beginning.
    fn tell_refused(&mut self) {
        if let [only] = &mut self.lanes[..] {
            if let Some(why) = only.stop.take() {
                self.stop(why);
            }
            return;
        }
        for lane in 0..self.lanes.len() {
            if let Some(why) = self.lanes[lane].stop.clone() {
                self.note_stopped(lane, why);
            }
        }
        self.recorder.write_and_sync();
    }

    /// Names the app of a lane, and the lane, as far as there are several.
    fn scope(&self, lane: usize, sender: Option<usize>) -> EventScope {
        let several = self.lanes.len() > 1;
        EventScope {
            tenant: several.then_some(lane as TenantIndex),
            app_id: sender.and_then(|sender| self.lanes[lane].senders[sender].id.clone()),
        }
    }

    /// Nothing may be sent that can't be recorded. What waits for a sync stays untold: `resume` sends it again.
    fn stop_on_journal_error(&mut self) {
        if let Some(error) = self.recorder.failure() {
            let detail = unrecorded(error);
            self.stop.get_or_insert(StopReason::Runtime { detail });
        }
    }

    /// Settles what was cut short, closes the journal, and tells the rest.
    fn finish(mut self) -> DispatchOutcome {
        let begun: Vec<ActiveTarget> =
            self.lanes.iter_mut().flat_map(|lane| lane.queue.take_begun()).collect();
        for mut live in begun {
            if live.client_request_id.is_some() && self.recorder.failure().is_none() {
                live.count_throttled();
                let outcome = live.otherwise;
                self.settle_without_event(live, outcome);
            }
        }
        let tenants = self.lanes.into_iter().map(|lane| lane.stop).collect();
        // Where the end can't be recorded, all that is on disk stands, and whatever is not is sent again.
        let stop = match self.recorder.close(Event::Ended { at: now() }) {
            Ok(()) => self.stop,
            Err(error) => Some(StopReason::Runtime { detail: unrecorded(&error) }),
        };
        DispatchOutcome { stop, tenants }
    }
}

/// What to tell where nothing can be recorded any more.
fn unrecorded(error: &JournalError) -> String {
    let advice = match error {
        JournalError::WriteFailed { .. } => "Make room, then `resume` the run",
        JournalError::Lost { .. } => "Put the journal back if it still exists, then `resume` the run",
    };
    format!("{error}; nothing more is sent. {advice}")
}

/// An instant that no run reaches; the branch that would wait for it is switched off.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

/// A request's id.
fn new_request_id() -> Uuid {
    Uuid::new_v4()
}

/// What a worker that broke down leaves.
type JoinedTask = Result<(Id, Vec<BatchAnswer>), JoinError>;
