//! Signs in again to the tenants of a run that have users left.

use std::collections::BTreeMap;

use super::sign_in::{print_failed_sign_ins, print_messages_once, sign_in_to};
use super::{MAX_CONCURRENT_SIGN_INS, closed_reason, env_variables};
use crate::cli::SignInArgs;
use crate::commands::connect::{MessageLog, SignedInApp, http_clients};
use crate::commands::tenant_clients::TenantClients;
use crate::commands::{run, secret_files};
use crate::console::OutputFormat;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{StopReason, TenantIndex};
use crate::identity::{SignInError, additional_app_variables, process_variable};
use crate::journal::{OperatorRecord, RunRecord, TenantRecord};
use crate::plan::{PlanTenant, PlanTenants};
use crate::settings::chosen_profile::ChosenProfile;
use crate::settings::{CredentialSettings, NetworkSettings, SignInSettings};
use crate::tenant::{TenantName, TenantResolver};
use futures_util::stream::{self, StreamExt};

/// The sign-ins to the tenants of a resumed run, in the order of the run's tenants.
pub(in crate::commands) struct ResumedTenants {
    sessions: Vec<ResumedSession>,
    /// The identity of the first sign-in.
    pub(in crate::commands) operator: OperatorRecord,
}

/// The sign-in to one tenant.
struct ResumedSession {
    /// `None` if no users are left, or if nothing can be revoked.
    signed_in_app: Option<SignedInApp>,
    /// Why nothing can be revoked, if users are left.
    refused: Option<StopReason>,
}

impl ResumedTenants {
    /// The sign-in to each tenant.
    pub(in crate::commands) fn signed_in_apps(&self) -> impl Iterator<Item = Option<&SignedInApp>> {
        self.sessions.iter().map(|session| session.signed_in_app.as_ref())
    }

    /// The tenants for the protect lists, with all their names in the run.
    pub(in crate::commands) fn plan_tenants(
        &self,
        record: &RunRecord,
        no_lookup: bool,
    ) -> PlanTenants<'_, Directory> {
        let all =
            record.tenants.iter().zip(self.signed_in_apps()).map(|(tenant, signed_in_app)| PlanTenant {
                key: tenant.tenant.clone(),
                operator: signed_in_app.map(run::plan_operator).unwrap_or_default(),
                directory: signed_in_app.map(|signed_in_app| &signed_in_app.directory).filter(|_| !no_lookup),
                closed: signed_in_app.is_none(),
            });
        let names = (0..).zip(&record.tenants).flat_map(|(index, tenant)| {
            let names = tenant_names(tenant).filter_map(|name| name.parse::<TenantName>().ok());
            names.map(move |name| (name, index)).collect::<Vec<_>>()
        });
        let ids_known = record.tenants.iter().all(|tenant| tenant.tenant_id.is_some());
        PlanTenants {
            resolver: TenantResolver::new(names.collect::<Vec<_>>(), None, ids_known),
            tenants: all.collect(),
        }
    }

    /// The apps that send in each tenant. A tenant is refused if its users could not be compared with the lists.
    pub(in crate::commands) fn into_tenant_clients(
        self,
        closed_tenants: &BTreeMap<TenantIndex, String>,
    ) -> Vec<TenantClients> {
        let to_clients = |(index, session): (TenantIndex, ResumedSession)| match session.signed_in_app {
            Some(signed_in_app) => TenantClients {
                refused: closed_tenants.get(&index).map(|why| closed_reason(why)),
                ..signed_in_app.into_tenant_clients()
            },
            None => TenantClients { apps: Vec::new(), refused: session.refused },
        };
        (0..).zip(self.sessions).map(to_clients).collect()
    }
}

/// All names of a tenant in the run.
fn tenant_names(tenant: &TenantRecord) -> impl Iterator<Item = &String> {
    std::iter::once(&tenant.tenant).chain(&tenant.tenant_id).chain(&tenant.named)
}

/// Signs in to each tenant that has users left (`left`, in the order of the run's tenants).
///
/// # Errors
/// When all sign-ins fail.
pub(in crate::commands) async fn sign_in_resumed(
    args: &SignInArgs,
    profile: Option<&ChosenProfile>,
    record: &RunRecord,
    left: &[u64],
    network: &NetworkSettings,
    output: OutputFormat,
) -> Result<ResumedTenants, Error> {
    let credentials = CredentialSettings::new(SignInSettings::resumed(args, None, &record.settings), profile);
    if let Some(lost) = missing_special_sign_in(record, left, &credentials).filter(|_| profile.is_none()) {
        return Err(Error::Usage(format!(
            "tenant {} has its own sign-in, which a run folder does not store: name the profile that has it \
             (--profile)",
            crate::text::sanitize::sanitize_truncated(&lost.tenant, 80)
        )));
    }
    if credentials.own.sources.reads_stdin() {
        return Err(Error::Usage(
            "the run has several tenants, but standard input can be read only once: put the secret into a file \
             or the environment"
                .to_owned(),
        ));
    }
    secret_files::warn_readable_files(&credentials.own.sources, &process_variable);
    for (_, sign_in) in &credentials.by_tenant {
        secret_files::warn_readable_files(&sign_in.sources, &additional_app_variables);
    }
    let clients = http_clients(network)?;
    let log = MessageLog::default();
    let tried = stream::iter(record.tenants.iter().zip(left).map(|(tenant, left)| {
        let (clients, log) = (clients.clone(), &log);
        let credentials = &credentials;
        async move {
            match (*left, &tenant.closed) {
                (0, _) | (_, Some(_)) => None,
                _ => Some(sign_in_again(tenant, credentials, network, clients, log).await),
            }
        }
    }))
    .buffered(MAX_CONCURRENT_SIGN_INS)
    .collect::<Vec<_>>()
    .await;
    if output != OutputFormat::None {
        print_messages_once(log);
    }
    let (mut sessions, mut failed, mut first_error, mut operator) = (Vec::new(), Vec::new(), None, None);
    for ((tenant, left), tried) in record.tenants.iter().zip(left).zip(tried) {
        sessions.push(match tried {
            Some(Ok(signed_in_app)) => {
                operator.get_or_insert_with(|| signed_in_app.operator.clone());
                ResumedSession { signed_in_app: Some(signed_in_app), refused: None }
            }
            Some(Err(why)) => {
                failed.push((tenant.tenant.clone(), *left, why.to_string()));
                let refused = Some(StopReason::SignIn { detail: why.to_string() });
                first_error.get_or_insert(why);
                ResumedSession { signed_in_app: None, refused }
            }
            None => {
                let refused = tenant.closed.as_deref().filter(|_| *left > 0).map(closed_reason);
                ResumedSession { signed_in_app: None, refused }
            }
        });
    }
    print_failed_sign_ins(failed);
    match (operator, first_error) {
        (Some(operator), _) => Ok(ResumedTenants { sessions, operator }),
        (None, Some(why)) => Err(why.into()),
        // All remaining users are in tenants that are closed for this run, so it only reports that again.
        (None, None) => Ok(ResumedTenants { sessions, operator: record.operator.clone() }),
    }
}

/// A tenant with users left that had its own sign-in, but does not have one now.
fn missing_special_sign_in<'a>(
    record: &'a RunRecord,
    left: &[u64],
    credentials: &CredentialSettings,
) -> Option<&'a TenantRecord> {
    let mut all = record.tenants.iter().zip(left).filter(|(_, left)| **left > 0).map(|(tenant, _)| tenant);
    all.find(|tenant| tenant.sources.is_some() && special_sign_in(tenant, credentials).is_none())
}

/// The profile's own sign-in for a tenant.
fn special_sign_in<'a>(
    tenant: &TenantRecord,
    credentials: &'a CredentialSettings,
) -> Option<&'a SignInSettings> {
    let names: Vec<TenantName> = tenant_names(tenant).filter_map(|name| name.parse().ok()).collect();
    credentials.by_tenant.iter().find(|(name, _)| names.contains(name)).map(|(_, sign_in)| sign_in)
}

/// Signs in to the same tenant as before, and no other.
async fn sign_in_again(
    tenant: &TenantRecord,
    credentials: &CredentialSettings,
    network: &NetworkSettings,
    clients: crate::http::HttpClients,
    log: &MessageLog,
) -> Result<SignedInApp, SignInError> {
    let special = special_sign_in(tenant, credentials);
    let name = tenant.tenant_id.as_ref().unwrap_or(&tenant.tenant);
    let sign_in =
        &SignInSettings { tenant: Some(name.clone()), ..special.unwrap_or(&credentials.own).clone() };
    let unknown =
        |found: &str| SignInError::UnknownTenant { tenant: tenant.tenant.clone(), found: found.to_owned() };
    let name = sign_in
        .tenant
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|_| unknown("can't be requested, because that is neither a tenant ID nor a domain"))?;
    let signed_in_app =
        sign_in_to(&name, sign_in, env_variables(special.is_none()), network, clients, log).await?;
    match (&tenant.tenant_id, &signed_in_app.tenant.id) {
        (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => {
            Err(SignInError::OtherTenant { expected: begun.clone(), found: now.clone() })
        }
        _ => Ok(signed_in_app),
    }
}
