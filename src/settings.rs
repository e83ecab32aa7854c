//! The settings of a command, from flags, then the environment, then the profile, then defaults (for `resume`, the
//! settings of the run come before the defaults). They are determined once and then only passed on.

pub mod apps;
pub mod chosen_profile;

mod credentials;
mod network;
mod plan_options;

pub use apps::AppSettings;
pub use credentials::CredentialSettings;
pub use network::NetworkSettings;
pub use plan_options::plan_options;

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::{CommonRunArgs, EvidenceArgs, SendingArgs, SignInArgs};
use crate::dispatch::{self, BatchSize, HaltRule, Jobs, PacingSettings, Rate, RatePolicy};
use crate::http::MAX_WAIT;
use crate::identity::{AdditionalApp, CredentialConfig, CredentialSources, Endpoint, process_variable};
use crate::journal::{ProtectEntry, ProtectRecord, SettingsRecord};
use crate::number;
use crate::outcome::AcceptedOutcomes;
use crate::tenant::TenantName;

/// Default number of retries after the first attempt.
const RETRIES: u32 = 5;

/// How requests are sent.
#[derive(Clone, Debug)]
pub struct SendingSettings {
    /// Maximum number of requests in flight, in each tenant.
    pub jobs: Jobs,
    /// Users in one request.
    pub batch: BatchSize,
    /// How fast requests leave.
    pub rate: Rate,
    /// How many requests may leave at once after a pause, if set.
    pub burst: Option<u32>,
    /// Retries after the first attempt.
    pub retries: u32,
    /// The longest wait that a server may ask for, if set.
    pub max_wait: Option<Duration>,
    /// When sending ends.
    pub deadline: Option<Duration>,
    /// When to stop automatically.
    pub halt: Option<HaltRule>,
    /// A run with more users than this is refused.
    pub max_users: Option<u32>,
    /// Outcomes that count as done.
    pub accepted: AcceptedOutcomes,
}

impl SendingSettings {
    /// The settings from flags only.
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

    /// The settings from flags, or from the run if a flag is missing. The deadline is not taken from the run, because
    /// it counted from the run's start. The cap on users is taken, because a refused run must not be sent through
    /// `resume`.
    pub fn for_resume(args: &SendingArgs, had: &SettingsRecord) -> SendingSettings {
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

    /// The rate of this number of apps together in one tenant.
    pub fn pace(&self, apps: usize) -> RatePolicy {
        self.rate.pacing(self.burst, 1.0).for_apps(apps)
    }

    /// The pacing of this run. With a fixed rate, a full batch may leave at once, unless a burst is set too.
    fn pacing(&self, speed: f64) -> PacingSettings {
        let mut pacing = self.rate.pacing(self.burst, speed);
        let given = matches!(self.rate, Rate::Fixed { .. }) && self.burst.is_none();
        if let Some(full) = self.batch.burst().filter(|_| given) {
            pacing.app.burst = pacing.app.burst.max(full);
        }
        pacing
    }

    /// The batch size. With a fixed number of requests, `auto` means one user per request.
    fn batch_size(&self) -> BatchSize {
        match (self.jobs, self.batch) {
            (Jobs::Fixed(_), BatchSize::Auto) => BatchSize::alone(),
            (_, size) => size,
        }
    }

    /// The settings for the dispatcher. `speed` is that of the simulator's clock; it is 1 for Graph.
    pub fn dispatch(&self, speed: f64) -> dispatch::DispatchSettings {
        dispatch::DispatchSettings {
            jobs: self.jobs,
            batch: self.batch_size(),
            max_in_flight: usize::MAX,
            pacing: self.pacing(speed),
            retries: self.retries,
            max_wait: self.max_wait.unwrap_or(MAX_WAIT),
            deadline: self.deadline,
            halt: self.halt,
            accepted: self.accepted.clone(),
        }
    }
}

/// The settings for a sign-in.
#[derive(Clone, Debug, Default)]
pub struct SignInSettings {
    /// The tenant, as it was named.
    pub tenant: Option<String>,
    /// The app's ID.
    pub client_id: Option<String>,
    /// What to sign in with.
    pub sources: CredentialSources,
}

impl SignInSettings {
    /// The settings from flags and from variables that are not secrets.
    pub fn new(args: &SignInArgs) -> SignInSettings {
        SignInSettings {
            tenant: args.tenant.clone().or_else(|| process_variable("AZURE_TENANT_ID")).map(normalize_tenant),
            client_id: args.client_id.clone().or_else(|| process_variable("AZURE_CLIENT_ID")),
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

    /// The settings from flags and the environment, and only the tenant and the app from the run. A run folder may come
    /// from another person, so it does not decide how to sign in or where a secret is.
    pub fn resumed(args: &SignInArgs, tenant: Option<&str>, had: &SettingsRecord) -> SignInSettings {
        let new = SignInSettings::new(args);
        SignInSettings {
            tenant: new.tenant.or_else(|| tenant.map(str::to_owned)),
            client_id: new.client_id.or_else(|| had.client_id.clone()),
            sources: new.sources,
        }
    }

    /// The configuration of the credential.
    pub fn credential_config(&self, network: &NetworkSettings) -> CredentialConfig {
        CredentialConfig {
            authority: network.authority(),
            scope: network.cloud.scope(),
            tenant: self.tenant.clone(),
            client_id: self.client_id.clone(),
            sources: self.sources.clone(),
        }
    }

    /// The settings for a further app in the same tenant.
    pub fn for_additional_app(&self, app: &AdditionalApp) -> SignInSettings {
        SignInSettings {
            tenant: self.tenant.clone().or_else(|| app.tenant.clone()),
            client_id: app.client_id.clone(),
            sources: app.sources.clone(),
        }
    }
}

/// A tenant's name in the spelling for comparisons and messages. An invalid name stays as it is and is refused later.
fn normalize_tenant(given: String) -> String {
    given.parse::<TenantName>().map_or(given, |name| name.to_string())
}

/// The settings for the evidence.
#[derive(Clone, Debug)]
pub struct EvidenceSettings {
    /// The ID of the case.
    pub case_id: Option<String>,
    /// The folder for run folders.
    pub output_dir: PathBuf,
}

impl EvidenceSettings {
    /// The settings from flags only.
    pub fn new(args: &EvidenceArgs) -> EvidenceSettings {
        let output_dir = args.output_dir.clone().unwrap_or_else(|| PathBuf::from("runs"));
        EvidenceSettings { case_id: args.case_id.clone(), output_dir }
    }
}

/// The settings that are written to `run.json`.
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
        authority_url: network.recorded_authority(),
        client_id: sign_in.client_id.clone(),
        sources: sign_in.sources.clone(),
        further: further.to_vec(),
        throttle_priority: network.priority,
        ca_cert: network.ca_cert.clone(),
        protect: None,
    }
}

/// The protect settings of a run, for its record.
pub fn protect_record(work: &CommonRunArgs) -> ProtectRecord {
    let eligible = work.selection.eligible;
    ProtectRecord {
        entries: work.safety.protect.iter().map(|text| ProtectEntry::new(text, eligible)).collect(),
        unprotect: work.safety.unprotect.clone(),
        eligible,
        allow_empty: work.selection.allow_empty,
        no_lookup: work.selection.no_lookup,
    }
}
