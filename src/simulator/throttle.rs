//! Throttling: how much of its quotas an app in a tenant has used, and how long it was told to wait.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::client_key::ClientKey;
use super::clients::TenantMeters;
use super::clock::Clock;
use super::counters::ClientCounters;
use super::ledger::ClientReport;
use super::lock::lock;
use super::quota::{BackgroundLoad, Meter, QuotaConfig};
use super::sliding_counter::SlidingCounter;

/// One app in one tenant, with its quotas.
pub(super) struct ClientApp {
    /// Its index among all apps.
    pub(super) number: u32,
    /// The client ID, as it was first sent.
    pub(super) id: String,
    /// The client ID in lower case.
    key: String,
    pub(super) tenant: Arc<TenantMeters>,
    /// Its counters, which need no lock.
    pub(super) counts: ClientCounters,
    /// The app's write quota over all tenants.
    all_tenants: Arc<Mutex<Meter>>,
    state: Mutex<AppQuotaState>,
}

struct AppQuotaState {
    meter: Meter,
    background_load: Option<BackgroundLoad>,
    /// When the app was told to wait, and until when, in real time since the start.
    wait_period: Option<(Duration, Duration)>,
    requested: SlidingCounter,
    accepted: SlidingCounter,
    /// The same for reads, which are counted in resource units.
    reads: ReadQuotaState,
}

struct ReadQuotaState {
    meter: Meter,
    wait_period: Option<(Duration, Duration)>,
    units: SlidingCounter,
}

impl AppQuotaState {
    fn new(quota: &QuotaConfig, clock: &Clock) -> AppQuotaState {
        let window = clock.to_real(quota.app.window);
        AppQuotaState {
            meter: quota.app_meter(),
            background_load: BackgroundLoad::new(quota.eaten),
            wait_period: None,
            requested: SlidingCounter::new(window),
            accepted: SlidingCounter::new(window),
            reads: ReadQuotaState {
                meter: Meter::new(&quota.read),
                wait_period: None,
                units: SlidingCounter::new(clock.to_real(quota.read.window)),
            },
        }
    }
}

/// Whether a request respects an announced wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitCompliance {
    /// No wait had been announced, or it is over.
    InTime,
    /// The wait was announced so recently that the request was probably on its way already.
    Crossing,
    /// The app should have been waiting.
    Early,
}

/// The quota that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuotaScope {
    /// The app's in the tenant.
    App,
    /// The tenant's, over all apps.
    Tenant,
    /// The app's, over all tenants.
    AllTenants,
    /// The app's reads in the tenant.
    Reads,
}

/// The decision of the quotas on one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum QuotaDecision {
    /// It goes through. `used` is the larger of the shares of a limit that are in use.
    Allowed { used: f64 },
    /// It must wait, in simulated time.
    Throttled { scope: QuotaScope, wait: Duration },
}

/// The result of counting a request.
pub(super) struct Admission {
    pub(super) compliance: WaitCompliance,
    pub(super) verdict: QuotaDecision,
    /// The number of the app's requests within the last window, and of those that went through.
    pub(super) requests_in_window: u64,
    pub(super) accepted_in_window: u64,
}

impl ClientApp {
    pub(super) fn new(
        number: u32,
        id: &str,
        tenant: Arc<TenantMeters>,
        everywhere: Arc<Mutex<Meter>>,
        quota: &QuotaConfig,
        clock: &Clock,
    ) -> ClientApp {
        ClientApp {
            number,
            id: id.to_owned(),
            key: id.to_lowercase(),
            tenant,
            counts: ClientCounters::default(),
            all_tenants: everywhere,
            state: Mutex::new(AppQuotaState::new(quota, clock)),
        }
    }

    /// The app and tenant as patterns match them.
    pub(super) fn client_key(&self) -> ClientKey<'_> {
        ClientKey { tenant: &self.tenant.id, domain: self.tenant.domain(), app: &self.key }
    }

    /// A report of what it did.
    pub(super) fn report(&self) -> ClientReport {
        let counts = &self.counts;
        let (first_s, last_s) = counts.first_and_last_seconds();
        ClientReport {
            tenant: self.tenant.id.clone(),
            domain: self.tenant.domain().map(str::to_owned),
            app: self.id.clone(),
            revocations: counts.revocations.get(),
            effects: counts.effects.get(),
            throttled: counts.throttled.get(),
            early: counts.early.get(),
            max_requests_in_window: counts.max_requests_in_window.get(),
            max_accepted_in_window: counts.max_accepted_in_window.get(),
            first_s,
            last_s,
        }
    }

    /// Resets its own quotas.
    pub(super) fn reset(&self, quota: &QuotaConfig, clock: &Clock) {
        *lock(&self.state) = AppQuotaState::new(quota, clock);
    }

    /// Counts a request that arrives at `now` (real time) against the quotas of the app, of its tenant, and of the app
    /// over all tenants.
    pub(super) fn admit(&self, now: Duration, clock: &Clock, enabled: bool, grace: Duration) -> Admission {
        let mut state = lock(&self.state);
        let compliance = compliance(state.wait_period, now, grace);
        let asked = state.requested.count(now);
        if !enabled {
            let verdict = QuotaDecision::Allowed { used: 0.0 };
            return Admission {
                compliance,
                verdict,
                requests_in_window: asked,
                accepted_in_window: state.accepted.count(now),
            };
        }
        // Always lock in this order, so that there is no deadlock.
        let AppQuotaState { meter, background_load, accepted, .. } = &mut *state;
        let mut meters = WriteMeters {
            app: meter,
            tenant: &mut lock(&self.tenant.meter),
            all_tenants: &mut lock(&self.all_tenants),
        };
        let simulated = clock.to_simulated(now);
        if let Some(background_load) = background_load {
            let limit = meters.app.limit().clone();
            background_load.run_until(&limit, simulated, |at| meters.charge(at).wait());
        }
        let (verdict, accepted) = match meters.charge(simulated) {
            QuotaDecision::Allowed { used } => {
                let accepted = accepted.count(now);
                (QuotaDecision::Allowed { used: used_share(used, asked, accepted) }, accepted)
            }
            throttled => (throttled, 0),
        };
        Admission { compliance, verdict, requests_in_window: asked, accepted_in_window: accepted }
    }

    /// Counts a read that arrives at `now` (real time) and costs `units` resource units against the app's quota.
    /// Returns how long it must wait, in simulated time, if it must.
    pub(super) fn admit_read(
        &self,
        units: u32,
        now: Duration,
        clock: &Clock,
        quota: &QuotaConfig,
        grace: Duration,
    ) -> (WaitCompliance, Option<Duration>) {
        let mut state = lock(&self.state);
        let reads = &mut state.reads;
        let compliance = compliance(reads.wait_period, now, grace);
        let simulated = clock.to_simulated(now);
        let wait = reads.meter.wait_for(units, simulated).filter(|_| quota.enabled);
        let wait = wait.map(|wait| reads.meter.refuse(simulated, wait));
        if wait.is_none() {
            reads.meter.charge_for(units);
        }
        (compliance, wait)
    }

    /// Records that `units` resource units were really spent. Returns how many were spent within the last window.
    pub(super) fn record_spent(&self, units: u32, now: Duration) -> u64 {
        lock(&self.state).reads.units.add(now, units)
    }

    /// Gives back what was counted for a read that turned out to be free.
    pub(super) fn refund(&self, units: u32) {
        lock(&self.state).reads.meter.refund(units);
    }

    /// Counts a request to Identity Protection that arrives at `now` (real time). Returns whether it goes through.
    pub(super) fn admit_to_identity_protection(
        &self,
        now: Duration,
        clock: &Clock,
        quota: &QuotaConfig,
    ) -> bool {
        let mut meter = lock(&self.tenant.identity_protection);
        let now = clock.to_simulated(now);
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

    /// Records that a response leaving at `from` tells the app to wait until `until`. Real time.
    pub(super) fn set_wait(&self, from: Duration, until: Duration) {
        let mut state = lock(&self.state);
        state.wait_period = Some(merge_wait(state.wait_period, from, until));
    }

    /// The same for the app's reads.
    pub(super) fn set_read_wait(&self, from: Duration, until: Duration) {
        let mut state = lock(&self.state);
        state.reads.wait_period = Some(merge_wait(state.reads.wait_period, from, until));
    }
}

fn merge_wait(
    wait_period: Option<(Duration, Duration)>,
    from: Duration,
    until: Duration,
) -> (Duration, Duration) {
    match wait_period {
        Some((since, end)) if from <= end => (since.min(from), end.max(until)),
        _ => (from, until),
    }
}

fn compliance(wait_period: Option<(Duration, Duration)>, now: Duration, grace: Duration) -> WaitCompliance {
    match wait_period {
        Some((from, until)) if now > from && now < until => {
            if now > from + grace {
                WaitCompliance::Early
            } else {
                WaitCompliance::Crossing
            }
        }
        _ => WaitCompliance::InTime,
    }
}

/// The share of a limit that is in use, as Graph reports it: if requests are throttled, 1 plus the throttled share
/// (`x-ms-throttle-limit-percentage` is 1.2 if a fifth of the requests is throttled).
fn used_share(used: f64, asked: u64, accepted: u64) -> f64 {
    if used <= 0.8 || asked <= accepted {
        return used;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let throttled = 1.0 - accepted as f64 / asked as f64;
    used.max(1.0 + throttled)
}

/// All quotas that a write counts against.
struct WriteMeters<'a> {
    app: &'a mut Meter,
    tenant: &'a mut Meter,
    all_tenants: &'a mut Meter,
}

impl WriteMeters<'_> {
    /// Counts a request against all of them. If one refuses, the others are not charged.
    fn charge(&mut self, now: Duration) -> QuotaDecision {
        let scopes = [QuotaScope::App, QuotaScope::Tenant, QuotaScope::AllTenants];
        for (scope, meter) in scopes.into_iter().zip(self.all()) {
            if let Some(wait) = meter.wait(now) {
                return QuotaDecision::Throttled { scope, wait: meter.refuse(now, wait) };
            }
        }
        let used = self.all().map(Meter::charge);
        QuotaDecision::Allowed { used: used.into_iter().fold(0.0, f64::max) }
    }

    fn all(&mut self) -> [&mut Meter; 3] {
        [&mut *self.app, &mut *self.tenant, &mut *self.all_tenants]
    }
}

impl QuotaDecision {
    /// How long the request must wait, in simulated time, if it must.
    fn wait(self) -> Option<Duration> {
        match self {
            QuotaDecision::Allowed { .. } => None,
            QuotaDecision::Throttled { wait, .. } => Some(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::clients::Clients;
    use super::super::config::Config;
    use super::super::quota::Limit;
    use super::super::reloadable_config::ReloadableConfig;
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn live(app: u32, tenant: u32, everywhere: u32) -> ReloadableConfig {
        let limit = |limit| Limit::new(limit, Duration::from_secs(100));
        let quota = QuotaConfig {
            app: limit(app),
            tenant: limit(tenant),
            everywhere: limit(everywhere),
            ..QuotaConfig::default()
        };
        ReloadableConfig::new(Config { quota, ..Config::default() }, None).unwrap()
    }

    /// Which scope throttles a request that comes at the start.
    fn scope(clients: &Clients, live: &ReloadableConfig, tenant: &str, app: &str) -> Option<QuotaScope> {
        let clock = Clock::start(1.0);
        match clients.app(tenant, app, live, &clock).admit(ms(0), &clock, true, ms(0)).verdict {
            QuotaDecision::Allowed { .. } => None,
            QuotaDecision::Throttled { scope, .. } => Some(scope),
        }
    }

    #[test]
    fn two_apps_share_their_tenants_quota() {
        let (live, clients) = (live(3, 4, 100), Clients::default());
        let scope = |app: &str| scope(&clients, &live, "t", app);
        assert_eq!(
            [scope("a"), scope("a"), scope("a"), scope("a")],
            [None, None, None, Some(QuotaScope::App)]
        );
        assert_eq!([scope("b"), scope("b")], [None, Some(QuotaScope::Tenant)]);
    }

    #[test]
    fn an_app_has_one_quota_over_all_tenants() {
        let (live, clients) = (live(3, 100, 4), Clients::default());
        let scope = |tenant: &str, app: &str| scope(&clients, &live, tenant, app);
        assert_eq!([scope("t1", "a"), scope("t2", "a"), scope("t3", "A"), scope("t4", "a")], [None; 4]);
        assert_eq!(scope("t5", "a"), Some(QuotaScope::AllTenants));
        assert_eq!(scope("t5", "b"), None);
    }

    #[test]
    fn the_reported_share_includes_throttled_requests() {
        let told =
            [used_share(0.5, 10, 5), used_share(1.0, 10, 10), used_share(0.9, 10, 8), used_share(1.0, 10, 1)];
        let expected = [0.5, 1.0, 1.2, 1.9];
        assert!(told.into_iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{told:?}");
    }

    #[test]
    fn background_load_uses_the_quota_first() {
        let toml = "[quota]\neaten = 0.5\napp = { limit = 10, window = '100s', style = 'fixed-window' }";
        let live = ReloadableConfig::new(Config::from_toml_str(toml).unwrap(), None).unwrap();
        let (clients, clock) = (Clients::default(), Clock::start(1.0));
        let app = clients.app("t", "a", &live, &clock);
        let burst = |at| {
            let admit = || app.admit(Duration::from_secs(at), &clock, true, ms(0)).verdict;
            (0..20).filter(|_| matches!(admit(), QuotaDecision::Allowed { .. })).count()
        };
        assert_eq!(burst(50), 7, "it came at 0, 20 and 40");
        assert_eq!(burst(100), 9, "and was throttled at 60 until the window ended");
    }

    #[test]
    fn early_requests_differ_from_requests_in_flight() {
        let (live, clients, clock) = (live(100, 100, 100), Clients::default(), Clock::start(1.0));
        let app = clients.app("t", "a", &live, &clock);
        let compliance = |now| app.admit(now, &clock, true, ms(50)).compliance;
        app.set_wait(ms(100), ms(1000));
        assert_eq!(compliance(ms(120)), WaitCompliance::Crossing);
        assert_eq!(compliance(ms(151)), WaitCompliance::Early);
        app.set_wait(ms(200), ms(2000));
        assert_eq!(compliance(ms(1500)), WaitCompliance::Early, "the later end counts");
        assert_eq!(compliance(ms(2000)), WaitCompliance::InTime);
    }
}
