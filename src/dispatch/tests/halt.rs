//! Everything that stops the sending: halt rules, the deadline, interrupts.

use super::*;
use crate::dispatch::BatchSize;
use crate::event::{Event, StopReason, TargetNo};
use crate::graph::LossKind;
use crate::outcome::Outcome;

/// The number of requests that were in flight when the run stopped, or left in that moment.
fn in_flight_at_stop(run: &FixtureRun) -> usize {
    let stopped = run.when(|event| matches!(event, Event::Stopping { .. })).unwrap();
    run.arrivals.iter().filter(|arrival| arrival.answered.unwrap() >= stopped).count()
}

#[tokio::test(start_paused = true)]
async fn the_failure_limit_halts_the_run() {
    let script = |seen: SeenRequest| {
        if seen.user.is_multiple_of(10) { FakeReaction::gone() } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(1_000)
        .pace(100.0, 10)
        .jobs(20)
        .halt("fail=5")
        .script(script)
        .play()
        .await;
    assert!(matches!(run.stop(), Some(StopReason::Halt { detail }) if detail.contains("fail=5")));
    // The fiftieth failure stops the run. Ten requests per tenth of a second were in flight after it.
    assert!((50..=75).contains(&run.arrivals.len()), "{}", run.arrivals.len());
    assert!(in_flight_at_stop(&run) > 0);
    assert_eq!(run.settled().count(), run.arrivals.len());
}

#[tokio::test(start_paused = true)]
async fn a_share_of_failures_halts_the_run() {
    let script = |seen: SeenRequest| {
        if seen.user.is_multiple_of(4) { FakeReaction::gone() } else { FakeReaction::done() }
    };
    let halted = DispatchFixture::with_users(1_000).jobs(1).halt("fail=25%").script(script).play().await;
    assert!(matches!(halted.stop(), Some(StopReason::Halt { .. })));
    assert_eq!(halted.arrivals.len(), 20);
    let passes = DispatchFixture::with_users(1_000).jobs(1).halt("fail=26%").script(script).play().await;
    assert_eq!((passes.stop(), passes.arrivals.len()), (None, 1_000));
    let accepted =
        DispatchFixture::with_users(1_000).jobs(1).halt("fail=1").accept(Outcome::NotFound).script(script);
    assert_eq!(accepted.play().await.stop(), None);
}

#[tokio::test(start_paused = true)]
async fn twenty_refusals_and_twenty_elsewhere_stop_the_run() {
    for (jobs, batch) in [(1, 1), (8, 1), (4, 20), (64, 1)] {
        let stage = DispatchFixture::with_users(5_000).jobs(jobs).batch_size(BatchSize::Fixed(batch));
        let run = stage.script(|_| FakeReaction::status(403)).play().await;
        assert!(matches!(run.stop(), Some(StopReason::Permission { .. })), "{jobs}");
        // Users in flight when the first ones were refused come on top.
        let most = 40 + jobs * batch as usize;
        assert!((40..=most).contains(&run.arrivals.len()), "{jobs}: {}", run.arrivals.len());
        assert_eq!(run.outcomes(), [(Outcome::Forbidden, run.arrivals.len())].into());
        // The others are from all over the plan, including its last user.
        let mut far: Vec<TargetNo> = run.arrivals.iter().map(|arrival| arrival.seen.user).collect();
        far.retain(|user| *user > 1_000);
        assert!(far.len() >= 15 && far.contains(&5_000), "{far:?}");
    }
    let script =
        |seen: SeenRequest| if seen.user == 15 { FakeReaction::done() } else { FakeReaction::status(403) };
    let run = DispatchFixture::with_users(500).jobs(8).script(script).play().await;
    assert_eq!((run.stop(), run.arrivals.len()), (None, 500));
}

/// Administrators are refused, wherever they are in the plan, and whether or not they are known to be
/// administrators. All other users are revoked.
#[tokio::test(start_paused = true)]
async fn refused_administrators_do_not_block_other_users() {
    for known in [true, false] {
        for (jobs, batch) in [(1, 1), (8, 1), (64, 20)] {
            for (administrators, users) in [(1..=40, 140), (1..=300, 320), (1..=999, 1_000), (2..=900, 1_000)]
            {
                let range = administrators.clone();
                let mut stage =
                    DispatchFixture::with_users(users).jobs(jobs).batch_size(BatchSize::Fixed(batch));
                if known {
                    stage = stage.administrators(administrators.clone());
                }
                let refuses = move |seen: SeenRequest| range.contains(&seen.user);
                let script =
                    move |seen| if refuses(seen) { FakeReaction::status(403) } else { FakeReaction::done() };
                let run = stage.script(script).play().await;
                assert_eq!(run.stop(), None, "{known}, {jobs}, {batch}, {administrators:?}");
                let refused = administrators.count();
                let expected = [(Outcome::Revoked, users as usize - refused), (Outcome::Forbidden, refused)];
                assert_eq!(run.outcomes(), expected.into());
            }
        }
    }
}

/// Only administrators can be tried, or no other user is left, so each of them is tried.
#[tokio::test(start_paused = true)]
async fn administrators_alone_are_all_sent() {
    let stage = DispatchFixture::with_users(200)
        .jobs(4)
        .administrators(1..=200)
        .script(|_| FakeReaction::status(403));
    let run = stage.play().await;
    assert_eq!((run.stop(), run.outcomes()), (None, [(Outcome::Forbidden, 200)].into()));
}

/// Among many administrators, a few ordinary users are tried first, and their refusal counts.
#[tokio::test(start_paused = true)]
async fn ordinary_users_are_asked_before_administrators() {
    let stage = DispatchFixture::with_users(1_000)
        .jobs(1)
        .administrators(1..=997)
        .script(|_| FakeReaction::status(403));
    let run = stage.play().await;
    assert!(matches!(run.stop(), Some(StopReason::Permission { .. })));
    let users: Vec<TargetNo> = run.arrivals.iter().map(|arrival| arrival.seen.user).collect();
    let mut others = users[20..23].to_vec();
    others.sort_unstable();
    assert_eq!((others, users.len()), (vec![998, 999, 1_000], 40));
}

#[tokio::test(start_paused = true)]
async fn after_a_success_the_plans_order_is_restored() {
    let script =
        |seen: SeenRequest| if seen.user <= 30 { FakeReaction::status(403) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(200).jobs(1).script(script).play().await;
    let users: Vec<TargetNo> = run.arrivals.iter().map(|arrival| arrival.seen.user).collect();
    assert_eq!(users[..20], (1..=20).collect::<Vec<_>>()[..]);
    assert_eq!(users[20], 200);
    assert_eq!(users[21..], (21..=199).collect::<Vec<_>>()[..]);
}

/// A 404 proves neither the permission nor its lack, and a user who has to wait holds up no other.
#[tokio::test(start_paused = true)]
async fn inconclusive_answers_are_skipped() {
    let gone =
        |seen: SeenRequest| if seen.user <= 20 { FakeReaction::status(403) } else { FakeReaction::gone() };
    let run = DispatchFixture::with_users(500).jobs(8).script(gone).play().await;
    assert_eq!(run.stop(), None);
    assert_eq!(run.outcomes(), [(Outcome::NotFound, 480), (Outcome::Forbidden, 20)].into());
    let script = |seen: SeenRequest| match seen.user {
        1..=40 => FakeReaction::status(403),
        41 => FakeReaction::done(),
        _ if seen.attempt > 1 => FakeReaction::done(),
        _ => FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(900.0))),
    };
    let run = DispatchFixture::with_users(100).jobs(64).script(script).play().await;
    assert_eq!(run.stop(), None);
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 60), (Outcome::Forbidden, 40)].into());
    assert!(run.arrived(41)[0] < seconds(10.0), "{:?}", run.arrived(41));
}

#[tokio::test(start_paused = true)]
async fn a_success_of_an_earlier_process_is_proof() {
    let run = DispatchFixture::with_users(300)
        .jobs(8)
        .permitted(0)
        .script(|_| FakeReaction::status(403))
        .play()
        .await;
    assert_eq!((run.stop(), run.outcomes()), (None, [(Outcome::Forbidden, 300)].into()));
    let run = DispatchFixture::with_users(300)
        .jobs(8)
        .accept(Outcome::Forbidden)
        .script(|_| FakeReaction::status(403))
        .play()
        .await;
    assert_eq!((run.stop(), run.outcomes()), (None, [(Outcome::Forbidden, 300)].into()));
}

/// A target that was started but not settled ends with the outcome of its last answer. A target that was
/// never sent has none.
#[tokio::test(start_paused = true)]
async fn interrupted_targets_keep_their_last_outcome() {
    let script = |seen: SeenRequest| match seen.user {
        1 => FakeReaction::throttled(1_000).after(seconds(0.4)),
        2 => FakeReaction::status(500).after(seconds(0.5)),
        3 => FakeReaction::lost(LossKind::TimedOut).after(seconds(0.6)),
        4 => FakeReaction::lost(LossKind::Broken).after(seconds(3.0)),
        5 => FakeReaction::done().after(seconds(3.0)),
        6 => FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(900.0))),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(20)
        .pace(100.0, 10)
        .jobs(6)
        .script(script)
        .interrupt(seconds(2.0), StopReason::Interrupted);
    let run = run.play().await;
    assert_eq!(run.stop(), Some(&StopReason::Interrupted));
    let words: Vec<_> = (1..=6).map(|user| run.outcome(user).unwrap()).collect();
    use Outcome::{Failed, InDoubt, Revoked, ThrottledOut};
    assert_eq!(words, [ThrottledOut, Failed, InDoubt, Failed, Revoked, Failed]);
    assert_eq!(run.outcome(20), None);
    assert_eq!(run.took, seconds(3.0), "waits for what is in flight, and for nothing else");
    let throttled = run.settled().find(|settled| settled.target == 1).unwrap();
    assert_eq!(throttled.throttled_ms, 2_600);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_the_sending_and_waits_for_answers() {
    let script = |_| FakeReaction::done().after(seconds(3.0));
    let run =
        DispatchFixture::with_users(1_000).pace(10.0, 1).script(script).deadline(seconds(10.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert!((100..=101).contains(&run.arrivals.len()), "{}", run.arrivals.len());
    assert!(run.arrivals.iter().all(|arrival| arrival.at() <= seconds(10.0)));
    assert_eq!(run.outcomes(), [(Outcome::Revoked, run.arrivals.len())].into());
    assert!((seconds(12.8)..=seconds(13.0)).contains(&run.took), "{:?}", run.took);
}

#[tokio::test(start_paused = true)]
async fn a_gate_closed_beyond_the_deadline_ends_the_run_at_once() {
    let script =
        |seen: SeenRequest| if seen.user == 5 { FakeReaction::throttled(600) } else { FakeReaction::done() };
    let run =
        DispatchFixture::with_users(100).pace(10.0, 1).script(script).deadline(seconds(300.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert!(run.took < seconds(1.0), "{:?}", run.took);
    assert_eq!(run.outcome(5), Some(Outcome::ThrottledOut));
}

#[tokio::test(start_paused = true)]
async fn a_retry_beyond_the_deadline_keeps_its_word() {
    let script = |seen: SeenRequest| {
        let later = FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(600.0)));
        if seen.user == 5 { later } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(10).script(script).deadline(seconds(300.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 9), (Outcome::Failed, 1)].into());
    assert_eq!(run.took, seconds(300.0));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_with_nothing_left_to_send_is_no_stop() {
    let slow = |_| FakeReaction::done().after(seconds(30.0));
    let run = DispatchFixture::with_users(5).script(slow).deadline(seconds(10.0)).play().await;
    assert!(run.all_revoked(), "{:?}", run.stop());
    assert_eq!(run.took.as_secs(), 30);
    // It still holds for a target that would have to be sent again.
    let script = |seen: SeenRequest| {
        if seen.user == 2 { FakeReaction::status(500).after(seconds(20.0)) } else { FakeReaction::done() }
    };
    let run = DispatchFixture::with_users(5).script(script).deadline(seconds(10.0)).play().await;
    assert!(matches!(run.stop(), Some(StopReason::Deadline { .. })));
    assert_eq!((run.outcome(2), run.arrivals.len()), (Some(Outcome::Failed), 5));
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_ends_the_sending_anywhere() {
    // In the middle of the work, while the gate is closed, while all wait for a retry, and during the first
    // burst.
    let scripts: [fn(SeenRequest) -> FakeReaction; 4] = [
        |_| FakeReaction::done(),
        |seen| if seen.nth == 20 { FakeReaction::throttled(3_600) } else { FakeReaction::done() },
        |_| FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(3_600.0))),
        |_| FakeReaction::done().after(seconds(4.0)),
    ];
    for (index, script) in scripts.into_iter().enumerate() {
        let stage = DispatchFixture::with_users(500).pace(100.0, 10).script(script);
        let run = stage
            .interrupt(seconds(2.0), StopReason::Terminated)
            .interrupt(seconds(2.5), StopReason::Interrupted);
        let run = run.play().await;
        assert_eq!(run.stop(), Some(&StopReason::Terminated), "{index}: the first reason holds");
        let ends = if index == 3 { 4.0..=6.0 } else { 2.0..=2.2 };
        assert!(ends.contains(&run.took.as_secs_f64()), "{index}: {:?}", run.took);
        assert!(run.arrivals.len() < 500);
    }
}
