//! The report's part about each tenant, if a run has several.

use std::collections::HashMap;

use serde::Serialize;

use super::row::ReportRow;
use super::summary::{StopRecord, exit_code};
use super::totals::Totals;
use crate::event::{StopReason, TenantIndex};
use crate::journal::{JournalIndex, OutcomeCounts, RunRecord, TenantRecord};
use crate::outcome::{AcceptedOutcomes, Outcome};

/// The facts about tenants that the rows lack.
#[derive(Clone, Debug, Default)]
pub struct TenantNotes {
    /// The tenant of a run with only one.
    run_tenant: String,
    /// Why nothing was revoked in some of several tenants.
    reasons: HashMap<String, String>,
}

impl TenantNotes {
    /// The facts in the record. Reasons for a stop are not known yet.
    pub fn from_record(record: &RunRecord) -> TenantNotes {
        let own = record.tenant_id.as_ref().or(record.tenant.as_ref()).filter(|_| record.tenants.is_empty());
        TenantNotes { run_tenant: own.cloned().unwrap_or_default(), reasons: HashMap::new() }
    }

    /// The facts in the record and the journal.
    pub fn new(record: &RunRecord, journal: &JournalIndex) -> TenantNotes {
        let mut notes = TenantNotes::from_record(record);
        notes.add_reasons(record, journal);
        notes
    }

    /// Adds the reasons why nothing was revoked in some tenants.
    pub fn add_reasons(&mut self, record: &RunRecord, journal: &JournalIndex) {
        let reason = |(place, tenant): (TenantIndex, &TenantRecord)| {
            Some((tenant.tenant.clone(), journal.stopped_tenants.get(&place)?.to_string()))
        };
        self.reasons = (0..).zip(&record.tenants).filter_map(reason).collect();
    }

    /// Adds the tenant to a row and, if the row was not attempted, the tenant's reason.
    pub fn fill_tenant<'a>(&'a self, mut row: ReportRow<'a>) -> ReportRow<'a> {
        if row.tenant.is_empty() {
            row.tenant = &self.run_tenant;
        }
        if row.outcome == Outcome::NotAttempted
            && let Some(why) = self.reasons.get(row.tenant)
        {
            row.detail = match &*row.detail {
                "" => why.as_str().into(),
                known => format!("{known}; {why}").into(),
            };
        }
        row
    }
}

/// The totals of several tenants.
#[derive(Debug)]
pub(super) struct TenantTotals {
    accepted: AcceptedOutcomes,
    totals: HashMap<String, Totals>,
}

impl TenantTotals {
    /// Totals without any rows.
    pub(super) fn new(accepted: &AcceptedOutcomes) -> TenantTotals {
        TenantTotals { accepted: accepted.clone(), totals: HashMap::new() }
    }

    pub(super) fn add(&mut self, row: &ReportRow<'_>) {
        match self.totals.get_mut(row.tenant) {
            Some(totals) => drop(totals.add(row)),
            None => {
                let mut totals = Totals::new(&self.accepted);
                totals.add(row);
                self.totals.insert(row.tenant.to_owned(), totals);
            }
        }
    }
}

/// One of several tenants, in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct TenantSummary {
    /// Its name in `report.csv`: its ID, or a name if the sign-in failed.
    pub tenant: String,
    /// Its names in the rows.
    pub named: Vec<String>,
    /// The app that sent, if it is known.
    pub app_id: Option<String>,
    /// The number of its rows.
    pub rows: u64,
    /// The number of users to revoke.
    pub users: u64,
    /// The number of rows by outcome, without zeros.
    pub outcomes: OutcomeCounts,
    /// The number of rows that are done.
    pub done: u64,
    /// The number of rows that are not done.
    pub not_done: u64,
    /// The number of rows that were left out on purpose.
    pub left_out: u64,
    /// Why the last process stopped there, while other tenants continued.
    pub stopped: Option<StopRecord>,
    /// The exit code that a run of this tenant alone would have.
    pub exit_code: u8,
}

impl TenantSummary {
    /// A readable name.
    pub fn name(&self) -> &str {
        self.named.iter().find(|name| name.contains('.')).unwrap_or(&self.tenant)
    }
}

/// A tenant, and why it stopped.
pub(super) type ReportTenant = (TenantRecord, Option<StopReason>);

/// The tenants of a run, in their order. If it has only one, that one.
pub(super) fn summarize_run(record: &RunRecord, journal: &JournalIndex) -> Vec<ReportTenant> {
    if record.tenants.is_empty() {
        let only = TenantRecord {
            tenant: TenantNotes::from_record(record).run_tenant,
            named: record.tenant.iter().cloned().collect(),
            tenant_id: record.tenant_id.clone(),
            app_id: record.operator.app_id.clone(),
            auth: Some(record.operator.auth.clone()),
            ..TenantRecord::default()
        };
        return vec![(only, journal.stopped.clone())];
    }
    let why = |place: TenantIndex| journal.stopped_tenants.get(&place).cloned();
    (0..).zip(&record.tenants).map(|(place, tenant)| (tenant.clone(), why(place))).collect()
}

/// The tenants of several runs, each once, in order of appearance.
pub(super) fn summarize_runs<'a>(
    runs: impl Iterator<Item = (&'a RunRecord, &'a JournalIndex)>,
) -> Vec<ReportTenant> {
    let mut joined: Vec<ReportTenant> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (tenant, why) in runs.flat_map(|(record, journal)| summarize_run(record, journal)) {
        match places.get(&tenant.tenant) {
            Some(place) => {
                let (known, stopped) = &mut joined[*place];
                let new = tenant.named.into_iter().filter(|name| !known.named.contains(name));
                known.named.extend(new.collect::<Vec<_>>());
                *stopped = stopped.take().or(why);
            }
            None => {
                places.insert(tenant.tenant.clone(), joined.len());
                joined.push((tenant, why));
            }
        }
    }
    joined
}

/// The summary of each tenant. Empty if there are no totals by tenant. `stopped` is the reason that stopped the whole
/// run.
pub(super) fn summarize(
    tenants: Vec<ReportTenant>,
    tenant_totals: Option<&TenantTotals>,
    stopped: Option<&StopReason>,
) -> Vec<TenantSummary> {
    let Some(counted) = tenant_totals else { return Vec::new() };
    let nothing = Totals::new(&counted.accepted);
    let summary = |(tenant, why): ReportTenant| {
        let totals = counted.totals.get(&tenant.tenant).unwrap_or(&nothing);
        let why = why.filter(|_| totals.not_done > 0);
        let outcomes = totals.outcomes.iter().filter(|(_, count)| **count > 0);
        let ended_by = why.as_ref().or(stopped.filter(|_| totals.not_done > 0));
        TenantSummary {
            exit_code: exit_code(ended_by, [], totals.not_done),
            tenant: tenant.tenant,
            named: tenant.named,
            app_id: tenant.app_id,
            rows: totals.rows,
            users: totals.targets,
            outcomes: outcomes.map(|(outcome, count)| (*outcome, *count)).collect(),
            done: totals.done,
            not_done: totals.not_done,
            left_out: totals.left_out,
            stopped: why.map(StopRecord::new),
        }
    };
    tenants.into_iter().map(summary).collect()
}

/// The incomplete tenants, the worst first.
pub(super) fn incomplete_tenants(tenants: &[TenantSummary]) -> Vec<&TenantSummary> {
    let mut open: Vec<&TenantSummary> = tenants.iter().filter(|tenant| tenant.not_done > 0).collect();
    open.sort_by_key(|tenant| (tenant.stopped.is_none(), std::cmp::Reverse(tenant.not_done)));
    open
}
