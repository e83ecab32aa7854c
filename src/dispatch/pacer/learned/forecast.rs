//! How long it will take, by what is known.

use std::time::Duration;

use tokio::time::Instant;

use super::super::window::windows;
use super::{LONG, Phase, RateEstimator, RateKind};

/// Users a second on the wire before any was answered.
const ON_THE_WIRE: f64 = 100.0;

impl RateEstimator {
    /// Time until so many more have left.
    pub(in crate::dispatch::pacer) fn forecast(&self, users: u64, now: Instant) -> Duration {
        match &self.phase {
            Phase::Initial(bucket) => {
                let by_wire = Duration::from_secs_f64(users as f64 / self.speed());
                if self.pace.kind == RateKind::Gate {
                    return Duration::ZERO;
                }
                let beyond = (users as f64 - bucket.level_at(now)).max(0.0);
                by_wire.max(Duration::from_secs_f64(beyond / self.pace.per_second.max(1e-9)))
            }
            Phase::Refill => self.refill.forecast(users, now),
            Phase::Window(window) => window.forecast(users, self.flight, self.speed(), now),
        }
    }

    /// The same from an opening on, where the gate was closed for so long that it is probably a window's end.
    pub(in crate::dispatch::pacer) fn windows_ahead(&self, users: u64, closed: Duration) -> Option<Duration> {
        let long = closed.as_secs_f64() >= LONG * self.second;
        let suspected = matches!(self.phase, Phase::Refill) && long && !self.even;
        suspected.then(|| windows(users, self.first, self.window(), self.speed()))
    }

    /// Users a second on the wire, where nothing holds them back.
    fn speed(&self) -> f64 {
        match (self.began, self.answered) {
            (Some(began), Some(answered)) if answered > began && self.first > 0 => {
                f64::from(self.first) / (answered - began).as_secs_f64()
            }
            _ => ON_THE_WIRE,
        }
    }
}
