//! The loop that owns a run: queues, pacers, retries, halt rules, journal. A worker only carries one request.
//!
//! ```text
//!              ┌─ lane: tenant 1 ─┐
//!  schedule ──▶├─ lane: tenant 2 ─┼─▶ `sent` line ─▶ worker ─▶ Graph ─▶ answer ─▶ verdict ─▶ journal
//!              └─ lane: tenant n ─┘        ▲                                           │        │
//!                    ▲                     └──── retry, when the pacer allows it ──────┘        ▼
//!                    └── apps over all tenants: one limit each                              listeners
//! ```
//!
//! Each turn of the loop launches the requests that may be sent now. Then it waits for the first of these: an
//! answer, a synced journal, a renewed token, a signal, or an instant. Waiting happens here, in the queues;
//! no worker sleeps. A lane is one tenant's part of the run, and no lane waits for another's throttle or
//! failed sign-in.
//!
//! The order of writes makes a run survive a kill: the `sent` line of a request is written before the request
//! leaves, and an outcome is reported only after its line is synced.

mod active_target;
mod answers;
mod app_wide_limits;
mod backoff;
mod concurrency_limit;
mod forecast;
mod halt;
mod isolated_retries;
mod lane;
mod launch;
mod pacer;
mod pending_targets;
mod queue;
mod rate;
mod recorder;
mod refusals;
mod renewal;
mod schedule;
mod sender;
mod throttle_scopes;
mod tokens;
mod verdict;

#[cfg(test)]
mod tests;

pub use active_target::{MAX_APPS, TargetProgress};
pub use app_wide_limits::AppLimitId;
pub use concurrency_limit::{BatchSize, InvalidWidth, Jobs, MAX_IN_BATCH};
pub use forecast::Forecast;
pub use halt::{HaltRule, InvalidHalt};
pub use lane::LaneTenant;
pub use pacer::{Pacer, PacerDecision, Permit};
pub use pending_targets::PendingTargets;
pub use rate::{InvalidRate, PacingSettings, Rate, RatePolicy};
pub use sender::SendingApp;
pub use verdict::{Verdict, verdict};

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
use crate::number::add_clamped;
use crate::outcome::AcceptedOutcomes;
use crate::plan::Target;
use active_target::ActiveTarget;
use app_wide_limits::AppWideLimits;
use lane::{Lane, LaneCounts};
use recorder::AttemptRecorder;
use renewal::{Renewals, SenderId};
use schedule::Schedule;

/// The settings of a run.
#[derive(Clone, Debug)]
pub struct DispatchSettings {
    /// The maximum number of requests in flight, in each tenant.
    pub jobs: Jobs,
    /// The number of users in one request.
    pub batch: BatchSize,
    /// The maximum number of requests in flight in all tenants together: as many as the system has resources
    /// for.
    pub max_in_flight: usize,
    /// How fast requests may be sent.
    pub pacing: PacingSettings,
    /// Attempts after the first one, for transient failures.
    pub retries: u32,
    /// The maximum wait. If Graph asks for a longer one, the program does not wait.
    pub max_wait: Duration,
    /// How long after the dispatcher's start sending must stop.
    pub deadline: Option<Duration>,
    /// When to stop because of failures.
    pub halt: Option<HaltRule>,
    /// Outcomes that count as done.
    pub accepted: AcceptedOutcomes,
}

/// How the run ended.
#[derive(Debug)]
pub struct DispatchOutcome {
    /// Why the run stopped before the end of the plan, if it did.
    pub stop: Option<StopReason>,
    /// Why sending stopped in each tenant, by index. With only one tenant, this stops the run instead.
    pub tenants: Vec<Option<StopReason>>,
}

/// The current time, in the journal's precision.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// The loop of one run. `listen` gets each event after the journal has it.
pub struct Dispatcher<G, L> {
    targets: Arc<[Target]>,
    settings: DispatchSettings,
    recorder: AttemptRecorder<L>,

    /// One lane for each tenant, in the order of `Target::tenant`.
    lanes: Vec<Lane<G>>,
    schedule: Schedule,
    /// The limits of apps over all their tenants.
    shared: AppWideLimits,
    /// The lane that last had something left, where the next search starts.
    search_start: usize,

    /// Requests that are about to leave: their `sent` lines are collected, but not written yet.
    staged: Vec<(InFlightRequest, Vec<BatchRequest>)>,
    in_flight: HashMap<Id, InFlightRequest>,
    workers: JoinSet<Vec<BatchAnswer>>,
    renewals: Renewals,

    failure_threshold: halt::FailureThreshold,
    forecast: Forecast,
    deadline: Option<Instant>,
    stop: Option<StopReason>,
}

/// A request in flight.
struct InFlightRequest {
    dispatched: DispatchedAttempt,
    active_targets: Vec<ActiveTarget>,
}

/// The sender of a request, when it left, and which limits counted it.
#[derive(Clone, Copy, Debug)]
struct DispatchedAttempt {
    sender_id: SenderId,
    counted: LaneCounts,
    at: Instant,
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Sets up a run over `targets`, which are in sending order. `tenants` says which of them are left to do.
    pub fn new(
        tenants: Vec<LaneTenant<G>>,
        targets: Arc<[Target]>,
        settings: DispatchSettings,
        journal: Journal,
        listen: L,
    ) -> Self {
        let planned = tenants.iter().map(|tenant| tenant.work.len() as u64).sum();
        let shared = AppWideLimits::new(&tenants, &settings.pacing);
        let places = (settings.max_in_flight / tenants.len().max(1)).clamp(1, settings.jobs.max());
        let lanes: Vec<_> = tenants
            .into_iter()
            .map(|tenant| Lane::new(tenant, Arc::clone(&targets), &settings, places))
            .collect();
        Dispatcher {
            schedule: Schedule::new(lanes.len()),
            shared,
            search_start: 0,
            failure_threshold: halt::FailureThreshold::new(settings.halt, settings.accepted.clone(), planned),
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

    /// A handle for reading the remaining time during the run.
    pub fn forecast(&self) -> Forecast {
        self.forecast.clone()
    }

    /// Prevents the run from sending anything: it ends as soon as it starts, for this reason.
    pub fn refuse(&mut self, why: StopReason) {
        self.stop(why);
    }

    /// Sends nothing in this tenant for `wait`, because Graph asked an earlier process of the run to wait.
    pub fn hold(&mut self, tenant: TenantIndex, wait: Duration) {
        if let (Some(lane), Some(until)) =
            (self.lanes.get_mut(tenant as usize), Some(add_clamped(Instant::now(), wait)))
        {
            // A wait above the maximum ended the earlier process. Someone resumed the run, so Graph is asked
            // again.
            lane.pacer.close(if wait > self.settings.max_wait { Instant::now() } else { until });
        }
    }

    /// Records that an earlier process of the run revoked users of this tenant, so a 403 only concerns its
    /// user.
    pub fn mark_permitted(&mut self, tenant: TenantIndex) {
        if let Some(lane) = self.lanes.get_mut(tenant as usize) {
            lane.refusals.permitted();
        }
    }

    /// Runs to the end. A message from `interrupts` stops the sending, and requests in flight are waited for.
    pub async fn run(mut self, mut interrupts: mpsc::Receiver<StopReason>) -> DispatchOutcome {
        self.report_refused_tenants();
        loop {
            let wake = self.launch();
            self.stop_on_journal_error();
            if self.is_over() {
                break;
            }
            tokio::select! {
                biased;
                Some(stop) = interrupts.recv() => self.stop(stop),
                // Syncs are rare compared with answers. Answers may come without a pause, so they must not
                // delay a sync.
                () = self.recorder.more_synced() => self.recorder.report_synced(),
                Some(renewed) = self.renewals.join_next_with_id(), if !self.renewals.is_empty() => {
                    self.take_renewed(renewed);
                }
                Some(joined) = self.workers.join_next_with_id(), if !self.workers.is_empty() => {
                    self.take_joined(joined);
                }
                () = sleep_until(wake.unwrap_or_else(placeholder_instant)), if wake.is_some() => {}
            }
        }
        self.finish()
    }

    /// Whether nothing is in flight, and nothing is left or may be sent.
    fn is_over(&mut self) -> bool {
        let idle = self.in_flight.is_empty() && self.workers.is_empty();
        idle && (self.stop.is_some() || !self.has_work_left())
    }

    /// Whether there is anything left to send. Starts the search at the lane where something was left before,
    /// so that most turns look at one lane.
    fn has_work_left(&mut self) -> bool {
        let all = (self.search_start..self.lanes.len()).chain(0..self.search_start);
        let left = { all }.find(|lane| self.lanes[*lane].is_left());
        self.search_start = left.unwrap_or(self.search_start);
        left.is_some()
    }

    fn stop(&mut self, why: StopReason) {
        if self.stop.is_none() {
            tracing::info!(%why, "sending stopped");
            self.recorder.note(Event::Stopping { at: now(), why: why.clone(), tenant: None });
            self.recorder.write_and_sync();
            self.stop = Some(why);
        }
    }

    /// Stops the sending in one tenant, or the whole run if it is the only tenant.
    fn stop_lane(&mut self, lane: usize, why: StopReason) {
        if self.lanes[lane].stop.is_some() {
            return;
        }
        if self.lanes.len() == 1 {
            return self.stop(why);
        }
        tracing::warn!(tenant = lane, %why, "sending stopped in one tenant; the others continue");
        self.note_stopped(lane, why.clone());
        self.lanes[lane].stop = Some(why);
    }

    fn note_stopped(&mut self, lane: usize, why: StopReason) {
        self.recorder.note(Event::Stopping { at: now(), why, tenant: Some(lane as TenantIndex) });
    }

    /// Reports the tenants in which nothing may be sent from the start.
    fn report_refused_tenants(&mut self) {
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

    /// The scope of an event: the app, and the tenant if there are several.
    fn scope(&self, lane: usize, sender: Option<usize>) -> EventScope {
        let several = self.lanes.len() > 1;
        EventScope {
            tenant: several.then_some(lane as TenantIndex),
            app_id: sender.and_then(|sender| self.lanes[lane].senders[sender].id.clone()),
        }
    }

    /// Stops the sending if the journal failed. Outcomes that are not synced are not reported: `resume` sends
    /// those requests again.
    fn stop_on_journal_error(&mut self) {
        if let Some(error) = self.recorder.failure() {
            let detail = journal_failure_text(error);
            self.stop.get_or_insert(StopReason::Runtime { detail });
        }
    }

    /// Settles the targets that were interrupted, closes the journal, and reports the last events.
    fn finish(mut self) -> DispatchOutcome {
        let begun: Vec<ActiveTarget> =
            self.lanes.iter_mut().flat_map(|lane| lane.queue.take_started()).collect();
        for mut active in begun {
            if active.client_request_id.is_some() && self.recorder.failure().is_none() {
                active.count_throttled();
                let outcome = active.otherwise;
                self.settle_without_halt_check(active, outcome);
            }
        }
        let tenants = self.lanes.into_iter().map(|lane| lane.stop).collect();
        // If the end can't be recorded, everything on disk is still valid, and the rest is sent again.
        let stop = match self.recorder.close(Event::Ended { at: now() }) {
            Ok(()) => self.stop,
            Err(error) => Some(StopReason::Runtime { detail: journal_failure_text(&error) }),
        };
        DispatchOutcome { stop, tenants }
    }
}

/// The message for a journal that failed.
fn journal_failure_text(error: &JournalError) -> String {
    let advice = match error {
        JournalError::WriteFailed { .. } => "Free up disk space, then `resume` the run",
        JournalError::Lost { .. } => "Put the journal back if it still exists, then `resume` the run",
    };
    format!("{error}; nothing more is sent. {advice}")
}

/// A placeholder instant: the branch that would wait for it is disabled.
fn placeholder_instant() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}

/// A new ID for a request.
fn new_request_id() -> Uuid {
    Uuid::new_v4()
}

/// The result of a worker, or the error if it panicked.
type JoinedTask = Result<(Id, Vec<BatchAnswer>), JoinError>;
