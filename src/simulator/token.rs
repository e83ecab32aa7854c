//! The token endpoint. It issues access tokens for client credentials, a device code or a refresh token.
//!
//! Errors are as in Entra's "authentication and authorization error codes" page. As in Entra's, each description ends
//! with the trace ID, the correlation ID, and the time.

pub(super) mod assertion;
mod entra_error;

use std::collections::HashMap;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode;
use serde_json::json;

use super::body::Body;
use super::client_key::ClientKey;
use super::config::TokenConfig;
use super::counters::NO_ANSWER;
use super::device_code;
use super::fault::FaultEndpoint;
use super::fault_injection::TokenSerials;
use super::fault_response;
use super::graph_response::{CLIENT_REQUEST_ID, guid};
use super::reloadable_config::ReloadableConfig;
use super::session::{Grant, RequestedClaims, TokenKind};
use super::state::{Reply, ServerState};
use super::{federated, fingerprint};

pub(super) use entra_error::EntraError;

const FORM_LIMIT: usize = 1 << 16;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(super) type FormFields = HashMap<String, String>;

/// Answers a request for a token.
pub(super) async fn answer(state: &ServerState, tenant: &str, request: Request<Incoming>) -> Reply {
    state.recorder.counters.token_requests.add();
    answer_at(state, FaultEndpoint::Token, tenant, request).await
}

/// Answers a request for a device code.
pub(super) async fn answer_device(state: &ServerState, tenant: &str, request: Request<Incoming>) -> Reply {
    answer_at(state, FaultEndpoint::DeviceCode, tenant, request).await
}

async fn answer_at(
    state: &ServerState,
    endpoint: FaultEndpoint,
    tenant: &str,
    request: Request<Incoming>,
) -> Reply {
    let live = state.live();
    let (head, body) = request.into_parts();
    let correlation = head.headers.get(CLIENT_REQUEST_ID).cloned();
    let bytes = Limited::new(body, FORM_LIMIT).collect().await.map(|b| b.to_bytes()).unwrap_or_default();
    let form = parse_form(&bytes);

    let client = form.get("client_id").map(|id| id.to_lowercase()).unwrap_or_default();
    let resolved_tenant = state.clients.tenant_by_name(tenant, &live);
    let client_key =
        ClientKey { tenant: &resolved_tenant.id, domain: resolved_tenant.domain(), app: &client };
    let names = std::iter::once(client.as_str());
    let injection = live.faults.inject(endpoint, &client_key, names, TokenSerials::default());
    let normal = match decide(state, &live, endpoint, &head, (tenant, &client_key), &form) {
        Ok(body) => respond(StatusCode::OK, &body, None),
        Err(refusal) => error_response(state, &refusal, correlation.as_ref()),
    };
    let reply = match injection.rule {
        None => Reply::Answer(normal),
        Some(rule) => {
            state.recorder.counters.faults.add();
            let pace = state.clock.to_real(rule.fault.delay);
            let error = || {
                error_response(
                    state,
                    &entra_error::from_fault(&rule.fault, tenant, &client),
                    correlation.as_ref(),
                )
            };
            fault_response::reply_for_fault(&rule.fault, pace, normal, error)
        }
    };
    finish(state, reply, injection.delay).await
}

/// The answer without a fault.
fn decide(
    state: &ServerState,
    live: &ReloadableConfig,
    endpoint: FaultEndpoint,
    head: &Parts,
    (tenant, client_key): (&str, &ClientKey<'_>),
    form: &FormFields,
) -> Result<serde_json::Value, EntraError> {
    check_method(&head.method)?;
    if endpoint == FaultEndpoint::DeviceCode {
        return device_code::issue_device_code(state, live, tenant, form);
    }
    match required(form, "grant_type")? {
        device_code::DEVICE_CODE_GRANT => device_code::poll(state, live, tenant, form),
        device_code::REFRESH_TOKEN_GRANT => device_code::refresh(state, live, tenant, form),
        _ => {
            let audience = check_client_credentials(live, client_key, &head.method, tenant, form)?;
            check_assertion(state, live, head, form)?;
            Ok(token_response(state, live, tenant, form, audience, TokenKind::App))
        }
    }
}

async fn finish(state: &ServerState, reply: Reply, delay: Duration) -> Reply {
    let status = match &reply {
        Reply::Answer(response) => response.status().as_u16(),
        Reply::Reset | Reply::Hang => NO_ANSWER,
    };
    state.recorder.count_token_response(status);
    let delay = state.clock.to_real(delay);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    reply
}

/// Parses `application/x-www-form-urlencoded`, with each name once.
fn parse_form(body: &[u8]) -> FormFields {
    let decode = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
        percent_decode(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = body.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            (decode(&pair[..equals]), decode(pair.get(equals + 1..).unwrap_or_default()))
        })
        .collect()
}

/// The audience of the requested token, or the error that refuses it.
fn check_client_credentials<'a>(
    live: &ReloadableConfig,
    client_key: &ClientKey<'_>,
    method: &Method,
    tenant: &str,
    form: &'a FormFields,
) -> Result<&'a str, EntraError> {
    check_method(method)?;
    let grant = required(form, "grant_type")?;
    if grant != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{grant}'.");
        return Err(EntraError::new(400, "unsupported_grant_type", 70_003, text));
    }
    let client = required(form, "client_id")?;
    check_client(live, client_key, tenant, client)?;
    let audience = check_scope(required(form, "scope")?)?;
    let secret = live.overrides.secret(client_key).or(live.config.token.secret.as_deref());
    check_credential(&live.config.token, secret, client, form)?;
    Ok(audience)
}

fn check_method(method: &Method) -> Result<(), EntraError> {
    if method == Method::POST {
        return Ok(());
    }
    let text = "The endpoint only accepts POST requests. Received a GET request.";
    Err(EntraError::new(400, "invalid_request", 900_561, text))
}

pub(super) fn required<'a>(form: &'a FormFields, name: &str) -> Result<&'a str, EntraError> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty()).ok_or_else(|| {
        let text = format!("The request body must contain the following parameter: '{name}'.");
        EntraError::new(400, "invalid_request", 900_144, text)
    })
}

/// Checks that the tenant exists, and the app in it.
pub(super) fn check_tenant_and_app(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    client: &str,
) -> Result<(), EntraError> {
    let (resolved_tenant, app) = (state.clients.tenant_by_name(tenant, live), client.to_lowercase());
    let client_key = ClientKey { tenant: &resolved_tenant.id, domain: resolved_tenant.domain(), app: &app };
    check_client(live, &client_key, tenant, client)
}

fn check_client(
    live: &ReloadableConfig,
    client_key: &ClientKey<'_>,
    tenant: &str,
    client: &str,
) -> Result<(), EntraError> {
    let other_app = live.config.token.client_id.as_ref().is_some_and(|id| !id.eq_ignore_ascii_case(client));
    if !tenant_exists(live, client_key) {
        return Err(entra_error::no_tenant(tenant));
    }
    if other_app || !live.overrides.has_app(client_key) {
        return Err(entra_error::no_app(tenant, client));
    }
    Ok(())
}

/// Whether the tenant exists.
pub(super) fn tenant_exists(live: &ReloadableConfig, client_key: &ClientKey<'_>) -> bool {
    let one = live.config.token.tenant.as_ref();
    one.is_none_or(|one| tenant_id(one) == client_key.tenant) && live.overrides.has_tenant(client_key)
}

/// The error for a tenant that does not exist.
pub(super) fn unknown_tenant(state: &ServerState, tenant: &str) -> Response<Body> {
    error_response(state, &entra_error::no_tenant(tenant), None)
}

fn check_scope(scope: &str) -> Result<&str, EntraError> {
    if let Some(audience) = scope.strip_suffix("/.default").filter(|a| !a.is_empty() && !a.contains(' ')) {
        return Ok(audience);
    }
    let (code, text) = if scope.contains(' ') || scope.ends_with("/.default") {
        (
            70_011,
            format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
            ),
        )
    } else {
        (
            1_002_012,
            format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        )
    };
    Err(EntraError::new(400, "invalid_scope", code, text))
}

/// Checks a secret, or that an assertion has the shape of a JWT (for more, see [`assertion`]).
fn check_credential(
    config: &TokenConfig,
    expected_secret: Option<&str>,
    client: &str,
    form: &FormFields,
) -> Result<(), EntraError> {
    let field = |name: &str| form.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if let Some(assertion) = field("client_assertion") {
        if field("client_assertion_type") != Some(ASSERTION_TYPE) {
            let text = "The request body must contain the following parameter: 'client_assertion_type'.";
            return Err(EntraError::new(400, "invalid_request", 900_144, text));
        }
        if config.federated.issuer.is_some() {
            let refuse = |(code, text)| EntraError::new(401, "invalid_client", code, text);
            return federated::check(&config.federated, assertion).map_err(refuse);
        }
        return match assertion.split('.').filter(|part| !part.is_empty()).count() {
            3 => Ok(()),
            _ => Err(EntraError::new(401, "invalid_client", 50_027, "JWT token is invalid or malformed.")),
        };
    }
    let Some(secret) = field("client_secret") else {
        let text =
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
        return Err(EntraError::new(401, "invalid_client", 7_000_218, text));
    };
    if expected_secret.is_some_and(|expected| expected != secret) {
        return Err(entra_error::wrong_secret(client));
    }
    if config.secret_expired {
        return Err(entra_error::expired_secret(client));
    }
    Ok(())
}

/// The tenant's GUID. A request may use its domain, but a token always has a GUID.
pub(super) fn tenant_id(tenant: &str) -> String {
    uuid::Uuid::try_parse(tenant).unwrap_or_else(|_| fingerprint::guid(&tenant.to_lowercase())).to_string()
}

/// Checks the signature of an assertion, if a certificate is configured.
fn check_assertion(
    state: &ServerState,
    live: &ReloadableConfig,
    head: &Parts,
    form: &FormFields,
) -> Result<(), EntraError> {
    let (Some(certificate), Some(text)) = (&live.config.token.certificate, form.get("client_assertion"))
    else {
        return Ok(());
    };
    let scheme = if live.config.tls { "https" } else { "http" };
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(Authority::as_str).or(host).unwrap_or_default();
    let audience = format!("{scheme}://{host}{}", head.uri.path());
    let client = form.get("client_id").map(String::as_str).unwrap_or_default();
    let now = jiff::Timestamp::now().as_second();
    assertion::check(
        state,
        certificate,
        &assertion::ExpectedAssertion { client, audience: &audience, now },
        text,
    )
}

/// The response that contains a new token.
pub(super) fn token_response(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    form: &FormFields,
    audience: &str,
    kind: TokenKind,
) -> serde_json::Value {
    let config = &live.config;
    let client = form["client_id"].as_str();
    let asked = RequestedClaims::parse(form.get("claims").map(String::as_str));
    let id = &state.clients.tenant_by_name(tenant, live).id;
    let app = state.clients.app(id, client, live, &state.clock);
    let lifetime = config.token.lifetime;
    let grant = Grant { kind, tenant: id, app: client, audience, lifetime };
    let (token, expires_in) = state.sessions.mint_with_claims(&grant, asked, live, &state.clock, app);
    state.recorder.counters.tokens_issued.add();
    json!({
        "token_type": "Bearer",
        "expires_in": expires_in,
        "ext_expires_in": expires_in,
        "access_token": token,
    })
}

fn error_response(
    state: &ServerState,
    refusal: &EntraError,
    correlation: Option<&HeaderValue>,
) -> Response<Body> {
    let now = state.clock.wall_time(state.clock.now());
    let time = format!("{now:.0}").replace('T', " ");
    let trace = guid().to_string();
    let text = correlation.and_then(|id| id.to_str().ok()).map_or_else(|| guid().to_string(), str::to_owned);
    let description = format!(
        "AADSTS{}: {} Trace ID: {trace} Correlation ID: {text} Timestamp: {time}",
        refusal.code, refusal.text
    );
    let body = json!({
        "error": refusal.error,
        "error_description": description,
        "error_codes": [refusal.code],
        "timestamp": time,
        "trace_id": trace,
        "correlation_id": text,
        "error_uri": format!("https://login.microsoftonline.com/error?code={}", refusal.code),
    });
    respond(refusal.status, &body, correlation)
}

/// A JSON response with Entra's headers.
pub(super) fn respond(
    status: StatusCode,
    body: &serde_json::Value,
    correlation: Option<&HeaderValue>,
) -> Response<Body> {
    let mut response = Response::new(Body::from_bytes(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    if let Ok(id) = HeaderValue::from_str(&guid().to_string()) {
        headers.insert(HeaderName::from_static("x-ms-request-id"), id);
    }
    if let Some(id) = correlation {
        headers.insert(CLIENT_REQUEST_ID, id.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    fn form(text: &str) -> FormFields {
        parse_form(text.as_bytes())
    }

    fn code(config: &TokenConfig, text: &str) -> u32 {
        code_in("t", config, text)
    }

    fn code_in(tenant: &str, config: &TokenConfig, text: &str) -> u32 {
        let live =
            ReloadableConfig::new(Config { token: config.clone(), ..Config::default() }, None).unwrap();
        let (id, form) = (tenant_id(tenant), form(text));
        let client_key = ClientKey { tenant: &id, domain: Some(tenant), app: "app" };
        check_client_credentials(&live, &client_key, &Method::POST, tenant, &form)
            .map_or_else(|refusal| refusal.code, |_| 0)
    }

    #[test]
    fn a_form_is_decoded_once() {
        let form = form("scope=https%3A%2F%2Fx%2F.default&client_secret=a%2Bb+c%2525&empty=&bare");
        assert_eq!(form["scope"], "https://x/.default");
        assert_eq!(form["client_secret"], "a+b c%25");
        assert_eq!((form["empty"].as_str(), form["bare"].as_str()), ("", ""));
    }

    #[test]
    fn every_refusal_has_its_code() {
        let config = TokenConfig {
            tenant: Some("t".into()),
            client_id: Some("app".into()),
            secret: Some("right".into()),
            ..TokenConfig::default()
        };
        let good = "grant_type=client_credentials&client_id=APP&scope=r/.default&client_secret=right";
        assert_eq!(code(&config, good), 0);
        for (from, to, expected) in [
            ("client_secret=right", "client_secret=wrong", 7_000_215),
            ("client_secret=right", "", 7_000_218),
            ("client_id=APP", "client_id=other", 700_016),
            ("client_id=APP", "", 900_144),
            ("scope=r/.default", "scope=r/User.Read", 1_002_012),
            ("scope=r/.default", "scope=a+b/.default", 70_011),
            ("scope=r/.default", "", 900_144),
            ("client_credentials", "password", 70_003),
            ("client_secret=right", "client_assertion=a.b.c", 900_144),
        ] {
            assert_eq!(code(&config, &good.replace(from, to)), expected, "{to}");
        }
        let assertion = format!("client_assertion=a.b.c&client_assertion_type={ASSERTION_TYPE}");
        assert_eq!(code(&config, &good.replace("client_secret=right", &assertion)), 0);
        let expired = TokenConfig { secret_expired: true, ..config.clone() };
        assert_eq!(code(&expired, good), 7_000_222);
        assert_eq!(code_in("other", &config, good), 90_002);
        assert_eq!(code_in(&tenant_id("t"), &config, good), 0, "by its id, too");
    }
}
