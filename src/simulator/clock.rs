//! Real and simulated time. Simulated time runs `speed` times as fast as the clock on the wall, and everything the
//! configuration gives as a duration is simulated time.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Counts from the moment the simulator started.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    started_at: Timestamp,
    speed: f64,
    shifted: bool,
}

impl Clock {
    /// Starts to count now. `speed` is positive and finite: [`super::Config`] checks it.
    pub(super) fn start(speed: f64) -> Clock {
        Clock { started: Instant::now(), started_at: Timestamp::now(), speed, shifted: false }
    }

    /// The same with a time on the wall that is so many seconds ahead of this machine's.
    pub(super) fn start_ahead(speed: f64, seconds: i64) -> Clock {
        let clock = Clock::start(speed);
        let started_at = clock.started_at.checked_add(SignedDuration::from_secs(seconds));
        Clock { started_at: started_at.unwrap_or(clock.started_at), shifted: seconds != 0, ..clock }
    }

    /// Whether it is ahead of this machine's, or behind.
    pub(super) fn is_shifted(&self) -> bool {
        self.shifted
    }

    /// Real time since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The simulated time that has passed after `real` time.
    pub(super) fn simulated(&self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }

    /// How long something of `simulated` length really lasts.
    pub(super) fn real(&self, simulated: Duration) -> Duration {
        Duration::try_from_secs_f64(simulated.as_secs_f64() / self.speed).unwrap_or(Duration::MAX)
    }

    /// The time on the wall at `real` time since the start.
    pub(super) fn wall(&self, real: Duration) -> Timestamp {
        let since_start = SignedDuration::try_from(real).unwrap_or(SignedDuration::MAX);
        self.started_at.checked_add(since_start).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_shortens_what_is_simulated() {
        let clock = Clock::start(60.0);
        assert_eq!(clock.real(Duration::from_secs(150)), Duration::from_millis(2500));
        assert_eq!(clock.simulated(Duration::from_secs(2)), Duration::from_secs(120));
    }
}
