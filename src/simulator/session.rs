//! Access tokens: how they are issued, and what they allow.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{AUTHORIZATION, HeaderMap};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clients::Clients;
use super::clock::Clock;
use super::config::TokenConfig;
use super::fingerprint::BuildFastHasher;
use super::graph_response::{GraphError, guid};
use super::lock::{read, write};
use super::permission::Operation;
use super::reloadable_config::ReloadableConfig;
use super::throttle::ClientApp;

/// The tenant of tokens that have no `tid`.
pub(super) const DEFAULT_TENANT: &str = "11111111-2222-4333-8444-555555555555";
/// The app of tokens that were issued without a client ID.
pub(super) const DEFAULT_APP: &str = "66666666-7777-4888-9999-aaaaaaaaaaaa";

/// Whether a token is for an app or for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// The app itself (`idtyp` is `app`, permissions in `roles`).
    App,
    /// A signed-in user (`idtyp` is `user`, permissions in `scp`).
    User,
}

/// A token that was issued here, or that a client brought from another issuer.
pub(super) struct Session {
    pub(super) app: Arc<ClientApp>,
    /// `None` if the token doesn't say.
    pub(super) kind: Option<TokenKind>,
    /// Increases with each new token.
    pub(super) serial: u64,
    pub(super) requested_claims: RequestedClaims,
    issued_here: bool,
    /// The permissions in the token; `None` if it doesn't say.
    permissions: Option<Vec<String>>,
    /// Real time since the start.
    expires: Duration,
    revoked: AtomicBool,
}

impl Session {
    /// Refuses the token from now on.
    pub(super) fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
    }

    /// Whether the token's permissions allow revocations. A token from another issuer always does.
    pub(super) fn can_revoke(&self) -> bool {
        !self.issued_here
            || self.permissions.as_ref().is_some_and(|granted| Operation::Revoke.allowed_by(granted))
    }

    /// Whether the token's permissions allow `operation`. A token that doesn't say has those of the configuration.
    pub(super) fn has_permission(&self, operation: Operation, config: &TokenConfig) -> bool {
        operation.allowed_by(self.permissions.as_ref().unwrap_or(&config.roles))
    }
}

/// What a client asked for in the `claims` parameter of its token request.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestedClaims {
    /// The client declares that it can handle challenges (`xms_cc` with `cp1`).
    pub(super) cp1: bool,
    /// The request answers a challenge.
    pub(super) answers_challenge: bool,
}

impl RequestedClaims {
    /// For tokens that were issued without a token request. They count as the answer to any challenge.
    pub(super) const NONE: RequestedClaims = RequestedClaims { cp1: false, answers_challenge: true };

    /// Parses the `claims` parameter (learn.microsoft.com/entra/identity-platform/claims-challenge).
    pub(super) fn parse(claims: Option<&str>) -> RequestedClaims {
        let claims: Value = claims.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let token = &claims["access_token"];
        let capabilities = token["xms_cc"]["values"].as_array();
        let others = token.as_object().is_some_and(|token| token.keys().any(|name| name != "xms_cc"));
        RequestedClaims {
            cp1: capabilities.is_some_and(|all| all.iter().any(|one| one == "cp1")),
            answers_challenge: others,
        }
    }
}

/// The properties of a token to issue.
pub(super) struct Grant<'a> {
    pub(super) kind: TokenKind,
    pub(super) tenant: &'a str,
    pub(super) app: &'a str,
    pub(super) audience: &'a str,
    /// Simulated time.
    pub(super) lifetime: Duration,
}

/// All tokens.
pub(super) struct Sessions {
    by_token: RwLock<HashMap<Box<str>, Arc<Session>, BuildFastHasher>>,
    next: AtomicU64,
}

impl Default for Sessions {
    fn default() -> Sessions {
        // Serials begin at 1, so that 0 can mean "no challenge yet".
        Sessions { by_token: RwLock::default(), next: AtomicU64::new(1) }
    }
}

impl Sessions {
    /// The serial that the next token will have.
    pub(super) fn next_serial(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Issues a token in the form of a JWT, with a random signature. Also returns its lifetime in whole seconds of real
    /// time, rounded down, so that no client uses it for too long.
    pub(super) fn mint(
        &self,
        grant: &Grant<'_>,
        live: &ReloadableConfig,
        clock: &Clock,
        app: Arc<ClientApp>,
    ) -> (String, u64) {
        self.mint_with_claims(grant, RequestedClaims::NONE, live, clock, app)
    }

    /// The same for a client that sent `claims`.
    pub(super) fn mint_with_claims(
        &self,
        grant: &Grant<'_>,
        asked: RequestedClaims,
        live: &ReloadableConfig,
        clock: &Clock,
        app: Arc<ClientApp>,
    ) -> (String, u64) {
        let lifetime = clock.to_real(grant.lifetime);
        let (config, roles) = (&live.config.token, live.roles(&app.client_key()));
        let mut says = claims(grant, config, &roles, clock, lifetime.as_secs());
        if asked.cp1 {
            says["xms_cc"] = json!(["cp1"]);
        }
        let token = jwt(&says);
        let granted = match grant.kind {
            TokenKind::App => &roles,
            TokenKind::User => &config.scopes,
        };
        let session = Session {
            app,
            kind: Some(grant.kind),
            serial: self.next.fetch_add(1, Ordering::Relaxed),
            requested_claims: asked,
            issued_here: true,
            permissions: Some(granted.clone()),
            expires: clock.now() + lifetime,
            revoked: AtomicBool::new(false),
        };
        write(&self.by_token).insert(token.as_str().into(), Arc::new(session));
        (token, lifetime.as_secs())
    }

    /// The session of the token in `headers`, or the error that refuses it.
    pub(super) fn authenticate(
        &self,
        headers: &HeaderMap,
        live: &ReloadableConfig,
        clock: &Clock,
        clients: &Clients,
    ) -> Result<Arc<Session>, GraphError> {
        let token = bearer(headers).ok_or_else(|| GraphError::token("Access token is empty."))?;
        let known = read(&self.by_token).get(token).cloned();
        let session = match known {
            Some(session) => session,
            None if live.config.accept_any_token => self.register_foreign_token(token, clients, live, clock),
            None => return Err(invalid_token(token)),
        };
        if session.revoked.load(Ordering::Relaxed) || (session.issued_here && clock.now() >= session.expires)
        {
            return Err(GraphError::token_expired());
        }
        Ok(session)
    }

    /// Remembers a token from another issuer.
    fn register_foreign_token(
        &self,
        token: &str,
        clients: &Clients,
        live: &ReloadableConfig,
        clock: &Clock,
    ) -> Arc<Session> {
        let claims = parse_claims(token);
        let name =
            |claim: Option<&String>, otherwise: &str| claim.map_or(otherwise, String::as_str).to_owned();
        let app = name(claims.as_ref().and_then(|c| c.appid.as_ref().or(c.azp.as_ref())), token);
        let tenant = name(claims.as_ref().and_then(|c| c.tid.as_ref()), DEFAULT_TENANT);
        let session = Session {
            app: clients.app(&tenant, &app, live, clock),
            kind: claims.as_ref().and_then(AccessTokenClaims::kind),
            serial: self.next.fetch_add(1, Ordering::Relaxed),
            requested_claims: RequestedClaims { cp1: claims_cp1(token), answers_challenge: true },
            issued_here: false,
            permissions: claims.as_ref().and_then(AccessTokenClaims::permissions),
            expires: Duration::MAX,
            revoked: AtomicBool::new(false),
        };
        Arc::clone(write(&self.by_token).entry(token.into()).or_insert_with(|| Arc::new(session)))
    }
}

fn invalid_token(token: &str) -> GraphError {
    match parse_claims(token) {
        None => GraphError::token("CompactToken parsing failed with error code: 80049217"),
        Some(claims) if claims.aud.as_deref().is_some_and(|aud| !aud.contains("graph")) => {
            GraphError::token("Access token validation failure. Invalid audience.")
        }
        Some(_) => GraphError::token("Access token validation failure. Invalid signature."),
    }
}

/// Whether the token in `headers` is meant for the Graph at this host. Its audience is either that address, or Graph's
/// app ID, which is the same in every cloud. A token without an audience is meant for any host.
pub(super) fn is_meant_for(headers: &HeaderMap, host: &str) -> bool {
    let Some(audience) = bearer(headers).and_then(parse_claims).and_then(|claims| claims.aud) else {
        return true;
    };
    let audience = audience.trim_end_matches('/').to_lowercase();
    audience == format!("https://{}", host.to_lowercase())
        || audience == "00000003-0000-0000-c000-000000000000"
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    // Not `to_str`, because that would check each byte of a long token on each request.
    let value = std::str::from_utf8(headers.get(AUTHORIZATION)?.as_bytes()).ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[derive(Deserialize)]
struct AccessTokenClaims {
    aud: Option<String>,
    tid: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    idtyp: Option<String>,
    scp: Option<String>,
    roles: Option<Vec<String>>,
    xms_cc: Option<Vec<String>>,
}

impl AccessTokenClaims {
    fn kind(&self) -> Option<TokenKind> {
        match self.idtyp.as_deref() {
            Some("app") => Some(TokenKind::App),
            Some("user") => Some(TokenKind::User),
            _ if self.scp.is_some() => Some(TokenKind::User),
            _ => self.roles.as_ref().map(|_| TokenKind::App),
        }
    }

    fn permissions(&self) -> Option<Vec<String>> {
        let scopes = self.scp.as_ref().map(|scopes| scopes.split(' ').map(str::to_owned).collect());
        scopes.or_else(|| self.roles.clone())
    }
}

fn parse_claims(token: &str) -> Option<AccessTokenClaims> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

/// Whether a token from another issuer declares that its client can handle challenges.
fn claims_cp1(token: &str) -> bool {
    parse_claims(token).and_then(|claims| claims.xms_cc).is_some_and(|all| all.iter().any(|one| one == "cp1"))
}

fn claims(grant: &Grant<'_>, config: &TokenConfig, roles: &[String], clock: &Clock, lifetime: u64) -> Value {
    let now = clock.wall_time(clock.now()).as_second();
    let mut claims = json!({
        "aud": grant.audience,
        "iss": format!("https://sts.windows.net/{}/", grant.tenant),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add_unsigned(lifetime),
        "appid": grant.app,
        "appidacr": "1",
        "tid": grant.tenant,
        "uti": URL_SAFE_NO_PAD.encode(guid().as_bytes()),
        "jti": guid().to_string(),
        "ver": "1.0",
    });
    match grant.kind {
        TokenKind::App => {
            claims["idtyp"] = "app".into();
            claims["roles"] = roles.into();
        }
        TokenKind::User => {
            claims["idtyp"] = "user".into();
            claims["scp"] = config.scopes.join(" ").into();
            claims["oid"] = config.user_id.clone().into();
            claims["upn"] = config.user_principal_name.clone().into();
            claims["wids"] = config.directory_roles.clone().into();
        }
    }
    claims
}

fn jwt(claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "simulator"});
    let signature: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(32).collect();
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}
