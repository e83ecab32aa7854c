//! `resume`: go on where a run was cut short, and try again what was not done.
//!
//! A run's folder may come from another person. It says which users are left, and in which cloud and tenant; how to sign in
//! and where secrets go is said by this command line alone. Whatever differs from what was approved is agreed to first.

mod differences;
mod lists;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read;
use std::time::Duration;

use super::carry_out::{
    OutputMode, RunEnd, RunSession, SignedInAs, carry_out, check_counts, read_ledger, report,
    write_first_line,
};
use super::connect::{SignedInApp, check_me};
use super::drill::{self, DrillRecord};
use super::resume_flags::ResumeFlags;
use super::run::{self, write_record};
use super::tenants::{self, Again};
use super::{apps, forewarn, profiles, progress, standard_input, start_logs};
use crate::cli::ResumeArgs;
use crate::console::{self, OutputFormat, wording};
use crate::directory::Directory;
use crate::dispatch::TargetProgress;
use crate::error::Error;
use crate::event::{Event, SettledEvent, StopReason, TargetNo, TenantIndex};
use crate::harmless::sanitize_truncated;
use crate::identity::Cloud;
use crate::journal::{FORMAT, JournalIndex, OperatorRecord, RUN_JSON, RunFolder, RunRecord};
use crate::number;
use crate::outcome::{Accepted, Outcome};
use crate::plan::{PlanReader, PlanTenants, Target};
use crate::report::{ReportIntegrity, was_drill};
use crate::settings::profiled::{self, ChosenProfile};
use crate::settings::{AppSettings, NetworkSettings, SendingSettings, SignInSettings};
use crate::simulator::Simulator;
use crate::user_id::UserId;
use differences::{ResumeDifferences, same_person};
use lists::{CurrentLists, ListVerdict};

pub(super) async fn resume(mut args: ResumeArgs) -> Result<u8, Error> {
    start_logs(&args.output.log)?;
    // A config file may also be given for the further apps alone.
    let chooses = args.apps.app.is_empty() || args.profile.profile.is_some();
    let profile = if chooses { profiled::choose_named(&args.profile)? } else { None };
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
    }
    let folder = RunFolder::open(&args.folder)?;
    let lock = folder.lock()?;
    let mut record = read_record(&folder)?;
    let sending = SendingSettings::resumed(&args.sending, &record.settings);
    let changed = record.settings.accept != sending.accepted;
    let seal = ReportIntegrity::check(&folder, &record);
    record.settings.accept = sending.accepted.clone();
    let targets = read_targets(&folder, &record)?;
    let ledger = read_ledger(&folder, &record)?;
    let seal = seal.with_journal(&record, &ledger);
    seal.findings.iter().for_each(|what| {
        console::print_status(&format!("warning: ALTERED: {}", sanitize_truncated(what, 400)))
    });
    let drill = drill_of(&record, &ledger)?;
    let outstanding = in_turn(&ledger, &sending.accepted);
    let whole = ResumedPlan { folder, record, targets, ledger, seal, changed };
    if outstanding.is_empty() {
        return nothing_left(whole, args.output.output);
    }
    let simulator = match &drill {
        Some(drill) => Some(drill::start(drill).await?),
        None => None,
    };
    let lists = lists::lists_from_profiles(&whole.record, &args.profile, profile.as_ref());
    let lists = CurrentLists::find(&whole.record, &args.protect, &lists)?;
    let shows = args.output.output != OutputFormat::None;
    let hands = match (&simulator, &drill) {
        (Some(simulator), Some(drill)) if whole.record.tenants.is_empty() => {
            if shows {
                console::print_status(&drill::banner(simulator, drill));
            }
            OperatorChange::resume_drill(&args, &whole.record, simulator, drill).await?
        }
        _ => {
            if shows {
                console::print_status(&destination(&whole.record));
            }
            OperatorChange::sign_in(&args, profile.as_ref(), &whole, &outstanding).await?
        }
    };
    let OperatorChange { way, mut differences, flags } = hands;
    if let ResumeMode::One(connection) = &way {
        let mut left = outstanding.iter().map(|order| &whole.targets[*order as usize - 1].user);
        check_myself(left.any(|user| *user == UserId::Me), &whole.record.operator, connection)?;
    }
    if shows {
        let done = wording::count((whole.targets.len() - outstanding.len()) as u64);
        let open = wording::count(outstanding.len() as u64);
        console::print_status(&format!("resuming run {}: {done} done, {open} to do", whole.record.id));
    }
    differences.extend(lists.changed.iter().cloned());
    if whole.seal.record_changed {
        differences.add("run.json was changed since the run began");
    }
    let reads = drill.as_ref().is_none_or(|drill| drill.reads_directory());
    let ListVerdict { protected, closed } = check_lists(lists, &whole, &outstanding, &way, reads).await?;
    differences.protected(protected.iter(), &whole.targets);
    let outstanding: Vec<TargetNo> =
        outstanding.into_iter().filter(|order| !protected.contains_key(order)).collect();
    let settings = sending.dispatch(drill.as_ref().map_or(1.0, |drill| drill.pace()));
    let holds = if simulator.is_none() {
        remaining_throttle_waits(&whole.ledger, settings.max_wait)
    } else {
        Vec::new()
    };
    if shows {
        say_holds(&holds);
    }
    if let (None, ResumeMode::One(connection)) = (&simulator, &way) {
        let own = forewarn::own_ids(&connection.claims);
        let whose = |order: &TargetNo| &whole.targets[*order as usize - 1].user;
        forewarn::warn_self_revocation(outstanding.iter().any(|order| own.contains(whose(order))), false);
        let pace = sending.pace(connection.senders());
        forewarn::warn_token_expiry(connection, pace.estimate_time(outstanding.len() as u64));
    }
    let confirmed = differences.confirm(args.yes)?;
    let planned = outstanding.len() as u32;
    let refused = sending
        .max_users
        .filter(|allowed| planned > *allowed)
        .map(|allowed| StopReason::MaxUsers { planned, allowed });
    let ResumedPlan { folder, record, targets, ledger, seal, changed } = whole;
    let work = work(&ledger, &outstanding, &folder)?;
    let protected = settled(&ledger, &protected, &targets, &folder)?;
    let permitted = permitted(&ledger, &targets);
    let shown = OutputMode { progress: progress(&args.output), output: args.output.output };
    let (operator, posts) = match way {
        ResumeMode::One(connection) => (connection.operator.clone(), vec![connection.post()]),
        ResumeMode::Several(again) => (again.operator.clone(), again.posts(&closed)),
    };
    record_resumed_run(&folder, &record, changed, &seal)?;
    let ready = RunSession {
        journal: ledger.into_journal(&folder)?,
        folder,
        lock,
        record,
        targets,
        resumed: Some(work),
        holds,
        permitted,
        settings,
        refused,
        operator,
        posts,
        protected,
        confirmed,
        flags,
    };
    let code = carry_out(ready, shown).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    code
}

/// A run as its folder has it.
struct ResumedPlan {
    folder: RunFolder,
    record: RunRecord,
    targets: Vec<Target>,
    ledger: JournalIndex,
    seal: ReportIntegrity,
    /// Whether other words count as done from here on.
    changed: bool,
}

/// Who goes on with it.
struct OperatorChange {
    way: ResumeMode,
    differences: ResumeDifferences,
    flags: ResumeFlags,
}

enum ResumeMode {
    One(Box<SignedInApp>),
    Several(Again),
}

impl OperatorChange {
    async fn resume_drill(
        args: &ResumeArgs,
        record: &RunRecord,
        simulator: &Simulator,
        drill: &DrillRecord,
    ) -> Result<OperatorChange, Error> {
        let timeout = args.network.timeout.unwrap_or(number::millis(record.settings.timeout_ms));
        let connection = drill::sign_in(simulator, drill, timeout).await?.2;
        let (differences, flags) = Default::default();
        Ok(OperatorChange { way: ResumeMode::One(Box::new(connection)), differences, flags })
    }

    /// Signs in again, to the same cloud and tenants and no others.
    async fn sign_in(
        args: &ResumeArgs,
        profile: Option<&ChosenProfile>,
        whole: &ResumedPlan,
        outstanding: &[TargetNo],
    ) -> Result<OperatorChange, Error> {
        let record = &whole.record;
        let network = NetworkSettings::resumed(&args.network, cloud_of(args, record)?, &record.settings)?;
        let network = network.waiting(max_wait(args, record));
        if args.output.output != OutputFormat::None {
            network.notices.iter().for_each(|notice| console::print_status(notice));
        }
        let mut differences = ResumeDifferences::default();
        differences.place(record, &network);
        let own = SignInSettings::resumed(&args.sign_in, None, &record.settings);
        if record.tenants.is_empty() {
            let (connection, further) = sign_in_single(args, profile, record, &network).await?;
            differences.connection(record, &connection);
            let flags = ResumeFlags::new(&own.sources, &network, profile, &further.further);
            return Ok(OperatorChange { way: ResumeMode::One(Box::new(connection)), differences, flags });
        }
        let again = sign_in_all(args, profile, whole, outstanding, &network).await?;
        differences.connections(record, &again);
        let flags = ResumeFlags::new(&own.sources, &network, profile, &[]);
        Ok(OperatorChange { way: ResumeMode::Several(again), differences, flags })
    }
}

/// The drill's settings, where the run is one. A drill that does not say so, or a run that says that it is one, would be
/// sent to the wrong place.
fn drill_of(record: &RunRecord, ledger: &JournalIndex) -> Result<Option<DrillRecord>, Error> {
    let refuse = |what: &str| Err(Error::Usage(format!("run.json {what}: it was changed. Nothing was sent")));
    let journal_knows = ledger.processes.iter().any(|began| began.approved.is_some());
    match &record.drill {
        None if was_drill(ledger) => refuse("does not say that this was a drill, and the journal does"),
        Some(_) if journal_knows && !was_drill(ledger) => {
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
fn destination(record: &RunRecord) -> String {
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
async fn check_lists(
    lists: CurrentLists,
    whole: &ResumedPlan,
    outstanding: &[TargetNo],
    way: &ResumeMode,
    reads: bool,
) -> Result<ListVerdict, Error> {
    let left: HashSet<TargetNo> = outstanding.iter().copied().collect();
    let (folder, record) = (&whole.folder, &whole.record);
    let begun = record.operator.user.as_deref();
    let no_lookup = lists.no_lookup || !reads;
    match way {
        ResumeMode::One(connection) => {
            let same = same_person(begun, connection.operator.user.as_deref());
            let known = [connection.tenant.domain.as_deref(), connection.tenant_id()];
            let directory: Option<&Directory> = Some(&connection.directory).filter(|_| !no_lookup);
            let tenants = PlanTenants::one(run::signed(connection), directory, known.into_iter().flatten());
            let mut judged = lists.recheck(folder, record, &left, &tenants, same).await?;
            if !same {
                let own = forewarn::own_ids(&connection.claims);
                let why = "you are signed in with this account, and another person began the run";
                for order in outstanding {
                    let user = &whole.targets[*order as usize - 1].user;
                    if *user != UserId::Me && own.contains(user) {
                        judged.protected.entry(*order).or_insert_with(|| why.to_owned());
                    }
                }
            }
            Ok(judged)
        }
        ResumeMode::Several(again) => {
            let same = same_person(begun, again.operator.user.as_deref());
            let tenants = again.tenants(record, no_lookup);
            lists.recheck(folder, record, &left, &tenants, same).await
        }
    }
}

/// What the journal is to say of those who are protected by now, with what is known of them so far.
fn settled(
    ledger: &JournalIndex,
    protected: &BTreeMap<TargetNo, String>,
    targets: &[Target],
    folder: &RunFolder,
) -> Result<Vec<SettledEvent>, Error> {
    let fail = |source| Error::Io { what: format!("can't read {}", folder.journal_path().display()), source };
    let settled = |(order, why): (&TargetNo, &String)| {
        let standing = ledger.target_state(*order).map_err(fail)?;
        let mut evidence = standing.evidence;
        let before = match standing.attempts {
            0 => String::new(),
            _ => format!("; sent before that, and then {}", standing.outcome),
        };
        let said = if evidence.detail.is_empty() { String::new() } else { format!(": {}", evidence.detail) };
        evidence.detail = format!("{why} (since the run began{before}{said})");
        Ok(SettledEvent {
            at: crate::dispatch::now(),
            target: *order,
            user: targets[*order as usize - 1].user.to_string(),
            outcome: Outcome::Protected,
            evidence,
            attempts: standing.attempts,
            throttled_ms: standing.throttled_ms,
            first_sent_at: standing.first_sent_at,
            client_request_id: standing.client_request_id,
        })
    };
    protected.iter().map(settled).collect()
}

fn say_holds(holds: &[(Option<TenantIndex>, Duration)]) {
    let Some((tenant, wait)) = holds.first() else { return };
    let wait = console::wording::wait(*wait);
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
fn check_myself(names_me: bool, begun: &OperatorRecord, connection: &SignedInApp) -> Result<(), Error> {
    check_me(names_me, connection)?;
    let now = connection.operator.user.as_deref();
    match (names_me, begun.user.as_deref()) {
        (true, Some(begun)) if now.is_none_or(|now| !now.eq_ignore_ascii_case(begun)) => {
            let begun = crate::harmless::sanitize_truncated(begun, 120);
            Err(Error::Usage(format!(
                "`me` is in the list and means {begun}, who began the run: sign in as {begun} to go on with it, or \
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
    seal: &ReportIntegrity,
) -> Result<(), Error> {
    crate::report::withdraw_manifest(folder, seal)?;
    if changed {
        write_record(folder, record)?;
    }
    Ok(())
}

/// A complete run needs no token: it only says so once more.
fn nothing_left(whole: ResumedPlan, output: OutputFormat) -> Result<u8, Error> {
    let ResumedPlan { folder, record, ledger, seal, changed, .. } = whole;
    if output != OutputFormat::None {
        console::print_status(&format!("run {} has nothing left to do", record.id));
    }
    record_resumed_run(&folder, &record, changed, &seal)?;
    let mut journal = ledger.into_journal(&folder)?;
    let place = journal.location().cloned();
    write_first_line(&mut journal, &record, 0, true, SignedInAs::default())?;
    journal.append(&Event::Ended { at: crate::dispatch::now() })?;
    journal.close()?;
    let flags = ResumeFlags::recorded(&record);
    let ending = RunEnd { results: None, stop: None, revoked: 0, place, flags: &flags };
    report(&folder, &record, output, ending)
}

/// The most that is read of `run.json`, in bytes: with thousands of tenants it has some millions.
const LONGEST: u64 = 64 << 20;

/// Reads `run.json`.
pub(super) fn read_record(folder: &RunFolder) -> Result<RunRecord, Error> {
    let path = folder.file(RUN_JSON);
    let unreadable = |reason: String| Error::Usage(format!("can't read {}: {reason}", path.display()));
    let mut text = Vec::new();
    let read = folder.dir().read(RUN_JSON).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
    read.map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > LONGEST {
        return Err(unreadable(format!("it has more than {} MB, as no run's has", LONGEST >> 20)));
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
fn cloud_of(args: &ResumeArgs, record: &RunRecord) -> Result<Cloud, Error> {
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
    let who = SignInSettings::resumed(&args.sign_in, tenant, &record.settings);
    standard_input::check(&[], &who.sources)?;
    let same = |tenant: &str| known.iter().flatten().any(|known| known.eq_ignore_ascii_case(tenant));
    let other = |tenant: &str| {
        let begun = tenant_name(record);
        Error::Usage(format!("the run was begun in tenant {begun}; it can't go on in tenant {tenant}"))
    };
    if let Some(given) =
        who.tenant.as_deref().filter(|given| known.iter().any(Option::is_some) && !same(given))
    {
        return Err(other(given));
    }
    let apps = AppSettings::new(&args.apps, &args.profile, profile, &who, network.cloud)?;
    let had = record.settings.further.len();
    if had > apps.further.len() && args.apps.app.is_empty() && args.output.output != OutputFormat::None {
        console::print_status(&format!(
            "note: the run had {had} further apps, and {} are named now: --app or --profile names them",
            apps.further.len()
        ));
    }
    let connection = apps::sign_in(&who, &apps, network).await?;
    if record.tenant_id.is_some() && connection.tenant.id.is_none() {
        console::print_status("warning: the token does not say its tenant; make sure that it is the run's");
    }
    match (&record.tenant_id, &connection.tenant.id) {
        (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => Err(other(now)),
        _ => Ok((connection, apps)),
    }
}

/// The same for a run of several tenants: in those that have users left, and each to the same as before.
async fn sign_in_all(
    args: &ResumeArgs,
    profile: Option<&ChosenProfile>,
    whole: &ResumedPlan,
    outstanding: &[TargetNo],
    network: &NetworkSettings,
) -> Result<Again, Error> {
    let ResumedPlan { record, targets, .. } = whole;
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
fn in_turn(ledger: &JournalIndex, accepted: &Accepted) -> Vec<TargetNo> {
    let mut left: Vec<TargetNo> = ledger.outstanding(accepted).collect();
    let refused = |outcome| {
        use Outcome::{AcceptedNoEffect, Forbidden, NotFound, Rejected};
        matches!(outcome, Forbidden | NotFound | Rejected | AcceptedNoEffect)
    };
    left.sort_by_key(|order| refused(ledger.outcome(*order)));
    left
}

/// The tenants in which an earlier process revoked somebody: the permission is there.
fn permitted(ledger: &JournalIndex, targets: &[Target]) -> BTreeSet<TenantIndex> {
    let done =
        |order: TargetNo| matches!(ledger.outcome(order), Outcome::Revoked | Outcome::AcceptedNoEffect);
    let targets = (1..).zip(targets).filter(|(order, _)| done(*order));
    targets.map(|(_, target)| target.tenant).collect()
}

/// How long Graph still wants to be left alone, in each tenant or in all: a 429 that an earlier process got holds for
/// the run, whoever goes on with it. A drill's simulator is a new one and asked for nothing. A wait for which nobody
/// would have waited is not waited for now either: whoever goes on with the run asks again.
fn remaining_throttle_waits(
    ledger: &JournalIndex,
    max_wait: Duration,
) -> Vec<(Option<TenantIndex>, Duration)> {
    let now = crate::dispatch::now();
    let left = ledger.closings.iter().filter_map(|(tenant, closings)| {
        let left = closings.iter().filter_map(|closing| closing.remaining(now));
        Some((*tenant, left.filter(|left| *left <= max_wait).max()?))
    });
    left.collect()
}

/// The longest wait that a server may ask for: what is given now, or what the run had.
fn max_wait(args: &ResumeArgs, record: &RunRecord) -> Option<Duration> {
    SendingSettings::resumed(&args.sending, &record.settings).max_wait
}

fn tenant_name(record: &RunRecord) -> &str {
    record.tenant.as_deref().or(record.tenant_id.as_deref()).unwrap_or("unknown")
}

/// What earlier processes did for the targets that are left.
fn work(
    ledger: &JournalIndex,
    outstanding: &[TargetNo],
    folder: &RunFolder,
) -> Result<Vec<TargetProgress>, Error> {
    let fail = |source| Error::Io { what: format!("can't read {}", folder.journal_path().display()), source };
    let work = |order: &TargetNo| {
        if ledger.attempts(*order) == 0 {
            return Ok(TargetProgress { order: *order, ..TargetProgress::default() });
        }
        let standing = ledger.target_state(*order).map_err(fail)?;
        Ok(TargetProgress {
            order: *order,
            attempts: standing.attempts,
            throttled: number::millis(standing.throttled_ms),
            first_sent_at: standing.first_sent_at,
        })
    };
    outstanding.iter().map(work).collect()
}
