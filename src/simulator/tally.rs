//! Counters that need no lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Stands for "no answer" among statuses.
pub(super) const NO_ANSWER: u16 = 0;

/// A count that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self) {
        self.add_many(1);
    }

    pub(super) fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn raise(&self, to: u64) {
        // A plain load first: the maximum changes seldom, and a write would contend for the cache line.
        if to > self.get() {
            self.0.fetch_max(to, Ordering::Relaxed);
        }
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// Counts by status; index 0 is "no answer".
#[derive(Debug)]
pub(super) struct ByStatus([Count; 600]);

impl Default for ByStatus {
    fn default() -> ByStatus {
        ByStatus(std::array::from_fn(|_| Count::default()))
    }
}

impl ByStatus {
    pub(super) fn add(&self, status: u16) {
        if let Some(count) = self.0.get(usize::from(status)) {
            count.add();
        }
    }

    pub(super) fn clear(&self) {
        self.0.iter().for_each(Count::clear);
    }

    pub(super) fn map(&self) -> BTreeMap<String, u64> {
        let counts = self.0.iter().enumerate().map(|(status, count)| (status, count.get()));
        counts.filter(|&(_, count)| count > 0).map(|(status, count)| (status_name(status), count)).collect()
    }
}

/// A status as it stands in the ledger.
pub(super) fn status_name(status: usize) -> String {
    if status == usize::from(NO_ANSWER) { "none".into() } else { status.to_string() }
}

/// What one app did in one tenant.
#[derive(Debug, Default)]
pub(super) struct CallerCounts {
    pub(super) revocations: Count,
    pub(super) effects: Count,
    pub(super) throttled: Count,
    pub(super) early: Count,
    pub(super) max_requests_in_window: Count,
    pub(super) max_accepted_in_window: Count,
    /// Nanoseconds of real time since the start, plus one: 0 stands for never.
    pub(super) first: Count,
    pub(super) last: Count,
}

impl CallerCounts {
    /// Notes that something came at this real time since the start.
    pub(super) fn came(&self, at: Duration) {
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        if self.first.get() == 0 {
            self.first.raise(at);
        }
        self.last.raise(at);
    }

    /// Counts a revocation: whether it took effect, and whether it was throttled.
    pub(super) fn add(&self, effect: bool, throttled: bool) {
        self.revocations.add();
        self.effects.add_many(u64::from(effect));
        self.throttled.add_many(u64::from(throttled));
    }

    /// Real seconds since the start at which the first and the last came.
    pub(super) fn times(&self) -> (f64, f64) {
        let seconds = |count: &Count| Duration::from_nanos(count.get().saturating_sub(1)).as_secs_f64();
        (seconds(&self.first), seconds(&self.last))
    }

    pub(super) fn clear(&self) {
        let all = [
            &self.revocations,
            &self.effects,
            &self.throttled,
            &self.early,
            &self.max_requests_in_window,
            &self.max_accepted_in_window,
            &self.first,
            &self.last,
        ];
        all.into_iter().for_each(Count::clear);
    }
}

/// The counters that have nothing to go with them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) requests: Count,
    pub(super) revocations: Count,
    pub(super) effects: Count,
    pub(super) early: Count,
    pub(super) crossing: Count,
    pub(super) max_requests_in_window: Count,
    pub(super) max_accepted_in_window: Count,
    pub(super) max_in_flight: Count,
    pub(super) bad_auth: Count,
    pub(super) faults: Count,
    pub(super) duplicate_client_request_ids: Count,
    pub(super) missing_client_request_ids: Count,
    pub(super) batches: Count,
    pub(super) batch_parts: Count,
    pub(super) redirects_followed: Count,
    pub(super) token_requests: Count,
    pub(super) tokens_issued: Count,
    pub(super) assertions_verified: Count,
    pub(super) reads: Count,
    pub(super) resource_units: Count,
    pub(super) max_resource_units_in_window: Count,
    pub(super) throttled_reads: Count,
    pub(super) early_reads: Count,
}

impl Counters {
    pub(super) fn clear(&self) {
        self.all().into_iter().for_each(Count::clear);
    }

    fn all(&self) -> [&Count; 23] {
        [
            &self.requests,
            &self.revocations,
            &self.effects,
            &self.early,
            &self.crossing,
            &self.max_requests_in_window,
            &self.max_accepted_in_window,
            &self.max_in_flight,
            &self.bad_auth,
            &self.faults,
            &self.duplicate_client_request_ids,
            &self.missing_client_request_ids,
            &self.batches,
            &self.batch_parts,
            &self.redirects_followed,
            &self.token_requests,
            &self.tokens_issued,
            &self.assertions_verified,
            &self.reads,
            &self.resource_units,
            &self.max_resource_units_in_window,
            &self.throttled_reads,
            &self.early_reads,
        ]
    }
}
