//! What an answer does to its user, its app and its tenant.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::live::Live;
use super::pacer::Pacer;
use super::renewal::{self, Renewed, Whose};
use super::{Counted, Dispatcher, Flight, Joined, Verdict, backoff, now, verdict};
use crate::event::{Answered, Event, Scope, Settled, Stop, Throttled};
use crate::graph::{Answer, Graph, Loss, Reply, Response};
use crate::identity::SignInError;
use crate::outcome::Outcome;

/// Later closings of the same gate within this time are no news.
const SAME_CLOSING: Duration = Duration::from_millis(500);

/// From where an answer came.
#[derive(Clone, Copy)]
struct From {
    whose: Whose,
    counted: Counted,
}

/// Which limit a 429 is about (`x-ms-throttle-scope`: `Tenant_Application`, `Tenant` or `Application` before the first
/// `/`; learn.microsoft.com/graph/throttling).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    AppInTenant,
    Tenant,
    AppEverywhere,
}

impl Limit {
    fn of(response: &Response) -> Limit {
        let scope = response.throttle_scope.as_deref().unwrap_or_default();
        match scope.split('/').next().unwrap_or_default().trim() {
            scope if scope.eq_ignore_ascii_case("Tenant") => Limit::Tenant,
            scope if scope.eq_ignore_ascii_case("Application") => Limit::AppEverywhere,
            _ => Limit::AppInTenant,
        }
    }
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Takes an answer, and all others that are there already: they share a turn, a write and a sync.
    pub(super) fn take_joined(&mut self, first: Joined) {
        let mut joined = Some(first);
        while let Some(result) = joined {
            match result {
                Ok((id, answers)) => {
                    if let Some(flight) = self.in_flight.remove(&id) {
                        self.take_flight(flight, answers);
                    }
                }
                Err(error) => {
                    if let Some(flight) = self.in_flight.remove(&error.id()) {
                        self.take_panic(flight, &error);
                    }
                }
            }
            joined = self.workers.try_join_next_with_id();
        }
        self.recorder.write_and_sync();
    }

    fn take_flight(&mut self, flight: Flight, answers: Vec<Answer>) {
        let Flight { lane, sender, lives, counted } = flight;
        self.mind_width(lane, &answers);
        let from = From { whose: Whose { lane, sender }, counted };
        for (live, answer) in lives.into_iter().zip(answers) {
            self.take_answer(from, live, answer);
        }
        self.look_again(from);
    }

    /// A worker that panics takes down its own targets, not the run.
    fn take_panic(&mut self, flight: Flight, error: &JoinError) {
        tracing::error!(%error, "a worker broke down; its users are in doubt");
        let Flight { lane, sender, lives, counted } = flight;
        let from = From { whose: Whose { lane, sender }, counted };
        self.lanes[lane].width.came_back(true);
        for mut live in lives {
            self.lost(from);
            live.last.detail = "the program broke down on this request; please report it".to_owned();
            live.last.error_code = Some("internal".to_owned());
            self.settle(lane, live, Outcome::InDoubt);
        }
        self.look_again(from);
    }

    /// A place is free, and perhaps a gate open.
    fn look_again(&mut self, from: From) {
        let now = Instant::now();
        self.schedule.at(from.whose.lane, now);
        if let Some((app, _)) = from.counted.everywhere {
            for lane in std::mem::take(&mut self.waiting[app.0]) {
                self.schedule.at(lane, now);
            }
        }
    }

    fn mind_width(&mut self, lane: usize, answers: &[Answer]) {
        let width = &mut self.lanes[lane].width;
        width.came_back(answers.iter().any(|answer| is_trouble(&answer.reply)));
        match answers {
            [Answer { reply: Reply::Unbatched(response), .. }, ..] => {
                tracing::warn!(
                    status = response.status,
                    users = answers.len(),
                    "a batch was refused; its users go alone"
                );
                width.batch_refused(answers.len(), response.status);
            }
            [_, _, ..] => width.batch_taken(),
            _ => {}
        }
    }

    fn take_answer(&mut self, from: From, mut live: Live, answer: Answer) {
        live.last = answer.reply.evidence();
        live.last.app_id = self.sender(from.whose).id.clone();
        let judged = verdict(&answer.reply);
        live.otherwise = judged.otherwise();
        match (&judged, &answer.reply) {
            (Verdict::Throttled { .. }, _) => {}
            (_, Reply::Lost(_) | Reply::Unbatched(_)) => self.lost(from),
            (_, Reply::Response(response)) => self.passed(from, response),
        }
        // Neither a lost answer nor a 429 says that the token was looked at.
        let silent = matches!(answer.reply, Reply::Lost(_) | Reply::Unbatched(_))
            || matches!(judged, Verdict::Throttled { .. } | Verdict::Unauthorized { .. });
        if !silent {
            live.unauthorized = None;
            self.sender(from.whose).renewal.proved(answer.token);
        }
        self.judge(from, live, judged, answer);
    }

    fn judge(&mut self, from: From, mut live: Live, judged: Verdict, answer: Answer) {
        let lane = from.whose.lane;
        match judged {
            Verdict::Done => self.take_done(from.whose, live),
            Verdict::Settle(Outcome::Forbidden) => self.take_forbidden(from.whose, live),
            Verdict::Settle(outcome) => self.settle(lane, live, outcome),
            Verdict::Throttled { retry_after } => self.take_throttled(from, live, retry_after, &answer.reply),
            Verdict::Retry { otherwise, new_connection, at_least } => {
                live.new_connection = new_connection;
                self.retry(lane, live, otherwise, at_least);
            }
            Verdict::Alone => {
                live.alone = true;
                live.give_try_back();
                self.record_answered(&live);
                self.lanes[lane].queue.again(live);
            }
            Verdict::Unauthorized { claims } => {
                self.take_unauthorized(from.whose, live, answer.token, claims);
            }
        }
    }

    // ── What the limits hear ───────────────────────────────────────────────────────────────────────────────

    fn sender(&mut self, whose: Whose) -> &mut super::sender::Sender<G> {
        &mut self.lanes[whose.lane].senders[whose.sender]
    }

    /// An answer that says nothing about any limit.
    fn lost(&mut self, from: From) {
        let Counted { app, tenant, everywhere } = from.counted;
        self.sender(from.whose).pacer.lost(&app);
        self.lanes[from.whose.lane].pacer.lost(&tenant);
        if let Some((place, departure)) = everywhere {
            self.everywhere[place.0].lost(&departure);
        }
    }

    /// An answer other than 429: no limit was in the way.
    fn passed(&mut self, from: From, response: &Response) {
        let Counted { app, tenant, everywhere } = from.counted;
        let used = |limit: Limit| response.throttle_percentage.filter(|_| Limit::of(response) == limit);
        let Whose { lane, sender } = from.whose;
        let mut opened = Vec::new();
        if self.sender(from.whose).pacer.passed(&app, used(Limit::AppInTenant)) {
            opened.push(self.scope(lane, Some(sender)));
        }
        if self.lanes[lane].pacer.passed(&tenant, used(Limit::Tenant)) {
            opened.push(self.scope(lane, None));
        }
        if let Some((place, departure)) = everywhere
            && self.everywhere[place.0].passed(&departure, used(Limit::AppEverywhere))
        {
            let app_id = self.sender(from.whose).id.clone();
            opened.push(Scope { tenant: None, app_id });
        }
        for scope in opened {
            self.recorder.note(Event::Reopened { at: now(), scope });
        }
    }

    /// The limit that a 429 is about hears of it; to the others it says nothing. An app that works in one tenant only
    /// has no limit of its own over all tenants here, and then its limit in this one stands for it.
    fn limit_of(&mut self, from: From, response: &Response) -> (Limit, Scope) {
        let Whose { lane, sender } = from.whose;
        match Limit::of(response) {
            Limit::Tenant => (Limit::Tenant, self.scope(lane, None)),
            Limit::AppEverywhere if from.counted.everywhere.is_some() => {
                let app_id = self.sender(from.whose).id.clone();
                (Limit::AppEverywhere, Scope { tenant: None, app_id })
            }
            _ => (Limit::AppInTenant, self.scope(lane, Some(sender))),
        }
    }

    /// Closes the gate that a 429 is about. Gives until when it was closed before, and until when it is now.
    fn close(
        &mut self,
        from: From,
        limit: Limit,
        retry_after: Option<Duration>,
    ) -> (Option<Instant>, Instant) {
        let Counted { app, tenant, everywhere } = from.counted;
        let mut result = None;
        let mut hear = |pacer: &mut Pacer, departure, closes| {
            if closes {
                let before = pacer.closed_until();
                result = Some((before, pacer.throttled(departure, retry_after)));
            } else {
                pacer.lost(departure);
            }
        };
        let lane = &mut self.lanes[from.whose.lane];
        hear(&mut lane.senders[from.whose.sender].pacer, &app, limit == Limit::AppInTenant);
        hear(&mut lane.pacer, &tenant, limit == Limit::Tenant);
        if let Some((place, departure)) = everywhere {
            hear(&mut self.everywhere[place.0], &departure, limit == Limit::AppEverywhere);
        }
        result.unwrap_or((None, Instant::now()))
    }

    fn take_throttled(&mut self, from: From, mut live: Live, retry_after: Option<Duration>, reply: &Reply) {
        let Reply::Response(response) = reply else { return };
        let (limit, whose) = self.limit_of(from, response);
        let (before, until) = self.close(from, limit, retry_after);
        live.throttled_since = Some(Instant::now());
        live.give_try_back();
        live.throttles += 1;
        self.record_answered(&live);
        let queue = &mut self.lanes[from.whose.lane].queue;
        match live.throttles {
            1 => queue.again(live),
            // It may be throttled for its own sake: others go first, lest it be the probe for ever.
            again => queue.again_at(until + backoff::wait(again - 1), live),
        }
        // One closing of the gate is told once, however many answers tell of it.
        if before.is_some_and(|before| until <= before + SAME_CLOSING) {
            return;
        }
        let wait = until.saturating_duration_since(Instant::now());
        let at = now();
        let kept = |text: &Option<String>| text.as_deref().map(|t| crate::harmless::excerpt(t, 200));
        self.recorder.note(Event::Throttled(Throttled {
            at,
            until: at.checked_add(Duration::from_millis(wait.as_millis() as u64 + 1)).unwrap_or(at),
            retry_after_ms: retry_after.map(|wait| wait.as_millis() as u64),
            whose,
            scope: kept(&response.throttle_scope),
            information: kept(&response.throttle_information),
        }));
    }

    // ── What becomes of the user ───────────────────────────────────────────────────────────────────────────

    fn take_done(&mut self, whose: Whose, mut live: Live) {
        self.sender(whose).carried_out();
        self.contradict(whose.lane, &live);
        if self.targets[live.work.order as usize - 1].external == Some(true) {
            live.last.detail = "external user: the home tenant holds the sessions".to_owned();
            self.settle(whose.lane, live, Outcome::AcceptedNoEffect);
        } else {
            self.settle(whose.lane, live, Outcome::Revoked);
        }
    }

    /// A 403 is the user's only where all apps agree: one of several may have lost its permission.
    fn take_forbidden(&mut self, whose: Whose, mut live: Live) {
        live.refused_by.insert(whose.sender);
        let lane = &mut self.lanes[whose.lane];
        let another = lane.working().any(|sender| !live.refused_by.contains(sender));
        if !another {
            return self.settle(whose.lane, live, Outcome::Forbidden);
        }
        live.give_try_back();
        self.record_answered(&live);
        self.lanes[whose.lane].queue.again(live);
    }

    /// Another app carried out what some were refused: whoever is contradicted again and again has lost its permission.
    fn contradict(&mut self, lane: usize, live: &Live) {
        for sender in live.refused_by.iter() {
            let refused = &mut self.lanes[lane].senders[sender];
            if !refused.is_dropped && refused.contradicted() {
                let detail =
                    "Graph refuses this app (403) what others may: its permission was taken away".to_owned();
                self.drop_sender(Whose { lane, sender }, Stop::Permission { detail });
            }
        }
    }

    fn retry(&mut self, lane: usize, live: Live, otherwise: Outcome, at_least: Option<Duration>) {
        if live.tries > self.settings.retries {
            return self.settle(lane, live, otherwise);
        }
        self.record_answered(&live);
        let wait = backoff::wait(live.tries).max(at_least.unwrap_or_default());
        let now = Instant::now();
        let at = now.checked_add(wait).unwrap_or(now);
        self.lanes[lane].queue.again_at(at, live);
    }

    fn settle(&mut self, lane: usize, live: Live, outcome: Outcome) {
        if let Some(stop) = self.watch.settled(outcome) {
            self.stop(stop);
        }
        if let Some(stop) = self.lanes[lane].refusals.settled(outcome) {
            self.stop_lane(lane, stop);
        }
        self.settle_quietly(live, outcome);
    }

    /// Records an outcome without asking the halt rules.
    pub(super) fn settle_quietly(&mut self, live: Live, outcome: Outcome) {
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

    // ── Tokens and apps ────────────────────────────────────────────────────────────────────────────────────

    /// A 401: one fresh token for all, and another try with it. Refused again, the app sends nothing more.
    fn take_unauthorized(&mut self, whose: Whose, mut live: Live, token: u64, claims: Option<String>) {
        let again = live.unauthorized.is_some_and(|before| before != token);
        let challenged = claims.is_some();
        let sender = &mut self.lanes[whose.lane].senders[whose.sender];
        let graph = sender.graph.clone();
        let renewing =
            !again && sender.renewal.answer_401(&graph, whose, &mut self.renewals, (token, claims));
        if !renewing {
            let detail = live.last.detail.clone();
            let detail = if detail.is_empty() { detail } else { format!(": {detail}") };
            let why = if challenged {
                SignInError::ChallengedAgain { detail }
            } else {
                SignInError::Refused { detail }
            };
            self.drop_sender(whose, Stop::SignIn { detail: why.to_string() });
        }
        live.unauthorized = Some(token);
        live.give_try_back();
        self.record_answered(&live);
        self.lanes[whose.lane].queue.again(live);
    }

    pub(super) fn take_renewed(&mut self, joined: renewal::Joined) {
        let renewed = match joined {
            Ok((id, (whose, result))) => {
                let sender = self.sender(whose);
                let graph = sender.graph.clone();
                sender.renewal.is(id).then(|| (whose, sender.renewal.ended(&graph, result)))
            }
            // One that was superseded was called off.
            Err(error) if error.is_cancelled() => None,
            Err(error) => self.broke_down(&error),
        };
        let Some((whose, renewed)) = renewed else { return };
        match renewed {
            Renewed::Token => {
                let scope = self.scope(whose.lane, Some(whose.sender));
                self.recorder.note(Event::Renewed { at: now(), scope });
            }
            Renewed::NotYet => {}
            Renewed::Failed(error) => self.drop_sender(whose, Stop::SignIn { detail: error.to_string() }),
        }
        self.schedule.at(whose.lane, Instant::now());
        self.recorder.write_and_sync();
    }

    fn broke_down(&mut self, error: &JoinError) -> Option<(Whose, Renewed)> {
        let all = self.lanes.iter_mut().enumerate();
        let mut all = all.flat_map(|(lane, working)| {
            let senders = working.senders.iter_mut().enumerate();
            senders.map(move |(sender, working)| (Whose { lane, sender }, working))
        });
        let (whose, sender) = all.find(|(_, sender)| sender.renewal.is(error.id()))?;
        Some((whose, sender.renewal.broke_down(error)))
    }

    /// An app can send nothing more: its work goes to the tenant's others, and where there is none, the tenant stops.
    fn drop_sender(&mut self, whose: Whose, why: Stop) {
        let Whose { lane, sender } = whose;
        if self.lanes[lane].senders[sender].is_dropped {
            return;
        }
        if self.lanes[lane].working().all(|other| other == sender) {
            return self.stop_lane(lane, why);
        }
        self.lanes[lane].senders[sender].is_dropped = true;
        let scope = self.scope(lane, Some(sender));
        self.recorder.note(Event::Dropped { at: now(), scope, why });
        // Whoever only the dropped app had not refused yet must not wait for it.
        self.lanes[lane].queue.forget_refusals();
    }
}

/// Whether a server or the way to it is overburdened.
fn is_trouble(reply: &Reply) -> bool {
    match reply {
        Reply::Lost(lost) => lost.how != Loss::NotSent || lost.detail.contains("timed out"),
        Reply::Response(response) => matches!(response.status, 502..=504),
        Reply::Unbatched(_) => false,
    }
}
