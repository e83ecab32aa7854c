//! `POST /$batch`: up to 20 requests in one. Each part goes the way of a single request (sign-in, permission, quotas,
//! faults, ledger) and has its own answer; the outer answer is 200 as soon as the batch can be read.
//!
//! Graph's json-batching page (2025-02-21) and throttling page (2025-01-14). Not documented: whether the outer request
//! costs anything (here it does not), and what is said of more than 20 parts.

mod config;
mod part;
mod payload;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::answer::GraphError;
use super::body::Body;
use super::fault::Endpoint;
use super::fingerprint;
use super::graph::{self, Call, Decision, status};
use super::penalty;
use super::route;
use super::throttle::Scope;
use super::world::Reply;
use part::Part;
use payload::{Item, Plan};

pub(super) use config::Mishaps;
pub use config::{BatchConfig, PartIds};

/// What the outer request is called where a user's id would stand.
const NAME: &str = "$batch";

/// Answers a batch; `refused` is the answer to a body that was not taken.
pub(super) fn answer(call: &Call<'_>, refused: Option<Response<Body>>) -> Decision {
    if let Some(refused) = refused {
        return Decision::answer(refused, Duration::ZERO);
    }
    let latency = call.live.latency();
    if call.body.len() > call.live.config.batch.max_bytes {
        return Decision::answer(graph::too_large(&call.marks), latency);
    }
    let session = match call.session() {
        Ok(session) => session,
        Err(error) => return call.unauthorized(&error, NAME),
    };
    if !call.live.config.batch.enabled {
        let text = "Resource not found for the segment '$batch'.";
        let error = GraphError::new(StatusCode::NOT_FOUND, "ResourceNotFound", text);
        return Decision::answer(call.marks.error(&error), latency);
    }
    let (party, name) = (session.app.party(), std::iter::once(NAME));
    let fortune = call.live.faults.strike(Endpoint::Batch, &party, name, call.serials(&session));
    if !fortune.delay.is_zero() || fortune.rule.is_some() {
        call.world.recorder.counters.faults.add();
    }
    let Some(rule) = fortune.rule else {
        let (response, longest) = carry_out(call);
        return Decision::answer(response, longest + fortune.delay);
    };
    let (usual, longest) = if penalty::takes_effect(&rule.fault) {
        carry_out(call)
    } else {
        (Response::new(Body::empty()), latency)
    };
    let delay = longest + fortune.delay;
    let reply = call.inflict(rule, NAME, (&session, Scope::App), usual, delay);
    Decision { reply, effect: false, delay }
}

/// Carries a batch out. Gives its answer, and how long the slowest part took.
fn carry_out(call: &Call<'_>) -> (Response<Body>, Duration) {
    let plan = match payload::read(&call.body) {
        Ok(plan) => plan,
        Err(error) => return (call.marks.error(&error), call.live.latency()),
    };
    call.world.recorder.counters.batches.add();
    let mut longest = Duration::ZERO;
    let mut parts: Vec<Option<Part>> = plan.items.iter().map(|_| None).collect();
    for &place in &plan.order {
        let item = &plan.items[place];
        let failed = plan.needs[place].iter().any(|&need| failed(parts[need].as_ref()));
        let (part, delay) = one(call, item, failed);
        longest = longest.max(delay);
        parts[place] = part;
    }
    let mut parts: Vec<Part> = parts.into_iter().flatten().collect();
    mix_up(call, &plan, &mut parts);
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let body = format!(r#"{{"responses":[{}]}}"#, texts.join(",")).into_bytes();
    (call.marks.json(StatusCode::OK, body), longest)
}

fn failed(part: Option<&Part>) -> bool {
    part.is_none_or(|part| part.status >= 400)
}

/// Answers one part, and counts the answer.
fn one(outer: &Call<'_>, item: &Item, failed: bool) -> (Option<Part>, Duration) {
    let headers = headers(outer.headers, item);
    let (below, query) = item.target();
    let path = format!("/{}/{below}", outer.version);
    let call = Call {
        world: outer.world,
        live: Arc::clone(&outer.live),
        marks: outer.marks.of_part(&headers),
        at: outer.at,
        version: outer.version,
        headers: &headers,
        host: outer.host,
        path: &path,
        query: query.as_deref(),
        body: Bytes::from(item.body()),
        part: true,
    };
    let decision = if failed {
        let error = GraphError::new(StatusCode::FAILED_DEPENDENCY, "FailedDependency", "Failed Dependency");
        Decision::answer(call.marks.error(&error), Duration::ZERO)
    } else {
        call.perform(item.method().and_then(|method| route::ask(&method, &below)), None)
    };
    let recorder = &outer.world.recorder;
    recorder.counters.batch_parts.add();
    recorder.answered(status(&decision.reply));
    let (id, case) = (outer.live.config.batch.ids.spell(&item.id), outer.live.config.header_case);
    let lost = || part::write(&id, call.gateway_timeout(), case);
    let written = match decision.reply {
        Reply::Answer(response) => part::write(&id, response, case),
        Reply::Reset | Reply::Hang => None,
    };
    (written.or_else(lost), decision.delay)
}

/// A part's own headers, and the batch's proof of who asks.
fn headers(outer: &HeaderMap, item: &Item) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &item.headers {
        // What can't stand in a header means nothing to whoever answers.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(token) = outer.get(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, token.clone());
    }
    headers
}

/// Shuffles the parts, loses one, has one twice, contradicts one: as configured, and decided by the seed and by what was asked, so that
/// concurrency has no say in it.
fn mix_up(call: &Call<'_>, plan: &Plan, parts: &mut Vec<Part>) {
    let config = &call.live.config.batch;
    let asked: String = plan.items.iter().map(|item| format!("{}\n{}\n", item.id, item.url)).collect();
    let mut lot = fastrand::Rng::with_seed(call.live.config.seed ^ fingerprint::of(asked.as_bytes()));
    if config.shuffle {
        lot.shuffle(parts);
    }
    if call.live.mishaps.duplicate(config) {
        let twice = parts[lot.usize(..parts.len())].clone();
        parts.push(twice);
    }
    if call.live.mishaps.contradict(config) {
        let opposite = opposite(call, &parts[lot.usize(..parts.len())]);
        let place = lot.usize(..=parts.len());
        parts.splice(place..place, opposite);
    }
    if call.live.mishaps.lose(config) {
        let id = parts[lot.usize(..parts.len())].id.clone();
        parts.retain(|part| part.id != id);
    }
}

/// An answer with the id of this one that says the opposite.
fn opposite(call: &Call<'_>, part: &Part) -> Option<Part> {
    if failed(Some(part)) {
        let text = serde_json::json!({"id": part.id, "status": 200, "headers": {}, "body": {"value": true}})
            .to_string();
        return Some(Part { id: part.id.clone(), status: 200, text });
    }
    let error = GraphError::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "Try again later.");
    part::write(&part.id, call.marks.error(&error), call.live.config.header_case)
}
