//! Common code for the token services of the machine and of CI jobs: their allowed addresses, and how their refusals
//! are reported.

use std::net::IpAddr;

use reqwest::{StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};

use super::SignInError;
use super::endpoint::is_loopback;
use super::retry_policy::EndpointAnswer;
use super::token_endpoint::redact_secret;
use crate::http::{ClientBuildError, HttpClients};
use crate::text::sanitize::{sanitize_line, sanitize_truncated};

/// How near a service must be for plain HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlainHttpScope {
    /// On this machine.
    Loopback,
    /// On this machine or on its own link (169.254.0.0/16, fe80::/10), which routers do not forward.
    LinkLocal,
    /// Also in a private network, because App Service has its service there.
    Private,
}

/// A token service: its name for people, its address, and the secret that must be redacted from its answers.
#[derive(Debug)]
pub(super) struct TokenService {
    pub(super) name: &'static str,
    pub(super) url: Url,
    pub(super) secret: Option<SecretString>,
}

/// Reads an address from the variable `name`: HTTPS, or plain HTTP within the scope.
pub(super) fn parse_service_url(
    name: &'static str,
    text: &str,
    scope: PlainHttpScope,
) -> Result<Url, SignInError> {
    let fail = |reason: String| SignInError::Setting { name, reason };
    let url =
        Url::parse(text).map_err(|_| fail(format!("invalid URL '{}'", sanitize_truncated(text, 100))))?;
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "https" if !host.is_empty() => Ok(url),
        "http" if allows_plain_http(host, scope) => Ok(url),
        "http" => Err(fail(format!("plain HTTP to {} would send a token unencrypted", sanitize_line(host)))),
        _ => Err(fail(format!("invalid service address '{}'", sanitize_truncated(text, 100)))),
    }
}

fn allows_plain_http(host: &str, scope: PlainHttpScope) -> bool {
    if is_loopback(host) {
        return true;
    }
    let link = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    let private = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => v6.is_unique_local(),
    };
    let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() else { return false };
    match scope {
        PlainHttpScope::Loopback => false,
        PlainHttpScope::LinkLocal => link(address),
        PlainHttpScope::Private => link(address) || private(address),
    }
}

impl TokenService {
    /// The client for its requests. Plain HTTP never goes through a proxy.
    pub(super) fn client(&self, http: &HttpClients) -> Result<reqwest::Client, SignInError> {
        match self.url.scheme() {
            "http" => self.direct(http),
            _ => Ok(http.pooled().clone()),
        }
    }

    /// The client that never uses a proxy.
    pub(super) fn direct(&self, http: &HttpClients) -> Result<reqwest::Client, SignInError> {
        http.direct().map_err(|error: ClientBuildError| self.error(error.to_string(), ""))
    }

    /// The address with further parameters.
    pub(super) fn url_with(&self, parameters: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        url
    }

    /// Its host, with the port if one is named.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// An error of this service, with what to do.
    pub(super) fn error(&self, reason: String, advice: &str) -> SignInError {
        let advice = if advice.is_empty() { String::new() } else { format!(" — {advice}") };
        SignInError::Service { service: format!("{} ({})", self.name, self.host()), reason, advice }
    }

    /// The same for a refusal, with an excerpt of the answer.
    pub(super) fn refusal_error(&self, answer: &EndpointAnswer, advice: &str) -> SignInError {
        self.error(self.describe_answer(answer), advice)
    }

    /// The answer in words: its status and, for a refusal, an excerpt without the secret that was sent to the service
    /// and without anything that looks like a token.
    pub(super) fn describe_answer(&self, answer: &EndpointAnswer) -> String {
        if answer.status.is_success() || holds_token(&answer.body) {
            return format!("it answered {}", status_text(answer.status));
        }
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let text = match &self.secret {
            Some(secret) => redact_secret(text, secret.expose_secret()),
            None => text,
        };
        match redact_tokens(&text).as_str() {
            "" => format!("it answered {}", status_text(answer.status)),
            text => format!("it answered {}: {}", status_text(answer.status), sanitize_truncated(text, 300)),
        }
    }
}

/// Fields in which these services return tokens.
const TOKEN_FIELDS: [&str; 5] = ["access_token", "refresh_token", "id_token", "value", "oidcToken"];

fn holds_token(body: &[u8]) -> bool {
    let body: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(body).ok();
    body.is_some_and(|body| TOKEN_FIELDS.iter().any(|name| body.contains_key(*name)))
}

/// The error text of a program or service, without anything that looks like a token.
pub(super) fn redact_tokens(text: &str) -> String {
    let hide = |word: &str| match word.find("eyJ") {
        Some(at) => format!("{}[token]", &word[..at]),
        None => word.to_owned(),
    };
    text.split_whitespace().map(hide).collect::<Vec<_>>().join(" ")
}

fn status_text(status: StatusCode) -> String {
    status.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_redacted_from_errors() {
        assert_eq!(redact_tokens("bad token 'eyJ0.eyJ1.sig' here"), "bad token '[token] here");
        let service = TokenService {
            name: "A service",
            url: Url::parse("http://localhost:1/").unwrap(),
            secret: Some(SecretString::from("fake-sent")),
        };
        let text = |status: u16, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            let body = body.as_bytes().to_vec().into();
            service.describe_answer(&EndpointAnswer { status, headers: Default::default(), body })
        };
        for (status, body) in [
            (200, "fake-opaque"),
            (302, r#"{"access_token":"fake-opaque"}"#),
            (418, r#"{"value":"fake-opaque"}"#),
            (400, r#"{"oidcToken":"fake-opaque"}"#),
            (400, r#"{"error":"eyJfake-opaque"}"#),
            (400, "got fake-sent"),
        ] {
            let text = text(status, body);
            assert!(!text.contains("fake") && text.contains(&status.to_string()), "{text}");
        }
        assert!(text(400, r#"{"error":"no identity"}"#).ends_with(r#"{"error":"no identity"}"#));
    }

    #[test]
    fn plain_http_is_limited_by_scope() {
        let ok = |text: &str, scope| parse_service_url("X", text, scope).is_ok();
        for scope in [PlainHttpScope::Loopback, PlainHttpScope::LinkLocal, PlainHttpScope::Private] {
            for good in
                ["http://127.0.0.1:80/a", "http://[::1]/", "http://localhost:4/", "https://x.example/?a=b"]
            {
                assert!(ok(good, scope), "{good}");
            }
            for bad in
                ["http://8.8.8.8/", "http://x.example/", "http://127.0.0.1.example/", "ftp://x", "x", ""]
            {
                assert!(!ok(bad, scope), "{bad}");
            }
        }
        for link in ["http://169.254.169.254", "http://[fe80::1]/"] {
            assert!(
                !ok(link, PlainHttpScope::Loopback)
                    && ok(link, PlainHttpScope::LinkLocal)
                    && ok(link, PlainHttpScope::Private),
                "{link}"
            );
        }
        for private in ["http://172.16.0.5:8081/msi/token", "http://10.0.0.1/", "http://[fd00::1]/"] {
            assert!(
                !ok(private, PlainHttpScope::LinkLocal) && ok(private, PlainHttpScope::Private),
                "{private}"
            );
        }
    }
}
