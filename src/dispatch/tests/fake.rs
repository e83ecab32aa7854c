//! A Graph of a few lines behind the trait: answers as its script says, and notes what arrives.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::quota::Quota;
use crate::event::{Event, Order};
use crate::graph::{Answer, Body, Graph, Loss, Lost, Reply, Request, Response};
use crate::identity::{SignInError, TokenAge, TokenState};

/// What the script sees of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Since the run's start.
    pub(super) at: Duration,
    pub(super) user: Order,
    /// Which request for this user, from 1.
    pub(super) attempt: u32,
    /// Which request of all, from 1.
    pub(super) nth: usize,
    /// Serial of its token.
    pub(super) token: u64,
    pub(super) new_connection: bool,
}

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub(super) struct React {
    /// None: it breaks down.
    pub(super) reply: Option<Reply>,
    /// None: after the stage's latency.
    pub(super) after: Option<Duration>,
}

impl React {
    pub(super) fn done() -> React {
        React::response(Response { status: 204, request_id: Some("an-id".to_owned()), ..Response::default() })
    }

    pub(super) fn status(status: u16) -> React {
        React::response(Response { status, ..Response::default() })
    }

    pub(super) fn gone() -> React {
        let body = Body::Error { code: "Request_ResourceNotFound".to_owned(), message: String::new() };
        React::response(Response { status: 404, body, ..Response::default() })
    }

    pub(super) fn throttled(retry_after: impl Into<Option<u64>>) -> React {
        let retry_after = retry_after.into().map(Duration::from_secs);
        React::response(Response { status: 429, retry_after, ..Response::default() })
    }

    pub(super) fn lost(how: Loss) -> React {
        React { reply: Some(Reply::Lost(Lost { how, detail: String::new() })), after: None }
    }

    pub(super) fn panic() -> React {
        React { reply: None, after: None }
    }

    pub(super) fn challenge(claims: &str) -> React {
        let claims = Some(claims.to_owned());
        React::response(Response { status: 401, claims, ..Response::default() })
    }

    pub(super) fn response(response: Response) -> React {
        React { reply: Some(Reply::Response(Box::new(response))), after: None }
    }

    /// Changes the response.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Response)) -> React {
        if let Some(Reply::Response(response)) = &mut self.reply {
            change(response);
        }
        self
    }

    pub(super) fn after(mut self, time: Duration) -> React {
        self.after = Some(time);
        self
    }

    fn status_of(&self) -> Option<u16> {
        match &self.reply {
            Some(Reply::Response(response)) => Some(response.status),
            _ => None,
        }
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) seen: Seen,
    pub(super) id: Uuid,
    pub(super) react: React,
    pub(super) answered: Option<Duration>,
}

impl Arrival {
    pub(super) fn at(&self) -> Duration {
        self.seen.at
    }

    pub(super) fn is_done(&self) -> bool {
        match &self.react.reply {
            Some(Reply::Response(response)) => response.status == 204 && response.request_id.is_some(),
            _ => false,
        }
    }

    pub(super) fn is_throttled(&self) -> bool {
        self.react.status_of() == Some(429)
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.react.reply {
            Some(Reply::Response(response)) => response.retry_after,
            _ => None,
        }
    }
}

/// A call for a new token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Renewal {
    pub(super) at: Duration,
    pub(super) stale: u64,
    pub(super) claims: Option<String>,
}

pub(super) type Script = Box<dyn Fn(Seen) -> React + Send + Sync>;
pub(super) type RenewScript = Box<dyn Fn(usize) -> Result<(), SignInError> + Send + Sync>;

/// What the fake is told to be.
pub(super) struct Plot {
    pub(super) script: Script,
    pub(super) quota: Option<Quota>,
    pub(super) latency: Duration,
    /// After how long a token ages, and ends.
    pub(super) ages: Option<(Duration, Duration)>,
    /// Takes the renewal's number, from 1.
    pub(super) renew: RenewScript,
    pub(super) renew_takes: Duration,
}

pub(super) struct Fake {
    began: Instant,
    plot: Plot,
    journal: Arc<Mutex<Tail>>,
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) most_in_flight: usize,
    pub(super) renewals: Vec<Renewal>,
    in_flight: usize,
    attempts: HashMap<Order, u32>,
    quota: Option<Quota>,
    token: u64,
    token_since: Instant,
}

impl Fake {
    pub(super) fn new(plot: Plot, journal: Arc<Mutex<Tail>>) -> Fake {
        let began = Instant::now();
        let state = State {
            arrivals: Vec::new(),
            most_in_flight: 0,
            renewals: Vec::new(),
            in_flight: 0,
            attempts: HashMap::new(),
            quota: plot.quota,
            token: 1,
            token_since: began,
        };
        Fake { began, plot, journal, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Notes a request, and decides what becomes of it. Returns its index.
    fn arrive(&self, request: &Request) -> (usize, React, u64) {
        assert!(
            self.journal.lock().unwrap().has_sent(request.client_request_id),
            "sent without a `sent` line"
        );
        let mut state = self.state();
        let user = request.user.to_string();
        let user: Order = user.trim_start_matches('u').split('@').next().unwrap().parse().unwrap();
        let attempt = state.attempts.entry(user).or_default();
        *attempt += 1;
        let seen = Seen {
            at: self.began.elapsed(),
            user,
            attempt: *attempt,
            nth: state.arrivals.len() + 1,
            token: state.token,
            new_connection: request.new_connection,
        };
        let passes = state.quota.as_mut().map_or(Ok(()), |quota| quota.take(seen.at));
        let react = match passes {
            Ok(()) => (self.plot.script)(seen),
            Err(wait) => React::throttled(wait.as_secs()),
        };
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        let id = request.client_request_id;
        state.arrivals.push(Arrival { seen, id, react: react.clone(), answered: None });
        (seen.nth - 1, react, seen.token)
    }
}

impl Graph for Fake {
    async fn revoke(&self, request: Request) -> Answer {
        let (index, react, token) = self.arrive(&request);
        sleep(react.after.unwrap_or(self.plot.latency)).await;
        {
            let mut state = self.state();
            state.in_flight -= 1;
            state.arrivals[index].answered = Some(self.began.elapsed());
        }
        match react.reply {
            Some(reply) => Answer { reply, token },
            None => panic!("the worker breaks down, as the script asks"),
        }
    }

    async fn revoke_batch(&self, requests: Vec<Request>) -> Vec<Answer> {
        let arrived: Vec<_> = requests.iter().map(|request| self.arrive(request)).collect();
        let took = |react: &React| react.after.unwrap_or(self.plot.latency);
        sleep(arrived.iter().map(|(_, react, _)| took(react)).max().unwrap_or_default()).await;
        let answered = Some(self.began.elapsed());
        let mut state = self.state();
        let mut answers = Vec::new();
        for (index, react, token) in arrived {
            state.in_flight -= 1;
            state.arrivals[index].answered = answered;
            let reply = react.reply.expect("a worker that breaks down carries no batch");
            answers.push(Answer { reply, token });
        }
        answers
    }

    fn token(&self) -> TokenState {
        let state = self.state();
        let age = match self.plot.ages {
            Some((_, ends)) if state.token_since.elapsed() >= ends => TokenAge::Ended,
            Some((ages, _)) if state.token_since.elapsed() >= ages => TokenAge::Aging,
            _ => TokenAge::Fresh,
        };
        TokenState { serial: state.token, age }
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        let nth = {
            let mut state = self.state();
            state.renewals.push(Renewal { at: self.began.elapsed(), stale, claims });
            state.renewals.len()
        };
        sleep(self.plot.renew_takes).await;
        (self.plot.renew)(nth)?;
        let mut state = self.state();
        if state.token == stale {
            state.token += 1;
            state.token_since = Instant::now();
        }
        Ok(())
    }
}

/// Follows the journal's file as it grows.
#[derive(Debug, Default)]
pub(super) struct Tail {
    file: Option<File>,
    torn: Vec<u8>,
    sent: HashSet<Uuid>,
    /// Where each `settled` line ends, in bytes.
    settled: HashMap<Order, u64>,
    length: u64,
    pub(super) events: Vec<Event>,
}

impl Tail {
    /// None: nothing can be known, and everything is believed.
    pub(super) fn new(file: Option<File>) -> Tail {
        Tail { file, ..Tail::default() }
    }

    pub(super) fn read(&mut self) {
        let Some(file) = &mut self.file else { return };
        file.read_to_end(&mut self.torn).unwrap();
        let whole = self.torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in self.torn.drain(..whole).as_slice().split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            self.length += line.len() as u64 + 1;
            let event: Event = serde_json::from_slice(line).unwrap();
            match &event {
                Event::Sent(sent) => drop(self.sent.insert(sent.client_request_id)),
                Event::Settled(settled) => drop(self.settled.insert(settled.target, self.length)),
                _ => {}
            }
            self.events.push(event);
        }
    }

    fn has_sent(&mut self, id: Uuid) -> bool {
        if !self.sent.contains(&id) {
            self.read();
        }
        self.file.is_none() || self.sent.contains(&id)
    }

    /// Whether a target's `settled` line lies within the first bytes, `upto` so many.
    pub(super) fn has_settled(&mut self, target: Order, upto: u64) -> bool {
        if !self.settled.contains_key(&target) {
            self.read();
        }
        self.file.is_none() || self.settled.get(&target).is_some_and(|end| *end <= upto)
    }
}
