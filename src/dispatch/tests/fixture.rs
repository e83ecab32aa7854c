//! Sets up a run, plays it, and asserts what must be true of every run.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::fake::{
    FakeArrival, FakeBatch, FakeBatchUser, FakeGraph, FakeLimit, FakePlace, FakePlan, FakeReaction, FakeTail,
    SeenRequest,
};
use super::quota::TestQuota;
use crate::dispatch::{
    AppLimitId, BatchSize, DispatchOutcome, DispatchSettings, Dispatcher, HaltRule, Jobs, LaneTenant,
    PacingSettings, PendingTargets, Rate, RatePolicy, SendingApp, TargetProgress,
};
use crate::event::{Event, SettledEvent, StopReason, TargetNo};
use crate::identity::{SignInError, TokenAge};
use crate::journal::Journal;
use crate::outcome::{AcceptedOutcomes, Outcome};
use crate::plan::Target;

/// No run of these tests takes this long, in virtual time.
pub(super) const NEVER: Duration = Duration::from_secs(2 * 86_400);

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A run to play.
pub(super) struct DispatchFixture {
    users: u32,
    tenants: usize,
    apps: usize,
    refused: Vec<(usize, StopReason)>,
    held: Vec<(u32, Duration)>,
    settings: DispatchSettings,
    plot: FakePlan,
    interrupts: Vec<(Duration, StopReason)>,
    external: Vec<TargetNo>,
    administrators: RangeInclusive<TargetNo>,
    permitted: Vec<u32>,
    work: Option<Vec<TargetProgress>>,
    journal: Option<File>,
}

impl DispatchFixture {
    /// This many users, a slow rate, and a Graph that revokes each of them within 0.1 s.
    pub(super) fn with_users(users: u32) -> DispatchFixture {
        DispatchFixture {
            users,
            tenants: 1,
            apps: 1,
            refused: Vec::new(),
            held: Vec::new(),
            settings: DispatchSettings {
                jobs: Jobs::Fixed(64),
                batch: BatchSize::Fixed(1),
                max_in_flight: usize::MAX,
                pacing: PacingSettings::for_app(RatePolicy::fixed(100.0, 10)),
                retries: 4,
                max_wait: seconds(3_600.0),
                deadline: None,
                halt: None,
                accepted: AcceptedOutcomes::default(),
            },
            plot: FakePlan {
                script: Box::new(|_| FakeReaction::done()),
                batch: Box::new(|_| FakeBatchUser::Parts),
                quotas: [None; 3],
                latency: seconds(0.1),
                ages: None,
                renew: Box::new(|_, _| Ok(())),
                renew_takes: seconds(1.0),
            },
            interrupts: Vec::new(),
            external: Vec::new(),
            administrators: RangeInclusive::new(1, 0),
            permitted: Vec::new(),
            work: None,
            journal: None,
        }
    }

    pub(super) fn script(
        mut self,
        script: impl Fn(SeenRequest) -> FakeReaction + Send + Sync + 'static,
    ) -> DispatchFixture {
        self.plot.script = Box::new(script);
        self
    }

    /// Distributes the users over this many tenants, in turn.
    pub(super) fn tenants(mut self, tenants: usize) -> DispatchFixture {
        self.tenants = tenants;
        self
    }

    /// This many apps, each of them in each tenant.
    pub(super) fn apps(mut self, apps: usize) -> DispatchFixture {
        self.apps = apps;
        self
    }

    /// Nothing may be sent in this tenant.
    pub(super) fn refused(mut self, tenant: usize, why: StopReason) -> DispatchFixture {
        self.refused.push((tenant, why));
        self
    }

    /// Graph asked an earlier process to wait this long in this tenant.
    pub(super) fn held(mut self, tenant: u32, wait: Duration) -> DispatchFixture {
        self.held.push((tenant, wait));
        self
    }

    /// Sets the rate of each app over all its tenants.
    pub(super) fn everywhere(mut self, per_second: f64) -> DispatchFixture {
        self.settings.pacing.everywhere = RatePolicy::fixed(per_second, 10);
        self
    }

    /// Sets what happens to batches.
    pub(super) fn batches(
        mut self,
        script: impl Fn(FakeBatch) -> FakeBatchUser + Send + Sync + 'static,
    ) -> DispatchFixture {
        self.plot.batch = Box::new(script);
        self
    }

    pub(super) fn batch_size(mut self, size: BatchSize) -> DispatchFixture {
        self.settings.batch = size;
        self
    }

    pub(super) fn latency(mut self, latency: f64) -> DispatchFixture {
        self.plot.latency = seconds(latency);
        self
    }

    /// Gives each app in each tenant this quota.
    pub(super) fn quota(mut self, quota: TestQuota) -> DispatchFixture {
        self.plot.quotas[0] = Some(quota);
        self
    }

    /// Gives each tenant this quota.
    pub(super) fn tenant_quota(mut self, quota: TestQuota) -> DispatchFixture {
        self.plot.quotas[1] = Some(quota);
        self
    }

    /// Gives each app this quota, over all its tenants.
    pub(super) fn app_quota(mut self, quota: TestQuota) -> DispatchFixture {
        self.plot.quotas[2] = Some(quota);
        self
    }

    pub(super) fn auto(mut self) -> DispatchFixture {
        self.settings.pacing = Rate::Auto.pacing(None, 1.0);
        self
    }

    pub(super) fn pace(mut self, per_second: f64, burst: u32) -> DispatchFixture {
        self.settings.pacing = PacingSettings::for_app(RatePolicy::fixed(per_second, burst));
        self
    }

    pub(super) fn jobs(mut self, jobs: usize) -> DispatchFixture {
        self.settings.jobs = Jobs::Fixed(jobs);
        self
    }

    pub(super) fn auto_jobs(mut self) -> DispatchFixture {
        self.settings.jobs = Jobs::Auto;
        self
    }

    pub(super) fn retries(mut self, retries: u32) -> DispatchFixture {
        self.settings.retries = retries;
        self
    }

    pub(super) fn max_wait(mut self, max_wait: Duration) -> DispatchFixture {
        self.settings.max_wait = max_wait;
        self
    }

    pub(super) fn deadline(mut self, deadline: Duration) -> DispatchFixture {
        self.settings.deadline = Some(deadline);
        self
    }

    pub(super) fn halt(mut self, rule: &str) -> DispatchFixture {
        self.settings.halt = Some(rule.parse::<HaltRule>().unwrap());
        self
    }

    pub(super) fn accept(mut self, outcome: Outcome) -> DispatchFixture {
        self.settings.accepted = [outcome].into_iter().collect();
        self
    }

    pub(super) fn interrupt(mut self, at: Duration, why: StopReason) -> DispatchFixture {
        self.interrupts.push((at, why));
        self
    }

    pub(super) fn external(mut self, users: &[TargetNo]) -> DispatchFixture {
        self.external = users.to_vec();
        self
    }

    /// These users are known to hold roles.
    pub(super) fn administrators(mut self, users: RangeInclusive<TargetNo>) -> DispatchFixture {
        self.administrators = users;
        self
    }

    /// An earlier process revoked users of this tenant.
    pub(super) fn permitted(mut self, tenant: u32) -> DispatchFixture {
        self.permitted.push(tenant);
        self
    }

    pub(super) fn work(mut self, work: Vec<TargetProgress>) -> DispatchFixture {
        self.work = Some(work);
        self
    }

    /// Tokens age after `ages` and expire after `ends`.
    pub(super) fn tokens(mut self, ages: f64, ends: f64) -> DispatchFixture {
        self.plot.ages = Some((seconds(ages), seconds(ends)));
        self
    }

    /// Tokens with this lifetime, which age as real ones do.
    pub(super) fn tokens_of(self, life: u64) -> DispatchFixture {
        let life = Duration::from_secs(life);
        let stands = |age: TokenAge| {
            (0..).map(Duration::from_secs).find(|at| TokenAge::from_elapsed(*at, life) == age)
        };
        let (ages, ends) = (stands(TokenAge::Aging).unwrap(), stands(TokenAge::Expired).unwrap());
        self.tokens(ages.as_secs_f64(), ends.as_secs_f64())
    }

    /// Sets the result of the n-th renewal, from 1.
    pub(super) fn renew(
        mut self,
        renew: impl Fn(usize) -> Result<(), SignInError> + Send + Sync + 'static,
    ) -> DispatchFixture {
        self.plot.renew = Box::new(move |_, nth| renew(nth));
        self
    }

    /// Sets the result of a renewal of the app in this place.
    pub(super) fn renew_at(
        mut self,
        renew: impl Fn(FakePlace) -> Result<(), SignInError> + Send + Sync + 'static,
    ) -> DispatchFixture {
        self.plot.renew = Box::new(move |place, _| renew(place));
        self
    }

    pub(super) fn renew_takes(mut self, time: Duration) -> DispatchFixture {
        self.plot.renew_takes = time;
        self
    }

    /// Writes the journal to this file, whose content can't be followed.
    pub(super) fn journal(mut self, file: File) -> DispatchFixture {
        self.journal = Some(file);
        self
    }

    /// Plays the run to its end, checks it, and returns what was observed.
    pub(super) async fn play(self) -> FixtureRun {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let own = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let followed = self.journal.is_none();
        let tail = followed.then(|| File::open(&path).unwrap());
        let tail = Arc::new(Mutex::new(FakeTail::new(tail)));
        let journal = Journal::new(self.journal.unwrap_or(own), 0).unwrap();
        let synced = journal.synced();
        let fake = Arc::new(FakeGraph::new(self.plot, Arc::clone(&tail)));

        let target = |order: TargetNo| Target {
            user: format!("u{order}@contoso.com").parse().unwrap(),
            external: Some(self.external.contains(&order)),
            tenant: (order as usize - 1).rem_euclid(self.tenants) as u32,
            administrator: self.administrators.contains(&order),
        };
        let targets: Arc<[Target]> = (1..=self.users).map(target).collect();
        let all = || {
            (1..=self.users)
                .map(|order| TargetProgress { order, ..TargetProgress::default() })
                .collect::<Vec<_>>()
        };
        let work = self.work.unwrap_or_else(all);
        let jobs = self.settings.jobs.max();

        let (interrupt, interrupts) = mpsc::channel(4);
        let stops = self.interrupts;
        let interrupting = tokio::spawn(async move {
            let began = Instant::now();
            for (at, why) in stops {
                sleep(at.saturating_sub(began.elapsed())).await;
                let _ = interrupt.send(why).await;
            }
            std::future::pending::<()>().await;
        });

        let began = Instant::now();
        let told = Arc::new(Mutex::new(Vec::new()));
        let listen = {
            let (told, tail) = (Arc::clone(&told), Arc::clone(&tail));
            move |event: &Event| {
                if let Event::Settled(settled) = event {
                    let upto = synced.borrow().clone().unwrap();
                    let known = tail.lock().unwrap().has_settled(settled.target, upto);
                    assert!(known, "told before it was synced");
                }
                told.lock().unwrap().push((began.elapsed(), event.clone()));
            }
        };
        let asked: Vec<TargetNo> = work.iter().map(|work| work.order).collect();
        let (tenants, apps) = (self.tenants, self.apps);
        let app = |place: FakePlace| SendingApp {
            graph: Arc::new(FakeLimit { fake: Arc::clone(&fake), place }),
            id: (tenants * apps > 1).then(|| format!("app-{}", place.app).into()),
            everywhere: (tenants > 1).then_some(AppLimitId(place.app)),
        };
        let tenant = |tenant: usize| {
            let of = |work: &&TargetProgress| targets[work.order as usize - 1].tenant as usize == tenant;
            let own: Vec<TargetProgress> = work.iter().filter(of).cloned().collect();
            LaneTenant {
                apps: (0..apps).map(|at| app(FakePlace { tenant, app: at })).collect(),
                work: PendingTargets::Work(own),
                refused: self.refused.iter().find(|(at, _)| *at == tenant).map(|(_, why)| why.clone()),
            }
        };
        let all = (0..tenants).map(tenant).collect();
        let mut run = Dispatcher::new(all, targets, self.settings, journal, listen);
        self.held.iter().for_each(|(tenant, wait)| run.hold(*tenant, *wait));
        self.permitted.iter().for_each(|tenant| run.mark_permitted(*tenant));
        let forecast = run.forecast();
        let forecasts = Arc::new(Mutex::new(Vec::new()));
        let watching = {
            let forecasts = Arc::clone(&forecasts);
            tokio::spawn(async move {
                loop {
                    sleep(seconds(1.0)).await;
                    let left = forecast.remaining().unwrap();
                    forecasts.lock().unwrap().push((began.elapsed(), left));
                }
            })
        };
        let finished = timeout(NEVER, run.run(interrupts)).await.expect("the run ends");
        watching.abort();
        let took = began.elapsed();
        interrupting.abort();

        tail.lock().unwrap().read();
        let journal = std::mem::take(&mut tail.lock().unwrap().events);
        let told = std::mem::take(&mut *told.lock().unwrap());
        let arrivals = fake.state().arrivals.clone();
        let forecasts = std::mem::take(&mut *forecasts.lock().unwrap());
        let played = FixtureRun {
            finished,
            took,
            arrivals,
            journal,
            told,
            fake,
            forecasts,
            asked,
            jobs,
            tenants,
            apps,
        };
        if followed {
            played.check();
        }
        played
    }
}

/// What was observed of a run.
pub(super) struct FixtureRun {
    pub(super) finished: DispatchOutcome,
    /// The duration, in virtual time.
    pub(super) took: Duration,
    pub(super) arrivals: Vec<FakeArrival>,
    pub(super) journal: Vec<Event>,
    pub(super) told: Vec<(Duration, Event)>,
    pub(super) fake: Arc<FakeGraph>,
    /// The forecast of each second.
    forecasts: Vec<(Duration, Duration)>,
    pub(super) asked: Vec<TargetNo>,
    pub(super) jobs: usize,
    pub(super) tenants: usize,
    pub(super) apps: usize,
}

impl FixtureRun {
    pub(super) fn stop(&self) -> Option<&StopReason> {
        self.finished.stop.as_ref()
    }

    pub(super) fn settled(&self) -> impl Iterator<Item = &SettledEvent> {
        self.journal.iter().filter_map(|event| match event {
            Event::Settled(settled) => Some(&**settled),
            _ => None,
        })
    }

    pub(super) fn outcome(&self, user: TargetNo) -> Option<Outcome> {
        self.settled().find(|settled| settled.target == user).map(|settled| settled.outcome)
    }

    /// The number of targets for each outcome. Targets that were never sent are not counted.
    pub(super) fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        let mut outcomes = BTreeMap::new();
        self.settled().for_each(|settled| *outcomes.entry(settled.outcome).or_default() += 1);
        outcomes
    }

    /// Whether all users were revoked and nothing stopped the run.
    pub(super) fn all_revoked(&self) -> bool {
        self.stop().is_none() && self.outcomes() == [(Outcome::Revoked, self.asked.len())].into()
    }

    pub(super) fn throttles(&self) -> usize {
        self.arrivals.iter().filter(|arrival| arrival.is_throttled()).count()
    }

    /// When the requests for a user arrived.
    pub(super) fn arrived(&self, user: TargetNo) -> Vec<Duration> {
        self.arrivals.iter().filter(|arrival| arrival.seen.user == user).map(FakeArrival::at).collect()
    }

    /// The longest time without any arrival, from the first to the last.
    pub(super) fn longest_pause(&self) -> Duration {
        self.arrivals.windows(2).map(|pair| pair[1].at() - pair[0].at()).max().unwrap_or_default()
    }

    /// When `event` was reported for the first time.
    pub(super) fn when(&self, event: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.told.iter().find(|(_, told)| event(told)).map(|(at, _)| *at)
    }

    /// The tenant of a user.
    pub(super) fn tenant_of(&self, user: TargetNo) -> usize {
        (user as usize - 1) % self.tenants
    }

    /// The number of a tenant's users for each outcome.
    pub(super) fn outcomes_in(&self, tenant: usize) -> BTreeMap<Outcome, usize> {
        let mut outcomes = BTreeMap::new();
        let own = self.settled().filter(|settled| self.tenant_of(settled.target) == tenant);
        own.for_each(|settled| *outcomes.entry(settled.outcome).or_default() += 1);
        outcomes
    }

    /// When the last answer came in a tenant.
    pub(super) fn last_answer(&self, tenant: usize) -> Duration {
        let own = self.arrivals.iter().filter(|arrival| arrival.seen.place.tenant == tenant);
        own.filter_map(|arrival| arrival.answered).max().unwrap_or_default()
    }

    /// The forecast at this time.
    pub(super) fn forecast_at(&self, at: Duration) -> Duration {
        self.forecasts.iter().find(|(told, _)| *told >= at).unwrap().1
    }

    /// The maximum error of the forecast, as a share of the truth, from the first tenth of the run to its
    /// last.
    pub(super) fn worst_forecast(&self) -> f64 {
        self.worst_forecast_from(self.took.mul_f64(0.1))
    }

    /// The same, from an instant on.
    pub(super) fn worst_forecast_from(&self, from: Duration) -> f64 {
        let within = |at: &Duration| *at >= from && *at <= self.took.mul_f64(0.9);
        let told = self.forecasts.iter().filter(|(at, _)| within(at));
        let wrong = |(at, left): &(Duration, Duration)| {
            let truth = (self.took - *at).as_secs_f64();
            (left.as_secs_f64() - truth).abs() / truth
        };
        assert!(self.forecasts.len() > 8);
        told.map(wrong).fold(0.0, f64::max)
    }
}
