//! Tenants and apps that differ from the rest: `[[tenant]]`.

use std::borrow::Cow;

use serde::Deserialize;

use super::config::ConfigError;
use super::glob::{self, Glob};
use super::party::{Parties, Party};
use super::quota::{Limit, QuotaConfig};

/// What is otherwise in some tenants, or for some apps in them. Of several blocks that name a thing, the first counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// Pattern (`*`, `?`, case doesn't count) of the tenant's id, or of the domain by which it is called.
    #[serde(rename = "match", default = "any")]
    pub pattern: String,
    /// Pattern of the client ids of the apps that it is about.
    #[serde(default = "any")]
    pub app: String,
    /// False: there is no such tenant (AADSTS90002). True: there is, whatever a later block says.
    pub known: Option<bool>,
    /// Patterns of the client ids that are installed there; others hear AADSTS700016. Any without it.
    pub apps: Option<Vec<String>>,
    /// The tenant's id, where it is not made from the domain: several domains may be one tenant.
    pub id: Option<uuid::Uuid>,
    /// The app's secret there, instead of the one in `token`.
    pub secret: Option<String>,
    /// The application permissions in tokens, instead of those in `token`.
    pub roles: Option<Vec<String>>,
    /// Quotas instead of the general ones.
    #[serde(default)]
    pub quota: OwnQuota,
}

/// The quotas of some tenants; what it doesn't name is as everywhere.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnQuota {
    /// For an app in such a tenant.
    pub app: Option<Limit>,
    /// For such a tenant, over all apps, whatever the block's `app` says.
    pub tenant: Option<Limit>,
    /// The share of `app` that another program takes.
    pub eaten: Option<f64>,
}

fn any() -> String {
    "*".into()
}

/// All blocks, ready for requests.
#[derive(Debug, Default)]
pub(super) struct Particulars(Vec<Block>);

#[derive(Debug)]
struct Block {
    parties: Parties,
    apps: Option<Vec<Glob>>,
    config: TenantConfig,
}

impl Particulars {
    pub(super) fn new(blocks: &[TenantConfig]) -> Particulars {
        let block = |config: &TenantConfig| Block {
            parties: Parties::new(&config.pattern, &config.app),
            apps: config.apps.as_ref().map(|apps| glob::compile(apps)),
            config: config.clone(),
        };
        Particulars(blocks.iter().map(block).collect())
    }

    /// Whether there is the tenant.
    pub(super) fn knows_tenant(&self, party: &Party<'_>) -> bool {
        self.about(party).find_map(|block| block.config.known).unwrap_or(true)
    }

    /// The id of the tenant that somebody calls by this name, where a block says it.
    pub(super) fn tenant_id(&self, name: &str) -> Option<uuid::Uuid> {
        let party = Party { tenant: name, domain: None, app: "" };
        self.0.iter().filter(|block| block.parties.include_tenant(&party)).find_map(|block| block.config.id)
    }

    /// Whether the app is installed in the tenant.
    pub(super) fn knows_app(&self, party: &Party<'_>) -> bool {
        self.about(party).find_map(|block| block.apps.as_ref()).is_none_or(|apps| glob::any(apps, party.app))
    }

    /// The app's secret, if it has one of its own here.
    pub(super) fn secret(&self, party: &Party<'_>) -> Option<&str> {
        self.about(party).find_map(|block| block.config.secret.as_deref())
    }

    /// The app's permissions, if they are others here.
    pub(super) fn roles(&self, party: &Party<'_>) -> Option<&[String]> {
        self.about(party).find_map(|block| block.config.roles.as_deref())
    }

    /// The quotas of the app in the tenant. A limit of its own does not change with the general ones.
    pub(super) fn quota<'a>(&self, general: &'a QuotaConfig, party: &Party<'_>) -> Cow<'a, QuotaConfig> {
        let app = self.about(party).find_map(|block| block.config.quota.app.as_ref());
        let eaten = self.about(party).find_map(|block| block.config.quota.eaten);
        let in_tenant = |block: &&Block| block.parties.include_tenant(party);
        let tenant = self.0.iter().filter(in_tenant).find_map(|block| block.config.quota.tenant.as_ref());
        if app.is_none() && tenant.is_none() && eaten.is_none() {
            return Cow::Borrowed(general);
        }
        let mut own = general.clone();
        own.eaten = eaten.unwrap_or(own.eaten);
        if let Some(limit) = app {
            own.app = limit.clone();
            own.changes.iter_mut().for_each(|change| change.app = None);
        }
        if let Some(limit) = tenant {
            own.tenant = limit.clone();
            own.changes.iter_mut().for_each(|change| change.tenant = None);
        }
        Cow::Owned(own)
    }

    fn about(&self, party: &Party<'_>) -> impl Iterator<Item = &Block> {
        self.0.iter().filter(move |block| block.parties.include(party))
    }
}

impl TenantConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let own = &self.quota;
        let whole = QuotaConfig {
            app: own.app.clone().unwrap_or_else(|| QuotaConfig::default().app),
            tenant: own.tenant.clone().unwrap_or_else(|| QuotaConfig::default().tenant),
            eaten: own.eaten.unwrap_or_default(),
            ..QuotaConfig::default()
        };
        whole.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_that_names_a_thing_counts() {
        let config: super::super::Config = toml::from_str(
            "[[tenant]]\nmatch = 't1*'\nsecret = 'one'\nquota.app = { limit = 5, window = 1 }\n\
             [[tenant]]\nmatch = 't*'\nsecret = 'all'\napps = ['app-*']\nquota.eaten = 0.5\n\
             [[tenant]]\nmatch = 't2'\napp = 'app-2'\nquota.tenant = { limit = 9, window = 1 }\nknown = false",
        )
        .unwrap();
        let all = Particulars::new(&config.tenants);
        let party = |tenant, app| Party { tenant, domain: None, app };
        let (t1, t2, t3) = (party("t1", "app-1"), party("t2", "app-2"), party("other", "app"));
        assert_eq!([t1, t2, t3].map(|p| all.secret(&p)), [Some("one"), Some("all"), None]);
        assert_eq!([t1, t2, t3].map(|p| all.knows_tenant(&p)), [true, false, true]);
        assert_eq!([t1, party("t1", "foreign"), t3].map(|p| all.knows_app(&p)), [true, false, true]);
        let general = QuotaConfig::default();
        let limits = |p| {
            let quota = all.quota(&general, &p);
            (quota.app.limit, quota.tenant.limit, quota.eaten > 0.0)
        };
        assert_eq!(limits(t1), (5, 18_000, true));
        assert_eq!(limits(party("t2", "app-1")), (3_000, 9, true), "the tenant's own, whatever the app");
        assert_eq!(limits(t3), (3_000, 18_000, false));
    }
}
