//! The state of one target.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

use crate::event::{AnswerEvidence, TargetNo};
use crate::graph::BatchRequest;
use crate::outcome::Outcome;
use crate::user_id::UserId;

/// A target to be revoked, with what earlier processes of the run did for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TargetProgress {
    /// The target number.
    pub order: TargetNo,
    /// Requests sent so far.
    pub attempts: u32,
    /// The time that it waited because of 429s.
    pub throttled: Duration,
    /// When its first request was sent.
    pub first_sent_at: Option<Timestamp>,
}

/// A set of a tenant's apps, by index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Senders(u64);

/// The maximum number of apps in one tenant.
pub const MAX_APPS: usize = 64;

impl Senders {
    /// The first `count` apps.
    pub(super) fn first(count: usize) -> Senders {
        let mut senders = Senders::default();
        (0..count.min(MAX_APPS)).for_each(|sender| senders.insert(sender));
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
        (0..MAX_APPS).filter(move |sender| self.contains(*sender))
    }
}

/// A target that was started in this process.
#[derive(Debug)]
pub(super) struct ActiveTarget {
    pub(super) work: TargetProgress,
    /// Tries that count against `--retries`.
    pub(super) tries: u32,
    /// 429s in a row, since the last other answer.
    pub(super) throttles: u32,
    /// When the last of these 429s came.
    pub(super) throttled_at: Option<Instant>,
    /// How many other users had passed when the first of these 429s came.
    pub(super) passes_before: u64,
    /// If it is isolated, the number of times that it was throttled since then.
    pub(super) isolated: Option<u32>,
    /// The serial of the token with which Graph last answered 401.
    pub(super) unauthorized: Option<u64>,
    pub(super) throttled_since: Option<Instant>,
    pub(super) client_request_id: Option<Uuid>,
    pub(super) new_connection: bool,
    /// Whether it must not share a request, because a batch that contained it was refused.
    pub(super) alone: bool,
    /// The apps that got a 403, which another app is to confirm.
    pub(super) refused_by: Senders,
    /// Whether it was taken out of order, to find out whether any user may be revoked.
    pub(super) from_elsewhere: bool,
    /// The last answer.
    pub(super) last: AnswerEvidence,
    /// The outcome if no other answer comes.
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
            isolated: None,
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

    /// Counts an attempt and returns its request.
    pub(super) fn depart(&mut self, user: UserId) -> BatchRequest {
        self.count_throttled();
        self.work.attempts = self.work.attempts.saturating_add(1);
        self.tries += 1;
        let client_request_id = super::new_request_id();
        self.client_request_id = Some(client_request_id);
        BatchRequest { user, client_request_id, new_connection: std::mem::take(&mut self.new_connection) }
    }

    /// Undoes [`depart`](Self::depart), because the request did not leave.
    pub(super) fn take_back(&mut self) {
        self.work.attempts = self.work.attempts.saturating_sub(1);
        self.refund_try();
        if self.work.attempts == 0 {
            self.client_request_id = None;
        }
    }

    /// Returns a try, because the answer was not the target's fault.
    pub(super) fn refund_try(&mut self) {
        self.tries = self.tries.saturating_sub(1);
    }

    /// Resets the throttles after an answer other than a 429.
    pub(super) fn end_throttles(&mut self) {
        (self.throttles, self.throttled_at, self.isolated) = (0, None, None);
    }

    /// Adds the time since the last 429 to the time throttled.
    pub(super) fn count_throttled(&mut self) {
        if let Some(since) = self.throttled_since.take() {
            self.work.throttled = self.work.throttled.saturating_add(since.elapsed());
        }
    }
}
