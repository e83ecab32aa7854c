//! A person signs in with a browser anywhere, and the program goes on with what it was given to renew the sign-in
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code; RFC 8628).
//!
//! The program has no app of its own to sign in with: a code that looks like any other app's is what phishers use,
//! and tenants do well to allow the flow to apps that they know.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::chain::{EnvVariables, FoundCredential};
use super::device_code_response::{DEFAULT_INTERVAL, DeviceCodeResponse};
use super::token_endpoint::{self, Authority, TokenForm, TokenGrant, TokenRefusal};
use super::{Auth, Credential, CredentialConfig, NewToken, SignInError, TokenClaims};
use crate::http::HttpClients;
use crate::number::after;
use crate::text::sanitize::sanitize_truncated;

/// The grant type of a poll.
const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Longest time between two polls: beyond, a person would wait for nothing.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// What a person must do to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Where to go with a browser: HTTPS, or plain HTTP to loopback.
    pub address: String,
    /// What to enter there.
    pub code: String,
    /// How long the code is good.
    pub expires_in: Duration,
    /// Why another sign-in is needed, where there was one before.
    pub reason: Option<String>,
}

/// Shows a prompt to the person; it must not block.
#[derive(Clone)]
pub struct Prompter(Arc<dyn Fn(&Prompt) + Send + Sync>);

impl Prompter {
    /// One that shows prompts like this.
    pub fn new(show: impl Fn(&Prompt) + Send + Sync + 'static) -> Prompter {
        Prompter(Arc::new(show))
    }
}

impl std::fmt::Debug for Prompter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompter")
    }
}

/// A person, by a public client of the tenant's own.
#[derive(Debug)]
pub struct DeviceCode {
    authority: Authority,
    client_id: String,
    /// The resource's scope and OpenID's own: `offline_access` is what renews.
    scope: String,
    prompter: Option<Prompter>,
    session: Mutex<DeviceSession>,
}

/// What an earlier sign-in left.
#[derive(Debug, Default)]
struct DeviceSession {
    /// What the next token is gotten with; the newest one only.
    refresh_token: Option<SecretString>,
    /// Why there is none any more.
    refresh_failure: Option<String>,
    /// Who signed in first. Nobody else may go on with the run.
    user: Option<DeviceUser>,
}

/// Who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DeviceUser {
    tenant: String,
    id: String,
    name: String,
}

/// The device code's way, where a person can be asked.
pub(super) fn find(
    config: &CredentialConfig,
    _vars: EnvVariables<'_>,
) -> Result<FoundCredential, SignInError> {
    let given = "--auth device-code is given";
    let missing = |missing| SignInError::Incomplete { given, missing };
    let tenant = config.tenant.clone().ok_or(missing("the tenant (--tenant or AZURE_TENANT_ID)"))?;
    let client_id = config.client_id.clone().ok_or(missing(
        "the app, a public client of your own (--client-id or AZURE_CLIENT_ID; `doctor --setup --auth device-code` \
         prints how to register one)",
    ))?;
    Ok(FoundCredential::Ready(Credential::Device(Box::new(DeviceCode {
        authority: Authority { root: config.authority.clone(), tenant },
        client_id,
        scope: format!("{} offline_access openid profile", config.scope),
        prompter: None,
        session: Mutex::default(),
    }))))
}

impl DeviceCode {
    /// From here on the person is asked like this.
    pub(super) fn set_prompter(&mut self, prompter: Prompter) {
        self.prompter = Some(prompter);
    }

    /// Gets a token: by what an earlier sign-in left, otherwise by a person.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        challenge: Option<&str>,
    ) -> Result<NewToken, SignInError> {
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

    /// By the refresh token. None where there is none, or where Entra wants to see the person again: the operator's
    /// own sessions may have been revoked by this very run.
    async fn try_refresh(&self, http: &HttpClients, claims: &str) -> Result<Option<TokenGrant>, SignInError> {
        let Some(refresh) = self.session().refresh_token.clone() else { return Ok(None) };
        let mut form = self.form(Some("refresh_token"), claims);
        form.add_secret("refresh_token", &refresh);
        let refusal = match token_endpoint::request_token(http, &self.authority, &form).await? {
            Ok(grant) => return Ok(Some(grant)),
            Err(refusal) => refusal,
        };
        let person_can_help = ["invalid_grant", "interaction_required", "login_required", "consent_required"];
        let mendable = person_can_help.contains(&refusal.error.as_str());
        let why = refusal.into_error();
        if !mendable {
            return Err(why);
        }
        let mut session = self.session();
        session.refresh_token = None;
        session.refresh_failure = Some(why.to_string());
        Ok(None)
    }

    /// By a person: shows a code and waits until it was entered.
    async fn request_code(&self, http: &HttpClients, claims: &str) -> Result<TokenGrant, SignInError> {
        let Some(prompter) = &self.prompter else {
            let why = "there is nobody who could be shown a code".to_owned();
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
        self.poll_until_granted(http, claims, &code, after(began, code.prompt.expires_in)).await
    }

    /// Why a person is asked again; none at the first time.
    fn prompt_reason(&self) -> Option<String> {
        let session = self.session();
        session.user.as_ref()?;
        let without = || "Entra gave nothing to renew the sign-in with".to_owned();
        Some(session.refresh_failure.clone().unwrap_or_else(without))
    }

    /// Polls until the code was entered, or can no longer be.
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
            let next = after(Instant::now(), interval);
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

    /// Takes what was granted, unless it was granted to somebody else than before.
    fn accept(&self, grant: TokenGrant) -> Result<NewToken, SignInError> {
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
    /// None where the token does not tell.
    fn from_claims(claims: &TokenClaims) -> Option<DeviceUser> {
        let id = claims.oid.clone().or_else(|| claims.upn.clone())?;
        let name = claims.upn.clone().unwrap_or_else(|| id.clone());
        Some(DeviceUser { tenant: claims.tid.clone().unwrap_or_default(), id, name })
    }

    /// Whether both are the same, as far as is known.
    fn may_be_same_user(&self, other: &DeviceUser) -> bool {
        self.id.is_empty() || (&self.tenant, &self.id) == (&other.tenant, &other.id)
    }

    /// The token did not tell.
    fn unknown() -> DeviceUser {
        DeviceUser { tenant: String::new(), id: String::new(), name: String::new() }
    }
}

/// What a poll came to.
enum PollResult {
    Granted(Box<TokenGrant>),
    /// Nobody entered the code yet.
    Pending(PollInterval),
    /// It can no longer be entered.
    Expired,
    Failed(SignInError),
}

/// How the time to the next poll changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PollInterval {
    Same,
    /// The server asked for it.
    Slower,
    /// The server could not be asked.
    Doubled,
}

impl PollInterval {
    fn next_interval(self, interval: Duration) -> Duration {
        match self {
            PollInterval::Same => interval,
            // The server's wish is never cut short.
            PollInterval::Slower => interval.saturating_add(DEFAULT_INTERVAL),
            PollInterval::Doubled => interval.saturating_mul(2).min(MAX_INTERVAL.max(interval)),
        }
    }
}

fn classify_poll(answer: Result<Result<TokenGrant, TokenRefusal>, SignInError>) -> PollResult {
    let refusal = match answer {
        Ok(Ok(grant)) => return PollResult::Granted(Box::new(grant)),
        Ok(Err(refusal)) => refusal,
        // While a person is at it the network may fail and heal: it is asked again until the code ends.
        Err(SignInError::Unreachable { reason, .. }) => {
            tracing::warn!(reason, "could not ask whether the code was entered; asking again");
            return PollResult::Pending(PollInterval::Doubled);
        }
        Err(error) => return PollResult::Failed(error),
    };
    match refusal.error.as_str() {
        "authorization_pending" => PollResult::Pending(PollInterval::Same),
        "slow_down" => PollResult::Pending(PollInterval::Slower),
        "expired_token" => PollResult::Expired,
        // Entra's word, and that of RFC 8628.
        "authorization_declined" | "access_denied" => PollResult::Failed(SignInError::CodeDeclined),
        "bad_verification_code" => PollResult::Failed(SignInError::CodeUnknown),
        _ => PollResult::Failed(refusal.into_error()),
    }
}

/// The claims of a request: those of a challenge, and that this program can be challenged. Only to clients that say
/// so (`cp1`) Graph sends challenges; others it goes on serving until their token ends
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
    fn polls_slow_down_as_they_are_told() {
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
