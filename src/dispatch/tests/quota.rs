//! Models of Graph's quota.

use std::time::Duration;

/// A model of a quota.
#[derive(Clone, Copy, Debug)]
pub(super) enum TestQuota {
    /// A bucket that starts full. If it is strict, throttled requests take tokens as well.
    Bucket { size: f64, per_second: f64, level: f64, filled: f64, strict: bool },
    /// A number of requests in each window. Windows follow one another from the start. Throttled requests
    /// count.
    Window { size: u32, seconds: f64, window: u64, used: u32 },
}

impl TestQuota {
    /// `size` requests at once, and again within `seconds`.
    pub(super) fn bucket(size: f64, seconds: f64) -> TestQuota {
        TestQuota::Bucket { size, per_second: size / seconds, level: size, filled: 0.0, strict: false }
    }

    pub(super) fn strict_bucket(size: f64, seconds: f64) -> TestQuota {
        TestQuota::Bucket { size, per_second: size / seconds, level: size, filled: 0.0, strict: true }
    }

    pub(super) fn window(size: u32, seconds: f64) -> TestQuota {
        TestQuota::Window { size, seconds, window: 0, used: 0 }
    }

    /// Half of the quota is used by another program, which never pauses.
    pub(super) fn half_eaten(self) -> TestQuota {
        match self {
            TestQuota::Bucket { size, per_second, level, filled, strict } => {
                TestQuota::Bucket { size, per_second: per_second / 2.0, level: level / 2.0, filled, strict }
            }
            TestQuota::Window { size, seconds, window, used } => {
                TestQuota::Window { size: size / 2, seconds, window, used }
            }
        }
    }

    /// Handles a request at this time. If it does not pass, returns its `Retry-After`, in whole seconds.
    pub(super) fn take(&mut self, at: Duration) -> Result<(), Duration> {
        let at = at.as_secs_f64();
        let wait = match self {
            TestQuota::Bucket { size, per_second, level, filled, strict } => {
                *level = (*level + (at - *filled) * *per_second).min(*size);
                *filled = at;
                let passes = *level >= 1.0;
                if passes || *strict {
                    *level = (*level - 1.0).max(-*size);
                }
                if passes {
                    return Ok(());
                }
                (1.0 - *level) / *per_second
            }
            TestQuota::Window { size, seconds, window, used } => {
                let now = (at / *seconds) as u64;
                if now != *window {
                    (*window, *used) = (now, 0);
                }
                *used += 1;
                if *used <= *size {
                    return Ok(());
                }
                (now + 1) as f64 * *seconds - at
            }
        };
        Err(Duration::from_secs(wait.max(1.0).ceil() as u64))
    }
}
