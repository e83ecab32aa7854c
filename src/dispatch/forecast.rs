//! How long the rest of a run will take: as long as its pacers make it, or its answers where these are what is slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::Lane;
use super::pacer::Pacer;
use super::shared::AppWideLimits;
use crate::graph::Graph;

/// So often a forecast is made, for each hundred lanes.
const EVERY: Duration = Duration::from_millis(250);

/// Says nothing yet.
const UNKNOWN: u64 = u64::MAX;

/// Of so many answers on, their number tells how many requests a user takes.
const TELLING: u64 = 50;

/// The time that is left, for whoever shows it. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Forecast {
    began: Instant,
    /// When it will be over, in milliseconds from `began`.
    over: Arc<AtomicU64>,
    due: Option<Instant>,
    /// Something happened since the last one.
    stale: bool,
}

impl Default for Forecast {
    fn default() -> Forecast {
        Forecast { began: Instant::now(), over: Arc::new(AtomicU64::new(UNKNOWN)), due: None, stale: true }
    }
}

impl Forecast {
    /// The time until the last answer, as far as it is known now; none before the first forecast.
    pub fn remaining(&self) -> Option<Duration> {
        let over = self.over.load(Ordering::Relaxed);
        let over = (over != UNKNOWN).then(|| Duration::from_millis(over))?;
        Some(over.saturating_sub(self.began.elapsed()))
    }

    /// Whether one is to be made now; if not, it is to be made later.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.stale = true;
        self.due.is_none_or(|due| now >= due)
    }

    /// When the next one is to be made, if anything happened since the last.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.filter(|_| self.stale)
    }

    pub(super) fn publish(&mut self, now: Instant, left: Duration, lanes: usize) {
        let pause = EVERY.saturating_mul(1 + u32::try_from(lanes / 100).unwrap_or(u32::MAX));
        self.stale = false;
        self.due = now.checked_add(pause);
        let over = now.saturating_duration_since(self.began).saturating_add(left);
        self.over.store(u64::try_from(over.as_millis()).unwrap_or(UNKNOWN - 1), Ordering::Relaxed);
    }
}

/// The time until the last answer of all lanes: the slowest lane's, or what an app over all tenants needs.
pub(super) fn forecast_all<G: Graph>(lanes: &[Lane<G>], shared: &AppWideLimits) -> Duration {
    let mut together = vec![0; shared.pacers().len()];
    let mut longest = Duration::ZERO;
    for lane in lanes.iter().filter(|lane| lane.stop.is_none()) {
        let requests = requests(lane);
        longest = longest.max(forecast_lane(lane, requests));
        // Work flows to any of a lane's apps; where they differ in reach, the first one stands for all.
        if let Some(app) = lane.working().find_map(|at| lane.senders[at].everywhere) {
            together[app.0] += requests;
        }
    }
    let apps = shared.pacers().zip(together).map(|(pacer, requests)| forecast_pacer(pacer, requests));
    apps.max().unwrap_or_default().max(longest)
}

/// Requests that the waiting users will take, as far as those who are settled tell.
fn requests<G: Graph>(lane: &Lane<G>) -> u64 {
    let users = lane.queue.len();
    if lane.settled < TELLING {
        return users;
    }
    (users as f64 * lane.answered as f64 / lane.settled as f64).round() as u64
}

fn forecast_lane<G: Graph>(lane: &Lane<G>, requests: u64) -> Duration {
    if requests == 0 {
        return lane.width.latency();
    }
    let limits = forecast_apps(lane, requests).max(forecast_pacer(&lane.pacer, requests));
    let answers = match lane.width.carries() {
        Some(per_second) => {
            Duration::try_from_secs_f64(requests as f64 / per_second).unwrap_or(Duration::MAX)
        }
        None => Duration::ZERO,
    };
    // The last answer still has to come.
    limits.max(answers.saturating_add(closed(lane))).saturating_add(lane.width.latency())
}

/// How long nothing at all may leave.
fn closed<G: Graph>(lane: &Lane<G>) -> Duration {
    // None is the least: one app that may send is enough.
    let apps = lane.working().map(|at| lane.senders[at].pacer.closed_until()).min().flatten();
    let until = lane.pacer.closed_until().max(apps);
    until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
}

fn forecast_apps<G: Graph>(lane: &Lane<G>, requests: u64) -> Duration {
    let pacers: Vec<&Pacer> = lane.working().map(|at| &lane.senders[at].pacer).collect();
    match pacers[..] {
        [] => Duration::ZERO,
        [only] => forecast_pacer(only, requests),
        _ => time_for_pacers(&pacers, requests),
    }
}

fn forecast_pacer(pacer: &Pacer, requests: u64) -> Duration {
    if requests == 0 { Duration::ZERO } else { pacer.forecast(requests) }
}

/// The time in which several pacers let so many requests go between them, to a hundredth.
fn time_for_pacers(pacers: &[&Pacer], requests: u64) -> Duration {
    let within = |time: Duration| {
        pacers.iter().map(|pacer| max_requests(pacer, time, requests)).sum::<u64>() >= requests
    };
    let mut long = pacers.iter().map(|pacer| pacer.forecast(requests)).min().unwrap_or_default();
    let mut short = Duration::ZERO;
    while long - short > (long / 100).max(EVERY / 10) {
        let half = short + (long - short) / 2;
        *(if within(half) { &mut long } else { &mut short }) = half;
    }
    long
}

/// How many requests a pacer lets go within a time, counted up to `limit`, to a thousandth.
fn max_requests(pacer: &Pacer, time: Duration, limit: u64) -> u64 {
    let (mut few, mut many) = (0, limit + 1);
    while many - few > 1 + few / 1_000 {
        let half = few + (many - few) / 2;
        *(if pacer.forecast(half) <= time { &mut few } else { &mut many }) = half;
    }
    few
}
