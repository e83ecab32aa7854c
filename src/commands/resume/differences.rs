//! The differences from what was approved when the run began, and their confirmation.

use crate::commands::connect::SignedInApp;
use crate::commands::tenants::ResumedTenants;
use crate::console;
use crate::console::question::{self, ExpectedAnswer, TypedAnswer};
use crate::error::Error;
use crate::event::TargetNo;
use crate::journal::RunRecord;
use crate::plan::Target;
use crate::settings::NetworkSettings;
use crate::text::humanize;
use crate::text::sanitize::sanitize_truncated;

/// Maximum number of users that are named.
const MAX_NAMED: usize = 5;

/// The differences, as sentences without a full stop.
#[derive(Default)]
pub(super) struct ResumeDifferences(Vec<String>);

impl ResumeDifferences {
    pub(super) fn add(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    pub(super) fn extend(&mut self, what: impl IntoIterator<Item = String>) {
        self.0.extend(what);
    }

    /// Adds addresses that the run did not use.
    pub(super) fn compare_destination(&mut self, record: &RunRecord, network: &NetworkSettings) {
        let had = &record.settings;
        let authority = network.recorded_authority();
        let graph = network.graph_url.as_ref().map(ToString::to_string);
        for (flag, had, now) in
            [("--graph-url", &had.graph_url, graph), ("--authority-url", &had.authority_url, authority)]
        {
            if let (None, Some(now)) = (had, now) {
                self.add(format!("the run was started without {flag}, but now {now} is used"));
            }
        }
    }

    /// Compares the apps and the user.
    pub(super) fn compare_app(&mut self, record: &RunRecord, now: &SignedInApp) {
        // Another tenant is refused elsewhere. An unknown app can't be compared, so it causes a warning and does not
        // count as a difference.
        let begun = std::iter::once(&record.operator.app_id).chain(record.apps.iter().map(|app| &app.app_id));
        let begun: Vec<&str> = begun.flatten().map(String::as_str).collect();
        let partners = now.additional_clients.iter().map(|client| &client.operator);
        for operator in std::iter::once(&now.operator).chain(partners) {
            self.compare_app_id(&begun, operator.app_id.as_deref());
        }
        self.compare_user(record.operator.user.as_deref(), now.operator.user.as_deref());
    }

    /// Compares the apps in each of several tenants, and the user.
    pub(super) fn compare_apps(&mut self, record: &RunRecord, resumed_tenants: &ResumedTenants) {
        for (tenant, now) in record.tenants.iter().zip(resumed_tenants.signed_in_apps()) {
            if let Some(now) = now {
                let begun: Vec<&str> = tenant.app_id.as_deref().into_iter().collect();
                self.compare_app_id(&begun, now.operator.app_id.as_deref());
            }
        }
        if let Some(first) = resumed_tenants.signed_in_apps().flatten().next() {
            self.compare_user(record.operator.user.as_deref(), first.operator.user.as_deref());
        }
        self.0.dedup();
    }

    fn compare_app_id(&mut self, begun: &[&str], now: Option<&str>) {
        let same = |app: &&str| now.is_some_and(|now| now.eq_ignore_ascii_case(app));
        if begun.is_empty() || begun.iter().any(same) {
            return;
        }
        let begun = sanitize_truncated(&begun.join(", "), 200);
        match now {
            Some(now) => {
                let now = sanitize_truncated(now, 80);
                self.add(format!("app {begun} started the run, but now app {now} signs in"));
            }
            None => console::print_status(&format!(
                "warning: it is not known which app signs in; make sure that it is the run's app, {begun}"
            )),
        }
    }

    fn compare_user(&mut self, begun: Option<&str>, now: Option<&str>) {
        if let (Some(begun), Some(now)) = (begun, now)
            && !begun.eq_ignore_ascii_case(now)
        {
            let (begun, now) = (sanitize_truncated(begun, 120), sanitize_truncated(now, 120));
            self.add(format!("{begun} started the run, but now {now} signs in"));
        }
    }

    /// Adds the users that are skipped, because they are protected now.
    pub(super) fn add_newly_protected<'a>(
        &mut self,
        protected: impl ExactSizeIterator<Item = (&'a TargetNo, &'a String)>,
        targets: &[Target],
    ) {
        let users = protected.len();
        if users == 0 {
            return;
        }
        let named: Vec<String> = protected
            .take(MAX_NAMED)
            .map(|(order, why)| {
                sanitize_truncated(&format!("{} ({why})", targets[*order as usize - 1].user), 200)
            })
            .collect();
        let more = users.saturating_sub(named.len());
        let more =
            if more > 0 { format!(" and {} more", humanize::count(more as u64)) } else { String::new() };
        let users = humanize::users(users as u64);
        self.add(format!("{users} now protected, and skipped: {}{more}", named.join(", ")));
    }

    /// Prints the differences and asks whether to continue, unless `yes` is set. Returns the differences with the
    /// answer, for the evidence.
    ///
    /// # Errors
    /// When the answer is no, or the question can't be asked.
    pub(super) fn confirm(self, yes: bool) -> Result<Vec<String>, Error> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        self.0
            .iter()
            .for_each(|what| console::print_status(&format!("differs from what was approved: {what}")));
        if yes {
            return Ok(self.with_consent("--yes"));
        }
        if !question::can_ask() {
            return Err(Error::Usage(format!(
                "nothing was revoked: something differs from what was approved when the run began ({}). To \
                 confirm the differences, use --yes",
                self.0.join("; ")
            )));
        }
        match question::ask("Continue the run anyway? [y/N] ", ExpectedAnswer::Yes) {
            Ok(TypedAnswer::Yes) => Ok(self.with_consent("answered yes")),
            Ok(TypedAnswer::No) => Err(Error::Declined),
            Err(_) => Err(Error::NoTerminal),
        }
    }

    fn with_consent(self, how: &str) -> Vec<String> {
        self.0.into_iter().map(|what| format!("{what}: {how}")).collect()
    }
}

/// Whether the same user signed in both times, or an app both times.
pub(super) fn same_person(begun: Option<&str>, now: Option<&str>) -> bool {
    match (begun, now) {
        (Some(begun), Some(now)) => begun.eq_ignore_ascii_case(now),
        (begun, now) => begun.is_none() && now.is_none(),
    }
}
