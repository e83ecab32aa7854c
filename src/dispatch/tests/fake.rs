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

/// A tenant and an app there, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) tenant: usize,
    pub(super) app: usize,
}

/// What the script sees of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Since the run's start.
    pub(super) at: Duration,
    pub(super) user: Order,
    /// Where it came, and from which app; both from 0.
    pub(super) place: Place,
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

    /// A 429 of one of Graph's limits.
    pub(super) fn throttled_by(scope: &str, retry_after: u64) -> React {
        let scope = Some(format!("{scope}/ReadWrite/someone"));
        React::throttled(retry_after).with(|response| response.throttle_scope = scope)
    }

    pub(super) fn unbatched(status: u16) -> React {
        let response = Response { status, ..Response::default() };
        React { reply: Some(Reply::Unbatched(Box::new(response))), after: None }
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
    /// Which HTTP request of all, and with how many users.
    pub(super) post: usize,
    pub(super) users: usize,
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

    /// Whether an answer comes to this user itself.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.react.reply, Some(Reply::Response(_)))
    }

    /// The first word of `x-ms-throttle-scope`.
    pub(super) fn scope(&self) -> &str {
        let scope = match &self.react.reply {
            Some(Reply::Response(response)) => response.throttle_scope.as_deref(),
            _ => None,
        };
        scope.and_then(|scope| scope.split('/').next()).unwrap_or("Tenant_Application")
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
    pub(super) place: Place,
    pub(super) stale: u64,
    pub(super) claims: Option<String>,
}

pub(super) type Script = Box<dyn Fn(Seen) -> React + Send + Sync>;
pub(super) type RenewScript = Box<dyn Fn(Place, usize) -> Result<(), SignInError> + Send + Sync>;
pub(super) type BatchScript = Box<dyn Fn(Batch) -> Carried + Send + Sync>;

/// What the script sees of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// Which batch of all, from 1.
    pub(super) nth: usize,
    pub(super) users: usize,
}

/// What becomes of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Carried {
    /// Each part is answered by itself.
    Parts,
    /// It is refused as a whole, with this status.
    Refused(u16),
    /// Only the first so many parts are answered.
    Few(usize),
    /// The worker breaks down.
    Panics,
}

/// What the fake is told to be.
pub(super) struct Plot {
    pub(super) script: Script,
    pub(super) batch: BatchScript,
    /// Of each app in each tenant; of each tenant; of each app.
    pub(super) quotas: [Option<Quota>; 3],
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

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) arrivals: Vec<Arrival>,
    /// HTTP requests, in any one tenant.
    pub(super) most_in_flight: usize,
    pub(super) renewals: Vec<Renewal>,
    posts: usize,
    batches: usize,
    in_flight: HashMap<usize, usize>,
    attempts: HashMap<Order, u32>,
    quotas: [HashMap<Place, Quota>; 3],
    /// Serial of each token, and since when there is one; 1 from the start.
    tokens: HashMap<Place, (u64, Instant)>,
}

impl Fake {
    pub(super) fn new(plot: Plot, journal: Arc<Mutex<Tail>>) -> Fake {
        Fake { began: Instant::now(), plot, journal, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn token_of(&self, state: &State, place: Place) -> (u64, Instant) {
        state.tokens.get(&place).copied().unwrap_or((1, self.began))
    }

    /// Notes an HTTP request, and decides what becomes of each part. Returns their indices.
    fn arrive(&self, place: Place, requests: &[Request]) -> Vec<(usize, React, u64)> {
        let carried = if requests.len() > 1 {
            let nth = {
                let mut state = self.state();
                state.batches += 1;
                state.batches
            };
            (self.plot.batch)(Batch { nth, users: requests.len() })
        } else {
            Carried::Parts
        };
        let mut state = self.state();
        state.posts += 1;
        let in_flight = state.in_flight.entry(place.tenant).or_default();
        *in_flight += 1;
        let in_flight = *in_flight;
        state.most_in_flight = state.most_in_flight.max(in_flight);
        drop(state);
        let parts = requests.iter().enumerate();
        let mut arrived: Vec<_> = parts
            .map(|(index, request)| self.arrive_part(place, request, requests.len(), index, carried))
            .collect();
        // A worker that breaks down over one part knows nothing of the others.
        if arrived.iter().any(|(_, react, _)| react.reply.is_none()) {
            let mut state = self.state();
            for (index, react, _) in &mut arrived {
                react.reply = None;
                state.arrivals[*index].react.reply = None;
            }
        }
        arrived
    }

    fn arrive_part(
        &self,
        place: Place,
        request: &Request,
        users: usize,
        index: usize,
        carried: Carried,
    ) -> (usize, React, u64) {
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
            place,
            attempt: *attempt,
            nth: state.arrivals.len() + 1,
            token: self.token_of(&state, place).0,
            new_connection: request.new_connection,
        };
        let react = match carried {
            Carried::Refused(status) => React::unbatched(status),
            Carried::Few(few) if index >= few => React::lost(Loss::Broken),
            Carried::Panics => React::panic(),
            Carried::Parts | Carried::Few(_) => match self.throttles(&mut state, place, seen.at) {
                Some(react) => react,
                None => (self.plot.script)(seen),
            },
        };
        let (post, id) = (state.posts, request.client_request_id);
        state.arrivals.push(Arrival { seen, post, users, id, react: react.clone(), answered: None });
        (seen.nth - 1, react, seen.token)
    }

    /// Takes from all quotas that bind here; a request that one refuses takes nothing from the others.
    fn throttles(&self, state: &mut State, place: Place, at: Duration) -> Option<React> {
        let of_tenant = Place { tenant: place.tenant, app: usize::MAX };
        let of_app = Place { tenant: usize::MAX, app: place.app };
        let scopes = [(place, "Tenant_Application"), (of_tenant, "Tenant"), (of_app, "Application")];
        for ((quotas, quota), (place, scope)) in state.quotas.iter_mut().zip(self.plot.quotas).zip(scopes) {
            let Some(quota) = quota else { continue };
            if let Err(wait) = quotas.entry(place).or_insert(quota).take(at) {
                return Some(React::throttled_by(scope, wait.as_secs()));
            }
        }
        None
    }

    async fn carry(&self, place: Place, requests: &[Request]) -> Vec<Answer> {
        let arrived = self.arrive(place, requests);
        let took = |react: &React| react.after.unwrap_or(self.plot.latency);
        sleep(arrived.iter().map(|(_, react, _)| took(react)).max().unwrap_or_default()).await;
        let answered = Some(self.began.elapsed());
        {
            let mut state = self.state();
            *state.in_flight.entry(place.tenant).or_default() -= 1;
            arrived.iter().for_each(|(index, ..)| state.arrivals[*index].answered = answered);
        }
        let mut answers = Vec::new();
        for (_, react, token) in arrived {
            let Some(reply) = react.reply else { panic!("the worker breaks down, as the script asks") };
            answers.push(Answer { reply, token });
        }
        // Of a batch's last parts that are lost, nothing is said at all.
        let silent = |answer: &Answer| matches!(&answer.reply, Reply::Lost(lost) if lost.how == Loss::Broken);
        while answers.len() > 1 && answers.last().is_some_and(silent) {
            answers.pop();
        }
        answers
    }
}

/// An app's way into a tenant.
pub(super) struct Door {
    pub(super) fake: Arc<Fake>,
    pub(super) place: Place,
}

impl Graph for Door {
    async fn revoke(&self, request: Request) -> Answer {
        self.fake.carry(self.place, &[request]).await.remove(0)
    }

    async fn revoke_batch(&self, requests: Vec<Request>) -> Vec<Answer> {
        self.fake.carry(self.place, &requests).await
    }

    fn token(&self) -> TokenState {
        let state = self.fake.state();
        let (serial, since) = self.fake.token_of(&state, self.place);
        let age = match self.fake.plot.ages {
            Some((_, ends)) if since.elapsed() >= ends => TokenAge::Ended,
            Some((ages, _)) if since.elapsed() >= ages => TokenAge::Aging,
            _ => TokenAge::Fresh,
        };
        TokenState { serial, age }
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        let (fake, place) = (&self.fake, self.place);
        let nth = {
            let mut state = fake.state();
            state.renewals.push(Renewal { at: fake.began.elapsed(), place, stale, claims });
            state.renewals.len()
        };
        sleep(fake.plot.renew_takes).await;
        (fake.plot.renew)(place, nth)?;
        let mut state = fake.state();
        if fake.token_of(&state, place).0 == stale {
            state.tokens.insert(place, (stale + 1, Instant::now()));
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
