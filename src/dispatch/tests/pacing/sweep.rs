//! Random limiters, which are not in the table.

use super::driver::{Wire, run};
use super::model::{Limiter, RetryAfterStyle};
use super::oracle::makespan;
use crate::dispatch::RatePolicy;
use crate::simulator::LimitStyle;

const LIMITERS: u64 = 300;

struct SweepCase {
    limiter: Limiter,
    wire: Wire,
    users: u64,
}

fn pick<T: Copy>(random: &mut fastrand::Rng, of: &[T]) -> T {
    of[random.usize(..of.len())]
}

/// From `least` to `most`, where each order of magnitude is equally likely.
fn between(random: &mut fastrand::Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(random.f64())
}

fn case(seed: u64) -> SweepCase {
    let random = &mut fastrand::Rng::with_seed(seed);
    let style = pick(
        random,
        &[
            LimitStyle::TokenBucket,
            LimitStyle::FixedWindow,
            LimitStyle::SlidingWindow,
            LimitStyle::StrictBucket,
        ],
    );
    let says = pick(
        random,
        &[
            RetryAfterStyle::Whole,
            RetryAfterStyle::Decimal,
            RetryAfterStyle::One,
            RetryAfterStyle::Half,
            RetryAfterStyle::Nothing,
        ],
    );
    let seconds = between(random, 10.0, 300.0).round();
    let per_second = between(random, 2.0, 120.0);
    let limiter = Limiter::new((per_second * seconds).max(20.0) as u32, seconds, style, says);
    let mut limiter = limiter.phase(seconds * random.f64());
    if random.u8(..5) == 0 {
        limiter = limiter.half_eaten();
    }
    if random.u8(..5) == 0 {
        limiter = limiter.warning();
    }
    let latency = between(random, 0.02, 0.4);
    let wire = Wire { jobs: pick(random, &[8, 16, 32, 64]), latency, jitter: latency * 0.25 * random.f64() };
    SweepCase { limiter, wire, users: between(random, 2_000.0, 50_000.0) as u64 }
}

/// The median and the 90th percentile.
fn middle_and_ninth(mut of: Vec<f64>) -> (f64, f64) {
    of.sort_by(f64::total_cmp);
    (of[of.len() / 2], of[of.len() * 9 / 10])
}

#[test]
fn limiters_at_random() {
    let (mut ratios, mut wasted) = (Vec::new(), Vec::new());
    for seed in 0..LIMITERS {
        let SweepCase { limiter, wire, users } = case(seed);
        let ran = run(&limiter, &wire, RatePolicy::app_in_tenant(1.0), users, seed);
        let best = makespan(&limiter, &wire, users);
        assert_eq!(ran.passed, users);
        let ratio = ran.seconds / best;
        assert!(ratio <= 2.3, "{seed}: {ratio}, {limiter:?}, {wire:?}, {users} users");
        assert!(
            ran.wasted() <= 0.06,
            "{seed}: {} wasted, {limiter:?}, {wire:?}, {users} users",
            ran.wasted()
        );
        ratios.push(ratio);
        wasted.push(ran.wasted());
    }
    let ((ratio, ninth), (waste, ninth_waste)) = (middle_and_ninth(ratios), middle_and_ninth(wasted));
    println!(
        "{LIMITERS} limiters: makespan to optimum {ratio:.3} in the median, {ninth:.3} for nine of ten;"
    );
    println!("throttled {:.2} % in the median, {:.2} % for nine of ten", waste * 100.0, ninth_waste * 100.0);
    assert!(ratio <= 1.01 && ninth <= 1.10, "{ratio}, {ninth}");
    assert!(waste <= 0.006 && ninth_waste <= 0.025, "{waste}, {ninth_waste}");
}
