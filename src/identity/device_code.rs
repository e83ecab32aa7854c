//! Sign-in of a person with a browser on any device. Later tokens come from the refresh token
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code; RFC 8628).
//!
//! The program has no app registration of its own. Phishing uses codes of well-known apps, so tenants do well to
//! allow this flow only for apps that they know.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::chain::{CredentialSetup, EnvLookup};
use super::device_code_response::{DEFAULT_INTERVAL, DeviceCodeResponse};
use super::token_endpoint::{self, Authority, TokenForm, TokenGrant, TokenRefusal};
use super::{Auth, Credential, CredentialConfig, IssuedToken, SignInError, TokenClaims};
use crate::http::HttpClients;
use crate::number::add_clamped;
use crate::text::sanitize::sanitize_truncated;

/// The grant type of a poll.
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Longest time between two polls, so that a person who has entered the code does not wait for long.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// What a person must do to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The address to open in a browser: HTTPS, or plain HTTP to loopback.
    pub address: String,
    /// The code to enter there.
    pub code: String,
    /// How long the code is valid.
    pub expires_in: Duration,
    /// Why another sign-in is needed, if there was one before.
    pub reason: Option<String>,
}

/// Shows a prompt to the person; it must not block.
#[derive(Clone)]
pub struct Prompter(Arc<dyn Fn(&Prompt) + Send + Sync>);

impl Prompter {
    /// A prompter that shows prompts with this function.
    pub fn new(show: impl Fn(&Prompt) + Send + Sync + 'static) -> Prompter {
        Prompter(Arc::new(show))
    }
}

impl std::fmt::Debug for Prompter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompter")
    }
}

/// The sign-in of a person through a public client of the tenant.
#[derive(Debug)]
pub struct DeviceCode {
    authority: Authority,
    client_id: String,
    /// The scopes of the resource and of OpenID: `offline_access` requests a refresh token.
    scope: String,
    prompter: Option<Prompter>,
    session: Mutex<DeviceSession>,
}

/// The result of an earlier sign-in.
#[derive(Debug, Default)]
struct DeviceSession {
    /// The newest refresh token.
    refresh_token: Option<SecretString>,
    /// Why there is no longer a refresh token.
    refresh_failure: Option<String>,
    /// The user who signed in first. No other user may continue the run.
    user: Option<DeviceUser>,
}

/// The signed-in user.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeviceUser {
    tenant: String,
    id: String,
    name: String,
}

/// The device code sign-in; it needs a tenant and an app.
pub(super) fn find(config: &CredentialConfig, _vars: EnvLookup<'_>) -> Result<CredentialSetup, SignInError> {
    let given = "--auth device-code is set";
    let missing = |missing| SignInError::Incomplete { given, missing };
    let tenant = config.tenant.clone().ok_or(missing("the tenant (--tenant or AZURE_TENANT_ID)"))?;
    let client_id = config.client_id.clone().ok_or(missing(
        "the app, a public client of your own (--client-id or AZURE_CLIENT_ID; `doctor --setup --auth \
         device-code` prints how to register one)",
    ))?;
    Ok(CredentialSetup::Ready(Credential::Device(Box::new(DeviceCode {
        authority: Authority { root: config.authority.clone(), tenant },
        client_id,
        scope: format!("{} offline_access openid profile", config.scope),
        prompter: None,
        session: Mutex::default(),
    }))))
}

impl DeviceCode {
    /// Sets the function that asks the person.
    pub(super) fn set_prompter(&mut self, prompter: Prompter) {
        self.prompter = Some(prompter);
    }

    /// Gets a token with the refresh token, otherwise from a person.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        challenge: Option<&str>,
    ) -> Result<IssuedToken, SignInError> {
        let claims = claims_with_capability(challenge);
        let grant = match self.try_refresh(http, &claims).await? {
            Some(grant) => grant,
            None => self.request_code(http, &claims).await?,
        };
        self.accept(grant)
    }

    fn session(&self) -> MutexGuard<'_, DeviceSession> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn form(&self, grant: Option<&str>, claims: &str) -> TokenForm {
        let mut form = TokenForm::new("client_id", &self.client_id);
        if let Some(grant) = grant {
            form.add("grant_type", grant);
        }
        form.add("scope", &self.scope);
        form.add("claims", claims);
        form
    }

    /// Asks for a token with the refresh token. `None` if there is no refresh token, or if Entra requires a new
    /// sign-in: this run may have revoked the operator's own sessions.
    async fn try_refresh(&self, http: &HttpClients, claims: &str) -> Result<Option<TokenGrant>, SignInError> {
        let Some(refresh) = self.session().refresh_token.clone() else { return Ok(None) };
        let mut form = self.form(Some("refresh_token"), claims);
        form.add_secret("refresh_token", &refresh);
        let refusal = match token_endpoint::request_token(http, &self.authority, &form).await? {
            Ok(grant) => return Ok(Some(grant)),
            Err(refusal) => refusal,
        };
        let person_can_help = ["invalid_grant", "interaction_required", "login_required", "consent_required"];
        let needs_person = person_can_help.contains(&refusal.error.as_str());
        let why = refusal.into_error();
        if !needs_person {
            return Err(why);
        }
        let mut session = self.session();
        session.refresh_token = None;
        session.refresh_failure = Some(why.to_string());
        Ok(None)
    }

    /// Shows a code to the person and waits until it is entered.
    async fn request_code(&self, http: &HttpClients, claims: &str) -> Result<TokenGrant, SignInError> {
        let Some(prompter) = &self.prompter else {
            let why = "there is no terminal to show a code on".to_owned();
            return Err(SignInError::Unavailable { auth: Auth::DeviceCode, why });
        };
        let began = Instant::now();
        let root = &self.authority.root;
        let form = self.form(None, claims);
        let body =
            match token_endpoint::post_form(http, root, &self.authority.url("devicecode"), &form).await? {
                Ok(body) => body,
                Err(refusal) => return Err(refusal.into_error()),
            };
        let code = DeviceCodeResponse::parse(&body)
            .map_err(|reason| SignInError::Unreachable { host: root.to_string(), reason })?;
        (prompter.0)(&Prompt { reason: self.prompt_reason(), ..code.prompt.clone() });
        self.poll_until_granted(http, claims, &code, add_clamped(began, code.prompt.expires_in)).await
    }

    /// Why the person is asked again; `None` the first time.
    fn prompt_reason(&self) -> Option<String> {
        let session = self.session();
        session.user.as_ref()?;
        let without = || "Entra did not return a refresh token".to_owned();
        Some(session.refresh_failure.clone().unwrap_or_else(without))
    }

    /// Polls until the code is entered or expires.
    async fn poll_until_granted(
        &self,
        http: &HttpClients,
        claims: &str,
        code: &DeviceCodeResponse,
        until: Instant,
    ) -> Result<TokenGrant, SignInError> {
        let mut form = self.form(Some(DEVICE_CODE_GRANT), claims);
        form.add_secret("device_code", &code.device_code);
        let late = || SignInError::CodeExpired { minutes: code.prompt.expires_in.as_secs().div_ceil(60) };
        let mut interval = code.interval;
        loop {
            let next = add_clamped(Instant::now(), interval);
            sleep_until(next.min(until)).await;
            if next >= until {
                return Err(late());
            }
            let polled = token_endpoint::request_token(http, &self.authority, &form);
            let answer = timeout_at(until, polled).await.map_err(|_| late())?;
            match classify_poll(answer) {
                PollResult::Granted(grant) => return Ok(*grant),
                PollResult::Expired => return Err(late()),
                PollResult::Failed(error) => return Err(error),
                PollResult::Pending(pace) => interval = pace.next_interval(interval),
            }
        }
    }

    /// Takes the granted token, unless another user signed in than before.
    fn accept(&self, grant: TokenGrant) -> Result<IssuedToken, SignInError> {
        let user = DeviceUser::from_claims(&TokenClaims::from_jwt(grant.token.token.expose_secret()));
        let mut session = self.session();
        match (&session.user, &user) {
            (Some(begun), Some(now)) if !begun.may_be_same_user(now) => {
                let [begun, now] = [begun, now].map(|user| sanitize_truncated(&user.name, 120));
                return Err(SignInError::OtherUser { begun, now });
            }
            (None, _) => session.user = user.or(Some(DeviceUser::unknown())),
            _ => {}
        }
        if grant.refresh_token.is_some() {
            session.refresh_token = grant.refresh_token;
        }
        Ok(grant.token)
    }
}

impl DeviceUser {
    /// `None` if the token does not name its user.
    fn from_claims(claims: &TokenClaims) -> Option<DeviceUser> {
        let id = claims.oid.clone().or_else(|| claims.upn.clone())?;
        let name = claims.upn.clone().unwrap_or_else(|| id.clone());
        Some(DeviceUser { tenant: claims.tid.clone().unwrap_or_default(), id, name })
    }

    /// Whether both are the same user, as far as is known.
    fn may_be_same_user(&self, other: &DeviceUser) -> bool {
        self.id.is_empty() || (&self.tenant, &self.id) == (&other.tenant, &other.id)
    }

    /// A user that the token did not name.
    fn unknown() -> DeviceUser {
        DeviceUser { tenant: String::new(), id: String::new(), name: String::new() }
    }
}

/// The result of a poll.
enum PollResult {
    Granted(Box<TokenGrant>),
    /// The code has not been entered yet.
    Pending(PollInterval),
    /// It can no longer be entered.
    Expired,
    Failed(SignInError),
}

/// How the time to the next poll changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PollInterval {
    Same,
    /// The server asked for fewer polls.
    Slower,
    /// The server could not be reached.
    Doubled,
}

impl PollInterval {
    fn next_interval(self, interval: Duration) -> Duration {
        match self {
            PollInterval::Same => interval,
            // The interval that the server asks for is never shortened.
            PollInterval::Slower => interval.saturating_add(DEFAULT_INTERVAL),
            PollInterval::Doubled => interval.saturating_mul(2).min(MAX_INTERVAL.max(interval)),
        }
    }
}

fn classify_poll(answer: Result<Result<TokenGrant, TokenRefusal>, SignInError>) -> PollResult {
    let refusal = match answer {
        Ok(Ok(grant)) => return PollResult::Granted(Box::new(grant)),
        Ok(Err(refusal)) => refusal,
        // The network may fail for a while as the person signs in, so polling continues until the code expires.
        Err(SignInError::Unreachable { reason, .. }) => {
            tracing::warn!(reason, "can't check whether the code was entered; retrying");
            return PollResult::Pending(PollInterval::Doubled);
        }
        Err(error) => return PollResult::Failed(error),
    };
    match refusal.error.as_str() {
        "authorization_pending" => PollResult::Pending(PollInterval::Same),
        "slow_down" => PollResult::Pending(PollInterval::Slower),
        "expired_token" => PollResult::Expired,
        // The words of Entra and of RFC 8628.
        "authorization_declined" | "access_denied" => PollResult::Failed(SignInError::CodeDeclined),
        "bad_verification_code" => PollResult::Failed(SignInError::CodeUnknown),
        _ => PollResult::Failed(refusal.into_error()),
    }
}

/// The claims of a request: those of a challenge, and the client capability `cp1`. Graph sends challenges only to
/// clients with this capability and serves the others until their token expires
/// (learn.microsoft.com/entra/identity-platform/claims-challenge#client-capabilities).
fn claims_with_capability(challenge: Option<&str>) -> String {
    let claims = challenge.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let mut claims = claims.filter(Value::is_object).unwrap_or_else(|| json!({}));
    let token = &mut claims["access_token"];
    if !token.is_object() {
        *token = json!({});
    }
    token["xms_cc"] = json!({ "values": ["cp1"] });
    claims.to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn polls_slow_down_on_request() {
        let five = Duration::from_secs(5);
        assert_eq!(PollInterval::Same.next_interval(five), five);
        assert_eq!(
            PollInterval::Slower.next_interval(PollInterval::Slower.next_interval(five)),
            Duration::from_secs(15)
        );
        assert_eq!(PollInterval::Doubled.next_interval(five), Duration::from_secs(10));
        assert_eq!(PollInterval::Doubled.next_interval(Duration::from_secs(50)), MAX_INTERVAL);
        assert_eq!(PollInterval::Doubled.next_interval(Duration::from_secs(90)), Duration::from_secs(90));
    }

    #[test]
    fn users_are_compared_by_tenant_and_id() {
        let user = |tid: &str, oid: &str, upn: &str| {
            let text = |text: &str| Some(text.to_owned());
            DeviceUser::from_claims(&TokenClaims {
                tid: text(tid),
                oid: text(oid),
                upn: text(upn),
                ..TokenClaims::default()
            })
        };
        let ann = user("t", "1", "ann@x.com").unwrap();
        assert!(ann.may_be_same_user(&user("t", "1", "ann.renamed@x.com").unwrap()));
        assert!(!ann.may_be_same_user(&user("t", "2", "ann@x.com").unwrap()));
        assert!(!ann.may_be_same_user(&user("other", "1", "ann@x.com").unwrap()));
        assert!(DeviceUser::unknown().may_be_same_user(&ann));
        assert_eq!(DeviceUser::from_claims(&TokenClaims::default()), None);
    }

    #[test]
    fn client_capability_is_added_to_a_challenge() {
        assert_eq!(claims_with_capability(None), r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#);
        let both: Value = serde_json::from_str(&claims_with_capability(Some(
            r#"{"access_token":{"nbf":{"essential":true,"value":"1"}},"id_token":{"a":null}}"#,
        )))
        .unwrap();
        assert_eq!(both["access_token"]["nbf"]["value"], "1");
        assert_eq!(both["access_token"]["xms_cc"]["values"][0], "cp1");
        assert!(both["id_token"].is_object());
    }

    proptest! {
        #[test]
        fn a_challenge_keeps_its_claims(name in "[a-w]{1,8}", value in "[ -~]{0,20}", odd in "[ -~]{0,30}") {
            let challenge = json!({ "access_token": { name.clone(): value } });
            let merged: Value = serde_json::from_str(&claims_with_capability(Some(&challenge.to_string()))).unwrap();
            prop_assert_eq!(&merged["access_token"][&name], &challenge["access_token"][&name]);
            prop_assert_eq!(&merged["access_token"]["xms_cc"]["values"][0], "cp1");
            let odd: Value = serde_json::from_str(&claims_with_capability(Some(&odd))).unwrap();
            prop_assert_eq!(&odd["access_token"]["xms_cc"]["values"][0], "cp1");
        }
    }
}
