//! The tenants of a plan, and the facts about each.

use serde::{Deserialize, Serialize};

use super::Operator;
use crate::tenant::TenantResolver;

/// The tenants of a plan, in the order of [`super::Target::tenant`].
pub struct PlanTenants<'a, D> {
    /// Decides to which of them each row belongs.
    pub resolver: TenantResolver,
    /// At least one.
    pub tenants: Vec<PlanTenant<'a, D>>,
}

/// One tenant of a plan.
pub struct PlanTenant<'a, D> {
    /// Its name in the plan: its ID, if known. Empty if it is the only tenant and no row names it.
    pub key: String,
    /// The operator who is signed in there.
    pub operator: Operator,
    /// Its directory, if it is read.
    pub directory: Option<&'a D>,
    /// Whether nothing can be sent there. If so, its rows are planned as they are written, without look-ups.
    pub closed: bool,
}

impl<'a, D> PlanTenants<'a, D> {
    /// The tenants of a run with one tenant. `names` are its known names.
    pub fn single<'n>(
        signed: Operator,
        directory: Option<&'a D>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let only = PlanTenant { key: String::new(), operator: signed, directory, closed: false };
        PlanTenants { resolver: TenantResolver::single(names), tenants: vec![only] }
    }
}

/// The facts about one of several tenants, for the question and the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTenantFacts {
    /// Its name in the plan.
    pub tenant: String,
    /// The number of users to revoke.
    pub users: u64,
    /// The number of Global Administrators among them and in the tenant, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_administrators: Option<(u64, u64)>,
    /// Why nothing can be sent there, if that was found while the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}
