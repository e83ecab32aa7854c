//! The state of a run: counts by outcome, the rate of the last seconds, whether the gate is closed, and how long the
//! rest will take, as the dispatcher forecasts it. It has no clock and does no I/O: callers pass the current time.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::tenant_table::TenantTable;
use super::throttle_status::ThrottleStatus;
use crate::dispatch::RatePolicy;
use crate::event::{Event, StopReason, ThrottledEvent};
use crate::outcome::Outcome;
use crate::text::humanize;

/// How long a slot of the rate's window lasts, in milliseconds.
const SLOT_MS: i64 = 500;
/// Slots in the window: ten seconds of them, and the one that is being filled.
const SLOTS: i64 = 20;
/// A rate over less time than this means nothing.
const MIN_RATE_SECONDS: f64 = 1.0;

/// The rate if only the network limits it, in users per second: 64 jobs with about 300 ms per answer. It is used only
/// for the first estimate, before anything is measured.
const NETWORK_RATE: f64 = 200.0;

impl RatePolicy {
    /// How long a run with this many users will take, before anything has been measured: the burst at the network's
    /// rate, the rest at the quota's.
    pub fn estimate_time(&self, users: u64) -> TimeLeft {
        let users = users as f64;
        let paced = (users - f64::from(self.burst)).max(0.0);
        let free = (users - paced) / NETWORK_RATE.max(self.per_second);
        match seconds(free + paced / self.per_second) {
            Some(span) if users > 0.0 => TimeLeft::Estimated(span.max(Duration::from_secs(1))),
            _ => TimeLeft::Unknown,
        }
    }
}

/// An estimate of this many seconds (a year) or more means nothing, and is not shown.
const MAX_SHOWN_SECONDS: u64 = 366 * 86_400;

/// How long the rest of a run will take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLeft {
    /// Nothing is known yet: shown as `–`.
    Unknown,
    /// From the quota alone: nothing has been measured yet.
    Estimated(Duration),
    /// From the quota and the answers so far.
    Measured(Duration),
}

impl TimeLeft {
    /// The span, if there is one.
    pub fn span(self) -> Option<Duration> {
        match self {
            TimeLeft::Unknown => None,
            TimeLeft::Estimated(span) | TimeLeft::Measured(span) => Some(span),
        }
    }
}

impl fmt::Display for TimeLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeLeft::Unknown => f.pad("–"),
            TimeLeft::Estimated(span) => f.pad(&format!("about {}", humanize::span(*span))),
            TimeLeft::Measured(span) => f.pad(&humanize::span(*span)),
        }
    }
}

/// The state of the pacer's gate, as far as the events show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// Requests may leave.
    Open,
    /// Graph asked to wait; the next request leaves after this time (zero: a probe is in flight).
    Closed(Duration),
}

/// A period in which the gate was closed; it has no end while the gate is still closed.
#[derive(Clone, Copy, Debug)]
struct GateClosure {
    from: Timestamp,
    to: Option<Timestamp>,
}

/// The state of a run: its counts, its rate and its waits.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    total: u64,
    resumed: bool,
    counts: [u64; Outcome::ALL.len()],
    settled: u64,
    began_at: Option<Timestamp>,
    /// When the first request left: rates count from here.
    first_sent_at: Option<Timestamp>,
    /// Each slot's number and the users that settled in it, oldest first.
    slots: VecDeque<(i64, u64)>,
    closures: VecDeque<GateClosure>,
    throttle_status: ThrottleStatus,
    wait_count: u64,
    stop_reason: Option<StopReason>,
    ended: bool,
    tenants: Option<TenantTable>,
}

impl Tally {
    /// A run with this many users, before its first event.
    pub fn new(total: u64) -> Tally {
        Tally { total, ..Tally::default() }
    }

    /// The same, with these tenants.
    pub fn with_tenants(self, tenants: Option<TenantTable>) -> Tally {
        Tally { tenants, ..self }
    }

    /// The progress of the tenants, in words, if there are several.
    pub fn tenant_sentence(&self, now: Timestamp) -> Option<String> {
        self.tenants.as_ref().map(|tenants| tenants.sentence(now))
    }

    /// Counts an event. `true` if it is worth a line at once: the gate closed, or sending stops.
    pub fn on_event(&mut self, event: &Event, now: Timestamp) -> bool {
        // One tenant's wait does not hold up the others.
        if self.tenants.as_mut().is_some_and(|tenants| tenants.add(event)) {
            return false;
        }
        match event {
            Event::Began(began) => {
                self.total = u64::from(began.targets);
                self.resumed = began.resumed;
                self.throttle_status.reset(&began.apps);
                self.began_at.get_or_insert(now);
            }
            Event::Sent(_) => {
                self.first_sent_at.get_or_insert(now);
            }
            Event::Settled(settled) => self.count_outcome(settled.outcome, now),
            Event::Throttled(throttled) => return self.start_wait(throttled, now),
            Event::Reopened { scope, .. } => {
                self.throttle_status.end_wait(scope);
                self.end_wait(now);
            }
            Event::Dropped { scope, .. } => {
                self.throttle_status.drop_app(scope);
                return self.update_wait(now);
            }
            Event::Stopping { why, .. } => {
                let news = self.stop_reason.is_none();
                self.stop_reason.get_or_insert_with(|| why.clone());
                return news;
            }
            Event::Ended { .. } => {
                self.throttle_status.end_all_waits();
                self.end_wait(now);
                self.ended = true;
            }
            Event::Answered(_) | Event::Renewed { .. } => {}
        }
        false
    }

    fn count_outcome(&mut self, outcome: Outcome, now: Timestamp) {
        self.counts[outcome as usize] += 1;
        self.settled += 1;
        if outcome == Outcome::NotAttempted {
            return;
        }
        self.first_sent_at.get_or_insert(now);
        let slot = slot(now);
        match self.slots.back_mut() {
            Some((last, n)) if *last == slot => *n += 1,
            _ => {
                // If the clock was set back, slots of the future would stay.
                self.slots.retain(|(n, _)| (slot - SLOTS..slot).contains(n));
                self.slots.push_back((slot, 1));
            }
        }
    }

    fn start_wait(&mut self, throttled: &ThrottledEvent, now: Timestamp) -> bool {
        self.throttle_status.start_wait(&throttled.event_scope, throttled.until);
        self.update_wait(now)
    }

    /// Begins to wait, if no app may send. `true` if one could until now.
    fn update_wait(&mut self, now: Timestamp) -> bool {
        let waits = self.closures.back().is_some_and(|closure| closure.to.is_none());
        let news = self.throttle_status.waiting_until().is_some() && !waits;
        if news {
            self.closures.retain(|closure| closure.to.is_some_and(|to| slot(to) >= slot(now) - SLOTS));
            self.closures.push_back(GateClosure { from: now, to: None });
            self.wait_count += 1;
        }
        news
    }

    /// Ends the wait, if an app may send again.
    fn end_wait(&mut self, now: Timestamp) {
        if let (None, Some(closure)) = (self.throttle_status.waiting_until(), self.closures.back_mut()) {
            closure.to.get_or_insert(now);
        }
    }

    /// Number of users in this run.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Number of users with a final outcome.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether an earlier process began the run.
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// The outcomes that occurred, in the order of [`Outcome::ALL`], with their counts.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, self.counts[outcome as usize]))
            .filter(|(_, n)| *n > 0)
    }

    /// How often the gate closed.
    pub fn wait_count(&self) -> u64 {
        self.wait_count
    }

    /// Why sending stopped, if it did.
    pub fn stop_reason(&self) -> Option<&StopReason> {
        self.stop_reason.as_ref()
    }

    /// Whether the run has reported its end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self, now: Timestamp) -> Duration {
        self.began_at.or(self.first_sent_at).map_or(Duration::ZERO, |began| since(began, now))
    }

    /// Whether requests may leave.
    pub fn gate_state(&self, now: Timestamp) -> GateState {
        self.throttle_status
            .waiting_until()
            .map_or(GateState::Open, |until| GateState::Closed(since(now, until)))
    }

    /// The apps that wait while others send, each with the rest of its wait.
    pub fn waiting_apps(&self, now: Timestamp) -> impl Iterator<Item = (&str, Duration)> {
        self.throttle_status.waiting_apps().map(move |(app, until)| (app, since(now, until)))
    }

    /// Users settled per second over the last ten seconds, or since the first request if that is more recent. Time with
    /// a closed gate does not count. `None` if less than a second is left.
    pub fn rate(&self, now: Timestamp) -> Option<f64> {
        let (from, settled) = self.window(now)?;
        let closed =
            |closure: &GateClosure| since(closure.from.max(from), closure.to.unwrap_or(now)).as_secs_f64();
        let span = since(from, now).as_secs_f64() - self.closures.iter().map(closed).sum::<f64>();
        (span >= MIN_RATE_SECONDS).then(|| settled as f64 / span)
    }

    /// The start of the rate's window, and the number of users that settled in it.
    fn window(&self, now: Timestamp) -> Option<(Timestamp, u64)> {
        let oldest = slot(now) - SLOTS;
        let edge = Timestamp::from_millisecond(oldest * SLOT_MS).ok()?;
        let within = self.slots.iter().filter(|(slot, _)| *slot >= oldest);
        Some((edge.max(self.first_sent_at?), within.map(|(_, n)| n).sum()))
    }

    /// How long the rest will take, from the dispatcher's forecast, which considers pacers, free places and answers.
    pub fn time_left(&self, foreseen: Option<Duration>) -> TimeLeft {
        if self.settled >= self.total {
            return TimeLeft::Measured(Duration::ZERO);
        }
        match foreseen.filter(|left| left.as_secs() < MAX_SHOWN_SECONDS) {
            None => TimeLeft::Unknown,
            Some(_) if self.stop_reason.is_some() => TimeLeft::Unknown,
            Some(left) if self.settled > 0 => TimeLeft::Measured(left),
            Some(left) if left.is_zero() => TimeLeft::Unknown,
            Some(left) => TimeLeft::Estimated(left),
        }
    }
}

fn slot(at: Timestamp) -> i64 {
    at.as_millisecond().div_euclid(SLOT_MS)
}

/// The time between two instants; zero if the second is not later.
fn since(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// Seconds as a span; `None` if they are not a number, or too many to mean anything.
fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|span| span.as_secs() < MAX_SHOWN_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::test_events::{self, at};

    /// Runs `total` users through a tally: `gap(i)` milliseconds before user `i` settles. Calls `look` after each.
    fn run(total: u32, gap: impl Fn(u32) -> f64, mut look: impl FnMut(&Tally, f64)) -> f64 {
        let mut tally = Tally::new(u64::from(total));
        let mut ms = 0.0;
        tally.on_event(&test_events::began(total), at(0));
        for i in 0..total {
            tally.on_event(&test_events::sent(i), at(ms as i64));
            ms += gap(i);
            tally.on_event(&test_events::settled(i, Outcome::Revoked), at(ms as i64));
            look(&tally, ms);
        }
        ms
    }

    #[test]
    fn nothing_is_known_before_anything_happened() {
        let tally = Tally::new(5_000);
        assert_eq!(tally.time_left(None), TimeLeft::Unknown);
        assert_eq!(TimeLeft::Unknown.to_string(), "–");
        let pace = RatePolicy::fixed(20.0, 1_000);
        let left = tally.time_left(Some(Duration::from_secs(200)));
        assert_eq!(left, TimeLeft::Estimated(Duration::from_secs(200)));
        assert_eq!(left.to_string(), "about 3m20s");
        assert_eq!(pace.estimate_time(5_000), TimeLeft::Estimated(Duration::from_secs(205)));
        assert_eq!(pace.estimate_time(40), TimeLeft::Estimated(Duration::from_secs(1)));
        assert_eq!(pace.estimate_time(0), TimeLeft::Unknown);
        // The pacers hold nothing up, and nothing is measured yet.
        assert_eq!(tally.time_left(Some(Duration::ZERO)), TimeLeft::Unknown);
        assert_eq!(tally.time_left(Some(Duration::MAX)), TimeLeft::Unknown);
        assert_eq!((tally.rate(at(0)), tally.gate_state(at(0))), (None, GateState::Open));
    }

    #[test]
    fn zero_rate_gives_no_time_estimate() {
        for per_second in [0.0, -1.0, f64::NAN] {
            let pace = RatePolicy::fixed(per_second, 0);
            assert_eq!(pace.estimate_time(10), TimeLeft::Unknown, "{per_second}");
        }
    }

    #[test]
    fn forecast_is_shown_while_users_remain() {
        let foreseen = Some(Duration::from_secs(90));
        run(
            100,
            |_| 10.0,
            |tally, _| match tally.settled() {
                100 => assert_eq!(tally.time_left(foreseen), TimeLeft::Measured(Duration::ZERO)),
                _ => assert_eq!(tally.time_left(foreseen), TimeLeft::Measured(Duration::from_secs(90))),
            },
        );
    }

    #[test]
    fn the_rate_is_that_of_the_last_ten_seconds() {
        let gap = |i| if i < 1_000 { 10.0 } else { 100.0 };
        run(1_400, gap, |tally, ms| match ms as i64 {
            0..1_000 => assert_eq!(tally.rate(at(ms as i64)), None),
            1_000..10_000 => assert!((tally.rate(at(ms as i64)).unwrap() - 100.0).abs() < 2.0),
            21_000.. => assert!((tally.rate(at(ms as i64)).unwrap() - 10.0).abs() < 0.5),
            _ => {}
        });
    }

    #[test]
    fn throttle_waits_do_not_lower_the_rate() {
        let mut tally = Tally::new(1_000);
        for i in 0..200 {
            tally.on_event(&test_events::sent(i), at(i64::from(i) * 50));
            tally.on_event(&test_events::settled(i, Outcome::Revoked), at(i64::from(i) * 50 + 50));
        }
        assert!(tally.on_event(&test_events::throttled(at(40_000)), at(10_000)));
        // The wait is raised, never lowered, and neither is news.
        assert!(!tally.on_event(&test_events::throttled(at(35_000)), at(10_100)));
        assert!(!tally.on_event(&test_events::throttled(at(42_000)), at(10_200)));
        assert_eq!(tally.gate_state(at(30_000)), GateState::Closed(Duration::from_secs(12)));
        assert_eq!(tally.gate_state(at(43_000)), GateState::Closed(Duration::ZERO));
        tally.on_event(&test_events::reopened(), at(43_000));
        assert_eq!((tally.gate_state(at(43_000)), tally.wait_count()), (GateState::Open, 1));
        for i in 200..260 {
            tally.on_event(&test_events::settled(i, Outcome::Revoked), at(43_000 + i64::from(i - 199) * 50));
        }
        assert!((tally.rate(at(46_000)).unwrap() - 20.0).abs() < 2.0);
    }

    #[test]
    fn unattempted_users_do_not_count_for_the_rate() {
        let mut tally = Tally::new(6);
        for (i, outcome) in [Outcome::NotFound, Outcome::Revoked, Outcome::Revoked].into_iter().enumerate() {
            tally.on_event(&test_events::settled(i as u32, outcome), at(0));
        }
        assert!(tally.on_event(&test_events::stopping(StopReason::Interrupted), at(1_000)));
        assert_eq!(tally.time_left(None), TimeLeft::Unknown);
        for i in 3..6 {
            tally.on_event(&test_events::settled(i, Outcome::NotAttempted), at(1_000));
        }
        let counts: Vec<_> = tally.outcomes().collect();
        assert_eq!(counts, [(Outcome::Revoked, 2), (Outcome::NotFound, 1), (Outcome::NotAttempted, 3)]);
        assert_eq!(tally.rate(at(1_000)), Some(3.0));
        assert_eq!(tally.time_left(None), TimeLeft::Measured(Duration::ZERO));
    }

    #[test]
    fn clock_set_back_does_not_panic() {
        let mut tally = Tally::new(10);
        tally.on_event(&test_events::settled(1, Outcome::Revoked), at(100_000));
        tally.on_event(&test_events::settled(2, Outcome::Revoked), at(10_000));
        assert_eq!((tally.settled(), tally.elapsed(at(10_000))), (2, Duration::ZERO));
        assert_eq!(tally.time_left(None), TimeLeft::Unknown);
    }
}
