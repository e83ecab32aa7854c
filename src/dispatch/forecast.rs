//! How long the rest of a run will take, as far as its pacers know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::Lane;
use super::pacer::Pacer;
use crate::graph::Graph;

/// So often a forecast is made.
const EVERY: Duration = Duration::from_millis(250);

/// Says nothing yet.
const UNKNOWN: u64 = u64::MAX;

/// The time that is left, for whoever shows it. Clones tell the same.
#[derive(Clone, Debug)]
pub struct Forecast {
    left_ms: Arc<AtomicU64>,
    due: Option<Instant>,
}

impl Default for Forecast {
    fn default() -> Forecast {
        Forecast { left_ms: Arc::new(AtomicU64::new(UNKNOWN)), due: None }
    }
}

impl Forecast {
    /// The time until the last user may leave, as of the last quarter of a second; none before the first forecast.
    pub fn left(&self) -> Option<Duration> {
        let left = self.left_ms.load(Ordering::Relaxed);
        (left != UNKNOWN).then(|| Duration::from_millis(left))
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| now >= due)
    }

    pub(super) fn publish(&mut self, now: Instant, left: Duration) {
        self.due = Some(now + EVERY);
        self.left_ms.store(u64::try_from(left.as_millis()).unwrap_or(UNKNOWN - 1), Ordering::Relaxed);
    }
}

/// The time until the last user of all lanes may leave: the slowest lane's, or that of an app over all tenants.
pub(super) fn of_all<G: Graph>(lanes: &[Lane<G>], everywhere: &[Pacer]) -> Duration {
    let mut shared = vec![0; everywhere.len()];
    let mut longest = Duration::ZERO;
    for lane in lanes.iter().filter(|lane| lane.stop.is_none()) {
        let users = lane.queue.len();
        longest = longest.max(of_lane(lane, users));
        // Work flows to any of a lane's apps; where they differ in reach, the first one stands for all.
        if let Some(app) = lane.working().find_map(|at| lane.senders[at].everywhere) {
            shared[app.0] += users;
        }
    }
    let apps = everywhere.iter().zip(shared).map(|(pacer, users)| pacer.forecast(users));
    apps.max().unwrap_or_default().max(longest)
}

fn of_lane<G: Graph>(lane: &Lane<G>, users: u64) -> Duration {
    let pacers: Vec<&Pacer> = lane.working().map(|at| &lane.senders[at].pacer).collect();
    let apps = match pacers[..] {
        [] => Duration::ZERO,
        [only] => only.forecast(users),
        _ => together(&pacers, users),
    };
    apps.max(lane.pacer.forecast(users))
}

/// The time in which several pacers let so many users go between them.
fn together(pacers: &[&Pacer], users: u64) -> Duration {
    let within = |time: Duration| pacers.iter().map(|pacer| most(pacer, time, users)).sum::<u64>() >= users;
    let mut long = pacers.iter().map(|pacer| pacer.forecast(users)).min().unwrap_or_default();
    let mut short = Duration::ZERO;
    while long.saturating_sub(short) > EVERY {
        let half = short + (long - short) / 2;
        *(if within(half) { &mut long } else { &mut short }) = half;
    }
    long
}

/// How many users a pacer lets go within a time, counted up to `limit`.
fn most(pacer: &Pacer, time: Duration, limit: u64) -> u64 {
    let (mut few, mut many) = (0, limit + 1);
    while many - few > 1 {
        let half = few + (many - few) / 2;
        *(if pacer.forecast(half) <= time { &mut few } else { &mut many }) = half;
    }
    few
}
