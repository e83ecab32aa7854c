//! How long the rest of a run will take. This depends on its pacers, or on the time that answers take if that
//! is slower.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::app_wide_limits::AppWideLimits;
use super::lane::Lane;
use super::pacer::Pacer;
use crate::graph::Graph;

/// The time between forecasts, for each hundred lanes.
const INTERVAL: Duration = Duration::from_millis(250);

/// The value before the first forecast.
const UNKNOWN: u64 = u64::MAX;

/// The number of settled users from which the number of answers shows how many requests a user takes.
const MIN_SETTLED: u64 = 50;

/// The remaining time of a run. Clones share the value.
#[derive(Clone, Debug)]
pub struct Forecast {
    began: Instant,
    /// When the run will be over, in milliseconds from `began`.
    over: Arc<AtomicU64>,
    due: Option<Instant>,
    /// Whether something happened since the last forecast.
    stale: bool,
}

impl Default for Forecast {
    fn default() -> Forecast {
        Forecast { began: Instant::now(), over: Arc::new(AtomicU64::new(UNKNOWN)), due: None, stale: true }
    }
}

impl Forecast {
    /// The time until the last answer, as far as it is known now, or `None` before the first forecast.
    pub fn remaining(&self) -> Option<Duration> {
        let over = self.over.load(Ordering::Relaxed);
        let over = (over != UNKNOWN).then(|| Duration::from_millis(over))?;
        Some(over.saturating_sub(self.began.elapsed()))
    }

    /// Whether a forecast is to be made now. If not, it is made later.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.stale = true;
        self.due.is_none_or(|due| now >= due)
    }

    /// When the next forecast is to be made, if anything happened since the last one.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.filter(|_| self.stale)
    }

    pub(super) fn publish(&mut self, now: Instant, left: Duration, lanes: usize) {
        let pause = INTERVAL.saturating_mul(1 + u32::try_from(lanes / 100).unwrap_or(u32::MAX));
        self.stale = false;
        self.due = now.checked_add(pause);
        let over = now.saturating_duration_since(self.began).saturating_add(left);
        self.over.store(u64::try_from(over.as_millis()).unwrap_or(UNKNOWN - 1), Ordering::Relaxed);
    }
}

/// The time until the last answer of all lanes: that of the slowest lane, or that of the slowest app over all
/// tenants.
pub(super) fn forecast_all<G: Graph>(lanes: &[Lane<G>], shared: &AppWideLimits) -> Duration {
    let mut together = vec![0; shared.pacers().len()];
    let mut longest = Duration::ZERO;
    for lane in lanes.iter().filter(|lane| lane.stop.is_none()) {
        let requests = requests(lane);
        longest = longest.max(forecast_lane(lane, requests));
        // Work flows to any of a lane's apps. If they serve different sets of tenants, the first one
        // represents all.
        if let Some(app) = lane.active_senders().find_map(|at| lane.senders[at].everywhere) {
            together[app.0] += requests;
        }
    }
    let apps = shared.pacers().zip(together).map(|(pacer, requests)| forecast_pacer(pacer, requests));
    apps.max().unwrap_or_default().max(longest)
}

/// The number of requests that the waiting users will take, estimated from those who are settled.
fn requests<G: Graph>(lane: &Lane<G>) -> u64 {
    let users = lane.queue.len();
    if lane.settled < MIN_SETTLED {
        return users;
    }
    (users as f64 * lane.answered as f64 / lane.settled as f64).round() as u64
}

fn forecast_lane<G: Graph>(lane: &Lane<G>, requests: u64) -> Duration {
    if requests == 0 {
        return lane.width.latency();
    }
    let limits = forecast_apps(lane, requests).max(forecast_pacer(&lane.pacer, requests));
    let answers = match lane.width.max_rate() {
        Some(per_second) => {
            Duration::try_from_secs_f64(requests as f64 / per_second).unwrap_or(Duration::MAX)
        }
        None => Duration::ZERO,
    };
    // Add the latency of the last answer.
    limits.max(answers.saturating_add(closed(lane))).saturating_add(lane.width.latency())
}

/// How long no request may leave.
fn closed<G: Graph>(lane: &Lane<G>) -> Duration {
    // `None` is the minimum: one app that may send is enough.
    let apps = lane.active_senders().map(|at| lane.senders[at].pacer.closed_until()).min().flatten();
    let until = lane.pacer.closed_until().max(apps);
    until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
}

fn forecast_apps<G: Graph>(lane: &Lane<G>, requests: u64) -> Duration {
    let pacers: Vec<&Pacer> = lane.active_senders().map(|at| &lane.senders[at].pacer).collect();
    match pacers[..] {
        [] => Duration::ZERO,
        [only] => forecast_pacer(only, requests),
        _ => time_for_pacers(&pacers, requests),
    }
}

fn forecast_pacer(pacer: &Pacer, requests: u64) -> Duration {
    if requests == 0 { Duration::ZERO } else { pacer.forecast(requests) }
}

/// The time in which several pacers together allow this many requests, to within a hundredth.
fn time_for_pacers(pacers: &[&Pacer], requests: u64) -> Duration {
    let within = |time: Duration| {
        pacers.iter().map(|pacer| max_requests(pacer, time, requests)).sum::<u64>() >= requests
    };
    let mut long = pacers.iter().map(|pacer| pacer.forecast(requests)).min().unwrap_or_default();
    let mut short = Duration::ZERO;
    while long - short > (long / 100).max(INTERVAL / 10) {
        let half = short + (long - short) / 2;
        *(if within(half) { &mut long } else { &mut short }) = half;
    }
    long
}

/// How many requests a pacer allows within a time, up to `limit`, to within a thousandth.
fn max_requests(pacer: &Pacer, time: Duration, limit: u64) -> u64 {
    let (mut few, mut many) = (0, limit + 1);
    while many - few > 1 + few / 1_000 {
        let half = few + (many - few) / 2;
        *(if pacer.forecast(half) <= time { &mut few } else { &mut many }) = half;
    }
    few
}
