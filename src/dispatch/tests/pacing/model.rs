//! Limiters as a pacer may meet them: the simulator's own meters, with whatever may surround them.

use std::time::Duration;

use crate::simulator::{Limit, LimitStyle, Meter};

/// What a 429 says of the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dispatch::tests) enum Says {
    /// Whole seconds, rounded up.
    Whole,
    /// Milliseconds, rounded up.
    Decimal,
    /// Always one second.
    One,
    /// Half of it.
    Half,
    /// Nothing.
    Nothing,
}

/// A limiter.
#[derive(Clone, Debug)]
pub(in crate::dispatch::tests) struct Limiter {
    pub(in crate::dispatch::tests) limit: Limit,
    pub(in crate::dispatch::tests) says: Says,
    /// How far into a window the run begins.
    pub(in crate::dispatch::tests) phase: Duration,
    /// Requests a second of another program, evenly. In a fixed window whoever comes first gets it; elsewhere it gets
    /// all that it asks for.
    pub(in crate::dispatch::tests) eaten: f64,
    /// Another limit from then on.
    pub(in crate::dispatch::tests) change: Option<(Duration, Limit)>,
    /// Tells how much is used, from 0.8 on.
    pub(in crate::dispatch::tests) warns: bool,
}

pub(in crate::dispatch::tests) fn limit(limit: u32, seconds: f64, style: LimitStyle) -> Limit {
    Limit { style, ..Limit::new(limit, Duration::from_secs_f64(seconds)) }
}

impl Limiter {
    /// So many requests in so many seconds.
    pub(in crate::dispatch::tests) fn new(
        count: u32,
        seconds: f64,
        style: LimitStyle,
        says: Says,
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

/// A limiter at work.
pub(in crate::dispatch::tests) struct Running {
    limiter: Limiter,
    meter: Meter,
    /// How many requests of the other program came.
    others: u64,
}

/// What it says to a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch::tests) enum Answer {
    Passed { used: Option<f64> },
    Throttled { retry_after: Option<Duration> },
}

impl Running {
    pub(in crate::dispatch::tests) fn new(limiter: &Limiter) -> Running {
        Running { meter: Meter::new(&limiter.limit), limiter: limiter.clone(), others: 0 }
    }

    /// A request comes, so long after the start.
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
                Answer::Throttled { retry_after: told(self.limiter.says, wait) }
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

fn told(says: Says, wait: Duration) -> Option<Duration> {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match says {
        Says::Whole => Some(Duration::from_secs(whole.max(1))),
        Says::Decimal => Some(Duration::from_millis(wait.as_nanos().div_ceil(1_000_000) as u64)),
        Says::One => Some(Duration::from_secs(1)),
        Says::Half => Some(wait / 2),
        Says::Nothing => None,
    }
}
