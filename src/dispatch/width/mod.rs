//! How many requests are in flight in one tenant, and how many users each carries.
//!
//! `--jobs auto` begins small and opens another place with each answer that comes while all places are taken and the
//! pacer would let more go: fast answers leave places empty, slow ones fill them. A time-out, a broken connection or an
//! overloaded server halves the places, once for all requests that were under way together.
//!
//! `--batch-size auto` sends users one by one as long as there are places for all who may leave, and puts several into
//! one request where there are not. Where no more places will be opened, a request waits for others to share it until
//! the next place is free; where a size was given, for a second.

mod flags;

use std::time::Duration;

use tokio::time::Instant;

use super::DispatchSettings;

pub use flags::{BatchSize, InvalidWidth, Jobs, MOST_IN_BATCH};

/// Places that `auto` begins with.
const FEW: usize = 16;

/// How long a request with room for more users waits for them, where the size of batches is given.
const LINGER: Duration = Duration::from_secs(1);

/// Users who gather for one request are looked after so often at most.
const GATHERING: Duration = Duration::from_millis(10);

/// Whoever is alone for so long goes alone, and so does whoever comes next: waiting would slow the run for nothing.
const ALONE: Duration = Duration::from_millis(250);

/// Where places were lacking, users share requests so long at least.
const CROWDED: Duration = Duration::from_secs(1);

/// After so many batches refused in a row, everybody goes alone.
const REFUSALS: u32 = 3;

/// The mean time of an answer forgets what came before so many.
const MEMORY: u32 = 64;

/// Who shares the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchShare {
    /// So many of those who may leave.
    Now(u32),
    /// Nobody yet: by then there may be more of them.
    NotBefore(Instant),
}

/// Users who gather for one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLinger {
    /// Since when.
    began: Instant,
    /// When the last of them joined, as far as it was seen, and how many there were.
    seen: Instant,
    there: u32,
}

/// When there will be so many, if they go on to gather as they did since it began.
fn gathered(now_there: u32, full: u32, began: Instant, now: Instant) -> Instant {
    let each = now.saturating_duration_since(began) / now_there.max(1);
    now + each.saturating_mul(full.saturating_sub(now_there)).clamp(GATHERING, LINGER)
}

/// One tenant's places.
#[derive(Debug)]
pub(super) struct ConcurrencyLimit {
    jobs: Jobs,
    batch: BatchSize,
    /// Users who can ever leave at once; nobody waits for more of them.
    at_once: u32,
    /// Places now.
    open: usize,
    /// Places at most.
    most: usize,
    /// Most users in a request, as far as the server takes them.
    taken: u8,
    /// Batches refused as a whole, in a row.
    refusals: u32,
    in_flight: usize,
    /// More would have left if there had been a place, when the lane was last looked at.
    short: bool,
    /// Places were lacking, and no more will be opened: until then users share requests.
    crowded_until: Option<Instant>,
    /// When places were last taken away.
    halved: Option<Instant>,
    /// Nobody joined whoever waited last: the pacer lets one leave at a time.
    one_by_one: bool,
    /// Mean time from leaving to answer, in seconds, and of how many answers.
    latency: (f64, u32),
}

impl ConcurrencyLimit {
    /// `places` is what the system allows, however many are wanted.
    pub(super) fn new(settings: &DispatchSettings, places: usize) -> ConcurrencyLimit {
        let DispatchSettings { jobs, batch, .. } = *settings;
        let most = jobs.max().min(places).max(1);
        let open = match jobs {
            Jobs::Auto => FEW,
            Jobs::Fixed(jobs) => jobs,
        };
        ConcurrencyLimit {
            jobs,
            batch,
            at_once: settings.pacing.app.burst.max(1),
            open: open.clamp(1, most),
            most,
            taken: MOST_IN_BATCH,
            refusals: 0,
            in_flight: 0,
            short: false,
            crowded_until: None,
            halved: None,
            one_by_one: false,
            latency: (0.0, 0),
        }
    }

    /// Places that are free.
    pub(super) fn free(&self) -> usize {
        self.open.saturating_sub(self.in_flight)
    }

    /// Users for whom there is room now, in all free places together.
    pub(super) fn room(&self) -> u32 {
        self.free() as u32 * self.size()
    }

    /// Most users in a request.
    fn size(&self) -> u32 {
        match self.batch {
            BatchSize::Auto => self.taken.into(),
            BatchSize::Fixed(size) => size.min(self.taken).into(),
        }
    }

    /// How many of the users who may leave now share the next request. `waiting` of them are there at all; `since` is
    /// when the first of them began to wait for the others.
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
        // Where nobody joins those who are there, the pacer lets no more of them leave at once.
        let long = if may_leave > 1 { GATHERING } else { ALONE };
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

    /// How long a request waits for users: where nobody gave their number, until a place is free again on the average.
    fn linger(&self) -> Duration {
        match self.batch {
            BatchSize::Fixed(_) => LINGER,
            BatchSize::Auto => (self.latency() / self.open as u32).min(LINGER),
        }
    }

    fn is_crowded(&self, now: Instant) -> bool {
        self.crowded_until.is_some_and(|until| now < until)
    }

    /// The lane is looked at, and somebody may find no place.
    pub(super) fn reset_starved(&mut self) {
        self.short = false;
    }

    /// There was no place for somebody who might leave.
    pub(super) fn is_short(&mut self, now: Instant) {
        self.short = true;
        if self.open == self.most {
            self.crowded_until = now.checked_add(CROWDED.max(self.latency() * 4));
        }
    }

    /// A request left.
    pub(super) fn on_sent(&mut self) {
        self.in_flight += 1;
    }

    /// A request that was counted never left.
    pub(super) fn taken_back(&mut self) {
        self.in_flight -= 1;
    }

    /// A request that left then came back; `trouble` where it timed out, broke, or met an overloaded server.
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
            self.open = (self.open + 1).min(self.most);
        }
    }

    fn note_latency(&mut self, took: Duration) {
        let (mean, answers) = &mut self.latency;
        *answers = (*answers + 1).min(MEMORY);
        *mean += (took.as_secs_f64() - *mean) / f64::from(*answers);
    }

    /// Mean time of an answer; zero before the first.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_secs_f64(self.latency.0.max(0.0))
    }

    /// How many users' answers all places together bring in a second, as far as it is known.
    pub(super) fn carries(&self) -> Option<f64> {
        let (mean, answers) = self.latency;
        (answers > 0 && mean > 0.0).then(|| self.open as f64 * f64::from(self.size()) / mean)
    }

    /// A batch of so many users was refused as a whole with this status. A body that was too large is halved; any other
    /// refusal may be one user's fault, and only several in a row mean that batches are not taken here at all.
    pub(super) fn batch_refused(&mut self, users: usize, status: u16) {
        self.refusals += 1;
        if status == 413 {
            self.taken = u8::try_from(users / 2).unwrap_or(MOST_IN_BATCH).clamp(1, self.taken);
        } else if self.refusals >= REFUSALS {
            self.taken = 1;
        }
    }

    /// A batch was taken.
    pub(super) fn batch_taken(&mut self) {
        self.refusals = 0;
    }
}
