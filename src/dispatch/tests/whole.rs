//! The whole dispatcher compared with the optimum: default settings, 80 ms for each answer. The tables are in
//! `docs/performance.md`, "Pacing".

use std::sync::Mutex;

use super::pacing::driver::Wire;
use super::pacing::model::{Answer, Limiter, RetryAfterStyle, Running};
use super::pacing::oracle::makespan;
use super::pacing::table::WIRE;
use super::quota::TestQuota;
use super::*;
use crate::dispatch::BatchSize;
use crate::graph::HttpResponse;
use crate::simulator::LimitStyle::{FixedWindow, TokenBucket};

/// `auto` for every setting.
fn default_run(users: u32) -> DispatchFixture {
    DispatchFixture::with_users(users).auto().auto_jobs().batch_size(BatchSize::Auto).latency(WIRE.latency)
}

/// A Graph with this limiter.
fn behind(limiter: &Limiter) -> impl Fn(SeenRequest) -> FakeReaction + Send + Sync + 'static {
    let running = Mutex::new(Running::new(limiter));
    move |seen: SeenRequest| match running.lock().unwrap().take(seen.at) {
        Answer::Passed { .. } => FakeReaction::done(),
        Answer::Throttled { retry_after } => {
            FakeReaction::response(HttpResponse { status: 429, retry_after, ..HttpResponse::default() })
        }
    }
}

/// The optimal time for a bucket of `count` in `window` seconds, shared by `senders`.
fn best(count: u32, window: f64, senders: u32, users: u32) -> f64 {
    let wire = Wire { jobs: WIRE.jobs * senders, ..WIRE };
    makespan(&Limiter::new(count, window, TokenBucket, RetryAfterStyle::Whole), &wire, users.into())
}

/// The ratio of makespan to optimum, and the share that was throttled.
#[derive(Debug)]
struct TableCell {
    ratio: f64,
    throttled: f64,
}

impl TableCell {
    fn new(name: &str, run: &FixtureRun, best: f64) -> TableCell {
        assert!(run.all_revoked(), "{name}: {:?}", run.outcomes());
        let cell = TableCell {
            ratio: run.took.as_secs_f64() / best,
            throttled: run.throttles() as f64 / run.arrivals.len() as f64,
        };
        println!(
            "| {name} | {} | {:.1} s | {best:.1} s | {:.3} | {:.2} % |",
            run.asked.len(),
            run.took.as_secs_f64(),
            cell.ratio,
            cell.throttled * 100.0
        );
        assert!(cell.ratio > 0.98, "{name}: faster than the oracle: {cell:?}");
        cell
    }

    fn keeps(&self, name: &str, ratio: f64, throttled: f64) {
        assert!(self.ratio <= ratio && self.throttled <= throttled, "{name}: {self:?}");
    }
}

fn header() {
    println!("| limits | users | took | at best | ratio | throttled |");
    println!("| --- | --- | --- | --- | --- | --- |");
}

/// Rows with many users take a minute or two, so they run only on request.
fn long_runs() -> bool {
    std::env::var_os("LONG_RUNS").is_some()
}

#[tokio::test(start_paused = true)]
async fn one_app() {
    let rows = [
        (
            "bucket of 3,000 in 150 s",
            Limiter::new(3_000, 150.0, TokenBucket, RetryAfterStyle::Whole),
            1.02,
            0.005,
        ),
        (
            "fixed window of 3,000 in 150 s",
            Limiter::new(3_000, 150.0, FixedWindow, RetryAfterStyle::Whole),
            1.02,
            0.005,
        ),
        (
            "bucket of 300 in 15 s, one second",
            Limiter::new(300, 15.0, TokenBucket, RetryAfterStyle::One),
            1.10,
            0.02,
        ),
    ];
    let sizes: &[u32] = if long_runs() { &[1_000, 10_000, 50_000] } else { &[1_000, 10_000] };
    header();
    for (name, limiter, ratio, throttled) in rows {
        for users in sizes {
            let run = default_run(*users).script(behind(&limiter)).play().await;
            TableCell::new(name, &run, makespan(&limiter, &WIRE, (*users).into()))
                .keeps(name, ratio, throttled);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_apps_and_tenants() {
    header();
    three_apps(30_000, false).await;
    if long_runs() {
        three_apps(100_000, false).await;
        three_apps(30_000, true).await;
        three_apps(100_000, true).await;
        twenty_tenants(60_000).await;
    }
}

/// In a tenant with its documented limit. `each` means that each app has its own limit, too.
async fn three_apps(users: u32, each: bool) {
    let stage = default_run(users).apps(3).tenant_quota(TestQuota::bucket(18_000.0, 300.0));
    let of_tenant = best(18_000, 300.0, 3, users);
    let (name, stage, best) = if each {
        let best = best(3_000, 150.0, 1, users / 3).max(of_tenant);
        ("three apps, the tenant's limit and their own", stage.quota(TestQuota::bucket(3_000.0, 150.0)), best)
    } else {
        ("three apps, the tenant's limit", stage, of_tenant)
    };
    TableCell::new(name, &stage.play().await, best).keeps(name, 1.02, 0.005);
}

async fn twenty_tenants(users: u32) {
    let name = "one app over twenty tenants";
    let stage = default_run(users).tenants(20).quota(TestQuota::bucket(3_000.0, 150.0));
    let run = stage.app_quota(TestQuota::bucket(35_000.0, 300.0)).play().await;
    TableCell::new(name, &run, best(35_000, 300.0, 20, users)).keeps(name, 1.02, 0.005);
    // The limit is shared fairly: all have the same work, and none ends long before another.
    let ends: Vec<f64> = (0..20).map(|tenant| run.last_answer(tenant).as_secs_f64()).collect();
    let (first, last) =
        ends.iter().fold((f64::MAX, 0.0_f64), |(first, last), end| (first.min(*end), last.max(*end)));
    println!("Its first tenant ends after {first:.1} s, its last after {last:.1} s.");
    assert!(first > last * 0.98, "{ends:?}");
}
