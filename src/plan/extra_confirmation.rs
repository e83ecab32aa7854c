//! Plans for which `y` is not enough: large plans, plans with administrators, and three cases in which the
//! number of users is confirmed separately. All functions depend only on the facts about the plan.

use crate::plan::{MaxShare, PlanSummary};
use crate::text::humanize;

/// The maximum number of users for which `y` is enough, if no administrator is among them.
const MAX_WITHOUT_NUMBER: u64 = 100;

/// Whether the operator must type the number of users instead of `y`. If roles could not be read, only the
/// number of users decides.
pub fn requires_number(facts: &PlanSummary, users: u64) -> bool {
    users > MAX_WITHOUT_NUMBER || facts.administrators > 0
}

/// Why a plan needs a separate confirmation by number, also in a scheduled job (`--yes-i-mean`).
#[derive(Clone, Debug, PartialEq)]
pub enum ExtraConfirmation {
    /// The plan is for every user of the tenant.
    AllUsers,
    /// The plan is for more than the share of the tenant's users that `--max-share` allows.
    Share {
        /// The number of users in the plan.
        users: u64,
        /// The number of users in the tenant.
        total: u64,
        /// The allowed share.
        allowed: MaxShare,
    },
    /// The plan has more than half of the tenant's Global Administrators.
    GlobalAdministrators {
        /// The number in the plan.
        in_plan: u64,
        /// The number in the tenant.
        total: u64,
    },
    /// The plan has more than half of the Global Administrators of some tenants.
    GlobalAdministratorsInTenants {
        /// The number of such tenants.
        tenants: u64,
        /// The first such tenant, with the numbers in the plan and in the tenant.
        first: (String, u64, u64),
    },
}

/// Finds the tenants with more than half of their Global Administrators in the plan.
fn assess_tenants(facts: &PlanSummary) -> Option<ExtraConfirmation> {
    let affected = facts.tenants.iter().filter_map(|tenant| {
        let (in_plan, total) =
            tenant.global_administrators.filter(|(in_plan, total)| in_plan.saturating_mul(2) > *total)?;
        Some((tenant.tenant.clone(), in_plan, total))
    });
    let affected: Vec<_> = affected.collect();
    let first = affected.first()?.clone();
    Some(ExtraConfirmation::GlobalAdministratorsInTenants { tenants: affected.len() as u64, first })
}

impl ExtraConfirmation {
    /// The reasons for a separate confirmation of a plan with this number of users.
    ///
    /// # Errors
    /// When there is a `max_share`, but the number of the tenant's users is not known.
    pub fn assess(
        facts: &PlanSummary,
        users: u64,
        all_users: bool,
        max_share: Option<MaxShare>,
    ) -> Result<Vec<ExtraConfirmation>, String> {
        let mut found = Vec::new();
        if users == 0 {
            return Ok(found);
        }
        found.extend(all_users.then_some(ExtraConfirmation::AllUsers));
        if let Some(allowed) = max_share {
            let total = facts.tenant_users.ok_or_else(|| {
                format!(
                    "can't check --max-share {allowed}: the tenant's user count is unknown. The sign-in \
                     needs the permission User.Read.All"
                )
            })?;
            found.extend(allowed.is_exceeded(users, total).then_some(ExtraConfirmation::Share {
                users,
                total,
                allowed,
            }));
        }
        if !facts.tenants.is_empty() {
            found.extend(assess_tenants(facts));
        } else if let Some((in_plan, total)) =
            facts.global_administrators.filter(|(in_plan, total)| in_plan.saturating_mul(2) > *total)
        {
            found.push(ExtraConfirmation::GlobalAdministrators { in_plan, total });
        }
        Ok(found)
    }

    /// The reason as one sentence, without a full stop.
    pub fn describe(&self) -> String {
        match self {
            ExtraConfirmation::AllUsers => "the plan includes every user of the tenant \
                 (--all-users)"
                .to_owned(),
            ExtraConfirmation::Share { users, total, allowed } => format!(
                "the plan has {} of the tenant's {}, more than --max-share {allowed}",
                humanize::count(*users),
                humanize::users(*total)
            ),
            ExtraConfirmation::GlobalAdministratorsInTenants { tenants, first: (tenant, in_plan, total) } => {
                let more = match tenants {
                    1 => String::new(),
                    more => format!(", and more than half in {} other tenants", humanize::count(more - 1)),
                };
                format!(
                    "{in_plan} of the {total} Global Administrators of tenant {tenant} are among them{more}; \
                     use --protect to keep break-glass accounts out"
                )
            }
            ExtraConfirmation::GlobalAdministrators { in_plan, total } if in_plan == total => format!(
                "this revokes all {total} Global Administrators of the tenant, including break-glass accounts; \
                 use --protect to keep some out"
            ),
            ExtraConfirmation::GlobalAdministrators { in_plan, total } => format!(
                "{in_plan} of the tenant's {total} Global Administrators are among them, more than half; use \
                 --protect to keep break-glass accounts out"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assess(facts: &PlanSummary, users: u64, share: Option<&str>) -> Vec<ExtraConfirmation> {
        ExtraConfirmation::assess(facts, users, false, share.map(|share| share.parse().unwrap())).unwrap()
    }

    #[test]
    fn large_plan_or_administrator_requires_number() {
        let none = PlanSummary::default();
        let one = PlanSummary { administrators: 1, ..PlanSummary::default() };
        assert!(!requires_number(&none, 100) && requires_number(&none, 101) && requires_number(&one, 1));
    }

    #[test]
    fn more_than_half_is_too_much() {
        let facts = |in_plan, total| PlanSummary {
            global_administrators: Some((in_plan, total)),
            ..PlanSummary::default()
        };
        assert!(assess(&facts(0, 0), 5, None).is_empty());
        assert!(assess(&facts(1, 2), 5, None).is_empty());
        assert_eq!(
            assess(&facts(1, 1), 5, None),
            [ExtraConfirmation::GlobalAdministrators { in_plan: 1, total: 1 }]
        );
        assert_eq!(
            assess(&facts(2, 3), 5, None),
            [ExtraConfirmation::GlobalAdministrators { in_plan: 2, total: 3 }]
        );
    }

    #[test]
    fn a_share_is_of_the_tenant_and_must_be_known() {
        let facts = PlanSummary { tenant_users: Some(100), ..PlanSummary::default() };
        assert!(assess(&facts, 10, Some("10%")).is_empty());
        assert_eq!(assess(&facts, 11, Some("10%")).len(), 1);
        let why = ExtraConfirmation::assess(&PlanSummary::default(), 1, false, Some("10%".parse().unwrap()));
        assert!(why.unwrap_err().contains("User.Read.All"));
    }

    #[test]
    fn empty_plan_needs_no_extra_confirmation() {
        let facts = PlanSummary { global_administrators: Some((0, 0)), ..PlanSummary::default() };
        assert!(ExtraConfirmation::assess(&facts, 0, true, Some("1%".parse().unwrap())).unwrap().is_empty());
        assert_eq!(ExtraConfirmation::assess(&facts, 1, true, None).unwrap(), [ExtraConfirmation::AllUsers]);
    }
}
