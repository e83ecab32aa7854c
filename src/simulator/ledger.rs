//! The ledger as clients read it: what the simulator received and did, for each user and in total.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Everything that the simulator has recorded, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Counters over all requests.
    pub stats: Stats,
    /// One record for each user ID, sorted by ID. Empty if only counters are kept.
    pub users: Vec<UserRecord>,
    /// The first 100 things that a well-behaved client doesn't do.
    pub violations: Vec<Violation>,
    /// What each app did in each tenant, in the order of their first requests.
    #[serde(default)]
    pub callers: Vec<ClientReport>,
}

/// What happened to one user ID. IDs that differ only in case are the same user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The ID, percent-decoded, as it was first sent.
    ///
    /// For a user in the directory it is always the principal name, whichever ID was sent.
    pub id: String,
    /// The object ID, for a user in the directory.
    #[serde(default)]
    pub object_id: Option<String>,
    /// Requested revocations: all that named the user and could be parsed, including refused ones.
    pub requests: u64,
    /// Answers by status (`"200"`). `"none"` counts connections that were reset or left hanging.
    pub answers: BTreeMap<String, u64>,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Whether the user is external. Revocations are then accepted, but none takes effect.
    pub external: bool,
    /// When the first request came: UTC, RFC 3339.
    pub first_at: String,
    /// When the last request came: UTC, RFC 3339.
    pub last_at: String,
    /// Real seconds from the simulator's start to the first request.
    pub first_s: f64,
    /// Real seconds from the simulator's start to the last request.
    pub last_s: f64,
    /// The `client-request-id` of the last request.
    pub last_client_request_id: Option<String>,
    /// When a revocation last took effect: UTC, RFC 3339, to the millisecond.
    pub revoked_at: Option<String>,
    /// Each app in each tenant that requested a revocation with an accepted token, in the order of their first
    /// requests.
    #[serde(default)]
    pub by: Vec<RequesterRecord>,
}

/// What one app in one tenant requested for one user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequesterRecord {
    /// The tenant's ID, as in the token.
    pub tenant: String,
    /// The client ID.
    pub app: String,
    /// Requested revocations.
    pub requests: u64,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Real seconds from the simulator's start until a revocation last took effect.
    pub revoked_s: Option<f64>,
}

/// What one app did in one tenant.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientReport {
    /// The tenant's ID, as in the token.
    pub tenant: String,
    /// The domain under which the tenant was addressed when the app signed in.
    pub domain: Option<String>,
    /// The client ID.
    pub app: String,
    /// Revocations with an accepted token.
    pub revocations: u64,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Revocations that were answered with 429.
    pub throttled: u64,
    /// Revocations that came during an announced wait, late enough for the app to know of it.
    pub early: u64,
    /// The maximum number of revocations within one window of the app's quota.
    pub max_requests_in_window: u64,
    /// The same, for revocations that the quotas let through.
    pub max_accepted_in_window: u64,
    /// Real seconds from the simulator's start to the first revocation.
    pub first_s: f64,
    /// Real seconds from the simulator's start to the last revocation.
    pub last_s: f64,
}

/// Counters since the start or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Real seconds since the simulator started.
    pub uptime_s: f64,
    /// Requests to Graph, whatever their result. A batch counts as one.
    pub requests: u64,
    /// Revocations, single or in batches.
    pub revocations: u64,
    /// Graph's answers by status, including those to parts of batches. `"none"` counts requests without an answer.
    pub answers: BTreeMap<String, u64>,
    /// How often a revocation took effect.
    pub effects: u64,
    /// Distinct user IDs. 0 if only counters are kept.
    pub users: u64,
    /// 429s from Graph, caused by quotas and by faults.
    pub throttled: u64,
    /// Revocations that came during an announced wait, late enough for the app to know of it.
    pub early: u64,
    /// Revocations that came during an announced wait, but so early in it that they were probably on their way already.
    pub crossing: u64,
    /// The maximum number of revocations by one app within one window of its quota. Precise to 1 % of the window; never
    /// too high.
    pub max_requests_in_window: u64,
    /// The same, for revocations that the quotas let through.
    pub max_accepted_in_window: u64,
    /// Requests to Graph that read.
    #[serde(default)]
    pub reads: u64,
    /// What these cost in total, in resource units.
    #[serde(default)]
    pub resource_units: u64,
    /// The maximum cost of one app's reads within one window of its quota, in resource units.
    #[serde(default)]
    pub max_resource_units_in_window: u64,
    /// Reads that the quotas answered with 429.
    #[serde(default)]
    pub throttled_reads: u64,
    /// Reads that came during an announced wait for reads, late enough for the app to know of it.
    #[serde(default)]
    pub early_reads: u64,
    /// Requests to Graph that are being answered now.
    pub in_flight: u64,
    /// The maximum number of requests to Graph that were being answered at once.
    pub max_in_flight: u64,
    /// Requests that were refused because they had no valid token.
    pub bad_auth: u64,
    /// How often a fault was applied.
    pub faults: u64,
    /// Revocations with a `client-request-id` that had been used before. 0 if only counters are kept.
    pub duplicate_client_request_ids: u64,
    /// Revocations without a `client-request-id`.
    pub missing_client_request_ids: u64,
    /// Batches that could be parsed.
    pub batches: u64,
    /// Parts of these batches.
    pub batch_parts: u64,
    /// Requests that were meant for other hosts, by their `Host` header.
    pub unexpected_hosts: BTreeMap<String, u64>,
    /// Redirects that were followed.
    pub redirects_followed: u64,
    /// Requests to the token endpoint.
    pub token_requests: u64,
    /// Tokens that the token endpoint issued.
    pub tokens_issued: u64,
    /// Valid client assertions that were signed with the configured certificate.
    pub assertions_verified: u64,
    /// Answers of the token endpoint by status. `"none"` counts requests without an answer.
    pub token_answers: BTreeMap<String, u64>,
    /// Requests to the token services near a client, by their name in a fault's `endpoint`: `imds`, `app_service`,
    /// `arc`, `github`, `pipelines`.
    pub nearby_requests: BTreeMap<String, u64>,
    /// Tokens that these services issued, for managed identities and for jobs.
    pub nearby_tokens: BTreeMap<String, u64>,
}

/// Something that a well-behaved client doesn't do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Real seconds since the simulator started.
    pub at_s: f64,
    /// `early`, `early_read`, `early_poll`, `bad_auth`, `unexpected_host`, `duplicate_client_request_id`,
    /// `redirect_followed`; for client assertions `assertion_used_again`, `assertion_without_id`,
    /// `assertion_without_type`, `assertion_long_lived`, `assertion_sha1`, or `assertion_old_algorithm`.
    pub kind: String,
    /// The user ID, host, or other ID that it is about.
    pub detail: String,
}

impl Ledger {
    /// The record of `id`: a principal name, or the object ID of a user in the directory. Case is ignored.
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
    /// One field of all requesters, each value once.
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
