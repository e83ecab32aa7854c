//! The access token that all workers share: gotten once, renewed beside the work, replaced on a 401.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{
    Auth, Credential, CredentialChain, NewToken, SignInError, SkippedCredential, TokenClaims, audience,
};
use crate::http::HttpClients;
use crate::redact::redact;
use crate::text::sanitize::sanitize_truncated;

/// A token is renewed when this much of its life is left, or a fifth of a shorter life.
const RENEW_AHEAD: Duration = Duration::from_secs(300);

/// A token is not used for the last of its life: an answer may be slow, and clocks differ.
const EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// Longest token, in bytes. Entra's have a few thousand.
pub(super) const MAX_TOKEN: usize = 64 << 10;

/// How the access token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenState {
    /// Which token: each new one has a higher serial.
    pub serial: u64,
    /// How long it is still good.
    pub age: TokenAge,
}

/// How long a token is still good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAge {
    /// Long enough.
    Fresh,
    /// Good, and time to get the next one beside the work.
    Aging,
    /// Over: nothing may be sent with it.
    Expired,
}

/// An access token.
pub struct AccessToken {
    serial: u64,
    /// As it goes behind `Bearer`.
    text: SecretString,
    bearer: HeaderValue,
    claims: TokenClaims,
    /// When it was gotten, and how long it lives; none where only Graph knows.
    life: Option<(Instant, Duration)>,
}

impl std::fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl AccessToken {
    fn new(serial: u64, issued: NewToken) -> Result<AccessToken, SignInError> {
        let NewToken { token: text, lifetime } = issued;
        let plain = clean_token(text.expose_secret())?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {plain}"))
            .map_err(|_| SignInError::InvalidToken("it holds characters that no token has"))?;
        bearer.set_sensitive(true);
        let claims = TokenClaims::from_jwt(plain);
        let life = lifetime.map(|life| (Instant::now(), life));
        Ok(AccessToken { serial, bearer, claims, life, text: SecretString::from(plain) })
    }

    /// A token for the tests of other rooms.
    #[cfg(test)]
    pub(crate) fn fake(text: &str) -> AccessToken {
        let issued = NewToken { token: SecretString::from(text), lifetime: None };
        AccessToken::new(1, issued).expect("a token that can be sent")
    }

    /// Which token: each new one has a higher serial.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// The `Authorization` header.
    pub fn bearer(&self) -> HeaderValue {
        self.bearer.clone()
    }

    /// What it says of itself.
    pub fn claims(&self) -> &TokenClaims {
        &self.claims
    }

    /// How far this machine's clock is ahead of the issuer's, in seconds; below zero, behind. The issuer says when the
    /// token ends and how long it lives; a ready token does not tell.
    fn skew(&self, now: i64) -> Option<i64> {
        let (_, life) = self.life?;
        let issued = self.claims.exp?.checked_sub(i64::try_from(life.as_secs()).ok()?)?;
        now.checked_sub(issued)
    }

    /// A server's text, with this token taken out of it: servers and what stands before them may echo what they got.
    pub fn redact_in(&self, text: Vec<u8>) -> Vec<u8> {
        redact(text, self.text.expose_secret(), "[token]")
    }

    fn age(&self) -> TokenAge {
        self.life.map_or(TokenAge::Fresh, |(since, life)| TokenAge::from_elapsed(since.elapsed(), life))
    }
}

impl TokenAge {
    /// How a token that lives so long stands after a time.
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

/// The text that goes behind `Bearer`: without white space around it, and without a `Bearer` of its own.
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
        return Err(SignInError::InvalidToken("it is far too long"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SignInError::InvalidToken("it holds white space or characters that no token has"));
    }
    Ok(text)
}

/// Whoever needs a token asks here.
#[derive(Debug)]
pub struct Tokens {
    credential: Credential,
    http: HttpClients,
    current: RwLock<Arc<AccessToken>>,
    renewal_lock: tokio::sync::Mutex<()>,
    /// The tenant that the first token was found to be good in.
    tenant: OnceLock<String>,
}

/// The first token, and how it was come by.
#[derive(Debug)]
pub struct SignInSuccess {
    /// The tokens from now on.
    pub tokens: Tokens,
    /// The way that was taken.
    pub auth: Auth,
    /// The ways that come before it, and why they were not taken; only where there was a choice.
    pub skipped: Vec<SkippedCredential>,
    /// How far this machine's clock is ahead of the issuer's, in seconds; below zero, behind. None where the token
    /// does not tell.
    pub skew: Option<i64>,
}

impl Tokens {
    /// Signs in with the first candidate that is there on this machine. One that is there and is refused ends the
    /// sign-in: to go on with another identity than the one that was meant would be a surprise.
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
                        SkippedCredential { auth, reason: why, notable: true }
                    }
                    Err(error) => return Err(error),
                },
            };
            skipped.push(passed);
        }
        Err(SignInError::NoCredential(skipped))
    }

    fn new(credential: Credential, http: HttpClients, first: NewToken) -> Result<Tokens, SignInError> {
        let current = RwLock::new(Arc::new(AccessToken::new(1, first)?));
        let (renewing, tenant) = (tokio::sync::Mutex::new(()), OnceLock::new());
        Ok(Tokens { credential, http, current, renewal_lock: renewing, tenant })
    }

    /// A ready token may have been lying about for long.
    fn check_not_expired(&self) -> Result<(), SignInError> {
        if self.credential.is_static() {
            super::static_token::check_not_expired(self.current().claims())
        } else {
            Ok(())
        }
    }

    /// From here on, no token of another tenant is taken.
    pub fn pin_tenant(&self, tenant_id: &str) {
        // Only the first counts.
        let _ = self.tenant.set(tenant_id.to_owned());
    }

    /// What gives them.
    pub fn credential(&self) -> &Credential {
        &self.credential
    }

    /// The token of now.
    pub fn current(&self) -> Arc<AccessToken> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it stands.
    pub fn state(&self) -> TokenState {
        let token = self.current();
        TokenState { serial: token.serial, age: token.age() }
    }

    /// Replaces the token `stale`; callers that come together share one renewal.
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

    /// The same token once more is of no use where it can't have changed its meaning: whoever gave a ready token did
    /// not give another, and what can't be asked for claims did not answer a challenge. A token endpoint may well
    /// repeat itself.
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
    /// The first token may not have said its tenant itself.
    fn check_same_tenant(&self, next: &TokenClaims) -> Result<(), SignInError> {
        match (self.tenant.get(), &next.tid) {
            (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => {
                let [begun, now] = [begun, now].map(|id| sanitize_truncated(id, 120));
                Err(SignInError::OtherIdentity { what: "tenant", begun, now })
            }
            // Whoever rewrites a token file may put a token of any tenant there.
            (Some(begun), None) if self.credential.is_static() && self.current().claims().tid.is_some() => {
                let now = "that it does not tell".to_owned();
                Err(SignInError::OtherIdentity { what: "tenant", begun: sanitize_truncated(begun, 120), now })
            }
            _ => Ok(()),
        }
    }
}

/// A run goes on as it was begun: somebody may have signed in to `az` anew, or put a token of another tenant into the
/// file. What a token does not tell can't be compared.
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
            return Err(SignInError::OtherIdentity { what, begun, now });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(life: Option<u64>) -> AccessToken {
        let lifetime = life.map(Duration::from_secs);
        AccessToken::new(1, NewToken { token: SecretString::from("fake-token"), lifetime }).unwrap()
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
