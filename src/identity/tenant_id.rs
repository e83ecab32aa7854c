//! The ID of a tenant from one of its domains. The authority publishes it, so no credential is needed
//! (learn.microsoft.com/entra/identity-platform/v2-protocols-oidc).

use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::Value;
use uuid::Uuid;

use super::Authority;
use super::retry_policy::{is_transient, send_once};
use crate::http::{HttpClients, TransportError};
use crate::text::sanitize::sanitize_truncated;

/// Time limit for the authority's answer, with all attempts.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Number of attempts, and the first wait between them.
const MAX_ATTEMPTS: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Why a domain's tenant is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TenantIdError {
    /// The authority does not know the tenant; its answer.
    Unknown(String),
    /// The authority can't be reached, or its answer can't be used; why.
    Unavailable(String),
}

impl Authority {
    /// The ID of the tenant.
    ///
    /// # Errors
    /// If there is no tenant of that name, or the authority can't be asked.
    pub async fn tenant_id(&self, http: &HttpClients) -> Result<Uuid, TenantIdError> {
        let none = || TenantIdError::Unavailable(format!("{} did not answer in time", self.root));
        tokio::time::timeout(TIMEOUT, self.fetch_tenant_id(http)).await.unwrap_or_else(|_| Err(none()))
    }

    async fn fetch_tenant_id(&self, http: &HttpClients) -> Result<Uuid, TenantIdError> {
        let url = self.openid_configuration();
        let mut wait = FIRST_WAIT;
        for last in (0..MAX_ATTEMPTS).map(|number| number + 1 == MAX_ATTEMPTS) {
            let reason = match send_once(http.pooled().get(&url)).await {
                Ok(answer) if is_transient(answer.status) => format!("it answered {}", answer.status),
                Ok(answer) => {
                    return parse_answer(answer.status, &answer.body).map_err(|why| self.with_host(why));
                }
                Err(error) => {
                    let trouble = TransportError::from_reqwest(&error);
                    if trouble.lasting {
                        return Err(self.with_host(TenantIdError::Unavailable(trouble.text)));
                    }
                    trouble.text
                }
            };
            if last {
                return Err(self.with_host(TenantIdError::Unavailable(reason)));
            }
            tracing::warn!(reason, "can't get the tenant's ID from the authority; retrying");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Err(self.with_host(TenantIdError::Unavailable("it does not answer".to_owned())))
    }

    /// The same error with the authority's host before the reason.
    fn with_host(&self, why: TenantIdError) -> TenantIdError {
        match why {
            TenantIdError::Unavailable(reason) => {
                TenantIdError::Unavailable(format!("{}: {reason}", self.root))
            }
            unknown @ TenantIdError::Unknown(_) => unknown,
        }
    }
}

fn parse_answer(status: StatusCode, body: &[u8]) -> Result<Uuid, TenantIdError> {
    if status == StatusCode::OK {
        return tenant_from_configuration(body).ok_or_else(|| {
            TenantIdError::Unavailable(
                "its answer does not name a tenant; is there a proxy in between?".to_owned(),
            )
        });
    }
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    match answer.get("error").and_then(Value::as_str) {
        // "AADSTS90002: Tenant 'x' not found", "AADSTS900023: … is neither a valid DNS name, nor …".
        Some("invalid_tenant" | "invalid_request") if status.is_client_error() => {
            let text = answer.get("error_description").and_then(Value::as_str).unwrap_or_default();
            Err(TenantIdError::Unknown(sanitize_truncated(text.lines().next().unwrap_or_default(), 200)))
        }
        _ => Err(TenantIdError::Unavailable(format!("it answered {status}, which is not how Entra answers"))),
    }
}

/// The tenant's ID from the authority's OpenID configuration. The issuer contains it, and the token endpoint must not
/// contain another one. `None` if this is not such a document, or not that of a single tenant (`common`,
/// `organizations`).
pub fn tenant_from_configuration(configuration: &[u8]) -> Option<Uuid> {
    let document: Value = serde_json::from_slice(configuration).ok()?;
    let id_in = |name: &str| {
        let url = Url::parse(document.get(name)?.as_str()?).ok()?;
        let mut segments = url.path_segments()?.filter_map(|segment| Uuid::try_parse(segment).ok());
        segments.next().filter(|id| !id.is_nil())
    };
    let issuer = id_in("issuer")?;
    let other = id_in("token_endpoint").is_some_and(|id| id != issuer);
    (!other).then_some(issuer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

    #[test]
    fn the_issuer_names_the_tenant_in_every_cloud() {
        for root in [
            "https://login.microsoftonline.com/ID/v2.0",
            "https://sts.windows.net/ID/",
            "https://login.partner.microsoftonline.cn/ID/v2.0",
            "https://login.microsoftonline.us/ID/v2.0",
        ] {
            let body = serde_json::json!({"issuer": root.replace("ID", ID)}).to_string();
            assert_eq!(tenant_from_configuration(body.as_bytes()).unwrap().to_string(), ID, "{root}");
        }
    }

    #[test]
    fn invalid_configuration_yields_no_tenant() {
        let other = "11111111-2222-4333-8444-555555555555";
        for body in [
            "<html>".to_owned(),
            "{}".to_owned(),
            r#"{"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"}"#.to_owned(),
            r#"{"issuer":5}"#.to_owned(),
            format!(r#"{{"issuer":"{ID}"}}"#),
            format!(r#"{{"issuer":"https://a/{}/v2.0"}}"#, Uuid::nil()),
            format!(
                r#"{{"issuer":"https://a/{ID}/v2.0","token_endpoint":"https://a/{other}/oauth2/v2.0/token"}}"#
            ),
        ] {
            assert_eq!(tenant_from_configuration(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn entra_refusal_is_distinguished_from_other_answers() {
        let unknown =
            br#"{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant 'x.example' not found."}"#;
        let Err(TenantIdError::Unknown(answer)) = parse_answer(StatusCode::BAD_REQUEST, unknown) else {
            panic!()
        };
        assert!(answer.starts_with("AADSTS90002"), "{answer}");
        for (status, body) in
            [(404, "<html>"), (400, "{}"), (403, r#"{"error":"blocked"}"#), (302, ""), (200, "{}")]
        {
            let read = parse_answer(StatusCode::from_u16(status).unwrap(), body.as_bytes());
            assert!(matches!(read, Err(TenantIdError::Unavailable(_))), "{status} {body}");
        }
    }
}
