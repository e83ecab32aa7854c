//! Caps and consent: whether a plan may be sent, and who said so. All of it before a run folder exists.

use super::connect::SignedInApp;
use super::run::PreparedRun;
use super::tenants::TenantSessions;
use crate::cli::{CapArgs, ConsentArgs};
use crate::console::question::{self, ConfirmationSummary, ExpectedAnswer, TypedAnswer};
use crate::directory::UncheckedRead;
use crate::error::Error;
use crate::journal::TenantRecord;
use crate::outcome::Outcome;
use crate::plan::{Draft, ExtraConfirmation, MaxShare, requires_number};
use crate::plan_file::PlanFileTenant;
use crate::text::humanize;

/// What limits a plan, beside `--max-users`.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfirmationLimits {
    /// `--expect-count`.
    pub(super) expect_count: Option<u32>,
    /// `--max-share`.
    pub(super) max_share: Option<MaxShare>,
    /// Whether every user of the tenant is chosen.
    pub(super) all_users: bool,
}

impl ConfirmationLimits {
    pub(super) fn new(caps: &CapArgs, all_users: bool) -> ConfirmationLimits {
        ConfirmationLimits { expect_count: caps.expect_count, max_share: caps.max_share, all_users }
    }

    /// Refuses a plan of another size than the one expected.
    pub(super) fn check_count(&self, users: usize) -> Result<(), Error> {
        match self.expect_count.filter(|expected| *expected as usize != users) {
            Some(expected) => Err(Error::Refused(format!(
                "the plan holds {}, and --expect-count says {expected}",
                humanize::users(users as u64)
            ))),
            None => Ok(()),
        }
    }
}

impl ConsentArgs {
    /// Whether a command line says yes.
    pub(super) fn is_given(&self) -> bool {
        self.yes || self.yes_i_mean.is_some()
    }
}

/// Asks whoever has to be asked, and gives the answers for the evidence.
///
/// # Errors
/// When the plan is refused by a cap, or somebody says no, or nobody says what has to be said.
pub(super) async fn confirm(
    prepared: &mut PreparedRun,
    sessions: &TenantSessions,
    consent: &ConsentArgs,
    limits: &ConfirmationLimits,
) -> Result<Vec<String>, Error> {
    let users = prepared.draft.targets() as u64;
    limits.check_count(prepared.draft.targets())?;
    if let Some(meant) = consent.yes_i_mean {
        return match u64::from(meant) == users {
            true => Ok(vec![format!("--yes-i-mean {meant}")]),
            false => Err(Error::Refused(format!(
                "the plan holds {}, and --yes-i-mean says {meant}: look at the plan again (--dry-run) before you say {users}",
                humanize::users(users)
            ))),
        };
    }
    let facts = prepared.draft.summary();
    let extra_confirmations =
        ExtraConfirmation::assess(facts, users, limits.all_users, limits.max_share).map_err(Error::Usage)?;
    if let Some(extra_confirmation) = extra_confirmations.first().filter(|_| consent.yes) {
        return Err(Error::Usage(format!(
            "{}. --yes is not enough for that: give --yes-i-mean {users} if these {} are meant. Nothing was sent",
            extra_confirmation.describe(),
            humanize::users(users)
        )));
    }
    if let Some(max_users) = prepared.sending.max_users.filter(|max_users| users > u64::from(*max_users)) {
        // A run that is refused by its size can be resumed with a larger one; what was never confirmed can't be.
        return match extra_confirmations.first() {
            None if consent.yes => Ok(vec!["--yes".to_owned()]),
            None => Err(Error::Refused(format!(
                "the plan holds {}, and --max-users allows {max_users}",
                humanize::users(users)
            ))),
            Some(extra_confirmation) => Err(Error::Refused(format!(
                "the plan holds {}, and --max-users allows {max_users}; and {}",
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

/// The question, and one more for each thing that wants a number of its own.
async fn ask(
    prepared: &mut PreparedRun,
    sessions: &TenantSessions,
    users: u64,
    extra_confirmations: &[ExtraConfirmation],
) -> Result<Vec<String>, Error> {
    let columns = question::stderr_columns();
    let number = requires_number(prepared.draft.summary(), users);
    let wanted = if number { ExpectedAnswer::Number(users) } else { ExpectedAnswer::Yes };
    let place = describe_destination(prepared, sessions).await;
    let text = with_summary(prepared, sessions, &place, |about| {
        question::confirmation_prompt(about, wanted, columns)
    });
    let mut confirmed = vec![ask_expected(&text, wanted)?];
    for extra_confirmation in extra_confirmations {
        let wanted = match extra_confirmation {
            ExtraConfirmation::AllUsers
            | ExtraConfirmation::Share { .. }
            | ExtraConfirmation::GlobalAdministratorsInTenants { .. } => ExpectedAnswer::Number(users),
            ExtraConfirmation::GlobalAdministrators { in_plan, total } => {
                ExpectedAnswer::Fraction(*in_plan, *total)
            }
        };
        let sentence = extra_confirmation.describe();
        let typed = ask_expected(&question::extra_confirmation_prompt(&sentence, wanted, columns), wanted)?;
        confirmed.push(format!("{sentence}: {typed}"));
    }
    Ok(confirmed)
}

/// Asks one question; gives what was typed.
fn ask_expected(text: &str, wanted: ExpectedAnswer) -> Result<String, Error> {
    match (question::ask(text, wanted), wanted) {
        (Ok(TypedAnswer::Yes), ExpectedAnswer::Yes) => Ok("answered yes".to_owned()),
        (Ok(TypedAnswer::Yes), wanted) => Ok(format!("typed {wanted}")),
        (Ok(TypedAnswer::No), ExpectedAnswer::Yes) => Err(Error::Declined),
        (Ok(TypedAnswer::No), wanted) => Err(Error::Refused(format!("what was typed is not {wanted}"))),
        (Err(_), _) => Err(Error::NoTerminal),
    }
}

/// The tenant by all that is known of it. Its name only informs: where it can't be read, that is told.
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

/// So many tenants are named, those with the most users first.
const MAX_NAMED_TENANTS: usize = 5;

/// Where it goes: the tenant by all that is known of it, or the tenants with their users.
async fn describe_destination(prepared: &mut PreparedRun, sessions: &TenantSessions) -> String {
    match sessions.first().filter(|_| !sessions.is_multi_tenant()) {
        Some(signed_in_app) => {
            plan_file_tenant(&mut prepared.draft, &sessions.sign_in_settings().tenant, signed_in_app)
                .await
                .describe()
        }
        None => describe_tenants(&prepared.tenants),
    }
}

/// `12 tenants: contoso.com 300, fabrikam.com 20, … and 7 more`, and in how many of them nothing can be sent.
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
        [only] => format!("; nothing can be sent in {} ({users})", name(only)),
        some => format!("; nothing can be sent in {} of them ({users})", humanize::count(some.len() as u64)),
    };
    format!("{} tenants: {}{shut}", humanize::count(records.len() as u64), parts.join(", "))
}

/// Shows a prepared plan: where it goes, and what is known of it.
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

/// Who sends: the app or the person, or how many apps.
fn describe_identity(sessions: &TenantSessions) -> Option<String> {
    let mut known: Vec<String> = sessions
        .signed_in_apps()
        .map(|SignedInApp { operator, additional_clients: partners, .. }| {
            let whom = operator.user.as_ref().or(operator.app_id.as_ref());
            let one =
                whom.map_or_else(|| operator.auth.clone(), |whom| format!("{whom} ({})", operator.auth));
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
