//! What an answer changes for its user, its app and its tenant.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::active_target::ActiveTarget;
use super::refusals::{RefusalConsequence, RefusalSubject};
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, InFlightRequest, JoinedTask, Verdict, backoff, now, verdict};
use crate::event::{AnsweredEvent, Event, SettledEvent, StopReason};
use crate::graph::{BatchAnswer, ConnectionLoss, Graph, LossKind, UserReply};
use crate::http::is_gateway_error;
use crate::number::add_clamped;
use crate::outcome::Outcome;

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Handles an answer and all others that have already arrived, so that they share one write and one sync.
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
        let InFlightRequest { dispatched, active_targets } = flight;
        self.update_width(dispatched, &answers);
        // No user may be lost because an implementation of `Graph` returns too few answers.
        let silence = std::iter::repeat_with(unanswered);
        for (active, answer) in active_targets.into_iter().zip(answers.into_iter().chain(silence)) {
            self.take_answer(dispatched, active, answer);
        }
        self.schedule.at(dispatched.sender_id.lane, Instant::now());
    }

    /// A worker that panics affects only its own targets, not the run.
    fn take_panic(&mut self, flight: InFlightRequest, error: &JoinError) {
        tracing::error!(%error, "internal error: a request task panicked; its users are in_doubt");
        let InFlightRequest { dispatched, active_targets } = flight;
        let lane = dispatched.sender_id.lane;
        self.lanes[lane].width.on_response(dispatched.at, true, Instant::now());
        for mut active in active_targets {
            self.on_no_answer(dispatched);
            active.last.detail = "internal error on this request; please report it".to_owned();
            active.last.error_code = Some("internal".to_owned());
            self.settle(lane, active, Outcome::InDoubt);
        }
        self.schedule.at(lane, Instant::now());
    }

    fn update_width(&mut self, dispatched: DispatchedAttempt, answers: &[BatchAnswer]) {
        let width = &mut self.lanes[dispatched.sender_id.lane].width;
        let trouble = answers.iter().any(|answer| is_overload_sign(&answer.reply));
        width.on_response(dispatched.at, trouble, Instant::now());
        let refused = |answer: &BatchAnswer| match &answer.reply {
            UserReply::Unbatched(response) => Some(response.status),
            UserReply::Response(_) | UserReply::Lost(_) => None,
        };
        let users = answers.len();
        match answers.iter().map(refused).min().flatten() {
            Some(status) => {
                tracing::warn!(status, users, "a batch was refused; its users are revoked one by one");
                width.batch_refused(users, status);
            }
            None if users > 1 => width.batch_taken(),
            None => {}
        }
    }

    fn take_answer(&mut self, dispatched: DispatchedAttempt, mut active: ActiveTarget, answer: BatchAnswer) {
        let sender_id = dispatched.sender_id;
        self.lanes[sender_id.lane].answered += 1;
        active.last = answer.reply.evidence();
        active.last.app_id = self.sender(sender_id).id.clone();
        let judged = verdict(&answer.reply);
        active.otherwise = judged.otherwise();
        match (&judged, &answer.reply) {
            // It is not known yet which limit this is about.
            (Verdict::Throttled { .. }, _) => {}
            (_, UserReply::Lost(_) | UserReply::Unbatched(_)) => self.on_no_answer(dispatched),
            (_, UserReply::Response(response)) => {
                self.passed(dispatched, response);
                self.take_evidence(dispatched, &mut active, &judged);
            }
        }
        // Neither a lost answer nor a 429 proves that Graph accepted the token.
        let silent = matches!(answer.reply, UserReply::Lost(_) | UserReply::Unbatched(_))
            || matches!(judged, Verdict::Throttled { .. } | Verdict::Unauthorized { .. });
        if !silent {
            active.unauthorized = None;
            self.sender(sender_id).renewal.proved(answer.token);
        }
        self.apply_verdict(dispatched, active, judged, answer);
    }

    /// An answer other than a 429 also shows whether other users are still throttled.
    fn take_evidence(&mut self, dispatched: DispatchedAttempt, active: &mut ActiveTarget, judged: &Verdict) {
        let evidence = &mut self.lanes[dispatched.sender_id.lane].evidence;
        evidence.tried(active.work.order, dispatched.at);
        // A user who was throttled until now proves nothing about those who still are.
        if active.throttles == 0 && matches!(judged, Verdict::Done | Verdict::Settle(_)) {
            evidence.passed(dispatched.at);
        }
        active.end_throttles();
    }

    fn apply_verdict(
        &mut self,
        dispatched: DispatchedAttempt,
        mut active: ActiveTarget,
        judged: Verdict,
        answer: BatchAnswer,
    ) {
        let sender_id = dispatched.sender_id;
        match judged {
            Verdict::Done => self.take_done(sender_id, active),
            Verdict::Settle(Outcome::Forbidden) => self.take_forbidden(sender_id, active),
            Verdict::Settle(outcome) => self.settle(sender_id.lane, active, outcome),
            Verdict::Throttled { retry_after } => match &answer.reply {
                UserReply::Response(response) => {
                    self.take_throttled(dispatched, active, retry_after, response)
                }
                // This can't happen, because only a response can be throttled. If it does, no user is lost.
                _ => self.retry(sender_id.lane, active, Outcome::ThrottledOut, retry_after),
            },
            Verdict::Retry { otherwise, new_connection, at_least } => {
                active.new_connection = new_connection;
                self.retry(sender_id.lane, active, otherwise, at_least);
            }
            Verdict::SendUnbatched => self.take_unbatched(sender_id.lane, active),
            Verdict::Unauthorized { claims } => {
                self.take_unauthorized(sender_id, active, answer.token, claims)
            }
        }
    }

    /// Sends the user outside a batch. If it was already sent that way, this counts as a try, so that the retries end.
    fn take_unbatched(&mut self, lane: usize, mut active: ActiveTarget) {
        if active.alone {
            return self.retry(lane, active, Outcome::Failed, None);
        }
        active.alone = true;
        active.refund_try();
        self.record_answered(&active);
        self.lanes[lane].queue.requeue(active);
    }

    fn take_done(&mut self, sender_id: SenderId, mut active: ActiveTarget) {
        self.sender(sender_id).carried_out();
        self.detect_lost_permission(sender_id.lane, &active);
        if self.targets[active.work.order as usize - 1].external == Some(true) {
            active.last.detail = "external user: the home tenant holds the sessions".to_owned();
            self.settle(sender_id.lane, active, Outcome::AcceptedNoEffect);
        } else {
            self.settle(sender_id.lane, active, Outcome::Revoked);
        }
    }

    /// A 403 is final for a user only if every app gets one, because one of several apps may have lost its
    /// permission.
    fn take_forbidden(&mut self, sender_id: SenderId, mut active: ActiveTarget) {
        active.refused_by.insert(sender_id.sender);
        let lane = &mut self.lanes[sender_id.lane];
        let another = lane.active_senders().any(|sender| !active.refused_by.contains(sender));
        if !another {
            return self.settle(sender_id.lane, active, Outcome::Forbidden);
        }
        active.refund_try();
        self.record_answered(&active);
        self.lanes[sender_id.lane].queue.requeue(active);
    }

    /// An app revoked a user whom others were not allowed to revoke. An app that is contradicted again and again
    /// has lost its permission. Administrators are no evidence, because not every app may revoke them.
    fn detect_lost_permission(&mut self, lane: usize, active: &ActiveTarget) {
        if self.targets[active.work.order as usize - 1].administrator {
            return;
        }
        for sender in active.refused_by.iter() {
            let refused = &mut self.lanes[lane].senders[sender];
            if !refused.is_dropped && refused.contradicted() {
                let detail =
                    "Graph refuses this app (403) but allows others: its permission was removed".to_owned();
                self.drop_sender(SenderId { lane, sender }, StopReason::Permission { detail });
            }
        }
    }

    fn retry(
        &mut self,
        lane: usize,
        mut active: ActiveTarget,
        otherwise: Outcome,
        at_least: Option<Duration>,
    ) {
        let too_long = at_least.is_some_and(|wait| wait > self.settings.max_wait);
        if active.tries > self.settings.retries || too_long {
            return self.settle(lane, active, otherwise);
        }
        self.record_answered(&active);
        // Other users must not wait for this one.
        let in_vain =
            self.lanes[lane].refusals.replace_inconclusive(std::mem::take(&mut active.from_elsewhere));
        self.apply_consequence(lane, in_vain);
        let wait = backoff::wait(active.tries).max(at_least.unwrap_or_default());
        let at = add_clamped(Instant::now(), wait);
        let queue = &mut self.lanes[lane].queue;
        if active.isolated.is_some() { queue.isolate(at, active) } else { queue.requeue_at(at, active) }
    }

    pub(super) fn settle(&mut self, lane: usize, active: ActiveTarget, outcome: Outcome) {
        self.lanes[lane].settled += 1;
        if let Some(stop) = self.failure_threshold.settled(outcome) {
            self.stop(stop);
        }
        let administrator = self.targets[active.work.order as usize - 1].administrator;
        let whom = RefusalSubject { from_elsewhere: active.from_elsewhere, administrator };
        let consequence = self.lanes[lane].refusals.settled(outcome, whom);
        self.apply_consequence(lane, consequence);
        self.settle_without_halt_check(active, outcome);
    }

    /// Applies the consequence of refusals in a tenant.
    fn apply_consequence(&mut self, lane: usize, consequence: Option<RefusalConsequence>) {
        match consequence {
            Some(RefusalConsequence::SampleFurtherDown(count)) => {
                if count > 1 {
                    tracing::warn!(
                        tenant = lane,
                        "all of the first users were refused (403): trying some from further down the list"
                    );
                }
                self.lanes[lane].queue.sample_further_down(count);
            }
            Some(RefusalConsequence::ResumePlanOrder) => self.lanes[lane].queue.resume_plan_order(),
            Some(RefusalConsequence::Stop(stop)) => self.stop_lane(lane, stop),
            None => {}
        }
    }

    /// Records an outcome without checking the halt rules.
    pub(super) fn settle_without_halt_check(&mut self, active: ActiveTarget, outcome: Outcome) {
        let user = self.targets[active.work.order as usize - 1].user.to_string();
        let event = Event::Settled(Box::new(SettledEvent {
            at: now(),
            target: active.work.order,
            user,
            outcome,
            evidence: active.last,
            attempts: active.work.attempts,
            throttled_ms: millis_of(active.work.throttled),
            first_sent_at: active.work.first_sent_at,
            client_request_id: active.client_request_id,
        }));
        self.recorder.settle(event);
    }

    pub(super) fn record_answered(&mut self, active: &ActiveTarget) {
        let order = active.work.order;
        let user = self.targets[order as usize - 1].user.to_string();
        self.recorder.note(Event::Answered(AnsweredEvent {
            at: now(),
            target: order,
            user,
            attempt: active.work.attempts,
            outcome: active.otherwise,
            throttled_ms: millis_of(active.work.throttled),
            client_request_id: active.client_request_id,
            evidence: active.last.clone(),
        }));
    }
}

/// A time in the journal's unit.
fn millis_of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a server or the network is overloaded: there was no answer, or a gateway answered.
fn is_overload_sign(reply: &UserReply) -> bool {
    match reply {
        UserReply::Lost(_) => true,
        UserReply::Response(response) => is_gateway_error(response.status),
        UserReply::Unbatched(_) => false,
    }
}

/// Stands in for the answer of a user who is missing from a batch response.
fn unanswered() -> BatchAnswer {
    let detail = "the batch answer has no part for this user".to_owned();
    BatchAnswer { reply: UserReply::Lost(ConnectionLoss { how: LossKind::Broken, detail }), token: 0 }
}
