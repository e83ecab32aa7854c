//! One target while it is worked on.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use super::pacer::Departure;
use crate::event::{Evidence, Order};
use crate::graph::Request;
use crate::outcome::Outcome;
use crate::user_id::UserId;

/// A target to be done, with what earlier processes of the run did for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Its place in the sending order.
    pub order: Order,
    /// Requests sent so far.
    pub attempts: u32,
    /// How long it waited because of 429s.
    pub throttled: Duration,
    /// When its first request left.
    pub first_sent_at: Option<Timestamp>,
}

/// A target that was begun in this process.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) work: Work,
    /// Tries that count against `--retries`.
    pub(super) tries: u32,
    /// 429s so far.
    pub(super) throttles: u32,
    /// Serial of the token with which Graph last answered 401.
    pub(super) unauthorized: Option<u64>,
    /// What the pacer knows the request in flight by.
    pub(super) departure: Option<Departure>,
    pub(super) throttled_since: Option<Instant>,
    pub(super) client_request_id: Option<Uuid>,
    pub(super) new_connection: bool,
    /// The last answer.
    pub(super) last: Evidence,
    /// The word that holds if nothing more comes.
    pub(super) otherwise: Outcome,
}

impl Live {
    pub(super) fn new(work: Work) -> Live {
        Live {
            work,
            tries: 0,
            throttles: 0,
            unauthorized: None,
            departure: None,
            throttled_since: None,
            client_request_id: None,
            new_connection: false,
            last: Evidence::default(),
            otherwise: Outcome::NotAttempted,
        }
    }

    /// Counts an attempt and makes its request.
    pub(super) fn depart(&mut self, user: UserId, departure: Departure) -> Request {
        self.departure = Some(departure);
        self.count_throttled();
        self.work.attempts += 1;
        self.tries += 1;
        let client_request_id = super::new_request_id();
        self.client_request_id = Some(client_request_id);
        Request { user, client_request_id, new_connection: std::mem::take(&mut self.new_connection) }
    }

    /// The request did not leave after all. Gives what the pacer counted for it.
    pub(super) fn take_back(&mut self) -> Option<Departure> {
        self.work.attempts = self.work.attempts.saturating_sub(1);
        self.give_try_back();
        if self.work.attempts == 0 {
            self.client_request_id = None;
        }
        self.departure.take()
    }

    /// The answer was no fault of the target's: it costs no try.
    pub(super) fn give_try_back(&mut self) {
        self.tries = self.tries.saturating_sub(1);
    }

    /// Adds the time since the last 429.
    pub(super) fn count_throttled(&mut self) {
        if let Some(since) = self.throttled_since.take() {
            self.work.throttled += since.elapsed();
        }
    }
}
