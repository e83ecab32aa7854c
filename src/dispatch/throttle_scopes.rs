//! What the pacers learn from an answer. Each limit that counted the request learns that it passed, that this
//! limit was reached, or nothing.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::active_target::ActiveTarget;
use super::lane::{Lane, LaneCounts};
use super::pacer::Pacer;
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, backoff, now};
use crate::event::{Event, EventScope, StopReason, ThrottledEvent};
use crate::graph::{Graph, HttpResponse};
use crate::number::add_clamped;
use crate::outcome::Outcome;

/// If the same gate closes again within this time, the event is not reported again.
const SAME_CLOSING: Duration = Duration::from_millis(500);

/// The minimum number of tries, after the first one, of an isolated user. Isolated users use what is left of
/// a real limit, too.
const MIN_TRIES: u32 = 5;

/// The limit that a 429 is about (`x-ms-throttle-scope`: `Tenant_Application`, `Tenant` or `Application`
/// before the first `/`; learn.microsoft.com/graph/throttling).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ThrottleScope {
    AppInTenant,
    Tenant,
    AppEverywhere,
}

impl ThrottleScope {
    fn from_response(response: &HttpResponse) -> ThrottleScope {
        let scope = response.throttle_scope.as_deref().unwrap_or_default();
        match scope.split('/').next().unwrap_or_default().trim() {
            scope if scope.eq_ignore_ascii_case("Tenant") => ThrottleScope::Tenant,
            scope if scope.eq_ignore_ascii_case("Application") => ThrottleScope::AppEverywhere,
            _ => ThrottleScope::AppInTenant,
        }
    }
}

impl<G: Graph> Lane<G> {
    /// Counts a 429 for a user. Returns whether the user seems to be throttled individually.
    fn count_throttle(&mut self, active: &mut ActiveTarget, dispatched: Instant) -> bool {
        let now = Instant::now();
        let before = active.throttled_at.replace(now);
        active.throttled_since = Some(now);
        active.throttles += 1;
        let order = active.work.order;
        let own = before.is_some_and(|before| self.evidence.is_individual(order, before, now));
        if before.is_none() {
            active.passes_before = self.evidence.passes;
        }
        self.evidence.tried(order, dispatched);
        own
    }
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// Handles an answer that says nothing about any limit.
    pub(super) fn on_no_answer(&mut self, dispatched: DispatchedAttempt) {
        let LaneCounts { app, tenant, everywhere } = dispatched.counted;
        self.sender(dispatched.sender_id).pacer.on_lost(&app);
        self.lanes[dispatched.sender_id.lane].pacer.on_lost(&tenant);
        if let Some((place, departure)) = everywhere {
            self.shared.pacer_mut(place).on_lost(&departure);
        }
    }

    /// Handles an answer other than a 429: no limit was reached.
    pub(super) fn passed(&mut self, dispatched: DispatchedAttempt, response: &HttpResponse) {
        let LaneCounts { app, tenant, everywhere } = dispatched.counted;
        let SenderId { lane, sender } = dispatched.sender_id;
        let about = self.limit_of(dispatched, response).0;
        let used = |limit: ThrottleScope| response.throttle_percentage.filter(|_| about == limit);
        let mut opened = Vec::new();
        if self.sender(dispatched.sender_id).pacer.passed(&app, used(ThrottleScope::AppInTenant)) {
            opened.push(self.scope(lane, Some(sender)));
        }
        if self.lanes[lane].pacer.passed(&tenant, used(ThrottleScope::Tenant)) {
            opened.push(self.scope(lane, None));
        }
        if let Some((place, departure)) = everywhere
            && self.shared.pacer_mut(place).passed(&departure, used(ThrottleScope::AppEverywhere))
        {
            let app_id = self.sender(dispatched.sender_id).id.clone();
            opened.push(EventScope { tenant: None, app_id });
        }
        for scope in opened {
            self.recorder.note(Event::Reopened { at: now(), scope });
        }
    }

    /// The limit that an answer is about, and its scope. If an app works in only one tenant, it does not have
    /// a limit over all tenants here, so its limit in this tenant is used.
    fn limit_of(
        &self,
        dispatched: DispatchedAttempt,
        response: &HttpResponse,
    ) -> (ThrottleScope, EventScope) {
        let SenderId { lane, sender } = dispatched.sender_id;
        match ThrottleScope::from_response(response) {
            ThrottleScope::Tenant => (ThrottleScope::Tenant, self.scope(lane, None)),
            ThrottleScope::AppEverywhere if dispatched.counted.everywhere.is_some() => {
                let app_id = self.lanes[lane].senders[sender].id.clone();
                (ThrottleScope::AppEverywhere, EventScope { tenant: None, app_id })
            }
            _ => (ThrottleScope::AppInTenant, self.scope(lane, Some(sender))),
        }
    }

    /// Closes the gate that a 429 is about. The 429 says nothing about the other limits. Returns until when
    /// the gate was closed before, and until when it is closed now.
    fn close(
        &mut self,
        dispatched: DispatchedAttempt,
        limit: ThrottleScope,
        retry_after: Option<Duration>,
    ) -> (Option<Instant>, Instant) {
        let LaneCounts { app, tenant, everywhere } = dispatched.counted;
        let mut result = None;
        let mut hear = |pacer: &mut Pacer, departure, closes| {
            if closes {
                let before = pacer.closed_until();
                result = Some((before, pacer.throttled(departure, retry_after)));
            } else {
                pacer.on_lost(departure);
            }
        };
        let lane = &mut self.lanes[dispatched.sender_id.lane];
        hear(&mut lane.senders[dispatched.sender_id.sender].pacer, &app, limit == ThrottleScope::AppInTenant);
        hear(&mut lane.pacer, &tenant, limit == ThrottleScope::Tenant);
        if let Some((place, departure)) = everywhere {
            hear(self.shared.pacer_mut(place), &departure, limit == ThrottleScope::AppEverywhere);
        }
        result.unwrap_or((None, Instant::now()))
    }

    pub(super) fn take_throttled(
        &mut self,
        dispatched: DispatchedAttempt,
        mut active: ActiveTarget,
        retry_after: Option<Duration>,
        response: &HttpResponse,
    ) {
        if active.isolated.is_some() {
            return self.take_throttled_apart(dispatched, active, retry_after);
        }
        let (limit, event_scope) = self.limit_of(dispatched, response);
        let (before, until) = self.close(dispatched, limit, retry_after);
        active.refund_try();
        let lane = &mut self.lanes[dispatched.sender_id.lane];
        let own = lane.count_throttle(&mut active, dispatched.at);
        let cleared = !own && lane.evidence.clears(dispatched.at);
        if cleared {
            self.lanes[dispatched.sender_id.lane].queue.requeue_isolated();
        }
        if self.is_hopeless(dispatched.sender_id.lane, &active) {
            self.settle(dispatched.sender_id.lane, active, Outcome::ThrottledOut);
            return self.note_closing(before, until, event_scope, retry_after, response);
        }
        self.record_answered(&active);
        let queue = &mut self.lanes[dispatched.sender_id.lane].queue;
        match active.throttles {
            1 => queue.requeue(active),
            again => {
                // The user may be throttled individually. Others go first, so that this user is not the probe
                // for ever.
                let at = add_clamped(until, backoff::wait(again - 1));
                if own {
                    queue.isolate(at, ActiveTarget { isolated: Some(0), ..active });
                } else {
                    queue.requeue_at(at, active);
                }
            }
        }
        if retry_after.is_some_and(|wait| wait > self.settings.max_wait) {
            self.check_waits();
        }
        self.note_closing(before, until, event_scope, retry_after, response);
    }

    /// Whether a user was throttled again and again, for longer than the maximum wait, after all others were
    /// tried. If no one is left who could pass, nothing else shows that this user never will. If no user has
    /// passed yet, the tenant throttles all users.
    fn is_hopeless(&self, lane: usize, active: &ActiveTarget) -> bool {
        let lane = &self.lanes[lane];
        let is_long = active.throttles > 2 && active.work.throttled > self.settings.max_wait;
        is_long && lane.evidence.passes > 0 && lane.queue.is_all_tried()
    }

    /// Records that a gate was closed.
    fn note_closing(
        &mut self,
        before: Option<Instant>,
        until: Instant,
        event_scope: EventScope,
        retry_after: Option<Duration>,
        response: &HttpResponse,
    ) {
        // A closing is recorded once, however many answers report it.
        if before.is_some_and(|before| until <= before + SAME_CLOSING) {
            return;
        }
        let wait = until.saturating_duration_since(Instant::now());
        let at = now();
        let kept = |text: &Option<String>| {
            text.as_deref().map(|t| crate::text::sanitize::sanitize_truncated(t, 200))
        };
        self.recorder.note(Event::Throttled(ThrottledEvent {
            at,
            until: at.checked_add(Duration::from_millis(wait.as_millis() as u64 + 1)).unwrap_or(at),
            retry_after_ms: retry_after.map(|wait| wait.as_millis() as u64),
            event_scope,
            scope: kept(&response.throttle_scope),
            information: kept(&response.throttle_information),
        }));
    }

    /// Handles a 429 for an isolated user: its wait holds for isolated users only. While others pass, an
    /// isolated user has as many tries as for failures.
    fn take_throttled_apart(
        &mut self,
        dispatched: DispatchedAttempt,
        mut active: ActiveTarget,
        retry_after: Option<Duration>,
    ) {
        self.on_no_answer(dispatched);
        active.refund_try();
        let lane = &mut self.lanes[dispatched.sender_id.lane];
        lane.count_throttle(&mut active, dispatched.at);
        let asked = retry_after.unwrap_or_default();
        let now = Instant::now();
        lane.queue.hold_isolated(add_clamped(now, asked));
        let own = lane.evidence.passes > active.passes_before;
        let tries = active.isolated.map_or(0, |tries| tries + u32::from(own));
        active.isolated = Some(tries);
        let max_wait = self.settings.max_wait;
        let is_enough = tries > self.settings.retries.max(MIN_TRIES) || asked > max_wait;
        if is_enough || self.is_hopeless(dispatched.sender_id.lane, &active) {
            active.count_throttled();
            return self.settle(dispatched.sender_id.lane, active, Outcome::ThrottledOut);
        }
        self.record_answered(&active);
        // If no other user passes, isolated users are tried in turn, as often as the server allows.
        let wait = if own { backoff::wait(tries) } else { backoff::wait(active.throttles - 1) };
        let wait = if own || retry_after.is_none() { wait.max(asked) } else { asked };
        self.lanes[dispatched.sender_id.lane].queue.isolate(add_clamped(now, wait), active);
    }

    /// Stops the sending in tenants where Graph asked all apps to wait for longer than the maximum.
    pub(super) fn check_waits(&mut self) {
        let now = Instant::now();
        let Some(latest) = now.checked_add(self.settings.max_wait) else { return };
        for lane in 0..self.lanes.len() {
            let until = self.lanes[lane].asked_until(&self.shared).filter(|until| *until > latest);
            if let Some(until) = until.filter(|_| self.lanes[lane].is_left()) {
                let asked = until.saturating_duration_since(now);
                let detail = too_long(asked, self.settings.max_wait);
                self.stop_lane(lane, StopReason::MaxWait { detail });
            }
        }
    }
}

/// The message for a wait that is too long.
fn too_long(asked: Duration, max: Duration) -> String {
    let text = |time: Duration| {
        let seconds = Duration::from_secs(time.as_millis().div_ceil(1_000) as u64);
        SignedDuration::try_from(seconds)
            .map_or_else(|_| "a very long time".to_owned(), |time| format!("{time:#}"))
    };
    format!(
        "Graph asked for a wait of {}, but --max-wait is {}; no more requests were sent. `resume` the run \
         after that time, or use a longer --max-wait",
        text(asked),
        text(max)
    )
}
