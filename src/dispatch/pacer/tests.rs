//! The pacer alone, under tokio's paused clock.

use std::time::Duration;

use tokio::time::{Instant, advance, sleep_until};

use super::{Pacer, PacerDecision, Permit};
use crate::dispatch::RatePolicy;

const SECOND: Duration = Duration::from_secs(1);
const MOMENT: Duration = Duration::from_millis(1);

fn pacer(per_second: f64, burst: u32) -> Pacer {
    Pacer::new(RatePolicy::fixed(per_second, burst), 1_000_000)
}

fn go(pacer: &mut Pacer) -> Permit {
    assert_eq!(pacer.permit(1), PacerDecision::Go(1));
    pacer.depart(1)
}

/// Waits until the next request may leave, and sends it.
async fn next(pacer: &mut Pacer) -> Permit {
    while let PacerDecision::NotBefore(at) = pacer.permit(1) {
        sleep_until(at).await;
    }
    go(pacer)
}

/// Sends requests for `time`, each of which passes at once, and returns how many.
async fn leave_for(pacer: &mut Pacer, time: Duration) -> u32 {
    let end = Instant::now() + time;
    let mut left = 0;
    loop {
        match pacer.permit(1) {
            PacerDecision::Go(_) => {
                let departure = pacer.depart(1);
                pacer.passed(&departure, None);
                left += 1;
            }
            PacerDecision::NotBefore(at) if at <= end => sleep_until(at).await,
            _ => return left,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fixed_pace_is_a_burst_and_then_even() {
    let mut pacer = pacer(20.0, 100);
    assert_eq!(leave_for(&mut pacer, Duration::ZERO).await, 100);
    assert_eq!(leave_for(&mut pacer, 10 * SECOND).await, 200);
}

#[tokio::test(start_paused = true)]
async fn a_permit_counts_nothing_and_gives_no_more_than_there_is() {
    let mut pacer = pacer(20.0, 7);
    for _ in 0..3 {
        assert_eq!(pacer.permit(20), PacerDecision::Go(7));
        assert_eq!(pacer.permit(5), PacerDecision::Go(5));
    }
    pacer.depart(5);
    assert_eq!(pacer.permit(20), PacerDecision::Go(2));
}

#[tokio::test(start_paused = true)]
async fn a_429_closes_the_gate_for_all_until_its_instant() {
    let mut pacer = pacer(20.0, 100);
    let departure = go(&mut pacer);
    let until = pacer.throttled(&departure, Some(10 * SECOND));
    assert_eq!(until, Instant::now() + 10 * SECOND);
    assert_eq!((pacer.closed_until(), pacer.asked_until()), (Some(until), Some(until)));
    assert_eq!(pacer.permit(1), PacerDecision::NotBefore(until));
    advance(10 * SECOND - MOMENT).await;
    assert_eq!(pacer.permit(1), PacerDecision::NotBefore(until));
    advance(MOMENT).await;
    assert_eq!(pacer.permit(20), PacerDecision::Go(1), "one probe, not a batch");
    let probe = pacer.depart(1);
    assert_eq!(pacer.permit(1), PacerDecision::AfterAnswer);
    assert!(pacer.passed(&probe, None));
    assert_eq!((pacer.permit(1), pacer.closed_until()), (PacerDecision::Go(1), None));
}

#[tokio::test(start_paused = true)]
async fn the_instant_is_only_raised_and_no_straggler_opens_the_gate() {
    let mut pacer = pacer(20.0, 100);
    let early = [go(&mut pacer), go(&mut pacer), go(&mut pacer)];
    let until = pacer.throttled(&early[0], Some(30 * SECOND));
    assert_eq!(pacer.throttled(&early[1], Some(SECOND)), until);
    assert!(!pacer.passed(&early[2], None));
    assert_eq!(pacer.permit(1), PacerDecision::NotBefore(until));
    pacer.close(until - SECOND);
    assert_eq!(pacer.closed_until(), Some(until));
    sleep_until(until).await;
    let late = early[2];
    let probe = go(&mut pacer);
    // A 429 that was under way raises it once more; the probe's own success no longer opens it.
    let raised = pacer.throttled(&late, Some(5 * SECOND));
    assert!(!pacer.passed(&probe, None));
    assert_eq!(pacer.permit(1), PacerDecision::NotBefore(raised));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_probe_waits_longer_and_never_shorter_than_asked() {
    let mut pacer = pacer(20.0, 1);
    let mut departure = go(&mut pacer);
    pacer.throttled(&departure, Some(MOMENT));
    let mut waits = Vec::new();
    for _ in 0..12 {
        sleep_until(pacer.closed_until().unwrap()).await;
        departure = next(&mut pacer).await;
        waits.push(pacer.throttled(&departure, Some(SECOND)) - Instant::now());
    }
    assert!(waits.is_sorted() && waits[0] >= SECOND, "{waits:?}");
    assert!(waits[11] > 4 * SECOND && waits[11] <= 15 * SECOND, "{waits:?}");
    sleep_until(pacer.closed_until().unwrap()).await;
    departure = next(&mut pacer).await;
    assert_eq!(pacer.throttled(&departure, Some(3_600 * SECOND)) - Instant::now(), 3_600 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_429_without_a_wait_is_no_invitation() {
    for silent in [None, Some(Duration::ZERO)] {
        let mut pacer = pacer(20.0, 1);
        let departure = go(&mut pacer);
        assert_eq!(pacer.throttled(&departure, silent) - Instant::now(), SECOND / 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_probe_is_followed_by_another() {
    let mut pacer = pacer(20.0, 10);
    let departure = go(&mut pacer);
    let until = pacer.throttled(&departure, Some(SECOND));
    sleep_until(until).await;
    let probe = go(&mut pacer);
    assert_eq!(pacer.permit(1), PacerDecision::AfterAnswer);
    pacer.on_lost(&probe);
    next(&mut pacer).await;
    assert_eq!(pacer.permit(1), PacerDecision::AfterAnswer);
}

#[tokio::test(start_paused = true)]
async fn an_episode_cuts_a_fixed_pace_once_and_quiet_brings_it_back() {
    let mut pacer = pacer(100.0, 1_000);
    let departures: Vec<Permit> = (0..50).map(|_| go(&mut pacer)).collect();
    advance(80 * MOMENT).await;
    let until = departures.iter().map(|one| pacer.throttled(one, Some(SECOND))).max().unwrap();
    sleep_until(until).await;
    let probe = go(&mut pacer);
    assert!(pacer.passed(&probe, None));
    let first = leave_for(&mut pacer, 4 * SECOND).await;
    assert!((250..=400).contains(&first), "70 a second and what came in meanwhile: {first}");
    leave_for(&mut pacer, 60 * SECOND).await;
    let later = leave_for(&mut pacer, 10 * SECOND).await;
    assert!((990..=1_010).contains(&later), "what was asked for, and never more: {later}");
}

#[tokio::test(start_paused = true)]
async fn a_warning_takes_the_burst_away() {
    let mut pacer = pacer(20.0, 1_000);
    let departure = go(&mut pacer);
    pacer.passed(&departure, Some(0.92));
    let left = leave_for(&mut pacer, 10 * SECOND).await;
    assert!((195..=205).contains(&left), "{left}");
    let swarm: Vec<Permit> = vec![next(&mut pacer).await];
    for _ in 0..50 {
        pacer.passed(&swarm[0], Some(1.2));
    }
    let left = leave_for(&mut pacer, 4 * SECOND).await;
    assert!((54..=62).contains(&left), "a swarm of warnings counts once: {left}");
}

#[tokio::test(start_paused = true)]
async fn a_warning_that_comes_early_shows_a_smaller_quota() {
    let mut pacer = Pacer::new(RatePolicy::app_in_tenant(1.0), 100_000);
    for _ in 0..240 {
        let departure = go(&mut pacer);
        pacer.passed(&departure, Some(0.8));
    }
    // 240 are 0.8 of the quota, so 60 are left. Then only few are in flight.
    let mut flight = 0;
    while let PacerDecision::Go(_) = pacer.permit(1) {
        pacer.depart(1);
        flight += 1;
    }
    assert!(flight <= 61, "{flight}");
}

#[tokio::test(start_paused = true)]
async fn unproven_ground_bears_few_at_a_time_in_auto_and_as_many_as_asked_for_in_a_fixed_rate() {
    for (pace, most) in [(RatePolicy::app_in_tenant(1.0), 16), (RatePolicy::fixed(1_000.0, 500), 500)] {
        let mut pacer = Pacer::new(pace, 900);
        let PacerDecision::Go(first) = pacer.permit(1_000) else { panic!("nothing may leave") };
        assert_eq!(first, most);
    }
    let mut large = Pacer::new(RatePolicy::app_in_tenant(1.0), 60_000);
    assert_eq!(large.permit(1_000), PacerDecision::Go(1_000));
    large.depart(1_000);
    assert_eq!(large.permit(1), PacerDecision::AfterAnswer);
}

#[tokio::test(start_paused = true)]
async fn a_pacer_without_a_pace_is_only_a_gate() {
    let mut pacer = Pacer::new(RatePolicy::gate(), 1_000);
    for _ in 0..500 {
        assert_eq!(pacer.permit(20), PacerDecision::Go(20));
        pacer.depart(20);
    }
    let departure = pacer.depart(1);
    let until = pacer.throttled(&departure, Some(9 * SECOND));
    assert_eq!(pacer.permit(20), PacerDecision::NotBefore(until));
    sleep_until(until).await;
    let probe = go(&mut pacer);
    assert!(pacer.passed(&probe, None));
    assert_eq!(pacer.permit(20), PacerDecision::Go(20), "nothing but the gate");
    assert_eq!(pacer.forecast(1_000), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn each_user_of_a_batch_is_reported_by_itself() {
    let mut pacer = pacer(1.0, 100);
    assert_eq!(pacer.permit(20), PacerDecision::Go(20));
    let batch = pacer.depart(20);
    for _ in 0..17 {
        assert!(!pacer.passed(&batch, None));
    }
    let first = pacer.throttled(&batch, Some(2 * SECOND));
    let second = pacer.throttled(&batch, Some(5 * SECOND));
    assert_eq!(second - first, 3 * SECOND);
    pacer.on_lost(&batch);
    sleep_until(second).await;
    let probe = go(&mut pacer);
    assert!(pacer.passed(&probe, None), "one episode, one probe");
}

#[tokio::test(start_paused = true)]
async fn a_burst_that_was_asked_for_is_kept_in_auto_too() {
    let pace = RatePolicy { burst: 50, ..RatePolicy::app_in_tenant(1.0) };
    let mut pacer = Pacer::new(pace, 100_000);
    assert_eq!(leave_for(&mut pacer, Duration::ZERO).await, 50);
    let left = leave_for(&mut pacer, 5 * SECOND).await;
    assert!((98..=101).contains(&left), "{left}");
}
