//! `resume`: continues an interrupted run, and retries the users that are not done.
//!
//! A run's folder may come from another person. It says which users are still to be revoked, and in which cloud and
//! tenant. Only the
//! command line and the profile say how to sign in and where secrets are sent. Anything that differs from what was
//! approved must be confirmed first.

mod differences;
mod protect_lists;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::time::Duration;

use super::connect::{SignedInApp, refuse_me_for_app};
use super::drill::{self, DrillRecord};
use super::execute::{
    OutputOptions, ProcessIdentity, RunEnd, RunSession, check_counts, read_journal_index, run_job,
    write_process_start, write_reports,
};
use super::resume_flags::ResumeFlags;
use super::run::{self, write_record};
use super::tenants::{self, ResumedTenants};
use super::{init_logging, preflight, profiles, progress, sign_in_apps, stdin};
use crate::cli::ResumeArgs;
use crate::console::{self, OutputFormat};
use crate::directory::Directory;
use crate::dispatch::TargetProgress;
use crate::error::Error;
use crate::event::{Event, SettledEvent, StopReason, TargetNo, TenantIndex};
use crate::identity::Cloud;
use crate::journal::{FORMAT, JournalIndex, OperatorRecord, RUN_JSON, RunFolder, RunRecord};
use crate::number;
use crate::outcome::{AcceptedOutcomes, Outcome};
use crate::plan::{PlanReader, PlanTenants, Target};
use crate::report::{RunIntegrity, was_drill};
use crate::settings::chosen_profile::{self, ChosenProfile};
use crate::settings::{AppSettings, NetworkSettings, SendingSettings, SignInSettings};
use crate::simulator::Simulator;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::UserId;
use differences::{ResumeDifferences, same_person};
use protect_lists::{CurrentLists, ProtectListCheck};

pub(super) async fn resume(mut args: ResumeArgs) -> Result<u8, Error> {
    init_logging(&args.output.log)?;
    // --config may be given only for the further apps; then no profile is read.
    let uses_profile = args.apps.app.is_empty() || args.profile.profile.is_some();
    let profile = if uses_profile { chosen_profile::choose_named(&args.profile)? } else { None };
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
    }
    let folder = RunFolder::open(&args.folder)?;
    let lock = folder.lock()?;
    let mut record = read_run_record(&folder)?;
    let sending = SendingSettings::for_resume(&args.sending, &record.settings);
    let changed = record.settings.accept != sending.accepted;
    let integrity = RunIntegrity::check(&folder, &record);
    record.settings.accept = sending.accepted.clone();
    let targets = read_targets(&folder, &record)?;
    let journal_index = read_journal_index(&folder, &record)?;
    let integrity = integrity.with_journal(&record, &journal_index);
    integrity.findings.iter().for_each(|what| {
        console::print_status(&format!("warning: ALTERED: {}", sanitize_truncated(what, 400)))
    });
    let drill = parse_drill(&record, &journal_index)?;
    let outstanding = outstanding_in_order(&journal_index, &sending.accepted);
    let stored_run = StoredRun { folder, record, targets, journal_index, integrity, accept_changed: changed };
    if outstanding.is_empty() {
        return report_complete_run(stored_run, args.output.output);
    }
    let simulator = match &drill {
        Some(drill) => Some(drill::start_simulator(drill).await?),
        None => None,
    };
    let lists = protect_lists::lists_from_profiles(&stored_run.record, &args.profile, profile.as_ref());
    let lists = CurrentLists::find(&stored_run.record, &args.protect, &lists)?;
    let prints_status = args.output.output != OutputFormat::None;
    let session = match (&simulator, &drill) {
        (Some(simulator), Some(drill)) if stored_run.record.tenants.is_empty() => {
            if prints_status {
                console::print_status(&drill::drill_banner(simulator, drill));
            }
            ResumeSession::for_drill(&args, &stored_run.record, simulator, drill).await?
        }
        _ => {
            if prints_status {
                console::print_status(&destination_text(&stored_run.record));
            }
            ResumeSession::sign_in(&args, profile.as_ref(), &stored_run, &outstanding).await?
        }
    };
    let ResumeSession { mode, mut differences, flags } = session;
    if let ResumeMode::SingleTenant(signed_in_app) = &mode {
        let mut left = outstanding.iter().map(|order| &stored_run.targets[*order as usize - 1].user);
        check_me_is_same_user(
            left.any(|user| *user == UserId::Me),
            &stored_run.record.operator,
            signed_in_app,
        )?;
    }
    if prints_status {
        let done = humanize::count((stored_run.targets.len() - outstanding.len()) as u64);
        let open = humanize::count(outstanding.len() as u64);
        console::print_status(&format!("resuming run {}: {done} done, {open} to do", stored_run.record.id));
    }
    differences.extend(lists.differences.iter().cloned());
    if stored_run.integrity.record_changed {
        differences.add("run.json was changed after the run began");
    }
    let reads = drill.as_ref().is_none_or(|drill| drill.has_directory());
    let ProtectListCheck { protected, blocked_tenants: closed } =
        recheck_lists(lists, &stored_run, &outstanding, &mode, reads).await?;
    differences.add_newly_protected(protected.iter(), &stored_run.targets);
    let outstanding: Vec<TargetNo> =
        outstanding.into_iter().filter(|order| !protected.contains_key(order)).collect();
    let settings = sending.dispatch(drill.as_ref().map_or(1.0, |drill| drill.quota_speed()));
    let throttle_waits = if simulator.is_none() {
        remaining_throttle_waits(&stored_run.journal_index, settings.max_wait)
    } else {
        Vec::new()
    };
    if prints_status {
        print_throttle_wait(&throttle_waits, settings.max_wait);
    }
    if let (None, ResumeMode::SingleTenant(signed_in_app)) = (&simulator, &mode) {
        let own = preflight::operator_ids(&signed_in_app.claims);
        let user_of = |order: &TargetNo| &stored_run.targets[*order as usize - 1].user;
        preflight::warn_self_revocation(outstanding.iter().any(|order| own.contains(user_of(order))), false);
        let pace = sending.pace(signed_in_app.sender_count());
        preflight::warn_token_expiry(signed_in_app, pace.estimate_time(outstanding.len() as u64));
    }
    let confirmed = differences.confirm(args.yes)?;
    let planned = outstanding.len() as u32;
    let refused = sending
        .max_users
        .filter(|allowed| planned > *allowed)
        .map(|allowed| StopReason::MaxUsers { planned, allowed });
    let StoredRun { folder, record, targets, journal_index, integrity, accept_changed: changed } = stored_run;
    let work = remaining_progress(&journal_index, &outstanding, &folder)?;
    let protected = newly_protected_events(&journal_index, &protected, &targets, &folder)?;
    let permitted = permitted_tenants(&journal_index, &targets);
    let shown = OutputOptions { progress: progress(&args.output), output: args.output.output };
    let (operator, tenant_clients) = match mode {
        ResumeMode::SingleTenant(signed_in_app) => {
            (signed_in_app.operator.clone(), vec![signed_in_app.into_tenant_clients()])
        }
        ResumeMode::MultiTenant(resumed_tenants) => {
            (resumed_tenants.operator.clone(), resumed_tenants.into_tenant_clients(&closed))
        }
    };
    prepare_folder(&folder, &record, changed, &integrity)?;
    let ready = RunSession {
        journal: journal_index.into_journal(&folder)?,
        folder,
        lock,
        record,
        targets,
        remaining: Some(work),
        throttle_waits,
        permitted_tenants: permitted,
        settings,
        refusal: refused,
        operator,
        tenant_clients,
        newly_protected_events: protected,
        confirmed,
        resume_flags: flags,
    };
    let code = run_job(ready, shown).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    code
}

/// A run as it is stored in its folder.
struct StoredRun {
    folder: RunFolder,
    record: RunRecord,
    targets: Vec<Target>,
    journal_index: JournalIndex,
    integrity: RunIntegrity,
    /// Whether `--accept` differs from the run's.
    accept_changed: bool,
}

/// The sign-ins of this process, and how they differ from what was approved.
struct ResumeSession {
    mode: ResumeMode,
    differences: ResumeDifferences,
    flags: ResumeFlags,
}

enum ResumeMode {
    SingleTenant(Box<SignedInApp>),
    MultiTenant(ResumedTenants),
}

impl ResumeSession {
    async fn for_drill(
        args: &ResumeArgs,
        record: &RunRecord,
        simulator: &Simulator,
        drill: &DrillRecord,
    ) -> Result<ResumeSession, Error> {
        let timeout = args.network.timeout.unwrap_or(number::millis(record.settings.timeout_ms));
        let signed_in_app = drill::sign_in_to_simulator(simulator, drill, timeout).await?.2;
        let (differences, flags) = Default::default();
        Ok(ResumeSession { mode: ResumeMode::SingleTenant(Box::new(signed_in_app)), differences, flags })
    }

    /// Signs in again, to the same cloud and tenants and no others.
    async fn sign_in(
        args: &ResumeArgs,
        profile: Option<&ChosenProfile>,
        stored_run: &StoredRun,
        outstanding: &[TargetNo],
    ) -> Result<ResumeSession, Error> {
        let record = &stored_run.record;
        let network = NetworkSettings::resumed(&args.network, run_cloud(args, record)?, &record.settings)?;
        let network = network.with_max_wait(max_wait(args, record));
        if args.output.output != OutputFormat::None {
            network.notices.iter().for_each(|notice| console::print_status(notice));
        }
        let mut differences = ResumeDifferences::default();
        differences.compare_destination(record, &network);
        let own = SignInSettings::resumed(&args.sign_in, None, &record.settings);
        if record.tenants.is_empty() {
            let (signed_in_app, further) = sign_in_single(args, profile, record, &network).await?;
            differences.compare_app(record, &signed_in_app);
            let flags = ResumeFlags::new(&own.sources, &network, profile, &further.further);
            return Ok(ResumeSession {
                mode: ResumeMode::SingleTenant(Box::new(signed_in_app)),
                differences,
                flags,
            });
        }
        let resumed_tenants = sign_in_all(args, profile, stored_run, outstanding, &network).await?;
        differences.compare_apps(record, &resumed_tenants);
        let flags = ResumeFlags::new(&own.sources, &network, profile, &[]);
        Ok(ResumeSession { mode: ResumeMode::MultiTenant(resumed_tenants), differences, flags })
    }
}

/// The drill's settings, if the run is a drill.
///
/// # Errors
/// When `run.json` and the journal disagree about this, because requests would then go to the wrong place.
fn parse_drill(record: &RunRecord, journal_index: &JournalIndex) -> Result<Option<DrillRecord>, Error> {
    let refuse =
        |what: &str| Err(Error::Usage(format!("run.json {what}: it was changed. Nothing was revoked")));
    let journal_knows = journal_index.processes.iter().any(|began| began.approved.is_some());
    match &record.drill {
        None if was_drill(journal_index) => {
            refuse("does not say that this was a drill, but the journal does")
        }
        Some(_) if journal_knows && !was_drill(journal_index) => {
            refuse("says that this was a drill, but the journal does not")
        }
        None => Ok(None),
        Some(drill) => match serde_json::from_value(drill.clone()) {
            Ok(drill) => Ok(Some(drill)),
            Err(_) => refuse("says that this was a drill, but its settings can't be read"),
        },
    }
}

/// The cloud, tenant and app that are taken from the run folder, in words.
fn destination_text(record: &RunRecord) -> String {
    let one = || {
        let known = [&record.tenant, &record.tenant_id, &record.unverified_tenant];
        let known = known.into_iter().flatten().next();
        known.map_or_else(
            || "the sign-in's tenant".to_owned(),
            |tenant| format!("tenant {}", sanitize_truncated(tenant, 80)),
        )
    };
    let place = match record.tenants.len() {
        0 => one(),
        several => format!("{several} tenants"),
    };
    let app = record.settings.client_id.as_ref().map(|app| format!(", app {}", sanitize_truncated(app, 80)));
    format!(
        "from the run folder: cloud {}, {place}{}",
        sanitize_truncated(&record.cloud, 20),
        app.unwrap_or_default()
    )
}

/// Compares the users that are left with the current protect lists.
async fn recheck_lists(
    lists: CurrentLists,
    stored_run: &StoredRun,
    outstanding: &[TargetNo],
    mode: &ResumeMode,
    reads: bool,
) -> Result<ProtectListCheck, Error> {
    let left: HashSet<TargetNo> = outstanding.iter().copied().collect();
    let (folder, record) = (&stored_run.folder, &stored_run.record);
    let original = record.operator.user.as_deref();
    let no_lookup = lists.no_lookup || !reads;
    match mode {
        ResumeMode::SingleTenant(signed_in_app) => {
            let same = same_person(original, signed_in_app.operator.user.as_deref());
            let known = [signed_in_app.tenant.domain.as_deref(), signed_in_app.tenant_id()];
            let directory: Option<&Directory> = Some(&signed_in_app.directory).filter(|_| !no_lookup);
            let tenants = PlanTenants::single(
                run::plan_operator(signed_in_app),
                directory,
                known.into_iter().flatten(),
            );
            let mut judged = lists.recheck(folder, record, &left, &tenants, same).await?;
            if !same {
                let own = preflight::operator_ids(&signed_in_app.claims);
                let why = "you are signed in with this account, but another person started the run";
                for order in outstanding {
                    let user = &stored_run.targets[*order as usize - 1].user;
                    if *user != UserId::Me && own.contains(user) {
                        judged.protected.entry(*order).or_insert_with(|| why.to_owned());
                    }
                }
            }
            Ok(judged)
        }
        ResumeMode::MultiTenant(resumed_tenants) => {
            let same = same_person(original, resumed_tenants.operator.user.as_deref());
            let tenants = resumed_tenants.plan_tenants(record, no_lookup);
            lists.recheck(folder, record, &left, &tenants, same).await
        }
    }
}

/// The journal's events for users that are protected now, with the evidence so far.
fn newly_protected_events(
    journal_index: &JournalIndex,
    protected: &BTreeMap<TargetNo, String>,
    targets: &[Target],
    folder: &RunFolder,
) -> Result<Vec<SettledEvent>, Error> {
    let fail = |source| Error::Io { what: format!("can't read {}", folder.journal_path().display()), source };
    let settled = |(order, why): (&TargetNo, &String)| {
        let target_state = journal_index.target_state(*order).map_err(fail)?;
        let mut evidence = target_state.evidence;
        let before = match target_state.attempts {
            0 => String::new(),
            _ => format!("; before that, a request ended as {}", target_state.outcome),
        };
        let detail =
            if evidence.detail.is_empty() { String::new() } else { format!(": {}", evidence.detail) };
        evidence.detail = format!("{why} (since the run began{before}{detail})");
        Ok(SettledEvent {
            at: crate::dispatch::now(),
            target: *order,
            user: targets[*order as usize - 1].user.to_string(),
            outcome: Outcome::Protected,
            evidence,
            attempts: target_state.attempts,
            throttled_ms: target_state.throttled_ms,
            first_sent_at: target_state.first_sent_at,
            client_request_id: target_state.client_request_id,
        })
    };
    protected.iter().map(settled).collect()
}

fn print_throttle_wait(waits: &[(Option<TenantIndex>, Duration)], max_wait: Duration) {
    let waits: Vec<_> = waits.iter().filter(|(_, wait)| *wait <= max_wait).collect();
    let Some((tenant, wait)) = waits.first() else { return };
    let wait = crate::text::humanize::wait(*wait);
    let place = match (tenant, waits.len()) {
        (None, _) => String::new(),
        (Some(_), 1) => " in one tenant".to_owned(),
        (Some(_), several) => format!(" in {several} tenants"),
    };
    console::print_status(&format!("Graph asked this run to wait{place} for another {wait}"));
}

/// Refuses `me` if another account resumes the run: `me` means the account that started the run, but Graph would revoke
/// the account that resumes it.
fn check_me_is_same_user(
    names_me: bool,
    original: &OperatorRecord,
    signed_in_app: &SignedInApp,
) -> Result<(), Error> {
    refuse_me_for_app(names_me, signed_in_app)?;
    let now = signed_in_app.operator.user.as_deref();
    match (names_me, original.user.as_deref()) {
        (true, Some(original)) if now.is_none_or(|now| !now.eq_ignore_ascii_case(original)) => {
            let original = crate::text::sanitize::sanitize_truncated(original, 120);
            Err(Error::Usage(format!(
                "the list has `me`, which means {original}, who started the run: sign in as {original} to \
                 continue, or start a new run that names this user"
            )))
        }
        _ => Ok(()),
    }
}

/// Withdraws the manifest, because the run's files are about to change. If `--accept` has changed, also stores it in
/// `run.json`, so that a later `report` counts in the same way.
fn prepare_folder(
    folder: &RunFolder,
    record: &RunRecord,
    changed: bool,
    integrity: &RunIntegrity,
) -> Result<(), Error> {
    crate::report::remove_manifest(folder, integrity)?;
    if changed {
        write_record(folder, record)?;
    }
    Ok(())
}

/// Reports a complete run again, without a sign-in.
fn report_complete_run(stored_run: StoredRun, output: OutputFormat) -> Result<u8, Error> {
    let StoredRun { folder, record, journal_index, integrity, accept_changed: changed, .. } = stored_run;
    if output != OutputFormat::None {
        console::print_status(&format!("run {} has nothing left to do", record.id));
    }
    prepare_folder(&folder, &record, changed, &integrity)?;
    let mut journal = journal_index.into_journal(&folder)?;
    let place = journal.location().cloned();
    write_process_start(&mut journal, &record, 0, true, ProcessIdentity::default())?;
    journal.append(&Event::Ended { at: crate::dispatch::now() })?;
    journal.close()?;
    let flags = ResumeFlags::from_record(&record);
    let ending = RunEnd { results: None, stop: None, revoked: 0, journal_location: place, flags: &flags };
    write_reports(&folder, &record, output, ending)
}

/// Maximum size of `run.json`, in bytes. With thousands of tenants, it is a few MB.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// Reads `run.json`.
pub(super) fn read_run_record(folder: &RunFolder) -> Result<RunRecord, Error> {
    let path = folder.file(RUN_JSON);
    let unreadable = |reason: String| Error::Usage(format!("can't read {}: {reason}", path.display()));
    let mut text = Vec::new();
    let read =
        folder.dir().read(RUN_JSON).and_then(|file| file.take(MAX_RECORD_BYTES + 1).read_to_end(&mut text));
    read.map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > MAX_RECORD_BYTES {
        return Err(unreadable(format!(
            "it is larger than {} MB, so it is not a run's file",
            MAX_RECORD_BYTES >> 20
        )));
    }
    let record: RunRecord = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if record.format > FORMAT {
        return Err(unreadable("a newer entra-revoke wrote it; use that version".to_owned()));
    }
    Ok(record)
}

/// The plan's targets, in sending order.
fn read_targets(folder: &RunFolder, record: &RunRecord) -> Result<Vec<Target>, Error> {
    check_counts(folder, record)?;
    let mut targets = vec![None; record.plan.targets as usize];
    let broken = |what: &str| Error::Usage(format!("{}: {what}", folder.plan_path().display()));
    let places: HashMap<&str, TenantIndex> =
        (0..).zip(&record.tenants).map(|(place, tenant)| (tenant.tenant.as_str(), place)).collect();
    for row in PlanReader::open(folder.dir(), &record.plan.sha256)? {
        let row = row?;
        let Some(order) = row.order() else { continue };
        let tenant = match places.is_empty() {
            true => 0,
            false => *places
                .get(row.tenant.as_str())
                .ok_or_else(|| broken("a target belongs to none of the run's tenants"))?,
        };
        let user: UserId = row.user_id.parse().map_err(|_| broken("a target is not a valid user ID"))?;
        let slot = targets
            .get_mut((order as usize).wrapping_sub(1))
            .ok_or_else(|| broken("it has too many targets"))?;
        let administrator = row.is_administrator();
        *slot = Some(Target { user, external: row.external, tenant, administrator });
    }
    targets.into_iter().collect::<Option<_>>().ok_or_else(|| broken("a target is missing"))
}

/// The run's cloud.
///
/// # Errors
/// When `--cloud` names another one.
fn run_cloud(args: &ResumeArgs, record: &RunRecord) -> Result<Cloud, Error> {
    let cloud: Cloud = record.cloud.parse().map_err(|error| Error::Usage(format!("run.json: {error}")))?;
    match args.sign_in.cloud.is_some_and(|given| given != cloud) {
        true => {
            Err(Error::Usage(format!("the run was started in cloud {cloud} and can't continue in another")))
        }
        false => Ok(cloud),
    }
}

/// Signs in again, to the same tenant and no other. Also returns the further apps.
async fn sign_in_single(
    args: &ResumeArgs,
    profile: Option<&ChosenProfile>,
    record: &RunRecord,
    network: &NetworkSettings,
) -> Result<(SignedInApp, AppSettings), Error> {
    let known = [record.tenant.as_deref(), record.tenant_id.as_deref(), record.unverified_tenant.as_deref()];
    let tenant = known.into_iter().flatten().next();
    let sign_in = SignInSettings::resumed(&args.sign_in, tenant, &record.settings);
    stdin::check_single_use(&[], &sign_in.sources)?;
    let same = |tenant: &str| known.iter().flatten().any(|known| known.eq_ignore_ascii_case(tenant));
    let other = |tenant: &str| {
        let original = run_tenant_name(record);
        Error::Usage(format!(
            "the run was started in tenant {original} and can't continue in tenant {tenant}"
        ))
    };
    if let Some(given) =
        sign_in.tenant.as_deref().filter(|given| known.iter().any(Option::is_some) && !same(given))
    {
        return Err(other(given));
    }
    let apps = AppSettings::new(&args.apps, &args.profile, profile, &sign_in, network.cloud)?;
    let had = record.settings.further.len();
    if had > apps.further.len() && args.apps.app.is_empty() && args.output.output != OutputFormat::None {
        console::print_status(&format!(
            "note: the run had {had} further apps, but now there are {}: name them with --app or --profile",
            apps.further.len()
        ));
    }
    let signed_in_app = sign_in_apps::sign_in(&sign_in, &apps, network).await?;
    if record.tenant_id.is_some() && signed_in_app.tenant.id.is_none() {
        console::print_status(
            "warning: the token does not name its tenant; make sure that it is the tenant of \
             the run",
        );
    }
    match (&record.tenant_id, &signed_in_app.tenant.id) {
        (Some(original), Some(now)) if !original.eq_ignore_ascii_case(now) => Err(other(now)),
        _ => Ok((signed_in_app, apps)),
    }
}

/// Like `sign_in_single`, for a run of several tenants. Signs in only to tenants that have users left.
async fn sign_in_all(
    args: &ResumeArgs,
    profile: Option<&ChosenProfile>,
    stored_run: &StoredRun,
    outstanding: &[TargetNo],
    network: &NetworkSettings,
) -> Result<ResumedTenants, Error> {
    let StoredRun { record, targets, .. } = stored_run;
    let mut left = vec![0; record.tenants.len()];
    for order in outstanding {
        left[targets[*order as usize - 1].tenant as usize] += 1;
    }
    if let Some(given) = &args.sign_in.tenant {
        let count = record.tenants.len();
        return Err(Error::Usage(format!("the run has {count} tenants: remove --tenant {given}")));
    }
    tenants::sign_in_resumed(&args.sign_in, profile, record, &left, network, args.output.output).await
}

/// The users that are left, in sending order: the plan's order, but users that Graph has refused for good come last.
/// They would be refused again, and if they came first, the run would stop before the others.
fn outstanding_in_order(journal_index: &JournalIndex, accepted: &AcceptedOutcomes) -> Vec<TargetNo> {
    let mut left: Vec<TargetNo> = journal_index.outstanding(accepted).collect();
    let refused = |outcome| {
        use Outcome::{AcceptedNoEffect, Forbidden, NotFound, Rejected};
        matches!(outcome, Forbidden | NotFound | Rejected | AcceptedNoEffect)
    };
    left.sort_by_key(|order| refused(journal_index.outcome(*order)));
    left
}

/// The tenants in which an earlier process revoked a user, so the permission is there.
fn permitted_tenants(journal_index: &JournalIndex, targets: &[Target]) -> BTreeSet<TenantIndex> {
    let done = |order: TargetNo| {
        matches!(journal_index.outcome(order), Outcome::Revoked | Outcome::AcceptedNoEffect)
    };
    let targets = (1..).zip(targets).filter(|(order, _)| done(*order));
    targets.map(|(_, target)| target.tenant).collect()
}

/// What remains of the waits that Graph asked an earlier process to make: per tenant, or for all tenants. A wait that
/// is longer than
/// `--max-wait` counts only if there is no other: the dispatcher then sends one request first, and Graph answers again.
fn remaining_throttle_waits(
    journal_index: &JournalIndex,
    max_wait: Duration,
) -> Vec<(Option<TenantIndex>, Duration)> {
    let now = crate::dispatch::now();
    let remaining = journal_index.throttle_waits.iter().filter_map(|(tenant, waits)| {
        let remaining = waits.iter().filter_map(|wait| wait.remaining(now));
        let (allowed, too_long): (Vec<_>, Vec<_>) = remaining.partition(|wait| *wait <= max_wait);
        Some((*tenant, allowed.into_iter().max().or_else(|| too_long.into_iter().max())?))
    });
    remaining.collect()
}

/// The longest wait that a server may ask for: the current flag, or the run's setting.
fn max_wait(args: &ResumeArgs, record: &RunRecord) -> Option<Duration> {
    SendingSettings::for_resume(&args.sending, &record.settings).max_wait
}

fn run_tenant_name(record: &RunRecord) -> &str {
    record.tenant.as_deref().or(record.tenant_id.as_deref()).unwrap_or("unknown")
}

/// The progress that earlier processes made with the targets that are left.
fn remaining_progress(
    journal_index: &JournalIndex,
    outstanding: &[TargetNo],
    folder: &RunFolder,
) -> Result<Vec<TargetProgress>, Error> {
    let fail = |source| Error::Io { what: format!("can't read {}", folder.journal_path().display()), source };
    let work = |order: &TargetNo| {
        if journal_index.attempts(*order) == 0 {
            return Ok(TargetProgress { order: *order, ..TargetProgress::default() });
        }
        let target_state = journal_index.target_state(*order).map_err(fail)?;
        Ok(TargetProgress {
            order: *order,
            attempts: target_state.attempts,
            throttled: number::millis(target_state.throttled_ms),
            first_sent_at: target_state.first_sent_at,
        })
    };
    outstanding.iter().map(work).collect()
}
