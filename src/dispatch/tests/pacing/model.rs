//! Limiters that a pacer may meet: the simulator's own meters, and what may surround them.

use std::time::Duration;

use crate::simulator::{Limit, LimitStyle, Meter};

/// The `Retry-After` of a 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch::tests) enum RetryAfterStyle {
    /// Whole seconds, rounded up.
    Whole,
    /// Milliseconds, rounded up.
    Decimal,
    /// Always one second.
    One,
    /// Half of the real wait.
    Half,
    /// None.
    Nothing,
}

/// A limiter.
#[derive(Clone, Debug)]
pub(in crate::dispatch::tests) struct Limiter {
    pub(in crate::dispatch::tests) limit: Limit,
    pub(in crate::dispatch::tests) says: RetryAfterStyle,
    /// How far into a window the run starts.
    pub(in crate::dispatch::tests) phase: Duration,
    /// Requests per second of another program, evenly spread. In a fixed window, the first to come is served.
    /// Otherwise, the other program gets all that it asks for.
    pub(in crate::dispatch::tests) eaten: f64,
    /// Another limit from that time on.
    pub(in crate::dispatch::tests) change: Option<(Duration, Limit)>,
    /// Whether answers say how much of the limit is used, from 0.8 on.
    pub(in crate::dispatch::tests) warns: bool,
}

pub(in crate::dispatch::tests) fn limit(limit: u32, seconds: f64, style: LimitStyle) -> Limit {
    Limit { style, ..Limit::new(limit, Duration::from_secs_f64(seconds)) }
}

impl Limiter {
    /// A limiter that allows `count` requests in `seconds`.
    pub(in crate::dispatch::tests) fn new(
        count: u32,
        seconds: f64,
        style: LimitStyle,
        says: RetryAfterStyle,
    ) -> Limiter {
        Limiter {
            limit: limit(count, seconds, style),
            says,
            phase: Duration::from_secs_f64(seconds * 0.4),
            eaten: 0.0,
            change: None,
            warns: false,
        }
    }

    pub(in crate::dispatch::tests) fn half_eaten(self) -> Limiter {
        let eaten = f64::from(self.limit.limit) / self.limit.window.as_secs_f64() / 2.0;
        Limiter { eaten, ..self }
    }

    pub(in crate::dispatch::tests) fn warning(self) -> Limiter {
        Limiter { warns: true, ..self }
    }

    pub(in crate::dispatch::tests) fn changes(self, at: f64, count: u32) -> Limiter {
        let limit = Limit { limit: count, ..self.limit.clone() };
        Limiter { change: Some((Duration::from_secs_f64(at), limit)), ..self }
    }

    pub(in crate::dispatch::tests) fn phase(self, seconds: f64) -> Limiter {
        Limiter { phase: Duration::from_secs_f64(seconds), ..self }
    }
}

/// The state of a limiter.
pub(in crate::dispatch::tests) struct Running {
    limiter: Limiter,
    meter: Meter,
    /// The number of requests of the other program so far.
    others: u64,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch::tests) enum Answer {
    Passed { used: Option<f64> },
    Throttled { retry_after: Option<Duration> },
}

impl Running {
    pub(in crate::dispatch::tests) fn new(limiter: &Limiter) -> Running {
        Running { meter: Meter::new(&limiter.limit), limiter: limiter.clone(), others: 0 }
    }

    /// Handles a request at this time after the start.
    pub(in crate::dispatch::tests) fn take(&mut self, at: Duration) -> Answer {
        if let Some((_, limit)) = self.limiter.change.take_if(|(then, _)| *then <= at) {
            self.meter.change(at + self.limiter.phase, &limit);
        }
        let now = at + self.limiter.phase;
        self.serve_others(at);
        match self.meter.wait(now) {
            None => {
                let used = self.meter.charge();
                Answer::Passed { used: Some(used).filter(|used| self.limiter.warns && *used >= 0.8) }
            }
            Some(wait) => {
                let wait = self.meter.refuse(now, wait);
                Answer::Throttled { retry_after: retry_after_for(self.limiter.says, wait) }
            }
        }
    }

    fn serve_others(&mut self, at: Duration) {
        if self.limiter.eaten == 0.0 {
            return;
        }
        loop {
            let next = Duration::from_secs_f64((self.others + 1) as f64 / self.limiter.eaten);
            if next > at {
                return;
            }
            self.others += 1;
            if self.meter.wait(next + self.limiter.phase).is_none()
                || self.limiter.limit.style != LimitStyle::FixedWindow
            {
                self.meter.charge();
            }
        }
    }
}

fn retry_after_for(says: RetryAfterStyle, wait: Duration) -> Option<Duration> {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match says {
        RetryAfterStyle::Whole => Some(Duration::from_secs(whole.max(1))),
        RetryAfterStyle::Decimal => Some(Duration::from_millis(wait.as_nanos().div_ceil(1_000_000) as u64)),
        RetryAfterStyle::One => Some(Duration::from_secs(1)),
        RetryAfterStyle::Half => Some(wait / 2),
        RetryAfterStyle::Nothing => None,
    }
}
