//! The access token that all workers share: gotten once, renewed beside the work, replaced on a 401.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::{Credential, SignInError, TokenClaims};

/// A token is renewed when this much of its life is left, or a fifth of a shorter life.
const RENEW_AHEAD: Duration = Duration::from_secs(300);

/// A token is not used for the last of its life: an answer may be slow, and clocks differ.
const TAIL: Duration = Duration::from_secs(30);

/// Longest token, in bytes. Entra's have a few thousand.
const MAX_TOKEN: usize = 64 << 10;

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
    Ended,
}

/// An access token.
pub struct Token {
    serial: u64,
    text: SecretString,
    bearer: HeaderValue,
    claims: TokenClaims,
    /// When it was gotten, and how long it lives; none where only Graph knows.
    life: Option<(Instant, Duration)>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl Token {
    fn new(serial: u64, text: SecretString, life: Option<Duration>) -> Result<Token, SignInError> {
        let plain = usable(text.expose_secret())?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {plain}"))
            .map_err(|_| SignInError::NoToken("it holds characters that no token has"))?;
        bearer.set_sensitive(true);
        let claims = TokenClaims::of(plain);
        let life = life.map(|life| (Instant::now(), life));
        Ok(Token { serial, bearer, claims, life, text })
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

    /// A server's text, with this token taken out of it: servers and what stands before them may echo what they got.
    pub fn hidden_in(&self, text: Vec<u8>) -> Vec<u8> {
        let Ok(secret) = usable(self.text.expose_secret()) else { return text };
        if text.len() < secret.len() || !text.windows(secret.len()).any(|part| part == secret.as_bytes()) {
            return text;
        }
        String::from_utf8_lossy(&text).replace(secret, "[token]").into_bytes()
    }

    fn age(&self) -> TokenAge {
        let Some((since, life)) = self.life else { return TokenAge::Fresh };
        let left = life.saturating_sub(since.elapsed());
        if left <= TAIL.min(life / 20) {
            TokenAge::Ended
        } else if left <= RENEW_AHEAD.min(life / 5) {
            TokenAge::Aging
        } else {
            TokenAge::Fresh
        }
    }
}

/// The text that goes behind `Bearer`: without white space around it, and without a `Bearer` of its own.
pub(super) fn usable(text: &str) -> Result<&str, SignInError> {
    let text = text.trim();
    let text = match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    };
    if text.is_empty() {
        return Err(SignInError::NoToken("it is empty"));
    }
    if text.len() > MAX_TOKEN {
        return Err(SignInError::NoToken("it is far too long"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(SignInError::NoToken("it holds white space or characters that no token has"));
    }
    Ok(text)
}

/// Whoever needs a token asks here.
#[derive(Debug)]
pub struct Tokens {
    credential: Credential,
    http: reqwest::Client,
    current: RwLock<Arc<Token>>,
    renewing: tokio::sync::Mutex<()>,
}

impl Tokens {
    /// Signs in: gets the first token.
    pub async fn sign_in(credential: Credential, http: reqwest::Client) -> Result<Tokens, SignInError> {
        let first = get(&credential, &http, 1, None).await?;
        let current = RwLock::new(Arc::new(first));
        Ok(Tokens { credential, http, current, renewing: tokio::sync::Mutex::new(()) })
    }

    /// The token of now.
    pub fn current(&self) -> Arc<Token> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How it stands.
    pub fn state(&self) -> TokenState {
        let token = self.current();
        TokenState { serial: token.serial, age: token.age() }
    }

    /// Replaces the token `stale`; callers that come together share one renewal.
    pub async fn renew(&self, stale: u64, claims: Option<&str>) -> Result<(), SignInError> {
        let _one_at_a_time = self.renewing.lock().await;
        let current = self.current();
        if current.serial != stale {
            return Ok(());
        }
        let next = get(&self.credential, &self.http, stale + 1, claims).await?;
        // Whoever gave a ready token did not give another; a token endpoint may well repeat itself.
        let ready = matches!(self.credential, Credential::Token(_) | Credential::TokenFile(_));
        if ready && next.text.expose_secret() == current.text.expose_secret() {
            return Err(SignInError::Spent);
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }
}

async fn get(
    credential: &Credential,
    http: &reqwest::Client,
    serial: u64,
    claims: Option<&str>,
) -> Result<Token, SignInError> {
    match credential {
        Credential::Token(text) => Token::new(serial, text.clone(), None),
        Credential::TokenFile(path) => Token::new(serial, read_file(path)?, None),
        Credential::ClientSecret(app) => {
            let issued = app.request(http, claims).await?;
            Token::new(serial, issued.token, Some(issued.lifetime))
        }
    }
}

fn read_file(path: &Path) -> Result<SecretString, SignInError> {
    let fail = |reason: String| SignInError::TokenFile { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if length > MAX_TOKEN as u64 {
        return Err(fail("it is far too long for a token".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let text = SecretString::from(text);
    usable(text.expose_secret()).map_err(|error| fail(error.to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(life: Option<u64>) -> Token {
        Token::new(1, SecretString::from("fake-token"), life.map(Duration::from_secs)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_age_by_their_life() {
        let long = token(Some(3600));
        let short = token(Some(10));
        let ready = token(None);
        let ages = || [long.age(), short.age(), ready.age()];
        assert_eq!(ages(), [TokenAge::Fresh; 3]);
        tokio::time::advance(Duration::from_millis(8_500)).await;
        assert_eq!(ages(), [TokenAge::Fresh, TokenAge::Aging, TokenAge::Fresh]);
        tokio::time::advance(Duration::from_millis(1_100)).await;
        assert_eq!(short.age(), TokenAge::Ended);
        tokio::time::advance(Duration::from_secs(3300)).await;
        assert_eq!(long.age(), TokenAge::Aging);
        tokio::time::advance(Duration::from_secs(270)).await;
        assert_eq!(ages(), [TokenAge::Ended, TokenAge::Ended, TokenAge::Fresh]);
    }

    #[test]
    fn pasted_tokens_are_cleaned_or_refused() {
        assert_eq!(usable(" Bearer abc.def\n"), Ok("abc.def"));
        assert!(usable("abc def").is_err());
        assert!(usable(" \n").is_err());
        assert!(!format!("{:?}", token(None)).contains("fake-token"));
        assert_eq!(token(None).hidden_in(b"got 'Bearer fake-token'".to_vec()), b"got 'Bearer [token]'");
    }
}
