//! Signs in all apps of a tenant in parallel, before the first request.
//!
//! An app that can't sign in, may not revoke, or belongs to another tenant is left out with a warning, because in an
//! incident the quotas of the others are better than none. If it is the first app, the next one replaces it, provided
//! that it is certainly signed in to the named tenant. The command fails only if no app is left.

use tokio::task::JoinSet;

use super::connect::{self, SignInReporter, SignedInApp, http_clients, sign_in_with_clients};
use super::secret_files;
use super::tenant_clients::AppClient;
use crate::console;
use crate::error::Error;
use crate::http::HttpClients;
use crate::identity::{AdditionalApp, SignInError, additional_app_variables, process_variable};
use crate::journal::AppRecord;
use crate::settings::{AppSettings, NetworkSettings, SignInSettings};
use crate::text::sanitize::sanitize_truncated;

/// An app's attempt to sign in.
struct SignInAttempt<'a> {
    /// `None` for the first app.
    app: Option<&'a AdditionalApp>,
    sign_in: SignInSettings,
    result: Result<SignedInApp, SignInError>,
}

/// Signs in the first app with the credentials from flags and environment, and all further apps with their own.
///
/// # Errors
/// When no app is left: the error of the first. When apps contradict each other.
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
    secret_files::warn_readable_files(&sign_in.sources, &process_variable);
    // If the flags of the first app contradict each other, no app signs in.
    let candidates = sign_in.credential_config(network).build_chain(&process_variable);
    if let Err(error) = &candidates
        && error.is_usage()
    {
        return Err(error.clone().into());
    }
    let clients = http_clients(network)?;
    let mut others = JoinSet::new();
    for (place, app) in apps.further.iter().enumerate() {
        let (app, sign_in, network, clients) =
            (app.clone(), sign_in.for_additional_app(app), network.clone(), clients.clone());
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
        // If a task panicked, its result stays an error.
        match joined {
            Ok((place, result)) => results[place] = result,
            Err(error) => tracing::error!(%error, "internal error: the sign-in of an app panicked"),
        }
    }
    let others = apps.further.iter().zip(results);
    let others = others.map(|(app, result)| SignInAttempt {
        app: Some(app),
        sign_in: sign_in.for_additional_app(app),
        result,
    });
    combine_sign_ins(
        std::iter::once(SignInAttempt { app: None, sign_in: sign_in.clone(), result })
            .chain(others)
            .collect(),
    )
}

/// Signs in a further app.
pub(super) async fn sign_in_additional(
    app: &AdditionalApp,
    sign_in: &SignInSettings,
    network: &NetworkSettings,
    clients: HttpClients,
) -> Result<SignedInApp, SignInError> {
    secret_files::warn_readable_files(&sign_in.sources, &additional_app_variables);
    let reporter = SignInReporter::Additional(sanitize_truncated(&app.display_name(), 160));
    let candidates = sign_in.credential_config(network).build_chain(&additional_app_variables)?;
    sign_in_with_clients(&reporter, candidates, sign_in, network, clients).await
}

/// Combines the apps that signed in, in order, and warns about those that are left out.
fn combine_sign_ins(attempts: Vec<SignInAttempt<'_>>) -> Result<SignedInApp, Error> {
    check_contradictions(&attempts)?;
    let mut lead_app: Option<SignedInApp> = None;
    let mut records = Vec::new();
    let mut first_error = None;
    for SignInAttempt { app, sign_in, result } in attempts {
        let joined = match (result, &mut lead_app) {
            (Err(error), _) => Err(error),
            (Ok(signed_in_app), None) if app.is_none() || is_tenant_verified(&sign_in, &signed_in_app) => {
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
                    "warning: {} replaces the first app",
                    sanitize_truncated(lead, 100)
                ));
            }
            Ok(SignedInApp { apps: records, ..lead_app })
        }
        (None, Some(error)) => Err(error.into()),
        (None, None) => Err(SignInError::RenewalFault.into()),
    }
}

/// Adds a further app, unless its token is for another tenant.
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

/// Whether an app may replace the first one: its tenant is certainly the one that was named.
fn is_tenant_verified(sign_in: &SignInSettings, signed_in_app: &SignedInApp) -> bool {
    sign_in.tenant.is_some() && signed_in_app.tenant.id.is_some()
}

/// Refuses mistakes that only the tokens reveal: the same app twice, or a user in place of a further app.
fn check_contradictions(attempts: &[SignInAttempt<'_>]) -> Result<(), Error> {
    let mut seen: Vec<String> = Vec::new();
    for SignInAttempt { app, result, .. } in attempts {
        let Ok(signed_in_app) = result else { continue };
        let name =
            || app.map_or("the first app".to_owned(), |app| sanitize_truncated(&app.display_name(), 160));
        if app.is_some() && signed_in_app.claims.is_app_only() == Some(false) {
            return Err(Error::Usage(format!(
                "{}: its token is a user's, but a further app must sign in as an app; nothing was revoked",
                name()
            )));
        }
        let Some(id) = signed_in_app.operator.app_id.as_ref().map(|id| id.to_lowercase()) else { continue };
        if seen.contains(&id) {
            return Err(Error::Usage(format!(
                "{}: app {} is already signed in, and a second sign-in would share its quota; nothing was \
                 revoked",
                name(),
                sanitize_truncated(&id, 100)
            )));
        }
        seen.push(id);
    }
    Ok(())
}

/// The record of an app for the evidence.
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
    console::print_status(&format!("warning: app {} is not used: {error}", sanitize_truncated(&name, 160)));
}
