//! Tenants and apps that differ from the rest: `[[tenant]]`.

use std::borrow::Cow;

use serde::Deserialize;

use super::client_key::{ClientKey, ClientPattern};
use super::config::ConfigError;
use super::glob::{self, Glob};
use super::quota::{Limit, QuotaConfig};

/// Settings for some tenants, or for some apps in them. If several blocks set the same key, the first one counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// A pattern (`*`, `?`, ignoring case) of the tenant's ID, or of the domain under which it is addressed.
    #[serde(rename = "match", default = "match_all_pattern")]
    pub pattern: String,
    /// A pattern of the client IDs of the apps that this block is about.
    #[serde(default = "match_all_pattern")]
    pub app: String,
    /// False: the tenant does not exist (AADSTS90002). True: it exists, whatever a later block says.
    pub known: Option<bool>,
    /// Patterns of the client IDs that are installed in the tenant. Other apps get AADSTS700016. Without it, any app is
    /// installed.
    pub apps: Option<Vec<String>>,
    /// The tenant's ID, instead of one that is made from the domain. Several domains can then be one tenant.
    pub id: Option<uuid::Uuid>,
    /// The app's secret in these tenants, instead of the one in `token`.
    pub secret: Option<String>,
    /// The application permissions in tokens, instead of those in `token`.
    pub roles: Option<Vec<String>>,
    /// Quotas instead of the general ones.
    #[serde(default)]
    pub quota: TenantQuotaConfig,
}

/// The quotas of some tenants. A key that is missing is the same as elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantQuotaConfig {
    /// For one app in such a tenant.
    pub app: Option<Limit>,
    /// For such a tenant over all apps, whatever the block's `app` says.
    pub tenant: Option<Limit>,
    /// The share of `app` that another program uses.
    pub eaten: Option<f64>,
}

fn match_all_pattern() -> String {
    "*".into()
}

/// All blocks, compiled.
#[derive(Debug, Default)]
pub(super) struct TenantOverrides(Vec<OverrideBlock>);

#[derive(Debug)]
struct OverrideBlock {
    clients: ClientPattern,
    apps: Option<Vec<Glob>>,
    config: TenantConfig,
}

impl TenantOverrides {
    pub(super) fn new(blocks: &[TenantConfig]) -> TenantOverrides {
        let block = |config: &TenantConfig| OverrideBlock {
            clients: ClientPattern::new(&config.pattern, &config.app),
            apps: config.apps.as_ref().map(|apps| glob::compile(apps)),
            config: config.clone(),
        };
        TenantOverrides(blocks.iter().map(block).collect())
    }

    /// Whether the tenant exists.
    pub(super) fn has_tenant(&self, client_key: &ClientKey<'_>) -> bool {
        self.matching_blocks(client_key).find_map(|block| block.config.known).unwrap_or(true)
    }

    /// The ID of the tenant that is addressed by this name, if a block sets it.
    pub(super) fn tenant_id(&self, name: &str) -> Option<uuid::Uuid> {
        let client_key = ClientKey { tenant: name, domain: None, app: "" };
        self.0
            .iter()
            .filter(|block| block.clients.matches_tenant(&client_key))
            .find_map(|block| block.config.id)
    }

    /// Whether the app is installed in the tenant.
    pub(super) fn has_app(&self, client_key: &ClientKey<'_>) -> bool {
        self.matching_blocks(client_key)
            .find_map(|block| block.apps.as_ref())
            .is_none_or(|apps| glob::matches_any(apps, client_key.app))
    }

    /// The app's secret, if it has its own one in this tenant.
    pub(super) fn secret(&self, client_key: &ClientKey<'_>) -> Option<&str> {
        self.matching_blocks(client_key).find_map(|block| block.config.secret.as_deref())
    }

    /// The app's permissions, if it has its own ones in this tenant.
    pub(super) fn roles(&self, client_key: &ClientKey<'_>) -> Option<&[String]> {
        self.matching_blocks(client_key).find_map(|block| block.config.roles.as_deref())
    }

    /// The quotas of the app in the tenant. A limit from a block is not affected by changes of the general limit.
    pub(super) fn quota<'a>(
        &self,
        general: &'a QuotaConfig,
        client_key: &ClientKey<'_>,
    ) -> Cow<'a, QuotaConfig> {
        let app = self.matching_blocks(client_key).find_map(|block| block.config.quota.app.as_ref());
        let eaten = self.matching_blocks(client_key).find_map(|block| block.config.quota.eaten);
        let in_tenant = |block: &&OverrideBlock| block.clients.matches_tenant(client_key);
        let tenant = self.0.iter().filter(in_tenant).find_map(|block| block.config.quota.tenant.as_ref());
        if app.is_none() && tenant.is_none() && eaten.is_none() {
            return Cow::Borrowed(general);
        }
        let mut quota = general.clone();
        quota.eaten = eaten.unwrap_or(quota.eaten);
        if let Some(limit) = app {
            quota.app = limit.clone();
            quota.changes.iter_mut().for_each(|change| change.app = None);
        }
        if let Some(limit) = tenant {
            quota.tenant = limit.clone();
            quota.changes.iter_mut().for_each(|change| change.tenant = None);
        }
        Cow::Owned(quota)
    }

    fn matching_blocks(&self, client_key: &ClientKey<'_>) -> impl Iterator<Item = &OverrideBlock> {
        self.0.iter().filter(move |block| block.clients.matches(client_key))
    }
}

impl TenantConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let quota = &self.quota;
        let complete = QuotaConfig {
            app: quota.app.clone().unwrap_or_else(|| QuotaConfig::default().app),
            tenant: quota.tenant.clone().unwrap_or_else(|| QuotaConfig::default().tenant),
            eaten: quota.eaten.unwrap_or_default(),
            ..QuotaConfig::default()
        };
        complete.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_with_a_key_counts() {
        let config: super::super::Config = toml::from_str(
            "[[tenant]]\nmatch = 't1*'\nsecret = 'one'\nquota.app = { limit = 5, window = 1 }\n\
             [[tenant]]\nmatch = 't*'\nsecret = 'all'\napps = ['app-*']\nquota.eaten = 0.5\n\
             [[tenant]]\nmatch = 't2'\napp = 'app-2'\nquota.tenant = { limit = 9, window = 1 }\nknown = false",
        )
        .unwrap();
        let all = TenantOverrides::new(&config.tenants);
        let client_key = |tenant, app| ClientKey { tenant, domain: None, app };
        let (t1, t2, t3) = (client_key("t1", "app-1"), client_key("t2", "app-2"), client_key("other", "app"));
        assert_eq!([t1, t2, t3].map(|p| all.secret(&p)), [Some("one"), Some("all"), None]);
        assert_eq!([t1, t2, t3].map(|p| all.has_tenant(&p)), [true, false, true]);
        assert_eq!([t1, client_key("t1", "foreign"), t3].map(|p| all.has_app(&p)), [true, false, true]);
        let general = QuotaConfig::default();
        let limits = |p| {
            let quota = all.quota(&general, &p);
            (quota.app.limit, quota.tenant.limit, quota.eaten > 0.0)
        };
        assert_eq!(limits(t1), (5, 18_000, true));
        assert_eq!(limits(client_key("t2", "app-1")), (3_000, 9, true), "the tenant's own, whatever the app");
        assert_eq!(limits(t3), (3_000, 18_000, false));
    }
}
