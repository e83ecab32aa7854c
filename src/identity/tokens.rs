//! The access token that all workers share. It is requested once, renewed in the background, and replaced after a 401.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    Auth, Credential, CredentialChain, IssuedToken, SignInError, SkippedCredential, TokenClaims, audience,
};
use crate::http::HttpClients;
use crate::redact::redact;
use crate::text::sanitize::sanitize_truncated;

/// A token is renewed when this much of its lifetime is left, or a fifth of a short lifetime.
const RENEW_AHEAD: Duration = Duration::from_secs(300);

/// A token is not used for the last part of its lifetime, because answers may be slow and clocks differ.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// Longest token, in bytes. Entra's tokens have a few thousand.
pub(super) const MAX_TOKEN: usize = 64 << 10;

/// The state of the access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenState {
    /// Which token it is: each new one has a higher serial.
    pub serial: u64,
    /// How long it stays valid.
    pub age: TokenAge,
}

/// How long a token stays valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAge {
    /// Long enough.
    Fresh,
    /// Valid, but it is time to get the next one in the background.
    Aging,
    /// Expired, or about to: no request may use it.
    Expired,
}

/// An access token.
pub struct AccessToken {
    serial: u64,
    /// The text after `Bearer`.
    text: SecretString,
    bearer: HeaderValue,
    claims: TokenClaims,
    /// When it was received, and its lifetime; `None` if only Graph knows it.
    life: Option<(Instant, Duration)>,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl AccessToken {
    fn new(serial: u64, issued: IssuedToken) -> Result<AccessToken, SignInError> {
        let IssuedToken { token: text, lifetime } = issued;
        let plain = clean_token(text.expose_secret())?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {plain}"))
            .map_err(|_| SignInError::InvalidToken("it has characters that are not allowed in a token"))?;
        bearer.set_sensitive(true);
        let claims = TokenClaims::from_jwt(plain);
        let life = lifetime.map(|life| (Instant::now(), life));
        Ok(AccessToken { serial, bearer, claims, life, text: SecretString::from(plain) })
    }

    /// A token for the tests of other modules.
    #[cfg(test)]
    pub(crate) fn fake(text: &str) -> AccessToken {
        let issued = IssuedToken { token: SecretString::from(text), lifetime: None };
        AccessToken::new(1, issued).expect("a token that can be sent")
    }

    /// Which token it is: each new one has a higher serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The `Authorization` header.
    pub fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }

    /// Its claims.
    pub fn claims(&self) -> &TokenClaims {
        &self.claims
    }

    /// How far this machine's clock is ahead of the issuer's, in seconds; negative if it is behind. It follows from the
    /// token's expiry and its lifetime; the lifetime of a ready token is not known.
    fn skew(&self, now: i64) -> Option<i64> {
        let (_, life) = self.life?;
        let issued = self.claims.exp?.checked_sub(i64::try_from(life.as_secs()).ok()?)?;
        now.checked_sub(issued)
    }

    /// A server's text with this token redacted, because servers and proxies may echo what they received.
    pub fn redact_in(&self, text: Vec<u8>) -> Vec<u8> {
        redact(text, self.text.expose_secret(), "[token]")
    }

    fn age(&self) -> TokenAge {
        self.life.map_or(TokenAge::Fresh, |(since, life)| TokenAge::from_elapsed(since.elapsed(), life))
    }
}

impl TokenAge {
    /// The age of a token with this lifetime after a time.
    pub(crate) fn from_elapsed(time: Duration, life: Duration) -> TokenAge {
        let remaining = life.saturating_sub(time);
        if remaining <= EXPIRY_MARGIN.min(life / 20) {
            TokenAge::Expired
        } else if remaining <= RENEW_AHEAD.min(life / 5) {
            TokenAge::Aging
        } else {
            TokenAge::Fresh
        }
    }
}

/// The text for the `Bearer` header, without white space around it and without a leading `Bearer`.
pub(super) fn clean_token(text: &str) -> Result<&str, SignInError> {
    let text = text.trim();
    let text = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    if text.is_empty() {
        return Err(SignInError::InvalidToken("it is empty"));
    }
    if text.len() > MAX_TOKEN {
        return Err(SignInError::InvalidToken("it is too long"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SignInError::InvalidToken(
            "it has white space or characters that are not allowed in a token",
        ));
    }
    Ok(text)
}

/// The source of the current access token, and its renewal.
#[derive(Debug)]
pub struct Tokens {
    credential: Credential,
    http: HttpClients,
    current: RwLock<Arc<AccessToken>>,
    renewal_lock: tokio::sync::Mutex<()>,
    /// The tenant in which the first token was found to be valid.
    tenant: OnceLock<String>,
}

/// The result of a sign-in: the first token, and how it was obtained.
#[derive(Debug)]
pub struct SignInSuccess {
    /// The access token and its renewal.
    pub tokens: Tokens,
    /// The sign-in method that was used.
    pub auth: Auth,
    /// The methods before it in the chain, and why they were not used; empty if the method was chosen.
    pub skipped: Vec<SkippedCredential>,
    /// How far this machine's clock is ahead of the issuer's, in seconds; negative if it is behind. `None` if the token
    /// does not show it.
    pub skew: Option<i64>,
}

impl Tokens {
    /// Signs in with the first candidate that this machine has. If that one is refused, the sign-in ends, because
    /// continuing with another identity than the intended one would be a surprise.
    pub async fn sign_in(
        candidates: CredentialChain,
        http: HttpClients,
    ) -> Result<SignInSuccess, SignInError> {
        let mut skipped = Vec::new();
        for (auth, way) in candidates.methods {
            let passed = match way {
                Err(missing) => missing,
                Ok(credential) => match credential.request(&http, None).await {
                    Ok(issued) => {
                        let tokens = Tokens::new(credential, http, issued)?;
                        tokens.check_not_expired()?;
                        let skew = tokens.current().skew(jiff::Timestamp::now().as_second());
                        return Ok(SignInSuccess { tokens, auth, skipped, skew });
                    }
                    Err(SignInError::Unavailable { why, .. }) if candidates.chain => {
                        SkippedCredential { auth, reason: why, maybe_intended: true }
                    }
                    Err(error) => return Err(error),
                },
            };
            skipped.push(passed);
        }
        Err(SignInError::NoCredential(skipped))
    }

    fn new(credential: Credential, http: HttpClients, first: IssuedToken) -> Result<Tokens, SignInError> {
        let current = RwLock::new(Arc::new(AccessToken::new(1, first)?));
        let (renewing, tenant) = (tokio::sync::Mutex::new(()), OnceLock::new());
        Ok(Tokens { credential, http, current, renewal_lock: renewing, tenant })
    }

    /// Checks a ready token, which may be old.
    fn check_not_expired(&self) -> Result<(), SignInError> {
        if self.credential.is_static() {
            super::static_token::check_not_expired(self.current().claims())
        } else {
            Ok(())
        }
    }

    /// Sets the tenant; from now on, a token of another tenant is refused.
    pub fn pin_tenant(&self, tenant_id: &str) {
        // Only the first call counts.
        let _ = self.tenant.set(tenant_id.to_owned());
    }

    /// The credential that gets the tokens.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The current token.
    pub fn current(&self) -> Arc<AccessToken> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state of the current token.
    pub fn state(&self) -> TokenState {
        let token = self.current();
        TokenState { serial: token.serial, age: token.age() }
    }

    /// Replaces the token with the serial `stale`. Concurrent callers share one renewal.
    pub async fn renew(&self, stale: u64, claims: Option<&str>) -> Result<(), SignInError> {
        let _one_at_a_time = self.renewal_lock.lock().await;
        let current = self.current();
        if current.serial != stale {
            return Ok(());
        }
        let next = AccessToken::new(stale + 1, self.credential.request(&self.http, claims).await?)?;
        self.check_new(&current, &next, claims)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// Checks that a new token has the same identity as the current one. The same token again is refused if it can't
    /// help: a ready token was then not replaced, and a credential that can't request claims did not answer the
    /// challenge. A token endpoint may return the same token twice.
    fn check_new(
        &self,
        current: &AccessToken,
        next: &AccessToken,
        claims: Option<&str>,
    ) -> Result<(), SignInError> {
        check_same_identity(current.claims(), next.claims())?;
        self.check_same_tenant(next.claims())?;
        if next.text.expose_secret() != current.text.expose_secret() {
            return Ok(());
        }
        if claims.is_some() && !self.credential.can_answer_challenges() {
            return Err(SignInError::ChallengeUnanswerable { auth: self.credential.word() });
        }
        if self.credential.is_static() {
            return Err(SignInError::TokenRejected {
                when: super::static_token::expiry_note(current.claims()),
            });
        }
        Ok(())
    }
}

impl Tokens {
    /// Checks the tenant separately, because the first token may not name its tenant.
    fn check_same_tenant(&self, next: &TokenClaims) -> Result<(), SignInError> {
        match (self.tenant.get(), &next.tid) {
            (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => {
                let [begun, now] = [begun, now].map(|id| sanitize_truncated(id, 120));
                Err(SignInError::IdentityMismatch { what: "tenant", begun, now })
            }
            // A token file may be rewritten with a token of any tenant.
            (Some(begun), None) if self.credential.is_static() && self.current().claims().tid.is_some() => {
                let now = "(not named in the token)".to_owned();
                Err(SignInError::IdentityMismatch {
                    what: "tenant",
                    begun: sanitize_truncated(begun, 120),
                    now,
                })
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a run continues with the identity it started with. Another account may have signed in to `az`, or the
/// token file may have a token of another tenant. Claims that a token does not have can't be compared.
fn check_same_identity(begun: &TokenClaims, now: &TokenClaims) -> Result<(), SignInError> {
    let audience = |claims: &TokenClaims| audience::normalize_audience(claims.aud.as_deref()?);
    for (what, begun, now) in [
        ("tenant", begun.tid.clone(), now.tid.clone()),
        ("audience", audience(begun), audience(now)),
        ("app", begun.app_id().map(str::to_owned), now.app_id().map(str::to_owned)),
        ("identity", begun.oid.clone(), now.oid.clone()),
    ] {
        let (Some(begun), Some(now)) = (begun, now) else { continue };
        if !begun.eq_ignore_ascii_case(&now) {
            let [begun, now] = [begun, now].map(|id| sanitize_truncated(&id, 120));
            return Err(SignInError::IdentityMismatch { what, begun, now });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(life: Option<u64>) -> AccessToken {
        let lifetime = life.map(Duration::from_secs);
        AccessToken::new(1, IssuedToken { token: SecretString::from("fake-token"), lifetime }).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn token_age_depends_on_lifetime() {
        let long = token(Some(3600));
        let short = token(Some(10));
        let ready = token(None);
        let ages = || [long.age(), short.age(), ready.age()];
        assert_eq!(ages(), [TokenAge::Fresh; 3]);
        tokio::time::advance(Duration::from_millis(8_500)).await;
        assert_eq!(ages(), [TokenAge::Fresh, TokenAge::Aging, TokenAge::Fresh]);
        tokio::time::advance(Duration::from_millis(1_100)).await;
        assert_eq!(short.age(), TokenAge::Expired);
        tokio::time::advance(Duration::from_secs(3300)).await;
        assert_eq!(long.age(), TokenAge::Aging);
        tokio::time::advance(Duration::from_secs(270)).await;
        assert_eq!(ages(), [TokenAge::Expired, TokenAge::Expired, TokenAge::Fresh]);
    }

    #[test]
    fn renewed_token_must_keep_identity() {
        let claims = |json: serde_json::Value| serde_json::from_value::<TokenClaims>(json).unwrap();
        let begun = claims(serde_json::json!({ "tid": "T", "oid": "o", "appid": "a" }));
        let same = claims(serde_json::json!({ "tid": "t", "oid": "O", "azp": "A" }));
        assert_eq!(check_same_identity(&begun, &same), Ok(()));
        assert_eq!(check_same_identity(&begun, &TokenClaims::default()), Ok(()));
        let (global, china) = ("https://graph.microsoft.com", "https://microsoftgraph.chinacloudapi.cn/");
        let [global, china] = [global, china].map(|aud| claims(serde_json::json!({ "aud": aud })));
        assert!(check_same_identity(&global, &china).is_err());
        for (key, what) in [("tid", "tenant"), ("appid", "app"), ("oid", "identity")] {
            let other = claims(serde_json::json!({ key: "other" }));
            let refused = check_same_identity(&begun, &other).unwrap_err();
            assert!(refused.to_string().contains(&format!("{what} other")), "{refused}");
        }
    }

    #[test]
    fn pasted_tokens_are_cleaned_or_refused() {
        assert_eq!(clean_token(" Bearer abc.def\n"), Ok("abc.def"));
        assert!(clean_token("abc def").is_err());
        assert!(clean_token(" \n").is_err());
        assert!(!format!("{:?}", token(None)).contains("fake-token"));
        assert_eq!(token(None).redact_in(b"got 'Bearer fake-token'".to_vec()), b"got 'Bearer [token]'");
    }
}
