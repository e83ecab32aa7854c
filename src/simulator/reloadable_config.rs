//! The part of the configuration that can change while the simulator runs, in compiled form.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::batch::{BatchConfig, BatchFaults};
use super::client_key::ClientKey;
use super::config::{Config, ConfigError, SuccessResponse, TokenConfig};
use super::fault::Fault;
use super::fault_injection::FaultInjector;
use super::glob::{self, Glob};
use super::managed_identity::ManagedIdentityConfig;
use super::quota::QuotaConfig;
use super::recorder::{Account, ResolvedUser};
use super::store::{DirectoryConfig, DirectoryStore};
use super::tenant_overrides::{TenantConfig, TenantOverrides};

/// A compiled configuration.
pub(super) struct ReloadableConfig {
    pub(super) config: Config,
    pub(super) faults: FaultInjector,
    pub(super) batch_faults: BatchFaults,
    /// The directory, if one is configured.
    pub(super) store: Option<Arc<DirectoryStore>>,
    pub(super) overrides: TenantOverrides,
    users: HashSet<String>,
    unknown: Vec<Glob>,
    deny: Vec<Glob>,
    external: Vec<Glob>,
}

impl ReloadableConfig {
    /// Reuses the directory of `before` if the configuration of the directory has not changed.
    ///
    /// # Errors
    /// If the directory's configuration is not valid.
    pub(super) fn new(
        config: Config,
        before: Option<&ReloadableConfig>,
    ) -> Result<ReloadableConfig, ConfigError> {
        let same = before.filter(|before| before.config.directory == config.directory);
        let tenant = match (same, &config.directory) {
            (Some(before), _) => before.store.clone(),
            (None, Some(directory)) => Some(Arc::new(DirectoryStore::build(directory)?)),
            (None, None) => None,
        };
        Ok(ReloadableConfig {
            store: tenant,
            faults: FaultInjector::new(config.seed, &config.faults),
            batch_faults: BatchFaults::default(),
            overrides: TenantOverrides::new(&config.tenants),
            users: config.users.iter().map(|id| id.to_lowercase()).collect(),
            unknown: glob::compile(&config.unknown),
            deny: glob::compile(&config.deny),
            external: glob::compile(&config.external),
            config,
        })
    }

    /// The quotas of an app in a tenant.
    pub(super) fn quota(&self, client_key: &ClientKey<'_>) -> Cow<'_, QuotaConfig> {
        self.overrides.quota(&self.config.quota, client_key)
    }

    /// The application permissions of an app in a tenant.
    pub(super) fn roles(&self, client_key: &ClientKey<'_>) -> Vec<String> {
        self.overrides.roles(client_key).unwrap_or(&self.config.token.roles).to_vec()
    }

    /// The account with what the directory knows of it, even if the user was deleted.
    pub(super) fn resolve(&self, account: Account) -> Account {
        let Some((at, user)) =
            self.store.as_ref().and_then(|tenant| tenant.user_including_deleted(&account.sent))
        else {
            return account;
        };
        account.with_directory_user(ResolvedUser {
            index: at,
            upn: user.upn.clone(),
            id: user.id.to_string(),
        })
    }

    /// Whether the user exists.
    pub(super) fn has_user(&self, user: &Account) -> bool {
        let listed = match &self.store {
            Some(tenant) => user.resolved.as_ref().is_some_and(|known| !tenant.user_at(known.index).deleted),
            None => !self.config.only_known || self.users.contains(&user.key),
        };
        listed && !matches_any(&self.unknown, user)
    }

    /// Whether the client may not revoke the user.
    pub(super) fn denies(&self, user: &Account) -> bool {
        matches_any(&self.deny, user)
    }

    /// Whether the user belongs to another tenant.
    pub(super) fn is_external(&self, user: &Account) -> bool {
        user.key.contains("#ext#") || matches_any(&self.external, user)
    }

    /// How long an answer takes, in simulated time, with random jitter.
    pub(super) fn latency(&self) -> Duration {
        let (latency, jitter) = (self.config.latency, self.config.jitter);
        if jitter.is_zero() {
            return latency;
        }
        (latency + jitter.mul_f64(2.0 * fastrand::f64())).saturating_sub(jitter)
    }
}

/// Whether a pattern matches the user's name or ID.
fn matches_any(globs: &[Glob], user: &Account) -> bool {
    user.names().any(|name| glob::matches_any(globs, name))
}

/// Changes to a running simulator. Each key that is present replaces the old value as a whole.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigChanges {
    seed: Option<u64>,
    latency: Option<DurationValue>,
    jitter: Option<DurationValue>,
    success: Option<SuccessResponse>,
    accept_any_token: Option<bool>,
    users: Option<Vec<String>>,
    only_known: Option<bool>,
    unknown: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    external: Option<Vec<String>>,
    token: Option<TokenConfig>,
    managed_identity: Option<ManagedIdentityConfig>,
    quota: Option<QuotaConfig>,
    tenant: Option<Vec<TenantConfig>>,
    batch: Option<BatchConfig>,
    directory: Option<DirectoryConfig>,
    fault: Option<Vec<Fault>>,
}

#[derive(Deserialize)]
struct DurationValue(#[serde(deserialize_with = "super::duration::deserialize")] Duration);

impl ConfigChanges {
    pub(super) fn from_toml_str(text: &str) -> Result<ConfigChanges, ConfigError> {
        toml::from_str(text).map_err(|error| ConfigError::from_toml_error(text, &error))
    }

    /// Whether the quotas change.
    pub(super) fn changes_quotas(&self) -> bool {
        self.quota.is_some() || self.tenant.is_some()
    }

    pub(super) fn apply(self, config: &mut Config) -> Result<(), ConfigError> {
        fn set<T>(place: &mut T, change: Option<T>) {
            if let Some(value) = change {
                *place = value;
            }
        }
        set(&mut config.seed, self.seed);
        set(&mut config.latency, self.latency.map(|span| span.0));
        set(&mut config.jitter, self.jitter.map(|span| span.0));
        set(&mut config.success, self.success);
        set(&mut config.accept_any_token, self.accept_any_token);
        set(&mut config.users, self.users);
        set(&mut config.only_known, self.only_known);
        set(&mut config.unknown, self.unknown);
        set(&mut config.deny, self.deny);
        set(&mut config.external, self.external);
        set(&mut config.token, self.token);
        set(&mut config.managed_identity, self.managed_identity);
        set(&mut config.quota, self.quota);
        set(&mut config.tenants, self.tenant);
        set(&mut config.batch, self.batch);
        if self.directory.is_some() {
            config.directory = self.directory;
        }
        set(&mut config.faults, self.fault);
        config.check()
    }
}
