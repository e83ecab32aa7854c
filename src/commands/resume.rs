//! `resume`: go on where a run was cut short, and try again what was not done.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::carry_out::{Ready, Shown, Who, begin, carry_out, read_ledger, report};
use super::connect::{Connection, check_me};
use super::drill::{self, DrillRecord};
use super::run::write_record;
use super::tenants::{self, Again};
use super::{apps, forewarn, profiles, progress, standard_input, start_logs};
use crate::cli::ResumeArgs;
use crate::console::{self, Output, wording};
use crate::dispatch::Work;
use crate::error::Error;
use crate::event::{Event, Order, Stop, TenantIndex};
use crate::identity::Cloud;
use crate::journal::{FORMAT, Ledger, Operator, RunFolder, RunRecord};
use crate::number;
use crate::outcome::{Accepted, Outcome};
use crate::plan::{PlanReader, Target};
use crate::settings::profiled::{self, Chosen};
use crate::settings::{Apps, Network, Sending, SignIn};
use crate::user_id::UserId;

pub(super) async fn resume(mut args: ResumeArgs) -> Result<u8, Error> {
    start_logs(&args.output.log)?;
    // A config file may also be given for the further apps alone.
    let chooses = args.apps.app.is_empty() || args.profile.profile.is_some();
    let profile = if chooses { profiled::choose_named(&args.profile)? } else { None };
    if let Some(profile) = &profile {
        profiles::take(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
    }
    let folder = RunFolder::open(&args.folder)?;
    let lock = folder.lock()?;
    let mut record = read_record(&folder)?;
    let sending = Sending::resumed(&args.sending, &record.settings);
    let changed = record.settings.accept != sending.accepted;
    record.settings.accept = sending.accepted.clone();
    let targets = read_targets(&folder, &record)?;
    let ledger = read_ledger(&folder, &record)?;
    let outstanding = in_turn(&ledger, &sending.accepted);
    if outstanding.is_empty() {
        return nothing_left(&folder, &record, changed, ledger, args.output.output);
    }
    let drill: Option<DrillRecord> =
        record.drill.clone().and_then(|drill| serde_json::from_value(drill).ok());
    let simulator = match &drill {
        Some(drill) => Some(drill::start(drill).await?),
        None => None,
    };
    let connection = match (&simulator, &drill) {
        _ if !record.tenants.is_empty() => None,
        (Some(simulator), Some(drill)) => {
            if args.output.output != Output::None {
                console::say(&drill::banner(simulator, drill));
            }
            let timeout = args.network.timeout.unwrap_or(number::millis(record.settings.timeout_ms));
            Some(drill::sign_in(simulator, drill, timeout).await?.2)
        }
        _ => Some(reconnect(&args, profile.as_ref(), &record).await?),
    };
    if let Some(connection) = &connection {
        let left = outstanding.iter().map(|order| &targets[*order as usize - 1].user);
        check_myself(left.into_iter().any(|user| *user == UserId::Me), &record.operator, connection)?;
    }
    let several = match &connection {
        Some(_) => None,
        None => Some(reconnect_all(&args, &record, &targets, &outstanding).await?),
    };
    if args.output.output != Output::None {
        let done = wording::count((targets.len() - outstanding.len()) as u64);
        let open = wording::count(outstanding.len() as u64);
        console::say(&format!("resuming run {}: {done} done, {open} to do", record.id));
    }
    let settings = sending.dispatch(drill.as_ref().map_or(1.0, |drill| drill.pace()));
    let holds = if simulator.is_none() { holds(&ledger, settings.max_wait) } else { Vec::new() };
    if let Some((tenant, wait)) = holds.first().filter(|_| args.output.output != Output::None) {
        let wait = console::wording::wait(*wait);
        let place = match (tenant, holds.len()) {
            (None, _) => String::new(),
            (Some(_), 1) => " in one tenant".to_owned(),
            (Some(_), several) => format!(" in {several} tenants"),
        };
        console::say(&format!("Graph asked this run to wait: nothing is sent{place} for another {wait}"));
    }
    if let (None, Some(connection)) = (&simulator, &connection) {
        let own = forewarn::own_ids(&connection.claims);
        let whose = |order: &Order| &targets[*order as usize - 1].user;
        forewarn::of_oneself(outstanding.iter().any(|order| own.contains(whose(order))), false);
        let pace = sending.pace(connection.senders());
        forewarn::of_the_tokens_end(connection, pace.time_for(outstanding.len() as u64));
    }
    let planned = outstanding.len() as u32;
    let refused = sending
        .max_users
        .filter(|allowed| planned > *allowed)
        .map(|allowed| Stop::MaxUsers { planned, allowed });
    let work = work(&ledger, &outstanding, &folder)?;
    let permitted = permitted(&ledger, &targets);
    let shown = Shown { progress: progress(&args.output), output: args.output.output };
    let (operator, posts) = match (connection, several) {
        (Some(connection), _) => (connection.operator.clone(), vec![connection.post()]),
        (None, Some(Again { operator, posts })) => (operator, posts),
        (None, None) => (record.operator.clone(), Vec::new()),
    };
    take_over(&folder, &record, changed)?;
    let ready = Ready {
        journal: ledger.into_journal()?,
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
    };
    let code = carry_out(ready, shown).await;
    if let Some(simulator) = simulator {
        simulator.stop().await;
    }
    code
}

/// `me` means whoever began the run, and Graph takes it for whoever goes on with it.
fn check_myself(names_me: bool, begun: &Operator, connection: &Connection) -> Result<(), Error> {
    check_me(names_me, connection)?;
    let now = connection.operator.user.as_deref();
    match (names_me, begun.user.as_deref()) {
        (true, Some(begun)) if now.is_none_or(|now| !now.eq_ignore_ascii_case(begun)) => {
            let begun = crate::harmless::excerpt(begun, 120);
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
fn take_over(folder: &RunFolder, record: &RunRecord, changed: bool) -> Result<(), Error> {
    crate::report::withdraw_manifest(folder)?;
    if changed {
        write_record(folder, record)?;
    }
    Ok(())
}

/// A complete run needs no token: it only says so once more.
fn nothing_left(
    folder: &RunFolder,
    record: &RunRecord,
    changed: bool,
    ledger: Ledger,
    output: Output,
) -> Result<u8, Error> {
    if output != Output::None {
        console::say(&format!("run {} has nothing left to do", record.id));
    }
    take_over(folder, record, changed)?;
    let mut journal = ledger.into_journal()?;
    begin(&mut journal, record, 0, true, Who::default())?;
    journal.append(&Event::Ended { at: crate::dispatch::now() })?;
    journal.close()?;
    report(folder, record, output, None, None)
}

/// Reads `run.json`.
pub(super) fn read_record(folder: &RunFolder) -> Result<RunRecord, Error> {
    let path = folder.file("run.json");
    let unreadable = |reason: String| Error::Usage(format!("can't read {}: {reason}", path.display()));
    let text = std::fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let record: RunRecord = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if record.format > FORMAT {
        return Err(unreadable("it was written by a newer entra-revoke; use that".to_owned()));
    }
    Ok(record)
}

/// The plan's targets, in sending order.
fn read_targets(folder: &RunFolder, record: &RunRecord) -> Result<Vec<Target>, Error> {
    let mut targets = vec![None; record.plan.targets as usize];
    let broken = |what: &str| Error::Usage(format!("{}: {what}", folder.plan().display()));
    let places: HashMap<&str, TenantIndex> =
        (0..).zip(&record.tenants).map(|(place, tenant)| (tenant.tenant.as_str(), place)).collect();
    for row in PlanReader::open(&folder.plan(), &record.plan.sha256)? {
        let row = row?;
        let Some(order) = row.order() else { continue };
        let tenant = match places.is_empty() {
            true => 0,
            false => *places
                .get(row.tenant.as_str())
                .ok_or_else(|| broken("a target is in no tenant of the run"))?,
        };
        let user: UserId = row.user_id.parse().map_err(|_| broken("a target is no user id"))?;
        let slot = targets.get_mut(order as usize - 1).ok_or_else(|| broken("it has too many targets"))?;
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

/// Signs in again, to the same tenant and cloud and no other.
async fn reconnect(
    args: &ResumeArgs,
    profile: Option<&Chosen>,
    record: &RunRecord,
) -> Result<Connection, Error> {
    let cloud = cloud_of(args, record)?;
    let network = Network::resumed(&args.network, cloud, &record.settings)?.waiting(max_wait(args, record));
    let known = [record.tenant.as_deref(), record.tenant_id.as_deref(), record.unverified_tenant.as_deref()];
    let tenant = known.into_iter().flatten().next();
    let who = SignIn::resumed(&args.sign_in, tenant, &record.settings);
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
    let had = &record.settings.further;
    let apps = Apps::resumed(&args.apps, &args.profile, profile, &who, cloud, had)?;
    let connection = apps::sign_in(&who, &apps, &network).await?;
    if record.tenant_id.is_some() && connection.tenant.id.is_none() {
        console::say("warning: the token does not say its tenant; make sure that it is the run's");
    }
    match (&record.tenant_id, &connection.tenant.id) {
        (Some(begun), Some(now)) if !begun.eq_ignore_ascii_case(now) => Err(other(now)),
        _ => Ok(connection),
    }
}

/// The same for a run of several tenants: in those that have users left, and each to the same as before.
async fn reconnect_all(
    args: &ResumeArgs,
    record: &RunRecord,
    targets: &[Target],
    outstanding: &[Order],
) -> Result<Again, Error> {
    let network = Network::resumed(&args.network, cloud_of(args, record)?, &record.settings)?;
    let network = network.waiting(max_wait(args, record));
    let mut left = vec![0; record.tenants.len()];
    for order in outstanding {
        left[targets[*order as usize - 1].tenant as usize] += 1;
    }
    if let Some(given) = &args.sign_in.tenant {
        let count = record.tenants.len();
        return Err(Error::Usage(format!("the run has {count} tenants: take --tenant {given} away")));
    }
    tenants::again(&args.sign_in, record, &left, &network, args.output.output).await
}

/// Who is left, in the order in which they are sent: the plan's, but those whom Graph refused for good come last. They
/// would be refused again, and as the first ones they would keep all others from being sent.
fn in_turn(ledger: &Ledger, accepted: &Accepted) -> Vec<Order> {
    let mut left: Vec<Order> = ledger.outstanding(accepted).collect();
    let refused = |outcome| {
        use Outcome::{AcceptedNoEffect, Forbidden, NotFound, Rejected};
        matches!(outcome, Forbidden | NotFound | Rejected | AcceptedNoEffect)
    };
    left.sort_by_key(|order| refused(ledger.outcome(*order)));
    left
}

/// The tenants in which an earlier process revoked somebody: the permission is there.
fn permitted(ledger: &Ledger, targets: &[Target]) -> BTreeSet<TenantIndex> {
    let done = |order: Order| matches!(ledger.outcome(order), Outcome::Revoked | Outcome::AcceptedNoEffect);
    let targets = (1..).zip(targets).filter(|(order, _)| done(*order));
    targets.map(|(_, target)| target.tenant).collect()
}

/// How long Graph still wants to be left alone, in each tenant or in all: a 429 that an earlier process got holds for
/// the run, whoever goes on with it. A drill's simulator is a new one and asked for nothing. A wait for which nobody
/// would have waited is not waited for now either: whoever goes on with the run asks again.
fn holds(ledger: &Ledger, max_wait: Duration) -> Vec<(Option<TenantIndex>, Duration)> {
    let now = crate::dispatch::now();
    let left = ledger.closings.iter().filter_map(|(tenant, closings)| {
        let left = closings.iter().filter_map(|closing| closing.left(now));
        Some((*tenant, left.filter(|left| *left <= max_wait).max()?))
    });
    left.collect()
}

/// The longest wait that a server may ask for: what is given now, or what the run had.
fn max_wait(args: &ResumeArgs, record: &RunRecord) -> Option<Duration> {
    Sending::resumed(&args.sending, &record.settings).max_wait
}

fn tenant_name(record: &RunRecord) -> &str {
    record.tenant.as_deref().or(record.tenant_id.as_deref()).unwrap_or("unknown")
}

/// What earlier processes did for the targets that are left.
fn work(ledger: &Ledger, outstanding: &[Order], folder: &RunFolder) -> Result<Vec<Work>, Error> {
    let fail = |source| Error::Io { what: format!("can't read {}", folder.journal().display()), source };
    let work = |order: &Order| {
        if ledger.attempts(*order) == 0 {
            return Ok(Work { order: *order, ..Work::default() });
        }
        let standing = ledger.standing(*order).map_err(fail)?;
        Ok(Work {
            order: *order,
            attempts: standing.attempts,
            throttled: number::millis(standing.throttled_ms),
            first_sent_at: standing.first_sent_at,
        })
    };
    outstanding.iter().map(work).collect()
}
