//! Random events in apps and tenants: gates that close in any scope, apps that lose permission or token,
//! batches that are refused, cut short or lost in a panic. Every run ends, and [`FixtureRun::check`] holds.

use proptest::prelude::*;

use super::fake::{FakeBatchUser, FakePlace, FakeReaction};
use super::{DispatchFixture, SeenRequest, seconds};
use crate::dispatch::BatchSize;
use crate::graph::LossKind;
use crate::identity::SignInError;

#[derive(Clone, Copy, Debug)]
enum ScriptedAnswer {
    Done,
    Gone,
    Forbidden,
    Unauthorized,
    Busy(u8),
    Lost(bool),
    Throttled(u8, u8),
    Panics,
}

impl ScriptedAnswer {
    fn react(self) -> FakeReaction {
        match self {
            ScriptedAnswer::Done => FakeReaction::done(),
            ScriptedAnswer::Gone => FakeReaction::gone(),
            ScriptedAnswer::Forbidden => FakeReaction::status(403),
            ScriptedAnswer::Unauthorized => FakeReaction::status(401),
            ScriptedAnswer::Busy(wait) => FakeReaction::status(503)
                .with(|response| response.retry_after = Some(seconds(f64::from(wait)))),
            ScriptedAnswer::Lost(true) => FakeReaction::lost(LossKind::TimedOut),
            ScriptedAnswer::Lost(false) => FakeReaction::lost(LossKind::NotSent),
            ScriptedAnswer::Throttled(scope, wait) => {
                let scopes = ["Tenant_Application", "Tenant", "Application"];
                FakeReaction::throttled_by(scopes[usize::from(scope) % 3], u64::from(wait))
            }
            ScriptedAnswer::Panics => FakeReaction::panic(),
        }
    }
}

fn act() -> impl Strategy<Value = ScriptedAnswer> {
    prop_oneof![
        12 => Just(ScriptedAnswer::Done),
        1 => Just(ScriptedAnswer::Gone),
        3 => Just(ScriptedAnswer::Forbidden),
        1 => Just(ScriptedAnswer::Unauthorized),
        1 => (0..100_u8).prop_map(ScriptedAnswer::Busy),
        2 => any::<bool>().prop_map(ScriptedAnswer::Lost),
        2 => (any::<u8>(), 0..60_u8).prop_map(|(scope, wait)| ScriptedAnswer::Throttled(scope, wait)),
        1 => Just(ScriptedAnswer::Panics),
    ]
}

fn carried() -> impl Strategy<Value = FakeBatchUser> {
    prop_oneof![
        8 => Just(FakeBatchUser::Parts),
        1 => prop::sample::select(vec![400, 405, 413]).prop_map(FakeBatchUser::Refused),
        1 => (0..20_usize).prop_map(FakeBatchUser::Few),
        1 => Just(FakeBatchUser::Panics),
    ]
}

/// What happens to an app in a tenant, from a second on.
#[derive(Clone, Copy, Debug)]
enum ExpectedEnd {
    LosesPermission(usize, usize, u64),
    LosesToken(usize, usize, u64),
    SignInFails(usize, usize),
}

fn fate() -> impl Strategy<Value = ExpectedEnd> {
    let place = || (0..4_usize, 0..4_usize);
    prop_oneof![
        (place(), 0..30_u64).prop_map(|((tenant, app), at)| ExpectedEnd::LosesPermission(tenant, app, at)),
        (place(), 0..30_u64).prop_map(|((tenant, app), at)| ExpectedEnd::LosesToken(tenant, app, at)),
        place().prop_map(|(tenant, app)| ExpectedEnd::SignInFails(tenant, app)),
    ]
}

#[derive(Clone, Debug)]
struct EventScenario {
    users: u32,
    tenants: usize,
    apps: usize,
    jobs: Option<usize>,
    batch: Option<u8>,
    pace: (f64, u32),
    answers: Vec<(ScriptedAnswer, u64)>,
    batches: Vec<FakeBatchUser>,
    fates: Vec<ExpectedEnd>,
    deadline: Option<u64>,
}

fn scenario() -> impl Strategy<Value = EventScenario> {
    let size = (0..90_u32, 1..5_usize, 1..5_usize);
    let width = (prop::option::of(1..12_usize), prop::option::of(1..=20_u8), (0.5..300.0_f64, 1..60_u32));
    let answers = prop::collection::vec((act(), 0..4_000_u64), 1..80);
    let batches = prop::collection::vec(carried(), 1..20);
    let fates = prop::collection::vec(fate(), 0..6);
    let deadline = prop::option::of(0..200_000_u64);
    (size, width, answers, batches, fates, deadline).prop_map(
        |((users, tenants, apps), (jobs, batch, pace), answers, batches, fates, deadline)| EventScenario {
            users,
            tenants,
            apps,
            jobs,
            batch,
            pace,
            answers,
            batches,
            fates,
            deadline,
        },
    )
}

async fn play(scenario: EventScenario) {
    let EventScenario { answers, batches, fates, .. } = scenario;
    let renewed = fates.clone();
    let script = move |seen: SeenRequest| {
        let place = (seen.place.tenant, seen.place.app);
        let due = |at: u64| seen.at.as_secs() >= at;
        let (act, latency) = answers[seen.nth % answers.len()];
        // No user is throttled for ever, because such a run would rightly never end.
        let act = if matches!(act, ScriptedAnswer::Throttled(..)) && seen.attempt > 12 {
            ScriptedAnswer::Done
        } else {
            act
        };
        let act = fates.iter().fold(act, |act, fate| match *fate {
            ExpectedEnd::LosesPermission(tenant, app, at) if (tenant, app) == place && due(at) => {
                ScriptedAnswer::Forbidden
            }
            ExpectedEnd::LosesToken(tenant, app, at) if (tenant, app) == place && due(at) => {
                ScriptedAnswer::Unauthorized
            }
            _ => act,
        });
        act.react().after(seconds(latency as f64 / 1e3))
    };
    let renew = move |FakePlace { tenant, app }: FakePlace| {
        let fails =
            |fate: &ExpectedEnd| matches!(fate, ExpectedEnd::SignInFails(t, a) if (*t, *a) == (tenant, app));
        if renewed.iter().any(fails) { Err(SignInError::CodeDeclined) } else { Ok(()) }
    };
    let (per_second, burst) = scenario.pace;
    let mut stage = DispatchFixture::with_users(scenario.users).tenants(scenario.tenants).apps(scenario.apps);
    stage = stage.pace(per_second, burst).script(script).renew_at(renew).tokens(40.0, 50.0);
    stage = stage.batches(move |batch| batches[batch.nth % batches.len()]);
    stage = match scenario.jobs {
        Some(jobs) => stage.jobs(jobs),
        None => stage.auto_jobs(),
    };
    stage = stage.batch_size(scenario.batch.map_or(BatchSize::Auto, BatchSize::Fixed));
    if let Some(deadline) = scenario.deadline {
        stage = stage.deadline(seconds(deadline as f64 / 1e3));
    }
    stage.play().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_befalls_apps_and_tenants_every_run_ends(scenario in scenario()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        // Every run is checked when it ends.
        runtime.unwrap().block_on(play(scenario));
    }
}
