//! Client assertions: JWTs that identify the app, signed with the certificate's key
//! (learn.microsoft.com/entra/identity-platform/certificate-credentials, RFC 7523).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Certificate, CertificateProblem, x509};

/// How long an assertion is valid: the maximum that Entra recommends.
const LIFETIME: Duration = Duration::from_secs(600);

/// How far it is backdated, for clocks that are ahead of Entra's.
const BACKDATE: Duration = Duration::from_secs(60);

/// Signs an assertion that is issued at `now`.
pub(super) fn sign(
    certificate: &Certificate,
    client_id: &str,
    audience: &str,
    now: Timestamp,
) -> Result<SecretString, CertificateProblem> {
    let claims = claims(client_id, audience, now);
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let mut assertion = format!("{}.{}", encode(&header(certificate)), encode(&claims));
    let signature = certificate.key.sign(assertion.as_bytes())?;
    assertion.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut assertion);
    Ok(SecretString::from(assertion))
}

fn header(certificate: &Certificate) -> Value {
    let thumbprint = URL_SAFE_NO_PAD.encode(x509::sha256(&certificate.chain[0]));
    let mut header = json!({ "typ": "JWT", "alg": certificate.key.algorithm(), "x5t#S256": thumbprint });
    if certificate.send_chain {
        // RFC 7515, 4.1.6: base64 (not its URL form) of DER, the key's own certificate first.
        header["x5c"] = certificate.chain.iter().map(|der| STANDARD.encode(der)).collect();
    }
    header
}

fn claims(client_id: &str, audience: &str, now: Timestamp) -> Value {
    let from = now.as_second() - BACKDATE.as_secs() as i64;
    json!({
        "aud": audience,
        "iss": client_id,
        "sub": client_id,
        "jti": uuid::Uuid::new_v4().to_string(),
        "iat": from,
        "nbf": from,
        "exp": from + LIFETIME.as_secs() as i64,
    })
}
