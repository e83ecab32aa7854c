//! Several tenants side by side: none waits for another's trouble, and a limit over all of them is shared
//! fairly.

use super::fake::FakePlace;
use super::quota::TestQuota;
use super::*;
use crate::event::{Event, StopReason};
use crate::graph::LossKind;
use crate::identity::SignInError;
use crate::outcome::Outcome;

/// Ten users per second for each app in each of three tenants.
fn three() -> DispatchFixture {
    DispatchFixture::with_users(300).tenants(3).pace(10.0, 1)
}

fn in_tenant(seen: SeenRequest, tenant: usize) -> bool {
    seen.place.tenant == tenant
}

#[tokio::test(start_paused = true)]
async fn tenants_run_side_by_side() {
    let run = three().play().await;
    assert!(run.all_revoked());
    assert!(run.took < seconds(10.2), "{:?}", run.took);
}

#[tokio::test(start_paused = true)]
async fn none_waits_for_the_throttle_of_another() {
    for scope in ["Tenant_Application", "Tenant"] {
        let script = move |seen: SeenRequest| match seen.at.as_secs() {
            3 if in_tenant(seen, 1) => FakeReaction::throttled_by(scope, 600),
            _ => FakeReaction::done(),
        };
        let run = three().script(script).play().await;
        assert!(run.all_revoked());
        for tenant in [0, 2] {
            assert!(run.last_answer(tenant) < seconds(10.2), "{scope}: {:?}", run.last_answer(tenant));
        }
        assert!(run.last_answer(1) > seconds(600.0));
    }
}

#[tokio::test(start_paused = true)]
async fn none_waits_for_answers_that_hang() {
    let hangs = |seen: SeenRequest| match in_tenant(seen, 0) {
        true => FakeReaction::lost(LossKind::TimedOut).after(seconds(30.0)),
        false => FakeReaction::done(),
    };
    let run = three().jobs(4).retries(1).script(hangs).play().await;
    assert_eq!(run.outcomes_in(0), [(Outcome::InDoubt, 100)].into());
    for tenant in [1, 2] {
        assert_eq!(run.outcomes_in(tenant), [(Outcome::Revoked, 100)].into());
        assert!(run.last_answer(tenant) < seconds(10.2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_refused_stops_its_tenant_alone() {
    let script =
        |seen: SeenRequest| if in_tenant(seen, 1) { FakeReaction::status(401) } else { FakeReaction::done() };
    let run = three().script(script).play().await;
    assert_eq!(run.stop(), None);
    let stops: Vec<bool> =
        run.finished.tenants.iter().map(|stop| matches!(stop, Some(StopReason::SignIn { .. }))).collect();
    assert_eq!(stops, [false, true, false]);
    let renewals = run.fake.state().renewals.clone();
    assert!(renewals.iter().all(|renewal| renewal.place.tenant == 1) && renewals.len() == 1);
    assert_eq!(run.outcomes_in(0), [(Outcome::Revoked, 100)].into());
    assert_eq!(run.outcomes_in(2), [(Outcome::Revoked, 100)].into());
    assert!(!run.outcomes_in(1).contains_key(&Outcome::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_stops_its_tenant_alone() {
    let renew = |place: FakePlace| match place.tenant {
        2 => Err(SignInError::CodeDeclined),
        _ => Ok(()),
    };
    let run = three().tokens(3.0, 5.0).renew_at(renew).play().await;
    let stops: Vec<bool> = run.finished.tenants.iter().map(Option::is_some).collect();
    assert_eq!((run.stop(), stops), (None, vec![false, false, true]));
    assert_eq!(run.outcomes_in(0), [(Outcome::Revoked, 100)].into());
    assert!((30..60).contains(&run.outcomes_in(2)[&Outcome::Revoked]));
}

#[tokio::test(start_paused = true)]
async fn a_tenant_without_the_permission_stops_alone() {
    let script =
        |seen: SeenRequest| if in_tenant(seen, 0) { FakeReaction::status(403) } else { FakeReaction::done() };
    let run = three().script(script).play().await;
    assert!(matches!(run.finished.tenants[0], Some(StopReason::Permission { .. })));
    assert!((40..43).contains(&run.outcomes_in(0)[&Outcome::Forbidden]), "{:?}", run.outcomes_in(0));
    assert_eq!(run.outcomes_in(1), [(Outcome::Revoked, 100)].into());
    // What an earlier process was allowed applies to its tenant alone.
    let run = three().permitted(1).script(script).play().await;
    assert!(matches!(run.finished.tenants[0], Some(StopReason::Permission { .. })));
    assert_eq!(run.outcomes_in(1), [(Outcome::Revoked, 100)].into());
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_is_refused_from_the_start_sends_nothing() {
    let why = StopReason::SignIn { detail: "no secret".to_owned() };
    let run = three().refused(1, why.clone()).play().await;
    assert_eq!((run.stop(), run.finished.tenants.clone()), (None, vec![None, Some(why.clone()), None]));
    assert_eq!(run.outcomes_in(1), [].into());
    let all = three().refused(0, why.clone()).refused(1, why.clone()).refused(2, why.clone()).play().await;
    assert_eq!((all.arrivals.len(), all.took), (0, seconds(0.0)));
    // With only one tenant, this stops the run.
    let only = DispatchFixture::with_users(10).refused(0, why.clone()).play().await;
    assert_eq!((only.stop(), only.finished.tenants.clone()), (Some(&why), vec![None]));
}

#[tokio::test(start_paused = true)]
async fn a_hold_holds_its_tenant_alone() {
    let run = three().held(1, seconds(50.0)).play().await;
    assert!(run.all_revoked());
    assert!(run.last_answer(0) < seconds(10.2) && run.last_answer(1) > seconds(59.0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_all_tenants_and_waits_for_none_that_is_closed_beyond() {
    let script = |seen: SeenRequest| {
        if in_tenant(seen, 1) { FakeReaction::throttled(600) } else { FakeReaction::done() }
    };
    let run = three().script(script).deadline(seconds(5.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert!(run.took <= seconds(5.1) && run.outcomes_in(0)[&Outcome::Revoked] >= 49);
    // All others end before, and the last one can do nothing until then.
    let run = three().script(script).deadline(seconds(300.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert!(run.took < seconds(10.5), "{:?}", run.took);
    assert_eq!(run.outcomes_in(2), [(Outcome::Revoked, 100)].into());
}

#[tokio::test(start_paused = true)]
async fn halt_counts_over_the_run() {
    let script =
        |seen: SeenRequest| if seen.user <= 30 { FakeReaction::gone() } else { FakeReaction::done() };
    let run = three().script(script).halt("fail=30").play().await;
    assert!(matches!(run.stop(), Some(StopReason::Halt { .. })));
    assert!((0..3).all(|tenant| run.outcomes_in(tenant)[&Outcome::NotFound] == 10));
    assert_eq!(run.finished.tenants, [None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_all_tenants_in_whatever_state() {
    let script = |seen: SeenRequest| match seen.place.tenant {
        0 => FakeReaction::done(),
        1 => FakeReaction::throttled(3_600),
        2 => FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(3_600.0))),
        3 => FakeReaction::status(401),
        _ => FakeReaction::throttled_by("Application", 3_600),
    };
    let stage =
        DispatchFixture::with_users(500).tenants(5).pace(10.0, 1).script(script).renew_takes(seconds(600.0));
    let run = stage.interrupt(seconds(4.0), StopReason::Interrupted).play().await;
    assert_eq!(run.stop(), Some(&StopReason::Interrupted));
    assert!((seconds(4.0)..seconds(4.2)).contains(&run.took), "{:?}", run.took);
}

/// 35,000 in 300 s for the app: its burst, then 116 per second, which fifty tenants share.
#[tokio::test(start_paused = true)]
async fn an_app_over_fifty_tenants_is_shared_evenly() {
    let stage =
        DispatchFixture::with_users(50_000).tenants(50).auto().app_quota(TestQuota::bucket(35_000.0, 300.0));
    let run = stage.quota(TestQuota::bucket(3_000.0, 150.0)).play().await;
    assert!(run.all_revoked());
    let optimum = 15_000.0 / (35_000.0 / 300.0);
    assert!(run.throttles() < 250, "{}", run.throttles());
    assert!(run.took.as_secs_f64() < optimum * 1.1, "{:?}, at best {optimum}", run.took);
    let begins = seconds(15.0);
    let ends = run.took - seconds(10.0);
    let mut from = begins;
    while from + seconds(10.0) < ends {
        let mut shares = [0_u32; 50];
        let within =
            run.arrivals.iter().filter(|arrival| (from..from + seconds(10.0)).contains(&arrival.at()));
        within.for_each(|arrival| shares[arrival.seen.place.tenant] += 1);
        let even = shares.iter().sum::<u32>() as f64 / 50.0;
        // One user is 4% here, and a tenant's turn may be just after the window.
        let off = |share: &u32| (f64::from(*share) - even).abs() > (even * 0.1).max(1.5);
        assert!(!shares.iter().any(off), "{from:?}: {even} {shares:?}");
        from += seconds(10.0);
    }
}

/// However many lanes wait in line, the loop checks only the one that may send.
#[tokio::test(start_paused = true)]
async fn five_hundred_tenants_run_side_by_side() {
    let run = DispatchFixture::with_users(500 * 20).tenants(500).pace(20.0, 1).play().await;
    assert!(run.all_revoked() && run.took < seconds(1.3), "{:?}", run.took);
    let run =
        DispatchFixture::with_users(500 * 20).tenants(500).pace(20.0, 1).everywhere(1_000.0).play().await;
    assert!(run.all_revoked() && run.took < seconds(10.3), "{:?}", run.took);
}

#[tokio::test(start_paused = true)]
async fn stop_and_gate_events_name_their_tenant() {
    let script = |seen: SeenRequest| match (seen.place.tenant, seen.attempt) {
        (1, 1) => FakeReaction::throttled(2),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(9).tenants(3).script(script).play().await;
    let told = |event: &Event| match event {
        Event::Throttled(throttled) => {
            throttled.event_scope.tenant == Some(1) && throttled.event_scope.app_id.is_some()
        }
        Event::Reopened { scope, .. } => scope.tenant == Some(1),
        _ => true,
    };
    assert!(run.journal.iter().all(told));
}

/// One app in four tenants, one of which never answers: the others need not wait until its timeout.
#[tokio::test(start_paused = true)]
async fn a_tenant_that_hangs_does_not_block_others_with_the_same_app() {
    let script = |seen: SeenRequest| {
        if seen.place.tenant == 0 { FakeReaction::done().after(seconds(30.0)) } else { FakeReaction::done() }
    };
    let stage = DispatchFixture::with_users(240)
        .tenants(4)
        .auto()
        .app_quota(TestQuota::bucket(35_000.0, 300.0))
        .script(script);
    let run = stage.play().await;
    assert!(run.all_revoked());
    let others = run.arrivals.iter().filter(|arrival| arrival.seen.place.tenant != 0);
    let last = others.map(|arrival| arrival.at()).max().unwrap();
    assert!(last < seconds(5.0), "{last:?}");
}
