//! An app that signs in as itself: client credentials
//! (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).

use secrecy::SecretString;

use super::token_endpoint::{self, Authority, Form};
use super::{Federation, Issued, SignInError};
use crate::http::HttpClients;

/// An app, and how it proves that it is the one.
#[derive(Debug)]
pub struct App {
    /// Where it signs in.
    pub authority: Authority,
    /// Its id.
    pub client_id: String,
    /// What the token is for, such as `https://graph.microsoft.com/.default`.
    pub scope: String,
    /// How it proves that it is the one.
    pub proof: Proof,
}

/// How an app proves that it is the one it says.
#[derive(Debug)]
pub enum Proof {
    /// It knows a secret.
    Secret(SecretString),
    /// It shows a token of its surroundings, which it trusts.
    Federated(Federation),
}

impl App {
    /// Asks for a token, with the claims of a challenge where there was one.
    pub(super) async fn request(
        &self,
        http: &HttpClients,
        claims: Option<&str>,
    ) -> Result<Issued, SignInError> {
        let mut form = Form::new("grant_type", "client_credentials");
        form.add("client_id", &self.client_id);
        form.add("scope", &self.scope);
        if let Some(claims) = claims {
            form.add("claims", claims);
        }
        match &self.proof {
            Proof::Secret(secret) => form.add_secret("client_secret", secret),
            Proof::Federated(federation) => federation.prove(http, &mut form).await?,
        }
        match token_endpoint::token(http.pooled(), &self.authority, &form).await? {
            Ok(grant) => Ok(grant.issued),
            Err(refusal) => Err(refusal.explained()),
        }
    }
}
