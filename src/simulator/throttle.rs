//! Who is throttled: the apps and tenants that send, what each has used of its quota, and until when each was told to
//! wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use super::clock::Clock;
use super::config::QuotaConfig;
use super::lock::{lock, read, write};
use super::quota::Meter;
use super::window::Window;

/// Every app in every tenant that has sent something.
#[derive(Default)]
pub(super) struct Callers {
    apps: RwLock<HashMap<(String, String), Arc<App>>>,
    tenants: RwLock<HashMap<String, Arc<Tenant>>>,
}

impl Callers {
    /// The app in the tenant, made known if it is new.
    pub(super) fn app(&self, tenant: &str, app: &str, quota: &QuotaConfig, clock: &Clock) -> Arc<App> {
        let key = (tenant.to_owned(), app.to_owned());
        if let Some(app) = read(&self.apps).get(&key) {
            return Arc::clone(app);
        }
        let tenant = {
            let mut tenants = write(&self.tenants);
            let fresh = || Arc::new(Tenant::new(quota));
            Arc::clone(tenants.entry(tenant.to_owned()).or_insert_with(fresh))
        };
        let fresh = App {
            id: key.1.clone(),
            tenant_id: key.0.clone(),
            tenant,
            state: Mutex::new(AppState::new(quota, clock)),
        };
        Arc::clone(write(&self.apps).entry(key).or_insert_with(|| Arc::new(fresh)))
    }

    /// Starts every quota anew, full.
    pub(super) fn restart(&self, quota: &QuotaConfig, clock: &Clock) {
        for tenant in read(&self.tenants).values() {
            *lock(&tenant.meter) = Meter::new(&quota.tenant);
            *lock(&tenant.identity_protection) = Meter::new(&quota.identity_protection);
        }
        for app in read(&self.apps).values() {
            *lock(&app.state) = AppState::new(quota, clock);
        }
    }
}

struct Tenant {
    meter: Mutex<Meter>,
    /// Of what all apps together ask Identity Protection.
    identity_protection: Mutex<Meter>,
}

impl Tenant {
    fn new(quota: &QuotaConfig) -> Tenant {
        Tenant {
            meter: Mutex::new(Meter::new(&quota.tenant)),
            identity_protection: Mutex::new(Meter::new(&quota.identity_protection)),
        }
    }
}

/// One app in one tenant.
pub(super) struct App {
    pub(super) id: String,
    pub(super) tenant_id: String,
    tenant: Arc<Tenant>,
    state: Mutex<AppState>,
}

struct AppState {
    meter: Meter,
    /// Real time since the start: when the app was told to wait, and until when.
    told: Option<(Duration, Duration)>,
    asked: Window,
    accepted: Window,
    /// The same of reads, which are counted in resource units.
    reads: Reads,
}

struct Reads {
    meter: Meter,
    told: Option<(Duration, Duration)>,
    units: Window,
}

impl AppState {
    fn new(quota: &QuotaConfig, clock: &Clock) -> AppState {
        let window = clock.real(quota.app.window);
        AppState {
            meter: Meter::new(&quota.app),
            told: None,
            asked: Window::new(window),
            accepted: Window::new(window),
            reads: Reads {
                meter: Meter::new(&quota.read),
                told: None,
                units: Window::new(clock.real(quota.read.window)),
            },
        }
    }
}

/// How a request stands to what its app was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Nobody had told it to wait.
    InTime,
    /// It was told to wait only just now: the request was probably on its way.
    Crossing,
    /// It was told to wait, and didn't.
    Early,
}

/// Whose quota is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    App,
    Tenant,
    /// The app's reads.
    Reads,
}

/// What the quotas say to one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// It goes through; the greater share of a limit that is in use.
    Allowed { used: f64 },
    /// It must wait, in simulated time.
    Throttled { scope: Scope, wait: Duration },
}

/// What is known of a request once it was counted.
pub(super) struct Admission {
    pub(super) patience: Patience,
    pub(super) verdict: Verdict,
    /// Requests of this app within the last window, and how many of them went through.
    pub(super) asked: u64,
    pub(super) accepted: u64,
}

impl App {
    /// Counts a request that arrives at `now` (real time) against the quotas of the app and its tenant.
    pub(super) fn admit(
        &self,
        now: Duration,
        clock: &Clock,
        quota: &QuotaConfig,
        grace: Duration,
    ) -> Admission {
        let mut state = lock(&self.state);
        let patience = patience(state.told, now, grace);
        let asked = state.asked.count(now);
        let verdict = if quota.enabled {
            charge(&mut state.meter, &mut lock(&self.tenant.meter), clock.simulated(now))
        } else {
            Verdict::Allowed { used: 0.0 }
        };
        let accepted = match verdict {
            Verdict::Allowed { .. } => state.accepted.count(now),
            Verdict::Throttled { .. } => 0,
        };
        Admission { patience, verdict, asked, accepted }
    }

    /// Counts a read that arrives at `now` (real time) and costs so many resource units against the app's quota; how
    /// long it must wait, in simulated time, if it must.
    pub(super) fn admit_read(
        &self,
        units: u32,
        now: Duration,
        clock: &Clock,
        quota: &QuotaConfig,
        grace: Duration,
    ) -> (Patience, Option<Duration>) {
        let mut state = lock(&self.state);
        let reads = &mut state.reads;
        let patience = patience(reads.told, now, grace);
        let simulated = clock.simulated(now);
        let wait = reads.meter.wait_for(units, simulated).filter(|_| quota.enabled);
        let wait = wait.map(|wait| reads.meter.refuse(simulated, wait));
        if wait.is_none() {
            reads.meter.charge_for(units);
        }
        (patience, wait)
    }

    /// Notes that so many resource units were really spent; gives how many were within the last window.
    pub(super) fn spend(&self, units: u32, now: Duration) -> u64 {
        lock(&self.state).reads.units.add(now, units)
    }

    /// Takes back what a read was counted for that turned out to cost nothing.
    pub(super) fn give_back(&self, units: u32) {
        lock(&self.state).reads.meter.give_back(units);
    }

    /// Counts a request to Identity Protection that arrives at `now` (real time); whether it goes through.
    pub(super) fn admit_to_identity_protection(
        &self,
        now: Duration,
        clock: &Clock,
        quota: &QuotaConfig,
    ) -> bool {
        let mut meter = lock(&self.tenant.identity_protection);
        let now = clock.simulated(now);
        match meter.wait(now).filter(|_| quota.enabled) {
            Some(wait) => {
                meter.refuse(now, wait);
                false
            }
            None => {
                meter.charge();
                true
            }
        }
    }

    /// Notes that an answer leaves at `from` which tells the app to wait until `until`. Real time.
    pub(super) fn tell(&self, from: Duration, until: Duration) {
        let mut state = lock(&self.state);
        state.told = Some(longer(state.told, from, until));
    }

    /// The same for its reads.
    pub(super) fn tell_reads(&self, from: Duration, until: Duration) {
        let mut state = lock(&self.state);
        state.reads.told = Some(longer(state.reads.told, from, until));
    }
}

fn longer(told: Option<(Duration, Duration)>, from: Duration, until: Duration) -> (Duration, Duration) {
    match told {
        Some((since, end)) if from <= end => (since.min(from), end.max(until)),
        _ => (from, until),
    }
}

fn patience(told: Option<(Duration, Duration)>, now: Duration, grace: Duration) -> Patience {
    match told {
        Some((from, until)) if now > from && now < until => {
            if now > from + grace {
                Patience::Early
            } else {
                Patience::Crossing
            }
        }
        _ => Patience::InTime,
    }
}

/// Counts a request against both quotas; one that either refuses costs the other nothing.
fn charge(app: &mut Meter, tenant: &mut Meter, now: Duration) -> Verdict {
    if let Some(wait) = app.wait(now) {
        return Verdict::Throttled { scope: Scope::App, wait: app.refuse(now, wait) };
    }
    if let Some(wait) = tenant.wait(now) {
        return Verdict::Throttled { scope: Scope::Tenant, wait: tenant.refuse(now, wait) };
    }
    Verdict::Allowed { used: app.charge().max(tenant.charge()) }
}

#[cfg(test)]
mod tests {
    use super::super::quota::{Limit, Style};
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn quota(app: u32, tenant: u32) -> QuotaConfig {
        let limit = |limit| Limit { limit, window: Duration::from_secs(100), style: Style::TokenBucket };
        QuotaConfig { app: limit(app), tenant: limit(tenant), ..QuotaConfig::default() }
    }

    #[test]
    fn two_apps_share_their_tenants_quota() {
        let (clock, quota, callers) = (Clock::start(1.0), quota(3, 4), Callers::default());
        let scope = |app: &str| match callers
            .app("t", app, &quota, &clock)
            .admit(ms(0), &clock, &quota, ms(0))
            .verdict
        {
            Verdict::Allowed { .. } => None,
            Verdict::Throttled { scope, .. } => Some(scope),
        };
        assert_eq!([scope("a"), scope("a"), scope("a"), scope("a")], [None, None, None, Some(Scope::App)]);
        assert_eq!([scope("b"), scope("b")], [None, Some(Scope::Tenant)]);
    }

    #[test]
    fn impatience_is_told_from_what_was_on_its_way() {
        let (clock, quota, callers) = (Clock::start(1.0), quota(100, 100), Callers::default());
        let app = callers.app("t", "a", &quota, &clock);
        let patience = |now| app.admit(now, &clock, &quota, ms(50)).patience;
        app.tell(ms(100), ms(1000));
        assert_eq!(patience(ms(120)), Patience::Crossing);
        assert_eq!(patience(ms(151)), Patience::Early);
        app.tell(ms(200), ms(2000));
        assert_eq!(patience(ms(1500)), Patience::Early, "the later end counts");
        assert_eq!(patience(ms(2000)), Patience::InTime);
    }
}
