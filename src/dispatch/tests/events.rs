//! Random events over apps and tenants: gates that close in any scope, apps that lose permission or token, batches that
//! are refused, cut short or break down. Every run ends, and [`Played::check`] holds.

use proptest::prelude::*;

use super::fake::{Carried, Place, React};
use super::{Seen, Stage, seconds};
use crate::dispatch::BatchSize;
use crate::graph::Loss;
use crate::identity::SignInError;

#[derive(Clone, Copy, Debug)]
enum Act {
    Done,
    Gone,
    Forbidden,
    Unauthorized,
    Busy(u8),
    Lost(bool),
    Throttled(u8, u8),
    Panics,
}

impl Act {
    fn react(self) -> React {
        match self {
            Act::Done => React::done(),
            Act::Gone => React::gone(),
            Act::Forbidden => React::status(403),
            Act::Unauthorized => React::status(401),
            Act::Busy(wait) => {
                React::status(503).with(|response| response.retry_after = Some(seconds(f64::from(wait))))
            }
            Act::Lost(true) => React::lost(Loss::TimedOut),
            Act::Lost(false) => React::lost(Loss::NotSent),
            Act::Throttled(scope, wait) => {
                let scopes = ["Tenant_Application", "Tenant", "Application"];
                React::throttled_by(scopes[usize::from(scope) % 3], u64::from(wait))
            }
            Act::Panics => React::panic(),
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => Just(Act::Done),
        1 => Just(Act::Gone),
        3 => Just(Act::Forbidden),
        1 => Just(Act::Unauthorized),
        1 => (0..100_u8).prop_map(Act::Busy),
        2 => any::<bool>().prop_map(Act::Lost),
        2 => (any::<u8>(), 0..60_u8).prop_map(|(scope, wait)| Act::Throttled(scope, wait)),
        1 => Just(Act::Panics),
    ]
}

fn carried() -> impl Strategy<Value = Carried> {
    prop_oneof![
        8 => Just(Carried::Parts),
        1 => prop::sample::select(vec![400, 405, 413]).prop_map(Carried::Refused),
        1 => (0..20_usize).prop_map(Carried::Few),
        1 => Just(Carried::Panics),
    ]
}

/// What befalls an app in a tenant, from a second on.
#[derive(Clone, Copy, Debug)]
enum Fate {
    LosesPermission(usize, usize, u64),
    LosesToken(usize, usize, u64),
    SignInFails(usize, usize),
}

fn fate() -> impl Strategy<Value = Fate> {
    let place = || (0..4_usize, 0..4_usize);
    prop_oneof![
        (place(), 0..30_u64).prop_map(|((tenant, app), at)| Fate::LosesPermission(tenant, app, at)),
        (place(), 0..30_u64).prop_map(|((tenant, app), at)| Fate::LosesToken(tenant, app, at)),
        place().prop_map(|(tenant, app)| Fate::SignInFails(tenant, app)),
    ]
}

#[derive(Clone, Debug)]
struct Scenario {
    users: u32,
    tenants: usize,
    apps: usize,
    jobs: Option<usize>,
    batch: Option<u8>,
    pace: (f64, u32),
    answers: Vec<(Act, u64)>,
    batches: Vec<Carried>,
    fates: Vec<Fate>,
    deadline: Option<u64>,
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let size = (0..90_u32, 1..5_usize, 1..5_usize);
    let width = (prop::option::of(1..12_usize), prop::option::of(1..=20_u8), (0.5..300.0_f64, 1..60_u32));
    let answers = prop::collection::vec((act(), 0..4_000_u64), 1..80);
    let batches = prop::collection::vec(carried(), 1..20);
    let fates = prop::collection::vec(fate(), 0..6);
    let deadline = prop::option::of(0..200_000_u64);
    (size, width, answers, batches, fates, deadline).prop_map(
        |((users, tenants, apps), (jobs, batch, pace), answers, batches, fates, deadline)| Scenario {
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

async fn play(scenario: Scenario) {
    let Scenario { answers, batches, fates, .. } = scenario;
    let renewed = fates.clone();
    let script = move |seen: Seen| {
        let place = (seen.place.tenant, seen.place.app);
        let due = |at: u64| seen.at.as_secs() >= at;
        let (act, latency) = answers[seen.nth % answers.len()];
        // Nobody is throttled for ever: such a run would rightly have no end.
        let act = if matches!(act, Act::Throttled(..)) && seen.attempt > 12 { Act::Done } else { act };
        let act = fates.iter().fold(act, |act, fate| match *fate {
            Fate::LosesPermission(tenant, app, at) if (tenant, app) == place && due(at) => Act::Forbidden,
            Fate::LosesToken(tenant, app, at) if (tenant, app) == place && due(at) => Act::Unauthorized,
            _ => act,
        });
        act.react().after(seconds(latency as f64 / 1e3))
    };
    let renew = move |Place { tenant, app }: Place| {
        let fails = |fate: &Fate| matches!(fate, Fate::SignInFails(t, a) if (*t, *a) == (tenant, app));
        if renewed.iter().any(fails) { Err(SignInError::CodeDeclined) } else { Ok(()) }
    };
    let (per_second, burst) = scenario.pace;
    let mut stage = Stage::of(scenario.users).tenants(scenario.tenants).apps(scenario.apps);
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
        // Every play is checked as it ends.
        runtime.unwrap().block_on(play(scenario));
    }
}
