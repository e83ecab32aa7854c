//! The device code flow and refresh tokens (learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code; RFC
//! 8628).
//!
//! The configuration plays the person with the browser: after a number of polls that person approves, declines, or is
//! too late.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::graph_response::guid;
use super::lock::lock;
use super::recorder::Account;
use super::reloadable_config::ReloadableConfig;
use super::session::TokenKind;
use super::state::ServerState;
use super::token::{EntraError, FormFields, check_tenant_and_app, required, token_response};

/// The grant type of a poll.
pub(super) const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The grant type for refresh tokens.
pub(super) const REFRESH_TOKEN_GRANT: &str = "refresh_token";

/// By how much `slow_down` extends the interval (RFC 8628, 3.5), in simulated time.
const SLOW_DOWN_STEP: Duration = Duration::from_secs(5);

/// The device code flow: what the person does, and when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The number of polls that are answered with `authorization_pending`.
    pub polls_before_approval: u32,
    /// What the person does after that.
    pub outcome: DeviceOutcome,
    /// The number of polls that are answered with `slow_down`, before all others.
    pub slow_down: u32,
    /// The minimum time between two polls, in simulated time. A poll that comes too early is answered with `slow_down`
    /// and recorded as a violation.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub interval: Duration,
    /// The lifetime of the code, in simulated time.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub expires_in: Duration,
    /// The page where the person enters the code.
    pub verification_uri: String,
    /// How refresh tokens are answered.
    pub refresh: RefreshOutcome,
    /// Whether a refresh token can be used only once. Entra keeps old ones valid; other servers do not.
    pub single_use: bool,
}

impl Default for DeviceConfig {
    fn default() -> DeviceConfig {
        DeviceConfig {
            polls_before_approval: 1,
            outcome: DeviceOutcome::default(),
            slow_down: 0,
            interval: Duration::from_secs(5),
            expires_in: Duration::from_secs(900),
            verification_uri: "https://microsoft.com/devicelogin".into(),
            refresh: RefreshOutcome::default(),
            single_use: false,
        }
    }
}

/// What the person with the browser does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceOutcome {
    /// Signs in.
    #[default]
    Approve,
    /// Declines.
    Decline,
    /// Is too late.
    Expire,
}

/// How refresh tokens are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshOutcome {
    /// With a new access token, unless the user's sessions were revoked.
    #[default]
    Grant,
    /// With `interaction_required`, because Conditional Access needs the person.
    InteractionRequired,
    /// No refresh token is ever issued.
    None,
}

/// The device codes and refresh tokens that were issued.
#[derive(Debug, Default)]
pub(super) struct DeviceCodeStore {
    codes: Mutex<HashMap<String, PendingDeviceCode>>,
    refresh_tokens: Mutex<HashMap<String, RefreshToken>>,
}

/// A device code that was issued. Times are real, since the start.
#[derive(Debug)]
struct PendingDeviceCode {
    client: String,
    audience: String,
    offline: bool,
    polls: u32,
    not_before: Duration,
    interval: Duration,
    expires: Duration,
}

#[derive(Debug)]
struct RefreshToken {
    client: String,
    /// The user's object ID and principal name, in lower case.
    user: [String; 2],
    issued: Duration,
    revoked: Option<Duration>,
    used: bool,
}

impl DeviceCodeStore {
    /// Ends a user's sessions at this real time since the start: their refresh tokens stop working.
    pub(super) fn revoke(&self, user: &Account, at: Duration) {
        let mut refreshes = lock(&self.refresh_tokens);
        for refresh in refreshes
            .values_mut()
            .filter(|refresh| user.names().any(|name| refresh.user.iter().any(|other| other == name)))
        {
            refresh.revoked.get_or_insert(at);
        }
    }
}

/// Issues a device code.
pub(super) fn issue_device_code(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    form: &FormFields,
) -> Result<Value, EntraError> {
    let config = &live.config.token.device;
    let client = required(form, "client_id")?;
    check_tenant_and_app(state, live, tenant, client)?;
    let scope = required(form, "scope")?;
    let now = state.clock.now();
    let (interval, life) = (state.clock.to_real(config.interval), state.clock.to_real(config.expires_in));
    let code = PendingDeviceCode {
        client: client.to_lowercase(),
        audience: audience(scope)?.to_owned(),
        offline: scope.split(' ').any(|part| part == "offline_access"),
        polls: 0,
        not_before: now + interval,
        interval,
        expires: now + life,
    };
    let device_code = format!("fake-device-code-{}", guid().simple());
    let user_code = guid().simple().to_string()[..9].to_uppercase();
    let message = format!(
        "To sign in, use a web browser to open the page {} and enter the code {user_code} to authenticate.",
        config.verification_uri
    );
    let answer = json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": config.verification_uri,
        "expires_in": seconds(life),
        "interval": seconds(interval),
        "message": message,
    });
    lock(&state.device_codes.codes).insert(device_code, code);
    Ok(answer)
}

/// Whole seconds as Entra sends them, with a fraction if the simulator runs faster than real time.
fn seconds(time: Duration) -> Value {
    if time.subsec_nanos() == 0 { time.as_secs().into() } else { time.as_secs_f64().into() }
}

/// The resource of a delegated scope: the one scope that ends with `/.default`, next to those of OpenID Connect.
fn audience(scope: &str) -> Result<&str, EntraError> {
    let mut resources = scope.split(' ').filter_map(|part| part.strip_suffix("/.default"));
    match (resources.next(), resources.next()) {
        (Some(one), None) if !one.is_empty() => Ok(one),
        _ => {
            let text = format!(
                "The provided request must include a 'scope' input parameter. The provided value for the input \
                 parameter 'scope' is not valid. The scope {scope} is not valid."
            );
            Err(EntraError::new(400, "invalid_scope", 70_011, text))
        }
    }
}

/// Answers a client that asks whether the person has signed in.
pub(super) fn poll(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    form: &FormFields,
) -> Result<Value, EntraError> {
    let client = required(form, "client_id")?;
    check_tenant_and_app(state, live, tenant, client)?;
    let name = required(form, "device_code")?;
    let (audience, offline) = {
        let mut codes = lock(&state.device_codes.codes);
        let code = codes.get_mut(name).filter(|code| code.client == client.to_lowercase());
        let code = code.ok_or_else(|| {
            let text = "The device_code that was sent is not known.";
            EntraError::new(400, "bad_verification_code", 70_018, text)
        })?;
        code.poll(state, live)?;
        (code.audience.clone(), code.offline)
    };
    lock(&state.device_codes.codes).remove(name);
    Ok(user_token_response(state, live, tenant, form, &audience, offline))
}

impl PendingDeviceCode {
    /// Counts one poll. Fails as long as the person has not signed in, and if they never will.
    fn poll(&mut self, state: &ServerState, live: &ReloadableConfig) -> Result<(), EntraError> {
        let config = &live.config.token.device;
        let now = state.clock.now();
        let early = now < self.not_before;
        self.polls += 1;
        if early {
            state.recorder.record_violation(now, "early_poll", &self.client);
        }
        if early || self.polls <= config.slow_down {
            self.interval += state.clock.to_real(SLOW_DOWN_STEP);
            self.not_before = now + self.interval;
            return Err(EntraError::new(400, "slow_down", 70_016, "The polling is too fast."));
        }
        self.not_before = now + self.interval;
        if now >= self.expires {
            return Err(expired_code());
        }
        if self.polls <= config.slow_down + config.polls_before_approval {
            let text = "OAuth 2.0 device flow error. Authorization is pending. Continue polling.";
            return Err(EntraError::new(400, "authorization_pending", 70_016, text));
        }
        match config.outcome {
            DeviceOutcome::Approve => Ok(()),
            DeviceOutcome::Decline => {
                let text = "User declined to consent to access the app.";
                Err(EntraError::new(400, "authorization_declined", 65_004, text))
            }
            DeviceOutcome::Expire => Err(expired_code()),
        }
    }
}

fn expired_code() -> EntraError {
    EntraError::new(400, "expired_token", 70_019, "Verification code expired.")
}

/// Tokens for the configured user.
fn user_token_response(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    form: &FormFields,
    audience: &str,
    offline: bool,
) -> Value {
    let config = &live.config.token;
    let mut answer = token_response(state, live, tenant, form, audience, TokenKind::User);
    answer["scope"] = config.scopes.join(" ").into();
    if offline && config.device.refresh != RefreshOutcome::None {
        let token = format!("fake-refresh-token-{}", guid().simple());
        let refresh = RefreshToken {
            client: form["client_id"].to_lowercase(),
            user: [config.user_id.to_lowercase(), config.user_principal_name.to_lowercase()],
            issued: state.clock.now(),
            revoked: None,
            used: false,
        };
        answer["refresh_token"] = token.as_str().into();
        lock(&state.device_codes.refresh_tokens).insert(token, refresh);
    }
    answer
}

/// Issues a new access token and a new refresh token for a refresh token.
pub(super) fn refresh(
    state: &ServerState,
    live: &ReloadableConfig,
    tenant: &str,
    form: &FormFields,
) -> Result<Value, EntraError> {
    let client = required(form, "client_id")?;
    check_tenant_and_app(state, live, tenant, client)?;
    let audience = audience(required(form, "scope")?)?;
    let name = required(form, "refresh_token")?;
    {
        let mut refreshes = lock(&state.device_codes.refresh_tokens);
        let refresh = refreshes.get_mut(name).filter(|refresh| refresh.client == client.to_lowercase());
        let refresh = refresh.ok_or_else(|| {
            let text = "Invalid request. Request is malformed or invalid.";
            EntraError::new(400, "invalid_grant", 9_002_313, text)
        })?;
        refresh.check(state, live)?;
        refresh.used = true;
    }
    Ok(user_token_response(state, live, tenant, form, audience, true))
}

impl RefreshToken {
    fn check(&self, state: &ServerState, live: &ReloadableConfig) -> Result<(), EntraError> {
        let config = &live.config.token.device;
        if let Some(revoked) = self.revoked {
            let text = format!(
                "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might \
                 have changed or reset their password. The grant was issued on '{:.0}' and the TokensValidFrom date \
                 (before which tokens are not valid) for this user is '{:.0}'.",
                state.clock.wall_time(self.issued),
                state.clock.wall_time(revoked),
            );
            return Err(EntraError::new(400, "invalid_grant", 50_173, text));
        }
        if config.refresh == RefreshOutcome::InteractionRequired {
            let text = "Due to a configuration change made by your administrator, or because you moved to a new \
                        location, you must use multi-factor authentication to access this resource.";
            return Err(EntraError::new(400, "interaction_required", 50_076, text));
        }
        if self.used && config.single_use {
            let text = "The refresh token has been redeemed before.";
            return Err(EntraError::new(400, "invalid_grant", 54_005, text));
        }
        Ok(())
    }
}
