//! The tenants of a run: which ones the rows name, and the sign-in to each.
//!
//! ```text
//!  rows' cells ──▶ RequestedTenants ──▶ sign-ins in parallel ──▶ merged by the tokens' tenant ──▶ TenantSessions
//!  run.json ─────▶ sign-ins in parallel ──▶ ResumedTenants
//! ```
//!
//! A tenant whose sign-in fails or hangs does not hold up the others: a warning is printed, and its users are
//! `not_attempted`.

mod requested;
mod resumed;
mod sign_in;
mod sign_in_progress;

pub(super) use requested::RequestedTenants;
pub(super) use resumed::{ResumedTenants, sign_in_resumed};

use std::collections::{BTreeMap, HashMap};

use super::connect::{MessageLog, SignedInApp, http_clients};
use super::tenant_clients::TenantClients;
use super::{run, secret_files, sign_in_apps};
use crate::cli::CommonRunArgs;
use crate::console::OutputFormat;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{StopReason, TenantIndex};
use crate::identity::{EnvLookup, SignInError, additional_app_variables, process_variable};
use crate::journal::TenantRecord;
use crate::plan::{Draft, PlanTenant, PlanTenants};
use crate::settings::{AppSettings, CredentialSettings, NetworkSettings, SignInSettings};
use crate::tenant::{TenantName, TenantResolver};
use futures_util::stream::{self, StreamExt};
use sign_in::{check_tenant_known, print_failed_sign_ins, print_messages_once, sign_in_to};
use sign_in_progress::SignInProgress;

/// Maximum number of parallel sign-ins.
const MAX_CONCURRENT_SIGN_INS: usize = 32;

/// A tenant of a run, and the sign-in to it.
pub(super) struct TenantSession {
    /// All names that rows have for the tenant.
    names: Vec<TenantName>,
    /// Number of rows that name the tenant.
    rows: u64,
    /// The settings of the sign-in.
    sign_in: SignInSettings,
    signed_in_app: Result<SignedInApp, SignInError>,
}

impl TenantSession {
    /// The tenant's name in the plan: its ID, if known.
    fn key(&self) -> String {
        let id = self.signed_in_app.as_ref().ok().and_then(|signed_in_app| signed_in_app.tenant_id());
        let id = id.map(str::to_lowercase);
        id.or_else(|| self.names.first().map(TenantName::to_string)).unwrap_or_default()
    }
}

/// The sign-ins to all tenants of a run.
pub(super) struct TenantSessions {
    sessions: Vec<TenantSession>,
    resolver: TenantResolver,
}

impl TenantSessions {
    /// A single tenant that is signed in to, independent of the rows.
    pub(super) fn single(signed_in_app: SignedInApp, sign_in: &SignInSettings) -> TenantSessions {
        let known = [signed_in_app.tenant.domain.as_deref(), signed_in_app.tenant_id()];
        let resolver = TenantResolver::single(known.into_iter().flatten());
        let session = TenantSession {
            names: Vec::new(),
            rows: 0,
            sign_in: sign_in.clone(),
            signed_in_app: Ok(signed_in_app),
        };
        TenantSessions { sessions: vec![session], resolver }
    }

    /// Signs in to all requested tenants in parallel.
    ///
    /// # Errors
    /// When all sign-ins fail.
    pub(super) async fn sign_in(
        requested: RequestedTenants,
        credentials: &CredentialSettings,
        apps: &AppSettings,
        network: &NetworkSettings,
        output: OutputFormat,
    ) -> Result<TenantSessions, Error> {
        if !requested.is_multi_tenant() {
            return sign_in_single(requested, credentials, apps, network).await;
        }
        if !apps.further.is_empty() {
            return Err(Error::Usage(format!(
                "the input names {}, but further apps (--app, [[profile.NAME.app]]) work in one tenant only: \
                 --app none uses one app in each tenant",
                requested.describe()
            )));
        }
        if credentials.own.sources.reads_stdin() {
            return Err(Error::Usage(format!(
                "the input names {}, but standard input can be read only once: put the secret into a file or \
                 the environment",
                requested.describe()
            )));
        }
        secret_files::warn_readable_files(&credentials.own.sources, &process_variable);
        for (_, sign_in) in &credentials.by_tenant {
            secret_files::warn_readable_files(&sign_in.sources, &additional_app_variables);
        }
        let clients = http_clients(network)?;
        let log = MessageLog::default();
        let progress = SignInProgress::new(requested.names.len(), output);
        let signing = stream::iter(requested.names.iter().enumerate().map(|(index, name)| {
            let (clients, log, progress) = (clients.clone(), &log, &progress);
            let requested = &requested;
            async move {
                progress.start(name);
                let sign_in = credentials.for_tenants(requested.tenant_names(index));
                let signed_in_app = sign_in_to(
                    name,
                    &sign_in,
                    env_variables(credentials.is_own(&sign_in)),
                    network,
                    clients,
                    log,
                )
                .await;
                progress.finish(name);
                (sign_in, signed_in_app)
            }
        }))
        .buffered(MAX_CONCURRENT_SIGN_INS)
        .collect::<Vec<_>>();
        let tried = progress.report_while(signing).await;
        let tenant_sessions = TenantSessions::merge_same_tenants(&requested, tried);
        if output != OutputFormat::None {
            print_messages_once(log);
        }
        tenant_sessions.warn_failed();
        match tenant_sessions.sessions.iter().any(|session| session.signed_in_app.is_ok()) {
            true => Ok(tenant_sessions),
            false => Err(tenant_sessions
                .sessions
                .into_iter()
                .find_map(|session| session.signed_in_app.err())
                .map_or_else(|| Error::Usage("no tenant is named".to_owned()), Error::SignIn)),
        }
    }

    /// Merges tenants that have the same ID in their tokens, even if rows have different names for them.
    fn merge_same_tenants(
        requested: &RequestedTenants,
        tried: Vec<(SignInSettings, Result<SignedInApp, SignInError>)>,
    ) -> TenantSessions {
        let mut sessions: Vec<TenantSession> = Vec::new();
        let mut by_id: HashMap<String, TenantIndex> = HashMap::new();
        let mut index_of = Vec::new();
        for ((name, rows), (sign_in, signed_in_app)) in requested.names.iter().zip(&requested.rows).zip(tried)
        {
            let id = signed_in_app.as_ref().ok().and_then(SignedInApp::tenant_id);
            let next = sessions.len() as TenantIndex;
            let index = id.map_or(next, |id| *by_id.entry(id.to_lowercase()).or_insert(next));
            index_of.push(index);
            match sessions.get_mut(index as usize) {
                Some(known) => {
                    known.names.push(name.clone());
                    known.rows += rows;
                }
                None => sessions.push(TenantSession {
                    names: vec![name.clone()],
                    rows: *rows,
                    sign_in,
                    signed_in_app,
                }),
            }
        }
        for (name, at) in &requested.aliases {
            sessions[index_of[*at] as usize].names.push(name.clone());
        }
        let ids = by_id.iter().filter_map(|(id, index)| Some((id.parse().ok()?, *index)));
        let others = requested.aliases.iter().map(|(name, at)| (name, &index_of[*at]));
        let names = requested.names.iter().zip(&index_of).chain(others);
        let names = names.map(|(name, index)| (name.clone(), *index));
        let own = requested.default_tenant.map(|own| index_of[own as usize]);
        let ids_known = sessions
            .iter()
            .all(|session| session.key().parse().is_ok_and(|key| matches!(key, TenantName::Id(_))));
        let resolver = TenantResolver::new(ids.chain(names).collect::<Vec<_>>(), own, ids_known);
        TenantSessions { sessions, resolver }
    }

    /// Warns about tenants in which nothing can be revoked, with the reason.
    fn warn_failed(&self) {
        let failed = self.sessions.iter().filter_map(|session| {
            let why = session.signed_in_app.as_ref().err()?;
            Some((session.key(), session.rows, why.to_string()))
        });
        print_failed_sign_ins(failed.collect());
    }

    /// Whether there is more than one tenant.
    pub(super) fn is_multi_tenant(&self) -> bool {
        self.sessions.len() > 1
    }

    /// The first tenant that was signed in to.
    pub(super) fn first(&self) -> Option<&SignedInApp> {
        self.signed_in_apps().next()
    }

    /// All tenants that were signed in to.
    pub(super) fn signed_in_apps(&self) -> impl Iterator<Item = &SignedInApp> {
        self.sessions.iter().filter_map(|session| session.signed_in_app.as_ref().ok())
    }

    /// The settings of the sign-in to the only tenant, or to the first.
    pub(super) fn sign_in_settings(&self) -> &SignInSettings {
        &self.sessions[0].sign_in
    }

    /// The tenants for the plan.
    pub(super) fn plan_tenants(&self, work: &CommonRunArgs) -> PlanTenants<'_, Directory> {
        let several = self.is_multi_tenant();
        let all = self.sessions.iter().map(|session| {
            let signed_in_app = session.signed_in_app.as_ref().ok();
            let directory = signed_in_app.map(|signed_in_app| &signed_in_app.directory);
            PlanTenant {
                key: if several { session.key() } else { String::new() },
                operator: signed_in_app.map(run::plan_operator).unwrap_or_default(),
                directory: directory.filter(|_| !work.selection.no_lookup),
                closed: signed_in_app.is_none(),
            }
        });
        PlanTenants { resolver: self.resolver.clone(), tenants: all.collect() }
    }

    /// The records for `run.json`; empty if there is only one tenant.
    pub(super) fn tenant_records(
        &self,
        draft: &Draft,
        credentials: &CredentialSettings,
        unlisted: bool,
    ) -> Vec<TenantRecord> {
        if !self.is_multi_tenant() {
            return Vec::new();
        }
        let record = |(at, session): (usize, &TenantSession)| {
            let operator = session.signed_in_app.as_ref().ok().map(|signed_in_app| &signed_in_app.operator);
            let id =
                session.signed_in_app.as_ref().ok().and_then(|signed_in_app| signed_in_app.tenant.id.clone());
            // Users that could not be compared with the lists are not revoked later either.
            let unseen = session.signed_in_app.as_ref().err().filter(|_| !unlisted).map(ToString::to_string);
            let own = credentials.is_own(&session.sign_in);
            TenantRecord {
                tenant: session.key(),
                named: session.names.iter().map(ToString::to_string).collect(),
                tenant_id: id.map(|id| id.to_lowercase()),
                app_id: operator.and_then(|operator| operator.app_id.clone()),
                auth: operator.map(|operator| operator.auth.clone()),
                users: draft.summary().tenants.get(at).map_or(0, |facts| facts.users),
                closed: draft.closed_tenants().get(&(at as TenantIndex)).cloned().or(unseen),
                client_id: session.sign_in.client_id.clone().filter(|_| !own),
                sources: Some(session.sign_in.sources.clone()).filter(|_| !own),
            }
        };
        self.sessions.iter().enumerate().map(record).collect()
    }

    /// The apps that send in each tenant. A tenant is refused if the sign-in failed, or if its users could not be
    /// looked up.
    pub(super) fn into_tenant_clients(
        self,
        closed_tenants: &BTreeMap<TenantIndex, String>,
    ) -> Vec<TenantClients> {
        let to_clients = |(at, session): (usize, TenantSession)| match session.signed_in_app {
            Err(why) => TenantClients {
                apps: Vec::new(),
                refused: Some(StopReason::SignIn { detail: why.to_string() }),
            },
            Ok(signed_in_app) => {
                let closed = closed_tenants.get(&(at as TenantIndex)).map(|why| closed_reason(why));
                TenantClients { refused: closed, ..signed_in_app.into_tenant_clients() }
            }
        };
        self.sessions.into_iter().enumerate().map(to_clients).collect()
    }
}

/// Why nothing is revoked in a tenant whose users could not be compared with the lists.
pub(super) fn closed_reason(why: &str) -> StopReason {
    let why = why.trim_end_matches('.');
    StopReason::Runtime {
        detail: format!(
            "this tenant is skipped, because its users could not be looked up when the plan was made ({why}). \
             Run `remaining.csv` to retry"
        ),
    }
}

/// Signs in to the only requested tenant.
async fn sign_in_single(
    requested: RequestedTenants,
    credentials: &CredentialSettings,
    apps: &AppSettings,
    network: &NetworkSettings,
) -> Result<TenantSessions, Error> {
    let sign_in = credentials.for_tenants(requested.tenant_names(0));
    let signed_in_app = sign_in_apps::sign_in(&sign_in, apps, network)
        .await
        .map_err(|error| add_tenant_column(error, &requested))?;
    if !requested.by_row {
        return Ok(TenantSessions::single(signed_in_app, &sign_in));
    }
    if let Some(name) = requested.names.first().filter(|_| requested.default_tenant.is_none()) {
        check_tenant_known(name, &signed_in_app)?;
    }
    let tid = signed_in_app.tenant_id().and_then(|id| id.parse().ok());
    let ids_known = tid.is_some();
    let named: Vec<TenantName> = requested.tenant_names(0).cloned().collect();
    let names = named.iter().cloned().chain(tid).map(|name| (name, 0));
    let resolver = TenantResolver::new(names.collect::<Vec<_>>(), requested.default_tenant, ids_known);
    let rows = requested.rows.first().copied().unwrap_or_default();
    let session = TenantSession { names: named, rows, sign_in, signed_in_app: Ok(signed_in_app) };
    Ok(TenantSessions { sessions: vec![session], resolver })
}

/// Adds the input's column to the error of a sign-in, if the column and no flag named the tenant.
fn add_tenant_column(error: Error, requested: &RequestedTenants) -> Error {
    match (error, &requested.column, requested.names.first()) {
        (Error::SignIn(why), Some(column), Some(tenant)) => {
            Error::SignIn(why.with_tenant_column(
                &crate::text::sanitize::sanitize_truncated(column, 60),
                &tenant.to_string(),
            ))
        }
        (error, ..) => error,
    }
}

/// The environment for a sign-in: only the run's own app may use secrets from variables.
fn env_variables(own: bool) -> EnvLookup<'static> {
    if own { &process_variable } else { &additional_app_variables }
}
