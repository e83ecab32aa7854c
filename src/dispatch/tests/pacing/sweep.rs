//! Limiters at random: what no table thought of.

use super::driver::{Ran, Wire, run};
use super::model::{Limiter, Says};
use super::oracle::makespan;
use crate::dispatch::Pace;
use crate::simulator::Style;

const LIMITERS: u64 = 300;

struct Case {
    limiter: Limiter,
    wire: Wire,
    users: u64,
}

fn pick<T: Copy>(random: &mut fastrand::Rng, of: &[T]) -> T {
    of[random.usize(..of.len())]
}

/// From `least` to `most`, each order of magnitude as likely as the others.
fn between(random: &mut fastrand::Rng, least: f64, most: f64) -> f64 {
    least * (most / least).powf(random.f64())
}

fn case(seed: u64) -> Case {
    let random = &mut fastrand::Rng::with_seed(seed);
    let style =
        pick(random, &[Style::TokenBucket, Style::FixedWindow, Style::SlidingWindow, Style::StrictBucket]);
    let says = pick(random, &[Says::Whole, Says::Decimal, Says::One, Says::Half, Says::Nothing]);
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
    Case { limiter, wire, users: between(random, 2_000.0, 50_000.0) as u64 }
}

struct Found {
    seed: u64,
    case: Case,
    ran: Ran,
    ratio: f64,
    /// Seconds behind the optimum.
    behind: f64,
}

fn find(seed: u64) -> Found {
    let case = case(seed);
    let t0 = std::time::Instant::now();
    if std::env::var("V").is_ok() {
        println!("seed {seed} {:?} {:?} {}", case.limiter, case.wire, case.users);
    }
    let ran = run(&case.limiter, &case.wire, Pace::app_in_tenant(1.0), case.users, seed);
    let t1 = t0.elapsed();
    if std::env::var("V").is_ok() {
        println!("ran {seed} {} {}", ran.sent, ran.seconds);
    }
    let best = makespan(&case.limiter, &case.wire, case.users);
    if t0.elapsed().as_millis() > 100 {
        println!(
            "SLOW {seed} {t1:?} {:?} {:?} sent {} {:?} {}",
            t0.elapsed(),
            case.limiter,
            ran.sent,
            case.wire,
            case.users
        );
    }
    Found { seed, ratio: ran.seconds / best, behind: ran.seconds - best, case, ran }
}

#[test]
fn limiters_at_random() {
    let mut found: Vec<Found> = (0..LIMITERS).map(find).collect();
    found.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    for worst in found.iter().rev().take(25) {
        println!(
            "{}: {:.3} {:.1}s {:.2} % of {} in {:.0}s: {:?} {:?}",
            worst.seed,
            worst.ratio,
            worst.behind,
            worst.ran.wasted() * 100.0,
            worst.case.users,
            worst.ran.seconds,
            worst.case.limiter,
            worst.case.wire
        );
    }
    println!(
        "median ratio {:.4}, 90 % {:.4}, 95 % {:.4}",
        found[150].ratio, found[270].ratio, found[285].ratio
    );
    found.sort_by(|a, b| a.ran.wasted().total_cmp(&b.ran.wasted()));
    for worst in found.iter().rev().take(15) {
        println!(
            "{}: {:.3} {:.2} % of {}: {:?} {:?}",
            worst.seed,
            worst.ratio,
            worst.ran.wasted() * 100.0,
            worst.case.users,
            worst.case.limiter,
            worst.case.wire
        );
    }
    println!(
        "median waste {:.3} %, 90 % {:.3}, 95 % {:.3}",
        found[150].ran.wasted() * 100.0,
        found[270].ran.wasted() * 100.0,
        found[285].ran.wasted() * 100.0
    );
}

#[test]
fn one() {
    for seed in [290, 267, 149, 274] {
        let f = find(seed);
        println!("{seed}: {:?} {:?}", f.case.limiter, f.case.wire);
        println!("{:.1?}", &f.ran.throttles[..f.ran.throttles.len().min(90)]);
        for (at, done, ahead) in f.ran.forecasts.iter().step_by(20) {
            println!("{at:.1} {done} ahead {ahead:.1} truth {:.1}", f.ran.seconds - at);
        }
    }
}
