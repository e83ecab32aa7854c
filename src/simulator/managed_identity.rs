//! The services that issue tokens for managed identities: the instance metadata service
//! (learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token), App Service
//! (learn.microsoft.com/azure/app-service/overview-managed-identity) and Azure Arc's agent
//! (learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};
use hyper::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::body::Body;
use super::graph_response::guid;
use super::lock::lock;
use super::reloadable_config::ReloadableConfig;
use super::session::{self, Grant, TokenKind};
use super::state::ServerState;
use super::token_services::{TokenServiceRequest, respond};

/// The `api-version` that makes a request one to Azure Arc's agent. The path is the same as for the instance metadata
/// service.
pub(super) const ARC_VERSION: &str = "2020-06-01";

const IMDS_VERSION: &str = "2018-02-01";
const APP_SERVICE_VERSION: &str = "2019-08-01";

/// The managed identities of the simulated machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagedIdentityConfig {
    /// Whether there is a system-assigned identity.
    pub system_assigned: bool,
    /// The client ID of the user-assigned identity. Without it there is none.
    pub client_id: Option<String>,
    /// The object ID of the same identity.
    pub object_id: Option<String>,
    /// The resource ID of the same identity.
    pub resource_id: Option<String>,
    /// The value that App Service expects in `X-IDENTITY-HEADER`. Without it, any that is not empty.
    pub header: Option<String>,
    /// The folder where Azure Arc's agent writes its keys. Without it there is no agent.
    pub arc_folder: Option<PathBuf>,
    /// The prefix of these keys.
    pub arc_key: String,
    /// Write the expiry of tokens as text and not as numbers. Both have been seen.
    pub times_as_text: bool,
    /// Return the same token until a tenth of its lifetime is left, as the instance metadata service does.
    pub cache: bool,
}

impl Default for ManagedIdentityConfig {
    fn default() -> ManagedIdentityConfig {
        ManagedIdentityConfig {
            system_assigned: true,
            client_id: None,
            object_id: None,
            resource_id: None,
            header: None,
            arc_folder: None,
            arc_key: "arc-key-".into(),
            times_as_text: true,
            cache: false,
        }
    }
}

/// The keys and tokens that have been issued.
#[derive(Debug, Default)]
pub(super) struct ManagedIdentityCache {
    /// Azure Arc's keys that have not been used yet, with their files.
    arc: Mutex<HashMap<String, PathBuf>>,
    /// Tokens by app and resource, with their expiry in real time since the start.
    tokens: Mutex<HashMap<String, (String, Duration)>>,
}

impl Drop for ManagedIdentityCache {
    /// Removes the files of unused keys, because the folder belongs to the system.
    fn drop(&mut self) {
        for file in lock(&self.arc).values() {
            let _ = std::fs::remove_file(file);
        }
    }
}

type ErrorResponse = Box<Response<Body>>;

fn error_response(status: StatusCode, error: &str, text: &str) -> ErrorResponse {
    Box::new(respond(status, &json!({"error": error, "error_description": text})))
}

fn bad_request(text: &str) -> ErrorResponse {
    error_response(StatusCode::BAD_REQUEST, "invalid_request", text)
}

fn into_response(answer: Result<Response<Body>, ErrorResponse>) -> Response<Body> {
    answer.unwrap_or_else(|refusal| *refusal)
}

pub(super) fn imds(
    state: &ServerState,
    live: &ReloadableConfig,
    service_request: &TokenServiceRequest<'_>,
) -> Response<Body> {
    let token = || {
        check_metadata_header(service_request)?;
        check_version(service_request, IMDS_VERSION)?;
        let app = requested_app(&live.config.managed_identity, service_request, "object_id", "msi_res_id")?;
        token_response(state, live, service_request, app)
    };
    into_response(token())
}

pub(super) fn app_service(
    state: &ServerState,
    live: &ReloadableConfig,
    service_request: &TokenServiceRequest<'_>,
) -> Response<Body> {
    let token = || {
        let config = &live.config.managed_identity;
        let header = service_request.header("x-identity-header").filter(|header| !header.is_empty());
        if header.is_none() || config.header.as_deref().is_some_and(|expected| header != Some(expected)) {
            return Err(error_response(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "X-IDENTITY-HEADER is missing or wrong",
            ));
        }
        check_version(service_request, APP_SERVICE_VERSION)?;
        let app = requested_app(config, service_request, "principal_id", "mi_res_id")?;
        token_response(state, live, service_request, app)
    };
    into_response(token())
}

/// Answers the first request with a challenge that names a key file. The second request must contain the key.
pub(super) fn arc(
    state: &ServerState,
    live: &ReloadableConfig,
    service_request: &TokenServiceRequest<'_>,
) -> Response<Body> {
    let token = || {
        check_metadata_header(service_request)?;
        let config = &live.config.managed_identity;
        let Some(folder) = &config.arc_folder else {
            return Err(error_response(StatusCode::NOT_FOUND, "not_found", "There is no agent here."));
        };
        let keys = &state.token_services.managed_identity.arc;
        let Some(shown) = service_request.authorization("basic") else {
            return challenge(keys, folder, &config.arc_key);
        };
        let Some(file) = lock(keys).remove(shown) else {
            return Err(error_response(
                StatusCode::FORBIDDEN,
                "forbidden",
                "The key is not one of this agent's.",
            ));
        };
        // Something else may have deleted it already.
        let _ = std::fs::remove_file(file);
        token_response(state, live, service_request, session::DEFAULT_APP)
    };
    into_response(token())
}

fn challenge(
    keys: &Mutex<HashMap<String, PathBuf>>,
    folder: &Path,
    begin: &str,
) -> Result<Response<Body>, ErrorResponse> {
    let name = guid();
    let key = format!("{begin}{}", guid());
    let file = folder.join(format!("{name}.key"));
    let failed = |error: String| error_response(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &error);
    std::fs::write(&file, &key).map_err(|error| failed(error.to_string()))?;
    let realm = format!("Basic realm={}", file.display());
    let realm = HeaderValue::from_str(&realm).map_err(|error| failed(error.to_string()))?;
    lock(keys).insert(key, file);
    let mut response = respond(StatusCode::UNAUTHORIZED, &json!({"error": "unauthorized"}));
    response.headers_mut().insert(WWW_AUTHENTICATE, realm);
    Ok(response)
}

fn check_metadata_header(service_request: &TokenServiceRequest<'_>) -> Result<(), ErrorResponse> {
    match service_request.header("metadata") {
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(()),
        _ => Err(bad_request("Required metadata header not specified")),
    }
}

fn check_version(service_request: &TokenServiceRequest<'_>, known: &str) -> Result<(), ErrorResponse> {
    match service_request.parameter("api-version") {
        Some(version) if version == known => Ok(()),
        _ => Err(bad_request("Required API version not specified, or not known")),
    }
}

/// The app ID of the identity that is requested.
fn requested_app<'a>(
    config: &'a ManagedIdentityConfig,
    service_request: &TokenServiceRequest<'_>,
    object: &str,
    resource: &str,
) -> Result<&'a str, ErrorResponse> {
    let names =
        [("client_id", &config.client_id), (object, &config.object_id), (resource, &config.resource_id)];
    let named = names.iter().find_map(|(name, known)| {
        service_request.parameter(name).map(|service_request| (service_request, known))
    });
    let user_assigned = config.client_id.as_deref().unwrap_or(session::DEFAULT_APP);
    match named {
        None if config.system_assigned => Ok(session::DEFAULT_APP),
        Some((service_request, Some(known))) if service_request.eq_ignore_ascii_case(known) => {
            Ok(user_assigned)
        }
        _ => Err(bad_request("Identity not found")),
    }
}

fn token_response(
    state: &ServerState,
    live: &ReloadableConfig,
    service_request: &TokenServiceRequest<'_>,
    app: &str,
) -> Result<Response<Body>, ErrorResponse> {
    let Some(resource) = service_request.parameter("resource") else {
        return Err(bad_request("Required resource not specified"));
    };
    let config = &live.config;
    let now = state.clock.now();
    let (token, end) =
        match cached_token(state, config.managed_identity.cache, app, resource, config.token.lifetime) {
            Some(known) => known,
            None => {
                let known = mint(state, live, app, resource);
                lock(&state.token_services.managed_identity.tokens)
                    .insert(format!("{app} {resource}"), known.clone());
                known
            }
        };
    let left = end.saturating_sub(now).as_secs();
    let on = state.clock.wall_time(end).as_second();
    let (left, on) = if config.managed_identity.times_as_text {
        (json!(left.to_string()), json!(on.to_string()))
    } else {
        (json!(left), json!(on))
    };
    Ok(respond(
        StatusCode::OK,
        &json!({
            "access_token": token, "client_id": app, "expires_in": left, "expires_on": on,
            "resource": resource, "token_type": "Bearer",
        }),
    ))
}

fn cached_token(
    state: &ServerState,
    cache: bool,
    app: &str,
    resource: &str,
    lifetime: Duration,
) -> Option<(String, Duration)> {
    let near = state.clock.to_real(lifetime) / 10;
    let tokens = lock(&state.token_services.managed_identity.tokens);
    let known = tokens.get(&format!("{app} {resource}")).filter(|_| cache)?;
    (state.clock.now() + near < known.1).then(|| known.clone())
}

fn mint(state: &ServerState, live: &ReloadableConfig, app: &str, resource: &str) -> (String, Duration) {
    let config = &live.config;
    let tenant = config.token.tenant.as_deref().unwrap_or(session::DEFAULT_TENANT);
    let tenant = &state.clients.tenant_by_name(tenant, live).id;
    let lifetime = config.token.lifetime;
    let caller = state.clients.app(tenant, app, live, &state.clock);
    let grant = Grant { kind: TokenKind::App, tenant, app, audience: resource, lifetime };
    let (token, _) = state.sessions.mint(&grant, live, &state.clock, caller);
    (token, state.clock.now() + state.clock.to_real(lifetime))
}
