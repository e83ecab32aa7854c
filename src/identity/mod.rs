//! Signing in: clouds, credentials, and the access token that all workers share.
//!
//! A token is a secret: it is held in [`secrecy`] types, goes into the `Authorization` header of the chosen Graph
//! root and nowhere else, and no error or log line of this room holds it.

mod audience;
pub mod challenge;
mod claims;
mod client_secret;
mod cloud;
mod endpoint;
mod tokens;

pub use audience::check_audience;
pub use claims::TokenClaims;
pub use client_secret::ClientSecret;
pub use cloud::{Cloud, UnknownCloud};
pub use endpoint::{Endpoint, EndpointError};
pub use tokens::{Token, TokenAge, TokenState, Tokens};

use std::path::PathBuf;

use secrecy::SecretString;

/// Where access tokens come from.
#[derive(Debug)]
pub enum Credential {
    /// A ready token; it can't be renewed.
    Token(SecretString),
    /// A file that holds a ready token and may be rewritten by whoever renews it.
    TokenFile(PathBuf),
    /// An app's id and secret, against the token endpoint.
    ClientSecret(ClientSecret),
}

impl Credential {
    /// The word for it in reports and logs.
    pub fn word(&self) -> &'static str {
        match self {
            Credential::Token(_) => "token",
            Credential::TokenFile(_) => "token-file",
            Credential::ClientSecret(_) => "client-secret",
        }
    }

    /// Whether its tokens are an app's own by nature, without a user behind.
    pub fn is_app_only(&self) -> bool {
        matches!(self, Credential::ClientSecret(_))
    }
}

/// There is no usable token. Ends a run with exit code 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// No credential is configured.
    #[error(
        "no way to sign in is set: give a token in ENTRA_REVOKE_TOKEN or --token-file, or an app's id and secret \
         (--tenant, --client-id, AZURE_CLIENT_SECRET)"
    )]
    NoCredential,
    /// A client secret is there, and something that belongs to it is not.
    #[error("AZURE_CLIENT_SECRET is set, but {0} is missing")]
    Incomplete(&'static str),
    /// The token file can't be used.
    #[error("--token-file {path}: {reason}", path = path.display())]
    TokenFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was given is no token.
    #[error("the given access token is not one: {0}")]
    NoToken(&'static str),
    /// A ready token is over or was refused, and only its giver can make a new one.
    #[error("the access token is no longer accepted; get a new one, then `resume` the run")]
    Spent,
    /// Graph refused a token that had just been made.
    #[error("Graph refused a fresh access token (401{detail}); check the tenant, the cloud and the app")]
    Refused {
        /// What Graph said, with a separator before it, or nothing.
        detail: String,
    },
    /// The token endpoint refused the credential.
    #[error("{code}: {message}{advice}")]
    Endpoint {
        /// `AADSTS…`, or OAuth's word where there is none.
        code: String,
        /// The first line of what it said.
        message: String,
        /// What to do, with a separator before it, or nothing.
        advice: String,
    },
    /// The token endpoint can't be reached, or gives no sense.
    #[error("the token endpoint {host} can't be used: {reason}")]
    Unreachable {
        /// Its host.
        host: String,
        /// Why.
        reason: String,
    },
    /// The token belongs to another tenant than the one that was named.
    #[error("the token is for tenant {found}, but --tenant says {expected}: nothing was sent")]
    OtherTenant {
        /// As named.
        expected: String,
        /// As the token says.
        found: String,
    },
    /// The token is meant for another cloud's Graph.
    #[error(
        "the token is meant for {audience}, which is not {root}: choose the cloud it belongs to (--cloud {meant}), or \
         get one for this cloud; nothing was sent"
    )]
    OtherCloud {
        /// The token's `aud`.
        audience: String,
        /// The cloud it belongs to.
        meant: Cloud,
        /// The chosen Graph root.
        root: String,
    },
    /// The token is meant for another service than Graph.
    #[error(
        "the token is meant for '{audience}', which is not Microsoft Graph: get one for {root}; nothing was sent"
    )]
    NotForGraph {
        /// The token's `aud`.
        audience: String,
        /// The Graph root it should be for.
        root: String,
    },
}
