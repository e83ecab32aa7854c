//! An app that signs in as itself: client credentials
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).

use std::sync::Arc;

use secrecy::SecretString;

use super::token_endpoint::{self, Authority, TokenForm};
use super::{Certificate, Federation, IssuedToken, SignInError};
use crate::http::HttpClients;

/// The type of a client assertion (RFC 7523).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An app, and how it proves its identity.
#[derive(Debug)]
pub struct AppIdentity {
    /// Where it signs in.
    pub authority: Authority,
    /// Its ID.
    pub client_id: String,
    /// The scope of the token, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
    /// How it proves its identity.
    pub proof: ClientProof,
}

/// How an app proves its identity.
#[derive(Debug)]
pub enum ClientProof {
    /// With a secret.
    Secret(SecretString),
    /// With the private key of a certificate.
    Certificate(Arc<Certificate>),
    /// With a token of its surroundings, whose issuer the app trusts.
    Federated(Federation),
}

impl AppIdentity {
    /// Asks for a token, with the claims of a challenge if there was one.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        claims: Option<&str>,
    ) -> Result<IssuedToken, SignInError> {
        let mut form = TokenForm::new("grant_type", "client_credentials");
        form.add("client_id", &self.client_id);
        form.add("scope", &self.scope);
        if let Some(claims) = claims {
            form.add("claims", claims);
        }
        match &self.proof {
            ClientProof::Secret(secret) => form.add_secret("client_secret", secret),
            ClientProof::Certificate(certificate) => self.add_assertion(&mut form, Arc::clone(certificate)),
            ClientProof::Federated(federation) => federation.add_assertion(http, &mut form).await?,
        }
        match token_endpoint::request_token(http, &self.authority, &form).await? {
            Ok(grant) => Ok(grant.token),
            Err(refusal) => Err(refusal.into_error()),
        }
    }

    /// Adds an assertion to the form, a new one for each attempt.
    fn add_assertion(&self, form: &mut TokenForm, certificate: Arc<Certificate>) {
        form.add("client_assertion_type", ASSERTION_TYPE);
        let (client_id, audience) = (self.client_id.clone(), self.authority.audience());
        form.add_per_attempt("client_assertion", move || certificate.assertion(&client_id, &audience));
    }
}
