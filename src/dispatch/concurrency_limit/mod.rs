//! How many requests are in flight in one tenant, and how many users each carries.
//!
//! `--jobs auto` starts small. It opens another slot with each answer that comes while all slots are taken
//! and the pacer would allow more: with fast answers, slots stay free; with slow ones, they fill up. A
//! timeout, a broken connection or an overloaded server halves the slots, once for all requests that were in
//! flight together.
//!
//! `--batch-size auto` sends users one by one as long as there are slots for all that may leave, and puts
//! several into one request otherwise. If no more slots can be opened, a request waits for other users to
//! share it until the next slot is free. With a given size, it waits for a second.

mod flags;

use std::time::Duration;

use tokio::time::Instant;

use super::DispatchSettings;

pub use flags::{BatchSize, InvalidWidth, Jobs, MAX_IN_BATCH};

/// The number of slots with which `auto` starts.
const INITIAL_SLOTS: usize = 16;

/// How long a request waits for more users, if the batch size is given.
const LINGER: Duration = Duration::from_secs(1);

/// The minimum time between checks of users who wait to share a request.
const GATHERING: Duration = Duration::from_millis(10);

/// A user who waits alone for this time is sent alone, and so is the next one. Waiting would slow down the
/// run for nothing.
const SOLO_AFTER: Duration = Duration::from_millis(250);

/// The minimum time for which users share requests after slots ran out.
const CROWDED_FOR: Duration = Duration::from_secs(1);

/// The number of batches refused in a row after which users are sent alone.
const MAX_BATCH_REFUSALS: u32 = 3;

/// The number of answers that count in the mean latency.
const LATENCY_SAMPLES: u32 = 64;

/// How many users share the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchShare {
    /// This many of the users who may leave.
    Now(u32),
    /// None before this instant: by then there may be more users.
    NotBefore(Instant),
}

/// Users who wait to share a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLinger {
    /// Since when they wait.
    began: Instant,
    /// When the last of them was noticed, and how many there were.
    seen: Instant,
    there: u32,
}

/// When there will be `full` users, if they keep coming as they have since `began`.
fn gathered(now_there: u32, full: u32, began: Instant, now: Instant) -> Instant {
    let each = now.saturating_duration_since(began) / now_there.max(1);
    now + each.saturating_mul(full.saturating_sub(now_there)).clamp(GATHERING, LINGER)
}

/// The slots of one tenant.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    jobs: Jobs,
    batch: BatchSize,
    /// The maximum number of users who can leave at once. A request does not wait for more.
    at_once: u32,
    /// The number of slots now.
    open: usize,
    /// The maximum number of slots.
    max_slots: usize,
    /// The maximum number of users in a request that the server accepts.
    max_accepted: u8,
    /// The number of batches in a row that were refused as a whole.
    refusals: u32,
    in_flight: usize,
    /// Whether more requests would have left with more slots, when the lane was last checked.
    short: bool,
    /// Until when users share requests, because slots ran out and no more can be opened.
    crowded_until: Option<Instant>,
    /// When the slots were last halved.
    halved: Option<Instant>,
    /// Whether no other user joined the last one that waited, because the pacer allows one at a time.
    one_by_one: bool,
    /// The mean time from sending to answer, in seconds, and of how many answers.
    latency: (f64, u32),
}

impl ConcurrencyLimit {
    /// `places` is the maximum that the system allows.
    pub(super) fn new(settings: &DispatchSettings, places: usize) -> ConcurrencyLimit {
        let DispatchSettings { jobs, batch, .. } = *settings;
        let most = jobs.max().min(places).max(1);
        let open = match jobs {
            Jobs::Auto => INITIAL_SLOTS,
            Jobs::Fixed(jobs) => jobs,
        };
        ConcurrencyLimit {
            jobs,
            batch,
            at_once: settings.pacing.app.burst.max(1),
            open: open.clamp(1, most),
            max_slots: most,
            max_accepted: MAX_IN_BATCH,
            refusals: 0,
            in_flight: 0,
            short: false,
            crowded_until: None,
            halved: None,
            one_by_one: false,
            latency: (0.0, 0),
        }
    }

    /// The number of free slots.
    pub(super) fn free(&self) -> usize {
        self.open.saturating_sub(self.in_flight)
    }

    /// The number of users for whom the free slots have room.
    pub(super) fn room(&self) -> u32 {
        self.free() as u32 * self.size()
    }

    /// The maximum number of users in a request.
    fn size(&self) -> u32 {
        match self.batch {
            BatchSize::Auto => self.max_accepted.into(),
            BatchSize::Fixed(size) => size.min(self.max_accepted).into(),
        }
    }

    /// How many of the users who may leave now share the next request. `waiting` is the number of users in
    /// the queue. `since` is the state of the users who wait for others.
    pub(super) fn share(
        &mut self,
        may_leave: u32,
        waiting: u32,
        since: &mut Option<BatchLinger>,
        now: Instant,
    ) -> BatchShare {
        let size = self.size();
        if self.batch == BatchSize::Auto && !self.is_crowded(now) {
            return BatchShare::Now(may_leave.div_ceil(self.free().max(1) as u32).clamp(1, size));
        }
        let full = size.min(waiting).min(self.at_once);
        self.one_by_one &= may_leave == 1;
        if self.one_by_one {
            *since = None;
            return BatchShare::Now(1);
        }
        let first = BatchLinger { began: now, seen: now, there: may_leave };
        let before = std::mem::replace(since.get_or_insert(first), first);
        let until = before.began + self.linger();
        // If no one joins, the pacer does not allow more of them to leave at once.
        let long = if may_leave > 1 { GATHERING } else { SOLO_AFTER };
        let stalled = may_leave <= before.there && now >= before.seen + long;
        self.one_by_one = stalled && may_leave == 1;
        if may_leave < full && now < until && !stalled {
            let grew = may_leave > before.there;
            let seen = if grew { now } else { before.seen };
            *since = Some(BatchLinger { began: before.began, seen, there: may_leave });
            return BatchShare::NotBefore(gathered(may_leave, full, before.began, now).min(until));
        }
        *since = None;
        BatchShare::Now(may_leave.min(size))
    }

    /// How long a request waits for users: for `auto`, the mean time until a slot is free again.
    fn linger(&self) -> Duration {
        match self.batch {
            BatchSize::Fixed(_) => LINGER,
            BatchSize::Auto => (self.latency() / self.open as u32).min(LINGER),
        }
    }

    fn is_crowded(&self, now: Instant) -> bool {
        self.crowded_until.is_some_and(|until| now < until)
    }

    /// Starts a check of the lane, which may find that slots are short.
    pub(super) fn reset_starved(&mut self) {
        self.short = false;
    }

    /// Notes that there was no slot for a user who could have left.
    pub(super) fn is_short(&mut self, now: Instant) {
        self.short = true;
        if self.open == self.max_slots {
            self.crowded_until = now.checked_add(CROWDED_FOR.max(self.latency() * 4));
        }
    }

    /// Counts a request that leaves.
    pub(super) fn on_sent(&mut self) {
        self.in_flight += 1;
    }

    /// Undoes a request that was counted but did not leave.
    pub(super) fn taken_back(&mut self) {
        self.in_flight -= 1;
    }

    /// Handles the answer to a request that left at `left`. `trouble` means that it timed out, that its
    /// connection broke, or that the server was overloaded.
    pub(super) fn on_response(&mut self, left: Instant, trouble: bool, now: Instant) {
        self.in_flight -= 1;
        self.note_latency(now.saturating_duration_since(left));
        if self.jobs != Jobs::Auto {
            return;
        }
        let news = self.halved.is_none_or(|halved| left >= halved);
        if trouble && news {
            self.open = (self.open / 2).max(1);
            self.halved = Some(now);
        } else if self.short && !trouble {
            self.open = (self.open + 1).min(self.max_slots);
        }
    }

    fn note_latency(&mut self, took: Duration) {
        let (mean, answers) = &mut self.latency;
        *answers = (*answers + 1).min(LATENCY_SAMPLES);
        *mean += (took.as_secs_f64() - *mean) / f64::from(*answers);
    }

    /// The mean latency of answers; zero before the first.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.latency.0.max(0.0))
    }

    /// The number of users per second that all slots together can handle, as far as it is known.
    pub(super) fn max_rate(&self) -> Option<f64> {
        let (mean, answers) = self.latency;
        (answers > 0 && mean > 0.0).then(|| self.open as f64 * f64::from(self.size()) / mean)
    }

    /// Handles a batch of `users` users that was refused as a whole with this status. If it was too large,
    /// the size is halved. Any other refusal may be one user's fault, and only several in a row mean that
    /// batches are not accepted here.
    pub(super) fn batch_refused(&mut self, users: usize, status: u16) {
        self.refusals += 1;
        if status == 413 {
            self.max_accepted = u8::try_from(users / 2).unwrap_or(MAX_IN_BATCH).clamp(1, self.max_accepted);
        } else if self.refusals >= MAX_BATCH_REFUSALS {
            self.max_accepted = 1;
        }
    }

    /// Notes that a batch was accepted.
    pub(super) fn batch_taken(&mut self) {
        self.refusals = 0;
    }
}
