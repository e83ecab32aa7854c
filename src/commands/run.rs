//! `run`: reads users, revokes their sessions, and writes a report.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::confirm::{ConfirmationLimits, confirm};
use super::connect::{SignedInApp, refuse_me_for_app};
use super::execute::{OutputOptions, RunSession, create_journal, run_job};
use super::resume_flags::ResumeFlags;
use super::tenants::{RequestedTenants, TenantSessions};
use super::{directory_progress, init_logging, preflight, profiles, progress, stdin};
use crate::cli::{CommonRunArgs, ConfirmArgs, EvidenceArgs, InputArgs, RunArgs};
use crate::console;
use crate::console::OutputFormat;
use crate::console::{TimeLeft, question};
use crate::directory::{Directory, DirectoryError, Selector};
use crate::error::Error;
use crate::event::StopReason;
use crate::identity::AdditionalApp;
use crate::intake::{self, InputSource, IntakeOptions, SheetChoice};
use crate::journal::{
    ApprovalDecision, FORMAT, PLAN_CSV, PlanFileRecord, RUN_JSON, RunFolder, RunRecord, TenantRecord,
    UnprotectedRecord,
};
use crate::plan::{
    Draft, GuardError, InputRows, Operator, PlanError, PlanOptions, PlanSummary, PlanTenants, check_lists,
};
use crate::settings::chosen_profile::{self, ChosenProfile};
use crate::settings::{
    self, AppSettings, CredentialSettings, EvidenceSettings, NetworkSettings, SendingSettings,
    SignInSettings, plan_options,
};

pub(super) async fn run(mut args: RunArgs) -> Result<u8, Error> {
    init_logging(&args.work.output.log)?;
    args.work.input.tenant_is_named = args.sign_in.tenant.is_some();
    let profile = chosen_profile::choose(&args.profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut args.sign_in, &mut args.network, args.work.output.output)?;
        profile.fill_work(&mut args.work);
        if !args.work.dry_run {
            profile.refuse_unapproved()?;
        }
    }
    let network =
        NetworkSettings::new(&args.sign_in, &args.network)?.with_max_wait(args.work.sending.max_wait);
    let sign_in = SignInSettings::new(&args.sign_in);
    let apps = AppSettings::new(&args.apps, &args.profile, profile.as_ref(), &sign_in, network.cloud)?;
    stdin::check_single_use(&args.files, &sign_in.sources)?;
    let options = plan_options(&args.work)?;
    let input = read_input(&args.files, &args.work, &options)?;
    if args.work.output.output != OutputFormat::None {
        network.notices.iter().chain(&input.notices).for_each(|notice| console::print_status(notice));
    }
    if args.work.dry_run && !options.needs_directory() {
        let requested_tenants =
            RequestedTenants::new(&input, &sign_in, &options).check_multi_tenant(&input, &options)?;
        let draft = build_plan(input, &options, &requested_tenants.without_sign_in(), &args.work).await?;
        return print_dry_run(draft, args.work.output.output);
    }
    let sending = SendingSettings::new(&args.work.sending);
    let has_users = input.users > 0 || !options.selectors.is_empty();
    if !args.consent.is_confirmed() && has_users && !args.work.dry_run && !question::can_ask() {
        return Err(Error::NoTerminal);
    }
    let requested_tenants = RequestedTenants::new(&input, &sign_in, &options);
    let credentials = CredentialSettings::new(sign_in, profile.as_ref());
    let requested_tenants = requested_tenants.merge_aliases(&credentials, &network).await?;
    let requested_tenants = requested_tenants.check_multi_tenant(&input, &options)?;
    let sessions =
        TenantSessions::sign_in(requested_tenants, &credentials, &apps, &network, args.work.output.output)
            .await?;
    let draft = build_plan(input, &options, &sessions.plan_tenants(&args.work), &args.work).await?;
    if args.work.dry_run {
        return print_dry_run(draft, args.work.output.output);
    }
    print_unchecked(&draft, args.consent.is_confirmed(), args.work.output.output);
    for signed_in_app in sessions.signed_in_apps() {
        refuse_me_for_app(draft.includes_me(), signed_in_app)?;
    }
    let limits =
        ConfirmationLimits::new(&args.work.safety.caps, options.selectors.contains(&Selector::AllUsers));
    let mut prepared = PreparedRun::new(draft, sending, network, credentials, profile);
    prepared.additional_apps = apps.further;
    prepared.tenants = sessions.tenant_records(&prepared.draft, &prepared.credentials, !options.has_lists());
    prepared.warn_and_confirm(&sessions, &args.consent, &limits, &args.work.evidence).await?;
    start_run(prepared, sessions, args.work, 1.0).await
}

/// Prints what could not be checked, unless a confirmation prompt will show it.
pub(super) fn print_unchecked(draft: &Draft, consented: bool, output: OutputFormat) {
    if consented && output != OutputFormat::None {
        draft.unchecked().iter().for_each(|text| console::print_status(text));
    }
}

/// Everything that is known before a run folder exists.
pub(super) struct PreparedRun {
    pub(super) draft: Draft,
    pub(super) sending: SendingSettings,
    pub(super) network: NetworkSettings,
    pub(super) credentials: CredentialSettings,
    /// The tenants, if there are several.
    pub(super) tenants: Vec<TenantRecord>,
    /// The further apps that the flags or the profile name.
    pub(super) additional_apps: Vec<AdditionalApp>,
    pub(super) profile: Option<ChosenProfile>,
    pub(super) drill: Option<serde_json::Value>,
    /// How the questions were answered.
    pub(super) confirmations: Vec<String>,
    /// The plan file that is applied, if there is one.
    pub(super) plan_file: Option<PlanFileRecord>,
}

impl PreparedRun {
    pub(super) fn new(
        draft: Draft,
        sending: SendingSettings,
        network: NetworkSettings,
        credentials: CredentialSettings,
        profile: Option<ChosenProfile>,
    ) -> PreparedRun {
        let (confirmed, tenants, further) = (Vec::new(), Vec::new(), Vec::new());
        PreparedRun {
            draft,
            sending,
            network,
            credentials,
            tenants,
            additional_apps: further,
            profile,
            drill: None,
            confirmations: confirmed,
            plan_file: None,
        }
    }

    /// How long the run will take, as far as it is known. Tenants run in parallel, so the largest one takes longest.
    pub(super) fn estimated_time(&self, sessions: &TenantSessions) -> TimeLeft {
        let tenants = &self.draft.summary().tenants;
        let largest = tenants.iter().map(|tenant| tenant.users).max();
        let senders = sessions.signed_in_apps().map(SignedInApp::sender_count).max().unwrap_or(1);
        self.sending.pace(senders).estimate_time(largest.unwrap_or(self.draft.target_count() as u64))
    }

    /// Prints warnings, and asks the questions. A plan that exceeds `--max-users` gets no warnings.
    pub(super) async fn warn_and_confirm(
        &mut self,
        sessions: &TenantSessions,
        consent: &ConfirmArgs,
        limits: &ConfirmationLimits,
        evidence: &EvidenceArgs,
    ) -> Result<(), Error> {
        if self.sending.max_users.is_none_or(|max_users| self.draft.target_count() <= max_users as usize) {
            self.print_preflight_warnings(sessions, &EvidenceSettings::new(evidence).output_dir);
        }
        self.confirmations = confirm(self, sessions, consent, limits).await?;
        Ok(())
    }

    /// Prints warnings before the run begins. The operator is revoked last, because this program's own sign-in may end
    /// with their sessions.
    fn print_preflight_warnings(&self, sessions: &TenantSessions, output_dir: &Path) {
        preflight::warn_self_revocation(self.draft.includes_operator(), true);
        let takes = self.estimated_time(sessions);
        sessions
            .signed_in_apps()
            .for_each(|signed_in_app| preflight::warn_token_expiry(signed_in_app, takes));
        preflight::warn_disk_and_rate(output_dir, &self.sending);
    }
}

/// Reads the inputs in full, and keeps the rows of this shard.
pub(super) fn read_input(
    files: &[PathBuf],
    work: &CommonRunArgs,
    options: &PlanOptions,
) -> Result<InputRows, Error> {
    let mut input = read_all_shards(files, work, options)?;
    if let Some(shard) = work.input.shard {
        input.apply_shard(shard)?;
    }
    Ok(input)
}

/// Reads the inputs in full.
pub(super) fn read_all_shards(
    files: &[PathBuf],
    work: &CommonRunArgs,
    options: &PlanOptions,
) -> Result<InputRows, Error> {
    check_lists(options)?;
    if files.is_empty() && !options.selectors.is_empty() {
        return Ok(InputRows::default());
    }
    if files.is_empty() {
        return Err(Error::Usage(
            "no users were selected: name a file of users, - for standard input, or a selection such as --group"
                .to_owned(),
        ));
    }
    let sources: Vec<InputSource> = files.iter().map(|path| input_source(path)).collect();
    let intake =
        intake::open(&sources, &intake_options(&work.input)).map_err(crate::plan::PlanError::from)?;
    Ok(InputRows::read(intake)?)
}

/// Makes the plan, and prints its notices.
pub(super) async fn build_plan(
    input: InputRows,
    options: &PlanOptions,
    tenants: &PlanTenants<'_, Directory>,
    work: &CommonRunArgs,
) -> Result<Draft, Error> {
    let progress_line = directory_progress::ProgressLine::new(&work.output);
    let composed =
        Draft::build_with_progress(input, options, tenants, &|read| progress_line.update(read)).await;
    progress_line.finish();
    let draft = composed.map_err(|why| suggest_no_lookup(why, options, work.selection.no_lookup))?;
    if work.output.output != OutputFormat::None {
        draft.notices().iter().for_each(|notice| console::print_status_wrapped(notice));
    }
    if let Some(invalid) = draft.first_invalid().filter(|_| work.safety.strict) {
        let invalid = crate::text::sanitize::sanitize_line(invalid);
        return Err(Error::Usage(format!("{invalid} (--strict: nothing was revoked)")));
    }
    Ok(draft)
}

/// Suggests `--no-lookup` for an error of the directory, unless the options need the directory.
fn suggest_no_lookup(why: PlanError, options: &PlanOptions, no_lookup: bool) -> Error {
    let by_flag = match &why {
        PlanError::Directory(error) => !matches!(error, DirectoryError::SignIn(_)),
        PlanError::Guard(GuardError::Directory { .. } | GuardError::NoSuchUser { .. }) => true,
        _ => false,
    };
    match by_flag && !no_lookup && !options.needs_directory() {
        true => Error::NoLookupSuggested(why),
        false => why.into(),
    }
}

/// The identity that signed in, for the plan.
pub(super) fn plan_operator(signed_in_app: &SignedInApp) -> Operator {
    let partners = signed_in_app.additional_clients.iter().map(|partner| &partner.operator);
    let apps = std::iter::once(&signed_in_app.operator).chain(partners);
    Operator {
        user_ids: preflight::operator_ids(&signed_in_app.claims),
        app_ids: apps.filter_map(|app| app.app_id.clone()).collect(),
    }
}

fn input_source(path: &Path) -> InputSource {
    if path == Path::new("-") { InputSource::Stdin } else { InputSource::File(path.to_owned()) }
}

fn intake_options(args: &InputArgs) -> IntakeOptions {
    IntakeOptions {
        column: args.column.clone(),
        priority_column: args.priority_column.clone(),
        tenant_column: args.tenant_column.clone(),
        tenant_is_named: args.tenant_is_named,
        delimiter: args.delimiter,
        encoding: args.encoding,
        skip_rows: args.skip_rows,
        max_rows: args.max_rows,
        filters: args.matches.iter().chain(&args.skips).cloned().collect(),
        sheets: match &args.sheet[..] {
            [] => SheetChoice::Auto,
            names => SheetChoice::Named(names.to_vec()),
        },
        visible_only: args.visible_only,
    }
}

/// Prints the plan; nothing is revoked.
pub(super) fn print_dry_run(draft: Draft, output: OutputFormat) -> Result<u8, Error> {
    let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
    let record = draft.record();
    match output {
        OutputFormat::Csv => draft.print_csv(&mut console::StdoutWriter::new())?,
        OutputFormat::Jsonl => draft.print_json(&mut console::StdoutWriter::new())?,
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(&record).map_err(|error| fail(error.into()))?;
            console::print_stdout(&format!("{}\n", crate::text::sanitize::sanitize_json(&json)))
                .map_err(fail)?;
        }
        OutputFormat::Text => console::print_stdout(&draft.preview()?).map_err(fail)?,
        OutputFormat::None => {}
    }
    Ok(0)
}

/// Creates the run folder, writes the final plan to it, and executes the run.
pub(super) async fn start_run(
    prepared: PreparedRun,
    sessions: TenantSessions,
    work: CommonRunArgs,
    speed: f64,
) -> Result<u8, Error> {
    let PreparedRun {
        draft,
        sending,
        network,
        credentials,
        tenants,
        additional_apps: further,
        profile,
        drill,
        confirmations: confirmed,
        plan_file,
    } = prepared;
    let decided = approval_decision(draft.summary(), confirmed, plan_file);
    let evidence = EvidenceSettings::new(&work.evidence);
    let planned = draft.target_count() as u32;
    let refused = sending
        .max_users
        .filter(|allowed| planned > *allowed)
        .map(|allowed| StopReason::MaxUsers { planned, allowed });
    let started_at = crate::dispatch::now();
    let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
    let (folder, lock) = RunFolder::create(&evidence.output_dir, started_at, &id)?;
    if work.output.output != OutputFormat::None {
        console::print_status(&format!("run folder {}", folder.path().display()));
        folder.warnings().iter().for_each(|notice| console::print_status(notice));
    }
    let closed = draft.closed_tenants().clone();
    let by_row = draft.tenant_column().is_some();
    let protect = settings::protect_record(&work);
    let tenant_column = work.input.tenant_column.map(|given| match given == intake::NO_TENANT_COLUMN {
        true => given,
        // A column number could mean another column in `remaining.csv`, so the name is stored.
        false => draft.tenant_column().map_or(given, str::to_owned),
    });
    let sign_in = sessions.sign_in_settings().clone();
    let first = sessions.first().filter(|_| !sessions.is_multi_tenant());
    let apps = first.map(|signed_in_app| signed_in_app.apps.clone()).unwrap_or_default();
    let tenant_id = first.and_then(|signed_in_app| signed_in_app.tenant.id.clone());
    let unverified = first.and_then(|signed_in_app| signed_in_app.tenant.unverified.clone());
    let operator = sessions.first().map(|signed_in_app| signed_in_app.operator.clone()).unwrap_or_default();
    let frozen = draft.freeze(folder.dir())?;
    // A single tenant may have its own sign-in, which `resume` needs. Several tenants have theirs in their records.
    let own = if tenants.is_empty() { &sign_in } else { &credentials.own };
    let flags = match drill {
        Some(_) => ResumeFlags::default(),
        None => ResumeFlags::new(&own.sources, &network, profile.as_ref(), &further),
    };
    let mut record = RunRecord {
        format: FORMAT,
        id,
        started_at,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        case_id: evidence.case_id,
        cloud: network.cloud.to_string(),
        tenant: sign_in.tenant.clone().filter(|_| tenants.is_empty() && unverified.is_none()),
        unverified_tenant: unverified,
        tenant_id,
        operator: operator.clone(),
        by_row,
        tenants,
        apps,
        inputs: frozen.inputs,
        columns: frozen.columns,
        plan: frozen.record,
        profile: profile.map(|profile| profile.record()),
        approval: decided,
        settings: settings::record(&sending, &network, own, work.input.column, &further),
        drill,
    };
    record.settings.tenant_column = tenant_column;
    record.settings.protect = Some(protect);
    let put = folder.dir().replace_unsynced(RUN_JSON, |out| write_record_json(&record, out));
    put.map_err(write_error(&folder.file(RUN_JSON)))?;
    let journal = create_journal(&folder)?;
    folder.sync(&[PLAN_CSV, RUN_JSON])?;
    let shown = OutputOptions { progress: progress(&work.output), output: work.output.output };
    let ready = RunSession {
        folder,
        lock,
        record,
        journal,
        targets: frozen.targets,
        remaining: None,
        throttle_waits: Vec::new(),
        permitted_tenants: BTreeSet::new(),
        settings: sending.dispatch(speed),
        refusal: refused,
        operator,
        tenant_clients: sessions.into_tenant_clients(&closed),
        newly_protected_events: Vec::new(),
        confirmed: Vec::new(),
        resume_flags: flags,
    };
    run_job(ready, shown).await
}

fn approval_decision(
    facts: &PlanSummary,
    confirmed: Vec<String>,
    plan_file: Option<PlanFileRecord>,
) -> ApprovalDecision {
    let unprotected = facts.unprotected.iter().cloned();
    ApprovalDecision {
        selection: facts.selection.clone(),
        unprotected: unprotected.map(|(user, because)| UnprotectedRecord { user, because }).collect(),
        lists: facts.lists.clone(),
        unchecked: facts.failed_checks(),
        confirmed,
        plan_file,
        shard_record: facts.shard.clone(),
    }
}

/// Writes `run.json`, synced.
pub(super) fn write_record(folder: &RunFolder, record: &RunRecord) -> Result<(), Error> {
    let put = folder.dir().replace(RUN_JSON, |out| write_record_json(record, out));
    put.map_err(write_error(&folder.file(RUN_JSON)))
}

fn write_record_json(record: &RunRecord, out: &mut dyn Write) -> io::Result<()> {
    let json = serde_json::to_string_pretty(record)?;
    writeln!(out, "{}", crate::text::sanitize::sanitize_json(&json))
}

fn write_error(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
    move |source| Error::Io { what: format!("can't write {}", path.display()), source }
}
