//! `POST /$batch`: up to 20 requests in one. Each part is treated like a single request (sign-in, permission, quotas,
//! faults, ledger) and has its own answer. The outer answer is 200 if the batch can be parsed.
//!
//! Sources: Graph's json-batching page (2025-02-21) and throttling page (2025-01-14). Not documented: whether the outer
//! request costs anything (here it does not), and how more than 20 parts are answered.

mod config;
mod part_response;
mod payload;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Body;
use super::fault::FaultEndpoint;
use super::fault_response;
use super::fingerprint;
use super::graph::{self, Call, Decision, status};
use super::graph_response::GraphError;
use super::route;
use super::state::Reply;
use super::throttle::QuotaScope;
use part_response::PartResponse;
use payload::{PartOrder, PartRequest};

pub(super) use config::BatchFaults;
pub use config::{BatchConfig, PartIdFormat};

/// The name of the outer request, in place of a user ID.
const BATCH_NAME: &str = "$batch";

/// Answers a batch. `refused` is the answer to a body that was not accepted.
pub(super) fn answer(call: &Call<'_>, refused: Option<Response<Body>>) -> Decision {
    if let Some(refused) = refused {
        return Decision::answer(refused, Duration::ZERO);
    }
    let latency = call.live.latency();
    if call.body.len() > call.live.config.batch.max_bytes {
        return Decision::answer(graph::too_large(&call.responder), latency);
    }
    let session = match call.session() {
        Ok(session) => session,
        Err(error) => return call.unauthorized(&error, BATCH_NAME),
    };
    if !call.live.config.batch.enabled {
        let text = "Resource not found for the segment '$batch'.";
        let error = GraphError::new(StatusCode::NOT_FOUND, "ResourceNotFound", text);
        return Decision::answer(call.responder.error(&error), latency);
    }
    let (client_key, name) = (session.app.client_key(), std::iter::once(BATCH_NAME));
    let injection = call.live.faults.inject(FaultEndpoint::Batch, &client_key, name, call.serials(&session));
    if !injection.delay.is_zero() || injection.rule.is_some() {
        call.state.recorder.counters.faults.add();
    }
    let Some(rule) = injection.rule else {
        let (response, longest) = execute(call);
        return Decision::answer(response, longest + injection.delay);
    };
    let (normal, longest) = if fault_response::takes_effect(&rule.fault) {
        execute(call)
    } else {
        (Response::new(Body::empty()), latency)
    };
    let delay = longest + injection.delay;
    let reply = call.apply_fault(rule, BATCH_NAME, (&session, QuotaScope::App), normal, delay);
    Decision { reply, effect: false, delay }
}

/// Carries out a batch. Returns the answer, and how long the slowest part took.
fn execute(call: &Call<'_>) -> (Response<Body>, Duration) {
    let plan = match payload::parse(&call.body) {
        Ok(plan) => plan,
        Err(error) => return (call.responder.error(&error), call.live.latency()),
    };
    call.state.recorder.counters.batches.add();
    let mut longest = Duration::ZERO;
    let mut parts: Vec<Option<PartResponse>> = plan.items.iter().map(|_| None).collect();
    for &place in &plan.order {
        let item = &plan.items[place];
        let failed = plan.needs[place].iter().any(|&need| has_failed(parts[need].as_ref()));
        let (part, delay) = answer_part(call, item, failed);
        longest = longest.max(delay);
        parts[place] = part;
    }
    let mut parts: Vec<PartResponse> = parts.into_iter().flatten().collect();
    apply_faults(call, &plan, &mut parts);
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    let body = format!(r#"{{"responses":[{}]}}"#, texts.join(",")).into_bytes();
    (call.responder.json(StatusCode::OK, body), longest)
}

fn has_failed(part: Option<&PartResponse>) -> bool {
    part.is_none_or(|part| part.status >= 400)
}

/// Answers one part, and counts the answer.
fn answer_part(outer: &Call<'_>, item: &PartRequest, failed: bool) -> (Option<PartResponse>, Duration) {
    let headers = part_headers(outer.headers, item);
    let (below, query) = item.target();
    let path = format!("/{}/{below}", outer.version);
    let call = Call {
        state: outer.state,
        live: Arc::clone(&outer.live),
        responder: outer.responder.for_part(&headers),
        at: outer.at,
        version: outer.version,
        headers: &headers,
        host: outer.host,
        path: &path,
        query: query.as_deref(),
        body: Bytes::from(item.body()),
        is_batch_part: true,
    };
    let decision = if failed {
        let error = GraphError::new(StatusCode::FAILED_DEPENDENCY, "FailedDependency", "Failed Dependency");
        Decision::answer(call.responder.error(&error), Duration::ZERO)
    } else {
        call.execute(item.method().and_then(|method| route::parse_graph_request(&method, &below)), None)
    };
    let recorder = &outer.state.recorder;
    recorder.counters.batch_parts.add();
    recorder.count_response(status(&decision.reply));
    let (id, case) = (outer.live.config.batch.ids.spell(&item.id), outer.live.config.header_case);
    let lost = || part_response::render(&id, call.gateway_timeout(), case);
    let written = match decision.reply {
        Reply::Answer(response) => part_response::render(&id, response, case),
        Reply::Reset | Reply::Hang => None,
    };
    (written.or_else(lost), decision.delay)
}

/// The headers of a part, and the access token of the batch.
fn part_headers(outer: &HeaderMap, item: &PartRequest) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &item.headers {
        // Invalid header names and values are ignored.
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(token) = outer.get(AUTHORIZATION) {
        headers.insert(AUTHORIZATION, token.clone());
    }
    headers
}

/// Applies the configured faults: shuffles the parts, duplicates one, contradicts one, or loses one. The seed and the
/// requests decide, so that the result does not depend on concurrency.
fn apply_faults(call: &Call<'_>, plan: &PartOrder, parts: &mut Vec<PartResponse>) {
    let config = &call.live.config.batch;
    let asked: String = plan.items.iter().map(|item| format!("{}\n{}\n", item.id, item.url)).collect();
    let mut rng = fastrand::Rng::with_seed(call.live.config.seed ^ fingerprint::hash(asked.as_bytes()));
    if config.shuffle {
        rng.shuffle(parts);
    }
    if call.live.batch_faults.duplicate(config) {
        let twice = parts[rng.usize(..parts.len())].clone();
        parts.push(twice);
    }
    if call.live.batch_faults.contradict(config) {
        let opposite = opposite(call, &parts[rng.usize(..parts.len())]);
        let place = rng.usize(..=parts.len());
        parts.splice(place..place, opposite);
    }
    if call.live.batch_faults.lose(config) {
        let id = parts[rng.usize(..parts.len())].id.clone();
        parts.retain(|part| part.id != id);
    }
}

/// An answer with the same ID that says the opposite.
fn opposite(call: &Call<'_>, part: &PartResponse) -> Option<PartResponse> {
    if has_failed(Some(part)) {
        let text = serde_json::json!({"id": part.id, "status": 200, "headers": {}, "body": {"value": true}})
            .to_string();
        return Some(PartResponse { id: part.id.clone(), status: 200, text });
    }
    let error = GraphError::new(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", "Try again later.");
    part_response::render(&part.id, call.responder.error(&error), call.live.config.header_case)
}
