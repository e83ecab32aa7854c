//! Signs in, and refuses obvious mistakes before the first request.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use super::device_code_prompt;
use super::secret_files;
use super::tenant_clients::{AppClient, TenantClients};
use super::verified_tenant::{self, VerifiedTenant};
use crate::console;
use crate::directory::Directory;
use crate::doctor::clock;
use crate::doctor::permissions::{self, Permissions, RevokePermission};
use crate::error::Error;
use crate::graph::HttpGraph;
use crate::http::{self, HttpClients};
use crate::identity::{
    Auth, Credential, CredentialChain, SignInError, SignInSuccess, SkippedCredential, TokenClaims, Tokens,
    check_audience, process_variable,
};
use crate::journal::{AppRecord, OperatorRecord};
use crate::settings::{NetworkSettings, SignInSettings};

/// A signed-in connection to Graph.
pub(super) struct SignedInApp {
    pub(super) graph: Arc<HttpGraph>,
    pub(super) directory: Directory,
    pub(super) claims: TokenClaims,
    pub(super) operator: OperatorRecord,
    /// When a given access token expires, if it says so. `None` for tokens that are renewed.
    pub(super) token_expires_at: Option<Timestamp>,
    /// Whether a new access token may appear in the token file.
    pub(super) rereads_token_file: bool,
    /// Further apps that send in the same tenant.
    pub(super) additional_clients: Vec<AppClient>,
    /// All apps of the tenant for the evidence, including those that could not sign in.
    pub(super) apps: Vec<AppRecord>,
    /// The tenant, as far as it is certain.
    pub(super) tenant: VerifiedTenant,
}

impl SignedInApp {
    /// Number of apps that send.
    pub(super) fn sender_count(&self) -> usize {
        1 + self.additional_clients.len()
    }

    /// The tenant's ID, from the token or from Graph.
    pub(super) fn tenant_id(&self) -> Option<&str> {
        self.tenant.id.as_deref()
    }

    /// All apps of the tenant, this one first.
    pub(super) fn into_tenant_clients(self) -> TenantClients {
        let first = AppClient { graph: self.graph, operator: self.operator };
        TenantClients { apps: std::iter::once(first).chain(self.additional_clients).collect(), refused: None }
    }
}

/// Signs in with the credentials from flags and environment, and checks that the token fits the tenant and the cloud.
pub(super) async fn sign_in(
    sign_in: &SignInSettings,
    network: &NetworkSettings,
) -> Result<SignedInApp, Error> {
    secret_files::warn_readable_files(&sign_in.sources, &process_variable);
    sign_in_with(sign_in.credential_config(network).build_chain(&process_variable)?, sign_in, network).await
}

/// Signs in with one of these candidates.
pub(super) async fn sign_in_with(
    candidates: CredentialChain,
    sign_in: &SignInSettings,
    network: &NetworkSettings,
) -> Result<SignedInApp, Error> {
    let clients = http_clients(network)?;
    Ok(sign_in_with_clients(&SignInReporter::First, candidates, sign_in, network, clients).await?)
}

/// The HTTP clients, which all apps of a process share.
pub(super) fn http_clients(network: &NetworkSettings) -> Result<HttpClients, Error> {
    let clients = network.clients()?;
    for loss in http::ignored_connect_to(&network.connect_to) {
        console::print_status(&format!("warning: {loss}"));
    }
    Ok(clients)
}

/// Messages that are collected while several tenants are signed in to.
#[derive(Default)]
pub(super) struct MessageLog(Mutex<Vec<String>>);

impl MessageLog {
    fn add(&self, sentence: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
    }

    /// All messages, in order.
    pub(super) fn into_inner(self) -> Vec<String> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports messages about a sign-in, depending on which app signs in.
pub(super) enum SignInReporter<'a> {
    /// The only app, or the first of several.
    First,
    /// A further app, by its name.
    Additional(String),
    /// The app in one of several tenants. Its messages are collected, because most tenants have the same ones.
    Tenant(&'a MessageLog),
}

impl SignInReporter<'_> {
    fn warn(&self, what: &str) {
        match self {
            SignInReporter::First => console::print_status(&format!("warning: {what}")),
            SignInReporter::Additional(name) => {
                console::print_status(&format!("warning: app {name}: {what}"))
            }
            SignInReporter::Tenant(log) => log.add(format!("warning: {what}")),
        }
    }

    fn info(&self, what: String) {
        match self {
            SignInReporter::First | SignInReporter::Additional(_) => console::print_status(&what),
            SignInReporter::Tenant(log) => log.add(what),
        }
    }
}

/// Signs in with one of these candidates, with existing HTTP clients.
pub(super) async fn sign_in_with_clients(
    reporter: &SignInReporter<'_>,
    candidates: CredentialChain,
    sign_in: &SignInSettings,
    network: &NetworkSettings,
    clients: HttpClients,
) -> Result<SignedInApp, SignInError> {
    if let Some(given) = &sign_in.tenant {
        verified_tenant::parse_tenant(given)?;
    }
    let chosen_here = candidates.is_automatic();
    let candidates = candidates.with_prompter(&device_code_prompt::stderr_prompter());
    let SignInSuccess { tokens, auth, skipped, skew } = Tokens::sign_in(candidates, clients.clone()).await?;
    if chosen_here {
        report_choice(reporter, auth, &skipped);
    }
    let certificate = tokens.credential().certificate();
    if let Some(end) = certificate.and_then(|certificate| certificate.expiry_warning(Timestamp::now())) {
        reporter.warn(&end);
    }
    let claims = token_claims(&tokens);
    if let Some(audience) = &claims.aud {
        check_audience(audience, network.cloud, network.graph_root())?;
    }
    check_permission(reporter, &claims)?;
    if let (SignInReporter::First | SignInReporter::Tenant(_), Some(off)) =
        (reporter, skew.and_then(clock::offset_warning))
    {
        reporter.warn(&format!("{off}; set it, or certificates and tokens will be rejected"));
    }
    let operator = operator_record(&tokens, &claims, sign_in);
    let credential = tokens.credential();
    let (ends, rereads) =
        (claims.expires_at().filter(|_| credential.is_static()), credential.is_token_file());
    let by_tenant = matches!(credential, Credential::App(_) | Credential::Device(_));
    let (root, tokens) = (network.graph_root(), Arc::new(tokens));
    let directory = Directory::new(clients.clone(), root, Arc::clone(&tokens), &claims);
    let verification = verified_tenant::VerificationRequest {
        claims: &claims,
        tenant_in_token_request: by_tenant,
        authority: network.authority(),
        clients: &clients,
        directory: &directory,
    };
    let tenant = VerifiedTenant::verify(sign_in.tenant.as_deref(), verification).await?;
    if let Some(id) = &tenant.unverified {
        reporter.warn(&format!(
            "neither the token nor Graph says which tenant this is, so it was not compared with {id}"
        ));
    }
    if let Some(id) = &tenant.id {
        tokens.pin_tenant(id);
    }
    Ok(SignedInApp {
        directory,
        tenant,
        graph: Arc::new(HttpGraph::new(clients, root, tokens).with_priority(network.priority)),
        claims,
        apps: vec![AppRecord::from_operator(&operator)],
        operator,
        token_expires_at: ends,
        rereads_token_file: rereads,
        additional_clients: Vec::new(),
    })
}

/// The identity that signed in, as far as the token and the machine say.
fn operator_record(tokens: &Tokens, claims: &TokenClaims, sign_in: &SignInSettings) -> OperatorRecord {
    OperatorRecord {
        auth: tokens.credential().word().to_owned(),
        app_id: claims.app_id().map(str::to_owned).or_else(|| sign_in.client_id.clone()),
        user: claims.user_name_or_id().map(str::to_owned),
        local_user: std::env::var("USER").or_else(|_| std::env::var("USERNAME")).ok(),
        host: std::env::var("HOSTNAME")
            .or_else(|_| std::env::var("COMPUTERNAME"))
            .ok()
            .or_else(hostname_from_file),
    }
}

/// Reports which sign-in method is used, and why earlier ones were skipped.
fn report_choice(reporter: &SignInReporter<'_>, auth: Auth, skipped: &[SkippedCredential]) {
    for way in skipped {
        tracing::info!(way = way.auth.word(), why = way.reason, "sign-in method skipped");
    }
    reporter.info(describe_choice(auth, skipped));
}

/// One line about the sign-in method. Methods that are not set up are only named, because there are always some.
fn describe_choice(auth: Auth, skipped: &[SkippedCredential]) -> String {
    let (notable, absent): (Vec<_>, Vec<_>) = skipped.iter().partition(|way| way.maybe_intended);
    let absent: Vec<&str> = absent.iter().map(|way| way.auth.word()).collect();
    let mut parts: Vec<String> = notable.iter().map(|way| format!("{}: {}", way.auth, way.reason)).collect();
    if !absent.is_empty() {
        parts.push(format!("not set up: {}", absent.join(", ")));
    }
    match parts.is_empty() {
        true => format!("Signing in with {auth}."),
        false => format!("Signing in with {auth} ({}).", parts.join("; ")),
    }
}

/// The claims of the first token. The token of an app's credential is an app's token, even if it can't be decoded.
pub(super) fn token_claims(tokens: &Tokens) -> TokenClaims {
    let mut claims = tokens.current().claims().clone();
    if tokens.credential().is_app_only() {
        claims.idtyp = Some("app".to_owned());
    }
    claims
}

/// Stops before the first user if the token lists permissions but not the required one, because Graph would answer 403
/// for every user. A token without a list may still have it, so Graph decides.
fn check_permission(reporter: &SignInReporter<'_>, claims: &TokenClaims) -> Result<(), SignInError> {
    let found = Permissions::from_claims(claims);
    let app_only = claims.is_app_only() != Some(false);
    match found.revoke {
        RevokePermission::Missing => Err(SignInError::NoPermission {
            listed: found.listed.join(", "),
            advice: permissions::advice(app_only),
        }),
        RevokePermission::Unknown if claims.is_app_only() == Some(true) && claims.tid.is_some() => {
            reporter.warn(&format!(
                "the token lists no permissions; if Graph refuses, {}",
                permissions::advice(app_only)
            ));
            Ok(())
        }
        _ => {
            if !found.unneeded.is_empty() {
                tracing::info!(
                    more = found.unneeded.join(", "),
                    "the token has more permissions than needed"
                );
            }
            Ok(())
        }
    }
}

fn hostname_from_file() -> Option<String> {
    std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned())
}

/// Refuses `me` (the signed-in user) for an app, which is not a user.
pub(super) fn refuse_me_for_app(names_me: bool, signed_in_app: &SignedInApp) -> Result<(), Error> {
    if names_me && !signed_in_app.additional_clients.is_empty() {
        return Err(Error::Usage(
            "the input names `me`, but several apps would sign in, and an app is not a user: name the user by \
             ID, or use no further apps (--app none)"
                .to_owned(),
        ));
    }
    if names_me && signed_in_app.claims.is_app_only() == Some(true) {
        return Err(Error::Usage(
            "the input names `me`, but the program signs in as an app, which is not a user: name the user by \
             ID, or use a delegated token"
                .to_owned(),
        ));
    }
    Ok(())
}
