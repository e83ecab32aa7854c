//! When the next request may leave, for one app in one tenant.
//!
//! Two things decide: a limiter (governor's GCRA: a burst, then an even pace) and a gate that a 429 closes for
//! everybody.
//!
//! ```text
//!            429                      its time is reached, one probe leaves
//!   Open ───────────▶ Closed(until) ─────────────────────────────────────▶ Probing
//!    ▲                  ▲     │ another 429: until = max(until, its own)     │
//!    │                  └─────┘                                              │
//!    │                  ▲                                                    │
//!    │                  └───────────── the probe is throttled, too ──────────┤
//!    └─────────────────────────────── the probe went through ────────────────┘
//! ```
//!
//! `until` is an absolute instant: it is only ever raised, and an answer to a request that left before the gate
//! closed opens nothing. Since throttled requests count against Graph's quota as well, every episode also cuts the
//! pace and takes the burst away; quiet time brings the pace back, never above where it began.

use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use super::rate::Pace;
use crate::event::Order;

/// An episode of throttling leaves this share of the pace.
const CUT: f64 = 0.7;

/// The pace is never cut below this share of where it began.
const LEAST: f64 = 0.05;

/// After this long without a 429 the pace is raised again.
const QUIET: Duration = Duration::from_secs(5);

/// By this share of where it began.
const RAISE: f64 = 0.05;

/// First wait where a 429 says nothing, or where its wait proved too short; doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Longest wait of our own choosing.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// From this share of the limit on (`x-ms-throttle-limit-percentage`), nothing leaves in bursts.
const NEAR_LIMIT: f64 = 0.9;

/// Tokio's clock for governor, so that the pacer follows tokio's paused time in tests.
#[derive(Clone, Copy, Debug, Default)]
struct TokioClock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tick(Instant);

impl Clock for TokioClock {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(Instant::now())
    }
}

impl Add<Nanos> for Tick {
    type Output = Tick;

    fn add(self, nanos: Nanos) -> Tick {
        Tick(self.0 + Duration::from_nanos(nanos.as_u64()))
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Tick) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Tick {
        let duration = Duration::from_nanos(duration.as_u64());
        Tick(self.0.checked_sub(duration).unwrap_or(self.0))
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Tick>>;

/// Whether a request may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes, and it is counted.
    Go,
    /// Not before then.
    NotBefore(Instant),
    /// Not before the probe's answer.
    AfterProbe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed { until: Instant },
    Probing { probe: Order },
}

/// The pacer. All its methods take or read tokio's time; none waits.
#[derive(Debug)]
pub struct Pacer {
    limiter: Limiter,
    gate: Gate,
    /// Where the pace began, and its ceiling.
    full: Pace,
    per_second: f64,
    /// When the pace was last changed.
    changed: Instant,
    /// When Graph's last warning was heeded.
    warned: Option<Instant>,
    /// Throttled probes in a row.
    strikes: u32,
    /// Until when Graph itself asked to wait; the gate may stay closed longer.
    asked: Option<Instant>,
}

impl Pacer {
    /// Starts with an open gate and a full burst.
    pub fn new(pace: Pace) -> Pacer {
        Pacer {
            limiter: limiter(pace),
            gate: Gate::Open,
            full: pace,
            per_second: pace.per_second,
            changed: Instant::now(),
            warned: None,
            strikes: 0,
            asked: None,
        }
    }

    /// Asks for the target `order`'s request to leave now.
    pub fn permit(&mut self, order: Order) -> Permit {
        let now = Instant::now();
        match self.gate {
            Gate::Probing { .. } => return Permit::AfterProbe,
            Gate::Closed { until } if now < until => return Permit::NotBefore(until),
            Gate::Closed { .. } | Gate::Open => {}
        }
        self.raise_if_quiet(now);
        if let Err(not_until) = self.limiter.check() {
            return Permit::NotBefore(not_until.earliest_possible().0);
        }
        if self.gate != Gate::Open {
            self.gate = Gate::Probing { probe: order };
        }
        Permit::Go
    }

    /// Closes the gate until then, as a 429 to an earlier process of the run asked for.
    pub fn close(&mut self, until: Instant) {
        self.asked = self.asked.max(Some(until));
        let until = self.closed_until().map_or(until, |already| already.max(until));
        self.gate = Gate::Closed { until };
    }

    /// Until when the gate is closed, if it is.
    pub fn closed_until(&self) -> Option<Instant> {
        match self.gate {
            Gate::Closed { until } => Some(until),
            Gate::Open | Gate::Probing { .. } => None,
        }
    }

    /// Until when Graph itself asked to wait, if the gate is closed.
    pub fn asked_until(&self) -> Option<Instant> {
        self.asked.filter(|_| self.closed_until().is_some())
    }

    /// The request for `order` that left at `sent` was throttled. Returns until when the gate is closed now.
    pub fn throttled(&mut self, order: Order, sent: Instant, retry_after: Option<Duration>) -> Instant {
        let now = Instant::now();
        let probe_failed = self.gate == Gate::Probing { probe: order };
        if probe_failed {
            self.strikes += 1;
        }
        self.asked = self.asked.max(now.checked_add(retry_after.unwrap_or_default()));
        let mut wait = retry_after.unwrap_or_default();
        if probe_failed || wait.is_zero() {
            wait = wait.max(own_wait(self.strikes));
        }
        let mut until = now.checked_add(wait).unwrap_or(now);
        if let Gate::Closed { until: already } = self.gate {
            until = until.max(already);
        }
        self.gate = Gate::Closed { until };
        // Requests that were in flight together tell of one episode, and it cuts once.
        if sent >= self.changed || probe_failed {
            self.set_pace((self.per_second * CUT).max(self.full.per_second * LEAST), now);
        }
        until
    }

    /// The request for `order` got an answer other than 429, which said how much of the limit is used. Returns
    /// whether that opened the gate.
    pub fn passed(&mut self, order: Order, used: Option<f64>) -> bool {
        let opens = self.gate == Gate::Probing { probe: order };
        if opens {
            self.gate = Gate::Open;
            self.strikes = 0;
        }
        if let Some(used) = used.filter(|used| *used >= NEAR_LIMIT) {
            self.near_limit(used);
        }
        opens
    }

    /// The request for `order` got no answer: if it was the probe, another one goes.
    pub fn lost(&mut self, order: Order) {
        if self.gate == (Gate::Probing { probe: order }) {
            self.gate = Gate::Closed { until: Instant::now() };
        }
    }

    /// Graph says that little of the limit is left: no more bursts, and from 1.0 on a slower pace. Answers come
    /// in swarms, so one warning counts for a while.
    fn near_limit(&mut self, used: f64) {
        let now = Instant::now();
        if self.warned.is_some_and(|warned| now.saturating_duration_since(warned) < QUIET) {
            return;
        }
        self.warned = Some(now);
        let factor = if used >= 1.0 { CUT } else { 1.0 };
        self.set_pace((self.per_second * factor).max(self.full.per_second * LEAST), now);
    }

    fn raise_if_quiet(&mut self, now: Instant) {
        if self.per_second < self.full.per_second && now.saturating_duration_since(self.changed) >= QUIET {
            let raised = self.per_second + self.full.per_second * RAISE;
            self.set_pace(raised.min(self.full.per_second), now);
        }
    }

    /// Goes on at this pace, with the burst of a tenth of a second.
    fn set_pace(&mut self, per_second: f64, now: Instant) {
        let burst = ((per_second / 10.0).ceil() as u32).clamp(1, self.full.burst);
        self.limiter = limiter(Pace { per_second, burst });
        self.per_second = per_second;
        self.changed = now;
    }
}

fn own_wait(strikes: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << strikes.min(10)).min(LONGEST_WAIT)
}

fn limiter(pace: Pace) -> Limiter {
    let period = Duration::from_secs_f64(1.0 / pace.per_second.clamp(1e-6, 1e9)).max(Duration::from_nanos(1));
    // Governor counts in nanoseconds, and the time of a whole burst must fit.
    let most = u64::MAX / 4 / u64::try_from(period.as_nanos()).unwrap_or(u64::MAX).max(1);
    let burst = pace.burst.min(u32::try_from(most).unwrap_or(u32::MAX));
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(period).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
    RateLimiter::direct_with_clock(quota, TokioClock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep_until};

    const SECOND: Duration = Duration::from_secs(1);

    fn pacer(per_second: f64, burst: u32) -> Pacer {
        Pacer::new(Pace { per_second, burst })
    }

    /// Lets requests leave for `time`, and gives how many did.
    async fn leave_for(pacer: &mut Pacer, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut left = 0;
        loop {
            match pacer.permit(1) {
                Permit::Go => {
                    left += 1;
                    pacer.passed(1, None);
                }
                Permit::NotBefore(at) if at <= end => sleep_until(at).await,
                _ => return left,
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_then_an_even_pace() {
        let mut pacer = pacer(20.0, 100);
        assert_eq!(leave_for(&mut pacer, Duration::ZERO).await, 100);
        assert_eq!(leave_for(&mut pacer, 10 * SECOND).await, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_closes_the_gate_for_all_until_its_instant() {
        let mut pacer = pacer(20.0, 100);
        assert_eq!(pacer.permit(1), Permit::Go);
        let sent = Instant::now();
        let until = pacer.throttled(1, sent, Some(10 * SECOND));
        assert_eq!(until, sent + 10 * SECOND);
        assert_eq!(pacer.permit(2), Permit::NotBefore(until));
        advance(10 * SECOND - Duration::from_millis(1)).await;
        assert_eq!(pacer.permit(2), Permit::NotBefore(until));
        advance(Duration::from_millis(1)).await;
        assert_eq!(pacer.permit(2), Permit::Go);
        assert_eq!(pacer.permit(3), Permit::AfterProbe);
        assert!(pacer.passed(2, None));
        assert_eq!(pacer.permit(3), Permit::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn the_instant_is_only_raised_and_no_straggler_opens_the_gate() {
        let mut pacer = pacer(20.0, 100);
        let sent = Instant::now();
        for order in 1..=3 {
            assert_eq!(pacer.permit(order), Permit::Go);
        }
        let until = pacer.throttled(1, sent, Some(30 * SECOND));
        assert_eq!(pacer.throttled(2, sent, Some(SECOND)), until);
        assert!(!pacer.passed(3, None));
        assert_eq!(pacer.permit(4), Permit::NotBefore(until));
        advance(30 * SECOND).await;
        assert_eq!(pacer.permit(4), Permit::Go);
        // A 429 that was on its way raises it once more; the probe's own success no longer opens it.
        let raised = pacer.throttled(3, sent, Some(5 * SECOND));
        assert!(!pacer.passed(4, None));
        assert_eq!(pacer.permit(5), Permit::NotBefore(raised));
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_probe_waits_longer_each_time_and_never_shorter_than_asked() {
        let mut pacer = pacer(20.0, 1);
        let mut waits = Vec::new();
        pacer.permit(1);
        pacer.throttled(1, Instant::now(), Some(Duration::from_millis(100)));
        for _ in 0..8 {
            sleep_until(pacer.closed_until().unwrap()).await;
            while let Permit::NotBefore(at) = pacer.permit(1) {
                sleep_until(at).await;
            }
            let now = Instant::now();
            waits.push((pacer.throttled(1, now, Some(SECOND)) - now).as_millis());
        }
        assert_eq!(waits, [1000, 2000, 4000, 8000, 15000, 15000, 15000, 15000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_429_without_a_wait_is_no_invitation() {
        for silent in [None, Some(Duration::ZERO)] {
            let mut pacer = pacer(20.0, 1);
            pacer.permit(1);
            let now = Instant::now();
            assert_eq!(pacer.throttled(1, now, silent) - now, FIRST_WAIT);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_probe_is_followed_by_another() {
        let mut pacer = pacer(20.0, 10);
        pacer.permit(1);
        let until = pacer.throttled(1, Instant::now(), Some(SECOND));
        sleep_until(until).await;
        assert_eq!(pacer.permit(2), Permit::Go);
        pacer.lost(2);
        while let Permit::NotBefore(at) = pacer.permit(3) {
            sleep_until(at).await;
        }
        assert_eq!(pacer.permit(4), Permit::AfterProbe);
    }

    #[tokio::test(start_paused = true)]
    async fn an_episode_cuts_the_pace_once_and_quiet_brings_it_back() {
        let mut pacer = pacer(100.0, 1000);
        let sent = Instant::now();
        for order in 1..=50 {
            assert_eq!(pacer.permit(order), Permit::Go);
        }
        advance(Duration::from_millis(80)).await;
        let until = (1..=50).map(|order| pacer.throttled(order, sent, Some(SECOND))).max().unwrap();
        sleep_until(until).await;
        let first = leave_for(&mut pacer, 4 * SECOND).await;
        assert!((270..=300).contains(&first), "{first}");
        leave_for(&mut pacer, 60 * SECOND).await;
        let later = leave_for(&mut pacer, 10 * SECOND).await;
        assert!((990..=1010).contains(&later), "{later}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_warning_takes_the_burst_away() {
        let mut pacer = pacer(20.0, 1000);
        assert_eq!(pacer.permit(1), Permit::Go);
        pacer.passed(1, Some(0.92));
        let left = leave_for(&mut pacer, 10 * SECOND).await;
        assert!((195..=205).contains(&left), "{left}");
        for _ in 0..50 {
            pacer.passed(1, Some(1.2));
        }
        let left = leave_for(&mut pacer, 4 * SECOND).await;
        assert!((54..=62).contains(&left), "{left}");
    }
}
