//! Look-ups that only inform: who holds roles, who owns the app, whether users exist where nothing depends on it. Whatever
//! fails of them becomes a line "not checked: …", and the plan goes on; no error can be made of it.

use std::cell::{Cell, RefCell};

use super::directory_source::{DirectorySource, resolve_all};
use crate::directory::{Budget, DirectoryUser, PrivilegedUsers, ResolvedId, UncheckedRead};
use crate::text::humanize;
use crate::user_id::UserId;

/// What look-ups that only inform come to.
pub(super) type InfoResult<T> = Result<T, UncheckedRead>;

/// A directory that is asked only to inform, within a time that failures may cost.
pub(super) struct InfoLookups<D>(D);

impl<D: DirectorySource> InfoLookups<D> {
    pub(super) fn new(directory: &D, budget: &Budget) -> InfoLookups<D> {
        InfoLookups(directory.with_budget(budget))
    }

    /// Whether users can be read, tried with people who ought to exist.
    pub(super) async fn check_reachable(&self, people: &[UserId]) -> InfoResult<()> {
        self.0.check_reachable(people).await.map_err(UncheckedRead::new)
    }

    /// Whom each id names.
    pub(super) async fn resolve(&self, ids: &[UserId]) -> InfoResult<Vec<ResolvedId>> {
        resolve_all(&self.0, ids).await.map_err(UncheckedRead::new)
    }

    /// Who holds which role.
    pub(super) async fn privileged_users(&self) -> InfoResult<PrivilegedUsers> {
        self.0.privileged_users().await.map_err(UncheckedRead::new)
    }

    /// The owners of an app.
    pub(super) async fn app_owners(&self, app_id: &str) -> InfoResult<Vec<DirectoryUser>> {
        self.0.app_owners(app_id).await.map_err(UncheckedRead::new)
    }

    /// The signed-in user; none for an app.
    pub(super) async fn me(&self) -> InfoResult<Option<DirectoryUser>> {
        self.0.me().await.map_err(UncheckedRead::new)
    }
}

/// Users whose look-up failed although it was tried: after the first failure nobody more is looked up.
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

    /// So many more users are not looked up, for this reason or the one before.
    pub(super) fn add(&self, users: u64, why: Option<UncheckedRead>) {
        self.users.set(self.users.get() + users);
        let mut first = self.reason.borrow_mut();
        *first = first.take().or(why);
    }

    /// As a line, where there is any.
    pub(super) fn describe(&self) -> Option<String> {
        let why = self.reason.borrow();
        let users = match self.users.get() {
            1 => "1 of the users".to_owned(),
            users => format!("{} of the users", humanize::count(users)),
        };
        why.as_ref().map(|why| why.line(&format!("who {users} are")))
    }
}
