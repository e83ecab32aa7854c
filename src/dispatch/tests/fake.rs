//! A small fake of Graph behind the trait: it answers as its script says, and notes what arrives.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::quota::TestQuota;
use crate::event::{Event, TargetNo};
use crate::graph::{
    BatchAnswer, BatchRequest, ConnectionLoss, ErrorBody, Graph, HttpResponse, LossKind, UserReply,
};
use crate::identity::{SignInError, TokenAge, TokenState};

/// A tenant and an app in it, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FakePlace {
    pub(super) tenant: usize,
    pub(super) app: usize,
}

/// What the script gets of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenRequest {
    /// The time since the run's start.
    pub(super) at: Duration,
    pub(super) user: TargetNo,
    /// The tenant and the app, both from 0.
    pub(super) place: FakePlace,
    /// The number of the request for this user, from 1.
    pub(super) attempt: u32,
    /// The number of the request overall, from 1.
    pub(super) nth: usize,
    /// The serial of its token.
    pub(super) token: u64,
    pub(super) new_connection: bool,
}

/// What the fake does with a request.
#[derive(Clone, Debug)]
pub(super) struct FakeReaction {
    /// `None`: the worker panics.
    pub(super) reply: Option<UserReply>,
    /// `None`: after the fixture's latency.
    pub(super) after: Option<Duration>,
}

impl FakeReaction {
    pub(super) fn done() -> FakeReaction {
        FakeReaction::response(HttpResponse {
            status: 204,
            request_id: Some("an-id".to_owned()),
            ..HttpResponse::default()
        })
    }

    pub(super) fn status(status: u16) -> FakeReaction {
        FakeReaction::response(HttpResponse { status, ..HttpResponse::default() })
    }

    pub(super) fn gone() -> FakeReaction {
        let body = ErrorBody::Error { code: "Request_ResourceNotFound".to_owned(), message: String::new() };
        FakeReaction::response(HttpResponse { status: 404, body, ..HttpResponse::default() })
    }

    pub(super) fn throttled(retry_after: impl Into<Option<u64>>) -> FakeReaction {
        let retry_after = retry_after.into().map(Duration::from_secs);
        FakeReaction::response(HttpResponse { status: 429, retry_after, ..HttpResponse::default() })
    }

    /// A 429 from one of Graph's limits.
    pub(super) fn throttled_by(scope: &str, retry_after: u64) -> FakeReaction {
        let scope = Some(format!("{scope}/ReadWrite/someone"));
        FakeReaction::throttled(retry_after).with(|response| response.throttle_scope = scope)
    }

    pub(super) fn unbatched(status: u16) -> FakeReaction {
        let response = HttpResponse { status, ..HttpResponse::default() };
        FakeReaction { reply: Some(UserReply::Unbatched(Box::new(response))), after: None }
    }

    pub(super) fn lost(how: LossKind) -> FakeReaction {
        FakeReaction {
            reply: Some(UserReply::Lost(ConnectionLoss { how, detail: String::new() })),
            after: None,
        }
    }

    pub(super) fn panic() -> FakeReaction {
        FakeReaction { reply: None, after: None }
    }

    pub(super) fn challenge(claims: &str) -> FakeReaction {
        let claims = Some(claims.to_owned());
        FakeReaction::response(HttpResponse { status: 401, claims, ..HttpResponse::default() })
    }

    pub(super) fn response(response: HttpResponse) -> FakeReaction {
        FakeReaction { reply: Some(UserReply::Response(Box::new(response))), after: None }
    }

    /// Changes the response.
    pub(super) fn with(mut self, change: impl FnOnce(&mut HttpResponse)) -> FakeReaction {
        if let Some(UserReply::Response(response)) = &mut self.reply {
            change(response);
        }
        self
    }

    pub(super) fn after(mut self, time: Duration) -> FakeReaction {
        self.after = Some(time);
        self
    }

    fn status_of(&self) -> Option<u16> {
        match &self.reply {
            Some(UserReply::Response(response)) => Some(response.status),
            _ => None,
        }
    }
}

/// A request as it arrived at the server.
#[derive(Clone, Debug)]
pub(super) struct FakeArrival {
    pub(super) seen: SeenRequest,
    /// The number of the HTTP request overall, and how many users it has.
    pub(super) post: usize,
    pub(super) users: usize,
    pub(super) id: Uuid,
    pub(super) react: FakeReaction,
    pub(super) answered: Option<Duration>,
}

impl FakeArrival {
    pub(super) fn at(&self) -> Duration {
        self.seen.at
    }

    pub(super) fn is_done(&self) -> bool {
        match &self.react.reply {
            Some(UserReply::Response(response)) => response.status == 204 && response.request_id.is_some(),
            _ => false,
        }
    }

    pub(super) fn is_throttled(&self) -> bool {
        self.react.status_of() == Some(429)
    }

    /// Whether this user gets an answer of its own.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self.react.reply, Some(UserReply::Response(_)))
    }

    /// The first word of `x-ms-throttle-scope`.
    pub(super) fn scope(&self) -> &str {
        let scope = match &self.react.reply {
            Some(UserReply::Response(response)) => response.throttle_scope.as_deref(),
            _ => None,
        };
        scope.and_then(|scope| scope.split('/').next()).unwrap_or("Tenant_Application")
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.react.reply {
            Some(UserReply::Response(response)) => response.retry_after,
            _ => None,
        }
    }
}

/// A request for a new token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FakeRenewal {
    pub(super) at: Duration,
    pub(super) place: FakePlace,
    pub(super) stale: u64,
    pub(super) claims: Option<String>,
}

pub(super) type Script = Box<dyn Fn(SeenRequest) -> FakeReaction + Send + Sync>;
pub(super) type RenewScript = Box<dyn Fn(FakePlace, usize) -> Result<(), SignInError> + Send + Sync>;
pub(super) type BatchScript = Box<dyn Fn(FakeBatch) -> FakeBatchUser + Send + Sync>;

/// What the script gets of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct FakeBatch {
    /// The number of the batch overall, from 1.
    pub(super) nth: usize,
    pub(super) users: usize,
}

/// What happens to a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FakeBatchUser {
    /// Each part is answered separately.
    Parts,
    /// The batch is refused as a whole, with this status.
    Refused(u16),
    /// Only this many parts, the first ones, are answered.
    Few(usize),
    /// The worker panics.
    Panics,
}

/// The settings of the fake.
pub(super) struct FakePlan {
    pub(super) script: Script,
    pub(super) batch: BatchScript,
    /// The quotas of each app in each tenant, of each tenant, and of each app.
    pub(super) quotas: [Option<TestQuota>; 3],
    pub(super) latency: Duration,
    /// After how long a token ages and expires.
    pub(super) ages: Option<(Duration, Duration)>,
    /// Gets the number of the renewal, from 1.
    pub(super) renew: RenewScript,
    pub(super) renew_takes: Duration,
}

pub(super) struct FakeGraph {
    began: Instant,
    plot: FakePlan,
    journal: Arc<Mutex<FakeTail>>,
    state: Mutex<FakeState>,
}

#[derive(Debug, Default)]
pub(super) struct FakeState {
    pub(super) arrivals: Vec<FakeArrival>,
    /// HTTP requests, in any single tenant.
    pub(super) most_in_flight: usize,
    pub(super) renewals: Vec<FakeRenewal>,
    posts: usize,
    batches: usize,
    in_flight: HashMap<usize, usize>,
    attempts: HashMap<TargetNo, u32>,
    quotas: [HashMap<FakePlace, TestQuota>; 3],
    /// The serial of each token and when it was issued. Serials start at 1.
    tokens: HashMap<FakePlace, (u64, Instant)>,
}

impl FakeGraph {
    pub(super) fn new(plot: FakePlan, journal: Arc<Mutex<FakeTail>>) -> FakeGraph {
        FakeGraph { began: Instant::now(), plot, journal, state: Mutex::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, FakeState> {
        self.state.lock().unwrap()
    }

    fn token_of(&self, state: &FakeState, place: FakePlace) -> (u64, Instant) {
        state.tokens.get(&place).copied().unwrap_or((1, self.began))
    }

    /// Notes an HTTP request, and decides what happens to each part. Returns the indices of the parts.
    fn arrive(&self, place: FakePlace, requests: &[BatchRequest]) -> Vec<(usize, FakeReaction, u64)> {
        let carried = if requests.len() > 1 {
            let nth = {
                let mut state = self.state();
                state.batches += 1;
                state.batches
            };
            (self.plot.batch)(FakeBatch { nth, users: requests.len() })
        } else {
            FakeBatchUser::Parts
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
        // A worker that panics on one part returns nothing about the others.
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
        place: FakePlace,
        request: &BatchRequest,
        users: usize,
        index: usize,
        carried: FakeBatchUser,
    ) -> (usize, FakeReaction, u64) {
        assert!(
            self.journal.lock().unwrap().has_sent(request.client_request_id),
            "sent without a `sent` line"
        );
        let mut state = self.state();
        let user = request.user.to_string();
        let user: TargetNo = user.trim_start_matches('u').split('@').next().unwrap().parse().unwrap();
        let attempt = state.attempts.entry(user).or_default();
        *attempt += 1;
        let seen = SeenRequest {
            at: self.began.elapsed(),
            user,
            place,
            attempt: *attempt,
            nth: state.arrivals.len() + 1,
            token: self.token_of(&state, place).0,
            new_connection: request.new_connection,
        };
        let react = match carried {
            FakeBatchUser::Refused(status) => FakeReaction::unbatched(status),
            FakeBatchUser::Few(few) if index >= few => FakeReaction::lost(LossKind::Broken),
            FakeBatchUser::Panics => FakeReaction::panic(),
            FakeBatchUser::Parts | FakeBatchUser::Few(_) => {
                match self.throttles(&mut state, place, seen.at) {
                    Some(react) => react,
                    None => (self.plot.script)(seen),
                }
            }
        };
        let (post, id) = (state.posts, request.client_request_id);
        state.arrivals.push(FakeArrival { seen, post, users, id, react: react.clone(), answered: None });
        (seen.nth - 1, react, seen.token)
    }

    /// Takes from all quotas that apply here. A request that one quota refuses takes nothing from the others.
    fn throttles(&self, state: &mut FakeState, place: FakePlace, at: Duration) -> Option<FakeReaction> {
        let of_tenant = FakePlace { tenant: place.tenant, app: usize::MAX };
        let of_app = FakePlace { tenant: usize::MAX, app: place.app };
        let scopes = [(place, "Tenant_Application"), (of_tenant, "Tenant"), (of_app, "Application")];
        for ((quotas, quota), (place, scope)) in state.quotas.iter_mut().zip(self.plot.quotas).zip(scopes) {
            let Some(quota) = quota else { continue };
            if let Err(wait) = quotas.entry(place).or_insert(quota).take(at) {
                return Some(FakeReaction::throttled_by(scope, wait.as_secs()));
            }
        }
        None
    }

    async fn carry(&self, place: FakePlace, requests: &[BatchRequest]) -> Vec<BatchAnswer> {
        let arrived = self.arrive(place, requests);
        let took = |react: &FakeReaction| react.after.unwrap_or(self.plot.latency);
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
            answers.push(BatchAnswer { reply, token });
        }
        // The last parts of a batch, which are lost, are missing from the answer.
        let silent = |answer: &BatchAnswer| matches!(&answer.reply, UserReply::Lost(lost) if lost.how == LossKind::Broken);
        while answers.len() > 1 && answers.last().is_some_and(silent) {
            answers.pop();
        }
        answers
    }
}

/// The client of an app in a tenant.
pub(super) struct FakeLimit {
    pub(super) fake: Arc<FakeGraph>,
    pub(super) place: FakePlace,
}

impl Graph for FakeLimit {
    async fn revoke(&self, request: BatchRequest) -> BatchAnswer {
        self.fake.carry(self.place, &[request]).await.remove(0)
    }

    async fn revoke_batch(&self, requests: Vec<BatchRequest>) -> Vec<BatchAnswer> {
        self.fake.carry(self.place, &requests).await
    }

    fn token(&self) -> TokenState {
        let state = self.fake.state();
        let (serial, since) = self.fake.token_of(&state, self.place);
        let age = match self.fake.plot.ages {
            Some((_, ends)) if since.elapsed() >= ends => TokenAge::Expired,
            Some((ages, _)) if since.elapsed() >= ages => TokenAge::Aging,
            _ => TokenAge::Fresh,
        };
        TokenState { serial, age }
    }

    async fn renew(&self, stale: u64, claims: Option<String>) -> Result<(), SignInError> {
        let (fake, place) = (&self.fake, self.place);
        let nth = {
            let mut state = fake.state();
            state.renewals.push(FakeRenewal { at: fake.began.elapsed(), place, stale, claims });
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
pub(super) struct FakeTail {
    file: Option<File>,
    torn: Vec<u8>,
    sent: HashSet<Uuid>,
    /// Where each `settled` line ends, in bytes.
    settled: HashMap<TargetNo, u64>,
    length: u64,
    pub(super) events: Vec<Event>,
}

impl FakeTail {
    /// With `None`, nothing can be known, so everything is accepted.
    pub(super) fn new(file: Option<File>) -> FakeTail {
        FakeTail { file, ..FakeTail::default() }
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

    /// Whether a target's `settled` line is within the first `upto` bytes.
    pub(super) fn has_settled(&mut self, target: TargetNo, upto: u64) -> bool {
        if !self.settled.contains_key(&target) {
            self.read();
        }
        self.file.is_none() || self.settled.get(&target).is_some_and(|end| *end <= upto)
    }
}
