//! Signing in again to the tenants of a run that have users left.

use super::sign_in::{sign_in_to, tell_failed, told_once};
use super::{AT_ONCE, closed, whose};
use crate::cli::SignInArgs;
use crate::commands::connect::{Connection, Said, clients};
use crate::commands::posts::Post;
use crate::commands::secret_files;
use crate::console::Output;
use crate::error::Error;
use crate::event::Stop;
use crate::identity::{SignInError, process_variables};
use crate::journal::{Operator, RunRecord, TenantRecord};
use crate::settings::{Network, SignIn};
use crate::together::together;

/// Who goes on with a run of several tenants.
pub(in crate::commands) struct Again {
    /// In the order of the run's tenants.
    pub(in crate::commands) posts: Vec<Post>,
    /// The first who signed in.
    pub(in crate::commands) operator: Operator,
}

/// Signs in to each tenant that has users left (`left`, in the order of the run's tenants).
///
/// # Errors
/// When none of them can be signed in to.
pub(in crate::commands) async fn again(
    args: &SignInArgs,
    record: &RunRecord,
    left: &[u64],
    network: &Network,
    output: Output,
) -> Result<Again, Error> {
    let own = SignIn::resumed(args, None, &record.settings);
    if own.sources.reads_stdin() {
        return Err(Error::Usage(
            "the run has several tenants, and standard input can be read once: give the secret in a file or in the \
             environment"
                .to_owned(),
        ));
    }
    secret_files::warn(&own.sources, &process_variables);
    let clients = clients(network)?;
    let said = Said::default();
    let tried = together(
        AT_ONCE,
        record.tenants.iter().zip(left).map(|(tenant, left)| {
            let (clients, said) = (clients.clone(), &said);
            let own = &own;
            async move {
                match (*left, &tenant.closed) {
                    (0, _) | (_, Some(_)) => None,
                    _ => Some(one(tenant, &who(tenant, own), network, clients, said).await),
                }
            }
        }),
    )
    .await;
    if output != Output::None {
        told_once(said);
    }
    let (mut posts, mut failed, mut first_error, mut operator) = (Vec::new(), Vec::new(), None, None);
    for ((tenant, left), tried) in record.tenants.iter().zip(left).zip(tried) {
        posts.push(match tried {
            Some(Ok(connection)) => {
                operator.get_or_insert_with(|| connection.operator.clone());
                connection.post()
            }
            Some(Err(why)) => {
                failed.push((tenant.tenant.clone(), *left, why.to_string()));
                let refused = Some(Stop::SignIn { detail: why.to_string() });
                first_error.get_or_insert(why);
                Post { apps: Vec::new(), refused }
            }
            None => {
                Post { apps: Vec::new(), refused: tenant.closed.as_deref().filter(|_| *left > 0).map(closed) }
            }
        });
    }
    tell_failed(failed);
    match (operator, first_error) {
        (Some(operator), _) => Ok(Again { posts, operator }),
        (None, Some(why)) => Err(why.into()),
        // Whoever is left stands in tenants that this run never sends in: it only says so once more.
        (None, None) => Ok(Again { posts, operator: record.operator.clone() }),
    }
}

/// How a tenant was signed in to, unless a flag says otherwise.
fn who(tenant: &TenantRecord, own: &SignIn) -> SignIn {
    let name = tenant.tenant_id.as_ref().unwrap_or(&tenant.tenant);
    SignIn {
        tenant: Some(name.clone()),
        client_id: tenant.client_id.clone().or_else(|| own.client_id.clone()),
        sources: tenant.sources.clone().unwrap_or_else(|| own.sources.clone()),
    }
}

/// Signs in to the same tenant as before, and no other.
async fn one(
    tenant: &TenantRecord,
    who: &SignIn,
    network: &Network,
    clients: crate::http::HttpClients,
    said: &Said,
) -> Result<Connection, SignInError> {
    let unknown =
        |found: &str| SignInError::UnknownTenant { tenant: tenant.tenant.clone(), found: found.to_owned() };
    let name =
        who.tenant.as_deref().unwrap_or_default().parse().map_err(|_| unknown("can't be asked for"))?;
    let connection = sign_in_to(&name, who, whose(tenant.sources.is_none()), network, clients, said).await?;
    match (&tenant.tenant_id, &connection.tenant.id) {
        (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => {
            Err(SignInError::OtherTenant { expected: begun.clone(), found: now.clone() })
        }
        _ => Ok(connection),
    }
}
