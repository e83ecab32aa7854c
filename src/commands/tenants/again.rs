//! Signing in again to the tenants of a run that have users left.

use std::collections::BTreeMap;

use super::sign_in::{print_messages_once, sign_in_to, tell_failed};
use super::{AT_ONCE, closed, env_variables};
use crate::cli::SignInArgs;
use crate::commands::connect::{MessageLog, SignedInApp, clients};
use crate::commands::posts::TenantClients;
use crate::commands::{run, secret_files};
use crate::console::OutputFormat;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{StopReason, TenantIndex};
use crate::identity::{SignInError, additional_app_variables, process_variables};
use crate::journal::{OperatorRecord, RunRecord, TenantRecord};
use crate::plan::{PlanTenant, PlanTenants};
use crate::settings::profiled::ChosenProfile;
use crate::settings::{CredentialSettings, NetworkSettings, SignInSettings};
use crate::tenant::{TenantName, TenantResolver};
use crate::together::buffered;

/// Who goes on with a run of several tenants, in the order of these.
pub(in crate::commands) struct Again {
    stations: Vec<ResumedSession>,
    /// The first who signed in.
    pub(in crate::commands) operator: OperatorRecord,
}

/// One of them.
struct ResumedSession {
    /// None where nothing is left, or nothing can be sent.
    connection: Option<SignedInApp>,
    /// Why nothing can be sent, where something is left.
    refused: Option<StopReason>,
}

impl Again {
    /// Who signed in, in each tenant.
    pub(in crate::commands) fn connections(&self) -> impl Iterator<Item = Option<&SignedInApp>> {
        self.stations.iter().map(|station| station.connection.as_ref())
    }

    /// For the lists: the tenants by all names that the run knows of them.
    pub(in crate::commands) fn tenants(
        &self,
        record: &RunRecord,
        no_lookup: bool,
    ) -> PlanTenants<'_, Directory> {
        let all = record.tenants.iter().zip(self.connections()).map(|(tenant, connection)| PlanTenant {
            key: tenant.tenant.clone(),
            signed: connection.map(run::signed).unwrap_or_default(),
            directory: connection.map(|connection| &connection.directory).filter(|_| !no_lookup),
            closed: connection.is_none(),
        });
        let names = (0..).zip(&record.tenants).flat_map(|(place, tenant)| {
            let names = names_of(tenant).filter_map(|name| name.parse::<TenantName>().ok());
            names.map(move |name| (name, place)).collect::<Vec<_>>()
        });
        let ids_known = record.tenants.iter().all(|tenant| tenant.tenant_id.is_some());
        PlanTenants {
            places: TenantResolver::new(names.collect::<Vec<_>>(), None, ids_known),
            all: all.collect(),
        }
    }

    /// Who sends where; nothing is sent where users could not be compared with the lists.
    pub(in crate::commands) fn posts(self, unseen: &BTreeMap<TenantIndex, String>) -> Vec<TenantClients> {
        let post = |(place, station): (TenantIndex, ResumedSession)| match station.connection {
            Some(connection) => {
                TenantClients { refused: unseen.get(&place).map(|why| closed(why)), ..connection.post() }
            }
            None => TenantClients { apps: Vec::new(), refused: station.refused },
        };
        (0..).zip(self.stations).map(post).collect()
    }
}

/// All names that a run knows of a tenant.
fn names_of(tenant: &TenantRecord) -> impl Iterator<Item = &String> {
    std::iter::once(&tenant.tenant).chain(&tenant.tenant_id).chain(&tenant.named)
}

/// Signs in to each tenant that has users left (`left`, in the order of the run's tenants).
///
/// # Errors
/// When none of them can be signed in to.
pub(in crate::commands) async fn sign_in_resumed(
    args: &SignInArgs,
    profile: Option<&ChosenProfile>,
    record: &RunRecord,
    left: &[u64],
    network: &NetworkSettings,
    output: OutputFormat,
) -> Result<Again, Error> {
    let credentials = CredentialSettings::new(SignInSettings::resumed(args, None, &record.settings), profile);
    if let Some(lost) = without_its_way(record, left, &credentials).filter(|_| profile.is_none()) {
        return Err(Error::Usage(format!(
            "tenant {} has its own way to sign in, and a run's folder is not asked for that: name the profile that has it \
             (--profile)",
            crate::harmless::sanitize_truncated(&lost.tenant, 80)
        )));
    }
    if credentials.own.sources.reads_stdin() {
        return Err(Error::Usage(
            "the run has several tenants, and standard input can be read once: give the secret in a file or in the \
             environment"
                .to_owned(),
        ));
    }
    secret_files::warn(&credentials.own.sources, &process_variables);
    for (_, who) in &credentials.special {
        secret_files::warn(&who.sources, &additional_app_variables);
    }
    let clients = clients(network)?;
    let said = MessageLog::default();
    let tried = buffered(
        AT_ONCE,
        record.tenants.iter().zip(left).map(|(tenant, left)| {
            let (clients, said) = (clients.clone(), &said);
            let credentials = &credentials;
            async move {
                match (*left, &tenant.closed) {
                    (0, _) | (_, Some(_)) => None,
                    _ => Some(one(tenant, credentials, network, clients, said).await),
                }
            }
        }),
    )
    .await;
    if output != OutputFormat::None {
        print_messages_once(said);
    }
    let (mut stations, mut failed, mut first_error, mut operator) = (Vec::new(), Vec::new(), None, None);
    for ((tenant, left), tried) in record.tenants.iter().zip(left).zip(tried) {
        stations.push(match tried {
            Some(Ok(connection)) => {
                operator.get_or_insert_with(|| connection.operator.clone());
                ResumedSession { connection: Some(connection), refused: None }
            }
            Some(Err(why)) => {
                failed.push((tenant.tenant.clone(), *left, why.to_string()));
                let refused = Some(StopReason::SignIn { detail: why.to_string() });
                first_error.get_or_insert(why);
                ResumedSession { connection: None, refused }
            }
            None => {
                let refused = tenant.closed.as_deref().filter(|_| *left > 0).map(closed);
                ResumedSession { connection: None, refused }
            }
        });
    }
    tell_failed(failed);
    match (operator, first_error) {
        (Some(operator), _) => Ok(Again { stations, operator }),
        (None, Some(why)) => Err(why.into()),
        // Whoever is left stands in tenants that this run never sends in: it only says so once more.
        (None, None) => Ok(Again { stations, operator: record.operator.clone() }),
    }
}

/// A tenant with users left that had its own way to sign in, and has none now.
fn without_its_way<'a>(
    record: &'a RunRecord,
    left: &[u64],
    credentials: &CredentialSettings,
) -> Option<&'a TenantRecord> {
    let mut all = record.tenants.iter().zip(left).filter(|(_, left)| **left > 0).map(|(tenant, _)| tenant);
    all.find(|tenant| tenant.sources.is_some() && special(tenant, credentials).is_none())
}

/// The way to sign in that the profile has for a tenant alone.
fn special<'a>(tenant: &TenantRecord, credentials: &'a CredentialSettings) -> Option<&'a SignInSettings> {
    let names: Vec<TenantName> = names_of(tenant).filter_map(|name| name.parse().ok()).collect();
    credentials.special.iter().find(|(name, _)| names.contains(name)).map(|(_, who)| who)
}

/// Signs in to the same tenant as before, and no other.
async fn one(
    tenant: &TenantRecord,
    credentials: &CredentialSettings,
    network: &NetworkSettings,
    clients: crate::http::HttpClients,
    said: &MessageLog,
) -> Result<SignedInApp, SignInError> {
    let special = special(tenant, credentials);
    let name = tenant.tenant_id.as_ref().unwrap_or(&tenant.tenant);
    let who = &SignInSettings { tenant: Some(name.clone()), ..special.unwrap_or(&credentials.own).clone() };
    let unknown =
        |found: &str| SignInError::UnknownTenant { tenant: tenant.tenant.clone(), found: found.to_owned() };
    let name =
        who.tenant.as_deref().unwrap_or_default().parse().map_err(|_| unknown("can't be asked for"))?;
    let connection = sign_in_to(&name, who, env_variables(special.is_none()), network, clients, said).await?;
    match (&tenant.tenant_id, &connection.tenant.id) {
        (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => {
            Err(SignInError::OtherTenant { expected: begun.clone(), found: now.clone() })
        }
        _ => Ok(connection),
    }
}
