//! `plan`: the plan of a run in a file, for somebody to look at and approve. Nothing is sent.

use std::path::Path;

use jiff::Timestamp;

use super::confirm::{self, ConfirmationLimits};
use super::connect::SignedInApp;
use super::run::{self, PreparedRun};
use super::tenants::{TenantSessions, Wanted};
use super::{profiles, standard_input, start_logs};
use crate::cli::{EvidenceArgs, PlanArgs, SendingArgs, WorkArgs};
use crate::console::question::{ConfirmationSummary, summary_lines};
use crate::console::{self, OutputFormat, wording, wrap};
use crate::directory::Selector;
use crate::error::Error;
use crate::harmless;
use crate::plan::{Draft, ExtraConfirmation, PlanSummary};
use crate::plan_file::{self, PlanCaps, PlanFile, PlanFileHead, PlanFileTenant};
use crate::settings::profiled;
use crate::settings::{
    AppSettings, CredentialSettings, NetworkSettings, SendingSettings, SignInSettings, wishes,
};
use crate::shell;

pub(super) async fn plan(args: PlanArgs) -> Result<u8, Error> {
    start_logs(&args.output.log)?;
    let PlanArgs { files, plan_file: path, overwrite, profile, mut sign_in, mut network, .. } = args;
    let mut work = WorkArgs {
        choosing: args.choosing,
        input: args.input,
        order: args.order,
        safety: args.safety,
        dry_run: false,
        sending: SendingArgs { max_users: args.max_users, max_wait: args.max_wait, ..SendingArgs::default() },
        evidence: EvidenceArgs { case_id: args.case_id, output_dir: None },
        output: args.output,
    };
    work.input.tenant_is_named = sign_in.tenant.is_some();
    let profile = profiled::choose(&profile)?;
    if let Some(profile) = &profile {
        profiles::apply_profile(profile, &mut sign_in, &mut network, work.output.output)?;
        profile.work(&mut work);
    }
    let network = NetworkSettings::new(&sign_in, &network)?.waiting(work.sending.max_wait);
    let who = SignInSettings::new(&sign_in);
    standard_input::check(&files, &who.sources)?;
    plan_file::is_free(&path, overwrite)?;
    let wishes = wishes(&work)?;
    let gathered = run::gather(&files, &work, &wishes)?;
    if work.output.output != OutputFormat::None {
        network.notices.iter().chain(&gathered.notices).for_each(|notice| console::print_status(notice));
    }
    let wanted = Wanted::new(&gathered, &who, &wishes);
    let credentials = CredentialSettings::new(who, profile.as_ref());
    let wanted = wanted.identified(&credentials, &network).await?;
    let wanted = wanted.checked(&gathered, &wishes)?;
    wanted.refuse_several("plan")?;
    let crew =
        TenantSessions::sign_in(wanted, &credentials, &AppSettings::default(), &network, work.output.output)
            .await?;
    let draft = run::build_plan(gathered, &wishes, &crew.tenants(&work), &work).await?;
    if draft.names_me() {
        return Err(Error::Usage(
            "the plan names `me`, which is whoever applies it: name the user by object id or user principal name"
                .to_owned(),
        ));
    }
    let limits = ConfirmationLimits::new(&work.safety.caps, wishes.selectors.contains(&Selector::AllUsers));
    limits.check_count(draft.targets())?;
    let sending = SendingSettings::new(&work.sending);
    let mut prepared = PreparedRun::new(draft, sending, network, credentials, profile);
    let connection = crew.first().ok_or_else(|| Error::Usage("nobody signed in".to_owned()))?;
    let tenant = confirm::tenant(&mut prepared.draft, &crew.sign_in_settings().tenant, connection).await;
    let head = head(&prepared, connection, tenant, &work, &limits);
    let text = confirm::about(&prepared, &crew, &head.tenant.describe(), |about| text(about, &limits));
    let sha256 = plan_file::write(&head, prepared.draft, &path, overwrite)?;
    show(&head, &path, &sha256, &text, work.output.output)
}

/// All that the file says beside its rows.
fn head(
    prepared: &PreparedRun,
    connection: &SignedInApp,
    tenant: PlanFileTenant,
    work: &WorkArgs,
    limits: &ConfirmationLimits,
) -> PlanFileHead {
    let (kind, format) = PlanFileHead::kind();
    let counts = prepared.draft.record();
    let pace = prepared.sending.rate.pace(prepared.sending.burst, 1.0);
    let now = crate::dispatch::now();
    PlanFileHead {
        kind,
        format,
        made_at: Timestamp::from_second(now.as_second()).unwrap_or(now),
        made_by: connection.operator.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        case_id: work.evidence.case_id.clone(),
        cloud: prepared.network.cloud.to_string(),
        graph_url: prepared.network.graph_url.as_ref().map(ToString::to_string),
        tenant,
        profile: prepared.profile.as_ref().map(|profile| profile.record()),
        protect: work.safety.protect.clone(),
        unprotect: work.safety.unprotect.clone(),
        include_self: work.safety.include_self,
        allow_empty: work.choosing.allow_empty,
        eligible: work.choosing.eligible,
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
        facts: prepared.draft.facts().clone(),
    }
}

/// How wide the text is, in columns: it is read on a terminal, and pasted into a ticket.
const COLUMNS: usize = 80;

/// The plan for people: the question's lines, who is protected and why, and what sending it will ask for.
fn text(about: &ConfirmationSummary<'_>, limits: &ConfirmationLimits) -> String {
    let columns = Some(COLUMNS);
    let mut text = summary_lines(about, columns);
    text.push_str(&protected(about.plan));
    let cautions = ExtraConfirmation::assess(about.plan, about.users, limits.all_users, limits.max_share);
    for caution in cautions.unwrap_or_default() {
        let sentence = format!("Careful: {}. `apply` asks for that by itself.", caution.sentence());
        text.push_str(&format!("\n{}\n", wrap::hanging_indent(&sentence, 0, columns)));
    }
    text
}

/// How many protected people are told.
const TOLD: usize = 20;

fn protected(facts: &PlanSummary) -> String {
    let mut text = String::new();
    for (name, why) in facts.protected.iter().take(TOLD) {
        text.push_str(&format!(
            "  {}  {}\n",
            harmless::sanitize_truncated(name, 60),
            harmless::sanitize_truncated(why, 100)
        ));
    }
    let more = facts.protected.len().saturating_sub(TOLD);
    if more > 0 {
        text.push_str(&format!("  … and {} more\n", wording::count(more as u64)));
    }
    if text.is_empty() { text } else { format!("\nProtected:\n{text}") }
}

fn show(
    head: &PlanFileHead,
    path: &Path,
    sha256: &str,
    text: &str,
    output: OutputFormat,
) -> Result<u8, Error> {
    let fail = |source| Error::Io { what: "can't write to standard output".to_owned(), source };
    let shown = harmless::sanitize_line(&path.display().to_string()).into_owned();
    let word = shell::path(path);
    let next = format!(
        "Plan     {shown}\nSHA-256  {sha256}\n\nNothing was sent. To send it within 24 hours:\n  entra-revoke apply {word} --expect-sha256 \\\n  \
         {sha256}"
    );
    match output {
        OutputFormat::Text => console::print_stdout(&format!("{text}\n{next}\n")).map_err(fail)?,
        OutputFormat::Json => {
            let mut json = serde_json::to_value(head).map_err(|error| fail(error.into()))?;
            json["path"] = path.display().to_string().into();
            json["sha256"] = sha256.into();
            console::print_stdout(&format!("{}\n", harmless::json(&format!("{json:#}")))).map_err(fail)?;
        }
        OutputFormat::Jsonl | OutputFormat::Csv => {
            rows(path, output)?;
            console::print_status(&format!("{text}\n{next}"));
        }
        OutputFormat::None => {}
    }
    Ok(0)
}

/// The rows as the file holds them: it is read back.
fn rows(path: &Path, output: OutputFormat) -> Result<(), Error> {
    let mut file = PlanFile::open(path)?;
    let planned = file.planned();
    let draft = Draft::planned(planned, file.rows()?)?;
    run::dry_run(draft, output).map(drop)
}
