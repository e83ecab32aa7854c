//! The token services near a client: on its machine, for its app, or for its job. This file has what they share; what
//! each one answers is in `managed_identity` and `job_tokens`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Mutex;

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::body::Body;
use super::client_key::ClientKey;
use super::fault::{Fault, FaultAnswer, FaultEndpoint};
use super::fault_injection::TokenSerials;
use super::fault_response;
use super::lock::lock;
use super::managed_identity::ManagedIdentityCache;
use super::reloadable_config::ReloadableConfig;
use super::state::{Reply, ServerState};
use super::{job_tokens, managed_identity};

/// A token service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostTokenService {
    /// `/metadata/identity/oauth2/token`: the instance metadata service, or Azure Arc's agent by its version.
    Machine,
    /// `/msi/token`: App Service.
    App,
    /// `…/idtoken`: GitHub Actions.
    GitHub,
    /// `…/oidctoken`: Azure Pipelines.
    Pipelines,
}

impl HostTokenService {
    /// The service at a path.
    pub(super) fn from_path(path: &str) -> Option<HostTokenService> {
        match path {
            "metadata/identity/oauth2/token" => Some(HostTokenService::Machine),
            "msi/token" => Some(HostTokenService::App),
            _ if path.ends_with("/idtoken") => Some(HostTokenService::GitHub),
            _ if path.ends_with("/oidctoken") => Some(HostTokenService::Pipelines),
            _ => None,
        }
    }

    fn endpoint(self, service_request: &TokenServiceRequest<'_>) -> FaultEndpoint {
        match self {
            HostTokenService::Machine
                if service_request.parameter("api-version") == Some(managed_identity::ARC_VERSION) =>
            {
                FaultEndpoint::Arc
            }
            HostTokenService::Machine => FaultEndpoint::Imds,
            HostTokenService::App => FaultEndpoint::AppService,
            HostTokenService::GitHub => FaultEndpoint::Github,
            HostTokenService::Pipelines => FaultEndpoint::Pipelines,
        }
    }
}

/// What the services remember and count.
#[derive(Debug, Default)]
pub(super) struct HostTokenServices {
    pub(super) managed_identity: ManagedIdentityCache,
    requests: Mutex<BTreeMap<String, u64>>,
    issued: Mutex<BTreeMap<String, u64>>,
}

impl HostTokenServices {
    /// Requests by service.
    pub(super) fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.requests).clone()
    }

    /// Issued tokens by service.
    pub(super) fn issued(&self) -> BTreeMap<String, u64> {
        lock(&self.issued).clone()
    }

    pub(super) fn clear(&self) {
        lock(&self.requests).clear();
        lock(&self.issued).clear();
    }
}

/// A request to a token service.
pub(super) struct TokenServiceRequest<'a> {
    pub(super) method: &'a Method,
    pub(super) headers: &'a HeaderMap,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> TokenServiceRequest<'a> {
    fn new(request: &'a Request<Incoming>) -> TokenServiceRequest<'a> {
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
        TokenServiceRequest { method: request.method(), headers: request.headers(), parameters }
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| value.as_ref()).filter(|value| !value.is_empty())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The credentials of this scheme in `Authorization`.
    pub(super) fn authorization(&self, scheme: &str) -> Option<&str> {
        let (given, rest) = self.header("authorization")?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| rest.trim()).filter(|rest| !rest.is_empty())
    }
}

/// Answers a request to a token service.
pub(super) async fn answer(
    state: &ServerState,
    service: HostTokenService,
    request: &Request<Incoming>,
) -> Reply {
    let live = state.live();
    let service_request = TokenServiceRequest::new(request);
    let endpoint = service.endpoint(&service_request);
    *lock(&state.token_services.requests).entry(endpoint.name().to_owned()).or_default() += 1;
    let injection = live.faults.inject(
        endpoint,
        &ClientKey::default(),
        std::iter::once(requested_identity(&service_request)),
        TokenSerials::default(),
    );
    if !injection.delay.is_zero() {
        tokio::time::sleep(state.clock.to_real(injection.delay)).await;
    }
    match injection.rule {
        None => Reply::Answer(normal_response(state, &live, endpoint, &service_request)),
        Some(rule) => {
            state.recorder.counters.faults.add();
            let pace = state.clock.to_real(rule.fault.delay);
            let error = || fault_error(&rule.fault);
            fault_response::reply_for_fault(
                &rule.fault,
                pace,
                normal_response(state, &live, endpoint, &service_request),
                error,
            )
        }
    }
}

/// The name that a fault's pattern matches: the requested identity.
fn requested_identity<'a>(service_request: &'a TokenServiceRequest<'_>) -> &'a str {
    let names = ["client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id", "serviceConnectionId"];
    names.iter().find_map(|name| service_request.parameter(name)).unwrap_or("system")
}

fn normal_response(
    state: &ServerState,
    live: &ReloadableConfig,
    endpoint: FaultEndpoint,
    service_request: &TokenServiceRequest<'_>,
) -> Response<Body> {
    let answer = match endpoint {
        FaultEndpoint::Imds => managed_identity::imds(state, live, service_request),
        FaultEndpoint::Arc => managed_identity::arc(state, live, service_request),
        FaultEndpoint::AppService => managed_identity::app_service(state, live, service_request),
        FaultEndpoint::Github => job_tokens::github(&live.config.token.federated, service_request),
        _ => job_tokens::pipelines(&live.config.token.federated, service_request),
    };
    if answer.status().is_success() {
        *lock(&state.token_services.issued).entry(endpoint.name().to_owned()).or_default() += 1;
    }
    answer
}

/// The error of a fault that sets a status.
fn fault_error(fault: &Fault) -> Response<Body> {
    let status = match fault.answer {
        FaultAnswer::Status(status) => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        _ => StatusCode::BAD_REQUEST,
    };
    let text = fault.message.as_deref().unwrap_or("Try again later.");
    respond(
        status,
        &json!({"error": fault.code.as_deref().unwrap_or("unavailable"), "error_description": text}),
    )
}

/// A JSON response with this status.
pub(super) fn respond(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from_bytes(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    response
}
