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

use std::time::Duration;

use tokio::time::Instant;

use super::rate::Pace;

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

/// Whether users may leave now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// So many, at least one and no more than were wanted. Nothing is counted yet.
    Go(u32),
    /// None before then.
    NotBefore(Instant),
    /// None before something in flight is answered.
    AfterAnswer,
}

/// A request that left, with one user or several.
#[derive(Clone, Copy, Debug)]
pub struct Departure {
    id: u64,
    at: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Closed { until: Instant },
    Probing { probe: u64 },
}

/// The pacer. All its methods take or read tokio's time; none waits.
#[derive(Debug)]
pub struct Pacer {
    level: f64,
    filled: Instant,
    burst: u32,
    departures: u64,
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
    /// Starts with an open gate and a full burst. `planned` users are to leave through it.
    pub fn new(pace: Pace, planned: u64) -> Pacer {
        let _ = planned;
        Pacer {
            level: f64::from(pace.burst),
            filled: Instant::now(),
            burst: pace.burst,
            departures: 0,
            gate: Gate::Open,
            full: pace,
            per_second: pace.per_second,
            changed: Instant::now(),
            warned: None,
            strikes: 0,
            asked: None,
        }
    }

    /// Whether up to so many users may leave now. Counts nothing.
    pub fn permit(&mut self, wanted: u32) -> Permit {
        let now = Instant::now();
        let mut wanted = wanted.max(1);
        match self.gate {
            Gate::Probing { .. } => return Permit::AfterAnswer,
            Gate::Closed { until } if now < until => return Permit::NotBefore(until),
            Gate::Closed { .. } => wanted = 1,
            Gate::Open => {}
        }
        self.raise_if_quiet(now);
        self.fill(now);
        if self.level + 1e-6 < 1.0 {
            let wait = Duration::from_secs_f64(((1.0 - self.level) / self.per_second).clamp(1e-6, 1e6));
            return Permit::NotBefore(now + wait);
        }
        Permit::Go(wanted.min((self.level + 1e-6) as u32))
    }

    /// Counts a request that leaves with so many users, after a permit for them.
    pub fn depart(&mut self, users: u32) -> Departure {
        self.level -= f64::from(users);
        self.departures += 1;
        if self.gate != Gate::Open {
            self.gate = Gate::Probing { probe: self.departures };
        }
        Departure { id: self.departures, at: Instant::now() }
    }

    /// Time until so many more users have left, as far as it is known.
    pub fn forecast(&self, users: u64) -> Duration {
        let now = Instant::now();
        let closed = self.closed_until().map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let rest = ((users as f64 - self.level) / self.per_second).clamp(0.0, 1e9);
        closed + Duration::from_secs_f64(rest)
    }

    fn fill(&mut self, now: Instant) {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(f64::from(self.burst));
        self.filled = now;
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

    /// A user of the request was throttled. Returns until when the gate is closed now.
    pub fn throttled(&mut self, departure: &Departure, retry_after: Option<Duration>) -> Instant {
        let now = Instant::now();
        let probe_failed = self.gate == Gate::Probing { probe: departure.id };
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
        if departure.at >= self.changed || probe_failed {
            self.set_pace((self.per_second * CUT).max(self.full.per_second * LEAST), now);
        }
        until
    }

    /// A user of the request got an answer other than 429, which said how much of the limit is used. Returns
    /// whether that opened the gate.
    pub fn passed(&mut self, departure: &Departure, used: Option<f64>) -> bool {
        let opens = self.gate == Gate::Probing { probe: departure.id };
        if opens {
            self.gate = Gate::Open;
            self.strikes = 0;
        }
        if let Some(used) = used.filter(|used| *used >= NEAR_LIMIT) {
            self.near_limit(used);
        }
        opens
    }

    /// A user of the request got no answer that tells of this limit: if it was the probe, another one goes.
    pub fn lost(&mut self, departure: &Departure) {
        if self.gate == (Gate::Probing { probe: departure.id }) {
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
        self.fill(now);
        self.burst = ((per_second / 10.0).ceil() as u32).clamp(1, self.full.burst);
        self.level = self.level.min(f64::from(self.burst));
        self.per_second = per_second;
        self.changed = now;
    }
}

fn own_wait(strikes: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << strikes.min(10)).min(LONGEST_WAIT)
}
