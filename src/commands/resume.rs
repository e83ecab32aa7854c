//! `resume`: go on where a run was cut short, and try again what was not done.
//!
//! A run's folder may come from another person. It says which users are left, and in which cloud and tenant; how to sign in
//! and where secrets go is said by this command line alone. Whatever differs from what was approved is agreed to first.

mod differences;
mod protect_lists;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::time::Duration;

use super::connect::{SignedInApp, check_names_me};
use super::drill::{self, DrillRecord};
use super::execute::{
    OutputMode, RunEnd, RunSession, SignedInAs, check_counts, read_journal_index, run_job, write_began_line,
    write_reports,
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
use crate::outcome::{Accepted, Outcome};
use crate::plan::{PlanReader, PlanTenants, Target};
use crate::report::{ReportIntegrity, was_drill};
use crate::settings::profiled::{self, ChosenProfile};
use crate::settings::{AppSettings, NetworkSettings, SendingSettings, SignInSettings};
use crate::simulator::Simulator;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;
use crate::user_id::UserId;
use differences::{ResumeDifferences, same_person};
use protect_lists::{CurrentLists, ListVerdict};

pub(super) async fn resume(mut args: ResumeArgs) -> Result<u8, Error> {
    init_logging(&args.output.log)?;
    // A config file may also be given for the further apps alone.
    let uses_profile = args.apps.app.is_empty() || args.profile.profile.is_some();
    let profile = if uses_profile { profiled::choose_named(&args.profile)? } else { None };
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
    }
    let folder = RunFolder::open(&args.folder)?;
    let lock = folder.lock()?;
    let mut record = read_run_record(&folder)?;
    let sending = SendingSettings::resumed(&args.sending, &record.settings);
    let changed = record.settings.accept != sending.accepted;
    let integrity = ReportIntegrity::check(&folder, &record);
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
        return finish_complete_run(stored_run, args.output.output);
    }
    let simulator = match &drill {
        Some(drill) => Some(drill::start(drill).await?),
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
    if let ResumeMode::One(signed_in_app) = &mode {
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
        differences.add("run.json was changed since the run began");
    }
    let reads = drill.as_ref().is_none_or(|drill| drill.has_directory());
    let ListVerdict { protected, closed_tenants: closed } =
        recheck_lists(lists, &stored_run, &outstanding, &mode, reads).await?;
    differences.add_newly_protected(protected.iter(), &stored_run.targets);
    let outstanding: Vec<TargetNo> =
        outstanding.into_iter().filter(|order| !protected.contains_key(order)).collect();
    let settings = sending.dispatch(drill.as_ref().map_or(1.0, |drill| drill.quota_speed()));
    let holds = if simulator.is_none() {
        remaining_throttle_waits(&stored_run.journal_index, settings.max_wait)
    } else {
        Vec::new()
    };
    if prints_status {
        print_throttle_wait(&holds);
    }
    if let (None, ResumeMode::One(signed_in_app)) = (&simulator, &mode) {
        let own = preflight::operator_ids(&signed_in_app.claims);
        let whose = |order: &TargetNo| &stored_run.targets[*order as usize - 1].user;
        preflight::warn_self_revocation(outstanding.iter().any(|order| own.contains(whose(order))), false);
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
    let shown = OutputMode { progress: progress(&args.output), output: args.output.output };
    let (operator, posts) = match mode {
        ResumeMode::One(signed_in_app) => {
            (signed_in_app.operator.clone(), vec![signed_in_app.into_tenant_clients()])
        }
        ResumeMode::Several(resumed_tenants) => {
            (resumed_tenants.operator.clone(), resumed_tenants.into_tenant_clients(&closed))
        }
    };
    record_resumed_run(&folder, &record, changed, &integrity)?;
    let ready = RunSession {
        journal: journal_index.into_journal(&folder)?,
        folder,
        lock,
        record,
        targets,
        remaining: Some(work),
        throttle_waits: holds,
        permitted_tenants: permitted,
        settings,
        refusal: refused,
        operator,
        tenant_clients: posts,
        newly_protected: protected,
        confirmed,
        flags,
    };
    let code = run_job(ready, shown).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    code
}

/// A run as its folder has it.
struct StoredRun {
    folder: RunFolder,
    record: RunRecord,
    targets: Vec<Target>,
    journal_index: JournalIndex,
    integrity: ReportIntegrity,
    /// Whether other words count as done from here on.
    accept_changed: bool,
}

/// Who goes on with it.
struct ResumeSession {
    mode: ResumeMode,
    differences: ResumeDifferences,
    flags: ResumeFlags,
}

enum ResumeMode {
    One(Box<SignedInApp>),
    Several(ResumedTenants),
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
        Ok(ResumeSession { mode: ResumeMode::One(Box::new(signed_in_app)), differences, flags })
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
        let network = network.waiting(max_wait(args, record));
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
            return Ok(ResumeSession { mode: ResumeMode::One(Box::new(signed_in_app)), differences, flags });
        }
        let resumed_tenants = sign_in_all(args, profile, stored_run, outstanding, &network).await?;
        differences.compare_apps(record, &resumed_tenants);
        let flags = ResumeFlags::new(&own.sources, &network, profile, &[]);
        Ok(ResumeSession { mode: ResumeMode::Several(resumed_tenants), differences, flags })
    }
}

/// The drill's settings, where the run is one. A drill that does not say so, or a run that says that it is one, would be
/// sent to the wrong place.
fn parse_drill(record: &RunRecord, journal_index: &JournalIndex) -> Result<Option<DrillRecord>, Error> {
    let refuse = |what: &str| Err(Error::Usage(format!("run.json {what}: it was changed. Nothing was sent")));
    let journal_knows = journal_index.processes.iter().any(|began| began.approved.is_some());
    match &record.drill {
        None if was_drill(journal_index) => {
            refuse("does not say that this was a drill, and the journal does")
        }
        Some(_) if journal_knows && !was_drill(journal_index) => {
            refuse("says that this was a drill, and the journal does not")
        }
        None => Ok(None),
        Some(drill) => match serde_json::from_value(drill.clone()) {
            Ok(drill) => Ok(Some(drill)),
            Err(_) => refuse("says that this was a drill, and its settings can't be read"),
        },
    }
}

/// Where the run is sent, as its folder says: all that is taken from there.
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
        "from the run's folder: cloud {}, {place}{}",
        sanitize_truncated(&record.cloud, 20),
        app.unwrap_or_default()
    )
}

/// Who is protected by now.
async fn recheck_lists(
    lists: CurrentLists,
    stored_run: &StoredRun,
    outstanding: &[TargetNo],
    mode: &ResumeMode,
    reads: bool,
) -> Result<ListVerdict, Error> {
    let left: HashSet<TargetNo> = outstanding.iter().copied().collect();
    let (folder, record) = (&stored_run.folder, &stored_run.record);
    let original = record.operator.user.as_deref();
    let no_lookup = lists.skips_lookup || !reads;
    match mode {
        ResumeMode::One(signed_in_app) => {
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
                let why = "you are signed in with this account, and another person began the run";
                for order in outstanding {
                    let user = &stored_run.targets[*order as usize - 1].user;
                    if *user != UserId::Me && own.contains(user) {
                        judged.protected.entry(*order).or_insert_with(|| why.to_owned());
                    }
                }
            }
            Ok(judged)
        }
        ResumeMode::Several(resumed_tenants) => {
            let same = same_person(original, resumed_tenants.operator.user.as_deref());
            let tenants = resumed_tenants.plan_tenants(record, no_lookup);
            lists.recheck(folder, record, &left, &tenants, same).await
        }
    }
}

/// What the journal is to say of those who are protected by now, with what is known of them so far.
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
            _ => format!("; sent before that, and then {}", target_state.outcome),
        };
        let said = if evidence.detail.is_empty() { String::new() } else { format!(": {}", evidence.detail) };
        evidence.detail = format!("{why} (since the run began{before}{said})");
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

fn print_throttle_wait(holds: &[(Option<TenantIndex>, Duration)]) {
    let Some((tenant, wait)) = holds.first() else { return };
    let wait = crate::text::humanize::wait(*wait);
    let place = match (tenant, holds.len()) {
        (None, _) => String::new(),
        (Some(_), 1) => " in one tenant".to_owned(),
        (Some(_), several) => format!(" in {several} tenants"),
    };
    console::print_status(&format!(
        "Graph asked this run to wait: nothing is sent{place} for another {wait}"
    ));
}

/// `me` means whoever began the run, and Graph takes it for whoever goes on with it.
fn check_me_is_same_user(
    names_me: bool,
    original: &OperatorRecord,
    signed_in_app: &SignedInApp,
) -> Result<(), Error> {
    check_names_me(names_me, signed_in_app)?;
    let now = signed_in_app.operator.user.as_deref();
    match (names_me, original.user.as_deref()) {
        (true, Some(original)) if now.is_none_or(|now| !now.eq_ignore_ascii_case(original)) => {
            let original = crate::text::sanitize::sanitize_truncated(original, 120);
            Err(Error::Usage(format!(
                "`me` is in the list and means {original}, who began the run: sign in as {original} to go on with it, or \
                 begin a new run that names that user"
            )))
        }
        _ => Ok(()),
    }
}

/// The last step before the run's files change: the manifest no longer fits. Where other words count as done from
/// here on, that is a fact of the run, and `report` must say the same later.
fn record_resumed_run(
    folder: &RunFolder,
    record: &RunRecord,
    changed: bool,
    integrity: &ReportIntegrity,
) -> Result<(), Error> {
    crate::report::withdraw_manifest(folder, integrity)?;
    if changed {
        write_record(folder, record)?;
    }
    Ok(())
}

/// A complete run needs no token: it only says so once more.
fn finish_complete_run(stored_run: StoredRun, output: OutputFormat) -> Result<u8, Error> {
    let StoredRun { folder, record, journal_index, integrity, accept_changed: changed, .. } = stored_run;
    if output != OutputFormat::None {
        console::print_status(&format!("run {} has nothing left to do", record.id));
    }
    record_resumed_run(&folder, &record, changed, &integrity)?;
    let mut journal = journal_index.into_journal(&folder)?;
    let place = journal.location().cloned();
    write_began_line(&mut journal, &record, 0, true, SignedInAs::default())?;
    journal.append(&Event::Ended { at: crate::dispatch::now() })?;
    journal.close()?;
    let flags = ResumeFlags::from_record(&record);
    let ending = RunEnd { results: None, stop: None, revoked: 0, journal_location: place, flags: &flags };
    write_reports(&folder, &record, output, ending)
}

/// The most that is read of `run.json`, in bytes: with thousands of tenants it has some millions.
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
        return Err(unreadable(format!("it has more than {} MB, as no run's has", MAX_RECORD_BYTES >> 20)));
    }
    let record: RunRecord = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if record.format > FORMAT {
        return Err(unreadable("it was written by a newer entra-revoke; use that".to_owned()));
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
                .ok_or_else(|| broken("a target is in no tenant of the run"))?,
        };
        let user: UserId = row.user_id.parse().map_err(|_| broken("a target is no user id"))?;
        let slot = targets
            .get_mut((order as usize).wrapping_sub(1))
            .ok_or_else(|| broken("it has too many targets"))?;
        let administrator = row.is_administrator();
        *slot = Some(Target { user, external: row.external, tenant, administrator });
    }
    targets.into_iter().collect::<Option<_>>().ok_or_else(|| broken("a target is missing"))
}

/// The run's cloud, and no other.
fn run_cloud(args: &ResumeArgs, record: &RunRecord) -> Result<Cloud, Error> {
    let cloud: Cloud = record.cloud.parse().map_err(|error| Error::Usage(format!("run.json: {error}")))?;
    match args.sign_in.cloud.is_some_and(|given| given != cloud) {
        true => {
            Err(Error::Usage(format!("the run was begun in the cloud {cloud}; it can't go on in another")))
        }
        false => Ok(cloud),
    }
}

/// Signs in again, to the same tenant and no other; gives the further apps as well.
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
        Error::Usage(format!("the run was begun in tenant {original}; it can't go on in tenant {tenant}"))
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
            "note: the run had {had} further apps, and {} are named now: --app or --profile names them",
            apps.further.len()
        ));
    }
    let signed_in_app = sign_in_apps::sign_in(&sign_in, &apps, network).await?;
    if record.tenant_id.is_some() && signed_in_app.tenant.id.is_none() {
        console::print_status("warning: the token does not say its tenant; make sure that it is the run's");
    }
    match (&record.tenant_id, &signed_in_app.tenant.id) {
        (Some(original), Some(now)) if !original.eq_ignore_ascii_case(now) => Err(other(now)),
        _ => Ok((signed_in_app, apps)),
    }
}

/// The same for a run of several tenants: in those that have users left, and each to the same as before.
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
        return Err(Error::Usage(format!("the run has {count} tenants: take --tenant {given} away")));
    }
    tenants::sign_in_resumed(&args.sign_in, profile, record, &left, network, args.output.output).await
}

/// Who is left, in the order in which they are sent: the plan's, but those whom Graph refused for good come last. They
/// would be refused again, and as the first ones they would keep all others from being sent.
fn outstanding_in_order(journal_index: &JournalIndex, accepted: &Accepted) -> Vec<TargetNo> {
    let mut left: Vec<TargetNo> = journal_index.outstanding(accepted).collect();
    let refused = |outcome| {
        use Outcome::{AcceptedNoEffect, Forbidden, NotFound, Rejected};
        matches!(outcome, Forbidden | NotFound | Rejected | AcceptedNoEffect)
    };
    left.sort_by_key(|order| refused(journal_index.outcome(*order)));
    left
}

/// The tenants in which an earlier process revoked somebody: the permission is there.
fn permitted_tenants(journal_index: &JournalIndex, targets: &[Target]) -> BTreeSet<TenantIndex> {
    let done = |order: TargetNo| {
        matches!(journal_index.outcome(order), Outcome::Revoked | Outcome::AcceptedNoEffect)
    };
    let targets = (1..).zip(targets).filter(|(order, _)| done(*order));
    targets.map(|(_, target)| target.tenant).collect()
}

/// How long Graph still wants to be left alone, in each tenant or in all: a 429 that an earlier process got holds for
/// the run, whoever goes on with it. A drill's simulator is a new one and asked for nothing. A wait for which nobody
/// would have waited is not waited for now either: whoever goes on with the run asks again.
fn remaining_throttle_waits(
    journal_index: &JournalIndex,
    max_wait: Duration,
) -> Vec<(Option<TenantIndex>, Duration)> {
    let now = crate::dispatch::now();
    let left = journal_index.closings.iter().filter_map(|(tenant, closings)| {
        let left = closings.iter().filter_map(|closing| closing.remaining(now));
        Some((*tenant, left.filter(|left| *left <= max_wait).max()?))
    });
    left.collect()
}

/// The longest wait that a server may ask for: what is given now, or what the run had.
fn max_wait(args: &ResumeArgs, record: &RunRecord) -> Option<Duration> {
    SendingSettings::resumed(&args.sending, &record.settings).max_wait
}

fn run_tenant_name(record: &RunRecord) -> &str {
    record.tenant.as_deref().or(record.tenant_id.as_deref()).unwrap_or("unknown")
}

/// What earlier processes did for the targets that are left.
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
