//! Drives a pacer against a limiter, with a maximum number of requests in flight, each with its latency. Time
//! is virtual, so a run of hours takes moments.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

use super::model::{Answer, Limiter, Running};
use crate::dispatch::{Pacer, PacerDecision, Permit, RatePolicy};

/// The network to the server and back.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch::tests) struct Wire {
    pub(in crate::dispatch::tests) jobs: u32,
    /// The round trip, in seconds.
    pub(in crate::dispatch::tests) latency: f64,
    /// The jitter: up to this many seconds more or less.
    pub(in crate::dispatch::tests) jitter: f64,
}

/// The result of a run.
#[derive(Debug, Default)]
pub(super) struct DriverResult {
    pub(super) seconds: f64,
    pub(super) sent: u64,
    pub(super) throttled: u64,
    pub(super) passed: u64,
    /// Seconds since the start, users answered, and the forecast of the pacer in seconds.
    pub(super) forecasts: Vec<(f64, u64, f64)>,
}

impl DriverResult {
    pub(super) fn wasted(&self) -> f64 {
        self.throttled as f64 / self.sent.max(1) as f64
    }

    /// The worst error of a forecast, as a share of the remaining time, between a tenth of the users and nine
    /// tenths.
    pub(super) fn misjudged(&self, users: u64) -> f64 {
        let off = |(at, done, ahead): &(f64, u64, f64)| {
            let truth = self.seconds - at;
            let within = *done * 10 >= users && *done * 10 <= users * 9;
            if within { (ahead - truth).abs() / truth.max(1.0) } else { 0.0 }
        };
        self.forecasts.iter().map(off).fold(0.0, f64::max)
    }
}

enum DriverEvent {
    Arrives,
    Answered(Answer),
}

/// Sends this many users.
pub(super) fn run(limiter: &Limiter, wire: &Wire, pace: RatePolicy, users: u64, seed: u64) -> DriverResult {
    let origin = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut half = move || {
        let off = wire.jitter * (random.f64() - 0.5);
        Duration::from_secs_f64((wire.latency / 2.0 + off).max(0.0005))
    };
    let mut pacer = Pacer::new_at(pace, users, origin);
    let mut server = Running::new(limiter);
    let mut on_the_way: BinaryHeap<Reverse<(Duration, u64)>> = BinaryHeap::new();
    let mut requests: Vec<Option<(Permit, DriverEvent)>> = Vec::new();
    let (mut now, mut left, mut flight) = (Duration::ZERO, users, 0);
    let mut ran = DriverResult::default();
    let part = (users / 200).max(1);
    while ran.passed < users {
        assert!(now < Duration::from_secs(100 * 86_400), "it never ends: {limiter:?}");
        let mut wake = None;
        while flight < wire.jobs && left > 0 {
            match pacer.permit_at(1, origin + now) {
                PacerDecision::Go(users) => {
                    assert_eq!(users, 1);
                    let departure = pacer.depart_at(1, origin + now);
                    (left, flight, ran.sent) = (left - 1, flight + 1, ran.sent + 1);
                    on_the_way.push(Reverse((now + half(), requests.len() as u64)));
                    requests.push(Some((departure, DriverEvent::Arrives)));
                }
                PacerDecision::NotBefore(at) => {
                    assert!(at > origin + now, "an instant that has passed");
                    // Timers have a resolution of a millisecond.
                    let at = (at - origin).as_nanos().div_ceil(1_000_000) as u64;
                    wake = Some(Duration::from_millis(at));
                    break;
                }
                PacerDecision::AfterAnswer => {
                    assert!(flight > 0, "nothing is in flight to wait for");
                    break;
                }
            }
        }
        let next = on_the_way.peek().map(|Reverse((at, _))| *at);
        let next = match (next, wake) {
            (Some(event), Some(wake)) if wake < event => None,
            (Some(event), _) => Some(event),
            (None, Some(_)) => None,
            (None, None) => panic!("nothing will ever happen"),
        };
        let Some(_) = next else {
            now = wake.unwrap_or(now).max(now);
            continue;
        };
        let Some(Reverse((at, id))) = on_the_way.pop() else { unreachable!() };
        now = at;
        let (departure, what) = requests[id as usize].take().unwrap();
        match what {
            DriverEvent::Arrives => {
                let answer = server.take(now);
                on_the_way.push(Reverse((now + half(), id)));
                requests[id as usize] = Some((departure, DriverEvent::Answered(answer)));
            }
            DriverEvent::Answered(Answer::Passed { used }) => {
                pacer.passed_at(&departure, used, origin + now);
                (flight, ran.passed) = (flight - 1, ran.passed + 1);
                if ran.passed % part == 0 {
                    let ahead = pacer.forecast_at(left + u64::from(flight), origin + now).as_secs_f64();
                    ran.forecasts.push((now.as_secs_f64(), ran.passed, ahead));
                }
            }
            DriverEvent::Answered(Answer::Throttled { retry_after }) => {
                let until = pacer.throttled_at(&departure, retry_after, origin + now);
                assert!(until >= origin + now + retry_after.unwrap_or_default(), "Retry-After was cut short");
                (flight, left, ran.throttled) = (flight - 1, left + 1, ran.throttled + 1);
            }
        }
    }
    ran.seconds = now.as_secs_f64();
    ran
}
