//! For which tenants a plan is made, and what became known of each.

use serde::{Deserialize, Serialize};

use super::Operator;
use crate::tenant::TenantResolver;

/// The tenants of a plan, in the order of [`super::Target::tenant`].
pub struct PlanTenants<'a, D> {
    /// Which of them each row belongs to.
    pub resolver: TenantResolver,
    /// At least one.
    pub tenants: Vec<PlanTenant<'a, D>>,
}

/// One of them.
pub struct PlanTenant<'a, D> {
    /// What it is called in the plan: its id, where that is known. Empty where it is the only one, and no row names it.
    pub key: String,
    /// Who signed in there.
    pub operator: Operator,
    /// Its directory, where it can be read.
    pub directory: Option<&'a D>,
    /// Whether nothing can be sent there: its rows are planned as they are written, and nobody is looked up.
    pub closed: bool,
}

impl<'a, D> PlanTenants<'a, D> {
    /// The one tenant there is; `names` are those that are known of it.
    pub fn single<'n>(
        signed: Operator,
        directory: Option<&'a D>,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let only = PlanTenant { key: String::new(), operator: signed, directory, closed: false };
        PlanTenants { resolver: TenantResolver::one(names), tenants: vec![only] }
    }
}

/// What is known of one tenant of several, for the question and the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanTenantFacts {
    /// What it is called in the plan.
    pub tenant: String,
    /// Users to revoke.
    pub users: u64,
    /// How many Global Administrators are among them, and how many the tenant has, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_administrators: Option<(u64, u64)>,
    /// Why nothing can be sent there, where that came out while the plan was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}
