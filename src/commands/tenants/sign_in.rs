//! Signing in to one of several tenants.

use std::time::Duration;

use crate::commands::connect::{MessageLog, SignInReporter, SignedInApp, sign_in_with_clients};
use crate::console;
use crate::http::HttpClients;
use crate::identity::{Auth, EnvVariables, SignInError};
use crate::settings::{NetworkSettings, SignInSettings};
use crate::tenant::TenantName;
use crate::text::humanize;

/// Signs in to one of several tenants, within a time: one that hangs must not keep the others waiting.
pub(super) async fn sign_in_to(
    name: &TenantName,
    sign_in: &SignInSettings,
    env_variables: EnvVariables<'_>,
    network: &NetworkSettings,
    clients: HttpClients,
    log: &MessageLog,
) -> Result<SignedInApp, SignInError> {
    let candidates = sign_in.offer(network).build_chain(env_variables)?;
    // A person takes the time that they take.
    let is_interactive = candidates.first_method() == Some(Auth::DeviceCode);
    let reporter = SignInReporter::Tenant(log);
    let signing = sign_in_with_clients(&reporter, candidates, sign_in, network, clients);
    let signed_in_app = match is_interactive {
        true => signing.await?,
        false => {
            let within = sign_in_timeout(network.timeout);
            tokio::time::timeout(within, signing).await.map_err(|_| SignInError::TimedOut { within })??
        }
    };
    check_tenant_known(name, &signed_in_app)?;
    Ok(signed_in_app)
}

/// Longest time that a sign-in to one of several tenants may take: the others wait for it with their first user.
const MAX_SIGN_IN_TIME: Duration = Duration::from_secs(15);

/// How long a sign-in to one of several tenants may take: two answers and a breath between them.
fn sign_in_timeout(timeout: Duration) -> Duration {
    timeout.saturating_mul(2).saturating_add(Duration::from_secs(2)).min(MAX_SIGN_IN_TIME)
}

/// Rows that name a tenant are sent only where it is known to be the token's: users of another must not be looked for
/// there. That a domain and an id are one was found out when it was signed in to.
pub(super) fn check_tenant_known(name: &TenantName, signed_in_app: &SignedInApp) -> Result<(), SignInError> {
    match signed_in_app.tenant_id() {
        Some(_) => Ok(()),
        None => Err(SignInError::UnknownTenant {
            tenant: name.to_string(),
            found: "does not say its tenant".to_owned(),
        }),
    }
}

/// What several sign-ins said, each sentence once.
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

/// So many sign-ins that failed are told one by one; the report has them all.
const MAX_FAILED_SHOWN: usize = 5;

/// Says which tenants can't be sent in: their names, how many rows wait there, and why.
pub(super) fn print_failed_sign_ins(failed: Vec<(String, u64, String)>) {
    for (tenant, rows, why) in failed.iter().take(MAX_FAILED_SHOWN) {
        let rows = match rows {
            1 => "1 row is".to_owned(),
            rows => format!("{} rows are", humanize::count(*rows)),
        };
        console::print_status(&format!("warning: no sign-in to tenant {tenant}, its {rows} not sent: {why}"));
    }
    if failed.len() > MAX_FAILED_SHOWN {
        let more = humanize::count((failed.len() - MAX_FAILED_SHOWN) as u64);
        console::print_status(&format!(
            "warning: no sign-in to {more} more tenants: summary.json names them"
        ));
    }
}
