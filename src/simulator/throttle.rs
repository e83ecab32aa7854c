//! Who is throttled: what an app in a tenant has used of its quotas, and until when it was told to wait.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::callers::Tenant;
use super::clock::Clock;
use super::ledger::Caller;
use super::lock::lock;
use super::party::Party;
use super::quota::{Eater, Meter, QuotaConfig};
use super::tally::CallerCounts;
use super::window::Window;

/// One app in one tenant.
pub(super) struct App {
    /// Its place among all callers.
    pub(super) number: u32,
    /// The client id, as it came first.
    pub(super) id: String,
    /// The same in lower case.
    key: String,
    pub(super) tenant: Arc<Tenant>,
    /// What it did, without a lock.
    pub(super) counts: CallerCounts,
    /// What the app may write over all tenants.
    everywhere: Arc<Mutex<Meter>>,
    state: Mutex<AppState>,
}

struct AppState {
    meter: Meter,
    eater: Option<Eater>,
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
            meter: quota.app_meter(),
            eater: Eater::new(quota.eaten),
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
    /// The app's in the tenant.
    App,
    /// The tenant's, over all apps.
    Tenant,
    /// The app's, over all tenants.
    Everywhere,
    /// The app's reads in the tenant.
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
    pub(super) fn new(
        number: u32,
        id: &str,
        tenant: Arc<Tenant>,
        everywhere: Arc<Mutex<Meter>>,
        quota: &QuotaConfig,
        clock: &Clock,
    ) -> App {
        App {
            number,
            id: id.to_owned(),
            key: id.to_lowercase(),
            tenant,
            counts: CallerCounts::default(),
            everywhere,
            state: Mutex::new(AppState::new(quota, clock)),
        }
    }

    /// As patterns know it.
    pub(super) fn party(&self) -> Party<'_> {
        Party { tenant: &self.tenant.id, domain: self.tenant.domain(), app: &self.key }
    }

    /// What it did.
    pub(super) fn report(&self) -> Caller {
        let counts = &self.counts;
        let (first_s, last_s) = counts.times();
        Caller {
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

    /// Starts its own quotas anew, full.
    pub(super) fn restart(&self, quota: &QuotaConfig, clock: &Clock) {
        *lock(&self.state) = AppState::new(quota, clock);
    }

    /// Counts a request that arrives at `now` (real time) against the quotas of the app, its tenant, and the app over
    /// all tenants.
    pub(super) fn admit(&self, now: Duration, clock: &Clock, enabled: bool, grace: Duration) -> Admission {
        let mut state = lock(&self.state);
        let patience = patience(state.told, now, grace);
        let asked = state.asked.count(now);
        if !enabled {
            let verdict = Verdict::Allowed { used: 0.0 };
            return Admission { patience, verdict, asked, accepted: state.accepted.count(now) };
        }
        // Always in this order, so that nobody waits for somebody who waits for them.
        let AppState { meter, eater, accepted, .. } = &mut *state;
        let mut meters = Meters {
            app: meter,
            tenant: &mut lock(&self.tenant.meter),
            everywhere: &mut lock(&self.everywhere),
        };
        let simulated = clock.simulated(now);
        if let Some(eater) = eater {
            let limit = meters.app.limit().clone();
            eater.eat(&limit, simulated, |at| meters.charge(at).wait());
        }
        let (verdict, accepted) = match meters.charge(simulated) {
            Verdict::Allowed { used } => {
                let accepted = accepted.count(now);
                (Verdict::Allowed { used: strained(used, asked, accepted) }, accepted)
            }
            throttled => (throttled, 0),
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

/// What is used of a limit, as Graph says it: above 1 by the share of requests that were throttled
/// (`x-ms-throttle-limit-percentage` is 1.2 where a fifth of them is).
fn strained(used: f64, asked: u64, accepted: u64) -> f64 {
    if used <= 0.8 || asked <= accepted {
        return used;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more")]
    let throttled = 1.0 - accepted as f64 / asked as f64;
    used.max(1.0 + throttled)
}

/// All the quotas that a write spends of.
struct Meters<'a> {
    app: &'a mut Meter,
    tenant: &'a mut Meter,
    everywhere: &'a mut Meter,
}

impl Meters<'_> {
    /// Counts a request against all of them; one that any refuses costs the others nothing.
    fn charge(&mut self, now: Duration) -> Verdict {
        let scopes = [Scope::App, Scope::Tenant, Scope::Everywhere];
        for (scope, meter) in scopes.into_iter().zip(self.all()) {
            if let Some(wait) = meter.wait(now) {
                return Verdict::Throttled { scope, wait: meter.refuse(now, wait) };
            }
        }
        let used = self.all().map(Meter::charge);
        Verdict::Allowed { used: used.into_iter().fold(0.0, f64::max) }
    }

    fn all(&mut self) -> [&mut Meter; 3] {
        [&mut *self.app, &mut *self.tenant, &mut *self.everywhere]
    }
}

impl Verdict {
    /// How long to wait, in simulated time, if it must.
    fn wait(self) -> Option<Duration> {
        match self {
            Verdict::Allowed { .. } => None,
            Verdict::Throttled { wait, .. } => Some(wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::callers::Callers;
    use super::super::config::Config;
    use super::super::live::Live;
    use super::super::quota::Limit;
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn live(app: u32, tenant: u32, everywhere: u32) -> Live {
        let limit = |limit| Limit::new(limit, Duration::from_secs(100));
        let quota = QuotaConfig {
            app: limit(app),
            tenant: limit(tenant),
            everywhere: limit(everywhere),
            ..QuotaConfig::default()
        };
        Live::new(Config { quota, ..Config::default() }, None).unwrap()
    }

    /// Which scope throttles a request that comes at the start.
    fn scope(callers: &Callers, live: &Live, tenant: &str, app: &str) -> Option<Scope> {
        let clock = Clock::start(1.0);
        match callers.app(tenant, app, live, &clock).admit(ms(0), &clock, true, ms(0)).verdict {
            Verdict::Allowed { .. } => None,
            Verdict::Throttled { scope, .. } => Some(scope),
        }
    }

    #[test]
    fn two_apps_share_their_tenants_quota() {
        let (live, callers) = (live(3, 4, 100), Callers::default());
        let scope = |app: &str| scope(&callers, &live, "t", app);
        assert_eq!([scope("a"), scope("a"), scope("a"), scope("a")], [None, None, None, Some(Scope::App)]);
        assert_eq!([scope("b"), scope("b")], [None, Some(Scope::Tenant)]);
    }

    #[test]
    fn an_app_has_one_quota_over_all_tenants() {
        let (live, callers) = (live(3, 100, 4), Callers::default());
        let scope = |tenant: &str, app: &str| scope(&callers, &live, tenant, app);
        assert_eq!([scope("t1", "a"), scope("t2", "a"), scope("t3", "A"), scope("t4", "a")], [None; 4]);
        assert_eq!(scope("t5", "a"), Some(Scope::Everywhere));
        assert_eq!(scope("t5", "b"), None);
    }

    #[test]
    fn throttled_requests_show_in_the_share_that_is_used() {
        let told = [strained(0.5, 10, 5), strained(1.0, 10, 10), strained(0.9, 10, 8), strained(1.0, 10, 1)];
        let expected = [0.5, 1.0, 1.2, 1.9];
        assert!(told.into_iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{told:?}");
    }

    #[test]
    fn another_program_takes_its_share_first() {
        let toml = "[quota]\neaten = 0.5\napp = { limit = 10, window = '100s', style = 'fixed-window' }";
        let live = Live::new(Config::from_toml_str(toml).unwrap(), None).unwrap();
        let (callers, clock) = (Callers::default(), Clock::start(1.0));
        let app = callers.app("t", "a", &live, &clock);
        let burst = |at| {
            let admit = || app.admit(Duration::from_secs(at), &clock, true, ms(0)).verdict;
            (0..20).filter(|_| matches!(admit(), Verdict::Allowed { .. })).count()
        };
        assert_eq!(burst(50), 7, "it came at 0, 20 and 40");
        assert_eq!(burst(100), 9, "and was throttled at 60 until the window ended");
    }

    #[test]
    fn impatience_is_told_from_what_was_on_its_way() {
        let (live, callers, clock) = (live(100, 100, 100), Callers::default(), Clock::start(1.0));
        let app = callers.app("t", "a", &live, &clock);
        let patience = |now| app.admit(now, &clock, true, ms(50)).patience;
        app.tell(ms(100), ms(1000));
        assert_eq!(patience(ms(120)), Patience::Crossing);
        assert_eq!(patience(ms(151)), Patience::Early);
        app.tell(ms(200), ms(2000));
        assert_eq!(patience(ms(1500)), Patience::Early, "the later end counts");
        assert_eq!(patience(ms(2000)), Patience::InTime);
    }
}
