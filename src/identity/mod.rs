//! Sign-in: clouds, credentials, and the access token that all workers share.
//!
//! A token is a secret. It is held in [`secrecy`] types and sent only in the `Authorization` header to the chosen Graph
//! root. No error or log line of this module contains it.
//!
//! ```text
//!  flags, profile,   ┌ chain ─┐ candidates  ┌ credential ┐ a token  ┌ tokens ┐
//!  environment ─────▶│        │────────────▶│ app, ready │─────────▶│        │──▶ all workers
//!                    └────────┘             └────────────┘          └────────┘
//!                                             token_endpoint ─▶ aadsts: advice for refusals
//!                                             federated: tokens of clusters and pipelines
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
    CredentialChain, CredentialConfig, CredentialSources, EnvLookup, SkippedCredential, process_variable,
};
pub use cli_tool::CliTool;
pub use cloud::{Cloud, UnknownCloud};
pub use credential::{Credential, IssuedToken};
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
    /// No sign-in method is set up here.
    #[error(
        "no sign-in method is set up on this machine:{}\nto set one up, run `entra-revoke doctor --setup`, or \
         see \
         docs/sign-in.md",
        list_skipped(.0)
    )]
    NoCredential(Vec<SkippedCredential>),
    /// The chosen method is not set up here.
    #[error("--auth {auth}: {missing}")]
    NotSetUp {
        /// The method.
        auth: Auth,
        /// What is missing.
        missing: String,
    },
    /// The method is set up, but this machine lacks what it needs; `--auth auto` then tries the next one.
    #[error("{auth}: {why}")]
    Unavailable {
        /// The method.
        auth: Auth,
        /// What is missing.
        why: String,
    },
    /// A flag belongs to another method than the chosen one.
    #[error("--auth {auth} does not use {flag}: remove one of them")]
    ConflictingFlag {
        /// The chosen method.
        auth: Auth,
        /// The flag.
        flag: &'static str,
    },
    /// Two flags choose two methods.
    #[error("{one} and {other} are two sign-in methods: use only one")]
    Ambiguous {
        /// A flag.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
    /// A credential is set, but something that it needs is not.
    #[error("{given}, but {missing} is missing")]
    Incomplete {
        /// What is set.
        given: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// A file with a secret can't be used.
    #[error("{flag} {path}: {reason}", path = display_secret_path(path))]
    SecretFile {
        /// The flag or variable that names it.
        flag: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why it can't be used.
        reason: String,
    },
    /// Other accounts may change a file with a secret. Nothing was revoked.
    #[error("{named_by}: {why}")]
    Insecure {
        /// The flag or variable that names it.
        named_by: &'static str,
        /// Which account may change it, and what to do.
        why: String,
    },
    /// A certificate can't be used.
    #[error("{by} {path}: {problem}", path = path.display())]
    Certificate {
        /// The flag or variable that names it.
        by: &'static str,
        /// Its file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: CertificateProblem,
    },
    /// The access token is malformed.
    #[error("the access token is not valid: {0}")]
    InvalidToken(&'static str),
    /// A ready token had expired before the first request.
    #[error(
        "the access token expired at {ended}: nothing was revoked. Get a new one from the same source, and \
         start again"
    )]
    AlreadyExpired {
        /// When it expired, in UTC.
        ended: String,
    },
    /// A ready token was refused, and only its source can issue a new one.
    #[error(
        "Graph no longer accepts the access token{when}; get a new one from the same source, then `resume` \
         the run"
    )]
    TokenRejected {
        /// When it expired, with a separator before it; empty if that is unknown or not the reason.
        when: String,
    },
    /// Graph requires further claims, and the source of the tokens can't request them.
    #[error(
        "Graph requires a new sign-in (a claims challenge: sessions were revoked, or a policy changed), which \
         {auth} can't do: sign in again at the token's source, then `resume` the run"
    )]
    ChallengeUnanswerable {
        /// The source of the tokens.
        auth: &'static str,
    },
    /// The task that renews the token panicked.
    #[error("internal error while renewing the token; please report it. `resume` continues the run")]
    RenewalFault,
    /// Graph refused a token that was just issued.
    #[error(
        "Graph refused a new access token (401{detail}): check the tenant, the cloud and the app, and that \
         this \
         machine's clock is right, then `resume` the run"
    )]
    Refused {
        /// Graph's answer, with a separator before it, or empty.
        detail: String,
    },
    /// Graph challenged a token that was issued to answer its challenge.
    #[error(
        "Graph challenged a token that had just answered its challenge{detail}: Conditional Access or a risk \
         blocks this sign-in. Entra's sign-in log shows the policy; fix that, then `resume` the run"
    )]
    ChallengedAgain {
        /// Graph's answer, with a separator before it, or empty.
        detail: String,
    },
    /// The device code was not entered in time.
    #[error(
        "the code was not used within {minutes} {unit}: start again for a new code; use `resume` for a run \
         that had begun", unit = if *.minutes == 1 { "minute" } else { "minutes" }
    )]
    CodeExpired {
        /// How long the code was valid, in minutes.
        minutes: u64,
    },
    /// The person declined the sign-in.
    #[error(
        "the sign-in was declined in the browser. If that was a mistake, start again for a new code; use \
         `resume` for a run that had begun"
    )]
    CodeDeclined,
    /// The authority no longer knows the device code.
    #[error(
        "Entra no longer knows the code: start again for a new one; use `resume` for a run that had begun"
    )]
    CodeUnknown,
    /// Another person than at the start of the run entered the code.
    #[error(
        "{now} signed in, but {begun} started the run, so nothing is revoked. Sign in as {begun}, or start a \
         new run with `remaining.csv`"
    )]
    OtherUser {
        /// The user who started the run.
        begun: String,
        /// The user who signed in now.
        now: String,
    },
    /// The token endpoint refused the credential.
    #[error("{code}: {message}{advice}")]
    Endpoint {
        /// `AADSTS…`, or OAuth's error word if there is no such code.
        code: String,
        /// The first line of its description.
        message: String,
        /// What to do, with a separator before it, or empty.
        advice: String,
    },
    /// The token endpoint can't be reached, or its answer can't be used.
    #[error("can't use the token endpoint {host}: {reason} (check the network, the proxy and --cloud)")]
    Unreachable {
        /// Its host.
        host: String,
        /// Why it can't be used.
        reason: String,
    },
    /// A service or program that issues tokens or assertions refuses, or its answer can't be used.
    #[error("{service}: {reason}{advice}")]
    Service {
        /// Its name for people.
        service: String,
        /// What it answered or did.
        reason: String,
        /// What to do, with a separator before it, or empty.
        advice: String,
    },
    /// A flag or variable has an invalid value.
    #[error("{name}: {reason}")]
    Setting {
        /// The flag or variable.
        name: &'static str,
        /// Why it is invalid.
        reason: String,
    },
    /// The token is for another tenant than the named one.
    #[error(
        "the token is for tenant {found}, but you named tenant {expected}: nothing was revoked. Sign in to \
         that tenant, or correct the name (--tenant, AZURE_TENANT_ID, or the profile's `tenant`)"
    )]
    OtherTenant {
        /// The named tenant.
        expected: String,
        /// The token's tenant.
        found: String,
    },
    /// The authority does not know the tenant.
    #[error(
        "there is no tenant {tenant} in this cloud ({detail}): nothing was revoked. Check the name (--tenant, \
         AZURE_TENANT_ID, or the profile's `tenant`) and --cloud, or name the tenant by its ID"
    )]
    NoSuchTenant {
        /// The named tenant.
        tenant: String,
        /// The authority's answer.
        detail: String,
    },
    /// It is not known whether a domain belongs to the token's tenant.
    #[error(
        "it is not known whether {tenant} is the token's tenant ({why}): nothing was revoked. Name the tenant \
         by its ID (--tenant GUID)"
    )]
    TenantUnverified {
        /// The named tenant.
        tenant: String,
        /// Why it is not known.
        why: String,
    },
    /// It is not known whether a token is valid in the tenant that rows name.
    #[error(
        "rows name tenant {tenant}, but the token {found}: nothing is revoked there. Name the tenant by its \
         ID, and sign in with an app that exists there (docs/tenants.md)"
    )]
    UnknownTenant {
        /// The tenant's name in the rows.
        tenant: String,
        /// The token's tenant as the end of a sentence, such as "is for tenant 0785…".
        found: String,
    },
    /// A column of the input names the tenant, and the sign-in there failed.
    #[error(
        "column `{column}` of the input names tenant {tenant}: {why}. If that column does not have tenants, \
         use --tenant-column none"
    )]
    RowTenantFailed {
        /// The column.
        column: String,
        /// The tenant.
        tenant: String,
        /// What happened.
        why: String,
    },
    /// A sign-in to one of several tenants took too long.
    #[error("no token within {} s; the other tenants do not wait for it. Try again, or use a longer --timeout",
        limit.as_secs())]
    TimedOut {
        /// The time limit.
        limit: std::time::Duration,
    },
    /// A further app's token is for another tenant than the first app's.
    #[error("its token is for tenant {found}, but the run is in tenant {expected}")]
    AdditionalAppTenant {
        /// The run's tenant.
        expected: String,
        /// The token's tenant.
        found: String,
    },
    /// The first app could not sign in, and a further app's tenant can't be compared with the named one.
    #[error(
        "it can't replace the first app, because it is not known whether its tenant is the right one (name the \
         tenant by its ID)"
    )]
    FallbackTenantUnverified,
    /// The token is meant for another cloud's Graph.
    #[error(
        "the token is meant for {audience}, which is not {root}: choose its cloud (--cloud {token_cloud}), or \
         get a \
         token for this cloud; nothing was revoked"
    )]
    OtherCloud {
        /// The token's `aud`.
        audience: String,
        /// The cloud it belongs to.
        token_cloud: Cloud,
        /// The chosen Graph root.
        root: String,
    },
    /// The token is meant for another service than Graph.
    #[error(
        "the token is meant for '{audience}', which is not Microsoft Graph: get a token for {root}; nothing \
         was revoked"
    )]
    NotForGraph {
        /// The token's `aud`.
        audience: String,
        /// The Graph root it should be for.
        root: String,
    },
    /// A new token has another identity than the one that the run started with.
    #[error(
        "the new access token is for {what} {now}, but the run was started with {begun}: no more requests were \
         sent; sign in as before, then `resume` the run"
    )]
    IdentityMismatch {
        /// What differs, such as "tenant".
        what: &'static str,
        /// Its value at the start of the run.
        begun: String,
        /// Its value in the new token.
        now: String,
    },
    /// The token lists permissions, and none of them allows revoking sessions.
    #[error(
        "the token does not have permission to revoke sessions, so nothing was revoked: it has {listed}; \
         {advice}"
    )]
    NoPermission {
        /// The permissions in the token.
        listed: String,
        /// What to do.
        advice: String,
    },
}

impl SignInError {
    /// Whether this is a usage error, so that no sign-in was tried.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            SignInError::Ambiguous { .. }
                | SignInError::ConflictingFlag { .. }
                | SignInError::Insecure { .. }
        )
    }

    /// The same error for a tenant that a column of the input names. The message names the column instead of a flag
    /// that was not used.
    pub fn with_tenant_column(self, column: &str, tenant: &str) -> SignInError {
        let why = match &self {
            SignInError::OtherTenant { found, .. } => {
                format!("the token is for tenant {found}; nothing was revoked")
            }
            SignInError::Endpoint { .. } => self.to_string().replace("--tenant", "that column"),
            _ => return self,
        };
        SignInError::RowTenantFailed { column: column.to_owned(), tenant: tenant.to_owned(), why }
    }
}

/// A file's name, unless it may be the secret itself, passed by mistake instead of a file name.
fn display_secret_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    // Tokens and secrets are at least this long and contain no path separator.
    let may_be_secret = text.chars().count() >= 32 && !text.contains(['/', '\\']);
    match may_be_secret && !path.exists() {
        true => {
            "(hidden because it may be the secret itself; this flag takes the name of a file with the secret)"
                .to_owned()
        }
        false => text.into_owned(),
    }
}

/// Methods that were skipped, one per line.
fn list_skipped(skipped: &[SkippedCredential]) -> String {
    let line = |auth: Auth, why: &str| format!("\n  {auth:<20} {why}");
    let mut text: String = skipped.iter().map(|skipped| line(skipped.auth, &skipped.reason)).collect();
    text.push_str(&line(
        Auth::DeviceCode,
        "is not tried automatically: use --auth device-code to sign in as a user",
    ));
    text
}
