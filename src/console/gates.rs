//! The gates of a run, as the events tell them: an app's, a tenant's. The run waits only when nobody may send; where
//! one of several apps waits, the others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::EventScope;

/// Which gates are closed, and until when.
#[derive(Clone, Debug, Default)]
pub(super) struct ThrottleStatus {
    /// Apps that send, where there are several.
    apps: BTreeSet<Arc<str>>,
    /// Of one app each.
    of_apps: BTreeMap<Arc<str>, Timestamp>,
    /// Of all of them.
    of_all: Option<Timestamp>,
}

impl ThrottleStatus {
    /// These apps send.
    pub(super) fn began(&mut self, apps: &[Arc<str>]) {
        *self = ThrottleStatus { apps: apps.iter().cloned().collect(), ..ThrottleStatus::default() };
    }

    /// A gate closed, or closes for longer.
    pub(super) fn close(&mut self, whose: &EventScope, until: Timestamp) {
        // One of several tenants waits by itself.
        if whose.tenant.is_some() {
            return;
        }
        let slot = match &whose.app_id {
            // What an unknown app waits for holds up nobody known.
            Some(app) => self.of_apps.entry(app.clone()).or_insert(until),
            None => self.of_all.get_or_insert(until),
        };
        *slot = until.max(*slot);
    }

    /// A gate is open again.
    pub(super) fn open(&mut self, whose: &EventScope) {
        if whose.tenant.is_some() {
            return;
        }
        match &whose.app_id {
            Some(app) => drop(self.of_apps.remove(app)),
            None => self.of_all = None,
        }
    }

    /// An app sends nothing more.
    pub(super) fn drop_app(&mut self, whose: &EventScope) {
        if let (Some(app), None) = (&whose.app_id, whose.tenant) {
            self.apps.remove(app);
            self.of_apps.remove(app);
        }
    }

    /// All gates are open.
    pub(super) fn open_all(&mut self) {
        self.of_apps.clear();
        self.of_all = None;
    }

    /// When the first request leaves, if nobody may send before.
    pub(super) fn closed_until(&self) -> Option<Timestamp> {
        let all_wait = self.apps.iter().all(|app| self.of_apps.contains_key(app));
        let first = self.of_apps.values().min().filter(|_| all_wait).copied();
        self.of_all.max(first)
    }

    /// The apps that wait while others send, by their ids.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        let others_send = self.closed_until().is_none();
        self.of_apps.iter().filter(move |_| others_send).map(|(app, until)| (&**app, *until))
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::at;
    use super::*;

    fn scope(app: &str) -> EventScope {
        EventScope { tenant: None, app_id: (!app.is_empty()).then(|| app.into()) }
    }

    fn three() -> ThrottleStatus {
        let mut gates = ThrottleStatus::default();
        gates.began(&["a", "b", "c"].map(Arc::from));
        gates
    }

    #[test]
    fn the_run_waits_only_when_all_apps_do() {
        let mut gates = three();
        gates.close(&scope("a"), at(3_000));
        gates.close(&scope("b"), at(2_000));
        assert_eq!(gates.closed_until(), None);
        assert_eq!(gates.waiting().collect::<Vec<_>>(), [("a", at(3_000)), ("b", at(2_000))]);
        gates.close(&scope("c"), at(5_000));
        assert_eq!(gates.closed_until(), Some(at(2_000)), "the first of them opens it");
        assert_eq!(gates.waiting().count(), 0);
        gates.open(&scope("b"));
        assert_eq!(gates.closed_until(), None);
    }

    #[test]
    fn the_tenants_gate_is_everybodys() {
        let mut gates = three();
        gates.close(&scope(""), at(4_000));
        gates.close(&scope(""), at(1_000));
        gates.close(&scope("a"), at(9_000));
        assert_eq!(gates.closed_until(), Some(at(4_000)));
        gates.open(&scope(""));
        assert_eq!(gates.closed_until(), None);
        gates.open_all();
        assert_eq!(gates.waiting().count(), 0);
    }

    #[test]
    fn who_is_dropped_is_not_waited_for() {
        let mut gates = three();
        gates.close(&scope("a"), at(3_000));
        gates.drop_app(&scope("b"));
        gates.drop_app(&scope("c"));
        assert_eq!(gates.closed_until(), Some(at(3_000)));
    }

    #[test]
    fn an_app_alone_has_no_name() {
        let mut gates = ThrottleStatus::default();
        gates.began(&["a".into()]);
        gates.close(&scope(""), at(1_000));
        assert_eq!(gates.closed_until(), Some(at(1_000)));
        gates.open(&scope(""));
        assert_eq!(gates.closed_until(), None);
    }
}
