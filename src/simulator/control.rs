//! The simulator's own pages under `/_simulator/`: the ledger and the controls. They need no token.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use super::body::Body;
use super::graph_response;
use super::state::ServerState;

const CONFIG_LIMIT: usize = 1 << 24;

/// Answers `GET ledger[?format=csv]`, `GET stats`, `GET callers`, `POST reset` and `POST config`. Counts requests to
/// `redirected`.
pub(super) async fn answer(state: &ServerState, path: &str, request: Request<Incoming>) -> Response<Body> {
    let csv = request.uri().query() == Some("format=csv");
    match (request.method(), path) {
        (&Method::GET, "ledger") if csv => page("text/csv; charset=utf-8", state.ledger().csv()),
        (&Method::GET, "ledger") => json(&state.ledger()),
        (&Method::GET, "stats") => json(&state.stats()),
        (&Method::GET, "callers") => {
            json(&state.clients.all().iter().map(|app| app.report()).collect::<Vec<_>>())
        }
        (&Method::POST, "reset") => {
            state.reset();
            status(StatusCode::NO_CONTENT, String::new())
        }
        (&Method::POST, "config") => change(state, request).await,
        (_, "redirected") => redirected(state, &request),
        _ => status(StatusCode::NOT_FOUND, format!("there is no page for {} {path:?}\n", request.method())),
    }
}

async fn change(state: &ServerState, request: Request<Incoming>) -> Response<Body> {
    let Ok(body) = Limited::new(request.into_body(), CONFIG_LIMIT).collect().await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE, "the configuration is too long\n".into());
    };
    let bytes = body.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    match state.change(&text) {
        Ok(()) => status(StatusCode::NO_CONTENT, String::new()),
        Err(error) => status(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

/// The target of the simulator's redirects: counts the request and shows a page, as a portal would.
fn redirected(state: &ServerState, request: &Request<Incoming>) -> Response<Body> {
    state.recorder.counters.redirects_followed.add();
    let from = request.method().as_str();
    state.recorder.record_violation(state.clock.now(), "redirect_followed", from);
    graph_response::html(StatusCode::OK, "<html><body>This is where the redirect led.</body></html>\n")
}

fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => page("application/json", body),
        Err(error) => status(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn page(kind: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from_bytes(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn status(status: StatusCode, text: String) -> Response<Body> {
    let mut response = page("text/plain; charset=utf-8", text.into_bytes());
    *response.status_mut() = status;
    response
}
