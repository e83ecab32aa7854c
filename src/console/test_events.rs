//! Events for tests.

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{
    AnswerEvidence, BeganEvent, Event, EventScope, SentEvent, SettledEvent, StopReason, TargetNo,
    ThrottledEvent,
};
use crate::outcome::Outcome;

/// An instant, in milliseconds since the start of a test.
pub(super) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

pub(super) fn began(targets: u32) -> Event {
    let (run, plan_sha256) = ("run".to_owned(), "0".to_owned());
    let (resumed, operator, apps) = (false, None, Vec::new());
    let (approved, drill, confirmed) = (None, false, Vec::new());
    let at = at(0);
    Event::Began(BeganEvent {
        at,
        format: 1,
        run,
        plan_sha256,
        targets,
        resumed,
        operator,
        apps,
        approved,
        drill,
        confirmed,
    })
}

pub(super) fn sent(target: TargetNo) -> Event {
    let user = format!("user{target}@contoso.com");
    Event::Sent(SentEvent {
        at: at(0),
        target,
        user,
        attempt: 1,
        client_request_id: Uuid::nil(),
        app_id: None,
    })
}

pub(super) fn settled(target: TargetNo, outcome: Outcome) -> Event {
    Event::Settled(Box::new(SettledEvent {
        at: at(0),
        target,
        user: format!("user{target}@contoso.com"),
        outcome,
        evidence: AnswerEvidence::default(),
        attempts: 1,
        throttled_ms: 0,
        first_sent_at: None,
        client_request_id: None,
    }))
}

pub(super) fn throttled(until: Timestamp) -> Event {
    Event::Throttled(ThrottledEvent {
        at: at(0),
        until,
        retry_after_ms: None,
        event_scope: EventScope::default(),
        scope: None,
        information: None,
    })
}

pub(super) fn reopened() -> Event {
    Event::Reopened { at: at(0), scope: EventScope::default() }
}

pub(super) fn stopping(why: StopReason) -> Event {
    Event::Stopping { at: at(0), why, tenant: None }
}
