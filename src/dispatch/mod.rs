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
mod backoff;
mod forecast;
mod halt;
mod lane;
mod live;
mod pacer;
mod queue;
mod rate;
mod record;
mod renewal;
mod schedule;
mod sender;
mod verdict;
mod width;

#[cfg(test)]
mod tests;

pub use forecast::Forecast;
pub use halt::{HaltRule, InvalidHalt};
pub use lane::Tenant;
pub use live::{MOST_APPS, Work};
pub use pacer::{Departure, Pacer, Permit};
pub use queue::Fresh;
pub use rate::{InvalidRate, Pace, Pacing, Rate};
pub use sender::App;
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

use crate::event::{Event, Scope, Sent, Stop, TenantIndex};
use crate::graph::{Answer, Graph, Request};
use crate::journal::{Journal, JournalError};
use crate::outcome::Accepted;
use crate::plan::Target;
use lane::{Counted, Lane, Step};
use live::Live;
use record::Recorder;
use renewal::Renewals;
use schedule::Schedule;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests in flight at most, in each tenant.
    pub jobs: Jobs,
    /// Users in one request.
    pub batch: BatchSize,
    /// Requests in flight at most in all tenants together: as many as the system has room for.
    pub places: usize,
    /// How fast users may leave.
    pub pacing: Pacing,
    /// Tries after the first one, for answers that a repeat may mend.
    pub retries: u32,
    /// When sending ends, counted from the dispatcher's start.
    pub deadline: Option<Duration>,
    /// When to stop by itself.
    pub halt: Option<HaltRule>,
    /// Outcomes that count as done.
    pub accepted: Accepted,
}

/// One of a run's limits that hold for an app over all its tenants, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Everywhere(pub usize);

/// How the dispatcher ended.
#[derive(Debug)]
pub struct Finished {
    /// Why it stopped ahead of the plan's end, if it did.
    pub stop: Option<Stop>,
    /// Why it stopped in single tenants, by their place; where there is one tenant only, that stops the run.
    pub tenants: Vec<Option<Stop>>,
}

/// The time now, as the journal writes it.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// One run's loop. `listen` hears each event after the journal has it.
pub struct Dispatcher<G, L> {
    targets: Arc<[Target]>,
    settings: Settings,
    recorder: Recorder<L>,

    /// A tenant each, in the order of [`Target::tenant`].
    lanes: Vec<Lane<G>>,
    schedule: Schedule,
    /// The limits of apps over all their tenants.
    everywhere: Vec<Pacer>,
    /// Lanes that wait for an answer to one of an app's requests in other lanes.
    waiting: Vec<Vec<usize>>,

    /// About to leave: their `sent` lines are gathered and not written.
    staged: Vec<(Flight, Vec<Request>)>,
    in_flight: HashMap<Id, Flight>,
    workers: JoinSet<Vec<Answer>>,
    renewals: Renewals,

    watch: halt::Watch,
    forecast: Forecast,
    deadline: Option<Instant>,
    stop: Option<Stop>,
}

/// A request in flight.
struct Flight {
    lane: usize,
    sender: usize,
    lives: Vec<Live>,
    counted: Counted,
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Sets up a run over `targets` (in sending order), of which each tenant's work is to be done.
    pub fn new(
        tenants: Vec<Tenant<G>>,
        targets: Arc<[Target]>,
        settings: Settings,
        journal: Journal,
        listen: L,
    ) -> Self {
        let planned = tenants.iter().map(|tenant| tenant.work.len() as u64).sum();
        let everywhere = everywhere(&tenants, &settings.pacing);
        let places = (settings.places / tenants.len().max(1)).clamp(1, settings.jobs.most());
        let lanes: Vec<_> = tenants.into_iter().map(|tenant| Lane::new(tenant, &settings, places)).collect();
        Dispatcher {
            schedule: Schedule::new(lanes.len()),
            waiting: vec![Vec::new(); everywhere.len()],
            everywhere,
            watch: halt::Watch::new(settings.halt, settings.accepted.clone(), planned),
            deadline: settings.deadline.and_then(|time| Instant::now().checked_add(time)),
            stop: None,
            lanes,
            targets,
            settings,
            recorder: Recorder::new(journal, listen),
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
    pub fn refuse(&mut self, why: Stop) {
        self.stop(why);
    }

    /// Sends nothing in this tenant for so long: Graph asked an earlier process of the run to wait.
    pub fn hold(&mut self, tenant: TenantIndex, wait: Duration) {
        if let (Some(lane), Some(until)) =
            (self.lanes.get_mut(tenant as usize), Instant::now().checked_add(wait))
        {
            lane.pacer.close(until);
        }
    }

    /// Runs to the end. What comes through `interrupts` stops the sending; what is in flight is waited for.
    pub async fn run(mut self, mut interrupts: mpsc::Receiver<Stop>) -> Finished {
        self.tell_refused();
        loop {
            let wake = self.launch();
            self.heed_journal();
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

    /// Whether there is anything left to send.
    fn is_left(&mut self) -> bool {
        self.lanes.iter_mut().any(Lane::is_left)
    }

    fn stop(&mut self, why: Stop) {
        if self.stop.is_none() {
            tracing::info!(%why, "sending stops");
            self.recorder.note(Event::Stopping { at: now(), why: why.clone(), tenant: None });
            self.recorder.write_and_sync();
            self.stop = Some(why);
        }
    }

    /// Stops the sending in one tenant; where there is no other, the whole run.
    fn stop_lane(&mut self, lane: usize, why: Stop) {
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

    fn note_stopped(&mut self, lane: usize, why: Stop) {
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
    fn scope(&self, lane: usize, sender: Option<usize>) -> Scope {
        let several = self.lanes.len() > 1;
        Scope {
            tenant: several.then_some(lane as TenantIndex),
            app_id: sender.and_then(|sender| self.lanes[lane].senders[sender].id.clone()),
        }
    }

    // ── Sending ────────────────────────────────────────────────────────────────────────────────────────────

    /// Launches all that may leave now; gives the instant at which to look again.
    fn launch(&mut self) -> Option<Instant> {
        let now = Instant::now();
        self.check_deadline(now);
        while self.stop.is_none()
            && let Some(lane) = self.schedule.due(now)
        {
            match self.lanes[lane].step(lane, &mut self.everywhere, &mut self.renewals, now) {
                Step::Leave { sender, lives } => {
                    self.stage(lane, sender, lives);
                    self.schedule.has_sent(lane);
                    self.schedule.at(lane, now);
                }
                Step::NotBefore(at) => self.schedule.at(lane, at),
                Step::WaitFor(app) => self.waiting[app.0].push(lane),
                Step::Wait => {}
            }
        }
        self.depart();
        self.tell_forecast(now);
        let deadline = self.deadline.filter(|_| self.stop.is_none());
        let deadline = deadline.filter(|_| self.is_left());
        let next = self.schedule.next().filter(|_| self.stop.is_none());
        next.into_iter().chain(deadline).min()
    }

    /// Counts a request for these targets and gathers their `sent` lines.
    fn stage(&mut self, lane: usize, sender: usize, mut lives: Vec<Live>) {
        let counted = self.lanes[lane].depart(sender, lives.len() as u32, &mut self.everywhere);
        let app_id = self.lanes[lane].senders[sender].id.clone();
        let at = now();
        let mut requests = Vec::with_capacity(lives.len());
        for live in &mut lives {
            let user = self.targets[live.work.order as usize - 1].user.clone();
            let text = user.to_string();
            let request = live.depart(user);
            live.work.first_sent_at.get_or_insert(at);
            self.recorder.note(Event::Sent(Sent {
                at,
                target: live.work.order,
                user: text,
                attempt: live.work.attempts,
                client_request_id: request.client_request_id,
                app_id: app_id.clone(),
            }));
            requests.push(request);
        }
        self.staged.push((Flight { lane, sender, lives, counted }, requests));
    }

    /// Writes the gathered lines, then lets the requests go; never the other way round.
    fn depart(&mut self) {
        let written = self.recorder.write();
        for (flight, mut requests) in std::mem::take(&mut self.staged) {
            if !written {
                self.take_back(flight);
                continue;
            }
            let graph = Arc::clone(&self.lanes[flight.lane].senders[flight.sender].graph);
            let handle = match requests.len() {
                1 => {
                    let only = requests.remove(0);
                    self.workers.spawn(async move { vec![graph.revoke(only).await] })
                }
                _ => self.workers.spawn(async move { graph.revoke_batch(requests).await }),
            };
            self.in_flight.insert(handle.id(), flight);
        }
    }

    /// A request did not leave after all.
    fn take_back(&mut self, flight: Flight) {
        let Flight { lane, lives, .. } = flight;
        self.lanes[lane].width.came_back(false);
        for mut live in lives {
            live.take_back();
            self.lanes[lane].queue.again(live);
        }
    }

    /// Ends the sending at the deadline, and before it where all gates stay closed beyond: nothing could leave.
    fn check_deadline(&mut self, now: Instant) {
        let Some(deadline) = self.deadline.filter(|_| self.stop.is_none()) else { return };
        if !self.is_left() {
            return;
        }
        let beyond = |lane: &Lane<G>| lane.asked_until().is_some_and(|until| until >= deadline);
        if now >= deadline {
            let detail = "sending ended; what was in flight was waited for".to_owned();
            self.stop(Stop::Deadline { detail });
        } else if self.lanes.iter_mut().filter_map(|lane| lane.is_left().then_some(&*lane)).all(beyond) {
            let detail = "Graph asked to wait until after it, so nothing more could be sent".to_owned();
            self.stop(Stop::Deadline { detail });
        }
    }

    /// Publishes how long the rest will take.
    fn tell_forecast(&mut self, now: Instant) {
        if self.forecast.is_due(now) {
            let left = forecast::of_all(&self.lanes, &self.everywhere);
            self.forecast.publish(now, left);
        }
    }

    // ── The journal ────────────────────────────────────────────────────────────────────────────────────────

    /// Nothing may be sent that can't be recorded. What waits for a sync stays untold: `resume` sends it again.
    fn heed_journal(&mut self) {
        if let Some(error) = self.recorder.failure() {
            let detail = unrecorded(error);
            self.stop.get_or_insert(Stop::Runtime { detail });
        }
    }

    // ── The end ────────────────────────────────────────────────────────────────────────────────────────────

    /// Settles what was cut short, closes the journal, and tells the rest.
    fn finish(mut self) -> Finished {
        let begun: Vec<Live> = self.lanes.iter_mut().flat_map(|lane| lane.queue.take_begun()).collect();
        for mut live in begun {
            if live.client_request_id.is_some() && self.recorder.failure().is_none() {
                live.count_throttled();
                let outcome = live.otherwise;
                self.settle_quietly(live, outcome);
            }
        }
        let tenants = self.lanes.into_iter().map(|lane| lane.stop).collect();
        // Where the end can't be recorded, all that is on disk stands, and whatever is not is sent again.
        let stop = match self.recorder.close(Event::Ended { at: now() }) {
            Ok(()) => self.stop,
            Err(error) => Some(Stop::Runtime { detail: unrecorded(&error) }),
        };
        Finished { stop, tenants }
    }
}

/// A pacer for each app that works in several tenants.
fn everywhere<G>(tenants: &[Tenant<G>], pacing: &Pacing) -> Vec<Pacer> {
    let mut planned: Vec<u64> = Vec::new();
    for tenant in tenants {
        for Everywhere(place) in tenant.apps.iter().filter_map(|app| app.everywhere) {
            planned.resize(planned.len().max(place + 1), 0);
            planned[place] += tenant.work.len() as u64;
        }
    }
    planned.into_iter().map(|planned| Pacer::new(pacing.everywhere, planned)).collect()
}

/// What to tell where nothing can be recorded any more.
fn unrecorded(error: &JournalError) -> String {
    format!("{error}; nothing more is sent. Make room, then `resume` the run")
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
type Joined = Result<(Id, Vec<Answer>), JoinError>;
