//! Flags, then the environment, then the profile, then defaults (and for `resume` what the run had): settled once, then
//! only passed on.

pub mod apps;
pub mod profiled;

mod credentials;
mod network;
mod wishes;

pub use apps::AppSettings;
pub use credentials::CredentialSettings;
pub use network::NetworkSettings;
pub use wishes::plan_options;

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{EvidenceArgs, SendingArgs, SignInArgs, WorkArgs};
use crate::dispatch::{self, BatchSize, HaltRule, Jobs, PacingSettings, Rate, RatePolicy};
use crate::http::MAX_WAIT;
use crate::identity::{AdditionalApp, CredentialConfig, CredentialSources, Endpoint, process_variables};
use crate::journal::{ProtectEntry, ProtectRecord, SettingsRecord};
use crate::number;
use crate::outcome::Accepted;
use crate::tenant::TenantName;

/// Tries after the first.
const RETRIES: u32 = 5;

/// How requests are sent.
#[derive(Clone, Debug)]
pub struct SendingSettings {
    /// Requests in flight at most, in each tenant.
    pub jobs: Jobs,
    /// Users in one request.
    pub batch: BatchSize,
    /// How fast they leave.
    pub rate: Rate,
    /// How many leave at once after a pause, where that is given.
    pub burst: Option<u32>,
    /// Tries after the first.
    pub retries: u32,
    /// The longest wait that a server may ask for, where it was given.
    pub max_wait: Option<Duration>,
    /// When sending ends.
    pub deadline: Option<Duration>,
    /// When to stop by itself.
    pub halt: Option<HaltRule>,
    /// More users than this are not sent at all.
    pub max_users: Option<u32>,
    /// Outcomes that count as done.
    pub accepted: Accepted,
}

impl SendingSettings {
    /// From flags alone.
    pub fn new(args: &SendingArgs) -> SendingSettings {
        SendingSettings {
            jobs: args.jobs.unwrap_or_default(),
            batch: args.batch_size.unwrap_or_default(),
            rate: args.rate.unwrap_or_default(),
            burst: args.burst,
            retries: args.retries.unwrap_or(RETRIES),
            max_wait: args.max_wait,
            deadline: args.deadline,
            halt: args.halt,
            max_users: args.max_users,
            accepted: args.accept.iter().copied().collect(),
        }
    }

    /// From flags, and from what the run had where a flag is missing. The deadline was about the run's beginning and
    /// is not taken over; the cap on users is: a run that it refused must not be sent by going on with it.
    pub fn resumed(args: &SendingArgs, had: &SettingsRecord) -> SendingSettings {
        let new = SendingSettings::new(args);
        SendingSettings {
            jobs: args.jobs.unwrap_or(had.jobs),
            batch: args.batch_size.unwrap_or(had.batch_size),
            rate: args.rate.or_else(|| had.rate.parse().ok()).unwrap_or_default(),
            burst: args.burst.or(had.burst.filter(|_| args.rate.is_none())),
            retries: args.retries.unwrap_or(had.retries),
            max_users: args.max_users.or(had.max_users),
            max_wait: args.max_wait.or(had.max_wait_ms.map(number::millis)),
            halt: args.halt.or_else(|| had.halt.as_ref()?.parse().ok()),
            accepted: if args.accept.is_empty() { had.accept.clone() } else { new.accepted },
            ..new
        }
    }

    /// How fast so many apps send together in one tenant.
    pub fn pace(&self, apps: usize) -> RatePolicy {
        self.rate.pacing(self.burst, 1.0).for_apps(apps)
    }

    /// The paces of this run. A rate that was given lets a full batch leave at once, unless a burst was given as well.
    fn pacing(&self, speed: f64) -> PacingSettings {
        let mut pacing = self.rate.pacing(self.burst, speed);
        let given = matches!(self.rate, Rate::Fixed { .. }) && self.burst.is_none();
        if let Some(full) = self.batch.burst().filter(|_| given) {
            pacing.app.burst = pacing.app.burst.max(full);
        }
        pacing
    }

    /// Whoever gives the number of requests means requests of one user: only `auto` puts several into one by itself.
    fn batch_size(&self) -> BatchSize {
        match (self.jobs, self.batch) {
            (Jobs::Fixed(_), BatchSize::Auto) => BatchSize::alone(),
            (_, size) => size,
        }
    }

    /// For the dispatcher; `speed` is that of a simulator's clock, 1 against Graph.
    pub fn dispatch(&self, speed: f64) -> dispatch::DispatchSettings {
        dispatch::DispatchSettings {
            jobs: self.jobs,
            batch: self.batch_size(),
            places: usize::MAX,
            pacing: self.pacing(speed),
            retries: self.retries,
            max_wait: self.max_wait.unwrap_or(MAX_WAIT),
            deadline: self.deadline,
            halt: self.halt,
            accepted: self.accepted.clone(),
        }
    }
}

/// Who signs in.
#[derive(Clone, Debug, Default)]
pub struct SignInSettings {
    /// The tenant, as given.
    pub tenant: Option<String>,
    /// The app's id.
    pub client_id: Option<String>,
    /// What is named to sign in with.
    pub sources: CredentialSources,
}

impl SignInSettings {
    /// From flags and the environment's names that are no secrets.
    pub fn new(args: &SignInArgs) -> SignInSettings {
        SignInSettings {
            tenant: args
                .tenant
                .clone()
                .or_else(|| process_variables("AZURE_TENANT_ID"))
                .map(normalize_tenant),
            client_id: args.client_id.clone().or_else(|| process_variables("AZURE_CLIENT_ID")),
            sources: CredentialSources {
                auth: args.auth,
                token_file: args.token_file.clone(),
                client_secret_file: args.client_secret_file.clone(),
                certificate_file: args.certificate_file.clone(),
                certificate_key_file: args.certificate_key_file.clone(),
                certificate_password_file: args.certificate_password_file.clone(),
                federated_token_file: args.federated_token_file.clone(),
                service_connection: args.service_connection.clone(),
                identity: args.identity.clone(),
            },
        }
    }

    /// From flags and the environment; of what the run had, the tenant and the app alone. A run's folder may come from
    /// another person: it does not say how to sign in, nor where a secret lies.
    pub fn resumed(args: &SignInArgs, tenant: Option<&str>, had: &SettingsRecord) -> SignInSettings {
        let new = SignInSettings::new(args);
        SignInSettings {
            tenant: new.tenant.or_else(|| tenant.map(str::to_owned)),
            client_id: new.client_id.or_else(|| had.client_id.clone()),
            sources: new.sources,
        }
    }

    /// What there is to sign in with.
    pub fn offer(&self, network: &NetworkSettings) -> CredentialConfig {
        CredentialConfig {
            authority: network.authority(),
            scope: network.cloud.scope(),
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            sources: self.sources.clone(),
        }
    }

    /// Who signs in as a further app, beside this one in the same tenant.
    pub fn further(&self, app: &AdditionalApp) -> SignInSettings {
        SignInSettings {
            tenant: self.tenant.clone().or_else(|| app.tenant.clone()),
            client_id: app.client_id.clone(),
            sources: app.sources.clone(),
        }
    }
}

/// A tenant's name in the one spelling in which it is compared and shown. What is none is refused where it is used.
fn normalize_tenant(given: String) -> String {
    given.parse::<TenantName>().map_or(given, |name| name.to_string())
}

/// What is kept as evidence, and where.
#[derive(Clone, Debug)]
pub struct EvidenceSettings {
    /// The case's id.
    pub case_id: Option<String>,
    /// Where run folders are made.
    pub output_dir: PathBuf,
}

impl EvidenceSettings {
    /// From flags alone.
    pub fn new(args: &EvidenceArgs) -> EvidenceSettings {
        let output_dir = args.output_dir.clone().unwrap_or_else(|| PathBuf::from("runs"));
        EvidenceSettings { case_id: args.case_id.clone(), output_dir }
    }
}

/// What `run.json` keeps of the settings.
pub fn record(
    sending: &SendingSettings,
    network: &NetworkSettings,
    sign_in: &SignInSettings,
    column: Option<String>,
    further: &[AdditionalApp],
) -> SettingsRecord {
    SettingsRecord {
        jobs: sending.jobs,
        batch_size: sending.batch,
        rate: sending.rate.to_string(),
        burst: sending.burst,
        retries: sending.retries,
        timeout_ms: network.timeout.as_millis() as u64,
        max_wait_ms: sending.max_wait.map(|wait| wait.as_millis() as u64),
        deadline_ms: sending.deadline.map(|deadline| deadline.as_millis() as u64),
        halt: sending.halt.map(|halt| halt.to_string()),
        max_users: sending.max_users,
        accept: sending.accepted.clone(),
        column,
        tenant_column: None,
        graph_url: network.graph_url.as_ref().map(Endpoint::to_string),
        authority_url: network.kept_authority(),
        client_id: sign_in.client_id.clone(),
        sources: sign_in.sources.clone(),
        further: further.to_vec(),
        throttle_priority: network.priority,
        ca_cert: network.ca_cert.clone(),
        protect: None,
    }
}

/// Whom a run protects, for its record.
pub fn protect_record(work: &WorkArgs) -> ProtectRecord {
    let eligible = work.choosing.eligible;
    ProtectRecord {
        entries: work.safety.protect.iter().map(|text| ProtectEntry::new(text, eligible)).collect(),
        unprotect: work.safety.unprotect.clone(),
        eligible,
        allow_empty: work.choosing.allow_empty,
        no_lookup: work.choosing.no_lookup,
    }
}
