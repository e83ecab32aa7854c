//! Signing in all apps of a tenant, side by side, before anything is sent.
//!
//! One that can't sign in, may not revoke, or belongs to another tenant is left out with a warning: in an incident the
//! others' quotas are better than none. Where it is the first, the next one takes its place, if it surely signed in to
//! the tenant that was named. Only where nobody is left does the run end before it began.

use tokio::task::JoinSet;

use super::connect::{self, AppRole, SignedInApp, clients, connect_as};
use super::posts::AppClient;
use super::secret_files;
use crate::console;
use crate::error::Error;
use crate::harmless::sanitize_truncated;
use crate::http::HttpClients;
use crate::identity::{AdditionalApp, SignInError, additional_app_variables, process_variables};
use crate::journal::AppRecord;
use crate::settings::{AppSettings, NetworkSettings, SignInSettings};

/// An app that tried to sign in.
struct SignInAttempts<'a> {
    /// None for the first.
    app: Option<&'a AdditionalApp>,
    who: SignInSettings,
    result: Result<SignedInApp, SignInError>,
}

/// Signs in with what the flags and the environment offer, and all further apps with what is their own.
///
/// # Errors
/// When nobody is left to send: what is wrong with the first. When apps contradict each other.
pub(super) async fn sign_in(
    who: &SignInSettings,
    apps: &AppSettings,
    network: &NetworkSettings,
) -> Result<SignedInApp, Error> {
    if let Some(why) = &apps.exposed {
        console::print_status(&format!("warning: {why}"));
    }
    if apps.further.is_empty() {
        return connect::sign_in(who, network).await;
    }
    secret_files::warn(&who.sources, &process_variables);
    // What contradicts itself was never tried: then nobody signs in.
    let candidates = who.offer(network).build_chain(&process_variables);
    if let Err(error) = &candidates
        && error.is_usage()
    {
        return Err(error.clone().into());
    }
    let clients = clients(network)?;
    let mut others = JoinSet::new();
    for (place, app) in apps.further.iter().enumerate() {
        let (app, who, network, clients) = (app.clone(), who.further(app), network.clone(), clients.clone());
        others.spawn(async move { (place, further(&app, &who, &network, clients).await) });
    }
    let result = match candidates {
        Ok(candidates) => connect_as(&AppRole::First, candidates, who, network, clients).await,
        Err(error) => Err(error),
    };
    let mut results: Vec<_> = apps.further.iter().map(|_| Err(SignInError::RenewalFault)).collect();
    while let Some(joined) = others.join_next().await {
        // One that broke down stays broken, and the log has it.
        match joined {
            Ok((place, result)) => results[place] = result,
            Err(error) => tracing::error!(%error, "the sign-in of an app broke down"),
        }
    }
    let others = apps.further.iter().zip(results);
    let others = others.map(|(app, result)| SignInAttempts { app: Some(app), who: who.further(app), result });
    together(std::iter::once(SignInAttempts { app: None, who: who.clone(), result }).chain(others).collect())
}

/// Signs a further app in.
pub(super) async fn further(
    app: &AdditionalApp,
    who: &SignInSettings,
    network: &NetworkSettings,
    clients: HttpClients,
) -> Result<SignedInApp, SignInError> {
    secret_files::warn(&who.sources, &additional_app_variables);
    let caller = AppRole::Further(sanitize_truncated(&app.display_name(), 160));
    let candidates = who.offer(network).build_chain(&additional_app_variables)?;
    connect_as(&caller, candidates, who, network, clients).await
}

/// Joins the apps that signed in, the first of them first, and says who is left out.
fn together(tried: Vec<SignInAttempts<'_>>) -> Result<SignedInApp, Error> {
    contradictions(&tried)?;
    let mut post: Option<SignedInApp> = None;
    let mut records = Vec::new();
    let mut first_error = None;
    for SignInAttempts { app, who, result } in tried {
        let joined = match (result, &mut post) {
            (Err(error), _) => Err(error),
            (Ok(connection), None) if app.is_none() || is_sure(&who, &connection) => {
                records.push(record(app, Ok(&connection)));
                post = Some(connection);
                Ok(())
            }
            (Ok(_), None) => Err(SignInError::FallbackTenantUnverified),
            (Ok(connection), Some(post)) => join(post, connection, app, &mut records),
        };
        if let Err(error) = joined {
            records.push(record(app, Err((&who, &error))));
            say_left_out(app, &who, &error);
            first_error.get_or_insert(error);
        }
    }
    match (post, first_error) {
        (Some(post), error) => {
            if let (Some(_), Some(lead)) = (error, records.iter().find(|app| app.left_out.is_none()))
                && records.first().is_some_and(|first| first.left_out.is_some())
            {
                let lead = lead.app_id.as_deref().unwrap_or("the next app");
                console::print_status(&format!(
                    "warning: {} takes the first app's place",
                    sanitize_truncated(lead, 100)
                ));
            }
            Ok(SignedInApp { apps: records, ..post })
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(SignInError::RenewalFault.into()),
    }
}

/// Adds a partner, unless its token is for another tenant.
fn join(
    post: &mut SignedInApp,
    connection: SignedInApp,
    app: Option<&AdditionalApp>,
    records: &mut Vec<AppRecord>,
) -> Result<(), SignInError> {
    if let (Some(expected), Some(found)) = (&post.tenant.id, &connection.tenant.id)
        && !expected.eq_ignore_ascii_case(found)
    {
        return Err(SignInError::AdditionalAppTenant { expected: expected.clone(), found: found.clone() });
    }
    records.push(record(app, Ok(&connection)));
    post.partners.push(AppClient { graph: connection.graph, operator: connection.operator });
    Ok(())
}

/// Whether an app may take the first one's place: its tenant is surely the one that was named.
fn is_sure(who: &SignInSettings, connection: &SignedInApp) -> bool {
    who.tenant.is_some() && connection.tenant.id.is_some()
}

/// What shows only in tokens: the same app twice, or a person for an app.
fn contradictions(tried: &[SignInAttempts<'_>]) -> Result<(), Error> {
    let mut seen: Vec<String> = Vec::new();
    for SignInAttempts { app, result, .. } in tried {
        let Ok(connection) = result else { continue };
        let name =
            || app.map_or("the first app".to_owned(), |app| sanitize_truncated(&app.display_name(), 160));
        if app.is_some() && connection.claims.is_app_only() == Some(false) {
            return Err(Error::Usage(format!(
                "{}: its token is a person's, and a further app acts as itself; nothing was sent",
                name()
            )));
        }
        let Some(id) = connection.operator.app_id.as_ref().map(|id| id.to_lowercase()) else { continue };
        if seen.contains(&id) {
            return Err(Error::Usage(format!(
                "{}: app {} is signed in already: a second time it would only share its quota; nothing was sent",
                name(),
                sanitize_truncated(&id, 100)
            )));
        }
        seen.push(id);
    }
    Ok(())
}

/// For the evidence.
fn record(
    app: Option<&AdditionalApp>,
    result: Result<&SignedInApp, (&SignInSettings, &SignInError)>,
) -> AppRecord {
    let name = app.map(|app| app.name.clone());
    match result {
        Ok(connection) => AppRecord { name, ..AppRecord::from_operator(&connection.operator) },
        Err((who, error)) => AppRecord {
            app_id: who.client_id.clone(),
            auth: None,
            name,
            left_out: Some(sanitize_truncated(&error.to_string(), 500)),
        },
    }
}

fn say_left_out(app: Option<&AdditionalApp>, who: &SignInSettings, error: &SignInError) {
    let name = match (app, &who.client_id) {
        (Some(app), _) => app.display_name(),
        (None, Some(id)) => format!("{id} (the first)"),
        (None, None) => "the first".to_owned(),
    };
    console::print_status(&format!("warning: app {} is left out: {error}", sanitize_truncated(&name, 160)));
}
