//! The ledger as it is written: counters without locks, and users in shards, so that requests seldom wait for each
//! other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::header::HeaderValue;
use uuid::Uuid;

pub(super) use super::account::{Account, ResolvedUser};
use super::clock::Clock;
use super::config::LedgerDetail;
use super::counters::{RequestCounters, StatusCounters, status_name};
use super::fingerprint::{self, BuildFastHasher};
use super::ledger::{Ledger, RequesterRecord, Stats, UserRecord, Violation};
use super::lock::lock;
use super::throttle::ClientApp;

const SHARDS: usize = 64;
const MAX_VIOLATIONS: usize = 100;
const MAX_HOSTS: usize = 100;

/// The record of one user. It is small, because there may be a million.
#[derive(Debug)]
struct UserEntry {
    /// The ID as it was sent, if it differs from the key.
    sent: Option<Box<str>>,
    object_id: Option<Uuid>,
    first: Duration,
    last: Duration,
    revoked: Option<Duration>,
    requests: u32,
    effects: u32,
    answers: StatusTally,
    client_request_id: ClientRequestId,
    external: bool,
    requesters: Requesters,
}

/// The apps that requested the user's revocation. For most users there is only one.
#[derive(Debug, Default)]
struct Requesters {
    first: Option<Requester>,
    #[expect(clippy::box_collection, reason = "a pointer is a third of a vector, and mostly there is none")]
    others: Option<Box<Vec<Requester>>>,
}

#[derive(Debug, Clone, Copy)]
struct Requester {
    app: u32,
    requests: u32,
    effects: u32,
    /// When a revocation last took effect, in microseconds of real time since the start.
    revoked: u64,
}

impl Requesters {
    fn add(&mut self, app: u32, fact: RevocationFacts) {
        let asker = if self.first.is_none_or(|asker| asker.app == app) {
            self.first.get_or_insert(Requester::new(app))
        } else {
            let more = self.others.get_or_insert_default();
            let place = more.iter().position(|asker| asker.app == app).unwrap_or_else(|| {
                more.push(Requester::new(app));
                more.len() - 1
            });
            &mut more[place]
        };
        asker.requests += 1;
        if fact.effect {
            asker.effects += 1;
            asker.revoked = u64::try_from(fact.at.as_micros()).unwrap_or(u64::MAX);
        }
    }

    fn report(&self, apps: &[Arc<ClientApp>]) -> Vec<RequesterRecord> {
        let all = self.first.iter().chain(self.others.iter().flat_map(|more| more.iter()));
        all.filter_map(|asker| Some((asker, apps.get(asker.app as usize)?)))
            .map(|(asker, app)| RequesterRecord {
                tenant: app.tenant.id.clone(),
                app: app.id.clone(),
                requests: u64::from(asker.requests),
                effects: u64::from(asker.effects),
                revoked_s: (asker.effects > 0).then(|| Duration::from_micros(asker.revoked).as_secs_f64()),
            })
            .collect()
    }
}

impl Requester {
    fn new(app: u32) -> Requester {
        Requester { app, requests: 0, effects: 0, revoked: 0 }
    }
}

/// Answers by status. Most users get only one status.
#[derive(Debug)]
struct StatusTally {
    status: u16,
    count: u32,
    #[expect(clippy::box_collection, reason = "a pointer is a third of a vector, and mostly there is none")]
    more: Option<Box<Vec<(u16, u32)>>>,
}

impl StatusTally {
    fn add(&mut self, status: u16) {
        if self.count == 0 || self.status == status {
            self.status = status;
            self.count += 1;
            return;
        }
        let more = self.more.get_or_insert_default();
        match more.iter_mut().find(|(other, _)| *other == status) {
            Some((_, count)) => *count += 1,
            None => more.push((status, 1)),
        }
    }

    fn map(&self) -> BTreeMap<String, u64> {
        let first = std::iter::once((self.status, self.count));
        let all = first.chain(self.more.iter().flat_map(|more| more.iter().copied()));
        all.map(|(status, count)| (status_name(usize::from(status)), u64::from(count))).collect()
    }
}

#[derive(Debug)]
enum ClientRequestId {
    None,
    Guid(Uuid),
    Text(Box<str>),
}

impl ClientRequestId {
    fn new(value: Option<&HeaderValue>) -> ClientRequestId {
        let Some(text) = value.map(|value| String::from_utf8_lossy(value.as_bytes())) else {
            return ClientRequestId::None;
        };
        match Uuid::try_parse(&text) {
            Ok(guid) => ClientRequestId::Guid(guid),
            Err(_) => ClientRequestId::Text(text.into()),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            ClientRequestId::None => None,
            ClientRequestId::Guid(guid) => Some(guid.to_string()),
            ClientRequestId::Text(text) => Some(text.to_string()),
        }
    }
}

#[derive(Debug, Default)]
struct RecorderShard {
    users: HashMap<Box<str>, UserEntry, BuildFastHasher>,
    /// Fingerprints of the client request IDs so far.
    request_ids: HashSet<u64, BuildFastHasher>,
}

/// The result of one revocation.
#[derive(Debug, Clone, Copy)]
pub(super) struct RevocationFacts {
    /// When the request arrived, in real time since the start.
    pub(super) at: Duration,
    pub(super) status: u16,
    pub(super) effect: bool,
    pub(super) external: bool,
    /// The number of the requesting app, if its token was accepted.
    pub(super) app: Option<u32>,
}

/// Records all requests and their results.
pub(super) struct Recorder {
    detail: LedgerDetail,
    shards: Vec<Mutex<RecorderShard>>,
    pub(super) counters: RequestCounters,
    answers: StatusCounters,
    token_answers: StatusCounters,
    in_flight: AtomicU64,
    hosts: Mutex<BTreeMap<String, u64>>,
    violations: Mutex<Vec<Violation>>,
}

impl Recorder {
    pub(super) fn new(detail: LedgerDetail) -> Recorder {
        Recorder {
            detail,
            shards: std::iter::repeat_with(Mutex::default).take(SHARDS).collect(),
            counters: RequestCounters::default(),
            answers: StatusCounters::default(),
            token_answers: StatusCounters::default(),
            in_flight: AtomicU64::new(0),
            hosts: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    /// Counts a request to Graph as in flight until the guard is dropped.
    pub(super) fn begin_request(&self) -> InFlightGuard<'_> {
        self.counters.requests.add();
        self.counters.max_in_flight.raise_to(self.in_flight.fetch_add(1, Ordering::Relaxed) + 1);
        InFlightGuard(&self.in_flight)
    }

    /// Counts an answer of Graph, or [`super::counters::NO_ANSWER`].
    pub(super) fn count_response(&self, status: u16) {
        self.answers.add(status);
    }

    /// Counts an answer of the token endpoint, or [`super::counters::NO_ANSWER`].
    pub(super) fn count_token_response(&self, status: u16) {
        self.token_answers.add(status);
    }

    /// Records the result of one revocation.
    pub(super) fn record_revocation(
        &self,
        user: &Account,
        fact: RevocationFacts,
        client_request_id: Option<&HeaderValue>,
    ) {
        self.counters.revocations.add();
        if fact.effect {
            self.counters.effects.add();
        }
        match client_request_id {
            None => self.counters.missing_client_request_ids.add(),
            Some(id) if self.detail == LedgerDetail::Full => self.record_client_request_id(fact.at, id),
            Some(_) => {}
        }
        if self.detail == LedgerDetail::Full {
            self.record_user(user, fact, client_request_id);
        }
    }

    fn record_user(&self, user: &Account, fact: RevocationFacts, client_request_id: Option<&HeaderValue>) {
        let mut shard = lock(self.shard(fingerprint::hash(user.key.as_bytes())));
        let record = match shard.users.get_mut(user.key.as_str()) {
            Some(record) => record,
            None => shard.users.entry(user.key.as_str().into()).or_insert_with(|| UserEntry {
                sent: (user.display_id() != user.key).then(|| user.display_id().into()),
                object_id: user.resolved.as_ref().and_then(|known| Uuid::try_parse(&known.id).ok()),
                first: fact.at,
                last: fact.at,
                revoked: None,
                requests: 0,
                effects: 0,
                answers: StatusTally { status: 0, count: 0, more: None },
                client_request_id: ClientRequestId::None,
                external: fact.external,
                requesters: Requesters::default(),
            }),
        };
        record.requests += 1;
        record.last = fact.at;
        record.answers.add(fact.status);
        record.client_request_id = ClientRequestId::new(client_request_id);
        if let Some(app) = fact.app {
            record.requesters.add(app, fact);
        }
        if fact.effect {
            record.effects += 1;
            record.revoked = Some(fact.at);
        }
    }

    fn record_client_request_id(&self, at: Duration, id: &HeaderValue) {
        let hash = fingerprint::hash(id.as_bytes());
        if !lock(self.shard(hash)).request_ids.insert(hash) {
            self.counters.duplicate_client_request_ids.add();
            self.record_violation(at, "duplicate_client_request_id", &String::from_utf8_lossy(id.as_bytes()));
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<RecorderShard> {
        // The remainder is below 64, so it fits in a `usize`.
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or_default()]
    }

    /// Records a request whose `Host` is not the simulator's.
    pub(super) fn record_unexpected_host(&self, at: Duration, host: &str) {
        let mut hosts = lock(&self.hosts);
        let full = hosts.len() >= MAX_HOSTS;
        match hosts.entry(host.to_owned()) {
            std::collections::btree_map::Entry::Occupied(mut count) => *count.get_mut() += 1,
            std::collections::btree_map::Entry::Vacant(slot) if !full => {
                slot.insert(1);
            }
            std::collections::btree_map::Entry::Vacant(_) => {}
        }
        drop(hosts);
        self.record_violation(at, "unexpected_host", host);
    }

    /// Records something that a well-behaved client doesn't do. Counting it is up to the caller.
    pub(super) fn record_violation(&self, at: Duration, kind: &str, detail: &str) {
        let mut violations = lock(&self.violations);
        if violations.len() < MAX_VIOLATIONS {
            violations.push(Violation { at_s: at.as_secs_f64(), kind: kind.into(), detail: detail.into() });
        }
    }

    /// When a revocation of the user last took effect.
    pub(super) fn last_revoked(&self, key: &str) -> Option<Duration> {
        lock(self.shard(fingerprint::hash(key.as_bytes()))).users.get(key)?.revoked
    }

    /// The counters.
    pub(super) fn stats(&self, clock: &Clock) -> Stats {
        let c = &self.counters;
        let answers = self.answers.to_map();
        Stats {
            uptime_s: clock.now().as_secs_f64(),
            requests: c.requests.get(),
            revocations: c.revocations.get(),
            throttled: answers.get("429").copied().unwrap_or_default(),
            answers,
            effects: c.effects.get(),
            users: self.shards.iter().map(|shard| lock(shard).users.len() as u64).sum(),
            early: c.early.get(),
            crossing: c.crossing.get(),
            max_requests_in_window: c.max_requests_in_window.get(),
            max_accepted_in_window: c.max_accepted_in_window.get(),
            reads: c.reads.get(),
            resource_units: c.resource_units.get(),
            max_resource_units_in_window: c.max_resource_units_in_window.get(),
            throttled_reads: c.throttled_reads.get(),
            early_reads: c.early_reads.get(),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            max_in_flight: c.max_in_flight.get(),
            bad_auth: c.bad_auth.get(),
            faults: c.faults.get(),
            duplicate_client_request_ids: c.duplicate_client_request_ids.get(),
            missing_client_request_ids: c.missing_client_request_ids.get(),
            unexpected_hosts: lock(&self.hosts).clone(),
            batches: c.batches.get(),
            batch_parts: c.batch_parts.get(),
            redirects_followed: c.redirects_followed.get(),
            token_requests: c.token_requests.get(),
            tokens_issued: c.tokens_issued.get(),
            assertions_verified: c.assertions_verified.get(),
            token_answers: self.token_answers.to_map(),
            // `ServerState::stats` adds the rest.
            ..Stats::default()
        }
    }

    /// The complete ledger.
    pub(super) fn ledger(&self, clock: &Clock, apps: &[Arc<ClientApp>]) -> Ledger {
        let mut users = Vec::new();
        for shard in &self.shards {
            users.extend(lock(shard).users.iter().map(|(key, record)| record.report(key, clock, apps)));
        }
        users.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let callers = apps.iter().map(|app| app.report()).collect();
        Ledger { stats: self.stats(clock), users, violations: lock(&self.violations).clone(), callers }
    }

    /// Clears everything except the number of requests in flight.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) = RecorderShard::default();
        }
        lock(&self.hosts).clear();
        lock(&self.violations).clear();
        self.answers.clear();
        self.token_answers.clear();
        self.counters.clear();
    }
}

impl UserEntry {
    fn report(&self, key: &str, clock: &Clock, apps: &[Arc<ClientApp>]) -> UserRecord {
        let time = |at| format!("{:.3}", clock.wall_time(at));
        UserRecord {
            id: self.sent.as_deref().unwrap_or(key).to_owned(),
            requests: u64::from(self.requests),
            answers: self.answers.map(),
            effects: u64::from(self.effects),
            external: self.external,
            object_id: self.object_id.map(|id| id.to_string()),
            first_at: time(self.first),
            last_at: time(self.last),
            first_s: self.first.as_secs_f64(),
            last_s: self.last.as_secs_f64(),
            last_client_request_id: self.client_request_id.text(),
            revoked_at: self.revoked.map(time),
            by: self.requesters.report(apps),
        }
    }
}

/// A request in flight.
pub(super) struct InFlightGuard<'a>(&'a AtomicU64);

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
