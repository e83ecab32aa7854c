//! A list of users, page by page.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::item::Item;
use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{Directory, DirectoryError, DirectoryUser, Permission};

/// A list whose users count and whose other items don't.
#[derive(Debug)]
pub(super) struct Users {
    reader: GraphReader,
    what: String,
    pages: GraphPages,
    /// Whether Graph was asked for users alone: then an item need not say what it is.
    users_alone: bool,
    /// What is asked for where Graph can't pick the users by itself.
    uncast: Option<ReadRequest>,
    /// Who came: one may come again on a later page.
    met: HashSet<Uuid>,
}

impl Users {
    /// A list that holds nothing but users.
    pub(super) fn alone(reader: &GraphReader, read: ReadRequest) -> Users {
        let (reader, what) = (reader.clone(), read.what.clone());
        let pages = GraphPages::new(reader.clone(), read);
        Users { pages, reader, what, users_alone: true, uncast: None, met: HashSet::new() }
    }

    /// A list that holds other things, too, and is small.
    pub(super) fn among_others(reader: &GraphReader, read: ReadRequest) -> Users {
        Users { users_alone: false, ..Users::alone(reader, read) }
    }

    /// The users at a relationship, such as `groups/{id}/members`: Graph is asked to pick them (an OData cast, which
    /// needs `$count` and `ConsistencyLevel`: learn.microsoft.com/graph/aad-advanced-queries), and where it refuses
    /// that, as not every cloud can, they are picked here.
    pub(super) fn at(directory: &Directory, what: String, path: &str, need: Permission, cost: u32) -> Users {
        let select = directory.users.select();
        let cast = format!("{path}/microsoft.graph.user?$count=true&$select={select}&$top=999");
        let uncast = format!("{path}?$select={select}&$top=999");
        let read =
            |url: String, eventual: bool| ReadRequest { what: what.clone(), url, eventual, need, cost };
        let mut users = Users::alone(&directory.reader, read(cast, true));
        users.uncast = Some(read(uncast, false));
        users
    }

    /// How many users there are, as Graph counted them with the first page; the list may change meanwhile.
    pub(super) fn expected(&self) -> Option<u64> {
        self.users_alone.then(|| self.pages.count()).flatten()
    }

    /// The users of the next page. `None` behind the last one.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        let items = match (self.pages.next().await, self.uncast.take()) {
            (Err(DirectoryError::Refused { .. }), Some(uncast)) => {
                self.pages = GraphPages::new(self.reader.clone(), uncast);
                self.users_alone = false;
                self.pages.next().await?
            }
            (page, _) => page?,
        };
        let page = items.map(|items| self.people(&items)).transpose()?;
        self.met.extend(page.iter().flatten().map(|person| person.id));
        Ok(page)
    }

    /// How many fewer came so far than Graph counted.
    pub(super) fn missing(&self) -> u64 {
        self.expected().unwrap_or(0).saturating_sub(self.met.len() as u64)
    }

    /// Behind the last page: whether all came.
    ///
    /// # Errors
    /// When Graph counted more.
    pub(super) fn check_complete(&self) -> Result<(), DirectoryError> {
        match self.missing() {
            0 => Ok(()),
            missing => Err(DirectoryError::Untrusted {
                what: self.what.clone(),
                reason: format!("Graph counted {missing} more than it gave"),
            }),
        }
    }

    /// The users among the items of a page.
    pub(super) fn people(&self, items: &[Value]) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let mut people = Vec::with_capacity(items.len());
        for value in items {
            people.extend(self.person(value)?);
        }
        Ok(people)
    }

    fn person(&self, value: &Value) -> Result<Option<DirectoryUser>, DirectoryError> {
        if self.users_alone {
            // Where the cast was passed over, an item still says what it is.
            return match Item::read(value, &self.what)? {
                Item::Group(_) | Item::Other => Ok(None),
                Item::User(_) | Item::Untold(_) => Item::user(value, &self.what).map(Some),
            };
        }
        match Item::read(value, &self.what)? {
            Item::User(person) => Ok(Some(person)),
            Item::Group(_) | Item::Other => Ok(None),
            Item::Untold(id) => Err(DirectoryError::Untrusted {
                what: self.what.clone(),
                reason: format!("Graph does not say what {id} is: a user, a group or something else"),
            }),
        }
    }

    /// All of them.
    pub(super) async fn all(mut self) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        self.check_complete()?;
        Ok(all)
    }
}
