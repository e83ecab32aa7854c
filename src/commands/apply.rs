//! `apply`: send exactly what a plan file holds, if it is the plan that was approved, fresh, and of this tenant.

use super::approvals::ApprovedPlan;
use super::confirm::ConfirmationLimits;
use super::connect::{SignedInApp, check_me};
use super::run::{self, PreparedRun};
use super::tenants::TenantSessions;
use super::{apps, profiles, reading, standard_input, start_logs};
use crate::cli::{ApplyArgs, ChoosingArgs, InputArgs, SafetyArgs, WorkArgs};
use crate::console::question;
use crate::console::{self, OutputFormat, wording};
use crate::error::Error;
use crate::identity::Cloud;
use crate::journal::{ListRecord, PlanFileRecord};
use crate::plan::{ChangeKind, Draft, InputRows, ListEntry, MaxShare, PlanChanges, PlanOptions, PlanTenants};
use crate::plan_file::{Age, CurrentRun, PlanFile, PlanFileError, PlanFileHead};
use crate::settings::profiled::{self, ChosenProfile};
use crate::settings::{AppSettings, CredentialSettings, NetworkSettings, SendingSettings, SignInSettings};

pub(super) async fn apply(mut args: ApplyArgs) -> Result<u8, Error> {
    start_logs(&args.output.log)?;
    let protect = args.protect.clone();
    let profile = profiled::choose(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
        profile.applied(&mut args);
    }
    let mut file = PlanFile::open(&args.plan)?;
    file.check(args.expect_sha256.as_deref(), Age { now: crate::dispatch::now(), allowed: args.max_age })?;
    take_from_plan(&mut args, &file.head)?;
    let approved = ApprovedPlan::find(&file, &args.approvers, args.dry_run)?;
    let tell = args.output.output != OutputFormat::None;
    if tell {
        unused_profile(&file.head, profile.as_ref())
            .iter()
            .for_each(|sentence| console::print_status(sentence));
    }
    let network = NetworkSettings::new(&args.sign_in, &args.network)?.waiting(args.sending.max_wait);
    let mut who = SignInSettings::new(&args.sign_in);
    let graph_url = network.graph_url.as_ref().map(ToString::to_string);
    let now = CurrentRun {
        cloud: network.cloud.name(),
        graph_url: graph_url.as_deref(),
        tenant: who.tenant.as_deref(),
    };
    file.head.check_place(&now)?;
    let tenant = &file.head.tenant;
    // What was found goes before what somebody typed.
    who.tenant = who.tenant.or_else(|| tenant.id.clone()).or_else(|| tenant.given.clone());
    let apps = AppSettings::new(&args.apps, &args.profile, profile.as_ref(), &who, network.cloud)?;
    standard_input::check(&[], &who.sources)?;
    let asks = !args.consent.is_given() && !args.dry_run && file.head.counts.targets > 0;
    if asks && !question::is_possible() {
        return Err(Error::NoTerminal);
    }
    if tell {
        network.notices.iter().for_each(|notice| console::print_status(notice));
    }
    let connection = apps::sign_in(&who, &apps, &network).await?;
    file.head.check_token(connection.claims.tid.as_deref())?;
    let approved_by = approved.by_another(&file.head, &connection, tell, args.dry_run).await?;
    let draft = judge_anew(&mut file, &args, &protect, &connection).await?;
    if args.dry_run {
        return run::dry_run(draft, args.output.output);
    }
    run::say_unchecked(&draft, args.consent.is_given(), args.output.output);
    check_me(draft.names_me(), &connection)?;
    let limits = ConfirmationLimits::new(&args.caps, file.head.all_users);
    let sending = SendingSettings::new(&args.sending);
    let crew = TenantSessions::single(connection, &who);
    let mut prepared = PreparedRun::new(draft, sending, network, CredentialSettings::single(who), profile);
    prepared.further = apps.further;
    prepared.plan_file = Some(PlanFileRecord { approved_by, ..record(&file) });
    prepared.confirm_or_abort(&crew, &args.consent, &limits, &args.evidence).await?;
    run::send(prepared, crew, work(args, file.head), 1.0).await
}

/// What the plan says holds where no flag says otherwise. Its cloud is one of a few that are known; an address is never
/// taken from it.
fn take_from_plan(args: &mut ApplyArgs, head: &PlanFileHead) -> Result<(), Error> {
    if args.sign_in.cloud.is_none() {
        let cloud: Cloud = head.cloud.parse().map_err(|error| Error::Usage(format!("the plan: {error}")))?;
        args.sign_in.cloud = Some(cloud);
    }
    if args.caps.max_share.is_none() {
        let share = head.caps.max_share.as_deref().map(str::parse::<MaxShare>).transpose();
        args.caps.max_share =
            share.map_err(|error| Error::Usage(format!("the plan's --max-share: {error}")))?;
    }
    args.sending.max_users = args.sending.max_users.or(head.caps.max_users);
    args.evidence.case_id = args.evidence.case_id.take().or_else(|| head.case_id.clone());
    Ok(())
}

/// Looks its targets and its lists up again, and says what changed since it was made.
/// `protect` is what the flags protect.
async fn judge_anew(
    file: &mut PlanFile,
    args: &ApplyArgs,
    protect: &[String],
    connection: &SignedInApp,
) -> Result<Draft, Error> {
    let mut wishes = wishes(&file.head, args)?;
    // What protects now goes before what the plan was made with.
    wishes.protect_now = protect.iter().map(|text| ListEntry::read(text, file.head.eligible)).collect();
    wishes.unprotect_may_miss = true;
    // Whom each id names today is compared with the plan.
    wishes.look_up = true;
    wishes.allow_empty = file.head.allow_empty || args.allow_empty;
    // To be revoked, too, was one person's wish for themselves.
    let (made_by, operator) = (&file.head.made_by.user, &connection.operator.user);
    let same = |one: &String, other: &String| one.to_lowercase() == other.to_lowercase();
    wishes.include_self &= made_by.iter().zip(operator).any(|(one, other)| same(one, other));
    let targets = InputRows::targets_of(file.rows()?)?;
    let known = [connection.tenant.domain.as_deref(), connection.tenant_id()];
    let tenants =
        PlanTenants::one(run::signed(connection), Some(&connection.directory), known.into_iter().flatten());
    let reading = reading::ProgressLine::new(&args.output);
    let now = Draft::compose_telling(targets, &wishes, &tenants, &|read| reading.tell(read)).await;
    reading.finish();
    let now = now?;
    let planned = file.planned();
    let (draft, changes) = Draft::again(planned, file.rows()?, now)?;
    if args.output.output != OutputFormat::None {
        console::print_status(&format!(
            "plan {}, made {}{}",
            file.path.display(),
            file.head.made_at,
            maker(&file.head)
        ));
        let lists = changed_lists(&file.planned().facts.lists, &draft.facts().lists, args);
        for change in describe_changes(&changes).iter().chain(&lists) {
            console::print_status(&format!("since then: {change}"));
        }
    }
    refuse_renamed(file, &changes.renamed, args)?;
    Ok(draft)
}

fn maker(head: &PlanFileHead) -> String {
    let by = &head.made_by;
    let by = by.user.as_ref().or(by.local_user.as_ref()).or(by.app_id.as_ref());
    by.map_or_else(String::new, |by| format!(" by {by}"))
}

fn wishes(head: &PlanFileHead, args: &ApplyArgs) -> Result<PlanOptions, Error> {
    // The profile of now is mostly that of the plan: its lists are read once.
    let more = args.protect.iter().filter(|text| !head.protect.contains(text));
    let lists = head.protect.iter().chain(more);
    let unprotect = head.unprotect.iter().map(|id| {
        id.parse().map_err(|why| Error::Usage(format!("the plan's --unprotect: not a user id: {why}")))
    });
    Ok(PlanOptions {
        protect: lists.map(|text| ListEntry::read(text, head.eligible)).collect(),
        unprotect: unprotect.collect::<Result<_, _>>()?,
        include_self: head.include_self,
        max_share: args.caps.max_share,
        ..PlanOptions::default()
    })
}

/// The first users of a kind, and how many more there are.
fn names(kind: &ChangeKind) -> String {
    let more = kind.users.saturating_sub(kind.names.len() as u64);
    let more = if more > 0 { format!(" and {} more", wording::count(more)) } else { String::new() };
    format!("{}{more}", kind.names.join(", "))
}

/// An id that the directory calls otherwise than the plan may be somebody else than who was approved.
fn refuse_renamed(file: &PlanFile, renamed: &ChangeKind, args: &ApplyArgs) -> Result<(), Error> {
    if renamed.users == 0 || args.allow_renamed {
        return Ok(());
    }
    let users = match renamed.users {
        1 => "1 user is".to_owned(),
        several => format!("{} are", wording::users(several)),
    };
    let why = PlanFileError::Renamed { path: file.path.clone(), users, names: names(renamed) };
    match args.dry_run {
        true => {
            console::print_status(&format!("apply would stop here: {why}"));
            Ok(())
        }
        false => Err(why.into()),
    }
}

/// The files that protect and hold something else than when the plan was made.
fn changed_lists(planned: &[ListRecord], now: &[ListRecord], args: &ApplyArgs) -> Vec<String> {
    let names_more = |name: &str| args.protect.iter().any(|text| std::path::Path::new(text).ends_with(name));
    let sentence = |list: &ListRecord| {
        let is = now.iter().find(|is| is.list == list.list && is.name == list.name)?;
        let parts = |list: &ListRecord| (list.accounts, list.groups, list.roles);
        (parts(is) != parts(list) && !names_more(&list.name)).then(|| {
            let (now, then) = (wording::list(is, false), wording::count(list.entries));
            format!("a list that protects holds something else: {now}; in the plan {then}")
        })
    };
    planned.iter().filter(|list| list.name != "--protect").filter_map(sentence).collect()
}

/// Says that what a profile asked for when the plan was made is not asked for now.
fn unused_profile(head: &PlanFileHead, now: Option<&ChosenProfile>) -> Option<String> {
    let planned = &head.profile.as_ref()?.name;
    (now.map(|now| now.profile().name.as_str()) != Some(planned)).then(|| {
        let planned = crate::harmless::sanitize_truncated(planned, 60);
        format!("the plan was made with profile {planned}, which is not used here: its approvers and its caps do not hold")
    })
}

/// What changed, a sentence for each kind.
fn describe_changes(changes: &PlanChanges) -> Vec<String> {
    let kinds = [
        (&changes.protected, "protected by now, and left out"),
        (&changes.invalid, "can be nobody, and left out"),
        (&changes.gone, "no longer there, and sent all the same"),
        (&changes.renamed, "called otherwise than in the plan"),
        (&changes.disabled, "disabled since, and sent all the same"),
        (&changes.other_kind, "of another kind than in the plan"),
        (&changes.other_roles, "with other roles than in the plan"),
        (&changes.unprotected, "protected, and sent all the same (--unprotect)"),
    ];
    let sentence = |(kind, what): &(&crate::plan::ChangeKind, &str)| {
        format!("{} {what}: {}", wording::users(kind.users), names(kind))
    };
    kinds.iter().filter(|(kind, _)| kind.users > 0).map(sentence).collect()
}

fn record(file: &PlanFile) -> PlanFileRecord {
    PlanFileRecord {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
        made_at: file.head.made_at,
        made_by: file.head.made_by.clone(),
        approved_by: None,
    }
}

fn work(args: ApplyArgs, head: PlanFileHead) -> WorkArgs {
    let protect = head.protect.into_iter().chain(args.protect).collect();
    WorkArgs {
        choosing: ChoosingArgs {
            eligible: head.eligible,
            allow_empty: head.allow_empty || args.allow_empty,
            ..ChoosingArgs::default()
        },
        input: InputArgs { column: head.column, ..InputArgs::default() },
        order: Default::default(),
        safety: SafetyArgs { protect, unprotect: head.unprotect, ..SafetyArgs::default() },
        dry_run: false,
        sending: args.sending,
        evidence: args.evidence,
        output: args.output,
    }
}
