//! Requests to the token endpoint: a form is sent, and a token or a refusal comes back
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow). All grant types use it.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::CONTENT_TYPE;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::aadsts;
use super::retry_policy::{self, EndpointAnswer, RetryProgress};
use super::{Endpoint, IssuedToken, SignInError, TokenClaims};
use crate::http::HttpClients;
use crate::number::{self, Number};
use crate::redact::redact_str;
use crate::text::sanitize::sanitize_truncated;

/// Shortest accepted lifetime of a token. With less, a run would do nothing but renew it.
const MIN_LIFETIME: Duration = Duration::from_secs(1);

/// The authority that issues a tenant's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The cloud's authority.
    pub root: Endpoint,
    /// The tenant's ID or one of its domains.
    pub tenant: String,
}

impl Authority {
    /// The address of an endpoint, such as `token`.
    pub(super) fn url(&self, name: &str) -> String {
        format!("{}/{}/oauth2/v2.0/{name}", self.root, self.tenant_segment())
    }

    /// The address of the public OpenID configuration of the authority and the tenant
    /// (learn.microsoft.com/entra/identity-platform/v2-protocols-oidc).
    pub fn openid_configuration(&self) -> String {
        format!("{}/{}/v2.0/.well-known/openid-configuration", self.root, self.tenant_segment())
    }

    /// The audience of a client assertion: the address of the token endpoint.
    pub(super) fn audience(&self) -> String {
        self.url("token")
    }

    fn tenant_segment(&self) -> String {
        let encoded = utf8_percent_encode(&self.tenant, NON_ALPHANUMERIC).to_string();
        encoded.replace("%2D", "-").replace("%2E", ".")
    }
}

/// Makes a secret that is valid for one request.
type AssertionFn = Box<dyn Fn() -> Result<SecretString, SignInError> + Send + Sync>;

/// A form with encoded values. It may contain secrets, so it is made for one request (and its retries) and not kept.
pub(super) struct TokenForm {
    text: Zeroizing<String>,
    secrets: Vec<SecretString>,
    /// Values that are made again for each attempt.
    per_attempt: Vec<(&'static str, AssertionFn)>,
}

impl TokenForm {
    /// A form with this first field.
    pub(super) fn new(name: &str, value: &str) -> TokenForm {
        let mut form = TokenForm { text: Zeroizing::default(), secrets: Vec::new(), per_attempt: Vec::new() };
        form.add(name, value);
        form
    }

    pub(super) fn add(&mut self, name: &str, value: &str) {
        if !self.text.is_empty() {
            self.text.push('&');
        }
        self.text.push_str(name);
        self.text.push('=');
        self.text.extend(utf8_percent_encode(value, NON_ALPHANUMERIC));
    }

    /// Adds a value that is redacted, even if the endpoint echoes it.
    pub(super) fn add_secret(&mut self, name: &str, value: &SecretString) {
        self.add(name, value.expose_secret());
        self.secrets.push(value.clone());
    }

    /// Adds a secret that is made again for each attempt, because an assertion is valid for one request only.
    pub(super) fn add_per_attempt(
        &mut self,
        name: &'static str,
        make: impl Fn() -> Result<SecretString, SignInError> + Send + Sync + 'static,
    ) {
        self.per_attempt.push((name, Box::new(make)));
    }

    /// The form for one attempt.
    fn build(&self) -> Result<TokenForm, SignInError> {
        let mut form =
            TokenForm { text: self.text.clone(), secrets: self.secrets.clone(), per_attempt: Vec::new() };
        for (name, make) in &self.per_attempt {
            form.add_secret(name, &make()?);
        }
        Ok(form)
    }

    fn redact_secrets(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| redact_secret(text, secret.expose_secret()))
    }
}

/// A text with a secret redacted.
pub(super) fn redact_secret(text: String, secret: &str) -> String {
    redact_str(text, secret, "[secret]")
}

/// The endpoint's successful answer.
pub(super) struct TokenGrant {
    pub(super) token: IssuedToken,
    /// Gets the next token, if a user signed in.
    pub(super) refresh_token: Option<SecretString>,
}

/// A refusal of the endpoint, and its reason.
#[derive(Debug)]
pub(super) struct TokenRefusal {
    /// OAuth's error word, such as `invalid_client`.
    pub(super) error: String,
    /// `AADSTS…`, or OAuth's error word if there is no such code.
    code: String,
    message: String,
}

impl TokenRefusal {
    /// The refusal as the error that ends a sign-in.
    pub(super) fn into_error(self) -> SignInError {
        SignInError::Endpoint {
            advice: aadsts::advice(&self.code).map(|advice| format!(" — {advice}")).unwrap_or_default(),
            message: sanitize_truncated(&self.message, 300),
            code: sanitize_truncated(&self.code, 60),
        }
    }
}

/// Requests a token, with retries if the endpoint is busy or can't be reached.
pub(super) async fn request_token(
    http: &HttpClients,
    authority: &Authority,
    form: &TokenForm,
) -> Result<Result<TokenGrant, TokenRefusal>, SignInError> {
    let body = match post_form(http, &authority.root, &authority.url("token"), form).await? {
        Ok(body) => body,
        Err(refusal) => return Ok(Err(refusal)),
    };
    match parse_grant(&body) {
        Some(grant) => Ok(Ok(grant)),
        None => Err(unreachable(
            &authority.root,
            "its answer has no usable token; is there a proxy or a portal in between?".to_owned(),
        )),
    }
}

/// Posts a form to one of the authority's endpoints and returns the body of a success, or the refusal.
pub(super) async fn post_form(
    http: &HttpClients,
    root: &Endpoint,
    url: &str,
    form: &TokenForm,
) -> Result<Result<Vec<u8>, TokenRefusal>, SignInError> {
    let mut made = None;
    let request = || {
        let form = form.build()?;
        let post = http.pooled().post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let post = post.body(form.text.as_str().to_owned());
        made = Some(form);
        Ok(post)
    };
    let busy = |answer: &EndpointAnswer, waited: RetryProgress| {
        retry_policy::is_retryable(answer, waited)
            || (waited.has_attempts_left() && is_transient_refusal(&answer.body))
    };
    let given_up = |reason| unreachable(root, reason);
    let answer =
        retry_policy::send_with_retries("the token endpoint", http.max_wait(), busy, request, given_up)
            .await?;
    if answer.status.is_success() {
        return Ok(Ok(answer.body.to_vec()));
    }
    match parse_refusal(&answer.body, made.as_ref().unwrap_or(form)) {
        Some(refusal) => Ok(Err(refusal)),
        None => {
            Err(unreachable(root, format!("it answered {}, which is not how Entra answers", answer.status)))
        }
    }
}

/// Whether a body is a refusal for a temporary reason.
fn is_transient_refusal(body: &[u8]) -> bool {
    let nothing = TokenForm { text: Zeroizing::default(), secrets: Vec::new(), per_attempt: Vec::new() };
    parse_refusal(body, &nothing).is_some_and(|refusal| aadsts::is_transient(&refusal.code))
}

fn unreachable(root: &Endpoint, reason: String) -> SignInError {
    SignInError::Unreachable { host: root.to_string(), reason }
}

#[derive(Deserialize)]
struct GrantBody {
    access_token: SecretString,
    expires_in: Option<Number>,
    refresh_token: Option<SecretString>,
}

/// A token's lifetime from its seconds; `None` if that is not a time, or too short to be useful.
pub(super) fn usable_lifetime(seconds: &Number) -> Option<Duration> {
    seconds.seconds().filter(|life| *life >= MIN_LIFETIME)
}

fn parse_grant(body: &[u8]) -> Option<TokenGrant> {
    let grant: GrantBody = serde_json::from_slice(body).ok()?;
    let lifetime = match &grant.expires_in {
        Some(life) => usable_lifetime(life)?,
        // OAuth only recommends it (RFC 6749 §5.1). The token's claims may have the end.
        None => lifetime(&grant.access_token)?,
    };
    super::tokens::clean_token(grant.access_token.expose_secret()).ok()?;
    let issued = IssuedToken { token: grant.access_token, lifetime: Some(lifetime) };
    Some(TokenGrant { token: issued, refresh_token: grant.refresh_token })
}

/// The rest of a token's lifetime, by its own claims.
fn lifetime(token: &SecretString) -> Option<Duration> {
    let end = TokenClaims::from_jwt(token.expose_secret()).expires_at()?;
    number::duration_between(jiff::Timestamp::now(), end).filter(|life| *life >= MIN_LIFETIME)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RefusalBody {
    error: String,
    error_description: String,
    /// Of any type, so that an unexpected one does not hide the other fields.
    error_codes: Value,
}

/// A refusal in OAuth's form, with the form's secrets redacted, because the endpoint may echo what it received.
fn parse_refusal(body: &[u8], form: &TokenForm) -> Option<TokenRefusal> {
    let body: RefusalBody = serde_json::from_slice(body).ok()?;
    let error = form.redact_secrets(body.error);
    if error.is_empty() {
        return None;
    }
    let description = form.redact_secrets(body.error_description);
    let description = description.lines().next().unwrap_or_default();
    let named = description.split(':').next().filter(|code| code.starts_with("AADSTS"));
    let number = body.error_codes.get(0).and_then(Value::as_u64).map(|code| format!("AADSTS{code}"));
    let code = named.map(str::to_owned).or(number).unwrap_or_else(|| error.clone());
    let message = description.strip_prefix(&code).map_or(description, |rest| rest.trim_start_matches(':'));
    let message = if message.trim().is_empty() { error.clone() } else { message.trim().to_owned() };
    Some(TokenRefusal { error, code, message })
}
