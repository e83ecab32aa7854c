//! What makes a plan want more than a yes: its size, the administrators in it, and three things that want the number of
//! users said by itself. Pure functions of what is known of the plan.

use crate::plan::{MaxShare, PlanSummary};
use crate::text::humanize;

/// Up to so many users a yes is enough, if no administrator is among them.
const MAX_WITHOUT_NUMBER: u64 = 100;

/// Whether the operator types the number of users instead of `y`. Where roles could not be read, the number alone tells.
pub fn requires_number(facts: &PlanSummary, users: u64) -> bool {
    users > MAX_WITHOUT_NUMBER || facts.administrators > 0
}

/// Why a plan is confirmed by a number of its own, also by a scheduled job (`--yes-i-mean`).
#[derive(Clone, Debug, PartialEq)]
pub enum ExtraConfirmation {
    /// Every user of the tenant is chosen.
    AllUsers,
    /// More than the share of the tenant's users that `--max-share` allows.
    Share {
        /// Users in the plan.
        users: u64,
        /// Users of the tenant.
        total: u64,
        /// What is allowed.
        allowed: MaxShare,
    },
    /// More than half of the tenant's Global Administrators.
    GlobalAdministrators {
        /// How many of them are in the plan.
        in_plan: u64,
        /// How many the tenant has.
        total: u64,
    },
    /// More than half of the Global Administrators of some of the run's tenants.
    GlobalAdministratorsInTenants {
        /// How many tenants.
        tenants: u64,
        /// The first of them, how many are in the plan there, and how many it has.
        first: (String, u64, u64),
    },
}

/// Tenants that could lose most of their Global Administrators.
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
    /// What is to be cautious of in a plan of so many users.
    ///
    /// # Errors
    /// When the share of the tenant's users is to be limited, and nobody knows how many the tenant has.
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
                    "--max-share {allowed} can't be checked: nobody knows how many users the tenant has. The sign-in \
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

    /// In one sentence, without its full stop.
    pub fn describe(&self) -> String {
        match self {
            ExtraConfirmation::AllUsers => "every user of the tenant is chosen (--all-users)".to_owned(),
            ExtraConfirmation::Share { users, total, allowed } => format!(
                "these are {} of the tenant's {}, more than --max-share {allowed}",
                humanize::count(*users),
                humanize::users(*total)
            ),
            ExtraConfirmation::GlobalAdministratorsInTenants { tenants, first: (tenant, in_plan, total) } => {
                let more = match tenants {
                    1 => String::new(),
                    more => format!(", and more than half in {} other tenants", humanize::count(more - 1)),
                };
                format!(
                    "{in_plan} of the {total} Global Administrators of tenant {tenant} are among them{more}; to keep those for \
                     emergencies out, use --protect"
                )
            }
            ExtraConfirmation::GlobalAdministrators { in_plan, total } if in_plan == total => format!(
                "these are all {total} Global Administrators of the tenant, those for emergencies among them; to keep some \
                 out, use --protect"
            ),
            ExtraConfirmation::GlobalAdministrators { in_plan, total } => format!(
                "{in_plan} of the tenant's {total} Global Administrators are among them, more than half; to keep those for \
                 emergencies out, use --protect"
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
