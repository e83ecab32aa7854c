//! What the pacers hear of an answer: of each limit that its request was counted by, that it passed, that it was in the
//! way, or nothing.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::lane::{Lane, LaneCounts};
use super::live::ActiveTarget;
use super::pacer::Pacer;
use super::renewal::SenderId;
use super::{DispatchedAttempt, Dispatcher, backoff, now};
use crate::event::{Event, EventScope, StopReason, ThrottledEvent};
use crate::graph::{Graph, HttpResponse};
use crate::number::after;
use crate::outcome::Outcome;

/// Later closings of the same gate within this time are no news.
const SAME_CLOSING: Duration = Duration::from_millis(500);

/// Whoever is set apart has no fewer tries than this after the first, since they take what is left of a real limit, too.
const LEAST_TRIES: u32 = 5;

/// Which limit a 429 is about (`x-ms-throttle-scope`: `Tenant_Application`, `Tenant` or `Application` before the first
/// `/`; learn.microsoft.com/graph/throttling).
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
    /// Counts a 429 to a user; says whether it seems to be the user's own.
    fn count_throttle(&mut self, live: &mut ActiveTarget, departed: Instant) -> bool {
        let now = Instant::now();
        let before = live.throttled_at.replace(now);
        live.throttled_since = Some(now);
        live.throttles += 1;
        let order = live.work.order;
        let own = before.is_some_and(|before| self.evidence.is_own(order, before, now));
        if before.is_none() {
            live.passes_before = self.evidence.passes;
        }
        self.evidence.tried(order, departed);
        own
    }
}

impl<G: Graph, L: FnMut(&Event)> Dispatcher<G, L> {
    /// An answer that says nothing about any limit.
    pub(super) fn on_no_answer(&mut self, departed: DispatchedAttempt) {
        let LaneCounts { app, tenant, everywhere } = departed.counted;
        self.sender(departed.whose).pacer.on_lost(&app);
        self.lanes[departed.whose.lane].pacer.on_lost(&tenant);
        if let Some((place, departure)) = everywhere {
            self.shared.pacer_mut(place).on_lost(&departure);
        }
    }

    /// An answer other than 429: no limit was in the way.
    pub(super) fn passed(&mut self, departed: DispatchedAttempt, response: &HttpResponse) {
        let LaneCounts { app, tenant, everywhere } = departed.counted;
        let SenderId { lane, sender } = departed.whose;
        let about = self.limit_of(departed, response).0;
        let used = |limit: ThrottleScope| response.throttle_percentage.filter(|_| about == limit);
        let mut opened = Vec::new();
        if self.sender(departed.whose).pacer.passed(&app, used(ThrottleScope::AppInTenant)) {
            opened.push(self.scope(lane, Some(sender)));
        }
        if self.lanes[lane].pacer.passed(&tenant, used(ThrottleScope::Tenant)) {
            opened.push(self.scope(lane, None));
        }
        if let Some((place, departure)) = everywhere
            && self.shared.pacer_mut(place).passed(&departure, used(ThrottleScope::AppEverywhere))
        {
            let app_id = self.sender(departed.whose).id.clone();
            opened.push(EventScope { tenant: None, app_id });
        }
        for scope in opened {
            self.recorder.note(Event::Reopened { at: now(), scope });
        }
    }

    /// Which limit an answer speaks of, and whose that is. An app that works in one tenant only has no limit of its own
    /// over all tenants here, and then its limit in this one stands for it.
    fn limit_of(&self, departed: DispatchedAttempt, response: &HttpResponse) -> (ThrottleScope, EventScope) {
        let SenderId { lane, sender } = departed.whose;
        match ThrottleScope::from_response(response) {
            ThrottleScope::Tenant => (ThrottleScope::Tenant, self.scope(lane, None)),
            ThrottleScope::AppEverywhere if departed.counted.everywhere.is_some() => {
                let app_id = self.lanes[lane].senders[sender].id.clone();
                (ThrottleScope::AppEverywhere, EventScope { tenant: None, app_id })
            }
            _ => (ThrottleScope::AppInTenant, self.scope(lane, Some(sender))),
        }
    }

    /// Closes the gate that a 429 is about; to the other limits it says nothing. Gives until when it was closed before, and until when it is now.
    fn close(
        &mut self,
        departed: DispatchedAttempt,
        limit: ThrottleScope,
        retry_after: Option<Duration>,
    ) -> (Option<Instant>, Instant) {
        let LaneCounts { app, tenant, everywhere } = departed.counted;
        let mut result = None;
        let mut hear = |pacer: &mut Pacer, departure, closes| {
            if closes {
                let before = pacer.closed_until();
                result = Some((before, pacer.throttled(departure, retry_after)));
            } else {
                pacer.on_lost(departure);
            }
        };
        let lane = &mut self.lanes[departed.whose.lane];
        hear(&mut lane.senders[departed.whose.sender].pacer, &app, limit == ThrottleScope::AppInTenant);
        hear(&mut lane.pacer, &tenant, limit == ThrottleScope::Tenant);
        if let Some((place, departure)) = everywhere {
            hear(self.shared.pacer_mut(place), &departure, limit == ThrottleScope::AppEverywhere);
        }
        result.unwrap_or((None, Instant::now()))
    }

    pub(super) fn take_throttled(
        &mut self,
        departed: DispatchedAttempt,
        mut live: ActiveTarget,
        retry_after: Option<Duration>,
        response: &HttpResponse,
    ) {
        if live.apart.is_some() {
            return self.take_throttled_apart(departed, live, retry_after);
        }
        let (limit, whose) = self.limit_of(departed, response);
        let (before, until) = self.close(departed, limit, retry_after);
        live.give_try_back();
        let lane = &mut self.lanes[departed.whose.lane];
        let own = lane.count_throttle(&mut live, departed.at);
        let cleared = !own && lane.evidence.clears(departed.at);
        if cleared {
            self.lanes[departed.whose.lane].queue.clear_apart();
        }
        if self.is_hopeless(departed.whose.lane, &live) {
            self.settle(departed.whose.lane, live, Outcome::ThrottledOut);
            return self.note_closing(before, until, whose, retry_after, response);
        }
        self.record_answered(&live);
        let queue = &mut self.lanes[departed.whose.lane].queue;
        match live.throttles {
            1 => queue.requeue(live),
            again => {
                // It may be throttled for its own sake: others go first, lest it be the probe for ever.
                let at = after(until, backoff::wait(again - 1));
                if own {
                    queue.set_apart(at, ActiveTarget { apart: Some(0), ..live });
                } else {
                    queue.again_at(at, live);
                }
            }
        }
        if retry_after.is_some_and(|wait| wait > self.settings.max_wait) {
            self.check_waits();
        }
        self.note_closing(before, until, whose, retry_after, response);
    }

    /// Whether a user was throttled again and again, for longer than one wait may last, when all others were tried: where
    /// nobody is left who could pass, nothing else tells that this one never will. A tenant in which nobody passed yet
    /// throttles all.
    fn is_hopeless(&self, lane: usize, live: &ActiveTarget) -> bool {
        let lane = &self.lanes[lane];
        let is_long = live.throttles > 2 && live.work.throttled > self.settings.max_wait;
        is_long && lane.evidence.passes > 0 && lane.queue.is_all_tried()
    }

    /// Tells of a gate that was closed.
    fn note_closing(
        &mut self,
        before: Option<Instant>,
        until: Instant,
        whose: EventScope,
        retry_after: Option<Duration>,
        response: &HttpResponse,
    ) {
        // One closing of the gate is told once, however many answers tell of it.
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
            whose,
            scope: kept(&response.throttle_scope),
            information: kept(&response.throttle_information),
        }));
    }

    /// A 429 to somebody who is set apart: its wait holds for those set apart alone. While others pass, it has so many
    /// tries as failures have.
    fn take_throttled_apart(
        &mut self,
        departed: DispatchedAttempt,
        mut live: ActiveTarget,
        retry_after: Option<Duration>,
    ) {
        self.on_no_answer(departed);
        live.give_try_back();
        let lane = &mut self.lanes[departed.whose.lane];
        lane.count_throttle(&mut live, departed.at);
        let asked = retry_after.unwrap_or_default();
        let now = Instant::now();
        lane.queue.hold_apart(after(now, asked));
        let own = lane.evidence.passes > live.passes_before;
        let tries = live.apart.map_or(0, |tries| tries + u32::from(own));
        live.apart = Some(tries);
        let max_wait = self.settings.max_wait;
        let is_enough = tries > self.settings.retries.max(LEAST_TRIES) || asked > max_wait;
        if is_enough || self.is_hopeless(departed.whose.lane, &live) {
            live.count_throttled();
            return self.settle(departed.whose.lane, live, Outcome::ThrottledOut);
        }
        self.record_answered(&live);
        // Where nobody else passes, all of them are tried in turn, as often as the server lets them.
        let wait = if own { backoff::wait(tries) } else { backoff::wait(live.throttles - 1) };
        let wait = if own || retry_after.is_none() { wait.max(asked) } else { asked };
        self.lanes[departed.whose.lane].queue.set_apart(after(now, wait), live);
    }

    /// Ends the sending where Graph asked all apps of a tenant to wait for longer than anybody is ready to.
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

/// What to tell of a wait that is too long.
fn too_long(asked: Duration, most: Duration) -> String {
    let text = |time: Duration| {
        let seconds = Duration::from_secs(time.as_millis().div_ceil(1_000) as u64);
        SignedDuration::try_from(seconds).map_or_else(|_| "very long".to_owned(), |time| format!("{time:#}"))
    };
    format!(
        "Graph asked to be left alone for {}, and --max-wait is {}; nothing more is sent. `resume` the run then, or give \
         a longer --max-wait",
        text(asked),
        text(most)
    )
}
