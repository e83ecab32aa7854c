//! `apply`: revoke exactly the users in a plan file, if it is the approved plan, recent, and for this tenant.

use super::approvals::ApprovedPlan;
use super::confirm::ConfirmationLimits;
use super::connect::{SignedInApp, refuse_me_for_app};
use super::run::{self, PreparedRun};
use super::tenants::TenantSessions;
use super::{directory_progress, init_logging, profiles, sign_in_apps, stdin};
use crate::cli::{ApplyArgs, CommonRunArgs, InputArgs, SafetyArgs, SelectionArgs};
use crate::console::question;
use crate::console::{self, OutputFormat};
use crate::error::Error;
use crate::identity::Cloud;
use crate::journal::{ListRecord, PlanFileRecord};
use crate::plan::{
    ChangedUsers, Draft, InputRows, ListEntry, MaxShare, PlanChanges, PlanOptions, PlanTenants,
};
use crate::plan_file::{AgeLimit, ApplyDestination, PlanFile, PlanFileError, PlanFileHead};
use crate::settings::chosen_profile::{self, ChosenProfile};
use crate::settings::{AppSettings, CredentialSettings, NetworkSettings, SendingSettings, SignInSettings};
use crate::text::humanize;

pub(super) async fn apply(mut args: ApplyArgs) -> Result<u8, Error> {
    init_logging(&args.output.log)?;
    let protect = args.protect.clone();
    let profile = chosen_profile::choose(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.output.output)?;
        profile.fill_apply(&mut args);
    }
    let mut file = PlanFile::open(&args.plan)?;
    file.check_approved(
        args.expect_sha256.as_deref(),
        AgeLimit { now: crate::dispatch::now(), allowed: args.max_age },
    )?;
    apply_plan_defaults(&mut args, &file.head)?;
    let approved = ApprovedPlan::find(&file, &args.approvers, args.dry_run)?;
    let prints_status = args.output.output != OutputFormat::None;
    if prints_status {
        unused_profile_notice(&file.head, profile.as_ref())
            .iter()
            .for_each(|sentence| console::print_status(sentence));
    }
    let network = NetworkSettings::new(&args.sign_in, &args.network)?.with_max_wait(args.sending.max_wait);
    let mut sign_in = SignInSettings::new(&args.sign_in);
    let graph_url = network.graph_url.as_ref().map(ToString::to_string);
    let now = ApplyDestination {
        cloud: network.cloud.name(),
        graph_url: graph_url.as_deref(),
        tenant: sign_in.tenant.as_deref(),
    };
    file.head.check_destination(&now)?;
    let tenant = &file.head.tenant;
    // The tenant ID that `plan` found has priority over the name that was typed then.
    sign_in.tenant = sign_in.tenant.or_else(|| tenant.id.clone()).or_else(|| tenant.given.clone());
    let apps = AppSettings::new(&args.apps, &args.profile, profile.as_ref(), &sign_in, network.cloud)?;
    stdin::check_single_use(&[], &sign_in.sources)?;
    let asks = !args.consent.is_confirmed() && !args.dry_run && file.head.counts.targets > 0;
    if asks && !question::can_ask() {
        return Err(Error::NoTerminal);
    }
    if prints_status {
        network.notices.iter().for_each(|notice| console::print_status(notice));
    }
    let signed_in_app = sign_in_apps::sign_in(&sign_in, &apps, &network).await?;
    file.head.check_token(signed_in_app.claims.tid.as_deref())?;
    let approved_by =
        approved.require_other_signer(&file.head, &signed_in_app, prints_status, args.dry_run).await?;
    let draft = recheck_plan(&mut file, &args, &protect, &signed_in_app).await?;
    if args.dry_run {
        return run::print_dry_run(draft, args.output.output);
    }
    run::print_unchecked(&draft, args.consent.is_confirmed(), args.output.output);
    refuse_me_for_app(draft.includes_me(), &signed_in_app)?;
    let limits = ConfirmationLimits::new(&args.caps, file.head.all_users);
    let sending = SendingSettings::new(&args.sending);
    let sessions = TenantSessions::single(signed_in_app, &sign_in);
    let mut prepared =
        PreparedRun::new(draft, sending, network, CredentialSettings::single(sign_in), profile);
    prepared.additional_apps = apps.further;
    prepared.plan_file = Some(PlanFileRecord { approved_by, ..plan_file_record(&file) });
    prepared.warn_and_confirm(&sessions, &args.consent, &limits, &args.evidence).await?;
    run::start_run(prepared, sessions, work_args(args, file.head), 1.0).await
}

/// Fills in the plan's settings for flags that are not given. The plan's cloud is one of the few known ones; an address
/// is never taken from the plan.
fn apply_plan_defaults(args: &mut ApplyArgs, head: &PlanFileHead) -> Result<(), Error> {
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

/// Looks up the plan's targets and lists again, and prints what has changed since the plan was made. `protect` has the
/// entries of the `--protect` flags.
async fn recheck_plan(
    file: &mut PlanFile,
    args: &ApplyArgs,
    protect: &[String],
    signed_in_app: &SignedInApp,
) -> Result<Draft, Error> {
    let mut options = plan_options_from_head(&file.head, args)?;
    // The flags of `apply` have priority over the plan's `--unprotect`.
    options.protect_always = protect.iter().map(|text| ListEntry::parse(text, file.head.eligible)).collect();
    options.allow_unused_unprotect = true;
    // The user that each ID names today is compared with the plan.
    options.always_look_up = true;
    options.allow_empty = file.head.allow_empty || args.allow_empty;
    // --include-self is one person's decision about their own sessions, so it holds only for the same person.
    let (made_by, operator) = (&file.head.made_by.user, &signed_in_app.operator.user);
    let same = |one: &String, other: &String| one.to_lowercase() == other.to_lowercase();
    options.include_self &= made_by.iter().zip(operator).any(|(one, other)| same(one, other));
    let targets = InputRows::from_plan_targets(file.rows()?)?;
    let known = [signed_in_app.tenant.domain.as_deref(), signed_in_app.tenant_id()];
    let tenants = PlanTenants::single(
        run::plan_operator(signed_in_app),
        Some(&signed_in_app.directory),
        known.into_iter().flatten(),
    );
    let progress_line = directory_progress::ProgressLine::new(&args.output);
    let now =
        Draft::build_with_progress(targets, &options, &tenants, &|read| progress_line.update(read)).await;
    progress_line.finish();
    let now = now?;
    let planned = file.metadata();
    let (draft, changes) = Draft::recheck(planned, file.rows()?, now)?;
    if args.output.output != OutputFormat::None {
        console::print_status(&format!(
            "plan {}, made {}{}",
            file.path.display(),
            file.head.made_at,
            made_by_text(&file.head)
        ));
        let lists = describe_changed_lists(&file.metadata().facts.lists, &draft.summary().lists, args);
        for change in describe_changes(&changes).iter().chain(&lists) {
            console::print_status(&format!("since then: {change}"));
        }
    }
    refuse_renamed(file, &changes.renamed, args)?;
    Ok(draft)
}

fn made_by_text(head: &PlanFileHead) -> String {
    let by = &head.made_by;
    let by = by.user.as_ref().or(by.local_user.as_ref()).or(by.app_id.as_ref());
    by.map_or_else(String::new, |by| format!(" by {by}"))
}

fn plan_options_from_head(head: &PlanFileHead, args: &ApplyArgs) -> Result<PlanOptions, Error> {
    // The current profile is usually that of the plan, so its lists are not added twice.
    let more = args.protect.iter().filter(|text| !head.protect.contains(text));
    let lists = head.protect.iter().chain(more);
    let unprotect = head.unprotect.iter().map(|id| {
        id.parse().map_err(|why| Error::Usage(format!("the plan's --unprotect: not a user ID: {why}")))
    });
    Ok(PlanOptions {
        protect: lists.map(|text| ListEntry::parse(text, head.eligible)).collect(),
        unprotect: unprotect.collect::<Result<_, _>>()?,
        include_self: head.include_self,
        max_share: args.caps.max_share,
        ..PlanOptions::default()
    })
}

/// The names of the first users, and the number of further ones.
fn first_names(kind: &ChangedUsers) -> String {
    let more = kind.users.saturating_sub(kind.names.len() as u64);
    let more = if more > 0 { format!(" and {} more", humanize::count(more)) } else { String::new() };
    format!("{}{more}", kind.names.join(", "))
}

/// Refuses IDs that have another name in the directory than in the plan, because they may be other users than those who
/// were approved.
fn refuse_renamed(file: &PlanFile, renamed: &ChangedUsers, args: &ApplyArgs) -> Result<(), Error> {
    if renamed.users == 0 || args.allow_renamed {
        return Ok(());
    }
    let users = humanize::users(renamed.users);
    let why = PlanFileError::Renamed { path: file.path.clone(), users, names: first_names(renamed) };
    match args.dry_run {
        true => {
            console::print_status(&format!("apply would stop here: {why}"));
            Ok(())
        }
        false => Err(why.into()),
    }
}

/// The protect lists whose content has changed since the plan was made.
fn describe_changed_lists(planned: &[ListRecord], now: &[ListRecord], args: &ApplyArgs) -> Vec<String> {
    let names_more = |name: &str| args.protect.iter().any(|text| std::path::Path::new(text).ends_with(name));
    let sentence = |list: &ListRecord| {
        let current = now.iter().find(|current| current.list == list.list && current.name == list.name)?;
        let parts = |list: &ListRecord| (list.accounts, list.groups, list.roles);
        (parts(current) != parts(list) && !names_more(&list.name)).then(|| {
            let (now, then) = (humanize::protect_list(current, false), humanize::count(list.entries));
            format!("a protect list has changed: {now}; entries in the plan: {then}")
        })
    };
    planned.iter().filter(|list| list.name != "--protect").filter_map(sentence).collect()
}

/// A notice that the profile of the plan is not used now, and neither are its requirements.
fn unused_profile_notice(head: &PlanFileHead, now: Option<&ChosenProfile>) -> Option<String> {
    let planned = &head.profile.as_ref()?.name;
    (now.map(|now| now.profile().name.as_str()) != Some(planned)).then(|| {
        let planned = crate::text::sanitize::sanitize_truncated(planned, 60);
        format!(
            "the plan was made with profile {planned}, which is not used here: its approvers and limits do \
             not apply"
        )
    })
}

/// One sentence for each kind of change.
fn describe_changes(changes: &PlanChanges) -> Vec<String> {
    let kinds = [
        (&changes.protected, "now protected, and left out"),
        (&changes.invalid, "can't be identified, and left out"),
        (&changes.not_found, "no longer in the directory, and revoked anyway"),
        (&changes.renamed, "with another name than in the plan"),
        (&changes.disabled, "now disabled, and revoked anyway"),
        (&changes.changed_type, "of another type than in the plan"),
        (&changes.changed_roles, "with other roles than in the plan"),
        (&changes.unprotected, "protected, and revoked anyway (--unprotect)"),
    ];
    let sentence = |(kind, what): &(&crate::plan::ChangedUsers, &str)| {
        format!("{} {what}: {}", humanize::users(kind.users), first_names(kind))
    };
    kinds.iter().filter(|(kind, _)| kind.users > 0).map(sentence).collect()
}

fn plan_file_record(file: &PlanFile) -> PlanFileRecord {
    PlanFileRecord {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
        made_at: file.head.made_at,
        made_by: file.head.made_by.clone(),
        approved_by: None,
    }
}

fn work_args(args: ApplyArgs, head: PlanFileHead) -> CommonRunArgs {
    let protect = head.protect.into_iter().chain(args.protect).collect();
    CommonRunArgs {
        selection: SelectionArgs {
            eligible: head.eligible,
            allow_empty: head.allow_empty || args.allow_empty,
            ..SelectionArgs::default()
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
