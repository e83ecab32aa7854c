//! What a report says of each tenant, where a run has several.

use std::collections::HashMap;

use serde::Serialize;

use super::row::ReportRow;
use super::summary::{StopRecord, exit_code};
use super::totals::Totals;
use crate::event::{StopReason, TenantIndex};
use crate::journal::{JournalIndex, OutcomeCounts, RunRecord, TenantRecord};
use crate::outcome::{Accepted, Outcome};

/// What rows don't say of their tenants by themselves.
#[derive(Clone, Debug, Default)]
pub struct TenantNotes {
    /// The one tenant of a run that has no other.
    run_tenant: String,
    /// Why nothing was sent in some of several.
    reasons: HashMap<String, String>,
}

impl TenantNotes {
    /// What the record says; nothing is known of stops.
    pub fn from_record(record: &RunRecord) -> TenantNotes {
        let own = record.tenant_id.as_ref().or(record.tenant.as_ref()).filter(|_| record.tenants.is_empty());
        TenantNotes { run_tenant: own.cloned().unwrap_or_default(), reasons: HashMap::new() }
    }

    /// What the record and the journal say.
    pub fn new(record: &RunRecord, journal: &JournalIndex) -> TenantNotes {
        let mut notes = TenantNotes::from_record(record);
        notes.add_reasons(record, journal);
        notes
    }

    /// Takes in why nothing was sent in some tenants.
    pub fn add_reasons(&mut self, record: &RunRecord, journal: &JournalIndex) {
        let reason = |(place, tenant): (TenantIndex, &TenantRecord)| {
            Some((tenant.tenant.clone(), journal.stopped_in.get(&place)?.to_string()))
        };
        self.reasons = (0..).zip(&record.tenants).filter_map(reason).collect();
    }

    /// The row, with its tenant, and with the tenant's reason where it was not attempted.
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
    accepted: Accepted,
    totals: HashMap<String, Totals>,
}

impl TenantTotals {
    /// Nothing yet.
    pub(super) fn new(accepted: &Accepted) -> TenantTotals {
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

/// One tenant of several, in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct TenantSummary {
    /// What `report.csv` calls it: its id, or a name where nobody could sign in.
    pub tenant: String,
    /// The names that rows give it.
    pub named: Vec<String>,
    /// The app that sent, as far as it is known.
    pub app_id: Option<String>,
    /// Rows that belong to it.
    pub rows: u64,
    /// Users to revoke.
    pub users: u64,
    /// Rows by word; only those that occur.
    pub outcomes: OutcomeCounts,
    /// Rows that are done.
    pub done: u64,
    /// Rows that are not done.
    pub not_done: u64,
    /// Rows that were left out on purpose.
    pub left_out: u64,
    /// Why the last process stopped there, where the others went on.
    pub stopped: Option<StopRecord>,
    /// The exit code that a run of this tenant alone would have.
    pub exit_code: u8,
}

impl TenantSummary {
    /// By what name people know it.
    pub fn name(&self) -> &str {
        self.named.iter().find(|name| name.contains('.')).unwrap_or(&self.tenant)
    }
}

/// A tenant, and why it stopped.
pub(super) type ReportTenant = (TenantRecord, Option<StopReason>);

/// The tenants of a run, in their order; where it has one only, that one.
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
    let why = |place: TenantIndex| journal.stopped_in.get(&place).cloned();
    (0..).zip(&record.tenants).map(|(place, tenant)| (tenant.clone(), why(place))).collect()
}

/// The tenants of several runs, each once, in the order in which they come.
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

/// What is said of each tenant; nothing where none was counted by itself. `stopped` is what stopped the whole run.
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

/// Those that are not complete, the worst first.
pub(super) fn worst_first(tenants: &[TenantSummary]) -> Vec<&TenantSummary> {
    let mut open: Vec<&TenantSummary> = tenants.iter().filter(|tenant| tenant.not_done > 0).collect();
    open.sort_by_key(|tenant| (tenant.stopped.is_none(), std::cmp::Reverse(tenant.not_done)));
    open
}
