//! The table of `docs/performance.md`.

use super::driver::{Wire, run};
use super::model::{Limiter, Says};
use super::oracle::makespan;
use crate::dispatch::Pace;
use crate::simulator::Style::{FixedWindow, SlidingWindow, StrictBucket, TokenBucket};

/// What the table is made over.
pub(super) const WIRE: Wire = Wire { jobs: 16, latency: 0.08, jitter: 0.02 };

const RUNS: [u64; 3] = [1_000, 10_000, 100_000];

pub(super) fn rows() -> Vec<(&'static str, Limiter)> {
    let l = Limiter::new;
    vec![
        ("token bucket, Retry-After exact", l(3_000, 150.0, TokenBucket, Says::Whole)),
        ("— decimal", l(3_000, 150.0, TokenBucket, Says::Decimal)),
        ("— one second", l(3_000, 150.0, TokenBucket, Says::One)),
        ("— too short", l(3_000, 150.0, TokenBucket, Says::Half)),
        ("— missing", l(3_000, 150.0, TokenBucket, Says::Nothing)),
        ("— with x-ms-throttle-limit-percentage", l(3_000, 150.0, TokenBucket, Says::Whole).warning()),
        ("strict bucket, Retry-After exact", l(3_000, 150.0, StrictBucket, Says::Whole)),
        ("— decimal", l(3_000, 150.0, StrictBucket, Says::Decimal)),
        ("— one second", l(3_000, 150.0, StrictBucket, Says::One)),
        ("— too short", l(3_000, 150.0, StrictBucket, Says::Half)),
        ("— missing", l(3_000, 150.0, StrictBucket, Says::Nothing)),
        ("fixed window, Retry-After exact", l(3_000, 150.0, FixedWindow, Says::Whole)),
        ("— decimal", l(3_000, 150.0, FixedWindow, Says::Decimal)),
        ("— one second", l(3_000, 150.0, FixedWindow, Says::One)),
        ("— too short", l(3_000, 150.0, FixedWindow, Says::Half)),
        ("— missing", l(3_000, 150.0, FixedWindow, Says::Nothing)),
        ("sliding window, Retry-After exact", l(3_000, 150.0, SlidingWindow, Says::Whole)),
        ("— decimal", l(3_000, 150.0, SlidingWindow, Says::Decimal)),
        ("— one second", l(3_000, 150.0, SlidingWindow, Says::One)),
        ("— too short", l(3_000, 150.0, SlidingWindow, Says::Half)),
        ("— missing", l(3_000, 150.0, SlidingWindow, Says::Nothing)),
        ("token bucket, 300 per 15 s, one second", l(300, 15.0, TokenBucket, Says::One)),
        ("token bucket, 1,000 per 150 s", l(1_000, 150.0, TokenBucket, Says::Whole)),
        ("token bucket, 6,000 per 150 s", l(6_000, 150.0, TokenBucket, Says::Whole)),
        ("strict bucket, 300 per 15 s, one second", l(300, 15.0, StrictBucket, Says::One)),
        ("strict bucket, 1,000 per 150 s", l(1_000, 150.0, StrictBucket, Says::Whole)),
        ("strict bucket, 6,000 per 150 s", l(6_000, 150.0, StrictBucket, Says::Whole)),
        ("fixed window, 300 per 15 s, one second", l(300, 15.0, FixedWindow, Says::One)),
        ("fixed window, 1,000 per 150 s", l(1_000, 150.0, FixedWindow, Says::Whole)),
        ("fixed window, 6,000 per 150 s", l(6_000, 150.0, FixedWindow, Says::Whole)),
        ("sliding window, 300 per 15 s, one second", l(300, 15.0, SlidingWindow, Says::One)),
        ("sliding window, 1,000 per 150 s", l(1_000, 150.0, SlidingWindow, Says::Whole)),
        ("sliding window, 6,000 per 150 s", l(6_000, 150.0, SlidingWindow, Says::Whole)),
        ("token bucket, half eaten", l(3_000, 150.0, TokenBucket, Says::Whole).half_eaten()),
        ("strict bucket, half eaten", l(3_000, 150.0, StrictBucket, Says::Whole).half_eaten()),
        ("fixed window, half eaten", l(3_000, 150.0, FixedWindow, Says::Whole).half_eaten()),
        ("sliding window, half eaten", l(3_000, 150.0, SlidingWindow, Says::Whole).half_eaten()),
        (
            "token bucket, a third from 200 s on",
            l(3_000, 150.0, TokenBucket, Says::Whole).changes(200.0, 1_000),
        ),
        (
            "token bucket, thrice from 200 s on",
            l(1_000, 150.0, TokenBucket, Says::Whole).changes(200.0, 3_000),
        ),
        (
            "strict bucket, a third from 200 s on",
            l(3_000, 150.0, StrictBucket, Says::Whole).changes(200.0, 1_000),
        ),
        (
            "strict bucket, thrice from 200 s on",
            l(1_000, 150.0, StrictBucket, Says::Whole).changes(200.0, 3_000),
        ),
        (
            "fixed window, a third from 200 s on",
            l(3_000, 150.0, FixedWindow, Says::Whole).changes(200.0, 1_000),
        ),
        (
            "fixed window, thrice from 200 s on",
            l(1_000, 150.0, FixedWindow, Says::Whole).changes(200.0, 3_000),
        ),
        (
            "sliding window, a third from 200 s on",
            l(3_000, 150.0, SlidingWindow, Says::Whole).changes(200.0, 1_000),
        ),
        (
            "sliding window, thrice from 200 s on",
            l(1_000, 150.0, SlidingWindow, Says::Whole).changes(200.0, 3_000),
        ),
    ]
}

#[test]
fn table() {
    println!("| limiter | 1,000 users | 10,000 users | 100,000 users |");
    println!("| --- | --- | --- | --- |");
    for (name, limiter) in rows() {
        let cells = RUNS.map(|users| {
            let (ran, best) =
                (run(&limiter, &WIRE, Pace::app_in_tenant(1.0), users, 1), makespan(&limiter, &WIRE, users));
            let ratio = ran.seconds / best;
            let miss = if ratio > 1.10 || ran.wasted() > 0.02 { "!!" } else { "" };
            format!("{ratio:.3}, {:.2} % f{:.2} {miss}", ran.wasted() * 100.0, ran.misjudged(users))
        });
        println!("| {name} | {} | {} | {} |", cells[0], cells[1], cells[2]);
    }
}

#[test]
fn debug() {
    let l = Limiter::new;
    for (limiter, users) in [
        (l(300, 15.0, SlidingWindow, Says::One), 1_000),
        (l(300, 15.0, SlidingWindow, Says::One), 100_000),
        (l(3_000, 150.0, SlidingWindow, Says::Nothing), 100_000),
    ] {
        let ran = run(&limiter, &WIRE, Pace::app_in_tenant(1.0), users, 1);
        println!("{limiter:?} {} best {}", ran.seconds, makespan(&limiter, &WIRE, users));
        println!("{:.2?}", &ran.throttles[..ran.throttles.len().min(60)]);
        for (at, done, ahead) in ran.forecasts.iter().step_by(40) {
            println!("{at:.1} {done} ahead {ahead:.1} truth {:.1}", ran.seconds - at);
        }
    }
}
