//! Limits and confirmation: decides whether a plan may be applied, before a run folder exists.

use super::connect::SignedInApp;
use super::run::PreparedRun;
use super::tenants::TenantSessions;
use crate::cli::{ConfirmArgs, LimitArgs};
use crate::console::question::{self, ConfirmationSummary, ExpectedAnswer, TypedAnswer};
use crate::directory::UncheckedRead;
use crate::error::Error;
use crate::journal::TenantRecord;
use crate::outcome::Outcome;
use crate::plan::{Draft, ExtraConfirmation, MaxShare, requires_number};
use crate::plan_file::PlanFileTenant;
use crate::text::humanize;

/// The limits of a plan, apart from `--max-users`.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfirmationLimits {
    /// `--expect-count`.
    pub(super) expect_count: Option<u32>,
    /// `--max-share`.
    pub(super) max_share: Option<MaxShare>,
    /// Whether every user of the tenant is selected.
    pub(super) all_users: bool,
}

impl ConfirmationLimits {
    pub(super) fn new(caps: &LimitArgs, all_users: bool) -> ConfirmationLimits {
        ConfirmationLimits { expect_count: caps.expect_count, max_share: caps.max_share, all_users }
    }

    /// Refuses a plan that does not have the expected number of users.
    pub(super) fn check_count(&self, users: usize) -> Result<(), Error> {
        match self.expect_count.filter(|expected| *expected as usize != users) {
            Some(expected) => Err(Error::NotConfirmed(format!(
                "the plan has {}, but --expect-count says {expected}",
                humanize::users(users as u64)
            ))),
            None => Ok(()),
        }
    }
}

impl ConfirmArgs {
    /// Whether the command line answers the question.
    pub(super) fn is_confirmed(&self) -> bool {
        self.yes || self.yes_i_mean.is_some()
    }
}

/// Asks all questions that are necessary, and returns the answers for the evidence.
///
/// # Errors
/// When the plan exceeds a limit, the answer is no, or a necessary answer is missing.
pub(super) async fn confirm(
    prepared: &mut PreparedRun,
    sessions: &TenantSessions,
    consent: &ConfirmArgs,
    limits: &ConfirmationLimits,
) -> Result<Vec<String>, Error> {
    let users = prepared.draft.target_count() as u64;
    limits.check_count(prepared.draft.target_count())?;
    if let Some(meant) = consent.yes_i_mean {
        return match u64::from(meant) == users {
            true => Ok(vec![format!("--yes-i-mean {meant}")]),
            false => Err(Error::NotConfirmed(format!(
                "the plan has {}, but --yes-i-mean says {meant}: check the plan again (--dry-run) before you \
                 confirm {users}",
                humanize::users(users)
            ))),
        };
    }
    let facts = prepared.draft.summary();
    let extra_confirmations =
        ExtraConfirmation::assess(facts, users, limits.all_users, limits.max_share).map_err(Error::Usage)?;
    if let Some(extra_confirmation) = extra_confirmations.first().filter(|_| consent.yes) {
        return Err(Error::Usage(format!(
            "{}. --yes is not enough for this: use --yes-i-mean {users} to confirm these {}. Nothing was \
             revoked",
            extra_confirmation.describe(),
            humanize::users(users)
        )));
    }
    if let Some(max_users) = prepared.sending.max_users.filter(|max_users| users > u64::from(*max_users)) {
        // A run that exceeds --max-users gets a folder and can be resumed with a larger limit. A plan that was not
        // confirmed can't be resumed, so it is refused here.
        return match extra_confirmations.first() {
            None if consent.yes => Ok(vec!["--yes".to_owned()]),
            None => Err(Error::NotConfirmed(format!(
                "the plan has {}, but --max-users allows {max_users}",
                humanize::users(users)
            ))),
            Some(extra_confirmation) => Err(Error::NotConfirmed(format!(
                "the plan has {}, but --max-users allows {max_users}; and {}",
                humanize::users(users),
                extra_confirmation.describe()
            ))),
        };
    }
    if consent.yes || users == 0 {
        return Ok(consent.yes.then(|| "--yes".to_owned()).into_iter().collect());
    }
    ask(prepared, sessions, users, &extra_confirmations).await
}

/// Asks the question, and one more for each risk that needs a separate confirmation.
async fn ask(
    prepared: &mut PreparedRun,
    sessions: &TenantSessions,
    users: u64,
    extra_confirmations: &[ExtraConfirmation],
) -> Result<Vec<String>, Error> {
    let columns = question::stderr_columns();
    let number = requires_number(prepared.draft.summary(), users);
    let expected = if number { ExpectedAnswer::Number(users) } else { ExpectedAnswer::Yes };
    let place = destination_text(prepared, sessions).await;
    let text = with_summary(prepared, sessions, &place, |about| {
        question::confirmation_prompt(about, expected, columns)
    });
    let mut confirmed = vec![ask_expected(&text, expected)?];
    for extra_confirmation in extra_confirmations {
        let expected = match extra_confirmation {
            ExtraConfirmation::AllUsers
            | ExtraConfirmation::Share { .. }
            | ExtraConfirmation::GlobalAdministratorsInTenants { .. } => ExpectedAnswer::Number(users),
            ExtraConfirmation::GlobalAdministrators { in_plan, total } => {
                ExpectedAnswer::Fraction(*in_plan, *total)
            }
        };
        let sentence = extra_confirmation.describe();
        let typed =
            ask_expected(&question::extra_confirmation_prompt(&sentence, expected, columns), expected)?;
        confirmed.push(format!("{sentence}: {typed}"));
    }
    Ok(confirmed)
}

/// Asks one question, and returns the answer in words for the evidence.
fn ask_expected(text: &str, expected: ExpectedAnswer) -> Result<String, Error> {
    match (question::ask(text, expected), expected) {
        (Ok(TypedAnswer::Yes), ExpectedAnswer::Yes) => Ok("answered yes".to_owned()),
        (Ok(TypedAnswer::Yes), expected) => Ok(format!("typed {expected}")),
        (Ok(TypedAnswer::No), ExpectedAnswer::Yes) => Err(Error::Declined),
        (Ok(TypedAnswer::No), expected) => Err(Error::NotConfirmed(format!("the answer was not {expected}"))),
        (Err(_), _) => Err(Error::NoTerminal),
    }
}

/// Everything that is known about the tenant. Its name is only informative, so if it can't be read, the plan continues
/// and lists it as not checked.
pub(super) async fn plan_file_tenant(
    draft: &mut Draft,
    given: &Option<String>,
    signed_in_app: &SignedInApp,
) -> PlanFileTenant {
    let name = match signed_in_app.directory.with_budget(draft.budget()).organization().await {
        Ok(tenant) => tenant.name,
        Err(why) => {
            draft.add_unchecked(UncheckedRead::new(why).line("the tenant's name"));
            None
        }
    };
    PlanFileTenant { given: given.clone(), id: signed_in_app.tenant.id.clone(), name }
}

/// Maximum number of tenants that are named, those with the most users first.
const MAX_NAMED_TENANTS: usize = 5;

/// The destination of the plan: everything that is known about the tenant, or the tenants with their numbers of users.
async fn destination_text(prepared: &mut PreparedRun, sessions: &TenantSessions) -> String {
    match sessions.first().filter(|_| !sessions.is_multi_tenant()) {
        Some(signed_in_app) => {
            plan_file_tenant(&mut prepared.draft, &sessions.sign_in_settings().tenant, signed_in_app)
                .await
                .describe()
        }
        None => describe_tenants(&prepared.tenants),
    }
}

/// `12 tenants: contoso.com 300, fabrikam.com 20, … and 7 more`, and the number of tenants in which nothing can be
/// revoked.
fn describe_tenants(records: &[TenantRecord]) -> String {
    let mut by_size: Vec<&TenantRecord> = records.iter().collect();
    by_size.sort_by_key(|tenant| std::cmp::Reverse(tenant.users));
    let name = |tenant: &TenantRecord| tenant.named.first().unwrap_or(&tenant.tenant).clone();
    let named = by_size.iter().take(MAX_NAMED_TENANTS);
    let mut parts: Vec<String> =
        named.map(|tenant| format!("{} {}", name(tenant), humanize::count(tenant.users))).collect();
    if records.len() > MAX_NAMED_TENANTS {
        parts.push(format!("and {} more", humanize::count((records.len() - MAX_NAMED_TENANTS) as u64)));
    }
    let blocked: Vec<&TenantRecord> =
        records.iter().filter(|tenant| tenant.auth.is_none() || tenant.closed.is_some()).collect();
    let users = match blocked.iter().map(|tenant| tenant.users).sum() {
        1 => "1 user".to_owned(),
        users => format!("{} users", humanize::count(users)),
    };
    let shut = match &blocked[..] {
        [] => String::new(),
        [only] => format!("; nothing can be revoked in {} ({users})", name(only)),
        some => {
            format!("; nothing can be revoked in {} of them ({users})", humanize::count(some.len() as u64))
        }
    };
    format!("{} tenants: {}{shut}", humanize::count(records.len() as u64), parts.join(", "))
}

/// Passes the summary of a prepared plan to `show`.
pub(super) fn with_summary<R>(
    prepared: &PreparedRun,
    sessions: &TenantSessions,
    place: &str,
    show: impl FnOnce(&ConfirmationSummary<'_>) -> R,
) -> R {
    let record = prepared.draft.record();
    let left_out: Vec<(Outcome, u64)> = record.left_out.into_iter().collect();
    let cloud = match &prepared.network.graph_url {
        Some(root) => format!("{} at {root}", prepared.network.cloud),
        None => prepared.network.cloud.to_string(),
    };
    let identity = describe_identity(sessions);
    show(&ConfirmationSummary {
        cloud: &cloud,
        tenant: place,
        identity: identity.as_deref(),
        users: u64::from(record.targets),
        left_out: &left_out,
        external: record.external,
        plan: prepared.draft.summary(),
        time_left: prepared.estimated_time(sessions),
    })
}

/// The identity that sends: the app or the person, or the number of apps.
fn describe_identity(sessions: &TenantSessions) -> Option<String> {
    let mut known: Vec<String> = sessions
        .signed_in_apps()
        .map(|SignedInApp { operator, additional_clients: partners, .. }| {
            let account = operator.user.as_ref().or(operator.app_id.as_ref());
            let one = account
                .map_or_else(|| operator.auth.clone(), |account| format!("{account} ({})", operator.auth));
            match partners.len() {
                0 => one,
                1 => format!("{one}, and 1 more app"),
                more => format!("{one}, and {more} more apps"),
            }
        })
        .collect();
    known.sort();
    known.dedup();
    match &known[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("{} apps", humanize::count(several.len() as u64))),
    }
}
