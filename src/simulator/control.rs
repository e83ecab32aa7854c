//! The simulator's own pages under `/_simulator/`: the ledger, and its controls. No token is asked for.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;

use super::answer;
use super::body::Body;
use super::world::World;

const CONFIG_LIMIT: usize = 1 << 24;

/// Answers `GET ledger[?format=csv]`, `GET stats`, `POST reset`, `POST config`; records who comes to `redirected`.
pub(super) async fn answer(world: &World, path: &str, request: Request<Incoming>) -> Response<Body> {
    let csv = request.uri().query() == Some("format=csv");
    match (request.method(), path) {
        (&Method::GET, "ledger") if csv => page("text/csv; charset=utf-8", world.ledger().csv()),
        (&Method::GET, "ledger") => json(&world.ledger()),
        (&Method::GET, "stats") => json(&world.stats()),
        (&Method::GET, "callers") => {
            json(&world.callers.all().iter().map(|app| app.report()).collect::<Vec<_>>())
        }
        (&Method::POST, "reset") => {
            world.reset();
            status(StatusCode::NO_CONTENT, String::new())
        }
        (&Method::POST, "config") => change(world, request).await,
        (_, "redirected") => redirected(world, &request),
        _ => status(StatusCode::NOT_FOUND, format!("no page {path:?} here for {}\n", request.method())),
    }
}

async fn change(world: &World, request: Request<Incoming>) -> Response<Body> {
    let Ok(body) = Limited::new(request.into_body(), CONFIG_LIMIT).collect().await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE, "the configuration is too long\n".into());
    };
    let bytes = body.to_bytes();
    let text = String::from_utf8_lossy(&bytes);
    match world.change(&text) {
        Ok(()) => status(StatusCode::NO_CONTENT, String::new()),
        Err(error) => status(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

/// Somebody followed a redirect: they get what a portal would show.
fn redirected(world: &World, request: &Request<Incoming>) -> Response<Body> {
    world.recorder.counters.redirects_followed.add();
    let from = request.method().as_str();
    world.recorder.violation(world.clock.now(), "redirect_followed", from);
    answer::html(StatusCode::OK, "<html><body>This is where the redirect led.</body></html>\n")
}

fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => page("application/json", body),
        Err(error) => status(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn page(kind: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn status(status: StatusCode, text: String) -> Response<Body> {
    let mut response = page("text/plain; charset=utf-8", text.into_bytes());
    *response.status_mut() = status;
    response
}
