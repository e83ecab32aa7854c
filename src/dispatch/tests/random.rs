//! Random scenarios: whatever Graph answers, and whenever the run is stopped, the run ends, and
//! [`FixtureRun::check`] holds.

use proptest::prelude::*;

use super::fake::FakeReaction;
use super::{DispatchFixture, FixtureRun, SeenRequest, seconds};
use crate::event::StopReason;
use crate::graph::LossKind;

#[derive(Clone, Copy, Debug)]
enum RandomAnswer {
    Done,
    Gone,
    Forbidden,
    Fails,
    Busy(u8),
    TimesOut,
    Breaks,
    Throttled(Option<u8>),
    Panics,
}

impl RandomAnswer {
    fn react(self) -> FakeReaction {
        match self {
            RandomAnswer::Done => FakeReaction::done(),
            RandomAnswer::Gone => FakeReaction::gone(),
            RandomAnswer::Forbidden => FakeReaction::status(403),
            RandomAnswer::Fails => FakeReaction::status(500),
            RandomAnswer::Busy(wait) => FakeReaction::status(503)
                .with(|response| response.retry_after = Some(seconds(f64::from(wait)))),
            RandomAnswer::TimesOut => FakeReaction::lost(LossKind::TimedOut),
            RandomAnswer::Breaks => FakeReaction::lost(LossKind::Broken),
            RandomAnswer::Throttled(wait) => FakeReaction::throttled(wait.map(u64::from)),
            RandomAnswer::Panics => FakeReaction::panic(),
        }
    }
}

fn act() -> impl Strategy<Value = RandomAnswer> {
    prop_oneof![
        8 => Just(RandomAnswer::Done),
        1 => Just(RandomAnswer::Gone),
        1 => Just(RandomAnswer::Forbidden),
        2 => Just(RandomAnswer::Fails),
        1 => (0..200_u8).prop_map(RandomAnswer::Busy),
        1 => Just(RandomAnswer::TimesOut),
        1 => Just(RandomAnswer::Breaks),
        3 => prop::option::of(0..90_u8).prop_map(RandomAnswer::Throttled),
        1 => Just(RandomAnswer::Panics),
    ]
}

/// A random run. Answers are chosen by the request's number, each with a latency in milliseconds.
#[derive(Clone, Debug)]
struct RandomScenario {
    users: u32,
    jobs: usize,
    pace: (f64, u32),
    retries: u32,
    answers: Vec<(RandomAnswer, u64)>,
    refused_tokens: u64,
    deadline: Option<u64>,
    interrupt: Option<u64>,
    halt: Option<u32>,
}

fn scenario() -> impl Strategy<Value = RandomScenario> {
    let size = (0..60_u32, 1..20_usize, (0.5..500.0_f64, 1..100_u32), 0..5_u32);
    let answers = prop::collection::vec((act(), 0..4_000_u64), 1..80);
    let stops =
        (prop::option::of(0..200_000_u64), prop::option::of(0..60_000_u64), prop::option::of(1..10_u32));
    (size, answers, 0..3_u64, stops).prop_map(|(size, answers, refused_tokens, stops)| {
        let (users, jobs, pace, retries) = size;
        let (deadline, interrupt, halt) = stops;
        RandomScenario { users, jobs, pace, retries, answers, refused_tokens, deadline, interrupt, halt }
    })
}

async fn play(scenario: RandomScenario) -> FixtureRun {
    let RandomScenario { answers, refused_tokens, .. } = scenario;
    let script = move |seen: SeenRequest| {
        let (act, latency) = answers[seen.nth % answers.len()];
        // Now and then a token is refused. By then, the next renewal is due.
        let refused = seen.token <= refused_tokens && seen.nth > 7 * seen.token as usize;
        // No user is throttled for ever, because such a run would rightly never end.
        let act = if matches!(act, RandomAnswer::Throttled(_)) && seen.attempt > 12 {
            RandomAnswer::Done
        } else {
            act
        };
        let react = if refused { FakeReaction::status(401) } else { act.react() };
        react.after(seconds(latency as f64 / 1e3))
    };
    let (per_second, burst) = scenario.pace;
    let mut stage = DispatchFixture::with_users(scenario.users).jobs(scenario.jobs).pace(per_second, burst);
    stage = stage.retries(scenario.retries).script(script).tokens(40.0, 50.0);
    if let Some(deadline) = scenario.deadline {
        stage = stage.deadline(seconds(deadline as f64 / 1e3));
    }
    if let Some(interrupt) = scenario.interrupt {
        stage = stage.interrupt(seconds(interrupt as f64 / 1e3), StopReason::Interrupted);
    }
    if let Some(halt) = scenario.halt {
        stage = stage.halt(&format!("fail={halt}"));
    }
    stage.play().await
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_target_ends_in_one_word(scenario in scenario()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        // Every run is checked when it ends.
        runtime.unwrap().block_on(play(scenario));
    }
}
