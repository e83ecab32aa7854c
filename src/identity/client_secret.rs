//! Client credentials: an app's id and secret against the token endpoint
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Endpoint;
use super::SignInError;
use crate::harmless::excerpt;
use crate::http::{Trouble, describe, parse_retry_after};

/// How often the token endpoint is asked before it is given up, where it is busy or can't be reached.
const TRIES: u32 = 5;

/// Longest wait between two tries that is worth it; a longer `Retry-After` is told instead.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Shortest life of a token that is taken for one. With less, a run would do nothing but renew it.
const SHORTEST_LIFE: Duration = Duration::from_secs(1);

/// An app that signs in with a secret.
#[derive(Debug)]
pub struct ClientSecret {
    /// The authority's root.
    pub authority: Endpoint,
    /// The tenant's id or one of its domains.
    pub tenant: String,
    /// The app's id.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
    /// What the token is for, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
}

/// A token as the endpoint gives it.
pub(super) struct Issued {
    pub(super) token: SecretString,
    pub(super) lifetime: Duration,
}

#[derive(Deserialize)]
struct Grant {
    access_token: SecretString,
    expires_in: Lifetime,
}

/// Seconds, as a number; some clouds write it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lifetime {
    Number(f64),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
    error_codes: Vec<u64>,
}

/// One try's end.
enum Tried {
    Issued(Issued),
    Busy { reason: String, wait: Option<Duration> },
}

impl ClientSecret {
    /// Asks for a token; a busy or unreachable endpoint is asked again.
    pub(super) async fn request(
        &self,
        http: &reqwest::Client,
        claims: Option<&str>,
    ) -> Result<Issued, SignInError> {
        let mut backoff = Duration::from_secs(1);
        for attempt in 1.. {
            match self.try_once(http, claims).await? {
                Tried::Issued(issued) => return Ok(issued),
                Tried::Busy { reason, wait } => {
                    let wait = wait.unwrap_or_default().max(backoff);
                    if attempt == TRIES || wait > LONGEST_WAIT {
                        return Err(self.unreachable(reason));
                    }
                    tracing::warn!(
                        attempt,
                        wait_s = wait.as_secs_f64(),
                        reason,
                        "the token endpoint is busy"
                    );
                    tokio::time::sleep(wait).await;
                    backoff *= 2;
                }
            }
        }
        Err(self.unreachable("no try is left".to_owned()))
    }

    async fn try_once(&self, http: &reqwest::Client, claims: Option<&str>) -> Result<Tried, SignInError> {
        let tenant = utf8_percent_encode(&self.tenant, NON_ALPHANUMERIC);
        let url = format!(
            "{}/{}/oauth2/v2.0/token",
            self.authority,
            tenant.to_string().replace("%2D", "-").replace("%2E", ".")
        );
        let sent = http
            .post(url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(claims))
            .send()
            .await;
        let busy = |reason: String| Ok(Tried::Busy { reason, wait: None });
        let response = match sent {
            Ok(response) => response,
            Err(error) => {
                let trouble = Trouble::of(&error);
                // A certificate or a proxy's password is not mended by asking again.
                return if trouble.lasting {
                    Err(self.unreachable(trouble.text))
                } else {
                    busy(trouble.text)
                };
            }
        };
        let status = response.status();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date = header(reqwest::header::DATE);
        let wait = header(RETRY_AFTER)
            .and_then(|value| parse_retry_after(value, date, std::time::SystemTime::now()));
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return busy(describe(&error)),
        };
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Ok(Tried::Busy { reason: format!("it answered {status}"), wait });
        }
        if status.is_success() {
            return match granted(&body) {
                Some(issued) => Ok(Tried::Issued(issued)),
                None => Err(self.unreachable(
                    "its answer holds no token that can be used; is a proxy or a portal between?".to_owned(),
                )),
            };
        }
        match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) if !refusal.error.is_empty() => Err(refusal.hiding(&self.secret).explain()),
            _ => Err(self.unreachable(format!("it answered {status}, and not as Entra does"))),
        }
    }

    /// The form, with each value encoded. It holds the secret: it is made for one request and never kept.
    fn form(&self, claims: Option<&str>) -> String {
        let mut form = String::from("grant_type=client_credentials");
        let mut add = |name: &str, value: &str| {
            form.push_str(&format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        };
        add("client_id", &self.client_id);
        add("client_secret", self.secret.expose_secret());
        add("scope", &self.scope);
        if let Some(claims) = claims {
            add("claims", claims);
        }
        form
    }

    fn unreachable(&self, reason: String) -> SignInError {
        SignInError::Unreachable { host: self.authority.to_string(), reason }
    }
}

fn granted(body: &[u8]) -> Option<Issued> {
    let grant: Grant = serde_json::from_slice(body).ok()?;
    let seconds = match grant.expires_in {
        Lifetime::Number(seconds) => seconds,
        Lifetime::Text(text) => text.trim().parse().ok()?,
    };
    let lifetime = Duration::try_from_secs_f64(seconds).ok()?;
    super::tokens::usable(grant.access_token.expose_secret()).ok()?;
    (lifetime >= SHORTEST_LIFE).then_some(Issued { token: grant.access_token, lifetime })
}

impl Refusal {
    /// Takes the secret out of what the endpoint said: it may echo what it got.
    fn hiding(mut self, secret: &SecretString) -> Refusal {
        let secret = secret.expose_secret();
        // As it is, and in the ways in which forms and URLs are written.
        let sent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let usual = sent.replace("%2D", "-").replace("%2E", ".").replace("%5F", "_");
        let url = usual.replace("%7E", "~");
        let form = usual.replace("%20", "+").replace("%2A", "*");
        for text in [&mut self.error, &mut self.error_description] {
            for shape in [secret, sent.as_str(), &usual, &url, &form] {
                *text = text.replace(shape, "[secret]");
            }
        }
        self
    }

    fn explain(self) -> SignInError {
        let description = self.error_description.lines().next().unwrap_or_default();
        let named = description.split(':').next().filter(|code| code.starts_with("AADSTS"));
        let number = self.error_codes.first().map(|code| format!("AADSTS{code}"));
        let code = named.map(str::to_owned).or(number).unwrap_or_else(|| self.error.clone());
        let message =
            description.strip_prefix(&code).map_or(description, |rest| rest.trim_start_matches(':'));
        let message = if message.trim().is_empty() { &self.error } else { message };
        SignInError::Endpoint {
            message: excerpt(message, 300),
            advice: advice(&code).map(|advice| format!(" — {advice}")).unwrap_or_default(),
            code: excerpt(&code, 60),
        }
    }
}

/// What to do about the refusals that people meet with an app's secret.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "AADSTS7000215" => "the secret is wrong: use the secret's value, not its id",
        "AADSTS7000222" => "the secret has expired: make a new one for the app",
        "AADSTS700016" => "the tenant does not know this app: check --client-id and --tenant, and the cloud",
        "AADSTS90002" | "AADSTS900023" => "there is no such tenant here: check --tenant and --cloud",
        "AADSTS7000112" => "the app is disabled in this tenant",
        "AADSTS7000229" => "the app has no service principal in this tenant: consent to it first",
        "AADSTS500011" | "AADSTS1002012" | "AADSTS70011" => "the scope is another cloud's: check --cloud",
        "AADSTS53003" | "AADSTS53000" => "Conditional Access refuses this app from here",
        _ => return None,
    })
}
