//! Backoff, tries, order, and jobs.

use super::*;
use crate::dispatch::TargetProgress;
use crate::event::Event;
use crate::graph::LossKind;
use crate::outcome::Outcome;

#[tokio::test(start_paused = true)]
async fn waits_double_with_jitter_and_tries_are_spent() {
    let run = DispatchFixture::with_users(40)
        .pace(1000.0, 100)
        .retries(3)
        .script(|_| FakeReaction::status(500))
        .play()
        .await;
    assert_eq!(run.outcomes(), [(Outcome::Failed, 40)].into());
    let mut waits = vec![Vec::new(); 3];
    for user in 1..=40 {
        let arrived = run.arrived(user);
        assert_eq!(arrived.len(), 4);
        for (nth, pair) in arrived.windows(2).enumerate() {
            waits[nth].push((pair[1] - pair[0] - seconds(0.1)).as_secs_f64());
        }
    }
    for (nth, full) in [0.5, 1.0, 2.0].into_iter().enumerate() {
        let bounds = full * 0.5..=full + 0.1;
        assert!(waits[nth].iter().all(|wait| bounds.contains(wait)), "{nth}: {:?}", waits[nth]);
        let (least, most) =
            waits[nth].iter().fold((f64::MAX, 0_f64), |(a, b), wait| (a.min(*wait), b.max(*wait)));
        assert!(most - least > full * 0.2, "no jitter: {:?}", waits[nth]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_answer_decides_the_word() {
    let script = |seen: SeenRequest| match (seen.user, seen.attempt) {
        (1, _) => FakeReaction::lost(LossKind::TimedOut),
        (2, _) => FakeReaction::lost(LossKind::Broken),
        (3, _) => FakeReaction::lost(LossKind::NotSent),
        (4, 3) => FakeReaction::status(502),
        (4, _) => FakeReaction::lost(LossKind::TimedOut),
        (5, 3) => FakeReaction::done(),
        (5, _) => FakeReaction::status(504),
        (6, 2) => FakeReaction::gone(),
        (6, _) => FakeReaction::lost(LossKind::TimedOut),
        (7, _) => FakeReaction::status(403),
        (8, _) => FakeReaction::status(400),
        // Not from Graph, because Graph's mark is missing.
        (9, _) => FakeReaction::status(204),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(10).retries(2).external(&[10]).script(script).play().await;
    assert_eq!(run.stop(), None);
    let words: Vec<Outcome> = (1..=9).map(|user| run.outcome(user).unwrap()).collect();
    use Outcome::{Failed, Forbidden, InDoubt, NotFound, Rejected, Revoked};
    assert_eq!(words, [InDoubt, Failed, Failed, Failed, Revoked, NotFound, Forbidden, Rejected, Failed]);
    assert_eq!(run.outcome(10), Some(Outcome::AcceptedNoEffect));
    let tries: Vec<usize> = (1..=8).map(|user| run.arrived(user).len()).collect();
    assert_eq!(tries, [3, 3, 3, 3, 3, 2, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_503_gets_a_new_connection_and_its_own_wait_at_least() {
    let script = |seen: SeenRequest| match seen.attempt {
        1 => FakeReaction::status(503).with(|response| response.retry_after = Some(seconds(120.0))),
        2 => FakeReaction::status(500),
        _ => FakeReaction::done(),
    };
    let run = DispatchFixture::with_users(5).script(script).play().await;
    assert!(run.all_revoked());
    for arrival in &run.arrivals {
        assert_eq!(arrival.seen.new_connection, arrival.seen.attempt == 2, "{arrival:?}");
    }
    let arrived = run.arrived(1);
    assert!(arrived[1] - arrived[0] >= seconds(120.1));
    assert!(arrived[2] - arrived[1] <= seconds(1.2), "the wait holds for one try");
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_beside_the_queue_and_then_goes_first() {
    let script =
        |seen: SeenRequest| if seen.nth == 1 { FakeReaction::status(500) } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(100).pace(10.0, 1).script(script).play().await;
    assert!(run.all_revoked());
    // It is sent again after 0.35 s to 0.6 s, between the sixth and the eighth at ten per second.
    let again = run.arrivals.iter().position(|arrival| arrival.seen.attempt == 2).unwrap();
    assert!((4..=7).contains(&again), "{again}");
    let others: Vec<u32> = run.arrivals.iter().map(|arrival| arrival.seen.user).collect();
    let fresh: Vec<u32> =
        others.iter().enumerate().filter(|(at, _)| *at != again).map(|(_, user)| *user).collect();
    assert!(fresh.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn targets_are_sent_in_the_plans_order_and_jobs_are_kept() {
    for jobs in [1, 7, 64] {
        let script =
            |seen: SeenRequest| FakeReaction::done().after(seconds(0.05 + f64::from(seen.user % 5) * 0.1));
        let run =
            DispatchFixture::with_users(500).pace(100_000.0, 1_000).jobs(jobs).script(script).play().await;
        assert!(run.all_revoked());
        assert!(run.arrivals.iter().map(|arrival| arrival.seen.user).is_sorted());
        assert_eq!(run.fake.state().most_in_flight, jobs);
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_breaks_down_costs_one_target() {
    let script =
        |seen: SeenRequest| if seen.user == 4 { FakeReaction::panic() } else { FakeReaction::done() };
    let run = DispatchFixture::with_users(30).script(script).play().await;
    assert_eq!(run.stop(), None);
    assert_eq!(run.outcomes(), [(Outcome::Revoked, 29), (Outcome::InDoubt, 1)].into());
    assert_eq!(run.outcome(4), Some(Outcome::InDoubt));
}

#[tokio::test(start_paused = true)]
async fn a_resumed_run_does_what_is_left_and_counts_on() {
    let work = [2, 5, 9].map(|order| TargetProgress { order, attempts: 3, ..TargetProgress::default() });
    let run = DispatchFixture::with_users(10).work(work.to_vec()).play().await;
    assert!(run.all_revoked());
    let sent: Vec<(u32, u32)> = run
        .journal
        .iter()
        .filter_map(|event| match event {
            Event::Sent(sent) => Some((sent.target, sent.attempt)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(2, 4), (5, 4), (9, 4)]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_plan_ends_at_once() {
    let run = DispatchFixture::with_users(0).deadline(seconds(10.0)).play().await;
    assert!(run.all_revoked() || run.outcomes().is_empty());
    assert_eq!((run.stop(), run.took), (None, seconds(0.0)));
}
