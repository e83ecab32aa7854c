//! Every app in every tenant that has sent something, and what the quotas say to them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use super::clock::Clock;
use super::live::Live;
use super::lock::{lock, read, write};
use super::party::Party;
use super::quota::{Meter, QuotaConfig};
use super::throttle::App;
use super::token::tenant_id;

/// Every app in every tenant that has sent something. Asked for new tokens only: each token remembers its app.
#[derive(Default)]
pub(super) struct Callers {
    /// Behind one lock, so that an app's number is its place.
    apps: RwLock<Apps>,
    tenants: RwLock<HashMap<String, Arc<Tenant>>>,
    /// What each app may write over all tenants, by client id.
    everywhere: Mutex<BTreeMap<String, Arc<Mutex<Meter>>>>,
}

#[derive(Default)]
struct Apps {
    by_name: HashMap<(String, String), Arc<App>>,
    all: Vec<Arc<App>>,
}

/// A tenant that something was sent to.
pub(super) struct Tenant {
    /// As it stands in tokens; mostly a GUID.
    pub(super) id: String,
    /// The domain by which it was called first, in lower case.
    domain: OnceLock<String>,
    pub(super) meter: Mutex<Meter>,
    /// Of what all apps together ask Identity Protection.
    pub(super) identity_protection: Mutex<Meter>,
}

impl Tenant {
    /// The domain by which it was called, if it was.
    pub(super) fn domain(&self) -> Option<&str> {
        self.domain.get().map(String::as_str)
    }

    fn restart(&self, quota: &QuotaConfig) {
        *lock(&self.meter) = quota.tenant_meter();
        *lock(&self.identity_protection) = Meter::new(&quota.identity_protection);
    }
}

impl Callers {
    /// The app in the tenant with this id, made known if it is new.
    pub(super) fn app(&self, tenant: &str, app: &str, live: &Live, clock: &Clock) -> Arc<App> {
        let key = (tenant.to_owned(), app.to_lowercase());
        if let Some(app) = read(&self.apps).by_name.get(&key) {
            return Arc::clone(app);
        }
        let tenant = self.tenant(tenant, None, live);
        let mut apps = write(&self.apps);
        let Apps { by_name, all } = &mut *apps;
        let fresh = || {
            let party = Party { tenant: &tenant.id, domain: tenant.domain(), app: &key.1 };
            let quota = live.quota(&party);
            let everywhere = self.everywhere(&key.1, &quota);
            let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
            let fresh = Arc::new(App::new(number, app, Arc::clone(&tenant), everywhere, &quota, clock));
            all.push(Arc::clone(&fresh));
            fresh
        };
        Arc::clone(by_name.entry(key.clone()).or_insert_with(fresh))
    }

    /// The id of a tenant that somebody calls by an id or a domain; a domain is remembered.
    pub(super) fn tenant_called(&self, name: &str, live: &Live) -> Arc<Tenant> {
        let id = live.particulars.tenant_id(name).map_or_else(|| tenant_id(name), |id| id.to_string());
        let domain = Some(name.to_lowercase()).filter(|name| *name != id && !is_guid(name));
        self.tenant(&id, domain, live)
    }

    fn tenant(&self, id: &str, domain: Option<String>, live: &Live) -> Arc<Tenant> {
        let known = read(&self.tenants).get(id).cloned();
        let tenant = known.unwrap_or_else(|| {
            let party = Party { tenant: id, domain: domain.as_deref(), app: "" };
            let quota = live.quota(&party);
            let fresh = Tenant {
                id: id.to_owned(),
                domain: OnceLock::new(),
                meter: Mutex::new(quota.tenant_meter()),
                identity_protection: Mutex::new(Meter::new(&quota.identity_protection)),
            };
            let mut tenants = write(&self.tenants);
            Arc::clone(tenants.entry(id.to_owned()).or_insert_with(|| Arc::new(fresh)))
        });
        if let Some(domain) = domain {
            // Only the first counts.
            let _ = tenant.domain.set(domain);
        }
        tenant
    }

    fn everywhere(&self, app: &str, quota: &QuotaConfig) -> Arc<Mutex<Meter>> {
        let mut all = lock(&self.everywhere);
        let fresh = || Arc::new(Mutex::new(quota.everywhere_meter()));
        Arc::clone(all.entry(app.to_owned()).or_insert_with(fresh))
    }

    /// All apps in the order of their numbers.
    pub(super) fn all(&self) -> Vec<Arc<App>> {
        read(&self.apps).all.clone()
    }

    /// Starts every quota and every count anew.
    pub(super) fn restart(&self, live: &Live, clock: &Clock, counts: bool) {
        for tenant in read(&self.tenants).values() {
            let party = Party { tenant: &tenant.id, domain: tenant.domain(), app: "" };
            tenant.restart(&live.quota(&party));
        }
        for meter in lock(&self.everywhere).values() {
            *lock(meter) = live.config.quota.everywhere_meter();
        }
        for app in &read(&self.apps).all {
            app.restart(&live.quota(&app.party()), clock);
            if counts {
                app.counts.clear();
            }
        }
    }
}

fn is_guid(name: &str) -> bool {
    uuid::Uuid::try_parse(name).is_ok()
}
