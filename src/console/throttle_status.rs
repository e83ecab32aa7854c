//! The state of a run's gates, as far as the events show it. The run waits only if no app may send; if one of several
//! apps waits, the others continue.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::EventScope;

/// Which gates are closed, and until when.
#[derive(Clone, Debug, Default)]
pub(super) struct ThrottleStatus {
    /// The apps that send, as far as they are known.
    apps: BTreeSet<Arc<str>>,
    /// The end of each app's wait.
    app_waits: BTreeMap<Arc<str>, Timestamp>,
    /// The end of a wait that holds for all apps.
    global_wait: Option<Timestamp>,
}

impl ThrottleStatus {
    /// Forgets all waits, and sets the apps that send.
    pub(super) fn reset(&mut self, apps: &[Arc<str>]) {
        *self = ThrottleStatus { apps: apps.iter().cloned().collect(), ..ThrottleStatus::default() };
    }

    /// A gate closed, or stays closed for longer.
    pub(super) fn start_wait(&mut self, scope: &EventScope, until: Timestamp) {
        // One of several tenants waits alone.
        if scope.tenant.is_some() {
            return;
        }
        let slot = match &scope.app_id {
            // The wait of an unknown app does not hold up the known ones.
            Some(app) => self.app_waits.entry(app.clone()).or_insert(until),
            None => self.global_wait.get_or_insert(until),
        };
        *slot = until.max(*slot);
    }

    /// A gate is open again.
    pub(super) fn end_wait(&mut self, scope: &EventScope) {
        if scope.tenant.is_some() {
            return;
        }
        match &scope.app_id {
            Some(app) => drop(self.app_waits.remove(app)),
            None => self.global_wait = None,
        }
    }

    /// An app sends nothing more.
    pub(super) fn drop_app(&mut self, scope: &EventScope) {
        if let (Some(app), None) = (&scope.app_id, scope.tenant) {
            self.apps.remove(app);
            self.app_waits.remove(app);
        }
    }

    /// All gates are open.
    pub(super) fn end_all_waits(&mut self) {
        self.app_waits.clear();
        self.global_wait = None;
    }

    /// When the next request leaves, if no app may send before that.
    pub(super) fn waiting_until(&self) -> Option<Timestamp> {
        let all_wait = self.apps.iter().all(|app| self.app_waits.contains_key(app));
        let first = self.app_waits.values().min().filter(|_| all_wait).copied();
        self.global_wait.max(first)
    }

    /// The IDs of the apps that wait while others send, each with the end of its wait.
    pub(super) fn waiting_apps(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        let others_send = self.waiting_until().is_none();
        self.app_waits.iter().filter(move |_| others_send).map(|(app, until)| (&**app, *until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_events::at;
    use super::*;

    fn scope(app: &str) -> EventScope {
        EventScope { tenant: None, app_id: (!app.is_empty()).then(|| app.into()) }
    }

    fn three() -> ThrottleStatus {
        let mut gates = ThrottleStatus::default();
        gates.reset(&["a", "b", "c"].map(Arc::from));
        gates
    }

    #[test]
    fn run_waits_only_when_all_apps_wait() {
        let mut gates = three();
        gates.start_wait(&scope("a"), at(3_000));
        gates.start_wait(&scope("b"), at(2_000));
        assert_eq!(gates.waiting_until(), None);
        assert_eq!(gates.waiting_apps().collect::<Vec<_>>(), [("a", at(3_000)), ("b", at(2_000))]);
        gates.start_wait(&scope("c"), at(5_000));
        assert_eq!(gates.waiting_until(), Some(at(2_000)), "the first of them opens it");
        assert_eq!(gates.waiting_apps().count(), 0);
        gates.end_wait(&scope("b"));
        assert_eq!(gates.waiting_until(), None);
    }

    #[test]
    fn tenant_wait_applies_to_all_apps() {
        let mut gates = three();
        gates.start_wait(&scope(""), at(4_000));
        gates.start_wait(&scope(""), at(1_000));
        gates.start_wait(&scope("a"), at(9_000));
        assert_eq!(gates.waiting_until(), Some(at(4_000)));
        gates.end_wait(&scope(""));
        assert_eq!(gates.waiting_until(), None);
        gates.end_all_waits();
        assert_eq!(gates.waiting_apps().count(), 0);
    }

    #[test]
    fn dropped_app_is_not_waited_for() {
        let mut gates = three();
        gates.start_wait(&scope("a"), at(3_000));
        gates.drop_app(&scope("b"));
        gates.drop_app(&scope("c"));
        assert_eq!(gates.waiting_until(), Some(at(3_000)));
    }

    #[test]
    fn single_app_wait_is_tracked_without_a_name() {
        let mut gates = ThrottleStatus::default();
        gates.reset(&["a".into()]);
        gates.start_wait(&scope(""), at(1_000));
        assert_eq!(gates.waiting_until(), Some(at(1_000)));
        gates.end_wait(&scope(""));
        assert_eq!(gates.waiting_until(), None);
    }
}
