//! The apps that are signed in to each tenant of a run.

use std::collections::HashMap;
use std::sync::Arc;

use crate::dispatch::{AppLimitId, LaneTenant, PendingTargets, SendingApp, TargetProgress};
use crate::event::{StopReason, TargetNo};
use crate::graph::HttpGraph;
use crate::journal::OperatorRecord;
use crate::plan::Target;

/// An app that is signed in to a tenant.
pub(super) struct AppClient {
    pub(super) graph: Arc<HttpGraph>,
    pub(super) operator: OperatorRecord,
}

/// A tenant's apps.
pub(super) struct TenantClients {
    /// At least one app, unless nothing can be revoked in the tenant.
    pub(super) apps: Vec<AppClient>,
    /// Why nothing can be revoked in the tenant, if that is so.
    pub(super) refused: Option<StopReason>,
}

/// Combines the tenants' apps, in the order of the plan's tenants, with the targets of each tenant: those in `resumed`,
/// or all if it is `None`.
pub(super) fn build_tenants(
    tenant_clients: Vec<TenantClients>,
    targets: &[Target],
    resumed: Option<Vec<TargetProgress>>,
) -> Vec<LaneTenant<HttpGraph>> {
    let shared = multi_tenant_apps(&tenant_clients);
    let has_several_senders =
        tenant_clients.len() > 1 || tenant_clients.iter().any(|clients| clients.apps.len() > 1);
    let app = |client: AppClient| {
        let id = client.operator.app_id.as_deref();
        SendingApp {
            everywhere: id.and_then(|id| shared.get(id).copied()),
            id: id.filter(|_| has_several_senders).map(Arc::from),
            graph: client.graph,
        }
    };
    let work = targets_by_tenant(tenant_clients.len(), targets, resumed);
    let tenant = |(clients, work): (TenantClients, PendingTargets)| LaneTenant {
        apps: clients.apps.into_iter().map(app).collect(),
        work,
        refused: clients.refused,
    };
    tenant_clients.into_iter().zip(work).map(tenant).collect()
}

/// The apps that work in more than one tenant. Graph has a limit for such an app over all its tenants.
fn multi_tenant_apps(tenant_clients: &[TenantClients]) -> HashMap<String, AppLimitId> {
    let mut tenants: HashMap<&str, usize> = HashMap::new();
    for app in tenant_clients
        .iter()
        .flat_map(|clients| &clients.apps)
        .filter_map(|app| app.operator.app_id.as_deref())
    {
        *tenants.entry(app).or_default() += 1;
    }
    let mut shared: Vec<&str> =
        tenants.iter().filter(|(_, count)| **count > 1).map(|(app, _)| *app).collect();
    shared.sort_unstable();
    shared.into_iter().enumerate().map(|(place, app)| (app.to_owned(), AppLimitId(place))).collect()
}

/// The targets of each tenant. For a single tenant, they are not listed one by one.
fn targets_by_tenant(
    tenants: usize,
    targets: &[Target],
    resumed: Option<Vec<TargetProgress>>,
) -> Vec<PendingTargets> {
    match (tenants, resumed) {
        (1, Some(work)) => vec![PendingTargets::Work(work)],
        (1, None) => vec![PendingTargets::First(targets.len() as TargetNo)],
        (_, Some(work)) => {
            let mut by_tenant: Vec<Vec<TargetProgress>> = vec![Vec::new(); tenants];
            for work in work {
                by_tenant[targets[work.order as usize - 1].tenant as usize].push(work);
            }
            by_tenant.into_iter().map(PendingTargets::Work).collect()
        }
        (_, None) => {
            let mut by_tenant: Vec<Vec<TargetNo>> = vec![Vec::new(); tenants];
            for (order, target) in (1..).zip(targets) {
                by_tenant[target.tenant as usize].push(order);
            }
            by_tenant.into_iter().map(PendingTargets::Orders).collect()
        }
    }
}
