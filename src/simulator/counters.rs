//! Counters that need no lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The status that stands for "no answer".
pub(super) const NO_ANSWER: u16 = 0;

/// A counter that only grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self) {
        self.add_many(1);
    }

    pub(super) fn add_many(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn raise_to(&self, to: u64) {
        // Loads first, because the maximum seldom changes and a write would contend for the cache line.
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

/// Counters by status. Index 0 is "no answer".
#[derive(Debug)]
pub(super) struct StatusCounters([Counter; 600]);

impl Default for StatusCounters {
    fn default() -> StatusCounters {
        StatusCounters(std::array::from_fn(|_| Counter::default()))
    }
}

impl StatusCounters {
    pub(super) fn add(&self, status: u16) {
        if let Some(count) = self.0.get(usize::from(status)) {
            count.add();
        }
    }

    pub(super) fn clear(&self) {
        self.0.iter().for_each(Counter::clear);
    }

    pub(super) fn to_map(&self) -> BTreeMap<String, u64> {
        let counts = self.0.iter().enumerate().map(|(status, count)| (status, count.get()));
        counts.filter(|&(_, count)| count > 0).map(|(status, count)| (status_name(status), count)).collect()
    }
}

/// The name of a status in the ledger.
pub(super) fn status_name(status: usize) -> String {
    if status == usize::from(NO_ANSWER) { "none".into() } else { status.to_string() }
}

/// The counters of one app in one tenant.
#[derive(Debug, Default)]
pub(super) struct ClientCounters {
    pub(super) revocations: Counter,
    pub(super) effects: Counter,
    pub(super) throttled: Counter,
    pub(super) early: Counter,
    pub(super) max_requests_in_window: Counter,
    pub(super) max_accepted_in_window: Counter,
    /// Nanoseconds of real time since the start, plus one. 0 means never.
    pub(super) first: Counter,
    pub(super) last: Counter,
}

impl ClientCounters {
    /// Records that a request arrived, at this real time since the start.
    pub(super) fn record_arrival(&self, at: Duration) {
        let at = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX - 1) + 1;
        if self.first.get() == 0 {
            self.first.raise_to(at);
        }
        self.last.raise_to(at);
    }

    /// Counts a revocation, whether it took effect, and whether it was throttled.
    pub(super) fn add(&self, effect: bool, throttled: bool) {
        self.revocations.add();
        self.effects.add_many(u64::from(effect));
        self.throttled.add_many(u64::from(throttled));
    }

    /// When the first and the last request arrived, in real seconds since the start.
    pub(super) fn first_and_last_seconds(&self) -> (f64, f64) {
        let seconds = |count: &Counter| Duration::from_nanos(count.get().saturating_sub(1)).as_secs_f64();
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
        all.into_iter().for_each(Counter::clear);
    }
}

/// The counters over all apps and tenants.
#[derive(Debug, Default)]
pub(super) struct RequestCounters {
    pub(super) requests: Counter,
    pub(super) revocations: Counter,
    pub(super) effects: Counter,
    pub(super) early: Counter,
    pub(super) crossing: Counter,
    pub(super) max_requests_in_window: Counter,
    pub(super) max_accepted_in_window: Counter,
    pub(super) max_in_flight: Counter,
    pub(super) bad_auth: Counter,
    pub(super) faults: Counter,
    pub(super) duplicate_client_request_ids: Counter,
    pub(super) missing_client_request_ids: Counter,
    pub(super) batches: Counter,
    pub(super) batch_parts: Counter,
    pub(super) redirects_followed: Counter,
    pub(super) token_requests: Counter,
    pub(super) tokens_issued: Counter,
    pub(super) assertions_verified: Counter,
    pub(super) reads: Counter,
    pub(super) resource_units: Counter,
    pub(super) max_resource_units_in_window: Counter,
    pub(super) throttled_reads: Counter,
    pub(super) early_reads: Counter,
}

impl RequestCounters {
    pub(super) fn clear(&self) {
        self.all().into_iter().for_each(Counter::clear);
    }

    fn all(&self) -> [&Counter; 23] {
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
