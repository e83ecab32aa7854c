//! The loop that owns a run: queue, pacer, retries, halt rules, journal. Workers only carry one request each.
//!
//! Each turn launches what may leave, then waits for the first of: an answer, a synced journal, a renewed token, a
//! signal, an instant. Waiting happens here, in the queue; no worker sleeps.
//!
//! The order of things is what makes a run survive a kill: a request's `sent` line is written before the request
//! leaves, and an outcome is told to anybody only once its line is synced.

mod backoff;
mod halt;
mod live;
mod pacer;
mod rate;
mod record;
mod renewal;
mod verdict;

#[cfg(test)]
mod tests;

pub use halt::{HaltRule, InvalidHalt};
pub use live::Work;
pub use pacer::{Departure, Pacer, Permit};
pub use rate::{InvalidRate, Kind, Pace, Rate};
pub use verdict::{Verdict, verdict};

use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::event::{Answered, Event, Order, Sent, Settled, Stop, Throttled};
use crate::graph::{Answer, Graph, Reply, Request};
use crate::identity::SignInError;
use crate::journal::{Journal, JournalError};
use crate::outcome::{Accepted, Outcome};
use crate::plan::Target;
use live::Live;
use record::Recorder;
use renewal::Renewal;

/// How a run is carried out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Requests in flight at most.
    pub jobs: usize,
    /// How fast they may leave.
    pub pace: Pace,
    /// Tries after the first one, for answers that a repeat may mend.
    pub retries: u32,
    /// When sending ends, counted from the dispatcher's start.
    pub deadline: Option<Duration>,
    /// When to stop by itself.
    pub halt: Option<HaltRule>,
    /// Outcomes that count as done.
    pub accepted: Accepted,
}

/// How the dispatcher ended.
#[derive(Debug)]
pub struct Finished {
    /// Why it stopped ahead of the plan's end, if it did.
    pub stop: Option<Stop>,
}

/// The time now, as the journal writes it.
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// One run's loop. `listen` hears each event after the journal has it.
pub struct Dispatcher<G, L> {
    graph: Arc<G>,
    targets: Arc<[Target]>,
    settings: Settings,
    recorder: Recorder<L>,

    /// Not begun.
    fresh: Peekable<Box<dyn ExactSizeIterator<Item = Work> + Send>>,
    /// To be sent again as soon as the pacer allows, earliest in the plan first.
    ready: BTreeMap<Order, Live>,
    /// To be sent again at an instant of their own.
    delayed: BTreeMap<(Instant, Order), Live>,
    /// About to leave: their `sent` lines are gathered and not written.
    staged: Vec<(Live, Request)>,
    in_flight: HashMap<Id, Live>,
    workers: JoinSet<Answer>,

    pacer: Pacer,
    watch: halt::Watch,
    renewal: Renewal,
    deadline: Option<Instant>,
    stop: Option<Stop>,
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Sets up a run over `targets` (in sending order) of which `work` is to be done.
    pub fn new(
        graph: Arc<G>,
        targets: Arc<[Target]>,
        work: Box<dyn ExactSizeIterator<Item = Work> + Send>,
        settings: Settings,
        journal: Journal,
        listen: L,
    ) -> Self {
        let settings = Settings { jobs: settings.jobs.max(1), ..settings };
        let planned = work.len() as u64;
        Dispatcher {
            pacer: Pacer::new(settings.pace, planned),
            watch: halt::Watch::new(settings.halt, settings.accepted.clone(), planned),
            renewal: Renewal::default(),
            deadline: settings.deadline.and_then(|time| Instant::now().checked_add(time)),
            graph,
            targets,
            settings,
            recorder: Recorder::new(journal, listen),
            fresh: work.peekable(),
            ready: BTreeMap::new(),
            delayed: BTreeMap::new(),
            staged: Vec::new(),
            in_flight: HashMap::new(),
            workers: JoinSet::new(),
            stop: None,
        }
    }

    /// Lets nothing be sent: the run ends as soon as it begins, and says why.
    pub fn refuse(&mut self, why: Stop) {
        self.stop(why);
    }

    /// Sends nothing for so long: Graph asked an earlier process of the run to wait.
    pub fn hold(&mut self, wait: Duration) {
        if let Some(until) = Instant::now().checked_add(wait) {
            self.pacer.close(until);
        }
    }

    /// Runs to the end. What comes through `interrupts` stops the sending; what is in flight is waited for.
    pub async fn run(mut self, mut interrupts: mpsc::Receiver<Stop>) -> Finished {
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
                renewed = self.renewal.done(&self.graph), if self.renewal.is_under_way() => self.take_renewed(renewed),
                Some(joined) = self.workers.join_next_with_id(), if !self.workers.is_empty() => {
                    self.take_joined(joined);
                }
                () = sleep_until(wake.unwrap_or_else(far)), if wake.is_some() => self.wake_delayed(),
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
        !self.ready.is_empty() || !self.delayed.is_empty() || self.fresh.peek().is_some()
    }

    fn stop(&mut self, why: Stop) {
        if self.stop.is_none() {
            tracing::info!(%why, "sending stops");
            self.recorder.note(Event::Stopping { at: now(), why: why.clone() });
            self.recorder.write_and_sync();
            self.stop = Some(why);
        }
    }

    // ── Sending ────────────────────────────────────────────────────────────────────────────────────────────

    /// Launches all that may leave now; gives the instant at which to look again.
    fn launch(&mut self) -> Option<Instant> {
        self.wake_delayed();
        self.check_deadline();
        self.renew_ahead();
        let mut wake = self.delayed.keys().next().map(|(at, _)| *at);
        let mut sooner = |at: Instant| wake = Some(wake.map_or(at, |wake: Instant| wake.min(at)));
        if let Some(deadline) = self.deadline
            && self.stop.is_none()
            && self.is_left()
        {
            sooner(deadline);
        }
        while self.may_send() {
            if self.ready.is_empty() && self.fresh.peek().is_none() {
                break;
            }
            match self.pacer.permit(1) {
                Permit::Go(_) => self.stage(),
                Permit::NotBefore(at) => {
                    sooner(at);
                    break;
                }
                Permit::AfterAnswer => break,
            }
        }
        self.depart();
        wake
    }

    fn may_send(&self) -> bool {
        let busy = self.in_flight.len() + self.staged.len();
        self.stop.is_none() && busy < self.settings.jobs && !self.renewal.holds_sending()
    }

    /// Takes the next target and gathers its `sent` line.
    fn stage(&mut self) {
        let next = self.ready.pop_first().map(|(_, live)| live);
        let Some(mut live) = next.or_else(|| self.fresh.next().map(Live::new)) else { return };
        let user = self.targets[live.work.order as usize - 1].user.clone();
        let request = live.depart(user.clone(), self.pacer.depart(1));
        let sent = Sent {
            at: now(),
            target: live.work.order,
            user: user.to_string(),
            attempt: live.work.attempts,
            client_request_id: request.client_request_id,
        };
        live.work.first_sent_at.get_or_insert(sent.at);
        self.recorder.note(Event::Sent(sent));
        self.staged.push((live, request));
    }

    /// Writes the gathered lines, then lets the requests go; never the other way round.
    fn depart(&mut self) {
        let written = self.recorder.write();
        for (mut live, request) in std::mem::take(&mut self.staged) {
            if !written {
                if let Some(departure) = live.take_back() {
                    self.pacer.lost(&departure);
                }
                self.ready.insert(live.work.order, live);
                continue;
            }
            let graph = Arc::clone(&self.graph);
            let handle = self.workers.spawn(async move { graph.revoke(request).await });
            self.in_flight.insert(handle.id(), live);
        }
    }

    fn wake_delayed(&mut self) {
        let now = Instant::now();
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let live = entry.remove();
            self.ready.insert(live.work.order, live);
        }
    }

    /// Ends the sending at the deadline, and before it where the gate stays closed beyond: nothing could leave.
    fn check_deadline(&mut self) {
        let Some(deadline) = self.deadline.filter(|_| self.stop.is_none()) else { return };
        if !self.is_left() {
            return;
        }
        if Instant::now() >= deadline {
            let detail = "sending ended; what was in flight was waited for".to_owned();
            self.stop(Stop::Deadline { detail });
        } else if self.pacer.asked_until().is_some_and(|until| until >= deadline) {
            let detail = "Graph asked to wait until after it, so nothing more could be sent".to_owned();
            self.stop(Stop::Deadline { detail });
        }
    }

    // ── Answers ────────────────────────────────────────────────────────────────────────────────────────────

    /// Takes an answer, and all others that are there already: they share a turn, a write and a sync.
    fn take_joined(&mut self, first: Result<(Id, Answer), JoinError>) {
        let mut joined = Some(first);
        while let Some(result) = joined {
            match result {
                Ok((id, answer)) => {
                    if let Some(live) = self.in_flight.remove(&id) {
                        self.take_answer(live, answer);
                    }
                }
                Err(error) => {
                    if let Some(live) = self.in_flight.remove(&error.id()) {
                        self.take_panic(live, &error);
                    }
                }
            }
            joined = self.workers.try_join_next_with_id();
        }
        self.recorder.write_and_sync();
    }

    /// A worker that panics takes down its one target, not the run.
    fn take_panic(&mut self, mut live: Live, error: &JoinError) {
        tracing::error!(%error, "a worker broke down; its user is in doubt");
        if let Some(departure) = live.departure.take() {
            self.pacer.lost(&departure);
        }
        live.last.detail = "the program broke down on this request; please report it".to_owned();
        live.last.error_code = Some("internal".to_owned());
        self.settle(live, Outcome::InDoubt);
    }

    fn take_answer(&mut self, mut live: Live, answer: Answer) {
        let order = live.work.order;
        live.last = answer.reply.evidence();
        let judged = verdict(&answer.reply);
        live.otherwise = judged.otherwise();
        match (&judged, &answer.reply) {
            (Verdict::Throttled { .. }, _) => {}
            (_, Reply::Lost(_) | Reply::Unbatched(_)) => {
                if let Some(departure) = live.departure.take() {
                    self.pacer.lost(&departure);
                }
            }
            (_, Reply::Response(response)) => {
                let opened = |departure| self.pacer.passed(&departure, response.throttle_percentage);
                if live.departure.take().is_some_and(opened) {
                    self.recorder.note(Event::Reopened { at: now() });
                }
            }
        }
        // Neither a lost answer nor a 429 says that the token was looked at.
        let silent = matches!(answer.reply, Reply::Lost(_) | Reply::Unbatched(_))
            || matches!(judged, Verdict::Throttled { .. } | Verdict::Unauthorized { .. });
        if !silent {
            live.unauthorized = None;
            self.renewal.proved(answer.token);
        }
        match judged {
            Verdict::Done if self.targets[order as usize - 1].external == Some(true) => {
                live.last.detail = "external user: the home tenant holds the sessions".to_owned();
                self.settle(live, Outcome::AcceptedNoEffect);
            }
            Verdict::Done => self.settle(live, Outcome::Revoked),
            Verdict::Settle(outcome) => self.settle(live, outcome),
            Verdict::Alone => {
                live.give_try_back();
                self.record_answered(&live);
                self.ready.insert(order, live);
            }
            Verdict::Throttled { retry_after } => self.take_throttled(live, retry_after, &answer.reply),
            Verdict::Retry { otherwise, new_connection, at_least } => {
                live.new_connection = new_connection;
                self.retry(live, otherwise, at_least);
            }
            Verdict::Unauthorized { claims } => self.take_unauthorized(live, answer.token, claims),
        }
    }

    fn take_throttled(&mut self, mut live: Live, retry_after: Option<Duration>, reply: &Reply) {
        let before = self.pacer.closed_until();
        let Some(departure) = live.departure.take() else { return };
        let until = self.pacer.throttled(&departure, retry_after);
        live.throttled_since = Some(Instant::now());
        live.give_try_back();
        live.throttles += 1;
        self.record_answered(&live);
        match live.throttles {
            1 => drop(self.ready.insert(live.work.order, live)),
            // It may be throttled for its own sake: others go first, lest it be the probe for ever.
            again => drop(self.delayed.insert((until + backoff::wait(again - 1), live.work.order), live)),
        }
        // One closing of the gate is told once, however many answers tell of it.
        let news = before.is_none_or(|before| until > before + Duration::from_millis(500));
        let Reply::Response(response) = reply else { return };
        if !news {
            return;
        }
        let wait = until.saturating_duration_since(Instant::now());
        let at = now();
        let kept = |text: &Option<String>| text.as_deref().map(|t| crate::harmless::excerpt(t, 200));
        self.recorder.note(Event::Throttled(Throttled {
            at,
            until: at.checked_add(Duration::from_millis(wait.as_millis() as u64 + 1)).unwrap_or(at),
            retry_after_ms: retry_after.map(|wait| wait.as_millis() as u64),
            scope: kept(&response.throttle_scope),
            information: kept(&response.throttle_information),
        }));
    }

    fn retry(&mut self, live: Live, otherwise: Outcome, at_least: Option<Duration>) {
        if live.tries > self.settings.retries {
            return self.settle(live, otherwise);
        }
        self.record_answered(&live);
        let wait = backoff::wait(live.tries).max(at_least.unwrap_or_default());
        let now = Instant::now();
        let at = now.checked_add(wait).unwrap_or(now);
        self.delayed.insert((at, live.work.order), live);
    }

    fn settle(&mut self, live: Live, outcome: Outcome) {
        if let Some(stop) = self.watch.settled(outcome) {
            self.stop(stop);
        }
        self.settle_quietly(live, outcome);
    }

    /// Records an outcome without asking the halt rules.
    fn settle_quietly(&mut self, live: Live, outcome: Outcome) {
        let user = self.targets[live.work.order as usize - 1].user.to_string();
        let event = Event::Settled(Box::new(Settled {
            at: now(),
            target: live.work.order,
            user,
            outcome,
            evidence: live.last,
            attempts: live.work.attempts,
            throttled_ms: live.work.throttled.as_millis() as u64,
            first_sent_at: live.work.first_sent_at,
            client_request_id: live.client_request_id,
        }));
        self.recorder.settle(event);
    }

    // ── The token ──────────────────────────────────────────────────────────────────────────────────────────

    fn renew_ahead(&mut self) {
        if self.stop.is_none() {
            self.renewal.ahead(&self.graph);
        }
    }

    /// A 401: one fresh token for all, and another try with it. Refused again, the run stops.
    fn take_unauthorized(&mut self, mut live: Live, token: u64, claims: Option<String>) {
        let again = live.unauthorized.is_some_and(|before| before != token);
        let challenged = claims.is_some();
        if again || !self.renewal.answer_401(&self.graph, token, claims) {
            let detail = live.last.detail.clone();
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            let why = if challenged {
                SignInError::ChallengedAgain { detail }
            } else {
                SignInError::Refused { detail }
            };
            self.stop(Stop::SignIn { detail: why.to_string() });
        }
        live.unauthorized = Some(token);
        live.give_try_back();
        self.record_answered(&live);
        self.ready.insert(live.work.order, live);
    }

    fn take_renewed(&mut self, renewed: renewal::Renewed) {
        match renewed {
            renewal::Renewed::Token => self.recorder.note(Event::Renewed { at: now() }),
            renewal::Renewed::NotYet => {}
            renewal::Renewed::Failed(error) => self.stop(Stop::SignIn { detail: error.to_string() }),
        }
        self.recorder.write_and_sync();
    }

    // ── The journal ────────────────────────────────────────────────────────────────────────────────────────

    fn record_answered(&mut self, live: &Live) {
        let order = live.work.order;
        let user = self.targets[order as usize - 1].user.to_string();
        self.recorder.note(Event::Answered(Answered {
            at: now(),
            target: order,
            user,
            attempt: live.work.attempts,
            outcome: live.otherwise,
            throttled_ms: live.work.throttled.as_millis() as u64,
            client_request_id: live.client_request_id,
            evidence: live.last.clone(),
        }));
    }

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
        let cut_short = std::mem::take(&mut self.ready).into_values();
        let cut_short = cut_short.chain(std::mem::take(&mut self.delayed).into_values());
        for mut live in cut_short.collect::<Vec<_>>() {
            if live.client_request_id.is_some() && self.recorder.failure().is_none() {
                live.count_throttled();
                let outcome = live.otherwise;
                self.settle_quietly(live, outcome);
            }
        }
        // Where the end can't be recorded, all that is on disk stands, and whatever is not is sent again.
        match self.recorder.close(Event::Ended { at: now() }) {
            Ok(()) => Finished { stop: self.stop },
            Err(error) => Finished { stop: Some(Stop::Runtime { detail: unrecorded(&error) }) },
        }
    }
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
