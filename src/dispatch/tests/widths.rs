//! Slots: as many as the latency requires, fewer in trouble.

use super::*;
use crate::graph::LossKind;

#[tokio::test(start_paused = true)]
async fn slow_answers_open_places_up_to_a_bound() {
    // A hundred requests per second that take 0.4 s each need forty slots.
    let run = DispatchFixture::with_users(3_000).auto_jobs().pace(100.0, 1).latency(0.4).play().await;
    assert!((40..46).contains(&run.fake.state().most_in_flight), "{}", run.fake.state().most_in_flight);
    assert!(run.took < seconds(34.0), "{:?}", run.took);
    let run = DispatchFixture::with_users(3_000).auto_jobs().pace(1_000.0, 100).latency(1.0).play().await;
    assert_eq!(run.fake.state().most_in_flight, 64);
    // With fast answers, slots stay free.
    let run = DispatchFixture::with_users(3_000).auto_jobs().pace(100.0, 1).latency(0.05).play().await;
    assert!(run.fake.state().most_in_flight <= 16);
}

#[tokio::test(start_paused = true)]
async fn a_number_of_jobs_is_kept() {
    for jobs in [1, 3, 100] {
        let script = |seen: SeenRequest| {
            if seen.nth % 40 == 9 { FakeReaction::lost(LossKind::TimedOut) } else { FakeReaction::done() }
        };
        let run =
            DispatchFixture::with_users(1_000).jobs(jobs).pace(10_000.0, 1_000).script(script).play().await;
        assert!(run.all_revoked());
        assert_eq!(run.fake.state().most_in_flight, jobs);
    }
}

/// The number of requests in flight at an instant.
fn under_way(run: &FixtureRun, at: f64) -> usize {
    let at = seconds(at);
    let is = |arrival: &&super::fake::FakeArrival| {
        arrival.at() <= at && arrival.answered.is_some_and(|then| then > at)
    };
    run.arrivals.iter().filter(is).count()
}

#[tokio::test(start_paused = true)]
async fn trouble_halves_the_places_once_and_they_come_back() {
    for trouble in [
        FakeReaction::status(503),
        FakeReaction::lost(LossKind::Broken),
        FakeReaction::lost(LossKind::NotSent),
    ] {
        let script = move |seen: SeenRequest| match seen.at.as_secs_f64() {
            10.0..10.5 => trouble.clone().after(seconds(0.5)),
            _ => FakeReaction::done(),
        };
        let stage = DispatchFixture::with_users(5_000)
            .auto_jobs()
            .pace(1_000.0, 100)
            .latency(0.5)
            .retries(9)
            .script(script);
        let run = stage.play().await;
        assert!(run.all_revoked());
        assert_eq!(under_way(&run, 9.9), 64);
        assert!((30..=34).contains(&under_way(&run, 10.9)), "{}", under_way(&run, 10.9));
        assert_eq!(under_way(&run, 14.0), 64);
    }
}
