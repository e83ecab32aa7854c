//! Tokens from issuers that the app trusts (a cluster, GitHub, Azure Pipelines), and how the token endpoint checks them
//! (learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations).

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::graph_response::guid;

/// The app's federated credential, and the claims in the tokens of the simulator's job services.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FederatedConfig {
    /// The issuer that a token must have. Without it, the app trusts any well-formed assertion.
    pub issuer: Option<String>,
    /// The subject that a token must have.
    pub subject: String,
    /// The audience that a token must have.
    pub audience: String,
    /// The token that GitHub's service expects in `Authorization: bearer`. Without it, any that is not empty.
    pub github_token: Option<String>,
    /// The same for Azure Pipelines.
    pub pipelines_token: Option<String>,
    /// The only service connection in Azure Pipelines. Without it, any exists.
    pub service_connection: Option<String>,
    /// The lifetime of a job's token.
    #[serde(deserialize_with = "super::duration::deserialize")]
    pub lifetime: Duration,
}

impl Default for FederatedConfig {
    fn default() -> FederatedConfig {
        FederatedConfig {
            issuer: None,
            subject: "repo:contoso/response:environment:production".into(),
            audience: "api://AzureADTokenExchange".into(),
            github_token: None,
            pipelines_token: None,
            service_connection: None,
            lifetime: Duration::from_secs(300),
        }
    }
}

/// Why an assertion is refused: Entra's code and text.
pub(super) type FederationError = (u32, String);

/// Makes a token from the trusted issuer.
pub(super) fn mint(config: &FederatedConfig, audience: &str, lifetime: Duration) -> String {
    let now = Timestamp::now().as_second();
    let claims = json!({
        "iss": config.issuer.as_deref().unwrap_or("https://issuer.example"),
        "sub": config.subject,
        "aud": audience,
        "jti": guid().to_string(),
        "iat": now,
        "nbf": now,
        "exp": now.saturating_add_unsigned(lifetime.as_secs()),
    });
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "federated"});
    let [header, claims] = [&header, &claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key(), signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Checks an assertion against the app's federated credential. Codes and texts are as in Entra's reference.
pub(super) fn check(config: &FederatedConfig, assertion: &str) -> Result<(), FederationError> {
    let Some(issuer) = &config.issuer else { return Ok(()) };
    let claims = verify_signature(assertion).ok_or_else(|| {
        (50_027, "JWT token is invalid or malformed: its signature is not its issuer's.".to_owned())
    })?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    let mismatch = |code, what: &str, is: String| {
        let advice = "Please check your federated identity credential Subject, Audience and Issuer against the \
                      presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation";
        Err((
            code,
            format!(
                "No matching federated identity record found for presented assertion {what} '{is}'. {advice}"
            ),
        ))
    };
    if text("iss") != *issuer {
        return mismatch(700_211, "issuer", text("iss"));
    }
    if text("aud") != config.audience {
        return mismatch(700_212, "audience", text("aud"));
    }
    if text("sub") != config.subject {
        return mismatch(700_213, "subject", text("sub"));
    }
    let now = Timestamp::now().as_second();
    if claims["exp"].as_i64().is_none_or(|end| end <= now) {
        return Err((700_024, "Client assertion is not within its valid time range.".to_owned()));
    }
    Ok(())
}

fn verify_signature(assertion: &str) -> Option<Value> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    hmac::verify(&key(), signed.as_bytes(), &signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

/// One key for all issuers. It only has to tell the simulator's own tokens from forged ones.
fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, b"issuers that the simulator plays")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mismatch_has_its_code() {
        let config = FederatedConfig { issuer: Some("https://a".into()), ..FederatedConfig::default() };
        let hour = Duration::from_secs(3600);
        let code = |token: &str| check(&config, token).err().map(|(code, _)| code);
        let good = mint(&config, &config.audience, hour);
        assert_eq!(code(&good), None);
        assert_eq!(code(&format!("{good}x")), Some(50_027));
        assert_eq!(code("a.b.c"), Some(50_027));
        assert_eq!(code(&mint(&config, "api://other", hour)), Some(700_212));
        assert_eq!(code(&mint(&config, &config.audience, Duration::ZERO)), Some(700_024));
        let other = FederatedConfig { issuer: Some("https://b".into()), ..config.clone() };
        assert_eq!(code(&mint(&other, &config.audience, hour)), Some(700_211));
        let other = FederatedConfig { subject: "else".into(), ..config.clone() };
        assert_eq!(code(&mint(&other, &config.audience, hour)), Some(700_213));
        assert!(check(&FederatedConfig::default(), "a.b.c").is_ok());
    }
}
