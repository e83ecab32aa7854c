//! Quotas, the gate, and the probe.

use super::quota::TestQuota;
use super::*;
use crate::event::Event;
use crate::graph::LossKind;
use crate::outcome::Outcome;

/// 3,000 at once, then 20 per second, as Microsoft documents.
fn documented() -> TestQuota {
    TestQuota::bucket(3_000.0, 150.0)
}

#[tokio::test(start_paused = true)]
async fn a_long_run_within_the_documented_quota_meets_hardly_a_429() {
    let users = 20_000;
    let run = DispatchFixture::with_users(users).auto().quota(documented()).play().await;
    assert!(run.all_revoked());
    // The pacer tries for more than the documented quota, now and then and carefully.
    assert!(run.throttles() <= 30, "{} wasted", run.throttles());
    assert_eq!(run.arrivals.len(), users as usize + run.throttles());
    // The burst at once, then the refill.
    let at_best = f64::from(users - 3_000) / 20.0;
    assert!((at_best..at_best + 7.0).contains(&run.took.as_secs_f64()), "{:?}", run.took);
}

/// Quotas that are not as documented are found out: all users are revoked, in little more than the time that
/// the quota takes (the burst at once and the refill: 600 s, 350 s), and few requests are wasted.
#[tokio::test(start_paused = true)]
async fn a_quota_that_is_not_as_documented_is_found_out() {
    let users = 5_000;
    for (name, quota, at_most, wasted) in [
        ("a third of it", TestQuota::bucket(1_000.0, 150.0), 640.0, 100),
        ("half eaten", documented().half_eaten(), 380.0, 100),
        ("fixed windows", TestQuota::window(3_000, 150.0), 270.0, 100),
        ("strict, a third", TestQuota::strict_bucket(1_000.0, 150.0), 650.0, 150),
        ("strict, half eaten", TestQuota::strict_bucket(3_000.0, 150.0).half_eaten(), 390.0, 150),
    ] {
        let run = DispatchFixture::with_users(users).auto().quota(quota).play().await;
        assert!(run.all_revoked(), "{name}: {:?}", run.outcomes());
        assert!(run.took < seconds(at_most), "{name}: {:?}", run.took);
        assert!(run.throttles() < wasted, "{name}: {} wasted", run.throttles());
    }
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_gate_for_all_and_one_probe_opens_it() {
    let script =
        |seen: SeenRequest| if seen.nth == 30 { FakeReaction::throttled(20) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(200).pace(100.0, 100).script(script).play().await;
    assert!(run.all_revoked());
    let closed = run.arrivals[29].answered.unwrap();
    let after: Vec<_> = run.arrivals.iter().filter(|arrival| arrival.at() > closed).collect();
    // The throttled user goes first, alone, and the others once it is answered.
    assert_eq!((after[0].at(), after[0].seen.user), (closed + seconds(20.0), 30));
    assert!(after[1].at() >= after[0].answered.unwrap());
    assert_eq!(run.throttles(), 1);
    let told = |event: &Event| matches!(event, Event::Throttled(_) | Event::Reopened { .. });
    let told: Vec<_> = run.told.iter().filter(|(_, event)| told(event)).map(|(at, _)| *at).collect();
    assert_eq!(told, [closed, after[0].answered.unwrap()]);
    let throttled = run.settled().find(|settled| settled.target == 30).unwrap();
    assert_eq!((throttled.throttled_ms, throttled.attempts), (20_000, 2));
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_of_all_holds_and_no_success_in_flight_opens_the_gate() {
    // In flight together: 10 is throttled for long, 11 shortly after for a moment, the others succeed late.
    let script = |seen: SeenRequest| match seen.nth {
        10 => FakeReaction::throttled(30).after(seconds(0.1)),
        11 => FakeReaction::throttled(1).after(seconds(0.2)),
        12 => FakeReaction::throttled(40).after(seconds(5.0)),
        13..=40 => FakeReaction::done().after(seconds(0.3)),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(100).pace(100.0, 100).jobs(40).script(script).play().await;
    assert!(run.all_revoked());
    let until = run.arrivals[11].answered.unwrap() + seconds(40.0);
    assert_eq!(run.arrivals[40].at(), until);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_lost_or_breaks_down_is_followed_by_another() {
    for what in [FakeReaction::lost(LossKind::TimedOut).after(seconds(30.0)), FakeReaction::panic()] {
        let probe = what.clone();
        let script = move |seen: SeenRequest| match seen.nth {
            5 => FakeReaction::throttled(10),
            10 => probe.clone(),
            _ => FakeReaction::done(),
        };
        let run = DispatchFixture::with_users(50).pace(100.0, 9).jobs(9).script(script).play().await;
        assert_eq!(run.stop(), None);
        assert_eq!(run.settled().count(), 50);
        let lost = run.arrivals[9].clone();
        assert_eq!(lost.at(), run.arrivals[4].answered.unwrap() + seconds(10.0));
        let (next, then) = (&run.arrivals[10], &run.arrivals[11]);
        assert!(next.at() >= lost.answered.unwrap() && then.at() >= next.answered.unwrap());
        assert_eq!(run.outcomes().get(&Outcome::InDoubt), lost.react.reply.is_none().then_some(&1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_an_hour_is_kept() {
    let script =
        |seen: SeenRequest| if seen.nth == 1 { FakeReaction::throttled(3_600) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(10).jobs(1).script(script).play().await;
    assert!(run.all_revoked());
    assert_eq!(run.arrivals[1].at(), seconds(3_600.1));
}

#[tokio::test(start_paused = true)]
async fn without_retry_after_the_waits_grow() {
    let script =
        |seen: SeenRequest| if seen.nth <= 8 { FakeReaction::throttled(None) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(10).jobs(1).script(script).play().await;
    assert!(run.all_revoked());
    let waits: Vec<f64> =
        run.arrivals.windows(2).map(|pair| (pair[1].at() - pair[0].at()).as_secs_f64()).collect();
    let expected = [0.5, 1.0, 2.0, 4.0, 4.0, 4.0];
    let close = |(found, expected): (&f64, &f64)| (found - 0.1 - expected).abs() < 0.01;
    assert!(waits.iter().zip(&expected).all(close), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn throttling_costs_no_tries() {
    let script = |seen: SeenRequest| {
        if seen.attempt <= 100 { FakeReaction::throttled(1) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(3).retries(0).script(script).play().await;
    assert!(run.all_revoked());
    assert!(run.settled().all(|settled| settled.attempts == 101));
    // The one retry is still left after them.
    let script = |seen: SeenRequest| match seen.attempt {
        ..=5 => FakeReaction::throttled(1),
        6 => FakeReaction::status(500),
        _ => FakeReaction::done(),
    };
    assert!(DispatchFixture::with_users(3).retries(1).script(script).play().await.all_revoked());
}

/// Graph may throttle a single user, who must not keep all the others from being revoked.
#[tokio::test(start_paused = true)]
async fn one_user_who_is_always_throttled_does_not_starve_the_others() {
    let script =
        |seen: SeenRequest| if seen.user == 3 { FakeReaction::throttled(10) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(500).pace(20.0, 10).script(script).play().await;
    assert_eq!(run.stop(), None);
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 499), (Outcome::ThrottledOut, 1)].into());
}

#[tokio::test(start_paused = true)]
async fn warnings_slow_before_throttling_begins() {
    for (used, least, most) in [(0.9, 20.0, 21.0), (1.2, 22.0, 24.0)] {
        let script = move |seen: SeenRequest| {
            FakeReaction::done().with(|response| {
                response.throttle_percentage = (seen.at < seconds(2.0)).then_some(used);
            })
        };
        // 400 at once are allowed, but the first answers warn.
        let run = DispatchFixture::with_users(400).pace(20.0, 400).jobs(8).script(script).play().await;
        assert!(run.all_revoked());
        let took = run.took.as_secs_f64();
        assert!((least * 0.95..=most * 1.05).contains(&took), "{used}: {took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fixed_rate_is_kept_at_the_server() {
    let run = DispatchFixture::with_users(600).pace(20.0, 1).play().await;
    assert!(run.all_revoked());
    for window in run.arrivals.windows(21) {
        assert!(window[20].at() - window[0].at() >= seconds(0.999), "more than 20 in a second");
    }
    assert!(run.took < seconds(30.2), "{:?}", run.took);
}

/// The quota is a sixth of the documented one, with hardly a request between its first two 429s. What they
/// show is vague, and must not hold for the rest of the run.
#[tokio::test(start_paused = true)]
async fn a_rate_measured_with_few_requests_is_soon_corrected() {
    let run = DispatchFixture::with_users(200)
        .auto()
        .auto_jobs()
        .quota(TestQuota::bucket(100.0, 30.0))
        .latency(0.05)
        .play()
        .await;
    assert!(run.all_revoked());
    // The optimum is thirty.
    assert!(run.took < seconds(38.0), "{:?}", run.took);
}
