//! Several users in one request: which users share one, and that each part is then handled separately.

use std::collections::BTreeMap;

use super::fake::{FakeArrival, FakeBatchUser};
use super::quota::TestQuota;
use super::*;
use crate::dispatch::BatchSize;
use crate::outcome::Outcome;

/// The number of users in each request, in order.
fn sizes(run: &FixtureRun) -> Vec<usize> {
    let posts: BTreeMap<usize, usize> =
        run.arrivals.iter().map(|at: &FakeArrival| (at.post, at.users)).collect();
    posts.into_values().collect()
}

fn by(size: u8) -> DispatchFixture {
    DispatchFixture::with_users(200).pace(1_000.0, 200).batch_size(BatchSize::Fixed(size))
}

#[tokio::test(start_paused = true)]
async fn a_given_size_fills_requests() {
    for (size, posts) in [(1, 200), (7, 29), (20, 10)] {
        let run = by(size).play().await;
        assert!(run.all_revoked());
        assert_eq!(sizes(&run).len(), posts, "{size}");
        assert!(run.took < seconds(0.5), "{:?}", run.took);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_a_second_for_more_users_and_not_longer() {
    // Five per second: a request with five users each second.
    let run = DispatchFixture::with_users(50).pace(5.0, 20).batch_size(BatchSize::Fixed(20)).play().await;
    let sizes = sizes(&run);
    assert_eq!(sizes[0], 20);
    assert!(sizes[1..].iter().all(|size| (5..=6).contains(size)), "{sizes:?}");
    assert!(run.took < seconds(7.3), "{:?}", run.took);
}

/// A full request leaves at once, so the rate is kept, however small the burst.
#[tokio::test(start_paused = true)]
async fn gathering_costs_no_pace() {
    let run =
        DispatchFixture::with_users(2_000).pace(100.0, 20).batch_size(BatchSize::Fixed(20)).play().await;
    assert!(run.took < seconds(21.0), "{:?}", run.took);
    assert_eq!(sizes(&run), [20; 100]);
    // If no more users can ever leave at once, a request does not wait for more.
    let run = DispatchFixture::with_users(200).pace(20.0, 1).batch_size(BatchSize::Fixed(20)).play().await;
    assert!(run.took < seconds(11.0), "{:?}", run.took);
}

#[tokio::test(start_paused = true)]
async fn auto_sends_one_by_one_as_long_as_places_suffice() {
    let run = DispatchFixture::with_users(500).pace(50.0, 1).batch_size(BatchSize::Auto).play().await;
    assert!(run.all_revoked() && sizes(&run).iter().all(|size| *size == 1));
    // Six slots carry six users per second one by one; the burst allows ten in each request.
    let stage =
        DispatchFixture::with_users(2_000).pace(100.0, 10).jobs(6).latency(1.0).batch_size(BatchSize::Auto);
    let run = stage.play().await;
    assert!(run.all_revoked() && run.took < seconds(45.0), "{:?}", run.took);
    assert!(sizes(&run).len() < 400);
}

#[tokio::test(start_paused = true)]
async fn each_part_goes_its_own_way() {
    let script = |seen: SeenRequest| match (seen.user % 10, seen.attempt) {
        (1, _) => FakeReaction::gone(),
        (2, 1) => FakeReaction::status(503),
        (3, 1) => FakeReaction::throttled(3),
        (4, _) => FakeReaction::status(400),
        (5, 1) => FakeReaction::status(401),
        _ => FakeReaction::done(),
    };
    let run = by(20).script(script).play().await;
    let expected = [(Outcome::Revoked, 160), (Outcome::NotFound, 20), (Outcome::Rejected, 20)];
    assert_eq!(run.outcomes(), expected.into());
    assert!((run.fake.state().renewals.len()) == 1);
}

#[tokio::test(start_paused = true)]
async fn users_of_a_refused_batch_are_sent_alone() {
    let run = by(20)
        .jobs(1)
        .batches(|batch| if batch.nth == 2 { FakeBatchUser::Refused(400) } else { FakeBatchUser::Parts });
    let run = run.retries(0).play().await;
    assert!(run.all_revoked());
    let sizes = sizes(&run);
    assert_eq!(sizes.iter().filter(|size| **size == 1).count(), 20, "{sizes:?}");
    assert_eq!(sizes.iter().filter(|size| **size == 20).count(), 10, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn three_refusals_in_a_row_end_batches() {
    let run = by(20).jobs(1).batches(|_| FakeBatchUser::Refused(405)).retries(0).play().await;
    assert!(run.all_revoked());
    assert_eq!(sizes(&run).iter().filter(|size| **size > 1).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_too_large_is_halved() {
    let script = |batch: super::fake::FakeBatch| {
        if batch.users > 6 { FakeBatchUser::Refused(413) } else { FakeBatchUser::Parts }
    };
    let run = by(20).jobs(1).batches(script).play().await;
    assert!(run.all_revoked());
    let sizes = sizes(&run);
    assert_eq!((sizes[0], sizes.iter().filter(|size| **size > 6).count()), (20, 2), "{sizes:?}");
    assert!(sizes.contains(&5), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn no_user_is_lost_if_an_answer_is_incomplete() {
    let run = by(20)
        .batches(|batch| if batch.nth <= 3 { FakeBatchUser::Few(13) } else { FakeBatchUser::Parts })
        .play()
        .await;
    assert!(run.all_revoked(), "{:?}", run.outcomes());
    assert_eq!(run.arrivals.len(), 200 + 3 * 7);
    let run = by(20).batches(|_| FakeBatchUser::Few(13)).retries(0).play().await;
    assert_eq!(run.outcomes()[&Outcome::Failed], 70);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_breaks_down_leaves_all_its_users_in_doubt() {
    let run = by(20)
        .batches(|batch| if batch.nth == 4 { FakeBatchUser::Panics } else { FakeBatchUser::Parts })
        .play()
        .await;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 180), (Outcome::InDoubt, 20)].into());
    assert_eq!(run.arrivals.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_probe_is_one_user_and_waits_for_none() {
    let script =
        |seen: SeenRequest| if seen.nth == 30 { FakeReaction::throttled(20) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(400)
        .pace(100.0, 100)
        .batch_size(BatchSize::Fixed(20))
        .script(script)
        .play()
        .await;
    assert!(run.all_revoked());
    let probe = run.arrivals.iter().find(|arrival| arrival.at() > seconds(15.0)).unwrap();
    assert_eq!((probe.users, probe.at()), (1, run.arrivals[29].answered.unwrap() + seconds(20.0)));
}

#[tokio::test(start_paused = true)]
async fn batches_keep_a_quota() {
    for (size, latency) in [(20, 0.05), (20, 0.08), (20, 0.25), (5, 0.08), (5, 0.6)] {
        let stage =
            DispatchFixture::with_users(6_000).auto().auto_jobs().quota(TestQuota::bucket(3_000.0, 150.0));
        let run = stage.batch_size(BatchSize::Fixed(size)).latency(latency).play().await;
        assert!(run.all_revoked());
        // Half a percent.
        assert!(run.throttles() <= 30, "{size} at {latency} s: {}", run.throttles());
        assert!(run.took < seconds(153.0), "{size} at {latency} s: {:?}", run.took);
    }
}

/// There is one 429, and from then on everything passes. No user may wait for a full batch that never comes
/// about.
#[tokio::test(start_paused = true)]
async fn an_early_429_does_not_bring_batches_down_to_one_user_a_second() {
    for size in [2, 5, 20] {
        let script =
            |seen: SeenRequest| if seen.nth == 1 { FakeReaction::throttled(1) } else { FakeReaction::done() };
        let run = DispatchFixture::with_users(400)
            .auto()
            .batch_size(BatchSize::Fixed(size))
            .script(script)
            .play()
            .await;
        assert!(run.all_revoked());
        assert!(run.took < seconds(40.0), "{size}: {:?}", run.took);
    }
}
