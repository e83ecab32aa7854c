//! The tenants of a run: which the rows name, who signs in to each, and what became of that.
//!
//! ```text
//!  rows' cells ──▶ Wanted ──▶ sign-ins, side by side ──▶ joined by the tokens' tenant ──▶ Crew ──▶ plan, posts, record
//!                                                                       run.json ──▶ again ──▶ posts
//! ```
//!
//! A tenant whose sign-in fails or hangs keeps no other from being sent: it is said, and its users stay not attempted.

mod again;
mod sign_in;
mod waiting;
mod wanted;

pub(super) use again::{Again, sign_in_resumed};
pub(super) use wanted::Wanted;

use std::collections::{BTreeMap, HashMap};

use super::connect::{MessageLog, SignedInApp, clients};
use super::posts::TenantClients;
use super::{apps, run, secret_files};
use crate::cli::WorkArgs;
use crate::console::OutputFormat;
use crate::directory::Directory;
use crate::error::Error;
use crate::event::{StopReason, TenantIndex};
use crate::identity::{EnvVariables, SignInError, additional_app_variables, process_variables};
use crate::journal::TenantRecord;
use crate::plan::{Draft, PlanTenant, PlanTenants};
use crate::settings::{AppSettings, CredentialSettings, NetworkSettings, SignInSettings};
use crate::tenant::{TenantName, TenantResolver};
use crate::together::buffered;
use sign_in::{is_meant, print_messages_once, sign_in_to, tell_failed};
use waiting::SignInProgress;

/// Sign-ins that go on at once.
const AT_ONCE: usize = 32;

/// A tenant of a run, and who signed in there.
pub(super) struct TenantSession {
    /// All names that rows gave it.
    names: Vec<TenantName>,
    /// Rows that name it.
    rows: u64,
    /// How it was signed in to.
    who: SignInSettings,
    connection: Result<SignedInApp, SignInError>,
}

impl TenantSession {
    /// What the plan calls it.
    fn key(&self) -> String {
        let id = self.connection.as_ref().ok().and_then(|connection| connection.tenant_id());
        let id = id.map(str::to_lowercase);
        id.or_else(|| self.names.first().map(TenantName::to_string)).unwrap_or_default()
    }
}

/// Who works in the run's tenants.
pub(super) struct TenantSessions {
    stations: Vec<TenantSession>,
    places: TenantResolver,
}

impl TenantSessions {
    /// One tenant that is signed in to, whatever rows say.
    pub(super) fn single(connection: SignedInApp, who: &SignInSettings) -> TenantSessions {
        let known = [connection.tenant.domain.as_deref(), connection.tenant_id()];
        let places = TenantResolver::one(known.into_iter().flatten());
        let station =
            TenantSession { names: Vec::new(), rows: 0, who: who.clone(), connection: Ok(connection) };
        TenantSessions { stations: vec![station], places }
    }

    /// Signs in to all tenants that are wanted, side by side.
    ///
    /// # Errors
    /// When none can be signed in to.
    pub(super) async fn sign_in(
        wanted: Wanted,
        credentials: &CredentialSettings,
        apps: &AppSettings,
        network: &NetworkSettings,
        output: OutputFormat,
    ) -> Result<TenantSessions, Error> {
        if !wanted.are_several() {
            return one(wanted, credentials, apps, network).await;
        }
        if !apps.further.is_empty() {
            return Err(Error::Usage(format!(
                "the input names {}, and further apps (--app, [[profile.NAME.app]]) send in one tenant: --app none sends \
                 with one app in each",
                wanted.describe()
            )));
        }
        if credentials.own.sources.reads_stdin() {
            return Err(Error::Usage(format!(
                "the input names {}, and standard input can be read once: give the secret in a file or in the environment",
                wanted.describe()
            )));
        }
        secret_files::warn(&credentials.own.sources, &process_variables);
        for (_, who) in &credentials.special {
            secret_files::warn(&who.sources, &additional_app_variables);
        }
        let clients = clients(network)?;
        let said = MessageLog::default();
        let waiting = SignInProgress::new(wanted.names.len(), output);
        let signing = buffered(
            AT_ONCE,
            wanted.names.iter().enumerate().map(|(place, name)| {
                let (clients, said, waiting) = (clients.clone(), &said, &waiting);
                let wanted = &wanted;
                async move {
                    waiting.begins(name);
                    let who = credentials.for_tenants(wanted.names_of(place));
                    let connection = sign_in_to(
                        name,
                        &who,
                        env_variables(credentials.is_own(&who)),
                        network,
                        clients,
                        said,
                    )
                    .await;
                    waiting.ends(name);
                    (who, connection)
                }
            }),
        );
        let tried = waiting.tell(signing).await;
        let crew = TenantSessions::merge_same_tenants(&wanted, tried);
        if output != OutputFormat::None {
            print_messages_once(said);
        }
        crew.tell_failed();
        match crew.stations.iter().any(|station| station.connection.is_ok()) {
            true => Ok(crew),
            false => Err(crew
                .stations
                .into_iter()
                .find_map(|station| station.connection.err())
                .map_or_else(|| Error::Usage("no tenant is named".to_owned()), Error::SignIn)),
        }
    }

    /// Tenants that the tokens say to be one are one, whatever names they were signed in to by.
    fn merge_same_tenants(
        wanted: &Wanted,
        tried: Vec<(SignInSettings, Result<SignedInApp, SignInError>)>,
    ) -> TenantSessions {
        let mut stations: Vec<TenantSession> = Vec::new();
        let mut by_id: HashMap<String, TenantIndex> = HashMap::new();
        let mut place_of = Vec::new();
        for ((name, rows), (who, connection)) in wanted.names.iter().zip(&wanted.rows).zip(tried) {
            let id = connection.as_ref().ok().and_then(SignedInApp::tenant_id);
            let next = stations.len() as TenantIndex;
            let place = id.map_or(next, |id| *by_id.entry(id.to_lowercase()).or_insert(next));
            place_of.push(place);
            match stations.get_mut(place as usize) {
                Some(known) => {
                    known.names.push(name.clone());
                    known.rows += rows;
                }
                None => {
                    stations.push(TenantSession { names: vec![name.clone()], rows: *rows, who, connection })
                }
            }
        }
        for (name, at) in &wanted.others {
            stations[place_of[*at] as usize].names.push(name.clone());
        }
        let ids = by_id.iter().filter_map(|(id, place)| Some((id.parse().ok()?, *place)));
        let others = wanted.others.iter().map(|(name, at)| (name, &place_of[*at]));
        let names = wanted.names.iter().zip(&place_of).chain(others);
        let names = names.map(|(name, place)| (name.clone(), *place));
        let own = wanted.own.map(|own| place_of[own as usize]);
        let ids_known = stations
            .iter()
            .all(|station| station.key().parse().is_ok_and(|key| matches!(key, TenantName::Id(_))));
        let places = TenantResolver::new(ids.chain(names).collect::<Vec<_>>(), own, ids_known);
        TenantSessions { stations, places }
    }

    /// Says which tenants can't be sent in, and why.
    fn tell_failed(&self) {
        let failed = self.stations.iter().filter_map(|station| {
            let why = station.connection.as_ref().err()?;
            Some((station.key(), station.rows, why.to_string()))
        });
        tell_failed(failed.collect());
    }

    /// Whether there are several tenants.
    pub(super) fn are_several(&self) -> bool {
        self.stations.len() > 1
    }

    /// The first tenant that was signed in to.
    pub(super) fn first(&self) -> Option<&SignedInApp> {
        self.connections().next()
    }

    /// All that were signed in to.
    pub(super) fn connections(&self) -> impl Iterator<Item = &SignedInApp> {
        self.stations.iter().filter_map(|station| station.connection.as_ref().ok())
    }

    /// How the one tenant was signed in to, or the first.
    pub(super) fn sign_in_settings(&self) -> &SignInSettings {
        &self.stations[0].who
    }

    /// For the plan.
    pub(super) fn tenants(&self, work: &WorkArgs) -> PlanTenants<'_, Directory> {
        let several = self.are_several();
        let all = self.stations.iter().map(|station| {
            let connection = station.connection.as_ref().ok();
            let directory = connection.map(|connection| &connection.directory);
            PlanTenant {
                key: if several { station.key() } else { String::new() },
                signed: connection.map(run::signed).unwrap_or_default(),
                directory: directory.filter(|_| !work.choosing.no_lookup),
                closed: connection.is_none(),
            }
        });
        PlanTenants { places: self.places.clone(), all: all.collect() }
    }

    /// For `run.json`: nothing where there is one tenant.
    pub(super) fn records(
        &self,
        draft: &Draft,
        credentials: &CredentialSettings,
        unlisted: bool,
    ) -> Vec<TenantRecord> {
        if !self.are_several() {
            return Vec::new();
        }
        let record = |(at, station): (usize, &TenantSession)| {
            let operator = station.connection.as_ref().ok().map(|connection| &connection.operator);
            let id = station.connection.as_ref().ok().and_then(|connection| connection.tenant.id.clone());
            // Who could not be compared with the lists is not sent later, either.
            let unseen = station.connection.as_ref().err().filter(|_| !unlisted).map(ToString::to_string);
            let own = credentials.is_own(&station.who);
            TenantRecord {
                tenant: station.key(),
                named: station.names.iter().map(ToString::to_string).collect(),
                tenant_id: id.map(|id| id.to_lowercase()),
                app_id: operator.and_then(|operator| operator.app_id.clone()),
                auth: operator.map(|operator| operator.auth.clone()),
                users: draft.facts().tenants.get(at).map_or(0, |facts| facts.users),
                closed: draft.closed().get(&(at as TenantIndex)).cloned().or(unseen),
                client_id: station.who.client_id.clone().filter(|_| !own),
                sources: Some(station.who.sources.clone()).filter(|_| !own),
            }
        };
        self.stations.iter().enumerate().map(record).collect()
    }

    /// Who sends where; nothing is sent where nobody could sign in, or nobody could be looked up.
    pub(super) fn posts(self, unseen: &BTreeMap<TenantIndex, String>) -> Vec<TenantClients> {
        let post = |(at, station): (usize, TenantSession)| match station.connection {
            Err(why) => TenantClients {
                apps: Vec::new(),
                refused: Some(StopReason::SignIn { detail: why.to_string() }),
            },
            Ok(connection) => {
                let closed = unseen.get(&(at as TenantIndex)).map(|why| closed(why));
                TenantClients { refused: closed, ..connection.post() }
            }
        };
        self.stations.into_iter().enumerate().map(post).collect()
    }
}

/// Why nothing is sent in a tenant whose users could not be compared with the lists.
pub(super) fn closed(why: &str) -> StopReason {
    let why = why.trim_end_matches('.');
    StopReason::Runtime {
        detail: format!(
            "nobody could be looked up when the plan was made, so nothing is sent: {why}. `remaining.csv` begins anew"
        ),
    }
}

/// The one tenant that is wanted.
async fn one(
    wanted: Wanted,
    credentials: &CredentialSettings,
    apps: &AppSettings,
    network: &NetworkSettings,
) -> Result<TenantSessions, Error> {
    let who = credentials.for_tenants(wanted.names_of(0));
    let connection =
        apps::sign_in(&who, apps, network).await.map_err(|error| named_by_rows(error, &wanted))?;
    if !wanted.by_row {
        return Ok(TenantSessions::single(connection, &who));
    }
    if let Some(name) = wanted.names.first().filter(|_| wanted.own.is_none()) {
        is_meant(name, &connection)?;
    }
    let tid = connection.tenant_id().and_then(|id| id.parse().ok());
    let ids_known = tid.is_some();
    let named: Vec<TenantName> = wanted.names_of(0).cloned().collect();
    let names = named.iter().cloned().chain(tid).map(|name| (name, 0));
    let places = TenantResolver::new(names.collect::<Vec<_>>(), wanted.own, ids_known);
    let rows = wanted.rows.first().copied().unwrap_or_default();
    let station = TenantSession { names: named, rows, who, connection: Ok(connection) };
    Ok(TenantSessions { stations: vec![station], places })
}

/// The error of a sign-in, with the column of the input that named the tenant: no flag did.
fn named_by_rows(error: Error, wanted: &Wanted) -> Error {
    match (error, &wanted.column, wanted.names.first()) {
        (Error::SignIn(why), Some(column), Some(tenant)) => Error::SignIn(
            why.with_tenant_column(&crate::harmless::sanitize_truncated(column, 60), &tenant.to_string()),
        ),
        (error, ..) => error,
    }
}

/// The environment's secrets are those of the run's own app.
fn env_variables(own: bool) -> EnvVariables<'static> {
    if own { &process_variables } else { &additional_app_variables }
}
