//! Signing in all apps of a tenant, side by side, before anything is sent.
//!
//! One that can't sign in, may not revoke, or belongs to another tenant is left out with a warning: in an incident the
//! others' quotas are better than none. Where it is the first, the next one takes its place, if it surely signed in to
//! the tenant that was named. Only where nobody is left does the run end before it began.

use tokio::task::JoinSet;

use super::connect::{self, SignInReporter, SignedInApp, http_clients, sign_in_with_clients};
use super::secret_files;
use super::tenant_clients::AppClient;
use crate::console;
use crate::error::Error;
use crate::http::HttpClients;
use crate::identity::{AdditionalApp, SignInError, additional_app_variables, process_variables};
use crate::journal::AppRecord;
use crate::settings::{AppSettings, NetworkSettings, SignInSettings};
use crate::text::sanitize::sanitize_truncated;

/// An app that tried to sign in.
struct SignInAttempt<'a> {
    /// None for the first.
    app: Option<&'a AdditionalApp>,
    sign_in: SignInSettings,
    result: Result<SignedInApp, SignInError>,
}

/// Signs in with what the flags and the environment offer, and all further apps with what is their own.
///
/// # Errors
/// When nobody is left to send: what is wrong with the first. When apps contradict each other.
pub(super) async fn sign_in(
    sign_in: &SignInSettings,
    apps: &AppSettings,
    network: &NetworkSettings,
) -> Result<SignedInApp, Error> {
    if let Some(why) = &apps.exposed {
        console::print_status(&format!("warning: {why}"));
    }
    if apps.further.is_empty() {
        return connect::sign_in(sign_in, network).await;
    }
    secret_files::warn_readable_files(&sign_in.sources, &process_variables);
    // What contradicts itself was never tried: then nobody signs in.
    let candidates = sign_in.offer(network).build_chain(&process_variables);
    if let Err(error) = &candidates
        && error.is_usage()
    {
        return Err(error.clone().into());
    }
    let clients = http_clients(network)?;
    let mut others = JoinSet::new();
    for (place, app) in apps.further.iter().enumerate() {
        let (app, sign_in, network, clients) =
            (app.clone(), sign_in.further(app), network.clone(), clients.clone());
        others.spawn(async move { (place, sign_in_additional(&app, &sign_in, &network, clients).await) });
    }
    let result = match candidates {
        Ok(candidates) => {
            sign_in_with_clients(&SignInReporter::First, candidates, sign_in, network, clients).await
        }
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
    let others =
        others.map(|(app, result)| SignInAttempt { app: Some(app), sign_in: sign_in.further(app), result });
    combine_sign_ins(
        std::iter::once(SignInAttempt { app: None, sign_in: sign_in.clone(), result })
            .chain(others)
            .collect(),
    )
}

/// Signs a further app in.
pub(super) async fn sign_in_additional(
    app: &AdditionalApp,
    sign_in: &SignInSettings,
    network: &NetworkSettings,
    clients: HttpClients,
) -> Result<SignedInApp, SignInError> {
    secret_files::warn_readable_files(&sign_in.sources, &additional_app_variables);
    let reporter = SignInReporter::Additional(sanitize_truncated(&app.display_name(), 160));
    let candidates = sign_in.offer(network).build_chain(&additional_app_variables)?;
    sign_in_with_clients(&reporter, candidates, sign_in, network, clients).await
}

/// Joins the apps that signed in, the first of them first, and says who is left out.
fn combine_sign_ins(attempts: Vec<SignInAttempt<'_>>) -> Result<SignedInApp, Error> {
    check_contradictions(&attempts)?;
    let mut lead_app: Option<SignedInApp> = None;
    let mut records = Vec::new();
    let mut first_error = None;
    for SignInAttempt { app, sign_in, result } in attempts {
        let joined = match (result, &mut lead_app) {
            (Err(error), _) => Err(error),
            (Ok(signed_in_app), None) if app.is_none() || is_tenant_certain(&sign_in, &signed_in_app) => {
                records.push(app_record(app, Ok(&signed_in_app)));
                lead_app = Some(signed_in_app);
                Ok(())
            }
            (Ok(_), None) => Err(SignInError::FallbackTenantUnverified),
            (Ok(signed_in_app), Some(lead_app)) => add_client(lead_app, signed_in_app, app, &mut records),
        };
        if let Err(error) = joined {
            records.push(app_record(app, Err((&sign_in, &error))));
            warn_left_out(app, &sign_in, &error);
            first_error.get_or_insert(error);
        }
    }
    match (lead_app, first_error) {
        (Some(lead_app), error) => {
            if let (Some(_), Some(lead)) = (error, records.iter().find(|app| app.left_out.is_none()))
                && records.first().is_some_and(|first| first.left_out.is_some())
            {
                let lead = lead.app_id.as_deref().unwrap_or("the next app");
                console::print_status(&format!(
                    "warning: {} takes the first app's place",
                    sanitize_truncated(lead, 100)
                ));
            }
            Ok(SignedInApp { apps: records, ..lead_app })
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(SignInError::RenewalFault.into()),
    }
}

/// Adds a partner, unless its token is for another tenant.
fn add_client(
    lead_app: &mut SignedInApp,
    signed_in_app: SignedInApp,
    app: Option<&AdditionalApp>,
    records: &mut Vec<AppRecord>,
) -> Result<(), SignInError> {
    if let (Some(expected), Some(found)) = (&lead_app.tenant.id, &signed_in_app.tenant.id)
        && !expected.eq_ignore_ascii_case(found)
    {
        return Err(SignInError::AdditionalAppTenant { expected: expected.clone(), found: found.clone() });
    }
    records.push(app_record(app, Ok(&signed_in_app)));
    lead_app
        .additional_clients
        .push(AppClient { graph: signed_in_app.graph, operator: signed_in_app.operator });
    Ok(())
}

/// Whether an app may take the first one's place: its tenant is surely the one that was named.
fn is_tenant_certain(sign_in: &SignInSettings, signed_in_app: &SignedInApp) -> bool {
    sign_in.tenant.is_some() && signed_in_app.tenant.id.is_some()
}

/// What shows only in tokens: the same app twice, or a person for an app.
fn check_contradictions(attempts: &[SignInAttempt<'_>]) -> Result<(), Error> {
    let mut seen: Vec<String> = Vec::new();
    for SignInAttempt { app, result, .. } in attempts {
        let Ok(signed_in_app) = result else { continue };
        let name =
            || app.map_or("the first app".to_owned(), |app| sanitize_truncated(&app.display_name(), 160));
        if app.is_some() && signed_in_app.claims.is_app_only() == Some(false) {
            return Err(Error::Usage(format!(
                "{}: its token is a person's, and a further app acts as itself; nothing was sent",
                name()
            )));
        }
        let Some(id) = signed_in_app.operator.app_id.as_ref().map(|id| id.to_lowercase()) else { continue };
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
fn app_record(
    app: Option<&AdditionalApp>,
    result: Result<&SignedInApp, (&SignInSettings, &SignInError)>,
) -> AppRecord {
    let name = app.map(|app| app.name.clone());
    match result {
        Ok(signed_in_app) => AppRecord { name, ..AppRecord::from_operator(&signed_in_app.operator) },
        Err((sign_in, error)) => AppRecord {
            app_id: sign_in.client_id.clone(),
            auth: None,
            name,
            left_out: Some(sanitize_truncated(&error.to_string(), 500)),
        },
    }
}

fn warn_left_out(app: Option<&AdditionalApp>, sign_in: &SignInSettings, error: &SignInError) {
    let name = match (app, &sign_in.client_id) {
        (Some(app), _) => app.display_name(),
        (None, Some(id)) => format!("{id} (the first)"),
        (None, None) => "the first".to_owned(),
    };
    console::print_status(&format!("warning: app {} is left out: {error}", sanitize_truncated(&name, 160)));
}
