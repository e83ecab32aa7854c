//! The numbers of several runs as one summary.

use jiff::Timestamp;

use super::merged_runs::MergedRuns;
use super::shard_set::ShardSet;
use crate::event::StopReason;
use crate::journal::{ApprovalDecision, FORMAT};
use crate::report::summary::{millis_between, rate_between};
use crate::report::tenants::TenantTotals;
use crate::report::{StopRecord, Summary, Totals, apps, exit_code, tenants};

impl ShardSet {
    /// The summary. `None` for an empty set. `id` is that of the merged report.
    pub(super) fn summary(
        &self,
        id: &str,
        totals: &Totals,
        by_tenant: Option<&TenantTotals>,
        merged: MergedRuns,
    ) -> Option<Summary> {
        let first = self.runs.first()?;
        let record = &first.record;
        let records = || self.runs.iter().map(|part| &part.record);
        let journals = || self.runs.iter().map(|part| &part.journal);
        let started_at = records().map(|record| record.started_at).min()?;
        let ended_at = journals().filter_map(|journal| journal.ended_at).max();
        let ended = ended_at.unwrap_or(started_at);
        let stopped = self.stopped();
        let why = stopped.as_ref().map(|stopped| &stopped.why);
        let tenants = tenants::summarize(self.tenants(), by_tenant, None);
        let stopped_in = tenants.iter().filter_map(|tenant| Some(&tenant.stopped.as_ref()?.why));
        let code = exit_code(why, stopped_in, totals.not_done);
        let missing = !merged.missing.is_empty();
        Some(Summary {
            format: FORMAT,
            run: id.to_owned(),
            drill: record.drill.is_some(),
            case_id: record.case_id.clone(),
            complete: totals.not_done == 0 && !missing,
            exit_code: if code == 0 && missing { 3 } else { code },
            started_at,
            ended_at,
            last_event_at: journals().filter_map(|journal| journal.last_at).max(),
            duration_ms: millis_between(started_at, ended),
            processes: journals().map(|journal| journal.processes.len() as u64).sum(),
            stopped,
            version: record.version.clone(),
            cloud: record.cloud.clone(),
            tenant: record.tenant.clone(),
            tenant_id: record.tenant_id.clone(),
            tenants,
            operator: record.operator.clone(),
            apps: apps::merge_apps(self.runs.iter().map(|part| (&part.record, &part.journal)), totals),
            inputs: record.inputs.clone(),
            decided: self.decided(),
            plan_sha256: None,
            rows: totals.rows,
            targets: totals.targets,
            outcomes: totals.outcomes.clone(),
            accepted: self.accepted(),
            done: totals.done,
            not_done: totals.not_done,
            left_out: totals.left_out,
            remaining: totals.not_done,
            attempts: totals.attempts,
            throttled: journals().map(|journal| journal.throttle_count).sum(),
            throttled_ms: totals.throttled_ms,
            requests_per_second: self.began().and_then(|began| rate_between(began, ended, totals.attempts)),
            damaged_lines: journals().map(|journal| journal.damaged).sum(),
            altered: self.altered(),
            merged: Some(merged),
        })
    }

    /// The findings that show changes of files of any run.
    fn altered(&self) -> Vec<String> {
        let of_one = |part: &super::ShardRun| {
            let run = part.record.id.clone();
            part.altered.iter().map(move |what| format!("run {run}: {what}")).collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of_one).collect()
    }

    /// The tenants of all runs.
    pub(super) fn tenants(&self) -> Vec<tenants::ReportTenant> {
        tenants::summarize_runs(self.runs.iter().map(|part| (&part.record, &part.journal)))
    }

    /// The reason of the first run that stopped early.
    fn stopped(&self) -> Option<StopRecord> {
        let stopped = |part: &super::ShardRun| {
            let why: StopReason = part.journal.stopped.clone()?;
            let shard = part.shard()?;
            Some(StopRecord { sentence: format!("shard {shard}: {why}"), why })
        };
        self.runs.iter().find_map(stopped)
    }

    /// When the first run began to send. `None` if one of them was resumed, because a rate would then mean nothing.
    fn began(&self) -> Option<Timestamp> {
        let began = |part: &super::ShardRun| match &part.journal.processes[..] {
            [began] => Some(began.at),
            _ => None,
        };
        let all: Option<Vec<Timestamp>> = self.runs.iter().map(began).collect();
        all?.into_iter().min()
    }

    /// What was decided for any of the runs.
    fn decided(&self) -> ApprovalDecision {
        let mut all = ApprovalDecision::default();
        for decided in self.runs.iter().map(|part| &part.record.approval) {
            if all.selection.is_empty() {
                all.selection.clone_from(&decided.selection);
            }
            let news = decided.unprotected.iter().filter(|one| !all.unprotected.contains(one));
            all.unprotected.extend(news.cloned().collect::<Vec<_>>());
            let news = decided.unchecked.iter().filter(|one| !all.unchecked.contains(one));
            let news: Vec<_> = news.cloned().collect();
            all.unchecked.extend(news);
            let news = decided.confirmed.iter().filter(|one| !all.confirmed.contains(one));
            all.confirmed.extend(news.cloned().collect::<Vec<_>>());
        }
        all
    }
}
