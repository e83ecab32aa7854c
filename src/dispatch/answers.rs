//! What an answer does to its user, its app and its tenant.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::live::ActiveTarget;
use super::refusals::{RefusalConsequence, RefusalSubject};
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, InFlightRequest, JoinedTask, Verdict, backoff, now, verdict};
use crate::event::{AnsweredEvent, Event, SettledEvent, StopReason};
use crate::graph::{BatchAnswer, ConnectionLoss, Graph, LossKind, UserReply};
use crate::http::is_of_a_gateway;
use crate::number::after;
use crate::outcome::Outcome;

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Takes an answer, and all others that are there already: they share a turn, a write and a sync.
    pub(super) fn take_joined(&mut self, first: JoinedTask) {
        let mut joined = Some(first);
        while let Some(result) = joined {
            let id = result.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
            if let Some(flight) = self.in_flight.remove(&id) {
                match result {
                    Ok((_, answers)) => self.take_flight(flight, answers),
                    Err(error) => self.take_panic(flight, &error),
                }
            }
            joined = self.workers.try_join_next_with_id();
        }
        self.recorder.write_and_sync();
    }

    fn take_flight(&mut self, flight: InFlightRequest, answers: Vec<BatchAnswer>) {
        let InFlightRequest { departed, lives } = flight;
        self.mind_width(departed, &answers);
        // Nobody may be lost because a batch's carrier says nothing of him.
        let silence = std::iter::repeat_with(unanswered);
        for (live, answer) in lives.into_iter().zip(answers.into_iter().chain(silence)) {
            self.take_answer(departed, live, answer);
        }
        self.schedule.at(departed.whose.lane, Instant::now());
    }

    /// A worker that panics takes down its own targets, not the run.
    fn take_panic(&mut self, flight: InFlightRequest, error: &JoinError) {
        tracing::error!(%error, "a worker broke down; its users are in doubt");
        let InFlightRequest { departed, lives } = flight;
        let lane = departed.whose.lane;
        self.lanes[lane].width.on_response(departed.at, true, Instant::now());
        for mut live in lives {
            self.on_no_answer(departed);
            live.last.detail = "the program broke down on this request; please report it".to_owned();
            live.last.error_code = Some("internal".to_owned());
            self.settle(lane, live, Outcome::InDoubt);
        }
        self.schedule.at(lane, Instant::now());
    }

    fn mind_width(&mut self, departed: DispatchedAttempt, answers: &[BatchAnswer]) {
        let width = &mut self.lanes[departed.whose.lane].width;
        let trouble = answers.iter().any(|answer| is_trouble(&answer.reply));
        width.on_response(departed.at, trouble, Instant::now());
        let refused = |answer: &BatchAnswer| match &answer.reply {
            UserReply::Unbatched(response) => Some(response.status),
            UserReply::Response(_) | UserReply::Lost(_) => None,
        };
        let users = answers.len();
        match answers.iter().map(refused).min().flatten() {
            Some(status) => {
                tracing::warn!(status, users, "a batch was refused; its users go alone");
                width.batch_refused(users, status);
            }
            None if users > 1 => width.batch_taken(),
            None => {}
        }
    }

    fn take_answer(&mut self, departed: DispatchedAttempt, mut live: ActiveTarget, answer: BatchAnswer) {
        let whose = departed.whose;
        self.lanes[whose.lane].answered += 1;
        live.last = answer.reply.evidence();
        live.last.app_id = self.sender(whose).id.clone();
        let judged = verdict(&answer.reply);
        live.otherwise = judged.otherwise();
        match (&judged, &answer.reply) {
            // Which limit it is about is still to be found.
            (Verdict::Throttled { .. }, _) => {}
            (_, UserReply::Lost(_) | UserReply::Unbatched(_)) => self.on_no_answer(departed),
            (_, UserReply::Response(response)) => {
                self.passed(departed, response);
                self.take_evidence(departed, &mut live, &judged);
            }
        }
        // Neither a lost answer nor a 429 says that the token was looked at.
        let silent = matches!(answer.reply, UserReply::Lost(_) | UserReply::Unbatched(_))
            || matches!(judged, Verdict::Throttled { .. } | Verdict::Unauthorized { .. });
        if !silent {
            live.unauthorized = None;
            self.sender(whose).renewal.proved(answer.token);
        }
        self.apply_verdict(departed, live, judged, answer);
    }

    /// An answer other than 429 tells of others' throttles, too.
    fn take_evidence(&mut self, departed: DispatchedAttempt, live: &mut ActiveTarget, judged: &Verdict) {
        let evidence = &mut self.lanes[departed.whose.lane].evidence;
        evidence.tried(live.work.order, departed.at);
        // Whoever was throttled itself until now says nothing of those who still are.
        if live.throttles == 0 && matches!(judged, Verdict::Done | Verdict::Settle(_)) {
            evidence.passed(departed.at);
        }
        live.end_throttles();
    }

    fn apply_verdict(
        &mut self,
        departed: DispatchedAttempt,
        mut live: ActiveTarget,
        judged: Verdict,
        answer: BatchAnswer,
    ) {
        let whose = departed.whose;
        match judged {
            Verdict::Done => self.take_done(whose, live),
            Verdict::Settle(Outcome::Forbidden) => self.take_forbidden(whose, live),
            Verdict::Settle(outcome) => self.settle(whose.lane, live, outcome),
            Verdict::Throttled { retry_after } => match &answer.reply {
                UserReply::Response(response) => self.take_throttled(departed, live, retry_after, response),
                // No verdict says so of anything else; whatever it was, nobody is lost for it.
                _ => self.retry(whose.lane, live, Outcome::ThrottledOut, retry_after),
            },
            Verdict::Retry { otherwise, new_connection, at_least } => {
                live.new_connection = new_connection;
                self.retry(whose.lane, live, otherwise, at_least);
            }
            Verdict::Alone => self.take_unbatched(whose.lane, live),
            Verdict::Unauthorized { claims } => self.take_unauthorized(whose, live, answer.token, claims),
        }
    }

    /// It goes alone. Whoever does already and is told so again has a try less, lest it never end.
    fn take_unbatched(&mut self, lane: usize, mut live: ActiveTarget) {
        if live.alone {
            return self.retry(lane, live, Outcome::Failed, None);
        }
        live.alone = true;
        live.give_try_back();
        self.record_answered(&live);
        self.lanes[lane].queue.requeue(live);
    }

    fn take_done(&mut self, whose: SenderId, mut live: ActiveTarget) {
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
    fn take_forbidden(&mut self, whose: SenderId, mut live: ActiveTarget) {
        live.refused_by.insert(whose.sender);
        let lane = &mut self.lanes[whose.lane];
        let another = lane.working().any(|sender| !live.refused_by.contains(sender));
        if !another {
            return self.settle(whose.lane, live, Outcome::Forbidden);
        }
        live.give_try_back();
        self.record_answered(&live);
        self.lanes[whose.lane].queue.requeue(live);
    }

    /// Another app carried out what some were refused: whoever is contradicted again and again has lost its permission.
    /// Administrators prove nothing: not every app may revoke them.
    fn contradict(&mut self, lane: usize, live: &ActiveTarget) {
        if self.targets[live.work.order as usize - 1].administrator {
            return;
        }
        for sender in live.refused_by.iter() {
            let refused = &mut self.lanes[lane].senders[sender];
            if !refused.is_dropped && refused.contradicted() {
                let detail =
                    "Graph refuses this app (403) what others may: its permission was taken away".to_owned();
                self.drop_sender(SenderId { lane, sender }, StopReason::Permission { detail });
            }
        }
    }

    fn retry(&mut self, lane: usize, mut live: ActiveTarget, otherwise: Outcome, at_least: Option<Duration>) {
        let too_long = at_least.is_some_and(|wait| wait > self.settings.max_wait);
        if live.tries > self.settings.retries || too_long {
            return self.settle(lane, live, otherwise);
        }
        self.record_answered(&live);
        // The others must not wait for it.
        let in_vain = self.lanes[lane].refusals.asked_in_vain(std::mem::take(&mut live.from_elsewhere));
        self.follow(lane, in_vain);
        let wait = backoff::wait(live.tries).max(at_least.unwrap_or_default());
        let at = after(Instant::now(), wait);
        let queue = &mut self.lanes[lane].queue;
        if live.apart.is_some() { queue.set_apart(at, live) } else { queue.again_at(at, live) }
    }

    pub(super) fn settle(&mut self, lane: usize, live: ActiveTarget, outcome: Outcome) {
        self.lanes[lane].settled += 1;
        if let Some(stop) = self.watch.settled(outcome) {
            self.stop(stop);
        }
        let administrator = self.targets[live.work.order as usize - 1].administrator;
        let whom = RefusalSubject { from_elsewhere: live.from_elsewhere, administrator };
        let consequence = self.lanes[lane].refusals.settled(outcome, whom);
        self.follow(lane, consequence);
        self.settle_without_event(live, outcome);
    }

    /// Does what follows for a tenant from the refusals that were met there.
    fn follow(&mut self, lane: usize, consequence: Option<RefusalConsequence>) {
        match consequence {
            Some(RefusalConsequence::AskElsewhere(count)) => {
                if count > 1 {
                    tracing::warn!(
                        tenant = lane,
                        "the first users were all refused (403): others are asked first"
                    );
                }
                self.lanes[lane].queue.ask_elsewhere(count);
            }
            Some(RefusalConsequence::GoOnInOrder) => self.lanes[lane].queue.go_on_in_order(),
            Some(RefusalConsequence::Stop(stop)) => self.stop_lane(lane, stop),
            None => {}
        }
    }

    /// Records an outcome without asking the halt rules.
    pub(super) fn settle_without_event(&mut self, live: ActiveTarget, outcome: Outcome) {
        let user = self.targets[live.work.order as usize - 1].user.to_string();
        let event = Event::Settled(Box::new(SettledEvent {
            at: now(),
            target: live.work.order,
            user,
            outcome,
            evidence: live.last,
            attempts: live.work.attempts,
            throttled_ms: millis_of(live.work.throttled),
            first_sent_at: live.work.first_sent_at,
            client_request_id: live.client_request_id,
        }));
        self.recorder.settle(event);
    }

    pub(super) fn record_answered(&mut self, live: &ActiveTarget) {
        let order = live.work.order;
        let user = self.targets[order as usize - 1].user.to_string();
        self.recorder.note(Event::Answered(AnsweredEvent {
            at: now(),
            target: order,
            user,
            attempt: live.work.attempts,
            outcome: live.otherwise,
            throttled_ms: millis_of(live.work.throttled),
            client_request_id: live.client_request_id,
            evidence: live.last.clone(),
        }));
    }
}

/// A time as the journal keeps it.
fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a server or the way to it is overburdened: no answer came, or none of the service's own.
fn is_trouble(reply: &UserReply) -> bool {
    match reply {
        UserReply::Lost(_) => true,
        UserReply::Response(response) => is_of_a_gateway(response.status),
        UserReply::Unbatched(_) => false,
    }
}

/// For a user of whom the answer to a batch says nothing.
fn unanswered() -> BatchAnswer {
    let detail = "the answer to its batch says nothing of it".to_owned();
    BatchAnswer { reply: UserReply::Lost(ConnectionLoss { how: LossKind::Broken, detail }), token: 0 }
}
