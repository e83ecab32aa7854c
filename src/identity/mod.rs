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
//!                                             federated: proofs of clusters and pipelines
//!                                             managed_identity, cli_tool: tokens of the machine, of az and azd
//! ```

mod aadsts;
mod additional_app;
mod app_identity;
mod audience;
mod auth;
mod certificate;
mod chain;
#[cfg(test)]
mod chain_tests;
pub mod claims_challenge;
mod cli_tool;
mod cloud;
mod credential;
mod device_code;
mod device_code_response;
mod endpoint;
mod federated;
mod managed_identity;
mod retry_policy;
mod secret_file;
mod secret_text;
mod static_token;
mod tenant_id;
mod token_claims;
mod token_endpoint;
mod token_service;
mod tokens;

pub use additional_app::{AdditionalApp, additional_app_variables};
pub use app_identity::{AppIdentity, ClientProof};
pub use audience::check_audience;
pub use auth::{Auth, UnknownAuth};
pub use certificate::{Certificate, CertificateProblem};
pub use chain::{
    CredentialChain, CredentialConfig, CredentialSources, EnvVariables, SkippedCredential, process_variables,
};
pub use cli_tool::CliTool;
pub use cloud::{Cloud, UnknownCloud};
pub use credential::{Credential, NewToken};
pub use device_code::{DeviceCode, Prompt, Prompter};
pub use endpoint::{Endpoint, EndpointError};
pub use federated::Federation;
pub use managed_identity::ManagedIdentity;
pub use secret_file::SecretFile;
pub use static_token::StaticToken;
pub use tenant_id::{TenantIdError, tenant_from_configuration};
pub use token_claims::TokenClaims;
pub use token_endpoint::Authority;
pub use tokens::{AccessToken, SignInSuccess, TokenAge, TokenState, Tokens};

use std::path::{Path, PathBuf};

/// There is no usable token. Ends a run with exit code 4.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// Nothing is set up here.
    #[error(
        "no way to sign in is set up here:{}\nset one of them up: `entra-revoke doctor --setup` prints how, docs/sign-in.md has all of them",
        list_skipped(.0)
    )]
    NoCredential(Vec<SkippedCredential>),
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
    /// A flag belongs to another way than the one that was asked for.
    #[error("--auth {auth} makes no use of {flag}: leave one of them out")]
    ConflictingFlag {
        /// The way that was asked for.
        auth: Auth,
        /// The flag.
        flag: &'static str,
    },
    /// Two flags name two ways.
    #[error("{one} and {other} name two ways to sign in: give one of them")]
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
    #[error("{flag} {path}: {reason}", path = display_secret_path(path))]
    SecretFile {
        /// What named it.
        flag: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others may change a file with a secret. Nothing was sent.
    #[error("{by}: {why}")]
    Insecure {
        /// What named it.
        by: &'static str,
        /// Whose it is, and what to do.
        why: String,
    },
    /// A certificate can't be used.
    #[error("{by} {path}: {problem}", path = path.display())]
    Certificate {
        /// What named it.
        by: &'static str,
        /// Its file.
        path: PathBuf,
        /// Why, and what to do.
        problem: CertificateProblem,
    },
    /// What was given is no token.
    #[error("the given access token is not one: {0}")]
    InvalidToken(&'static str),
    /// A ready token was over before anything was sent.
    #[error(
        "the access token ended at {ended}: nothing was sent. Get a new one from where this came from, and start again"
    )]
    AlreadyExpired {
        /// When, in UTC.
        ended: String,
    },
    /// A ready token was refused, and only its giver can make a new one.
    #[error(
        "Graph no longer accepts the access token{when}; get a new one from where this came from, then `resume` the run"
    )]
    TokenRejected {
        /// When it ended, with a separator before it, or nothing where it does not tell or that is no reason.
        when: String,
    },
    /// Graph wants a sign-in with further claims, and what gives the tokens can't be asked for them.
    #[error(
        "Graph wants a new sign-in (a claims challenge: sessions were revoked, or a policy changed), which {auth} can't \
         give: sign in again where the token comes from, then `resume` the run"
    )]
    ChallengeUnanswerable {
        /// What gives the tokens.
        auth: &'static str,
    },
    /// The task that renews the token came to grief.
    #[error(
        "renewing the token broke down, by a fault of this program: please report it. `resume` goes on with the run"
    )]
    RenewalFault,
    /// Graph refused a token that had just been made.
    #[error(
        "Graph refused a fresh access token (401{detail}): check the tenant, the cloud and the app, and that this \
         machine's clock is right, then `resume` the run"
    )]
    Refused {
        /// What Graph said, with a separator before it, or nothing.
        detail: String,
    },
    /// Graph challenged a token that had been made to answer its challenge.
    #[error(
        "Graph challenged a token that had just answered its challenge{detail}: Conditional Access or a risk stands in \
         the way of this sign-in. Its entry in Entra's sign-in log says which policy; once that is mended, `resume` the run"
    )]
    ChallengedAgain {
        /// What Graph said, with a separator before it, or nothing.
        detail: String,
    },
    /// Nobody entered the device code in time.
    #[error(
        "nobody signed in with the code within {minutes} {unit}: start again for a new code; a run that had begun goes on \
         with `resume`", unit = if *.minutes == 1 { "minute" } else { "minutes" }
    )]
    CodeExpired {
        /// How long the code was good, in minutes.
        minutes: u64,
    },
    /// The person said no.
    #[error(
        "the sign-in was declined in the browser. If that was not meant: start again for a new code; a run that had begun \
         goes on with `resume`"
    )]
    CodeDeclined,
    /// The server has forgotten the device code.
    #[error(
        "Entra does not know the code any more: start again for a new one; a run that had begun goes on with `resume`"
    )]
    CodeUnknown,
    /// Another person than at the beginning entered the code.
    #[error(
        "{now} signed in, but the run was begun by {begun}: nothing is sent in another's name. Let {begun} sign in, or \
         start a run of your own with `remaining.csv`"
    )]
    OtherUser {
        /// Who began.
        begun: String,
        /// Who came.
        now: String,
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
    #[error("the token endpoint {host} can't be used: {reason} (check the network, the proxy and --cloud)")]
    Unreachable {
        /// Its host.
        host: String,
        /// Why.
        reason: String,
    },
    /// A service or program that gives tokens or proofs refuses, or gives no sense.
    #[error("{service}: {reason}{advice}")]
    Service {
        /// Which, as people know it.
        service: String,
        /// What it said or did.
        reason: String,
        /// What to do, with a separator before it, or nothing.
        advice: String,
    },
    /// Something was given that can't be.
    #[error("{name}: {reason}")]
    Setting {
        /// The flag or variable.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// The token belongs to another tenant than the one that was named.
    #[error(
        "the token is for tenant {found}, but tenant {expected} is named: nothing was sent. Sign in to that tenant, or correct \
         the name (--tenant, AZURE_TENANT_ID, or the profile's `tenant`)"
    )]
    OtherTenant {
        /// As named.
        expected: String,
        /// As the token says.
        found: String,
    },
    /// The authority knows no such tenant.
    #[error(
        "there is no tenant {tenant} in this cloud ({detail}): nothing was sent. Check the name (--tenant, AZURE_TENANT_ID, or \
         the profile's `tenant`) and --cloud, or name the tenant by its id"
    )]
    NoSuchTenant {
        /// As named.
        tenant: String,
        /// What the authority said.
        detail: String,
    },
    /// Nothing tells whether a domain is the token's tenant.
    #[error(
        "nothing tells whether {tenant} is the token's tenant ({why}): nothing was sent. Name the tenant by its id \
         (--tenant GUID)"
    )]
    TenantUnverified {
        /// As named.
        tenant: String,
        /// Why it could not be found out.
        why: String,
    },
    /// Nobody can tell whether a token is good in the tenant that rows name.
    #[error(
        "rows name tenant {tenant}, and the token {found}: nothing is sent there. Name the tenant by its id, and sign in with \
         an app that is known in it (docs/tenants.md)"
    )]
    UnknownTenant {
        /// As the rows name it.
        tenant: String,
        /// What the token says, as "is for tenant 0785…".
        found: String,
    },
    /// The tenant is named by a column of the input, and the sign-in there failed.
    #[error(
        "column `{column}` of the input names tenant {tenant}: {why}. If that column does not name tenants: --tenant-column none"
    )]
    TenantOfRows {
        /// The column.
        column: String,
        /// The tenant.
        tenant: String,
        /// What happened.
        why: String,
    },
    /// A sign-in to one of several tenants took too long.
    #[error("no token came within {} s; others are not kept waiting. Try again, or give --timeout", within.as_secs())]
    TimedOut {
        /// How long it was waited for.
        within: std::time::Duration,
    },
    /// A further app's token belongs to another tenant than the first app's.
    #[error("its token is for tenant {found}, and the run is in tenant {expected}")]
    AdditionalAppTenant {
        /// That of the run.
        expected: String,
        /// As the token says.
        found: String,
    },
    /// The first app could not sign in, and a further one's tenant can't be compared with the one that was named.
    #[error(
        "it can't stand in for the first app: nothing says that its tenant is the one that is meant (name the tenant by \
         its id)"
    )]
    FallbackTenantUnverified,
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
    /// A new token is for somebody or something else than the one that the run began with.
    #[error(
        "the new access token is for the {what} {now}, and the run was begun with {begun}: nothing more was sent; sign \
         in as before, then `resume` the run"
    )]
    OtherIdentity {
        /// What differs.
        what: &'static str,
        /// As the run began.
        begun: String,
        /// As the new token says.
        now: String,
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

impl SignInError {
    /// Whether the flags contradict each other, so that nothing was even tried.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            SignInError::Ambiguous { .. }
                | SignInError::ConflictingFlag { .. }
                | SignInError::Insecure { .. }
        )
    }

    /// The same where a column of the input named the tenant: the message names that, and not a flag that nobody gave.
    pub fn with_tenant_column(self, column: &str, tenant: &str) -> SignInError {
        let why = match &self {
            SignInError::OtherTenant { found, .. } => {
                format!("the token is for tenant {found}, and nothing was sent")
            }
            SignInError::Endpoint { .. } => self.to_string().replace("--tenant", "that column"),
            _ => return self,
        };
        SignInError::TenantOfRows { column: column.to_owned(), tenant: tenant.to_owned(), why }
    }
}

/// A file's name, unless it may be the secret itself, given in the place of the file that holds it.
fn display_secret_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    // No token or secret is shorter, and none has a separator of paths in it.
    let may_be_secret = text.chars().count() >= 32 && !text.contains(['/', '\\']);
    match may_be_secret && !path.exists() {
        true => "(hidden: it may be the secret itself, and this flag wants a file that holds it)".to_owned(),
        false => text.into_owned(),
    }
}

/// Ways that were passed over, a line each.
fn list_skipped(ways: &[SkippedCredential]) -> String {
    let line = |auth: Auth, why: &str| format!("\n  {auth:<20} {why}");
    let mut text: String = ways.iter().map(|way| line(way.auth, &way.reason)).collect();
    text.push_str(&line(
        Auth::DeviceCode,
        "is not tried by itself: --auth device-code lets a person sign in",
    ));
    text.push_str("\n`entra-revoke doctor --setup` prints the commands that set one up");
    text
}
