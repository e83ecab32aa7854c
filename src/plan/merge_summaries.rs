//! Merges the facts of several tenants into those of the plan.

use std::collections::BTreeMap;

use super::build::ClosedTenants;
use super::plan_builder::{DraftRows, PlanTenantCounts};
use super::{LookupStatus, PlanSummary, PlanTenantFacts, PlanTenants};
use crate::event::TenantIndex;
use crate::text::humanize;

/// Merges the facts (`each`) and the counts of all tenants into the facts of the plan.
pub(super) fn merge_summaries<D>(
    facts: &mut PlanSummary,
    each: Vec<PlanSummary>,
    counted: Vec<PlanTenantCounts>,
    drafted_rows: &DraftRows,
    tenants: &PlanTenants<'_, D>,
    closed: &ClosedTenants,
) {
    let roles_known = counted.iter().any(|each| each.global_administrators.is_some());
    if roles_known {
        facts.admins.get_or_insert_default();
    }
    let known = counted.iter().filter_map(|each| each.global_administrators);
    facts.global_administrators = known.reduce(|sum, (among, of)| (sum.0 + among, sum.1 + of));
    // Nothing is revoked in closed tenants, so it does not matter what is unknown there.
    let open: Vec<usize> = (0..each.len())
        .filter(|at| !tenants.tenants[*at].closed && !closed.reasons.contains_key(&(*at as u32)))
        .collect();
    facts.resolution = merge_resolution(&each, &open);
    facts.unchecked.splice(0..0, merge_unchecked(&each, &open));
    if tenants.tenants.len() == 1 {
        return;
    }
    debug_assert_eq!(counted.iter().map(|each| each.users).sum::<u64>(), drafted_rows.targets.len() as u64);
    let tenant =
        |((at, tenant), counted): ((usize, &super::PlanTenant<'_, D>), PlanTenantCounts)| PlanTenantFacts {
            tenant: tenant.key.clone(),
            users: counted.users,
            global_administrators: counted.global_administrators,
            closed: closed.reasons.get(&(at as TenantIndex)).cloned(),
        };
    facts.tenants = tenants.tenants.iter().enumerate().zip(counted).map(tenant).collect();
}

/// Whether users were looked up in all tenants, and if not, why not.
fn merge_resolution(each: &[PlanSummary], open: &[usize]) -> LookupStatus {
    let mut kinds: Vec<(&LookupStatus, usize)> = Vec::new();
    for at in open {
        let found = &each[*at].resolution;
        match kinds.iter_mut().find(|(kind, _)| *kind == found) {
            Some((_, count)) => *count += 1,
            None => kinds.push((found, 1)),
        }
    }
    match &kinds[..] {
        [] => LookupStatus::NotAsked,
        [(kind, _)] => (*kind).clone(),
        several => {
            let lacking = several.iter().find_map(|(kind, count)| match kind {
                LookupStatus::Impossible(why) => {
                    Some(format!("{}: {why}", tenant_count_text(*count, open.len())))
                }
                _ => None,
            });
            lacking.map_or(LookupStatus::NotAsked, LookupStatus::Impossible)
        }
    }
}

/// What could not be checked, without repetitions.
fn merge_unchecked(each: &[PlanSummary], open: &[usize]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut order: Vec<&str> = Vec::new();
    for what in open.iter().flat_map(|at| &each[*at].unchecked) {
        *counts.entry(what).or_insert_with(|| {
            order.push(what);
            0
        }) += 1;
    }
    let sentence = |what: &str| match counts[what] {
        all if all == open.len() => what.to_owned(),
        count => format!("{what} {}", tenant_count_text(count, open.len())),
    };
    order.into_iter().map(sentence).collect()
}

fn tenant_count_text(count: usize, of: usize) -> String {
    format!("in {} of {} tenants", humanize::count(count as u64), humanize::count(of as u64))
}
