//! How long the rest will take, according to what has been learned.

use std::time::Duration;

use tokio::time::Instant;

use super::super::window::time_for_windows;
use super::{LONG_CLOSURE, Phase, RateEstimator, RateKind};

/// The assumed number of users per second that the network carries, before the first answer.
const ON_THE_WIRE: f64 = 100.0;

impl RateEstimator {
    /// The time until `users` more have left.
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

    /// The same from the opening of the gate on, if it was closed for so long that a window has probably
    /// ended.
    pub(in crate::dispatch::pacer) fn windows_ahead(&self, users: u64, closed: Duration) -> Option<Duration> {
        let long = closed.as_secs_f64() >= LONG_CLOSURE * self.second;
        let suspected = matches!(self.phase, Phase::Refill) && long && !self.bursts_disabled;
        suspected.then(|| time_for_windows(users, self.first, self.window(), self.speed()))
    }

    /// The number of users per second that the network carries, if nothing holds them back.
    fn speed(&self) -> f64 {
        match (self.began, self.answered) {
            (Some(began), Some(answered)) if answered > began && self.first > 0 => {
                f64::from(self.first) / (answered - began).as_secs_f64()
            }
            _ => ON_THE_WIRE,
        }
    }
}
