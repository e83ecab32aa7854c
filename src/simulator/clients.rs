//! Every app in every tenant that has sent a request, with its quotas.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use super::client_key::ClientKey;
use super::clock::Clock;
use super::lock::{lock, read, write};
use super::quota::{Meter, QuotaConfig};
use super::reloadable_config::ReloadableConfig;
use super::throttle::ClientApp;
use super::token::tenant_id;

/// Every app in every tenant that has sent a request. It is only consulted for a new token, because each token
/// remembers its app.
#[derive(Default)]
pub(super) struct Clients {
    /// Behind one lock, so that an app's number is its index.
    apps: RwLock<ClientIndex>,
    tenants: RwLock<HashMap<String, Arc<TenantMeters>>>,
    /// The write quota of each app over all tenants, by client ID.
    all_tenants: Mutex<BTreeMap<String, Arc<Mutex<Meter>>>>,
}

#[derive(Default)]
struct ClientIndex {
    by_key: HashMap<(String, String), Arc<ClientApp>>,
    all: Vec<Arc<ClientApp>>,
}

/// A tenant that was addressed by a request.
pub(super) struct TenantMeters {
    /// The tenant's ID as it is in tokens; usually a GUID.
    pub(super) id: String,
    /// The first domain under which the tenant was addressed, in lower case.
    domain: OnceLock<String>,
    pub(super) meter: Mutex<Meter>,
    /// The quota that all apps share for Identity Protection.
    pub(super) identity_protection: Mutex<Meter>,
}

impl TenantMeters {
    /// The domain under which the tenant was addressed, if there was one.
    pub(super) fn domain(&self) -> Option<&str> {
        self.domain.get().map(String::as_str)
    }

    fn reset(&self, quota: &QuotaConfig) {
        *lock(&self.meter) = quota.tenant_meter();
        *lock(&self.identity_protection) = Meter::new(&quota.identity_protection);
    }
}

impl Clients {
    /// The app in the tenant with this ID. A new app is added.
    pub(super) fn app(
        &self,
        tenant: &str,
        app: &str,
        live: &ReloadableConfig,
        clock: &Clock,
    ) -> Arc<ClientApp> {
        let key = (tenant.to_owned(), app.to_lowercase());
        if let Some(app) = read(&self.apps).by_key.get(&key) {
            return Arc::clone(app);
        }
        let tenant = self.tenant(tenant, None, live);
        let mut apps = write(&self.apps);
        let ClientIndex { by_key: by_name, all } = &mut *apps;
        let fresh = || {
            let client_key = ClientKey { tenant: &tenant.id, domain: tenant.domain(), app: &key.1 };
            let quota = live.quota(&client_key);
            let everywhere = self.all_tenants_meter(&key.1, &quota);
            let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let fresh = Arc::new(ClientApp::new(number, app, Arc::clone(&tenant), everywhere, &quota, clock));
            all.push(Arc::clone(&fresh));
            fresh
        };
        Arc::clone(by_name.entry(key.clone()).or_insert_with(fresh))
    }

    /// The tenant that `name`, an ID or a domain, stands for. A domain is remembered.
    pub(super) fn tenant_by_name(&self, name: &str, live: &ReloadableConfig) -> Arc<TenantMeters> {
        let id = live.overrides.tenant_id(name).map_or_else(|| tenant_id(name), |id| id.to_string());
        let domain = Some(name.to_lowercase()).filter(|name| *name != id && !is_guid(name));
        self.tenant(&id, domain, live)
    }

    fn tenant(&self, id: &str, domain: Option<String>, live: &ReloadableConfig) -> Arc<TenantMeters> {
        let known = read(&self.tenants).get(id).cloned();
        let tenant = known.unwrap_or_else(|| {
            let client_key = ClientKey { tenant: id, domain: domain.as_deref(), app: "" };
            let quota = live.quota(&client_key);
            let fresh = TenantMeters {
                id: id.to_owned(),
                domain: OnceLock::new(),
                meter: Mutex::new(quota.tenant_meter()),
                identity_protection: Mutex::new(Meter::new(&quota.identity_protection)),
            };
            let mut tenants = write(&self.tenants);
            Arc::clone(tenants.entry(id.to_owned()).or_insert_with(|| Arc::new(fresh)))
        });
        if let Some(domain) = domain {
            // Only the first domain is kept.
            let _ = tenant.domain.set(domain);
        }
        tenant
    }

    fn all_tenants_meter(&self, app: &str, quota: &QuotaConfig) -> Arc<Mutex<Meter>> {
        let mut all = lock(&self.all_tenants);
        let fresh = || Arc::new(Mutex::new(quota.all_tenants_meter()));
        Arc::clone(all.entry(app.to_owned()).or_insert_with(fresh))
    }

    /// All apps, by number.
    pub(super) fn all(&self) -> Vec<Arc<ClientApp>> {
        read(&self.apps).all.clone()
    }

    /// Resets all quotas, and with `counts` the apps' counters too.
    pub(super) fn reset(&self, live: &ReloadableConfig, clock: &Clock, counts: bool) {
        for tenant in read(&self.tenants).values() {
            let client_key = ClientKey { tenant: &tenant.id, domain: tenant.domain(), app: "" };
            tenant.reset(&live.quota(&client_key));
        }
        for meter in lock(&self.all_tenants).values() {
            *lock(meter) = live.config.quota.all_tenants_meter();
        }
        for app in &read(&self.apps).all {
            app.reset(&live.quota(&app.client_key()), clock);
            if counts {
                app.counts.clear();
            }
        }
    }
}

fn is_guid(name: &str) -> bool {
    uuid::Uuid::try_parse(name).is_ok()
}
