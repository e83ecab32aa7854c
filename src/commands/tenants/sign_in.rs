//! Signing in to one of several tenants.

use std::time::Duration;

use crate::commands::connect::{AppRole, MessageLog, SignedInApp, connect_as};
use crate::console::{self, wording};
use crate::http::HttpClients;
use crate::identity::{Auth, EnvVariables, SignInError};
use crate::settings::{NetworkSettings, SignInSettings};
use crate::tenant::TenantName;

/// Signs in to one of several tenants, within a time: one that hangs must not keep the others waiting.
pub(super) async fn sign_in_to(
    name: &TenantName,
    who: &SignInSettings,
    whose: EnvVariables<'_>,
    network: &NetworkSettings,
    clients: HttpClients,
    said: &MessageLog,
) -> Result<SignedInApp, SignInError> {
    let candidates = who.offer(network).build_chain(whose)?;
    // A person takes the time that they take.
    let by_person = candidates.first_method() == Some(Auth::DeviceCode);
    let caller = AppRole::Tenant(said);
    let signing = connect_as(&caller, candidates, who, network, clients);
    let connection = match by_person {
        true => signing.await?,
        false => {
            let within = patience(network.timeout);
            tokio::time::timeout(within, signing).await.map_err(|_| SignInError::TimedOut { within })??
        }
    };
    is_meant(name, &connection)?;
    Ok(connection)
}

/// Longest time that a sign-in to one of several tenants may take: the others wait for it with their first user.
const LONGEST: Duration = Duration::from_secs(15);

/// How long a sign-in to one of several tenants may take: two answers and a breath between them.
fn patience(timeout: Duration) -> Duration {
    timeout.saturating_mul(2).saturating_add(Duration::from_secs(2)).min(LONGEST)
}

/// Rows that name a tenant are sent only where it is known to be the token's: users of another must not be looked for
/// there. That a domain and an id are one was found out when it was signed in to.
pub(super) fn is_meant(name: &TenantName, connection: &SignedInApp) -> Result<(), SignInError> {
    match connection.tenant_id() {
        Some(_) => Ok(()),
        None => Err(SignInError::UnknownTenant {
            tenant: name.to_string(),
            found: "does not say its tenant".to_owned(),
        }),
    }
}

/// What several sign-ins said, each sentence once.
pub(super) fn print_messages_once(said: MessageLog) {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for sentence in said.into_inner() {
        match counts.iter_mut().find(|(known, _)| *known == sentence) {
            Some((_, count)) => *count += 1,
            None => counts.push((sentence, 1)),
        }
    }
    for (sentence, count) in counts {
        let places = if count > 1 { format!(" [{} tenants]", wording::count(count)) } else { String::new() };
        console::print_status(&format!("{sentence}{places}"));
    }
}

/// So many sign-ins that failed are told one by one; the report has them all.
const TOLD: usize = 5;

/// Says which tenants can't be sent in: their names, how many rows wait there, and why.
pub(super) fn tell_failed(failed: Vec<(String, u64, String)>) {
    for (tenant, rows, why) in failed.iter().take(TOLD) {
        let rows = match rows {
            1 => "1 row is".to_owned(),
            rows => format!("{} rows are", wording::count(*rows)),
        };
        console::print_status(&format!("warning: no sign-in to tenant {tenant}, its {rows} not sent: {why}"));
    }
    if failed.len() > TOLD {
        let more = wording::count((failed.len() - TOLD) as u64);
        console::print_status(&format!(
            "warning: no sign-in to {more} more tenants: summary.json names them"
        ));
    }
}
