//! The services that give managed identities their tokens: the instance metadata service
//! (learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token), App Service's
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

use super::answer::guid;
use super::body::Body;
use super::live::Live;
use super::lock::lock;
use super::nearby::{Asked, respond};
use super::session::{self, Grant, TokenKind};
use super::world::World;

/// The version that Azure Arc's agent is asked for; the path is that of the instance metadata service.
pub(super) const ARC_VERSION: &str = "2020-06-01";

const IMDS_VERSION: &str = "2018-02-01";
const APP_SERVICE_VERSION: &str = "2019-08-01";

/// The managed identities of the machine that is played.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ManagedIdentityConfig {
    /// Whether there is a system-assigned identity.
    pub system_assigned: bool,
    /// Client id of the user-assigned identity; without it there is none.
    pub client_id: Option<String>,
    /// Object id of the same.
    pub object_id: Option<String>,
    /// Resource id of the same.
    pub resource_id: Option<String>,
    /// App Service's `X-IDENTITY-HEADER`; without it, anything that is not empty.
    pub header: Option<String>,
    /// The folder that Azure Arc's agent writes its keys to; without it there is no agent.
    pub arc_folder: Option<PathBuf>,
    /// What those keys begin with.
    pub arc_key: String,
    /// Write the times at which tokens end as text and not as numbers. Both were seen.
    pub times_as_text: bool,
    /// Give the same token until a tenth of its life is left, as the instance metadata service does.
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

/// Keys and tokens that were given out.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Keys of Azure Arc's that were not used yet, with their files.
    arc: Mutex<HashMap<String, PathBuf>>,
    /// Tokens by what they are for, with their end in real time since the start.
    tokens: Mutex<HashMap<String, (String, Duration)>>,
}

impl Drop for Keys {
    /// Takes away the files of keys that nobody has shown: the folder is the system's.
    fn drop(&mut self) {
        for file in lock(&self.arc).values() {
            let _ = std::fs::remove_file(file);
        }
    }
}

type Refusal = Box<Response<Body>>;

fn refuse(status: StatusCode, error: &str, text: &str) -> Refusal {
    Box::new(respond(status, &json!({"error": error, "error_description": text})))
}

fn bad(text: &str) -> Refusal {
    refuse(StatusCode::BAD_REQUEST, "invalid_request", text)
}

fn either(answer: Result<Response<Body>, Refusal>) -> Response<Body> {
    answer.unwrap_or_else(|refusal| *refusal)
}

pub(super) fn imds(world: &World, live: &Live, asked: &Asked<'_>) -> Response<Body> {
    let token = || {
        has_metadata(asked)?;
        version(asked, IMDS_VERSION)?;
        let app = app(&live.config.managed_identity, asked, "object_id", "msi_res_id")?;
        given(world, live, asked, app)
    };
    either(token())
}

pub(super) fn app_service(world: &World, live: &Live, asked: &Asked<'_>) -> Response<Body> {
    let token = || {
        let config = &live.config.managed_identity;
        let header = asked.header("x-identity-header").filter(|header| !header.is_empty());
        if header.is_none() || config.header.as_deref().is_some_and(|expected| header != Some(expected)) {
            return Err(refuse(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "X-IDENTITY-HEADER is missing or wrong",
            ));
        }
        version(asked, APP_SERVICE_VERSION)?;
        let app = app(config, asked, "principal_id", "mi_res_id")?;
        given(world, live, asked, app)
    };
    either(token())
}

/// The first request gets a challenge that names a file; the second shows what was in it.
pub(super) fn arc(world: &World, live: &Live, asked: &Asked<'_>) -> Response<Body> {
    let token = || {
        has_metadata(asked)?;
        let config = &live.config.managed_identity;
        let Some(folder) = &config.arc_folder else {
            return Err(refuse(StatusCode::NOT_FOUND, "not_found", "There is no agent here."));
        };
        let keys = &world.nearby.keys.arc;
        let Some(shown) = asked.authorization("basic") else {
            return challenge(keys, folder, &config.arc_key);
        };
        let Some(file) = lock(keys).remove(shown) else {
            return Err(refuse(StatusCode::FORBIDDEN, "forbidden", "The key is not one of this agent's."));
        };
        // Somebody may have tidied up.
        let _ = std::fs::remove_file(file);
        given(world, live, asked, session::DEFAULT_APP)
    };
    either(token())
}

fn challenge(
    keys: &Mutex<HashMap<String, PathBuf>>,
    folder: &Path,
    begin: &str,
) -> Result<Response<Body>, Refusal> {
    let name = guid();
    let key = format!("{begin}{}", guid());
    let file = folder.join(format!("{name}.key"));
    let failed = |error: String| refuse(StatusCode::INTERNAL_SERVER_ERROR, "server_error", &error);
    std::fs::write(&file, &key).map_err(|error| failed(error.to_string()))?;
    let realm = format!("Basic realm={}", file.display());
    let realm = HeaderValue::from_str(&realm).map_err(|error| failed(error.to_string()))?;
    lock(keys).insert(key, file);
    let mut response = respond(StatusCode::UNAUTHORIZED, &json!({"error": "unauthorized"}));
    response.headers_mut().insert(WWW_AUTHENTICATE, realm);
    Ok(response)
}

fn has_metadata(asked: &Asked<'_>) -> Result<(), Refusal> {
    match asked.header("metadata") {
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(()),
        _ => Err(bad("Required metadata header not specified")),
    }
}

fn version(asked: &Asked<'_>, known: &str) -> Result<(), Refusal> {
    match asked.parameter("api-version") {
        Some(version) if version == known => Ok(()),
        _ => Err(bad("Required API version not specified, or not known")),
    }
}

/// The app id of the identity that is asked for.
fn app<'a>(
    config: &'a ManagedIdentityConfig,
    asked: &Asked<'_>,
    object: &str,
    resource: &str,
) -> Result<&'a str, Refusal> {
    let names =
        [("client_id", &config.client_id), (object, &config.object_id), (resource, &config.resource_id)];
    let named = names.iter().find_map(|(name, known)| asked.parameter(name).map(|asked| (asked, known)));
    let user_assigned = config.client_id.as_deref().unwrap_or(session::DEFAULT_APP);
    match named {
        None if config.system_assigned => Ok(session::DEFAULT_APP),
        Some((asked, Some(known))) if asked.eq_ignore_ascii_case(known) => Ok(user_assigned),
        _ => Err(bad("Identity not found")),
    }
}

fn given(world: &World, live: &Live, asked: &Asked<'_>, app: &str) -> Result<Response<Body>, Refusal> {
    let Some(resource) = asked.parameter("resource") else {
        return Err(bad("Required resource not specified"));
    };
    let config = &live.config;
    let now = world.clock.now();
    let (token, end) =
        match cached(world, config.managed_identity.cache, app, resource, config.token.lifetime) {
            Some(known) => known,
            None => {
                let known = mint(world, live, app, resource);
                lock(&world.nearby.keys.tokens).insert(format!("{app} {resource}"), known.clone());
                known
            }
        };
    let left = end.saturating_sub(now).as_secs();
    let on = world.clock.wall(end).as_second();
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

fn cached(
    world: &World,
    cache: bool,
    app: &str,
    resource: &str,
    lifetime: Duration,
) -> Option<(String, Duration)> {
    let near = world.clock.real(lifetime) / 10;
    let tokens = lock(&world.nearby.keys.tokens);
    let known = tokens.get(&format!("{app} {resource}")).filter(|_| cache)?;
    (world.clock.now() + near < known.1).then(|| known.clone())
}

fn mint(world: &World, live: &Live, app: &str, resource: &str) -> (String, Duration) {
    let config = &live.config;
    let tenant = config.token.tenant.as_deref().unwrap_or(session::DEFAULT_TENANT);
    let tenant = &world.callers.tenant_called(tenant, live).id;
    let lifetime = config.token.lifetime;
    let caller = world.callers.app(tenant, app, live, &world.clock);
    let grant = Grant { kind: TokenKind::App, tenant, app, audience: resource, lifetime };
    let (token, _) = world.sessions.mint(&grant, live, &world.clock, caller);
    (token, world.clock.now() + world.clock.real(lifetime))
}
