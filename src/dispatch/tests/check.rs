//! What must be true of every run, each tenant and each app.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use uuid::Uuid;

use super::fake::{FakeArrival, FakePlace};
use super::fixture::{FixtureRun, NEVER, seconds};
use crate::event::{Event, StopReason, TargetNo};
use crate::outcome::Outcome;

impl FixtureRun {
    /// Asserts what must be true of every run.
    pub(super) fn check(&self) {
        self.check_journal();
        (0..self.tenants).for_each(|tenant| self.check_stop_of(tenant));
        self.check_outcomes();
        self.check_gates();
        assert!(self.fake.state().most_in_flight <= self.jobs, "more in flight than --jobs");
    }

    /// Each request has its line, no `sent` line follows the stop, and listeners get what the journal has.
    fn check_journal(&self) {
        let sent = self.journal.iter().filter_map(|event| match event {
            Event::Sent(sent) => Some(sent.client_request_id),
            _ => None,
        });
        assert!(sent.eq(self.arrivals.iter().map(|arrival| arrival.id)), "sent lines are not the arrivals");
        let after =
            self.journal.iter().skip_while(|event| !matches!(event, Event::Stopping { tenant: None, .. }));
        assert_eq!(after.filter(|event| matches!(event, Event::Sent(_))).count(), 0, "sent after the stop");
        assert_eq!(self.stopping(None), self.stop());
        let stopped = self.when(|event| matches!(event, Event::Stopping { tenant: None, .. }));
        assert!(self.arrivals.iter().all(|arrival| stopped.is_none_or(|stopped| arrival.at() <= stopped)));
        assert!(matches!(self.journal.last(), Some(Event::Ended { .. })));
        assert!(matches!(self.told.last(), Some((_, Event::Ended { .. }))));
        let told = self.told.iter().filter_map(|(_, event)| match event {
            Event::Settled(settled) => Some(&**settled),
            _ => None,
        });
        assert!(told.eq(self.settled()), "listeners did not hear each outcome once, in order");
    }

    /// Each target for which a request was sent has one outcome, which follows from the last answer. The
    /// others have none.
    fn check_outcomes(&self) {
        let mut outcomes: BTreeMap<TargetNo, Outcome> = BTreeMap::new();
        for settled in self.settled() {
            let twice = outcomes.insert(settled.target, settled.outcome);
            assert_eq!(twice, None, "{} settled twice", settled.target);
        }
        let mut last: BTreeMap<TargetNo, &FakeArrival> = BTreeMap::new();
        for arrival in &self.arrivals {
            let before = last.insert(arrival.seen.user, arrival);
            assert!(!before.is_some_and(FakeArrival::is_done), "{} revoked twice", arrival.seen.user);
        }
        assert!(outcomes.keys().eq(last.keys()), "sent and without outcome, or the other way round");
        for (user, outcome) in &outcomes {
            let done = matches!(outcome, Outcome::Revoked | Outcome::AcceptedNoEffect);
            assert_eq!(done, last[user].is_done(), "{user} is {outcome}");
            assert_eq!(*outcome == Outcome::ThrottledOut, last[user].is_throttled(), "{user} is {outcome}");
        }
        if self.stop().is_none() {
            let ends = |user: &&TargetNo| self.finished.tenants[self.tenant_of(**user)].is_none();
            let missing = self.asked.iter().filter(ends).find(|user| !outcomes.contains_key(*user));
            assert_eq!(missing, None, "some have no outcome");
        }
        for settled in self.settled() {
            assert!(settled.attempts >= last[&settled.target].seen.attempt, "attempts are missing");
        }
    }

    /// A tenant that stops reports this, and sends nothing more.
    fn check_stop_of(&self, tenant: usize) {
        let why = self.finished.tenants[tenant].as_ref();
        let index = tenant as u32;
        assert_eq!(self.stopping(Some(index)), why);
        let after = self.journal.iter();
        let after = after
            .skip_while(|event| !matches!(event, Event::Stopping { tenant: Some(at), .. } if *at == index));
        let sent =
            after.filter(|event| matches!(event, Event::Sent(sent) if self.tenant_of(sent.target) == tenant));
        assert_eq!(sent.count(), 0, "sent in tenant {tenant} after its stop");
    }

    /// Why the run, or one of its tenants, stopped.
    fn stopping(&self, of: Option<u32>) -> Option<&StopReason> {
        self.journal.iter().find_map(|event| match event {
            Event::Stopping { why, tenant, .. } if *tenant == of => Some(why),
            _ => None,
        })
    }

    /// Each limit has its own gate: an app's in a tenant, a tenant's, an app's over all tenants.
    fn check_gates(&self) {
        for tenant in 0..self.tenants {
            let its = |arrival: &FakeArrival| arrival.seen.place.tenant == tenant;
            self.check_gate(its, |scope| scope == "Tenant");
            for app in 0..self.apps {
                let its = |arrival: &FakeArrival| arrival.seen.place == (FakePlace { tenant, app });
                let single = self.tenants == 1;
                let closes = |scope: &str| scope != "Tenant" && (scope != "Application" || single);
                self.check_gate(its, closes);
            }
        }
        for app in 0..self.apps {
            let its = |arrival: &FakeArrival| arrival.seen.place.app == app;
            self.check_gate(its, |scope| self.tenants > 1 && scope == "Application");
        }
    }

    /// The third 429 in a row of a user, and later ones: the user may be throttled individually, so they do
    /// not hold up others.
    fn own_throttles(&self) -> HashSet<Uuid> {
        let mut rows: BTreeMap<TargetNo, u32> = BTreeMap::new();
        let mut own = HashSet::new();
        for arrival in &self.arrivals {
            let row = rows.entry(arrival.seen.user).or_default();
            *row = if arrival.is_throttled() {
                *row + 1
            } else if arrival.is_answered() {
                0
            } else {
                *row
            };
            if *row > 2 {
                own.insert(arrival.id);
            }
        }
        own
    }

    /// From a 429 to its instant, nothing arrives. Then one probe arrives, and nothing else until it is
    /// answered.
    fn check_gate(&self, its: impl Fn(&FakeArrival) -> bool, closes: impl Fn(&str) -> bool) {
        let arrivals: Vec<&FakeArrival> = self.arrivals.iter().filter(|arrival| its(arrival)).collect();
        let own = self.own_throttles();
        let throttled = arrivals.iter().filter(|arrival| arrival.is_throttled() && closes(arrival.scope()));
        let throttled = throttled.filter(|arrival| !own.contains(&arrival.id));
        let mut closings: Vec<(Duration, Duration)> = throttled
            .filter_map(|arrival| {
                let told = arrival.answered?;
                Some((told, told + arrival.retry_after().unwrap_or_default().max(seconds(0.5))))
            })
            .collect();
        closings.sort_unstable();
        let mut until = Duration::ZERO;
        for (index, (told, its_own)) in closings.iter().enumerate() {
            until = if *told <= until { until.max(*its_own) } else { *its_own };
            let first_after = arrivals.partition_point(|arrival| arrival.at() <= *told);
            let probe = arrivals.partition_point(|arrival| arrival.at() < until);
            assert!(first_after == probe, "arrived while the gate was closed ({told:?}..{until:?})");
            let next = closings.get(index + 1).map_or(NEVER, |(next, _)| *next);
            if next <= until {
                continue;
            }
            let Some(answered) = arrivals.get(probe).and_then(|probe| probe.answered) else { continue };
            // A late 429 closes the gate while the probe is in flight, and then there is a new probe.
            let beside = arrivals[probe + 1..].iter().take_while(|other| other.at() < answered.min(next));
            assert_eq!(beside.count(), 0, "beside the probe after {until:?}");
        }
    }
}
