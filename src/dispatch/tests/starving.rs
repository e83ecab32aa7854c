//! Users who are throttled individually do not keep others waiting for long, but real limits are kept.

use super::quota::TestQuota;
use super::*;
use crate::dispatch::BatchSize;
use crate::event::{Event, StopReason, TargetNo};
use crate::outcome::Outcome;

const USERS: u32 = 302;

/// A run in which two users are always throttled. Returns when all others were revoked.
async fn with_two(
    two: [TargetNo; 2],
    retry_after: Option<u64>,
    stage: impl Fn(DispatchFixture) -> DispatchFixture,
) -> (FixtureRun, f64) {
    let script = move |seen: SeenRequest| {
        if two.contains(&seen.user) { FakeReaction::throttled(retry_after) } else { FakeReaction::done() }
    };
    let run = stage(DispatchFixture::with_users(USERS)).script(script).play().await;
    let name = format!("{two:?}, {retry_after:?}");
    assert_eq!(run.stop(), None, "{name}");
    let others = USERS as usize - 2;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, others), (Outcome::ThrottledOut, 2)].into(), "{name}");
    let done = run.arrivals.iter().filter(|arrival| arrival.is_done());
    let last = done.filter_map(|arrival| arrival.answered).max().unwrap().as_secs_f64();
    // The first two 429s are taken for the app's. Six more are the user's own, or as many as an hour has if
    // no other user is left who could pass.
    for user in two {
        let arrived = run.arrived(user).len();
        assert!(
            (8..=10).contains(&arrived) || arrived > 10 && run.took > seconds(3_600.0),
            "{name}: {arrived}"
        );
    }
    (run, last)
}

#[tokio::test(start_paused = true)]
async fn two_who_are_always_throttled_starve_nobody() {
    for two in [[1, 2], [1, 302], [80, 220], [301, 302]] {
        for retry_after in [None, Some(1), Some(30)] {
            if two != [1, 2] && retry_after == Some(30) {
                continue;
            }
            // At most four waits hold up all users. The pacer takes the first 429s for a limit's, and is
            // slower for a while.
            let most = 90.0 + 30.0 * retry_after.unwrap_or_default() as f64;
            let batches = |stage: DispatchFixture| stage.auto().jobs(2).batch_size(BatchSize::Fixed(20));
            for (how, last) in [
                ("-j 1", with_two(two, retry_after, |stage| stage.jobs(1)).await.1),
                ("by default", with_two(two, retry_after, |stage| stage.auto().auto_jobs()).await.1),
                ("in batches", with_two(two, retry_after, batches).await.1),
                ("two apps", with_two(two, retry_after, |stage| stage.apps(2).jobs(4)).await.1),
            ] {
                assert!(last < most, "{two:?}, {retry_after:?}, {how}: {last}");
            }
        }
    }
}

/// Many such users in a row, each of whom would be the next probe.
#[tokio::test(start_paused = true)]
async fn many_neighbours_who_are_always_throttled_starve_nobody() {
    let script =
        |seen: SeenRequest| if seen.user <= 30 { FakeReaction::throttled(1) } else { FakeReaction::done() };
    for jobs in [1, 64] {
        let run = DispatchFixture::with_users(USERS).jobs(jobs).script(script).play().await;
        assert_eq!(run.outcomes(), [(Outcome::Revoked, 272), (Outcome::ThrottledOut, 30)].into());
        let done = run.arrivals.iter().filter(|arrival| arrival.is_done());
        let last = done.filter_map(|arrival| arrival.answered).max().unwrap();
        assert!(last < seconds(400.0), "-j {jobs}: {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_isolated_user_is_revoked_when_the_throttle_ends() {
    let script = |seen: SeenRequest| match seen.user {
        3 if seen.attempt <= 5 => FakeReaction::throttled(2),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(100).jobs(1).retries(0).script(script).play().await;
    assert!(run.all_revoked());
    let last = run.arrivals.last().unwrap();
    assert_eq!((last.seen.user, last.seen.attempt), (3, 6));
    // Between its tries is the wait that Graph asked for, and no other user waits for it.
    let own = run.arrived(3);
    assert!(own.windows(2).all(|pair| pair[1] - pair[0] >= seconds(2.0)), "{own:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_does_not_wait_for_anothers_user() {
    let script =
        |seen: SeenRequest| if seen.user == 1 { FakeReaction::throttled(30) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(200).tenants(2).script(script).play().await;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 199), (Outcome::ThrottledOut, 1)].into());
    assert!(run.last_answer(1) < seconds(5.0), "{:?}", run.last_answer(1));
    let done = run.arrivals.iter().filter(|arrival| arrival.is_done());
    let last = done.filter_map(|arrival| arrival.answered).max().unwrap();
    assert!(last < seconds(75.0), "{last:?}");
}

/// All users are throttled for a while. They are not isolated: all are revoked when it is over, without
/// losing a try.
#[tokio::test(start_paused = true)]
async fn an_outage_isolates_no_user() {
    for (retry_after, jobs) in [(Some(1), 1), (Some(10), 64), (None, 8)] {
        let script = move |seen: SeenRequest| {
            let out = seen.at > seconds(1.0) && seen.at < seconds(300.0);
            if out { FakeReaction::throttled(retry_after) } else { FakeReaction::done() }
        };
        let run = DispatchFixture::with_users(400).jobs(jobs).retries(0).script(script).play().await;
        assert!(run.all_revoked(), "{retry_after:?}, {jobs}: {:?}", run.outcomes());
        let wasted = run.throttles();
        assert!(wasted < 64 + 300, "{retry_after:?}, {jobs}: {wasted} wasted");
    }
}

/// A user who is always throttled does not hide a real limit from the pacer.
#[tokio::test(start_paused = true)]
async fn a_real_limit_is_kept_despite_isolated_users() {
    let script = |seen: SeenRequest| {
        if seen.user % 500 == 7 { FakeReaction::throttled(5) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(2_000)
        .auto()
        .quota(TestQuota::bucket(300.0, 15.0))
        .script(script)
        .play()
        .await;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 1_996), (Outcome::ThrottledOut, 4)].into());
    assert!(run.throttles() < 120, "{} wasted", run.throttles());
    // The optimum is 85 s.
    let done = run.arrivals.iter().filter(|arrival| arrival.is_done());
    let last = done.filter_map(|arrival| arrival.answered).max().unwrap();
    assert!(last < seconds(200.0), "{last:?}");
}

fn is_too_long(stop: Option<&StopReason>) -> bool {
    stop.is_some_and(|stop| {
        matches!(stop, StopReason::MaxWait { .. })
            && stop.exit_code() == 3
            && stop.to_string().contains("--max-wait")
    })
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_longest_ends_the_run() {
    for wait in [3_601, 86_400, 366 * 86_400] {
        let script = move |seen: SeenRequest| {
            if seen.nth >= 5 { FakeReaction::throttled(wait) } else { FakeReaction::done() }
        };
        let run = DispatchFixture::with_users(50).jobs(1).script(script).play().await;
        assert!(is_too_long(run.stop()), "{:?}", run.stop());
        assert!(run.took < seconds(1.0), "{:?}", run.took);
        assert_eq!(run.outcomes(), [(Outcome::Revoked, 4), (Outcome::ThrottledOut, 1)].into());
    }
    let script =
        |seen: SeenRequest| if seen.nth == 5 { FakeReaction::throttled(3_600) } else { FakeReaction::done() };
    assert!(
        DispatchFixture::with_users(50).jobs(1).script(script).play().await.all_revoked(),
        "the longest itself is waited out"
    );
    let script =
        |seen: SeenRequest| if seen.nth == 5 { FakeReaction::throttled(1) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(50).jobs(1).max_wait(seconds(0.0)).script(script).play().await;
    assert!(is_too_long(run.stop()));
    let script =
        |seen: SeenRequest| if seen.nth == 5 { FakeReaction::throttled(None) } else { FakeReaction::done() };
    assert!(
        DispatchFixture::with_users(50)
            .jobs(1)
            .max_wait(seconds(0.0))
            .script(script)
            .play()
            .await
            .all_revoked()
    );
}

#[tokio::test(start_paused = true)]
async fn another_app_and_another_tenant_go_on() {
    let script = |seen: SeenRequest| {
        if seen.place.app == 0 { FakeReaction::throttled(86_400) } else { FakeReaction::done() }
    };
    assert!(DispatchFixture::with_users(60).apps(2).jobs(4).script(script).play().await.all_revoked());
    let script = |seen: SeenRequest| {
        if seen.place.tenant == 0 { FakeReaction::throttled(86_400) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(60).tenants(2).jobs(1).script(script).play().await;
    assert_eq!(run.stop(), None);
    assert!(is_too_long(run.finished.tenants[0].as_ref()));
    assert_eq!(run.finished.tenants[1], None);
    assert_eq!(run.outcomes_in(1), [(Outcome::Revoked, 30)].into());
    assert_eq!(run.outcomes_in(0), [(Outcome::ThrottledOut, 1)].into());
    // If the limit is the app's over all its tenants, all of them stop.
    let script = |_: SeenRequest| FakeReaction::throttled_by("Application", 86_400);
    let run = DispatchFixture::with_users(60).tenants(3).script(script).play().await;
    assert!(run.finished.tenants.iter().all(|stop| is_too_long(stop.as_ref())), "{:?}", run.finished);
    assert!(run.took < seconds(5.0));
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_asks_for_too_long_a_wait_is_not_waited_for() {
    let script = |seen: SeenRequest| match seen.user {
        3 => FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(86_400.0))),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(20).script(script).play().await;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 19), (Outcome::Failed, 1)].into());
    assert!(run.took < seconds(2.0), "{:?}", run.took);
}

/// A run that ended because of a long wait is resumed: Graph is asked once more.
#[tokio::test(start_paused = true)]
async fn a_long_wait_of_an_earlier_process_is_asked_again() {
    let run = DispatchFixture::with_users(20).jobs(4).held(0, seconds(86_400.0)).play().await;
    assert!(run.all_revoked() && run.took < seconds(5.0), "{:?}", run.took);
    let first = &run.arrivals[0];
    assert!(run.arrivals[1].at() >= first.answered.unwrap(), "one asks for all");
    let script = |_: SeenRequest| FakeReaction::throttled(86_400);
    let run = DispatchFixture::with_users(20).jobs(4).held(0, seconds(86_400.0)).script(script).play().await;
    assert!(is_too_long(run.stop()));
    assert_eq!(run.arrivals.len(), 1);
    assert!(run.journal.iter().any(|event| matches!(event, Event::Throttled(_))));
}
