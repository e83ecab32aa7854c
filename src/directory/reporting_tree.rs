//! Everybody below a manager.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;
use uuid::Uuid;

use super::pages;
use super::read_error::ReadError;
use super::reader::ReadRequest;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, DirectoryUser, Permission, directory_object};
use crate::user_id::UserId;

/// How many are asked for at once: four batches.
const MANAGERS_PER_ROUND: usize = 80;

/// The users below another one, at any depth.
///
/// They are looked for level by level: Graph lists only those who report directly
/// (learn.microsoft.com/graph/api/user-list-directreports); of the whole tree it documents nothing but the number
/// (learn.microsoft.com/graph/api/user-get-transitivereports). That is a read for each user below, twenty of them in a
/// request. Whom a contact manages is not found: contacts are passed over.
#[derive(Debug)]
pub(super) struct ReportingTree {
    directory: Directory,
    what: String,
    managers: VecDeque<Uuid>,
    /// Who was met, the top one included: managers may manage each other.
    seen: HashSet<Uuid>,
}

impl ReportingTree {
    /// Begins below this user.
    ///
    /// # Errors
    /// When there is no such user, or users can't be read.
    pub(super) async fn load(directory: &Directory, user: &UserId) -> Result<ReportingTree, DirectoryError> {
        let named = crate::text::sanitize::sanitize_truncated(&user.to_string(), 256);
        let url = format!("{}?$select=id", user.path());
        let read = ReadRequest {
            what: format!("user {named}"),
            url,
            eventual: false,
            permission: Permission::Users,
            cost: 1,
        };
        let top = directory_object::read_id(&directory.reader.get(&read).await?, &read.what)?;
        Ok(ReportingTree {
            directory: directory.clone(),
            what: format!("reports of {named}"),
            managers: VecDeque::from([top]),
            seen: HashSet::from([top]),
        })
    }

    /// The next users. `None` when nobody is left to ask for.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        if self.managers.is_empty() {
            return Ok(None);
        }
        let asked: Vec<Uuid> = self.managers.drain(..MANAGERS_PER_ROUND.min(self.managers.len())).collect();
        let reads = asked.iter().map(|manager| self.direct_reports_request(*manager)).collect();
        let error = |fault: ReadError| fault.with_context(&self.what, Permission::Users);
        let answers = self.directory.reader.batch(reads).await.map_err(error)?;
        let mut users = Vec::new();
        for (manager, answer) in asked.into_iter().zip(answers) {
            match answer {
                Ok(page) => users.extend(self.all_direct_reports(manager, &page).await?),
                // Deleted since it was found; whoever reported to it reports to nobody now.
                Err(ReadError::NotFound) => {}
                Err(fault) => return Err(error(fault)),
            }
        }
        users.retain(|person| self.seen.insert(person.id));
        self.managers.extend(users.iter().map(|person| person.id));
        Ok(Some(users))
    }

    /// Those on a manager's first page, or where more pages follow, all of the list.
    async fn all_direct_reports(
        &self,
        manager: Uuid,
        page: &Value,
    ) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let users = UserPager::mixed_objects(&self.directory.reader, self.direct_reports_request(manager));
        match (pages::next_link(page), page.get("value")) {
            // The link of an answer that came only on a retry need not be good: the list is begun anew.
            (Ok(Some(_)), _) => users.all().await,
            (Ok(None), Some(Value::Array(items))) => users.parse_users(items),
            (Err(fault), _) => Err(fault.with_context(&self.what, Permission::Users)),
            (Ok(None), _) => Err(ReadError::Untrusted("a page without a list".to_owned())
                .with_context(&self.what, Permission::Users)),
        }
    }

    fn direct_reports_request(&self, manager: Uuid) -> ReadRequest {
        // No $top: the page does not name it among the parameters.
        let url = format!("users/{manager}/directReports?$select={}", self.directory.users.select());
        ReadRequest { what: self.what.clone(), url, eventual: false, permission: Permission::Users, cost: 1 }
    }
}
