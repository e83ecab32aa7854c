//! Sets a run up, plays it, and holds it to what must hold in every run.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::fake::{Arrival, Fake, Plot, React, Seen, Tail};
use super::quota::Quota;
use crate::dispatch::{
    App, BatchSize, Dispatcher, Finished, HaltRule, Jobs, Pace, Pacing, Rate, Settings, Tenant, Work,
};
use crate::event::{Event, Order, Settled, Stop};
use crate::identity::{SignInError, TokenAge};
use crate::journal::Journal;
use crate::outcome::{Accepted, Outcome};
use crate::plan::Target;

/// No run of these tests lasts as long, in virtual time.
const NEVER: Duration = Duration::from_secs(2 * 86_400);

pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A run to be played.
pub(super) struct Stage {
    users: u32,
    settings: Settings,
    plot: Plot,
    interrupts: Vec<(Duration, Stop)>,
    external: Vec<Order>,
    work: Option<Vec<Work>>,
    journal: Option<File>,
}

impl Stage {
    /// So many users, an unhurried pace, and a Graph that revokes them all within 0.1 s each.
    pub(super) fn of(users: u32) -> Stage {
        Stage {
            users,
            settings: Settings {
                jobs: Jobs::Fixed(64),
                batch: BatchSize::Fixed(1),
                places: usize::MAX,
                pacing: Pacing::of_app(Pace { per_second: 100.0, burst: 10 }),
                retries: 4,
                deadline: None,
                halt: None,
                accepted: Accepted::default(),
            },
            plot: Plot {
                script: Box::new(|_| React::done()),
                quota: None,
                latency: seconds(0.1),
                ages: None,
                renew: Box::new(|_| Ok(())),
                renew_takes: seconds(1.0),
            },
            interrupts: Vec::new(),
            external: Vec::new(),
            work: None,
            journal: None,
        }
    }

    pub(super) fn script(mut self, script: impl Fn(Seen) -> React + Send + Sync + 'static) -> Stage {
        self.plot.script = Box::new(script);
        self
    }

    pub(super) fn quota(mut self, quota: Quota) -> Stage {
        self.plot.quota = Some(quota);
        self
    }

    pub(super) fn auto(mut self) -> Stage {
        self.settings.pacing = Rate::Auto.pacing(None, 1.0);
        self
    }

    pub(super) fn pace(mut self, per_second: f64, burst: u32) -> Stage {
        self.settings.pacing = Pacing::of_app(Pace { per_second, burst });
        self
    }

    pub(super) fn jobs(mut self, jobs: usize) -> Stage {
        self.settings.jobs = Jobs::Fixed(jobs);
        self
    }

    pub(super) fn retries(mut self, retries: u32) -> Stage {
        self.settings.retries = retries;
        self
    }

    pub(super) fn deadline(mut self, deadline: Duration) -> Stage {
        self.settings.deadline = Some(deadline);
        self
    }

    pub(super) fn halt(mut self, rule: &str) -> Stage {
        self.settings.halt = Some(rule.parse::<HaltRule>().unwrap());
        self
    }

    pub(super) fn accept(mut self, outcome: Outcome) -> Stage {
        self.settings.accepted = [outcome].into_iter().collect();
        self
    }

    pub(super) fn interrupt(mut self, at: Duration, why: Stop) -> Stage {
        self.interrupts.push((at, why));
        self
    }

    pub(super) fn external(mut self, users: &[Order]) -> Stage {
        self.external = users.to_vec();
        self
    }

    pub(super) fn work(mut self, work: Vec<Work>) -> Stage {
        self.work = Some(work);
        self
    }

    /// Tokens age after `ages` and end after `ends`.
    pub(super) fn tokens(mut self, ages: f64, ends: f64) -> Stage {
        self.plot.ages = Some((seconds(ages), seconds(ends)));
        self
    }

    /// Tokens that live so long, and stand as real ones do.
    pub(super) fn tokens_of(self, life: u64) -> Stage {
        let life = Duration::from_secs(life);
        let stands =
            |age: TokenAge| (0..).map(Duration::from_secs).find(|at| TokenAge::after(*at, life) == age);
        let (ages, ends) = (stands(TokenAge::Aging).unwrap(), stands(TokenAge::Ended).unwrap());
        self.tokens(ages.as_secs_f64(), ends.as_secs_f64())
    }

    /// What becomes of the n-th renewal, from 1.
    pub(super) fn renew(
        mut self,
        renew: impl Fn(usize) -> Result<(), SignInError> + Send + Sync + 'static,
    ) -> Stage {
        self.plot.renew = Box::new(renew);
        self
    }

    pub(super) fn renew_takes(mut self, time: Duration) -> Stage {
        self.plot.renew_takes = time;
        self
    }

    /// Writes the journal here; what it holds can't be followed.
    pub(super) fn journal(mut self, file: File) -> Stage {
        self.journal = Some(file);
        self
    }

    /// Plays the run to its end, checks it, and gives what there is to see.
    pub(super) async fn play(self) -> Played {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let own = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let followed = self.journal.is_none();
        let tail = followed.then(|| File::open(&path).unwrap());
        let tail = Arc::new(Mutex::new(Tail::new(tail)));
        let journal = Journal::new(self.journal.unwrap_or(own), 0).unwrap();
        let synced = journal.synced();
        let fake = Arc::new(Fake::new(self.plot, Arc::clone(&tail)));

        let target = |order: Order| Target {
            user: format!("u{order}@contoso.com").parse().unwrap(),
            external: Some(self.external.contains(&order)),
            tenant: 0,
        };
        let targets: Arc<[Target]> = (1..=self.users).map(target).collect();
        let all = || (1..=self.users).map(|order| Work { order, ..Work::default() }).collect::<Vec<_>>();
        let work = self.work.unwrap_or_else(all);
        let jobs = self.settings.jobs.most();

        let (interrupt, interrupts) = mpsc::channel(4);
        let stops = self.interrupts;
        let interrupting = tokio::spawn(async move {
            let began = Instant::now();
            for (at, why) in stops {
                sleep(at.saturating_sub(began.elapsed())).await;
                let _ = interrupt.send(why).await;
            }
            std::future::pending::<()>().await;
        });

        let began = Instant::now();
        let told = Arc::new(Mutex::new(Vec::new()));
        let listen = {
            let (told, tail) = (Arc::clone(&told), Arc::clone(&tail));
            move |event: &Event| {
                if let Event::Settled(settled) = event {
                    let upto = synced.borrow().clone().unwrap();
                    let known = tail.lock().unwrap().has_settled(settled.target, upto);
                    assert!(known, "told before it was synced");
                }
                told.lock().unwrap().push((began.elapsed(), event.clone()));
            }
        };
        let asked: Vec<Order> = work.iter().map(|work| work.order).collect();
        let apps = vec![App { graph: Arc::clone(&fake), id: None, everywhere: None }];
        let tenants = vec![Tenant { apps, work: Box::new(work.into_iter()), refused: None }];
        let run = Dispatcher::new(tenants, targets, self.settings, journal, listen);
        let finished = timeout(NEVER, run.run(interrupts)).await.expect("the run ends");
        let took = began.elapsed();
        interrupting.abort();

        tail.lock().unwrap().read();
        let journal = std::mem::take(&mut tail.lock().unwrap().events);
        let told = std::mem::take(&mut *told.lock().unwrap());
        let arrivals = fake.state().arrivals.clone();
        let played = Played { finished, took, arrivals, journal, told, fake, asked, jobs };
        if followed {
            played.check();
        }
        played
    }
}

/// What there was to see of a run.
pub(super) struct Played {
    pub(super) finished: Finished,
    /// Virtual time.
    pub(super) took: Duration,
    pub(super) arrivals: Vec<Arrival>,
    pub(super) journal: Vec<Event>,
    pub(super) told: Vec<(Duration, Event)>,
    pub(super) fake: Arc<Fake>,
    asked: Vec<Order>,
    jobs: usize,
}

impl Played {
    pub(super) fn stop(&self) -> Option<&Stop> {
        self.finished.stop.as_ref()
    }

    pub(super) fn settled(&self) -> impl Iterator<Item = &Settled> {
        self.journal.iter().filter_map(|event| match event {
            Event::Settled(settled) => Some(&**settled),
            _ => None,
        })
    }

    pub(super) fn outcome(&self, user: Order) -> Option<Outcome> {
        self.settled().find(|settled| settled.target == user).map(|settled| settled.outcome)
    }

    /// How many targets ended in which word; who was never sent has none.
    pub(super) fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        let mut outcomes = BTreeMap::new();
        self.settled().for_each(|settled| *outcomes.entry(settled.outcome).or_default() += 1);
        outcomes
    }

    /// Everybody was revoked, and nothing stopped the run.
    pub(super) fn all_revoked(&self) -> bool {
        self.stop().is_none() && self.outcomes() == [(Outcome::Revoked, self.asked.len())].into()
    }

    pub(super) fn throttles(&self) -> usize {
        self.arrivals.iter().filter(|arrival| arrival.is_throttled()).count()
    }

    /// When the requests for a user arrived.
    pub(super) fn arrived(&self, user: Order) -> Vec<Duration> {
        self.arrivals.iter().filter(|arrival| arrival.seen.user == user).map(Arrival::at).collect()
    }

    /// The longest time without any arrival, from the first to the last.
    pub(super) fn longest_pause(&self) -> Duration {
        self.arrivals.windows(2).map(|pair| pair[1].at() - pair[0].at()).max().unwrap_or_default()
    }

    /// When `event` was told for the first time.
    pub(super) fn when(&self, event: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.told.iter().find(|(_, told)| event(told)).map(|(at, _)| *at)
    }

    fn check(&self) {
        self.check_journal();
        self.check_outcomes();
        self.check_gate();
        assert!(self.fake.state().most_in_flight <= self.jobs, "more in flight than --jobs");
    }

    /// Each request has its line, no line follows the stop, and listeners hear what the journal has.
    fn check_journal(&self) {
        let sent = self.journal.iter().filter_map(|event| match event {
            Event::Sent(sent) => Some(sent.client_request_id),
            _ => None,
        });
        assert!(sent.eq(self.arrivals.iter().map(|arrival| arrival.id)), "sent lines are not the arrivals");
        let after = self.journal.iter().skip_while(|event| !matches!(event, Event::Stopping { .. }));
        assert_eq!(after.filter(|event| matches!(event, Event::Sent(_))).count(), 0, "sent after the stop");
        let stopping = self.journal.iter().find_map(|event| match event {
            Event::Stopping { why, .. } => Some(why),
            _ => None,
        });
        assert_eq!(stopping, self.stop());
        let stopped = self.when(|event| matches!(event, Event::Stopping { .. }));
        assert!(self.arrivals.iter().all(|arrival| stopped.is_none_or(|stopped| arrival.at() <= stopped)));
        assert!(matches!(self.journal.last(), Some(Event::Ended { .. })));
        assert!(matches!(self.told.last(), Some((_, Event::Ended { .. }))));
        let told = self.told.iter().filter_map(|(_, event)| match event {
            Event::Settled(settled) => Some(&**settled),
            _ => None,
        });
        assert!(told.eq(self.settled()), "listeners did not hear each outcome once, in order");
    }

    /// Whoever was sent has one outcome, which is what the last answer said; the others have none.
    fn check_outcomes(&self) {
        let mut outcomes: BTreeMap<Order, Outcome> = BTreeMap::new();
        for settled in self.settled() {
            let twice = outcomes.insert(settled.target, settled.outcome);
            assert_eq!(twice, None, "{} settled twice", settled.target);
        }
        let mut last: BTreeMap<Order, &Arrival> = BTreeMap::new();
        for arrival in &self.arrivals {
            let before = last.insert(arrival.seen.user, arrival);
            assert!(!before.is_some_and(Arrival::is_done), "{} revoked twice", arrival.seen.user);
        }
        assert!(outcomes.keys().eq(last.keys()), "sent and without outcome, or the other way round");
        for (user, outcome) in &outcomes {
            let done = matches!(outcome, Outcome::Revoked | Outcome::AcceptedNoEffect);
            assert_eq!(done, last[user].is_done(), "{user} is {outcome}");
            assert_eq!(*outcome == Outcome::ThrottledOut, last[user].is_throttled(), "{user} is {outcome}");
        }
        if self.stop().is_none() {
            assert!(outcomes.keys().copied().eq(self.asked.iter().copied()), "some have no outcome");
        }
        for settled in self.settled() {
            assert!(settled.attempts >= last[&settled.target].seen.attempt, "attempts are missing");
        }
    }

    /// From a 429's answer to its instant nothing arrives; then one probe, and nothing beside it.
    fn check_gate(&self) {
        let throttled = self.arrivals.iter().filter(|arrival| arrival.is_throttled());
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
            let first_after = self.arrivals.partition_point(|arrival| arrival.at() <= *told);
            let probe = self.arrivals.partition_point(|arrival| arrival.at() < until);
            assert!(first_after == probe, "arrived while the gate was closed ({told:?}..{until:?})");
            let next = closings.get(index + 1).map_or(NEVER, |(next, _)| *next);
            if next <= until {
                continue;
            }
            let Some(answered) = self.arrivals.get(probe).and_then(|probe| probe.answered) else { continue };
            // A straggler's 429 closes the gate beside the probe, and then there is a new one.
            let beside =
                self.arrivals[probe + 1..].iter().take_while(|other| other.at() < answered.min(next));
            assert_eq!(beside.count(), 0, "beside the probe after {until:?}");
        }
    }
}
