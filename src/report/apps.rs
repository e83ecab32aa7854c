//! The apps of a run: for how many users each had the last answer, and which ones failed.

use std::collections::HashSet;

use serde::Serialize;

use super::summary::{group_digits, plural};
use super::totals::Totals;
use crate::journal::{AppRecord, JournalIndex, RunRecord};
use crate::text::sanitize::sanitize_truncated;

/// Maximum number of failed apps to list if there are several tenants.
const MAX_SHOWN: usize = 5;

/// What one app did in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppReport {
    /// The app's ID, if it is known.
    pub app_id: Option<String>,
    /// How it signed in when the run began. `None` if it did not, or was added later.
    pub auth: Option<String>,
    /// What names a further app: its profile, or its position in one.
    pub name: Option<String>,
    /// The number of users for whom it had the last answer.
    pub users: u64,
    /// Why it was not used from the beginning.
    pub left_out: Option<String>,
    /// Why it stopped during the run, while others continued.
    pub dropped: Option<String>,
}

/// The apps at the start of a run and those added later. Runs of older versions have only the operator's.
pub(super) fn app_reports(record: &RunRecord, journal: &JournalIndex, totals: &Totals) -> Vec<AppReport> {
    let of_old = [AppRecord::from_operator(&record.operator)];
    let recorded = if record.apps.is_empty() { &of_old[..] } else { &record.apps[..] };
    let mut shares: Vec<AppReport> = recorded.iter().map(AppReport::new).collect();
    let known: HashSet<&str> = recorded.iter().filter_map(|app| app.app_id.as_deref()).collect();
    let later = journal.processes.iter().flat_map(|began| &began.apps).map(|id| &**id);
    let mut later: Vec<&str> = later.filter(|id| !known.contains(id)).collect();
    later.sort_unstable();
    later.dedup();
    shares.extend(
        later.into_iter().map(|id| AppReport { app_id: Some(id.to_owned()), ..AppReport::default() }),
    );
    for share in &mut shares {
        let Some(id) = &share.app_id else { continue };
        share.users = totals.by_app.get(id).copied().unwrap_or_default();
        let lost = |(scope, _): &&(crate::event::EventScope, _)| scope.app_id.as_deref() == Some(id);
        share.dropped = journal.dropped_apps.iter().find(lost).map(|(_, why)| why.to_string());
    }
    shares
}

/// The apps of several runs, each once. `totals` covers the rows of all runs.
pub(super) fn merge_apps<'a>(
    runs: impl Iterator<Item = (&'a RunRecord, &'a JournalIndex)>,
    totals: &Totals,
) -> Vec<AppReport> {
    let mut all: Vec<AppReport> = Vec::new();
    for share in runs.flat_map(|(record, journal)| app_reports(record, journal, totals)) {
        match all.iter_mut().find(|known| known.app_id == share.app_id) {
            Some(known) => {
                known.left_out = known.left_out.take().or(share.left_out);
                known.dropped = known.dropped.take().or(share.dropped);
            }
            None => all.push(share),
        }
    }
    all
}

impl AppReport {
    fn new(app: &AppRecord) -> AppReport {
        AppReport {
            app_id: app.app_id.clone(),
            auth: app.auth.clone(),
            name: app.name.clone(),
            left_out: app.left_out.clone(),
            ..AppReport::default()
        }
    }

    fn display_name(&self) -> String {
        let known = self.app_id.as_ref().or(self.name.as_ref());
        known.map_or_else(|| "not known".to_owned(), |name| sanitize_truncated(name, 100))
    }
}

/// `APP 1,000, APP 998`, if several apps sent. Only the number of apps if there are several `tenants`, because each may
/// have its own.
pub(super) fn app_breakdown(apps: &[AppReport], tenants: usize) -> Option<String> {
    if tenants > 1 {
        return (apps.len() > 1)
            .then(|| format!("{} apps, in summary.json", group_digits(apps.len() as u64)));
    }
    let each = apps.iter().map(|app| format!("{} {}", app.display_name(), group_digits(app.users)));
    (apps.len() > 1).then(|| each.collect::<Vec<_>>().join(", "))
}

/// A sentence for each app that was not used, or not to the end.
pub(super) fn loss_sentences(apps: &[AppReport]) -> impl Iterator<Item = String> {
    apps.iter().filter_map(|app| {
        let (what, why) = match (&app.left_out, &app.dropped) {
            (_, Some(why)) => ("failed during the run", why),
            (Some(why), None) if app.users == 0 => ("was not used", why),
            _ => return None,
        };
        Some(format!("App {} {what}: {}", app.display_name(), sanitize_truncated(why, 300)))
    })
}

/// The lines of the summary, if there are several apps. If there are several `tenants`, the users are shown by tenant,
/// so only the apps that failed are listed.
pub(super) fn lines(apps: &[AppReport], tenants: usize) -> Vec<String> {
    if apps.len() < 2 {
        return Vec::new();
    }
    if tenants > 1 {
        return loss_sentences(apps).take(MAX_SHOWN).collect();
    }
    let width = apps.iter().map(|app| app.display_name().chars().count()).max().unwrap_or_default();
    let share =
        |app: &AppReport| format!("  app {:width$}  {}", app.display_name(), plural(app.users, "user"));
    apps.iter().map(share).chain(loss_sentences(apps)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_of_many_tenants_are_not_listed() {
        let app = |number: usize| AppReport {
            app_id: Some(format!("app-{number}")),
            users: 50,
            dropped: number.is_multiple_of(10).then(|| "gone".to_owned()),
            ..AppReport::default()
        };
        let apps: Vec<AppReport> = (0..500).map(app).collect();
        assert_eq!(lines(&apps, 500).len(), 5);
        assert_eq!(app_breakdown(&apps, 500).as_deref(), Some("500 apps, in summary.json"));
        assert_eq!(
            lines(&apps[1..4], 0),
            ["  app app-1  50 users", "  app app-2  50 users", "  app app-3  50 users"]
        );
        assert_eq!(app_breakdown(&apps[1..3], 0).as_deref(), Some("app-1 50, app-2 50"));
    }
}
