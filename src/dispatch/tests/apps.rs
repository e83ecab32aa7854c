//! Several apps in a tenant: work flows to whichever may send, each limit slows only its own app, and an app
//! that fails is dropped.

use super::fake::{FakeArrival, FakePlace};
use super::quota::TestQuota;
use super::*;
use crate::event::{Event, StopReason};
use crate::identity::SignInError;
use crate::outcome::Outcome;

fn sent_by(run: &FixtureRun, app: usize) -> Vec<&FakeArrival> {
    run.arrivals.iter().filter(|arrival| arrival.seen.place.app == app).collect()
}

/// The number of arrivals from an app between these seconds.
fn between(run: &FixtureRun, place: impl Fn(FakePlace) -> bool, from: f64, to: f64) -> usize {
    let within = seconds(from)..seconds(to);
    run.arrivals.iter().filter(|arrival| place(arrival.seen.place) && within.contains(&arrival.at())).count()
}

/// Whether an app in a tenant is throttled.
type ThrottleCounts = fn(FakePlace) -> bool;

#[tokio::test(start_paused = true)]
async fn three_apps_reach_the_tenants_pace_and_none_exceeds_its_own() {
    let stage = DispatchFixture::with_users(21_000).apps(3).auto().quota(TestQuota::bucket(3_000.0, 150.0));
    let run = stage.tenant_quota(TestQuota::bucket(18_000.0, 300.0)).play().await;
    assert!(run.all_revoked());
    // Three bursts of 3,000, then three times 20 a second.
    let optimum = 12_000.0 / 60.0;
    assert!(run.took.as_secs_f64() < optimum * 1.05, "{:?}, at best {optimum}", run.took);
    for app in 0..3 {
        let sent = sent_by(&run, app).len();
        assert!((6_300..7_700).contains(&sent), "{sent}");
        assert!(between(&run, |place| place.app == app, 100.0, 200.0) <= 2_100);
    }
    assert!(run.throttles() <= 105, "{}", run.throttles());
}

fn throttled_once(scope: &'static str) -> impl Fn(SeenRequest) -> FakeReaction + Send + Sync + 'static {
    let once = std::sync::atomic::AtomicBool::new(false);
    move |seen: SeenRequest| {
        let here = seen.place == FakePlace { tenant: 0, app: 0 } && seen.at >= seconds(5.0);
        if here && !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return FakeReaction::throttled_by(scope, 30);
        }
        FakeReaction::done()
    }
}

#[tokio::test(start_paused = true)]
async fn each_scope_slows_its_own() {
    let cases: [(&str, ThrottleCounts); 3] = [
        ("Tenant", |place| place.tenant == 0),
        ("Application", |place| place.app == 0),
        ("Tenant_Application", |place| place == FakePlace { tenant: 0, app: 0 }),
    ];
    for (scope, slowed) in cases {
        let stage = DispatchFixture::with_users(1_200).tenants(2).apps(2).pace(10.0, 1).retries(0);
        let run = stage.script(throttled_once(scope)).play().await;
        assert!(run.all_revoked(), "{scope}: {:?}", run.outcomes());
        for place in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(tenant, app)| FakePlace { tenant, app }) {
            let sent = between(&run, |other| other == place, 5.5, 14.5);
            let expected = if slowed(place) { 0..=0 } else { 85..=95 };
            assert!(expected.contains(&sent), "{scope}, {place:?}: {sent}");
        }
        assert_eq!(run.throttles(), 1, "{scope}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_that_loses_its_permission_is_dropped_and_nobody_ends_forbidden() {
    let script = |seen: SeenRequest| match seen.place.app {
        1 if seen.at > seconds(3.0) => FakeReaction::status(403),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(600).apps(3).pace(10.0, 1).retries(0).script(script).play().await;
    assert!(run.all_revoked(), "{:?}", run.outcomes());
    let refused = run.arrivals.iter().filter(|arrival| !arrival.is_done()).count();
    assert!(refused <= 8, "{refused}");
    let dropped: Vec<_> = run.journal.iter().filter(|event| matches!(event, Event::Dropped { .. })).collect();
    let [Event::Dropped { scope, why, .. }] = dropped[..] else { panic!("{dropped:?}") };
    assert_eq!(scope.app_id.as_deref(), Some("app-1"));
    assert!(matches!(why, StopReason::Permission { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_user_refused_to_all_apps_is_forbidden_after_one_try_each() {
    let script = |seen: SeenRequest| {
        if seen.user % 50 == 7 { FakeReaction::status(403) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(600).apps(3).pace(10.0, 1).retries(0).script(script).play().await;
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 588), (Outcome::Forbidden, 12)].into());
    for user in (7..600).step_by(50) {
        let mut asked: Vec<usize> = run
            .arrivals
            .iter()
            .filter(|arrival| arrival.seen.user == user)
            .map(|arrival| arrival.seen.place.app)
            .collect();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 2], "{user}");
    }
    assert!(!run.journal.iter().any(|event| matches!(event, Event::Dropped { .. })));
}

#[tokio::test(start_paused = true)]
async fn apps_without_the_permission_stop_the_tenant_early() {
    let run = DispatchFixture::with_users(600)
        .apps(3)
        .pace(10.0, 1)
        .script(|_| FakeReaction::status(403))
        .play()
        .await;
    assert!(matches!(run.stop(), Some(StopReason::Permission { .. })), "{:?}", run.stop());
    assert!((40..50).contains(&run.outcomes()[&Outcome::Forbidden]), "{:?}", run.outcomes());
}

#[tokio::test(start_paused = true)]
async fn an_app_whose_token_is_refused_is_dropped_and_the_last_one_stops_the_run() {
    let script = |seen: SeenRequest| {
        if seen.place.app == 0 { FakeReaction::status(401) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(300).apps(2).pace(10.0, 1).retries(0).script(script).play().await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    assert!(sent_by(&run, 0).len() < 12);
    let renew = |place: FakePlace| if place.app == 1 { Err(SignInError::CodeDeclined) } else { Ok(()) };
    let script = |seen: SeenRequest| {
        if seen.place.app == 0 { FakeReaction::status(401) } else { FakeReaction::done() }
    };
    let stage = DispatchFixture::with_users(300).apps(2).pace(10.0, 1).script(script).renew_at(renew);
    let run = stage.tokens(4.0, 6.0).play().await;
    assert!(matches!(run.stop(), Some(StopReason::SignIn { .. })), "{:?}", run.stop());
}

/// One app may revoke only ordinary users, which is no reason to drop it.
#[tokio::test(start_paused = true)]
async fn an_app_that_is_refused_administrators_goes_on_with_the_others() {
    let script = |seen: SeenRequest| match (seen.user, seen.place.app) {
        (1..=60, 1) => FakeReaction::status(403),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(600)
        .apps(2)
        .administrators(1..=60)
        .pace(10.0, 1)
        .script(script)
        .play()
        .await;
    assert!(run.all_revoked(), "{:?}", run.outcomes());
    assert!(!run.journal.iter().any(|event| matches!(event, Event::Dropped { .. })));
    assert!(sent_by(&run, 1).len() > 200);
}

/// The other app was refused this user, and then the one that is left loses its token while the user is in
/// flight.
#[tokio::test(start_paused = true)]
async fn no_user_waits_for_a_dropped_app() {
    let script = |seen: SeenRequest| match (seen.user, seen.place.app) {
        (1, 0) => FakeReaction::status(403),
        (1, 1) => FakeReaction::status(401).after(seconds(8.0)),
        (_, 1) => FakeReaction::status(401).after(seconds(4.0)),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(40).apps(2).pace(10.0, 1).script(script).play().await;
    assert_eq!(run.stop(), None);
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 39), (Outcome::Forbidden, 1)].into());
    assert!(run.arrived(1).len() <= 4, "{:?}", run.arrived(1));
}
