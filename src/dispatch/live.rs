//! One target while it is worked on.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::event::{AnswerEvidence, TargetNo};
use crate::graph::BatchRequest;
use crate::outcome::Outcome;
use crate::user_id::UserId;

/// A target to be done, with what earlier processes of the run did for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetProgress {
    /// Its place in the sending order.
    pub order: TargetNo,
    /// Requests sent so far.
    pub attempts: u32,
    /// How long it waited because of 429s.
    pub throttled: Duration,
    /// When its first request left.
    pub first_sent_at: Option<Timestamp>,
}

/// Some of a tenant's apps, by their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Senders(u64);

/// Most apps in one tenant.
pub const MOST_APPS: usize = 64;

impl Senders {
    /// The first so many.
    pub(super) fn first(count: usize) -> Senders {
        let mut senders = Senders::default();
        (0..count.min(MOST_APPS)).for_each(|sender| senders.insert(sender));
        senders
    }

    pub(super) fn insert(&mut self, sender: usize) {
        self.0 |= 1 << sender;
    }

    pub(super) fn remove(&mut self, sender: usize) {
        self.0 &= !(1 << sender);
    }

    pub(super) fn contains_all(self, others: Senders) -> bool {
        self.0 & others.0 == others.0
    }

    pub(super) fn contains(self, sender: usize) -> bool {
        self.0 & (1 << sender) != 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = usize> {
        (0..MOST_APPS).filter(move |sender| self.contains(*sender))
    }
}

/// A target that was begun in this process.
#[derive(Debug)]
pub(super) struct ActiveTarget {
    pub(super) work: TargetProgress,
    /// Tries that count against `--retries`.
    pub(super) tries: u32,
    /// 429s in turn: since it was last answered otherwise.
    pub(super) throttles: u32,
    /// When the last of them came.
    pub(super) throttled_at: Option<Instant>,
    /// How many others had passed when the first of them came.
    pub(super) passes_before: u64,
    /// It is set apart, and was throttled so many times since then.
    pub(super) apart: Option<u32>,
    /// Serial of the token with which Graph last answered 401.
    pub(super) unauthorized: Option<u64>,
    pub(super) throttled_since: Option<Instant>,
    pub(super) client_request_id: Option<Uuid>,
    pub(super) new_connection: bool,
    /// It must not share a request: a batch that held it was refused.
    pub(super) alone: bool,
    /// Apps whose 403 another app is to confirm.
    pub(super) refused_by: Senders,
    /// It was taken out of turn, to learn whether anybody may be revoked.
    pub(super) from_elsewhere: bool,
    /// The last answer.
    pub(super) last: AnswerEvidence,
    /// The word that holds if nothing more comes.
    pub(super) otherwise: Outcome,
}

impl ActiveTarget {
    pub(super) fn new(work: TargetProgress) -> ActiveTarget {
        ActiveTarget {
            work,
            tries: 0,
            throttles: 0,
            throttled_at: None,
            passes_before: 0,
            apart: None,
            unauthorized: None,
            throttled_since: None,
            client_request_id: None,
            new_connection: false,
            alone: false,
            refused_by: Senders::default(),
            from_elsewhere: false,
            last: AnswerEvidence::default(),
            otherwise: Outcome::NotAttempted,
        }
    }

    /// Counts an attempt and makes its request.
    pub(super) fn depart(&mut self, user: UserId) -> BatchRequest {
        self.count_throttled();
        self.work.attempts = self.work.attempts.saturating_add(1);
        self.tries += 1;
        let client_request_id = super::new_request_id();
        self.client_request_id = Some(client_request_id);
        BatchRequest { user, client_request_id, new_connection: std::mem::take(&mut self.new_connection) }
    }

    /// The request did not leave after all.
    pub(super) fn take_back(&mut self) {
        self.work.attempts = self.work.attempts.saturating_sub(1);
        self.give_try_back();
        if self.work.attempts == 0 {
            self.client_request_id = None;
        }
    }

    /// The answer was no fault of the target's: it costs no try.
    pub(super) fn give_try_back(&mut self) {
        self.tries = self.tries.saturating_sub(1);
    }

    /// It was answered otherwise than by a 429.
    pub(super) fn end_throttles(&mut self) {
        (self.throttles, self.throttled_at, self.apart) = (0, None, None);
    }

    /// Adds the time since the last 429.
    pub(super) fn count_throttled(&mut self) {
        if let Some(since) = self.throttled_since.take() {
            self.work.throttled = self.work.throttled.saturating_add(since.elapsed());
        }
    }
}
