//! Client assertions: checks that a JWT was signed with the app's certificate, for this endpoint, just now
//! (learn.microsoft.com/entra/identity-platform/certificate-credentials, RFC 7515, RFC 7523).
//!
//! They are only checked if the configuration has a certificate. What Entra accepts although a careful client would not
//! send it is accepted too, and recorded as a violation.

use std::collections::HashSet;
use std::sync::Mutex;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::EntraError;
use crate::simulator::lock::lock;
use crate::simulator::state::ServerState;

/// The maximum difference between clocks, in seconds.
const SKEW: i64 = 300;

/// The maximum lifetime that an assertion should have, in seconds.
const MAX_LIFETIME: i64 = 600;

/// The IDs of all assertions so far.
#[derive(Default)]
pub(in crate::simulator) struct UsedAssertionIds(Mutex<HashSet<String>>);

/// The app's certificate.
pub(in crate::simulator) struct RegisteredCertificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    not_before: i64,
    not_after: i64,
}

impl RegisteredCertificate {
    /// Loads the certificate from PEM text, or from the file with this path.
    pub(in crate::simulator) fn load(text: &str) -> Result<RegisteredCertificate, String> {
        let pem = match text.contains("-----BEGIN") {
            true => text.as_bytes().to_vec(),
            false => std::fs::read(text).map_err(|error| format!("{text}: {error}"))?,
        };
        let (_, block) = parse_x509_pem(&pem).map_err(|error| format!("not PEM: {error}"))?;
        let (_, certificate) = X509Certificate::from_der(&block.contents)
            .map_err(|error| format!("the first PEM block is not a certificate: {error}"))?;
        Ok(RegisteredCertificate {
            public_key: certificate.public_key().subject_public_key.data.to_vec(),
            not_before: certificate.validity().not_before.timestamp(),
            not_after: certificate.validity().not_after.timestamp(),
            der: block.contents.clone(),
        })
    }
}

#[derive(Deserialize)]
struct AssertionHeader {
    alg: String,
    typ: Option<String>,
    #[serde(rename = "x5t#S256")]
    sha256: Option<String>,
    #[serde(rename = "x5t")]
    sha1: Option<String>,
    x5c: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct AssertionClaims {
    aud: String,
    iss: String,
    sub: String,
    exp: i64,
    nbf: i64,
    jti: Option<String>,
}

/// What Entra accepts although a client should not send it: the kind of violation and its detail.
type AssertionWarning = (&'static str, String);

/// What an assertion must match.
pub(super) struct ExpectedAssertion<'a> {
    pub(super) client: &'a str,
    /// The URL of this endpoint.
    pub(super) audience: &'a str,
    /// Unix seconds.
    pub(super) now: i64,
}

/// Checks an assertion, and records warnings as violations.
pub(super) fn check(
    state: &ServerState,
    certificate: &str,
    expected: &ExpectedAssertion<'_>,
    assertion: &str,
) -> Result<(), EntraError> {
    // The certificate could be read at the start. If it has disappeared since then, no assertion is valid.
    let registered =
        RegisteredCertificate::load(certificate).map_err(|error| invalid_client(700_027, error))?;
    let (claims, mut warnings) = verify(&registered, expected, assertion)?;
    match claims.jti {
        None => warnings.push(("assertion_without_id", claims.sub)),
        Some(id) if !lock(&state.used_assertion_ids.0).insert(id.clone()) => {
            warnings.push(("assertion_used_again", id))
        }
        Some(_) => {}
    }
    state.recorder.counters.assertions_verified.add();
    for (kind, detail) in warnings {
        state.recorder.record_violation(state.clock.now(), kind, &detail);
    }
    Ok(())
}

/// The claims of a valid assertion, and warnings about it.
fn verify(
    registered: &RegisteredCertificate,
    expected: &ExpectedAssertion<'_>,
    assertion: &str,
) -> Result<(AssertionClaims, Vec<AssertionWarning>), EntraError> {
    let malformed = || invalid_client(50_027, "JWT token is invalid or malformed.");
    let (signed, signature) = assertion.rsplit_once('.').ok_or_else(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or_else(malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed());
    let signature = decode(signature)?;
    let header: AssertionHeader = serde_json::from_slice(&decode(header)?).map_err(|_| malformed())?;
    let claims: AssertionClaims = serde_json::from_slice(&decode(claims)?).map_err(|_| malformed())?;

    let mut warnings = Vec::new();
    check_certificate(registered, &header, expected.now, &mut warnings)?;
    let algorithm = algorithm(&header.alg).ok_or_else(|| {
        invalid_client(
            5_002_738,
            format!("Invalid JWT token. '{}' is not a supported signature algorithm.", header.alg),
        )
    })?;
    UnparsedPublicKey::new(algorithm, &registered.public_key).verify(signed.as_bytes(), &signature).map_err(
        |_| {
            invalid_client(700_027, "Client assertion failed signature validation. [Reason - The provided signature value did not match the expected signature value.]")
        },
    )?;
    check_claims(&claims, expected, &mut warnings)?;
    if header.alg == "RS256" {
        warnings.push(("assertion_old_algorithm", header.alg));
    }
    Ok((claims, warnings))
}

fn algorithm(name: &str) -> Option<&'static dyn VerificationAlgorithm> {
    match name {
        "PS256" => Some(&RSA_PSS_2048_8192_SHA256),
        "RS256" => Some(&RSA_PKCS1_2048_8192_SHA256),
        "ES256" => Some(&ECDSA_P256_SHA256_FIXED),
        "ES384" => Some(&ECDSA_P384_SHA384_FIXED),
        _ => None,
    }
}

/// Checks that the header names the app's certificate, and that this certificate is valid now.
fn check_certificate(
    registered: &RegisteredCertificate,
    header: &AssertionHeader,
    now: i64,
    warnings: &mut Vec<AssertionWarning>,
) -> Result<(), EntraError> {
    let sha256 = URL_SAFE_NO_PAD.encode(digest(&SHA256, &registered.der));
    let sha1 = URL_SAFE_NO_PAD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &registered.der));
    let named = match (&header.sha256, &header.sha1) {
        (Some(named), _) => *named == sha256,
        (None, Some(named)) => {
            warnings.push(("assertion_sha1", named.clone()));
            *named == sha1
        }
        (None, None) => false,
    };
    if !named {
        let thumbprint = header.sha256.as_ref().or(header.sha1.as_ref());
        let text = format!(
            "The certificate with identifier used to sign the client assertion is not registered on application. \
             [Reason - The key was not found., Thumbprint of key used by client: '{}']",
            thumbprint.map_or("", String::as_str)
        );
        return Err(invalid_client(700_027, text));
    }
    if !(registered.not_before..=registered.not_after).contains(&now) {
        let text = "The provided certificate is not within its specified validity window.";
        return Err(invalid_client(1_000_502, text));
    }
    if let Some(chain) = &header.x5c {
        // Base64 of DER, which is neither PEM nor base64url.
        if chain.first().and_then(|first| STANDARD.decode(first).ok()).as_ref() != Some(&registered.der) {
            return Err(invalid_client(
                50_027,
                "JWT token is invalid or malformed: x5c is not the signing certificate.",
            ));
        }
    }
    if header.typ.as_deref() != Some("JWT") {
        warnings.push(("assertion_without_type", header.typ.clone().unwrap_or_default()));
    }
    Ok(())
}

fn check_claims(
    claims: &AssertionClaims,
    expected: &ExpectedAssertion<'_>,
    warnings: &mut Vec<AssertionWarning>,
) -> Result<(), EntraError> {
    if !claims.aud.eq_ignore_ascii_case(expected.audience) {
        return Err(invalid_client(700_023, "Client assertion audience claim does not match Realm issuer."));
    }
    if !claims.iss.eq_ignore_ascii_case(expected.client) || !claims.sub.eq_ignore_ascii_case(&claims.iss) {
        return Err(invalid_client(
            700_021,
            "Client assertion application identifier doesn't match 'client_id' parameter.",
        ));
    }
    let (from, to) = (claims.nbf.saturating_sub(SKEW), claims.exp.saturating_add(SKEW));
    if !(from..=to).contains(&expected.now) {
        let time = |seconds| Timestamp::from_second(seconds).unwrap_or_default();
        let text = format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry \
             time of assertion {}.",
            time(expected.now),
            time(claims.nbf),
            time(claims.exp)
        );
        return Err(invalid_client(700_024, text));
    }
    let life = claims.exp.saturating_sub(claims.nbf);
    if life > MAX_LIFETIME {
        warnings.push(("assertion_long_lived", format!("{life} s")));
    }
    Ok(())
}

fn invalid_client(code: u32, text: impl Into<String>) -> EntraError {
    EntraError::new(401, "invalid_client", code, text)
}

#[cfg(test)]
mod tests;
