//! The reads that a plan needs from the directory, as a trait, so that tests can use fake tenants.

use crate::directory::{
    Budget, Directory, DirectoryError, DirectoryUser, PrivilegedUsers, ResolvedId, Selector, UserReadScope,
    UserSelection,
};
use crate::user_id::UserId;

/// The progress of a long read.
#[derive(Clone, Copy, Debug)]
pub struct ReadProgress<'a> {
    /// What is read, in words, such as `group Finance`.
    pub what: &'a str,
    /// The number of users so far.
    pub count: u64,
    /// The total number of users, if it is known.
    pub total: Option<u64>,
}

/// A callback for the progress of a long read.
pub(super) type ProgressFn<'a> = &'a dyn Fn(&ReadProgress<'_>);

/// The directory, as a plan needs it. If a read fails, there is no plan. Reads that only inform go through
/// [`OptionalLookups`](super::info_lookups::OptionalLookups).
pub(super) trait DirectorySource: Sized {
    /// Its pages of users.
    type Pages: UserPages;
    /// As [`Directory::with_budget`].
    fn with_budget(&self, budget: &Budget) -> Self;
    /// As [`Directory::user_reads`].
    fn user_reads(&self) -> UserReadScope;
    /// As [`Directory::check_reachable`].
    async fn check_reachable(&self, people: &[UserId]) -> Result<(), DirectoryError>;
    /// As [`Directory::resolve`].
    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<ResolvedId>, DirectoryError>;
    /// As [`Directory::find_users`].
    async fn find_users(&self, names: &[String]) -> Result<Vec<ResolvedId>, DirectoryError>;
    /// As [`Directory::select_users`].
    async fn select_users(&self, selector: &Selector) -> Result<Self::Pages, DirectoryError>;
    /// As [`Directory::privileged_users`].
    async fn privileged_users(&self) -> Result<PrivilegedUsers, DirectoryError>;
    /// As [`Directory::app_owners`].
    async fn app_owners(&self, app_id: &str) -> Result<Vec<DirectoryUser>, DirectoryError>;
    /// As [`Directory::count_users`].
    async fn count_users(&self) -> Result<u64, DirectoryError>;
    /// As [`Directory::me`].
    async fn me(&self) -> Result<Option<DirectoryUser>, DirectoryError>;
}

/// Users, page by page.
pub(super) trait UserPages {
    /// As [`UserSelection::name`].
    fn name(&self) -> &str;
    /// As [`UserSelection::next_page`].
    async fn next_page(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError>;
    /// As [`UserSelection::missing`].
    fn missing(&self) -> u64;
    /// As [`UserSelection::expected`].
    fn expected(&self) -> Option<u64>;
}

impl DirectorySource for Directory {
    type Pages = UserSelection;

    fn with_budget(&self, budget: &Budget) -> Directory {
        Directory::with_budget(self, budget)
    }

    fn user_reads(&self) -> UserReadScope {
        Directory::user_reads(self)
    }

    async fn check_reachable(&self, people: &[UserId]) -> Result<(), DirectoryError> {
        Directory::check_reachable(self, people).await
    }

    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<ResolvedId>, DirectoryError> {
        Directory::resolve(self, ids).await
    }

    async fn find_users(&self, names: &[String]) -> Result<Vec<ResolvedId>, DirectoryError> {
        Directory::find_users(self, names).await
    }

    async fn select_users(&self, selector: &Selector) -> Result<UserSelection, DirectoryError> {
        Directory::select_users(self, selector).await
    }

    async fn privileged_users(&self) -> Result<PrivilegedUsers, DirectoryError> {
        Directory::privileged_users(self).await
    }

    async fn app_owners(&self, app_id: &str) -> Result<Vec<DirectoryUser>, DirectoryError> {
        Directory::app_owners(self, app_id).await
    }

    async fn count_users(&self) -> Result<u64, DirectoryError> {
        Directory::count_users(self).await
    }

    async fn me(&self) -> Result<Option<DirectoryUser>, DirectoryError> {
        Directory::me(self).await
    }
}

impl UserPages for UserSelection {
    fn name(&self) -> &str {
        UserSelection::name(self)
    }

    async fn next_page(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        UserSelection::next_page(self).await
    }

    fn missing(&self) -> u64 {
        UserSelection::missing(self)
    }

    fn expected(&self) -> Option<u64> {
        UserSelection::expected(self)
    }
}

/// Resolves each ID, with one answer per ID. For an app, `me` is missing.
pub(super) async fn resolve_all<D: DirectorySource>(
    directory: &D,
    ids: &[UserId],
) -> Result<Vec<ResolvedId>, DirectoryError> {
    let others: Vec<UserId> = ids.iter().filter(|id| **id != UserId::Me).cloned().collect();
    let found = match others.is_empty() {
        true => Vec::new(),
        false => check_count(directory.resolve(&others).await?, others.len())?,
    };
    if others.len() == ids.len() {
        return Ok(found);
    }
    let me = directory.me().await?.map_or(ResolvedId::Missing, ResolvedId::User);
    let mut found = found.into_iter();
    let mut answer = |id: &UserId| if *id == UserId::Me { Some(me.clone()) } else { found.next() };
    Ok(ids.iter().map_while(&mut answer).collect())
}

/// Finds the user of each name, with one answer per name.
pub(super) async fn find_all<D: DirectorySource>(
    directory: &D,
    names: &[String],
) -> Result<Vec<ResolvedId>, DirectoryError> {
    check_count(directory.find_users(names).await?, names.len())
}

fn check_count(found: Vec<ResolvedId>, asked: usize) -> Result<Vec<ResolvedId>, DirectoryError> {
    match found.len() == asked {
        true => Ok(found),
        false => Err(DirectoryError::Untrusted {
            what: "users".to_owned(),
            reason: format!("{asked} were requested, but {} were returned", found.len()),
        }),
    }
}

/// All IDs of a user that a row or a list can have.
pub(super) fn user_ids(person: &DirectoryUser) -> impl Iterator<Item = UserId> + '_ {
    let name = person.upn.as_deref().and_then(|upn| upn.parse().ok());
    std::iter::once(UserId::Object(person.id)).chain(name)
}

/// The name to show for a user.
pub(super) fn user_display_name(person: &DirectoryUser) -> String {
    match (&person.upn, &person.name) {
        (Some(name), _) | (None, Some(name)) => name.to_string(),
        (None, None) => person.id.to_string(),
    }
}
