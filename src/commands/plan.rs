//! `plan`: writes the plan of a run to a file, to review and approve it. Nothing is revoked.

use std::path::Path;

use jiff::Timestamp;

use super::confirm::{self, ConfirmationLimits};
use super::connect::SignedInApp;
use super::run::{self, PreparedRun};
use super::tenants::{RequestedTenants, TenantSessions};
use super::{init_logging, profiles, stdin};
use crate::cli::{CommonRunArgs, EvidenceArgs, PlanArgs, SendingArgs};
use crate::console::question::{ConfirmationSummary, summary_lines};
use crate::console::{self, OutputFormat};
use crate::directory::Selector;
use crate::error::Error;
use crate::plan::{Draft, ExtraConfirmation, PlanSummary};
use crate::plan_file::{self, PlanCaps, PlanFile, PlanFileHead, PlanFileTenant};
use crate::settings::chosen_profile;
use crate::settings::{
    AppSettings, CredentialSettings, NetworkSettings, SendingSettings, SignInSettings, plan_options,
};
use crate::shell;
use crate::text::humanize;
use crate::text::sanitize;
use crate::text::wrap;

pub(super) async fn plan(args: PlanArgs) -> Result<u8, Error> {
    init_logging(&args.output.log)?;
    let PlanArgs { files, plan_file: path, overwrite, profile, mut sign_in, mut network, .. } = args;
    let mut work = CommonRunArgs {
        selection: args.choosing,
        input: args.input,
        order: args.order,
        safety: args.safety,
        dry_run: false,
        sending: SendingArgs { max_users: args.max_users, max_wait: args.max_wait, ..SendingArgs::default() },
        evidence: EvidenceArgs { case_id: args.case_id, output_dir: None },
        output: args.output,
    };
    work.input.tenant_is_named = sign_in.tenant.is_some();
    let profile = chosen_profile::choose(&profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut sign_in, &mut network, work.output.output)?;
        profile.fill_work(&mut work);
    }
    let network = NetworkSettings::new(&sign_in, &network)?.with_max_wait(work.sending.max_wait);
    let sign_in = SignInSettings::new(&sign_in);
    stdin::check_single_use(&files, &sign_in.sources)?;
    plan_file::check_writable(&path, overwrite)?;
    let options = plan_options(&work)?;
    let input = run::read_input(&files, &work, &options)?;
    if work.output.output != OutputFormat::None {
        network.notices.iter().chain(&input.notices).for_each(|notice| console::print_status(notice));
    }
    let requested_tenants = RequestedTenants::new(&input, &sign_in, &options);
    let credentials = CredentialSettings::new(sign_in, profile.as_ref());
    let requested_tenants = requested_tenants.merge_aliases(&credentials, &network).await?;
    let requested_tenants = requested_tenants.check_multi_tenant(&input, &options)?;
    requested_tenants.refuse_several("plan")?;
    let sessions = TenantSessions::sign_in(
        requested_tenants,
        &credentials,
        &AppSettings::default(),
        &network,
        work.output.output,
    )
    .await?;
    let draft = run::build_plan(input, &options, &sessions.plan_tenants(&work), &work).await?;
    if draft.includes_me() {
        return Err(Error::Usage(
            "`me` can't be used in a plan, because it would mean the person who runs `apply`: use an object ID \
             or a user principal name"
                .to_owned(),
        ));
    }
    let limits = ConfirmationLimits::new(&work.safety.caps, options.selectors.contains(&Selector::AllUsers));
    limits.check_count(draft.target_count())?;
    let sending = SendingSettings::new(&work.sending);
    let mut prepared = PreparedRun::new(draft, sending, network, credentials, profile);
    let signed_in_app = sessions.first().ok_or_else(|| Error::Usage("no sign-in".to_owned()))?;
    let tenant =
        confirm::plan_file_tenant(&mut prepared.draft, &sessions.sign_in_settings().tenant, signed_in_app)
            .await;
    let head = plan_file_head(&prepared, signed_in_app, tenant, &work, &limits);
    let text = confirm::with_summary(&prepared, &sessions, &head.tenant.describe(), |about| {
        preview_text(about, &limits)
    });
    let sha256 = plan_file::write(&head, prepared.draft, &path, overwrite)?;
    print_plan(&head, &path, &sha256, &text, work.output.output)
}

/// Everything in the plan file except its rows.
fn plan_file_head(
    prepared: &PreparedRun,
    signed_in_app: &SignedInApp,
    tenant: PlanFileTenant,
    work: &CommonRunArgs,
    limits: &ConfirmationLimits,
) -> PlanFileHead {
    let (kind, format) = PlanFileHead::kind_and_format();
    let counts = prepared.draft.record();
    let pace = prepared.sending.rate.pace(prepared.sending.burst, 1.0);
    let now = crate::dispatch::now();
    PlanFileHead {
        kind,
        format,
        made_at: Timestamp::from_second(now.as_second()).unwrap_or(now),
        made_by: signed_in_app.operator.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        case_id: work.evidence.case_id.clone(),
        cloud: prepared.network.cloud.to_string(),
        graph_url: prepared.network.graph_url.as_ref().map(ToString::to_string),
        tenant,
        profile: prepared.profile.as_ref().map(|profile| profile.record()),
        protect: work.safety.protect.clone(),
        unprotect: work.safety.unprotect.clone(),
        include_self: work.safety.include_self,
        allow_empty: work.selection.allow_empty,
        eligible: work.selection.eligible,
        all_users: limits.all_users,
        caps: PlanCaps {
            max_users: work.sending.max_users,
            expect_count: limits.expect_count,
            max_share: limits.max_share.map(|share| share.to_string()),
        },
        column: work.input.column.clone(),
        columns: prepared.draft.columns().to_vec(),
        inputs: prepared.draft.inputs().to_vec(),
        expected_seconds: pace.estimate_time(u64::from(counts.targets)).span().map(|span| span.as_secs()),
        counts,
        facts: prepared.draft.summary().clone(),
    }
}

/// Width of the text, in columns: it is read on a terminal, and pasted into tickets.
const TEXT_WIDTH: usize = 80;

/// The plan for people: the question's lines, the protected users with the reasons, and what `apply` will ask.
fn preview_text(about: &ConfirmationSummary<'_>, limits: &ConfirmationLimits) -> String {
    let columns = Some(TEXT_WIDTH);
    let mut text = summary_lines(about, columns);
    text.push_str(&protected_lines(about.plan));
    let extra_confirmations =
        ExtraConfirmation::assess(about.plan, about.users, limits.all_users, limits.max_share);
    for extra_confirmation in extra_confirmations.unwrap_or_default() {
        let sentence =
            format!("Careful: {}. `apply` asks about this separately.", extra_confirmation.describe());
        text.push_str(&format!("\n{}\n", wrap::hanging_indent(&sentence, 0, columns)));
    }
    text
}

/// Maximum number of protected users that are listed.
const MAX_PROTECTED_SHOWN: usize = 20;

fn protected_lines(facts: &PlanSummary) -> String {
    let mut text = String::new();
    for (name, why) in facts.protected.iter().take(MAX_PROTECTED_SHOWN) {
        text.push_str(&format!(
            "  {}  {}\n",
            sanitize::sanitize_truncated(name, 60),
            sanitize::sanitize_truncated(why, 100)
        ));
    }
    let more = facts.protected.len().saturating_sub(MAX_PROTECTED_SHOWN);
    if more > 0 {
        text.push_str(&format!("  … and {} more\n", humanize::count(more as u64)));
    }
    if text.is_empty() { text } else { format!("\nProtected:\n{text}") }
}

fn print_plan(
    head: &PlanFileHead,
    path: &Path,
    sha256: &str,
    text: &str,
    output: OutputFormat,
) -> Result<u8, Error> {
    let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
    let shown = sanitize::sanitize_line(&path.display().to_string()).into_owned();
    let word = shell::path(path);
    let next = format!(
        "Plan     {shown}\nSHA-256  {sha256}\n\nNothing was revoked. Apply the plan within 24 hours:\n  \
         entra-revoke apply {word} --expect-sha256 \\\n  \
         {sha256}"
    );
    match output {
        OutputFormat::Text => console::print_stdout(&format!("{text}\n{next}\n")).map_err(fail)?,
        OutputFormat::Json => {
            let mut json = serde_json::to_value(head).map_err(|error| fail(error.into()))?;
            json["path"] = path.display().to_string().into();
            json["sha256"] = sha256.into();
            console::print_stdout(&format!("{}\n", sanitize::sanitize_json(&format!("{json:#}"))))
                .map_err(fail)?;
        }
        OutputFormat::Jsonl | OutputFormat::Csv => {
            print_rows(path, output)?;
            console::print_status(&format!("{text}\n{next}"));
        }
        OutputFormat::None => {}
    }
    Ok(0)
}

/// Prints the rows of the plan file, which is read back.
fn print_rows(path: &Path, output: OutputFormat) -> Result<(), Error> {
    let mut file = PlanFile::open(path)?;
    let planned = file.metadata();
    let draft = Draft::from_plan_file(planned, file.rows()?)?;
    run::print_dry_run(draft, output).map(drop)
}
