//! Look-ups that only inform: who holds roles, who owns the app, whether users exist where nothing depends on it. Whatever
//! fails of them becomes a line "not checked: …", and the plan goes on; no error can be made of it.

use std::cell::{Cell, RefCell};

use super::ask::{Ask, resolve};
use crate::console::wording;
use crate::directory::{Admins, Budget, NotChecked, Person, Resolved};
use crate::user_id::UserId;

/// What look-ups that only inform come to.
pub(super) type Checked<T> = Result<T, NotChecked>;

/// A directory that is asked only to inform, within a time that failures may cost.
pub(super) struct Informing<D>(D);

impl<D: Ask> Informing<D> {
    pub(super) fn new(directory: &D, budget: &Budget) -> Informing<D> {
        Informing(directory.within(budget))
    }

    /// Whether users can be read, tried with people who ought to exist.
    pub(super) async fn answers(&self, people: &[UserId]) -> Checked<()> {
        self.0.answers(people).await.map_err(NotChecked::new)
    }

    /// Whom each id names.
    pub(super) async fn resolve(&self, ids: &[UserId]) -> Checked<Vec<Resolved>> {
        resolve(&self.0, ids).await.map_err(NotChecked::new)
    }

    /// Who holds which role.
    pub(super) async fn admins(&self) -> Checked<Admins> {
        self.0.admins().await.map_err(NotChecked::new)
    }

    /// The owners of an app.
    pub(super) async fn owners(&self, app_id: &str) -> Checked<Vec<Person>> {
        self.0.owners(app_id).await.map_err(NotChecked::new)
    }

    /// The signed-in user; none for an app.
    pub(super) async fn me(&self) -> Checked<Option<Person>> {
        self.0.me().await.map_err(NotChecked::new)
    }
}

/// Users whose look-up failed although it was tried: after the first failure nobody more is looked up.
#[derive(Default)]
pub(super) struct Lost {
    why: RefCell<Option<NotChecked>>,
    users: Cell<u64>,
}

impl Lost {
    /// Whether a look-up failed.
    pub(super) fn is_any(&self) -> bool {
        self.why.borrow().is_some()
    }

    /// So many more users are not looked up, for this reason or the one before.
    pub(super) fn add(&self, users: u64, why: Option<NotChecked>) {
        self.users.set(self.users.get() + users);
        let mut first = self.why.borrow_mut();
        *first = first.take().or(why);
    }

    /// As a line, where there is any.
    pub(super) fn line(&self) -> Option<String> {
        let why = self.why.borrow();
        let users = match self.users.get() {
            1 => "1 of the users".to_owned(),
            users => format!("{} of the users", wording::count(users)),
        };
        why.as_ref().map(|why| why.line(&format!("who {users} are")))
    }
}
