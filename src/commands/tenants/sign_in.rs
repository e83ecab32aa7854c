//! Signs in to one of several tenants.

use std::time::Duration;

use crate::commands::connect::{MessageLog, SignInReporter, SignedInApp, sign_in_with_clients};
use crate::console;
use crate::http::HttpClients;
use crate::identity::{Auth, EnvLookup, SignInError};
use crate::settings::{NetworkSettings, SignInSettings};
use crate::tenant::TenantName;
use crate::text::humanize;

/// Signs in to one of several tenants, with a time limit, so that a sign-in that hangs does not hold up the others.
pub(super) async fn sign_in_to(
    name: &TenantName,
    sign_in: &SignInSettings,
    env_variables: EnvLookup<'_>,
    network: &NetworkSettings,
    clients: HttpClients,
    log: &MessageLog,
) -> Result<SignedInApp, SignInError> {
    let candidates = sign_in.credential_config(network).build_chain(env_variables)?;
    // A person who signs in with a device code may take longer.
    let is_interactive = candidates.first_method() == Some(Auth::DeviceCode);
    let reporter = SignInReporter::Tenant(log);
    let signing = sign_in_with_clients(&reporter, candidates, sign_in, network, clients);
    let signed_in_app = match is_interactive {
        true => signing.await?,
        false => {
            let within = sign_in_timeout(network.timeout);
            tokio::time::timeout(within, signing)
                .await
                .map_err(|_| SignInError::TimedOut { limit: within })??
        }
    };
    check_tenant_known(name, &signed_in_app)?;
    Ok(signed_in_app)
}

/// Maximum time of a sign-in to one of several tenants, because the others wait for it before their first request.
const MAX_SIGN_IN_TIME: Duration = Duration::from_secs(15);

/// The time limit of a sign-in to one of several tenants: enough for two answers and a short pause.
fn sign_in_timeout(timeout: Duration) -> Duration {
    timeout.saturating_mul(2).saturating_add(Duration::from_secs(2)).min(MAX_SIGN_IN_TIME)
}

/// Refuses a token whose tenant is not known, for rows that name a tenant, because users of one tenant must not be
/// looked up in another. The sign-in has already compared a known tenant with the name.
pub(super) fn check_tenant_known(name: &TenantName, signed_in_app: &SignedInApp) -> Result<(), SignInError> {
    match signed_in_app.tenant_id() {
        Some(_) => Ok(()),
        None => Err(SignInError::UnknownTenant {
            tenant: name.to_string(),
            found: "does not name its tenant".to_owned(),
        }),
    }
}

/// Prints the messages of several sign-ins, each sentence once.
pub(super) fn print_messages_once(log: MessageLog) {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for sentence in log.into_inner() {
        match counts.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, count)) => *count += 1,
            None => counts.push((sentence, 1)),
        }
    }
    for (sentence, count) in counts {
        let places = if count > 1 { format!(" [{} tenants]", humanize::count(count)) } else { String::new() };
        console::print_status(&format!("{sentence}{places}"));
    }
}

/// Maximum number of failed sign-ins that are listed one by one; the report has all of them.
const MAX_FAILED_SHOWN: usize = 5;

/// Warns about tenants in which nothing can be revoked: their names, the number of their rows, and the reason.
pub(super) fn print_failed_sign_ins(failed: Vec<(String, u64, String)>) {
    for (tenant, rows, why) in failed.iter().take(MAX_FAILED_SHOWN) {
        let rows = match rows {
            1 => "1 row is".to_owned(),
            rows => format!("{} rows are", humanize::count(*rows)),
        };
        console::print_status(&format!("warning: can't sign in to tenant {tenant}, {rows} skipped: {why}"));
    }
    if failed.len() > MAX_FAILED_SHOWN {
        let more = humanize::count((failed.len() - MAX_FAILED_SHOWN) as u64);
        console::print_status(&format!(
            "warning: can't sign in to {more} more tenants, which summary.json lists"
        ));
    }
}
