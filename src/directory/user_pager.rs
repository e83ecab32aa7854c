//! A list of users, page by page.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{Directory, DirectoryError, DirectoryUser, Permission};

/// A list whose users are kept and whose other items are skipped.
#[derive(Debug)]
pub(super) struct UserPager {
    reader: GraphReader,
    what: String,
    pages: GraphPages,
    /// Whether Graph was asked for users only. Then an item may lack a type.
    users_only: bool,
    /// The read to use if Graph can't select the users itself.
    fallback_read: Option<ReadRequest>,
    /// The users so far: one may come again on a later page.
    seen: HashSet<Uuid>,
}

impl UserPager {
    /// A list that has only users.
    pub(super) fn users_only(reader: &GraphReader, read: ReadRequest) -> UserPager {
        let (reader, what) = (reader.clone(), read.what.clone());
        let pages = GraphPages::new(reader.clone(), read);
        UserPager { pages, reader, what, users_only: true, fallback_read: None, seen: HashSet::new() }
    }

    /// A small list that may also have other objects.
    pub(super) fn mixed_objects(reader: &GraphReader, read: ReadRequest) -> UserPager {
        UserPager { users_only: false, ..UserPager::users_only(reader, read) }
    }

    /// The users of a relationship, such as `groups/{id}/members`. Graph is asked to select them with an OData cast,
    /// which needs `$count` and `ConsistencyLevel` (learn.microsoft.com/graph/aad-advanced-queries). Not every cloud
    /// supports that: if Graph refuses it, they are selected here.
    pub(super) fn members(
        directory: &Directory,
        what: String,
        path: &str,
        permission: Permission,
        cost: u32,
    ) -> UserPager {
        let select = directory.users.select();
        let cast = format!("{path}/microsoft.graph.user?$count=true&$select={select}&$top=999");
        let uncast = format!("{path}?$select={select}&$top=999");
        let read =
            |url: String, eventual: bool| ReadRequest { what: what.clone(), url, eventual, permission, cost };
        let mut users = UserPager::users_only(&directory.reader, read(cast, true));
        users.fallback_read = Some(read(uncast, false));
        users
    }

    /// How many users Graph counted with the first page. The list may change meanwhile.
    pub(super) fn expected_count(&self) -> Option<u64> {
        self.users_only.then(|| self.pages.count()).flatten()
    }

    /// The users of the next page. `None` after the last page.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        let items = match (self.pages.next().await, self.fallback_read.take()) {
            (Err(DirectoryError::Refused { .. }), Some(uncast)) => {
                self.pages = GraphPages::new(self.reader.clone(), uncast);
                self.users_only = false;
                self.pages.next().await?
            }
            (page, _) => page?,
        };
        let page = items.map(|items| self.parse_users(&items)).transpose()?;
        self.seen.extend(page.iter().flatten().map(|user| user.id));
        Ok(page)
    }

    /// How many users are still missing from Graph's count.
    pub(super) fn missing_count(&self) -> u64 {
        self.expected_count().unwrap_or(0).saturating_sub(self.seen.len() as u64)
    }

    /// Checks after the last page whether all users were returned.
    ///
    /// # Errors
    /// When Graph counted more.
    pub(super) fn check_complete(&self) -> Result<(), DirectoryError> {
        match self.missing_count() {
            0 => Ok(()),
            missing => Err(DirectoryError::Untrusted {
                what: self.what.clone(),
                reason: format!("Graph counted {missing} more than it returned"),
            }),
        }
    }

    /// The users among the items of a page.
    pub(super) fn parse_users(&self, items: &[Value]) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let mut users = Vec::with_capacity(items.len());
        for value in items {
            users.extend(self.parse_user(value)?);
        }
        Ok(users)
    }

    fn parse_user(&self, value: &Value) -> Result<Option<DirectoryUser>, DirectoryError> {
        if self.users_only {
            // If the service ignored the cast, an item still has its type.
            return match DirectoryObject::read(value, &self.what)? {
                DirectoryObject::Group(_) | DirectoryObject::Other => Ok(None),
                DirectoryObject::User(_) | DirectoryObject::Untyped(_) => {
                    DirectoryObject::read_user(value, &self.what).map(Some)
                }
            };
        }
        match DirectoryObject::read(value, &self.what)? {
            DirectoryObject::User(user) => Ok(Some(user)),
            DirectoryObject::Group(_) | DirectoryObject::Other => Ok(None),
            DirectoryObject::Untyped(id) => Err(DirectoryError::Untrusted {
                what: self.what.clone(),
                reason: format!("Graph does not say what {id} is: a user, a group or something else"),
            }),
        }
    }

    /// All users of the list.
    pub(super) async fn collect_all(mut self) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let mut all = Vec::new();
        while let Some(page) = self.next().await? {
            all.extend(page);
        }
        self.check_complete()?;
        Ok(all)
    }
}
