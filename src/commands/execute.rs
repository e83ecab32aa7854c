//! Executes a run for `run`, `drill`, `apply` and `resume`: dispatches it, reports it, and returns its exit code.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::fd_limit;
use super::result_stream::RunResults;
use super::resume_flags::ResumeFlags;
use super::signals;
use super::tenant_clients::{TenantClients, build_tenants};
use crate::console::OutputFormat;
use crate::console::{self, Console, log};
use crate::dispatch::{DispatchSettings, Dispatcher, TargetProgress};
use crate::error::Error;
use crate::event::{BeganEvent, Event, SettledEvent, StopReason, TargetNo, TenantIndex};
use crate::journal::{
    FORMAT, FolderError, JOURNAL, Journal, JournalError, JournalIndex, JournalLocation, OperatorRecord,
    PLAN_CSV, RunFolder, RunLock, RunRecord, fingerprint,
};
use crate::outcome::Outcome;
use crate::plan::{PlanReader, Target};
use crate::report::{self, Summary};
use crate::shell;

/// A run that is ready to start.
pub(super) struct RunSession {
    pub(super) folder: RunFolder,
    pub(super) lock: RunLock,
    pub(super) record: RunRecord,
    /// The account of this process. A resumed run may have been started by another one.
    pub(super) operator: OperatorRecord,
    pub(super) journal: Journal,
    pub(super) targets: Vec<Target>,
    /// The targets to revoke; `None` for all.
    pub(super) remaining: Option<Vec<TargetProgress>>,
    /// The rest of the waits that Graph asked an earlier process for, by tenant (`None` for all tenants).
    pub(super) throttle_waits: Vec<(Option<TenantIndex>, Duration)>,
    /// The tenants in which an earlier process revoked a user, so the permission is there.
    pub(super) permitted_tenants: BTreeSet<TenantIndex>,
    pub(super) settings: DispatchSettings,
    /// Why nothing may be sent, if that is so.
    pub(super) refusal: Option<StopReason>,
    /// The apps that send, for each of the plan's tenants.
    pub(super) tenant_clients: Vec<TenantClients>,
    /// The events of users that have been protected since the run began, and are skipped.
    pub(super) newly_protected_events: Vec<SettledEvent>,
    /// The differences from what was approved, each with how it was confirmed.
    pub(super) confirmed: Vec<String>,
    /// The flags for `resume`, if users are left.
    pub(super) resume_flags: ResumeFlags,
}

/// How progress and results are shown.
pub(super) struct OutputOptions {
    pub(super) progress: console::Progress,
    pub(super) output: OutputFormat,
}

/// Revokes the users, writes the reports, and returns the exit code.
pub(super) async fn run_job(mut ready: RunSession, output_mode: OutputOptions) -> Result<u8, Error> {
    let interrupts = signals::listen_and_exit_on_second()
        .map_err(|source| Error::Io { what: "can't listen for signals".to_owned(), source })?;
    let orders: Option<Vec<TargetNo>> =
        ready.remaining.as_ref().map(|work| work.iter().map(|work| work.order).collect());
    let apps = app_ids(&ready.tenant_clients);
    let reported_targets: Option<Vec<TargetNo>> = orders.as_ref().map(|orders| {
        orders
            .iter()
            .copied()
            .chain(ready.newly_protected_events.iter().map(|settled| settled.target))
            .collect()
    });
    let results = RunResults::start(
        output_mode.output,
        &ready.folder,
        &ready.record,
        reported_targets.as_deref(),
        &apps,
    )?;
    let remaining = orders.as_ref().map_or(ready.targets.len(), Vec::len) as u32;
    let signed_in = ProcessIdentity {
        operator: Some(&ready.operator),
        apps,
        confirmed: std::mem::take(&mut ready.confirmed),
    };
    write_process_start(&mut ready.journal, &ready.record, remaining, ready.remaining.is_some(), signed_in)?;
    for settled in std::mem::take(&mut ready.newly_protected_events) {
        if let Some(results) = &results {
            results.send_settled(&settled);
        }
        ready.journal.append(&Event::Settled(Box::new(settled)))?;
    }
    ready.journal.flush()?;
    ready.journal.request_sync();
    let place = ready.journal.location().cloned();
    let revoked = Arc::new(AtomicU64::new(0));

    ready.settings.max_in_flight =
        fd_limit::limit_jobs(ready.settings.jobs.max().saturating_mul(ready.tenant_clients.len()));
    let tenant_count = ready.tenant_clients.len();
    let targets: Arc<[Target]> = ready.targets.into();
    let to_do: Box<dyn Iterator<Item = TargetNo>> = match &orders {
        Some(orders) => Box::new(orders.iter().copied()),
        None => Box::new(1..=targets.len() as TargetNo),
    };
    let options = console::ConsoleOptions {
        progress: output_mode.progress,
        accepted: ready.settings.accepted.clone(),
        tenants: console::TenantTable::new(tenant_count, &targets, to_do),
        ..console::ConsoleOptions::default()
    };
    let console = Console::start(options, u64::from(remaining));
    let revoked_counter = Arc::clone(&revoked);
    let listen = |event: &Event| {
        console.on_event(event);
        warn_dropped_app(event);
        log::record(event);
        if let Event::Settled(settled) = event {
            revoked_counter.fetch_add(u64::from(settled.outcome == Outcome::Revoked), Ordering::Relaxed);
            if let Some(results) = &results {
                results.send_settled(settled);
            }
        }
    };
    let tenants = build_tenants(ready.tenant_clients, &targets, ready.remaining.take());
    let mut dispatcher = Dispatcher::new(tenants, targets, ready.settings, ready.journal, listen);
    console.set_forecast(dispatcher.forecast());
    if let Some(why) = ready.refusal {
        dispatcher.refuse(why);
    }
    for (tenant, wait) in ready.throttle_waits {
        let all = 0..tenant_count as TenantIndex;
        tenant.map_or(all, |tenant| tenant..tenant + 1).for_each(|tenant| dispatcher.hold(tenant, wait));
    }
    ready.permitted_tenants.into_iter().for_each(|tenant| dispatcher.mark_permitted(tenant));
    let finished = dispatcher.run(interrupts).await;
    console.finish();
    let ending = RunEnd {
        results,
        stop: finished.stop.as_ref(),
        revoked: revoked.load(Ordering::Relaxed),
        journal_location: place,
        flags: &ready.resume_flags,
    };
    let code = write_reports(&ready.folder, &ready.record, output_mode.output, ending);
    drop(ready.lock);
    code
}

/// Warns at once if an app is lost in the middle of a run, because it can be fixed while the others continue.
fn warn_dropped_app(event: &Event) {
    if let Event::Dropped { scope, why, .. } = event {
        let app = scope.app_id.as_deref().unwrap_or("one of the apps");
        let (app, why) = (
            crate::text::sanitize::sanitize_truncated(app, 100),
            crate::text::sanitize::sanitize_truncated(&why.to_string(), 500),
        );
        console::print_status(&format!("warning: app {app} stopped, the others continue: {why}"));
    }
}

/// The identity of a process for its first line in the journal.
#[derive(Default)]
pub(super) struct ProcessIdentity<'a> {
    pub(super) operator: Option<&'a OperatorRecord>,
    /// The IDs of the apps that send.
    pub(super) apps: Vec<Arc<str>>,
    /// The differences from what was approved, each with how it was confirmed.
    pub(super) confirmed: Vec<String>,
}

/// The IDs of the apps that send, each once.
fn app_ids(tenant_clients: &[TenantClients]) -> Vec<Arc<str>> {
    let ids = tenant_clients
        .iter()
        .flat_map(|clients| &clients.apps)
        .filter_map(|app| app.operator.app_id.as_deref());
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(*id)).map(Arc::from).collect()
}

/// Writes the first line of this process to the journal.
pub(super) fn write_process_start(
    journal: &mut Journal,
    record: &RunRecord,
    remaining: u32,
    resumed: bool,
    signed_in: ProcessIdentity<'_>,
) -> Result<(), Error> {
    journal.append(&Event::Began(BeganEvent {
        at: crate::dispatch::now(),
        format: FORMAT,
        run: record.id.clone(),
        plan_sha256: record.plan.sha256.clone(),
        targets: remaining,
        resumed,
        operator: signed_in.operator.map(|operator| operator.short_description()),
        apps: signed_in.apps,
        approved: Some(record.approval_mark()),
        drill: record.drill.is_some(),
        confirmed: signed_in.confirmed,
    }))?;
    journal.flush()?;
    journal.request_sync();
    Ok(())
}

/// Opens the journal of a new run.
pub(super) fn create_journal(folder: &RunFolder) -> Result<Journal, Error> {
    let file = folder.dir().create_file(JOURNAL).map_err(FolderError::io(&folder.journal_path()))?;
    Ok(Journal::new(file, 0)?.with_location(folder)?)
}

/// Reads a run's journal.
pub(super) fn read_journal_index(folder: &RunFolder, record: &RunRecord) -> Result<JournalIndex, Error> {
    check_counts(folder, record)?;
    let mut users = vec![0; record.plan.targets as usize];
    for row in PlanReader::open(folder.dir(), &record.plan.sha256)? {
        let row = row?;
        let place = row.order().map(|order| (order as usize).wrapping_sub(1));
        if let Some(user) = place.and_then(|place| users.get_mut(place)) {
            *user = fingerprint(&row.user_id);
        }
    }
    let mut journal_index = JournalIndex::read(folder.dir(), &users, &record.plan.sha256)?;
    journal_index.check_run(&record.id)?;
    Ok(journal_index)
}

/// Minimum length of a target's row in `plan.csv`, in bytes: its number, its line, its ID and the commas between them.
const MIN_ROW_BYTES: u64 = 8;

/// Refuses a number of users that is too large for the size of `plan.csv`, before memory is allocated for it.
pub(super) fn check_counts(folder: &RunFolder, record: &RunRecord) -> Result<(), Error> {
    let path = folder.plan_path();
    let bytes = folder.dir().read(PLAN_CSV).and_then(|file| file.metadata());
    let bytes = bytes
        .map_err(|error| crate::plan::PlanError::Read { path: path.clone(), reason: error.to_string() })?;
    let targets = record.plan.targets;
    match u64::from(targets) > bytes.len() / MIN_ROW_BYTES {
        true => Err(Error::Usage(format!(
            "run.json says that the plan has {targets} users, but {} is too short for that: one of the two \
             files was changed",
            path.display()
        ))),
        false => Ok(()),
    }
}

/// Restores `run.json` if it was changed since this process began; returns a finding for the report in that case.
fn restore_record(folder: &RunFolder, record: &RunRecord) -> Result<Vec<String>, Error> {
    // A drill's numbers may be written in another way, so they are not compared.
    let plain = |record: &RunRecord| serde_json::to_value(RunRecord { drill: None, ..record.clone() }).ok();
    let now = super::resume::read_run_record(folder)?;
    if plain(&now) == plain(record) && now.drill.is_some() == record.drill.is_some() {
        return Ok(Vec::new());
    }
    super::run::write_record(folder, record)?;
    Ok(vec!["run.json was changed during the run; it was restored".to_owned()])
}

/// How a process ended.
pub(super) struct RunEnd<'a> {
    pub(super) results: Option<RunResults>,
    pub(super) stop: Option<&'a StopReason>,
    /// Number of users that this process revoked.
    pub(super) revoked: u64,
    /// Where this process wrote its journal.
    pub(super) journal_location: Option<JournalLocation>,
    pub(super) flags: &'a ResumeFlags,
}

/// Writes the reports and shows the summary; returns the exit code.
pub(super) fn write_reports(
    folder: &RunFolder,
    record: &RunRecord,
    output: OutputFormat,
    run_end: RunEnd<'_>,
) -> Result<u8, Error> {
    let RunEnd { results, stop, revoked, journal_location: place, flags } = run_end;
    let made = check_journal_is_ours(place.as_ref())
        .and_then(|()| read_journal_index(folder, record))
        .and_then(|mut journal_index| {
            // If the journal could not be written, the reason for the stop is not in it.
            journal_index.stopped = journal_index.stopped.or_else(|| stop.cloned());
            let found = restore_record(folder, record)?;
            let summary = report::write_with_findings(folder, record, &journal_index, &found)?;
            Ok((journal_index, summary))
        });
    if let Some(text) = folder.moved_warning() {
        console::print_status(&text);
    }
    let (journal_index, summary) = match made {
        Ok(made) => made,
        // The outcome of the run matters more than the reports, so it is shown first.
        Err(error) => {
            let users = crate::text::humanize::users(revoked);
            match stop {
                Some(stop) => {
                    console::print_status(&format!("error: {stop}"));
                    console::print_status(&format!("The reports could not be written either: {error}"));
                }
                None => console::print_status(&format!("error: the reports could not be written: {error}")),
            }
            let more = match stop {
                Some(StopReason::Runtime { .. }) => {
                    " There may be more, because some answers could not be recorded."
                }
                _ => "",
            };
            console::print_status(&format!("This process has revoked {users}.{more}"));
            console::print_status(&format!("After you fix this, run: {}", flags.command(folder.path())));
            return Ok(stop.map_or(1, StopReason::exit_code));
        }
    };
    if output != OutputFormat::Text {
        warn_altered(&summary);
    }
    let code = stop.map_or(summary.exit_code, StopReason::exit_code);
    let rows_out = results.is_none_or(|results| results.finish(journal_index));
    let shown = print_run_summary(&summary, folder, record, flags, output);
    if let Err(error) = &shown {
        console::print_status(&format!("error: {error}"));
    }
    // A failure to print changes only the exit code of a run that ended normally.
    let all_shown = rows_out && shown.is_ok();
    Ok(if matches!(code, 0 | 3) && !all_shown { 1 } else { code })
}

/// Refuses to report from a journal that is not the one that this process wrote.
fn check_journal_is_ours(journal_location: Option<&JournalLocation>) -> Result<(), Error> {
    match journal_location.filter(|place| place.is_lost()) {
        Some(place) => Err(JournalError::Lost { path: place.path().to_owned() }.into()),
        None => Ok(()),
    }
}

/// Warns that the run's files were changed. The summary has the same warnings, but is not always shown as text.
pub(super) fn warn_altered(summary: &Summary) {
    for finding in &summary.altered {
        console::print_status(&format!(
            "warning: ALTERED: {}",
            crate::text::sanitize::sanitize_truncated(finding, 400)
        ));
    }
}

/// Prints the summary of a run to standard output, or to standard error if standard output has the results.
pub(super) fn print_run_summary(
    summary: &Summary,
    folder: &RunFolder,
    record: &RunRecord,
    flags: &ResumeFlags,
    output: OutputFormat,
) -> Result<(), Error> {
    print_summary(summary, folder.path(), &next_commands(summary, folder, record, flags), output)
}

/// Prints a summary in any folder, with the commands to run next.
pub(super) fn print_summary(
    summary: &Summary,
    folder: &Path,
    next: &[String],
    output: OutputFormat,
) -> Result<(), Error> {
    let columns = if output == OutputFormat::Text {
        console::stdout_columns()
    } else {
        console::question::stderr_columns()
    };
    let text = || report::summary_text(summary, folder, next, columns);
    let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
    match output {
        OutputFormat::Text => console::print_stdout(&text()).map_err(fail),
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(summary).map_err(|error| fail(error.into()))?;
            console::print_stdout(&format!("{}\n", crate::text::sanitize::sanitize_json(&json))).map_err(fail)
        }
        OutputFormat::Jsonl | OutputFormat::Csv => {
            console::print_status(text().trim_end());
            Ok(())
        }
        OutputFormat::None => Ok(()),
    }
}

/// The commands to run next, if something is left to do.
fn next_commands(
    summary: &Summary,
    folder: &RunFolder,
    record: &RunRecord,
    flags: &ResumeFlags,
) -> Vec<String> {
    let mut next = Vec::new();
    if summary.complete {
        return next;
    }
    // `resume` can't fix a row without a valid user ID, and it has no effect on a user of another tenant.
    let not_resumable = summary.count(Outcome::Invalid) + summary.count(Outcome::AcceptedNoEffect);
    if summary.not_done > not_resumable {
        let raised = match &summary.stopped {
            Some(report::StopRecord { why: StopReason::MaxUsers { planned, .. }, .. }) => {
                format!(" --max-users {planned}")
            }
            _ => String::new(),
        };
        next.push(format!("{}{raised}", flags.command(folder.path())));
    }
    if record.drill.is_none() {
        let column = record.settings.column.as_ref().filter(|_| record.inputs.len() == 1);
        let column = column.map(|column| format!(" --column {}", shell::word(column))).unwrap_or_default();
        let tenants = record.settings.tenant_column.as_ref();
        let tenants =
            tenants.map(|column| format!(" --tenant-column {}", shell::word(column))).unwrap_or_default();
        let command = flags.command_for_remaining(&folder.file("remaining.csv"), record);
        next.push(format!("{command}{column}{tenants}"));
    }
    next
}
