//! What a plan asks the directory, so that plans can be tried out against made-up tenants.

use crate::directory::{
    Admins, Budget, Directory, DirectoryError, People, Person, Resolved, Selector, UserReads,
};
use crate::user_id::UserId;

/// How far a long read has come.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// What is read, in words: `group Finance`.
    pub what: &'a str,
    /// Users so far.
    pub so_far: u64,
    /// Users in all, where that is known.
    pub of: Option<u64>,
}

/// Whoever wants to know how far a long read has come.
pub(super) type Tell<'a> = &'a dyn Fn(&Reading<'_>);

/// A directory, as a plan needs it: where it fails, there is no plan. What only informs is asked of [`Informing`].
pub(super) trait Ask: Sized {
    /// Its pages of users.
    type People: Pages;
    /// As [`Directory::within`].
    fn within(&self, budget: &Budget) -> Self;
    /// As [`Directory::user_reads`].
    fn user_reads(&self) -> UserReads;
    /// As [`Directory::answers`].
    async fn answers(&self, people: &[UserId]) -> Result<(), DirectoryError>;
    /// As [`Directory::resolve`].
    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<Resolved>, DirectoryError>;
    /// As [`Directory::find`].
    async fn find(&self, names: &[String]) -> Result<Vec<Resolved>, DirectoryError>;
    /// As [`Directory::people`].
    async fn people(&self, selector: &Selector) -> Result<Self::People, DirectoryError>;
    /// As [`Directory::admins`].
    async fn admins(&self) -> Result<Admins, DirectoryError>;
    /// As [`Directory::owners`].
    async fn owners(&self, app_id: &str) -> Result<Vec<Person>, DirectoryError>;
    /// As [`Directory::count_users`].
    async fn count_users(&self) -> Result<u64, DirectoryError>;
    /// As [`Directory::me`].
    async fn me(&self) -> Result<Option<Person>, DirectoryError>;
}

/// Users, page by page.
pub(super) trait Pages {
    /// As [`People::name`].
    fn name(&self) -> &str;
    /// As [`People::next_page`].
    async fn next_page(&mut self) -> Result<Option<Vec<Person>>, DirectoryError>;
    /// As [`People::missing`].
    fn missing(&self) -> u64;
    /// As [`People::expected`].
    fn expected(&self) -> Option<u64>;
}

impl Ask for Directory {
    type People = People;

    fn within(&self, budget: &Budget) -> Directory {
        Directory::within(self, budget)
    }

    fn user_reads(&self) -> UserReads {
        Directory::user_reads(self)
    }

    async fn answers(&self, people: &[UserId]) -> Result<(), DirectoryError> {
        Directory::answers(self, people).await
    }

    async fn resolve(&self, ids: &[UserId]) -> Result<Vec<Resolved>, DirectoryError> {
        Directory::resolve(self, ids).await
    }

    async fn find(&self, names: &[String]) -> Result<Vec<Resolved>, DirectoryError> {
        Directory::find(self, names).await
    }

    async fn people(&self, selector: &Selector) -> Result<People, DirectoryError> {
        Directory::people(self, selector).await
    }

    async fn admins(&self) -> Result<Admins, DirectoryError> {
        Directory::admins(self).await
    }

    async fn owners(&self, app_id: &str) -> Result<Vec<Person>, DirectoryError> {
        Directory::owners(self, app_id).await
    }

    async fn count_users(&self) -> Result<u64, DirectoryError> {
        Directory::count_users(self).await
    }

    async fn me(&self) -> Result<Option<Person>, DirectoryError> {
        Directory::me(self).await
    }
}

impl Pages for People {
    fn name(&self) -> &str {
        People::name(self)
    }

    async fn next_page(&mut self) -> Result<Option<Vec<Person>>, DirectoryError> {
        People::next_page(self).await
    }

    fn missing(&self) -> u64 {
        People::missing(self)
    }

    fn expected(&self) -> Option<u64> {
        People::expected(self)
    }
}

/// Whom each id names; an answer for each, or none at all. `me` of an app is nobody.
pub(super) async fn resolve<D: Ask>(directory: &D, ids: &[UserId]) -> Result<Vec<Resolved>, DirectoryError> {
    let others: Vec<UserId> = ids.iter().filter(|id| **id != UserId::Me).cloned().collect();
    let found = match others.is_empty() {
        true => Vec::new(),
        false => whole(directory.resolve(&others).await?, others.len())?,
    };
    if others.len() == ids.len() {
        return Ok(found);
    }
    let me = directory.me().await?.map_or(Resolved::Missing, Resolved::Person);
    let mut found = found.into_iter();
    let mut answer = |id: &UserId| if *id == UserId::Me { Some(me.clone()) } else { found.next() };
    Ok(ids.iter().map_while(&mut answer).collect())
}

/// Whom each name means; an answer for each, or none at all.
pub(super) async fn find<D: Ask>(directory: &D, names: &[String]) -> Result<Vec<Resolved>, DirectoryError> {
    whole(directory.find(names).await?, names.len())
}

fn whole(found: Vec<Resolved>, asked: usize) -> Result<Vec<Resolved>, DirectoryError> {
    match found.len() == asked {
        true => Ok(found),
        false => Err(DirectoryError::Untrusted {
            what: "users".to_owned(),
            reason: format!("{asked} were asked for, and {} came", found.len()),
        }),
    }
}

/// All ids of a person that a row or a list can hold.
pub(super) fn ids_of(person: &Person) -> impl Iterator<Item = UserId> + '_ {
    let name = person.upn.as_deref().and_then(|upn| upn.parse().ok());
    std::iter::once(UserId::Object(person.id)).chain(name)
}

/// A name of the person that people know.
pub(super) fn known_as(person: &Person) -> String {
    match (&person.upn, &person.name) {
        (Some(name), _) | (None, Some(name)) => name.to_string(),
        (None, None) => person.id.to_string(),
    }
}
