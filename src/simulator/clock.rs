//! Real and simulated time. Simulated time runs `speed` times as fast as real time. Every duration in the configuration
//! is simulated time.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Counts time from the simulator's start.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    started_at: Timestamp,
    speed: f64,
    is_shifted: bool,
}

impl Clock {
    /// Starts the clock now. `speed` is positive and finite, which [`super::Config`] checks.
    pub(super) fn start(speed: f64) -> Clock {
        Clock { started: Instant::now(), started_at: Timestamp::now(), speed, is_shifted: false }
    }

    /// Starts a clock whose wall time is `seconds` ahead of this machine's.
    pub(super) fn start_ahead(speed: f64, seconds: i64) -> Clock {
        let clock = Clock::start(speed);
        let started_at = clock.started_at.checked_add(SignedDuration::from_secs(seconds));
        Clock { started_at: started_at.unwrap_or(clock.started_at), is_shifted: seconds != 0, ..clock }
    }

    /// Whether the wall time differs from this machine's.
    pub(super) fn is_shifted(&self) -> bool {
        self.is_shifted
    }

    /// Real time since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The simulated time that passes in `real` time.
    pub(super) fn to_simulated(&self, real: Duration) -> Duration {
        real.mul_f64(self.speed)
    }

    /// The real time that `simulated` time takes.
    pub(super) fn to_real(&self, simulated: Duration) -> Duration {
        Duration::try_from_secs_f64(simulated.as_secs_f64() / self.speed).unwrap_or(Duration::MAX)
    }

    /// The wall time at `real` time since the start.
    pub(super) fn wall_time(&self, real: Duration) -> Timestamp {
        let since_start = SignedDuration::try_from(real).unwrap_or(SignedDuration::MAX);
        self.started_at.checked_add(since_start).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_shortens_simulated_durations() {
        let clock = Clock::start(60.0);
        assert_eq!(clock.to_real(Duration::from_secs(150)), Duration::from_millis(2500));
        assert_eq!(clock.to_simulated(Duration::from_secs(2)), Duration::from_secs(120));
    }
}
