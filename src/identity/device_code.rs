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

use super::choice::{EnvVariables, FoundCredential};
use super::device_answer::{DeviceCodeResponse, INTERVAL};
use super::token_endpoint::{self, Authority, TokenForm, TokenGrant, TokenRefusal};
use super::{Auth, Credential, CredentialConfig, Issued, SignInError, TokenClaims};
use crate::harmless::sanitize_truncated;
use crate::http::HttpClients;
use crate::number::after;

/// The grant type of a poll.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Longest time between two polls: beyond, a person would wait for nothing.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// What a person must do to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Where to go with a browser: HTTPS, or plain HTTP to loopback.
    pub address: String,
    /// What to enter there.
    pub code: String,
    /// How long the code is good.
    pub good_for: Duration,
    /// Why another sign-in is needed, where there was one before.
    pub why: Option<String>,
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
    kept: Mutex<StoredCode>,
}

/// What an earlier sign-in left.
#[derive(Debug, Default)]
struct StoredCode {
    /// What the next token is gotten with; the newest one only.
    refresh: Option<SecretString>,
    /// Why there is none any more.
    lost: Option<String>,
    /// Who signed in first. Nobody else may go on with the run.
    person: Option<DeviceUser>,
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
    offer: &CredentialConfig,
    _vars: EnvVariables<'_>,
) -> Result<FoundCredential, SignInError> {
    let given = "--auth device-code is given";
    let missing = |missing| SignInError::Incomplete { given, missing };
    let tenant = offer.tenant.clone().ok_or(missing("the tenant (--tenant or AZURE_TENANT_ID)"))?;
    let client_id = offer.client_id.clone().ok_or(missing(
        "the app, a public client of your own (--client-id or AZURE_CLIENT_ID; `doctor --setup --auth device-code` \
         prints how to register one)",
    ))?;
    Ok(FoundCredential::Here(Credential::Device(Box::new(DeviceCode {
        authority: Authority { root: offer.authority.clone(), tenant },
        client_id,
        scope: format!("{} offline_access openid profile", offer.scope),
        prompter: None,
        kept: Mutex::default(),
    }))))
}

impl DeviceCode {
    /// From here on the person is asked like this.
    pub(super) fn ask_with(&mut self, prompter: Prompter) {
        self.prompter = Some(prompter);
    }

    /// Gets a token: by what an earlier sign-in left, otherwise by a person.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        challenge: Option<&str>,
    ) -> Result<Issued, SignInError> {
        let claims = capable(challenge);
        let grant = match self.refreshed(http, &claims).await? {
            Some(grant) => grant,
            None => self.request_code(http, &claims).await?,
        };
        self.accept(grant)
    }

    fn kept(&self) -> MutexGuard<'_, StoredCode> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
    async fn refreshed(&self, http: &HttpClients, claims: &str) -> Result<Option<TokenGrant>, SignInError> {
        let Some(refresh) = self.kept().refresh.clone() else { return Ok(None) };
        let mut form = self.form(Some("refresh_token"), claims);
        form.add_secret("refresh_token", &refresh);
        let refusal = match token_endpoint::token(http, &self.authority, &form).await? {
            Ok(grant) => return Ok(Some(grant)),
            Err(refusal) => refusal,
        };
        let person_can_help = ["invalid_grant", "interaction_required", "login_required", "consent_required"];
        let mendable = person_can_help.contains(&refusal.error.as_str());
        let why = refusal.explained();
        if !mendable {
            return Err(why);
        }
        let mut kept = self.kept();
        kept.refresh = None;
        kept.lost = Some(why.to_string());
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
        let body = match token_endpoint::post(http, root, &self.authority.url("devicecode"), &form).await? {
            Ok(body) => body,
            Err(refusal) => return Err(refusal.explained()),
        };
        let code = DeviceCodeResponse::read(&body)
            .map_err(|reason| SignInError::Unreachable { host: root.to_string(), reason })?;
        (prompter.0)(&Prompt { why: self.why(), ..code.prompt.clone() });
        self.wait(http, claims, &code, after(began, code.prompt.good_for)).await
    }

    /// Why a person is asked again; none at the first time.
    fn why(&self) -> Option<String> {
        let kept = self.kept();
        kept.person.as_ref()?;
        let without = || "Entra gave nothing to renew the sign-in with".to_owned();
        Some(kept.lost.clone().unwrap_or_else(without))
    }

    /// Polls until the code was entered, or can no longer be.
    async fn wait(
        &self,
        http: &HttpClients,
        claims: &str,
        code: &DeviceCodeResponse,
        until: Instant,
    ) -> Result<TokenGrant, SignInError> {
        let mut form = self.form(Some(GRANT), claims);
        form.add_secret("device_code", &code.device_code);
        let late = || SignInError::CodeExpired { minutes: code.prompt.good_for.as_secs().div_ceil(60) };
        let mut interval = code.interval;
        loop {
            let next = after(Instant::now(), interval);
            sleep_until(next.min(until)).await;
            if next >= until {
                return Err(late());
            }
            let polled = token_endpoint::token(http, &self.authority, &form);
            let answer = timeout_at(until, polled).await.map_err(|_| late())?;
            match classify_poll(answer) {
                PollResult::Granted(grant) => return Ok(*grant),
                PollResult::Late => return Err(late()),
                PollResult::Ended(error) => return Err(error),
                PollResult::Again(pace) => interval = pace.after(interval),
            }
        }
    }

    /// Takes what was granted, unless it was granted to somebody else than before.
    fn accept(&self, grant: TokenGrant) -> Result<Issued, SignInError> {
        let person = DeviceUser::from_claims(&TokenClaims::from_jwt(grant.issued.token.expose_secret()));
        let mut kept = self.kept();
        match (&kept.person, &person) {
            (Some(begun), Some(now)) if !begun.may_be(now) => {
                let [begun, now] = [begun, now].map(|person| sanitize_truncated(&person.name, 120));
                return Err(SignInError::OtherPerson { begun, now });
            }
            (None, _) => kept.person = person.or(Some(DeviceUser::unknown())),
            _ => {}
        }
        if grant.refresh_token.is_some() {
            kept.refresh = grant.refresh_token;
        }
        Ok(grant.issued)
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
    fn may_be(&self, other: &DeviceUser) -> bool {
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
    Again(PollInterval),
    /// It can no longer be entered.
    Late,
    Ended(SignInError),
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
    fn after(self, interval: Duration) -> Duration {
        match self {
            PollInterval::Same => interval,
            // The server's wish is never cut short.
            PollInterval::Slower => interval.saturating_add(INTERVAL),
            PollInterval::Doubled => interval.saturating_mul(2).min(LONGEST_INTERVAL.max(interval)),
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
            return PollResult::Again(PollInterval::Doubled);
        }
        Err(error) => return PollResult::Ended(error),
    };
    match refusal.error.as_str() {
        "authorization_pending" => PollResult::Again(PollInterval::Same),
        "slow_down" => PollResult::Again(PollInterval::Slower),
        "expired_token" => PollResult::Late,
        // Entra's word, and that of RFC 8628.
        "authorization_declined" | "access_denied" => PollResult::Ended(SignInError::CodeDeclined),
        "bad_verification_code" => PollResult::Ended(SignInError::CodeUnknown),
        _ => PollResult::Ended(refusal.explained()),
    }
}

/// The claims of a request: those of a challenge, and that this program can be challenged. Only to clients that say
/// so (`cp1`) Graph sends challenges; others it goes on serving until their token ends
/// (learn.microsoft.com/entra/identity-platform/claims-challenge#client-capabilities).
fn capable(challenge: Option<&str>) -> String {
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
        assert_eq!(PollInterval::Same.after(five), five);
        assert_eq!(PollInterval::Slower.after(PollInterval::Slower.after(five)), Duration::from_secs(15));
        assert_eq!(PollInterval::Doubled.after(five), Duration::from_secs(10));
        assert_eq!(PollInterval::Doubled.after(Duration::from_secs(50)), LONGEST_INTERVAL);
        assert_eq!(PollInterval::Doubled.after(Duration::from_secs(90)), Duration::from_secs(90));
    }

    #[test]
    fn a_person_is_known_by_tenant_and_id() {
        let person = |tid: &str, oid: &str, upn: &str| {
            let text = |text: &str| Some(text.to_owned());
            DeviceUser::from_claims(&TokenClaims {
                tid: text(tid),
                oid: text(oid),
                upn: text(upn),
                ..TokenClaims::default()
            })
        };
        let ann = person("t", "1", "ann@x.com").unwrap();
        assert!(ann.may_be(&person("t", "1", "ann.renamed@x.com").unwrap()));
        assert!(!ann.may_be(&person("t", "2", "ann@x.com").unwrap()));
        assert!(!ann.may_be(&person("other", "1", "ann@x.com").unwrap()));
        assert!(DeviceUser::unknown().may_be(&ann));
        assert_eq!(DeviceUser::from_claims(&TokenClaims::default()), None);
    }

    #[test]
    fn the_capability_is_declared_beside_a_challenge() {
        assert_eq!(capable(None), r#"{"access_token":{"xms_cc":{"values":["cp1"]}}}"#);
        let both: Value = serde_json::from_str(&capable(Some(
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
            let merged: Value = serde_json::from_str(&capable(Some(&challenge.to_string()))).unwrap();
            prop_assert_eq!(&merged["access_token"][&name], &challenge["access_token"][&name]);
            prop_assert_eq!(&merged["access_token"]["xms_cc"]["values"][0], "cp1");
            let odd: Value = serde_json::from_str(&capable(Some(&odd))).unwrap();
            prop_assert_eq!(&odd["access_token"]["xms_cc"]["values"][0], "cp1");
        }
    }
}
