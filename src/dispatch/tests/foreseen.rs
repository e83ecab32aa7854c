//! The forecast of the remaining time: within a tenth of the truth from the first tenth of a run on.

use super::quota::TestQuota;
use super::*;

/// 3,000 at once, then 20 per second.
fn documented() -> TestQuota {
    TestQuota::bucket(3_000.0, 150.0)
}

fn holds(name: &str, run: &FixtureRun) {
    assert!(run.all_revoked(), "{name}");
    let wrong = run.worst_forecast();
    assert!(wrong <= 0.1, "{name}: {:.1} % off", wrong * 100.0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_the_quota_binds_is_foreseen() {
    let run = DispatchFixture::with_users(10_000).auto().quota(documented()).play().await;
    holds("one app", &run);
    let run = DispatchFixture::with_users(16_000).tenants(4).auto().quota(documented()).play().await;
    holds("four tenants", &run);
}

#[tokio::test(start_paused = true)]
async fn three_apps_are_foreseen() {
    let stage = DispatchFixture::with_users(16_000).apps(3).auto().quota(documented());
    let run = stage.tenant_quota(TestQuota::bucket(18_000.0, 300.0)).play().await;
    holds("three apps", &run);
}

#[tokio::test(start_paused = true)]
async fn an_app_over_twenty_tenants_is_foreseen() {
    let stage = DispatchFixture::with_users(40_000).tenants(20).auto().quota(documented());
    let run = stage.app_quota(TestQuota::bucket(35_000.0, 300.0)).play().await;
    holds("one app over twenty tenants", &run);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_its_answers_hold_up_is_foreseen() {
    let run = DispatchFixture::with_users(2_000).pace(1_000.0, 10).latency(0.5).jobs(8).play().await;
    holds("eight jobs", &run);
    let run = DispatchFixture::with_users(20_000).pace(1_000.0, 10).latency(0.5).auto_jobs().play().await;
    holds("as many jobs as it takes", &run);
    let jitter =
        |seen: SeenRequest| FakeReaction::done().after(seconds(0.1 + (seen.nth * 37 % 100) as f64 / 100.0));
    let run = DispatchFixture::with_users(4_000).pace(1_000.0, 10).script(jitter).jobs(16).play().await;
    holds("answers of many speeds", &run);
}

#[tokio::test(start_paused = true)]
async fn users_who_take_several_requests_are_foreseen() {
    let script = |seen: SeenRequest| match seen.attempt {
        1 if seen.user.is_multiple_of(3) => FakeReaction::status(500),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(3_000).pace(20.0, 1).script(script).play().await;
    holds("a third twice", &run);
}

#[tokio::test(start_paused = true)]
async fn a_closed_gate_is_foreseen() {
    let script =
        |seen: SeenRequest| if seen.nth == 300 { FakeReaction::throttled(25) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(1_000).pace(10.0, 1).script(script).play().await;
    // It is known at once until when the gate is closed, although no answer comes meanwhile.
    assert!(run.forecast_at(seconds(40.0)) > seconds(60.0), "{:?}", run.forecast_at(seconds(40.0)));
    // After that, the run continues at the requested rate, and no window is suspected.
    let wrong = run.worst_forecast_from(seconds(30.2));
    assert!(run.all_revoked() && wrong <= 0.1, "{:.1} % off", wrong * 100.0);
}
