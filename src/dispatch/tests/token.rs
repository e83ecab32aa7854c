//! Tokens: renewed during the run, after a 401, or not at all.

use super::fake::FakeRenewal;
use super::*;
use crate::event::{Event, StopReason};
use crate::graph::LossKind;
use crate::identity::SignInError;
use crate::outcome::Outcome;

#[tokio::test(start_paused = true)]
async fn an_aging_token_is_renewed_without_any_pause() {
    let run = DispatchFixture::with_users(2_000)
        .pace(10.0, 1)
        .tokens(50.0, 60.0)
        .renew_takes(seconds(8.0))
        .play()
        .await;
    assert!(run.all_revoked());
    assert!((3..=4).contains(&run.fake.state().renewals.len()));
    assert!(run.longest_pause() <= seconds(0.11), "{:?}", run.longest_pause());
    assert!(run.journal.iter().any(|event| matches!(event, Event::Renewed { .. })));
}

/// Forty minutes with tokens of many lifetimes, where each renewal takes five seconds. No request ever waits
/// for one, and there is one renewal for each lifetime.
#[tokio::test(start_paused = true)]
async fn no_worker_ever_waits_for_a_renewal_in_a_long_run() {
    for life in [60, 899, 3599] {
        let stage = DispatchFixture::with_users(2_400).pace(1.0, 1).tokens_of(life).renew_takes(seconds(5.0));
        let run = stage.play().await;
        assert!(run.all_revoked(), "{life}");
        assert!(run.longest_pause() <= seconds(1.01), "{life}: {:?}", run.longest_pause());
        let renewals = run.fake.state().renewals.clone();
        // A token's successor is there five seconds after the token began to age.
        let used = (life - (life / 5).min(300)) as f64 + 5.0;
        let lives = (run.took.as_secs_f64() / used).ceil() as usize;
        assert!((lives.saturating_sub(1)..=lives).contains(&renewals.len()), "{life}: {renewals:?}");
        assert!(renewals.windows(2).all(|pair| pair[1].at - pair[0].at >= seconds(used - 1.0)), "{life}");
        assert!(renewals.windows(2).all(|pair| pair[1].stale == pair[0].stale + 1), "{life}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_comes_again_is_answered_once() {
    let run = DispatchFixture::with_users(500).script(|_| FakeReaction::challenge("{}")).play().await;
    let Some(StopReason::SignIn { detail }) = run.stop() else { panic!("{:?}", run.stop()) };
    assert!(detail.contains("just answered its challenge") && detail.contains("sign-in log"), "{detail}");
    assert_eq!(run.fake.state().renewals.len(), 1);
}

/// Conditional Access may send the challenge with a 403, which says nothing about the user.
#[tokio::test(start_paused = true)]
async fn a_403_with_a_challenge_is_answered_like_a_401() {
    let script = |seen: SeenRequest| match seen.token {
        1 => FakeReaction::challenge("{}").with(|response| response.status = 403),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(300).jobs(8).retries(0).script(script).play().await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    assert_eq!(run.fake.state().renewals.len(), 1);
}

/// Each of a thousand workers returns with a 401, in any order.
#[tokio::test(start_paused = true)]
async fn one_renewal_on_a_401_however_many_workers() {
    for jobs in [1, 7, 1_000] {
        let script = |seen: SeenRequest| match seen.token {
            1 => FakeReaction::status(401).after(seconds(0.05 + (seen.nth * 37 % 100) as f64 / 100.0)),
            _ => FakeReaction::done(),
        };
        let stage = DispatchFixture::with_users(1_500)
            .jobs(jobs)
            .pace(100_000.0, 2_000)
            .retries(0)
            .renew_takes(seconds(0.4));
        let run = stage.script(script).play().await;
        assert!(run.all_revoked(), "{:?}", run.stop());
        assert_eq!(run.fake.state().renewals.len(), 1, "{jobs}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_with_an_expired_token() {
    // The early renewal takes longer than the rest of the token's lifetime.
    let run = DispatchFixture::with_users(1_000)
        .pace(10.0, 1)
        .tokens(50.0, 60.0)
        .renew_takes(seconds(30.0))
        .play()
        .await;
    assert!(run.all_revoked());
    let renewals = run.fake.state().renewals.clone();
    assert!((seconds(50.0)..seconds(50.2)).contains(&renewals[0].at));
    let held = run.arrivals.iter().filter(|arrival| (60..80).contains(&arrival.at().as_secs())).count();
    assert_eq!(held, 0);
    assert!(run.longest_pause() < seconds(20.3));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_is_tried_again_while_the_token_is_good() {
    let renew = |nth| if nth <= 3 { Err(SignInError::CodeDeclined) } else { Ok(()) };
    let run = DispatchFixture::with_users(3_000).pace(10.0, 1).tokens(100.0, 200.0).renew(renew).play().await;
    assert!(run.all_revoked());
    let renewals = run.fake.state().renewals.clone();
    assert!(renewals[1].at - renewals[0].at >= seconds(15.0));
    assert!(run.longest_pause() <= seconds(0.11));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_fails_when_the_token_is_over_stops_the_run() {
    let run = DispatchFixture::with_users(3_000)
        .pace(10.0, 1)
        .tokens(50.0, 60.0)
        .renew(|_| Err(SignInError::CodeDeclined))
        .play()
        .await;
    assert!(matches!(run.stop(), Some(StopReason::SignIn { .. })));
    assert!(run.arrivals.iter().all(|arrival| arrival.at() < seconds(60.0)));
    assert_eq!(run.outcomes(), [(Outcome::Revoked, run.arrivals.len())].into());
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_401_makes_one_renewal_with_the_challenges_claims() {
    let refuses = |seen: SeenRequest| match seen.token {
        1 if seen.nth > 64 => FakeReaction::challenge("{\"access_token\":{}}")
            .after(seconds(0.1 + 0.01 * (seen.nth % 64) as f64)),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(400).pace(10_000.0, 1_000).retries(0).script(refuses).play().await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    let refused = run.arrivals.iter().filter(|arrival| !arrival.is_done()).count();
    assert!(refused >= 60, "{refused}");
    let renewals = run.fake.state().renewals.clone();
    assert_eq!(renewals.len(), 1);
    assert_eq!((renewals[0].stale, renewals[0].claims.as_deref()), (1, Some("{\"access_token\":{}}")));
    // From the first 401 on, nothing leaves until the new token is there.
    let first =
        run.arrivals.iter().filter(|arrival| !arrival.is_done()).filter_map(|arrival| arrival.answered).min();
    let pause = first.unwrap()..renewals[0].at + seconds(1.0);
    assert_eq!(
        run.arrivals.iter().filter(|arrival| arrival.at() > pause.start && arrival.at() < pause.end).count(),
        0
    );
}

/// An early renewal is running, without claims, when Graph challenges the old token with some.
#[tokio::test(start_paused = true)]
async fn a_challenges_claims_reach_the_token_even_while_a_renewal_is_under_way() {
    let script = |seen: SeenRequest| {
        if seen.token == 1 && seen.nth > 505 { FakeReaction::challenge("{}") } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(1_000)
        .pace(10.0, 1)
        .tokens(50.0, 600.0)
        .renew_takes(seconds(5.0))
        .script(script)
        .play()
        .await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    let claims: Vec<_> = run.fake.state().renewals.iter().map(|renewal| renewal.claims.clone()).collect();
    assert!(claims.contains(&Some("{}".to_owned())), "{claims:?}");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_token_that_is_refused_stops_the_run() {
    let run = DispatchFixture::with_users(500).script(|_| FakeReaction::status(401)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::SignIn { .. })));
    assert_eq!(run.fake.state().renewals.len(), 1);
    assert!(run.arrivals.len() <= 128);
}

/// An answer that never came, or a 429, does not prove the token.
#[tokio::test(start_paused = true)]
async fn only_an_answer_proves_a_fresh_token() {
    for other in [FakeReaction::lost(LossKind::Broken), FakeReaction::throttled(1)] {
        let script = move |seen: SeenRequest| {
            if seen.nth.is_multiple_of(3) { other.clone() } else { FakeReaction::status(401) }
        };
        let run = DispatchFixture::with_users(500).jobs(8).script(script).play().await;
        assert!(matches!(run.stop(), Some(StopReason::SignIn { .. })));
        assert_eq!(run.fake.state().renewals.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_always_refused_stops_the_run() {
    for retried_between in [false, true] {
        let script = move |seen: SeenRequest| match seen.user {
            7 if retried_between && seen.attempt.is_multiple_of(2) => FakeReaction::throttled(1),
            7 => FakeReaction::status(401),
            _ => FakeReaction::done(),
        };
        let run = DispatchFixture::with_users(2_000).pace(10.0, 1).script(script).play().await;
        assert!(matches!(run.stop(), Some(StopReason::SignIn { .. })), "{:?}", run.stop());
        assert!(run.arrived(7).len() <= 3, "{}", run.arrived(7).len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_survives_many_tokens() {
    // Each token is revoked after a while, and Graph says so.
    let since = |token: u64| seconds(30.0 * token as f64);
    let script = move |seen: SeenRequest| {
        if seen.at > since(seen.token) { FakeReaction::status(401) } else { FakeReaction::done() }
    };
    let run =
        DispatchFixture::with_users(2_000).pace(10.0, 1).jobs(16).retries(0).script(script).play().await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    let renewals: Vec<FakeRenewal> = run.fake.state().renewals.clone();
    assert!((6..=7).contains(&renewals.len()), "{renewals:?}");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_does_not_wait_for_a_renewal() {
    let script =
        |seen: SeenRequest| if seen.token == 1 { FakeReaction::status(401) } else { FakeReaction::done() };
    let stage = DispatchFixture::with_users(50).script(script).renew_takes(seconds(600.0));
    let run = stage.interrupt(seconds(5.0), StopReason::Interrupted).play().await;
    assert_eq!((run.stop(), run.took), (Some(&StopReason::Interrupted), seconds(5.0)));
}
