//! Look-ups that only inform: which users hold roles or own the app, and, if nothing depends on it, which
//! users exist. A failure is never an error. It becomes a line "not checked: …", and the plan continues.

use std::cell::{Cell, RefCell};

use super::directory_source::{DirectorySource, resolve_all};
use crate::directory::{Budget, DirectoryUser, PrivilegedUsers, ResolvedId, UncheckedRead};
use crate::text::humanize;
use crate::user_id::UserId;

/// The result of a look-up that only informs.
pub(super) type OptionalResult<T> = Result<T, UncheckedRead>;

/// A directory for look-ups that only inform. The budget limits how much time their failures may cost.
pub(super) struct OptionalLookups<D>(D);

impl<D: DirectorySource> OptionalLookups<D> {
    pub(super) fn new(directory: &D, budget: &Budget) -> OptionalLookups<D> {
        OptionalLookups(directory.with_budget(budget))
    }

    /// Checks that users can be read, with users who should exist.
    pub(super) async fn check_reachable(&self, people: &[UserId]) -> OptionalResult<()> {
        self.0.check_reachable(people).await.map_err(UncheckedRead::new)
    }

    /// Resolves each ID.
    pub(super) async fn resolve(&self, ids: &[UserId]) -> OptionalResult<Vec<ResolvedId>> {
        resolve_all(&self.0, ids).await.map_err(UncheckedRead::new)
    }

    /// The users who hold roles.
    pub(super) async fn privileged_users(&self) -> OptionalResult<PrivilegedUsers> {
        self.0.privileged_users().await.map_err(UncheckedRead::new)
    }

    /// The owners of an app.
    pub(super) async fn app_owners(&self, app_id: &str) -> OptionalResult<Vec<DirectoryUser>> {
        self.0.app_owners(app_id).await.map_err(UncheckedRead::new)
    }

    /// The signed-in user; `None` for an app.
    pub(super) async fn me(&self) -> OptionalResult<Option<DirectoryUser>> {
        self.0.me().await.map_err(UncheckedRead::new)
    }
}

/// Users whose details are unknown because a look-up failed. After the first failure, no more users are
/// looked up.
#[derive(Default)]
pub(super) struct SkippedLookups {
    reason: RefCell<Option<UncheckedRead>>,
    users: Cell<u64>,
}

impl SkippedLookups {
    /// Whether a look-up failed.
    pub(super) fn has_failed(&self) -> bool {
        self.reason.borrow().is_some()
    }

    /// Counts more users that are not looked up. Only the first reason is kept.
    pub(super) fn add(&self, users: u64, why: Option<UncheckedRead>) {
        self.users.set(self.users.get() + users);
        let mut first = self.reason.borrow_mut();
        *first = first.take().or(why);
    }

    /// One line for all of them, if there are any.
    pub(super) fn describe(&self) -> Option<String> {
        let why = self.reason.borrow();
        let users = match self.users.get() {
            1 => "1 of the users".to_owned(),
            users => format!("{} of the users", humanize::count(users)),
        };
        why.as_ref().map(|why| why.line(&format!("details of {users}")))
    }
}
