//! Signing in: clouds, credentials, and the access token that all workers share.
//!
//! A token is a secret: it is held in [`secrecy`] types, goes into the `Authorization` header of the chosen Graph
//! root and nowhere else, and no error or log line of this room holds it.

//!
//! ```text
//!  flags, profile,   ┌ choice ┐ candidates  ┌ credential ┐ a token  ┌ tokens ┐
//!  environment ─────▶│        │────────────▶│ app, ready │─────────▶│        │──▶ all workers
//!                    └────────┘             └────────────┘          └────────┘
//!                                             token_endpoint ─▶ aadsts: a refusal in words
//! ```

mod aadsts;
mod app;
mod auth;
mod certificate;
pub mod challenge;
mod choice;
mod claims;
mod cli_tool;
mod cloud;
mod credential;
mod device_code;
mod federated;
mod managed_identity;
mod ready;
mod token_endpoint;
mod tokens;

pub use app::{App, Proof};
pub use auth::{Auth, UnknownAuth};
pub use choice::{Candidates, Offer, PassedOver, Sources, Variables, process_variables};
pub use claims::TokenClaims;
pub use cloud::{Cloud, Endpoint, EndpointError, UnknownCloud};
pub use credential::{Credential, Issued};
pub use ready::ReadyToken;
pub use token_endpoint::Authority;
pub use tokens::{SignedIn, Token, TokenAge, TokenState, Tokens};

use std::path::PathBuf;

/// There is no usable token. Ends a run with exit code 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Nothing is set up here.
    #[error("no way to sign in is set up here:{}", listed(.0))]
    NoCredential(Vec<PassedOver>),
    /// The way that was asked for is not set up here.
    #[error("--auth {auth}: {missing}")]
    NotSetUp {
        /// Which.
        auth: Auth,
        /// What is missing.
        missing: String,
    },
    /// The way is set up, but what it relies on is not there on this machine; `--auth auto` then tries the next.
    #[error("{auth}: {why}")]
    Unavailable {
        /// Which.
        auth: Auth,
        /// What is not there.
        why: String,
    },
    /// Two flags name two ways.
    #[error("{one} and {other} name two ways to sign in: give one of them, or say which is meant (--auth)")]
    Ambiguous {
        /// A flag.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
    /// A credential is there, and something that belongs to it is not.
    #[error("{given}, but {missing} is missing")]
    Incomplete {
        /// What is there.
        given: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// A file with a secret can't be used.
    #[error("{flag} {path}: {reason}", path = path.display())]
    SecretFile {
        /// What named it.
        flag: &'static str,
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
        "the token is meant for {audience}, which is not {root}: choose the cloud it belongs to (--cloud)"
    )]
    OtherCloud {
        /// The token's `aud`.
        audience: String,
        /// The chosen Graph root.
        root: String,
    },
    /// The token lists permissions, and none of them allows to revoke sessions.
    #[error("the token does not allow to revoke sessions, so nothing was sent: it has {listed}; {advice}")]
    NoPermission {
        /// What it lists.
        listed: String,
        /// What to do.
        advice: String,
    },
}

/// Ways that were passed over, a line each.
fn listed(ways: &[PassedOver]) -> String {
    ways.iter().map(|way| format!("\n  {:<20} {}", way.auth, way.why)).collect()
}
