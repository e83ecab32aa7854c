//! The ledger as it is read: what the simulator saw and did, for each user and altogether.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything the simulator recorded, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Counters over all requests.
    pub stats: Stats,
    /// A record for each user id, sorted by id; empty when only counts are kept.
    pub users: Vec<UserRecord>,
    /// The first 100 things that a well-behaved client doesn't do.
    pub violations: Vec<Violation>,
    /// What each app did in each tenant, in the order in which they came.
    #[serde(default)]
    pub callers: Vec<ClientReport>,
}

/// What happened to one user id. Ids that differ in case alone are one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The id, percent-decoded, as it was first sent.
    ///
    /// Of a user in the directory always the principal name as it is there, by whatever they were named.
    pub id: String,
    /// The object id, of a user in the directory.
    #[serde(default)]
    pub object_id: Option<String>,
    /// Revocations requested: all that named the user and could be read, also those turned away.
    pub requests: u64,
    /// Answers by status (`"200"`); `"none"` where the connection was reset or left hanging.
    pub answers: BTreeMap<String, u64>,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Whether the user is external: revocations are accepted, and none takes effect.
    pub external: bool,
    /// When the first request came: UTC, RFC 3339.
    pub first_at: String,
    /// When the last request came: UTC, RFC 3339.
    pub last_at: String,
    /// Real seconds from the simulator's start to the first request.
    pub first_s: f64,
    /// Real seconds from the simulator's start to the last request.
    pub last_s: f64,
    /// The last request's `client-request-id`.
    pub last_client_request_id: Option<String>,
    /// When a revocation took effect last: UTC, RFC 3339, to the millisecond.
    pub revoked_at: Option<String>,
    /// Who asked for it: each app in each tenant whose token was accepted, in the order in which they came.
    #[serde(default)]
    pub by: Vec<RequesterRecord>,
}

/// What an app in a tenant asked for one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequesterRecord {
    /// The tenant's id, as in the token.
    pub tenant: String,
    /// The client id.
    pub app: String,
    /// Revocations requested.
    pub requests: u64,
    /// How often one took effect.
    pub effects: u64,
    /// Real seconds from the simulator's start until one took effect last.
    pub revoked_s: Option<f64>,
}

/// What one app did in one tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientReport {
    /// The tenant's id, as in the token.
    pub tenant: String,
    /// The domain by which the tenant was called when the app signed in.
    pub domain: Option<String>,
    /// The client id.
    pub app: String,
    /// Revocations whose token was accepted.
    pub revocations: u64,
    /// How often one took effect.
    pub effects: u64,
    /// 429s that revocations got.
    pub throttled: u64,
    /// Revocations that came while it had been told to wait, and had had the time to learn it.
    pub early: u64,
    /// The most revocations within one window of its quota.
    pub max_requests_in_window: u64,
    /// The same, of those that quotas let through.
    pub max_accepted_in_window: u64,
    /// Real seconds from the simulator's start to the first revocation.
    pub first_s: f64,
    /// The same to the last.
    pub last_s: f64,
}

/// Counters since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Real seconds since the simulator started.
    pub uptime_s: f64,
    /// Requests to Graph, whatever became of them; a batch is one.
    pub requests: u64,
    /// Revocations among them, and among the parts of batches.
    pub revocations: u64,
    /// Answers of Graph by status, to parts of batches too; `"none"` where there was none.
    pub answers: BTreeMap<String, u64>,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Distinct user ids; 0 when only counts are kept.
    pub users: u64,
    /// 429s sent by Graph, from quotas and from faults.
    pub throttled: u64,
    /// Revocations that came while their app had been told to wait, and had had the time to learn it.
    pub early: u64,
    /// Revocations that came so soon after the app had been told to wait that they were probably on their way.
    pub crossing: u64,
    /// The most revocations of one app within one window of its quota; to 1 % of the window, never too many.
    pub max_requests_in_window: u64,
    /// The same, of those that quotas let through.
    pub max_accepted_in_window: u64,
    /// Reads among the requests to Graph.
    #[serde(default)]
    pub reads: u64,
    /// What those cost altogether, in resource units.
    #[serde(default)]
    pub resource_units: u64,
    /// The most resource units that reads of one app cost within one window of its quota.
    #[serde(default)]
    pub max_resource_units_in_window: u64,
    /// 429s that reads got from quotas.
    #[serde(default)]
    pub throttled_reads: u64,
    /// Reads that came while their app had been told to wait with them, and had had the time to learn it.
    #[serde(default)]
    pub early_reads: u64,
    /// Requests to Graph being answered now.
    pub in_flight: u64,
    /// The most requests to Graph that were being answered at once.
    pub max_in_flight: u64,
    /// Requests turned away for want of a good token.
    pub bad_auth: u64,
    /// How often a fault struck.
    pub faults: u64,
    /// Revocations whose `client-request-id` had come before; 0 when only counts are kept.
    pub duplicate_client_request_ids: u64,
    /// Revocations without a `client-request-id`.
    pub missing_client_request_ids: u64,
    /// Batches that could be read.
    pub batches: u64,
    /// Their parts.
    pub batch_parts: u64,
    /// Requests by `Host`, of those that were not meant for the simulator.
    pub unexpected_hosts: BTreeMap<String, u64>,
    /// Redirects that were followed.
    pub redirects_followed: u64,
    /// Requests to the token endpoint.
    pub token_requests: u64,
    /// Tokens issued there.
    pub tokens_issued: u64,
    /// Client assertions that were signed with the configured certificate and fitted.
    pub assertions_verified: u64,
    /// Its answers by status; `"none"` where there was none.
    pub token_answers: BTreeMap<String, u64>,
    /// Requests to the services near a client, by their word in a fault's `endpoint`: `imds`, `app_service`, `arc`,
    /// `github`, `pipelines`.
    pub nearby_requests: BTreeMap<String, u64>,
    /// Successes of the same: tokens of managed identities, and proofs for jobs.
    pub nearby_tokens: BTreeMap<String, u64>,
}

/// Something that a well-behaved client doesn't do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Real seconds since the simulator started.
    pub at_s: f64,
    /// `early`, `bad_auth`, `unexpected_host`, `duplicate_client_request_id`, `redirect_followed`; of client
    /// assertions `assertion_used_again`, `assertion_without_id`, `assertion_without_type`, `assertion_long_lived`,
    /// `assertion_sha1`, or `assertion_old_algorithm`.
    pub kind: String,
    /// The user id, host, or id that it was about.
    pub detail: String,
}

impl Ledger {
    /// The record of `id`, a principal name or (of a user in the directory) an object id; case doesn't count.
    #[must_use]
    pub fn user(&self, id: &str) -> Option<&UserRecord> {
        let key = id.to_lowercase();
        let is = |user: &&UserRecord| {
            user.id.to_lowercase() == key || user.object_id.as_deref().is_some_and(|id| id == key)
        };
        self.users.iter().find(is)
    }

    /// The users as CSV with a header line.
    pub(super) fn csv(&self) -> Vec<u8> {
        let mut out = csv::Writer::from_writer(Vec::new());
        let mut rows = || -> csv::Result<()> {
            out.write_record([
                "id",
                "requests",
                "effects",
                "external",
                "answers",
                "first_at",
                "last_at",
                "first_s",
                "last_s",
                "last_client_request_id",
                "revoked_at",
                "tenants",
                "apps",
            ])?;
            self.users.iter().try_for_each(|user| out.write_record(user.row()))
        };
        // Writing to memory doesn't fail.
        let _ = rows();
        out.into_inner().unwrap_or_default()
    }
}

impl UserRecord {
    /// Something of each who asked, once.
    fn join_requesters(&self, field: impl Fn(&RequesterRecord) -> &String) -> String {
        let mut all: Vec<&str> = Vec::new();
        for one in self.by.iter().map(|by| field(by).as_str()) {
            if !all.contains(&one) {
                all.push(one);
            }
        }
        all.join(" ")
    }

    fn row(&self) -> [String; 13] {
        let answers: Vec<_> =
            self.answers.iter().map(|(status, count)| format!("{status}:{count}")).collect();
        [
            self.id.clone(),
            self.requests.to_string(),
            self.effects.to_string(),
            self.external.to_string(),
            answers.join(" "),
            self.first_at.clone(),
            self.last_at.clone(),
            format!("{:.6}", self.first_s),
            format!("{:.6}", self.last_s),
            self.last_client_request_id.clone().unwrap_or_default(),
            self.revoked_at.clone().unwrap_or_default(),
            self.join_requesters(|by| &by.tenant),
            self.join_requesters(|by| &by.app),
        ]
    }
}
