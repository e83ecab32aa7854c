//! The services near a client that give it tokens and proofs: the machine's, the app's, the job's. Here is what they
//! have in common; what each answers stands in files of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Mutex;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::body::Body;
use super::fault::{Answer, Endpoint, Fault};
use super::live::Live;
use super::lock::lock;
use super::managed_identity::Keys;
use super::party::Party;
use super::penalty;
use super::strike::Serials;
use super::world::{Reply, World};
use super::{job, managed_identity};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// `/metadata/identity/oauth2/token`: the instance metadata service, or Azure Arc's agent by its version.
    Machine,
    /// `/msi/token`: App Service.
    App,
    /// `…/idtoken`: GitHub Actions.
    GitHub,
    /// `…/oidctoken`: Azure Pipelines.
    Pipelines,
}

impl Service {
    /// The service at a path.
    pub(super) fn at(path: &str) -> Option<Service> {
        match path {
            "metadata/identity/oauth2/token" => Some(Service::Machine),
            "msi/token" => Some(Service::App),
            _ if path.ends_with("/idtoken") => Some(Service::GitHub),
            _ if path.ends_with("/oidctoken") => Some(Service::Pipelines),
            _ => None,
        }
    }

    fn endpoint(self, asked: &Asked<'_>) -> Endpoint {
        match self {
            Service::Machine if asked.parameter("api-version") == Some(managed_identity::ARC_VERSION) => {
                Endpoint::Arc
            }
            Service::Machine => Endpoint::Imds,
            Service::App => Endpoint::AppService,
            Service::GitHub => Endpoint::Github,
            Service::Pipelines => Endpoint::Pipelines,
        }
    }
}

/// What they remember and count.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    pub(super) keys: Keys,
    requests: Mutex<BTreeMap<String, u64>>,
    given: Mutex<BTreeMap<String, u64>>,
}

impl Nearby {
    /// Requests by service.
    pub(super) fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.requests).clone()
    }

    /// Tokens given, by service.
    pub(super) fn given(&self) -> BTreeMap<String, u64> {
        lock(&self.given).clone()
    }

    pub(super) fn clear(&self) {
        lock(&self.requests).clear();
        lock(&self.given).clear();
    }
}

/// A request, as these services see it.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Asked<'a> {
    fn new(request: &'a Request<Incoming>) -> Asked<'a> {
        let query = request.uri().query().unwrap_or_default();
        let decode = |text: &'a str| {
            let spaced = text.replace('+', " ");
            Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned())
        };
        let pair = |pair: &'a str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        let parameters = query.split('&').filter(|part| !part.is_empty()).map(pair).collect();
        Asked { method: request.method(), headers: request.headers(), parameters }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What stands behind a scheme in `Authorization`.
    pub(super) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim()).filter(|rest| !rest.is_empty())
    }
}

/// Answers a request to one of them.
pub(super) async fn answer(world: &World, service: Service, request: &Request<Incoming>) -> Reply {
    let live = world.live();
    let asked = Asked::new(request);
    let endpoint = service.endpoint(&asked);
    *lock(&world.nearby.requests).entry(endpoint.word().to_owned()).or_default() += 1;
    let fortune =
        live.faults.strike(endpoint, &Party::default(), std::iter::once(whom(&asked)), Serials::default());
    if !fortune.delay.is_zero() {
        tokio::time::sleep(world.clock.real(fortune.delay)).await;
    }
    match fortune.rule {
        None => Reply::Answer(usual(world, &live, endpoint, &asked)),
        Some(rule) => {
            world.recorder.counters.faults.add();
            let pace = world.clock.real(rule.fault.delay);
            let error = || refusal(&rule.fault);
            penalty::inflict(&rule.fault, pace, usual(world, &live, endpoint, &asked), error)
        }
    }
}

/// Whom faults match: the identity that is asked for.
fn whom<'a>(asked: &'a Asked<'_>) -> &'a str {
    let names = ["client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id", "serviceConnectionId"];
    names.iter().find_map(|name| asked.parameter(name)).unwrap_or("system")
}

fn usual(world: &World, live: &Live, endpoint: Endpoint, asked: &Asked<'_>) -> Response<Body> {
    let answer = match endpoint {
        Endpoint::Imds => managed_identity::imds(world, live, asked),
        Endpoint::Arc => managed_identity::arc(world, live, asked),
        Endpoint::AppService => managed_identity::app_service(world, live, asked),
        Endpoint::Github => job::github(&live.config.token.federated, asked),
        _ => job::pipelines(&live.config.token.federated, asked),
    };
    if answer.status().is_success() {
        *lock(&world.nearby.given).entry(endpoint.word().to_owned()).or_default() += 1;
    }
    answer
}

/// What a fault that only names a status says.
fn refusal(fault: &Fault) -> Response<Body> {
    let status = match fault.answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        _ => StatusCode::BAD_REQUEST,
    };
    let text = fault.message.as_deref().unwrap_or("Try again later.");
    respond(
        status,
        &json!({"error": fault.code.as_deref().unwrap_or("unavailable"), "error_description": text}),
    )
}

/// JSON with a status.
pub(super) fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::whole(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}
