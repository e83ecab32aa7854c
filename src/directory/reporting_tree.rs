//! All users below a manager.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;
use uuid::Uuid;

use super::pages;
use super::read_error::ReadError;
use super::reader::ReadRequest;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, DirectoryUser, Permission, directory_object};
use crate::user_id::UserId;

/// How many managers are requested at once: four batches.
const MANAGERS_PER_ROUND: usize = 80;

/// The users below a manager, at any depth.
///
/// The tree is read level by level, because Graph lists only direct reports
/// (learn.microsoft.com/graph/api/user-list-directreports) and documents only the number for the whole tree
/// (learn.microsoft.com/graph/api/user-get-transitivereports). That takes a read for each user below, twenty of them
/// per request. Contacts are skipped, so users that a contact manages are not found.
#[derive(Debug)]
pub(super) struct ReportingTree {
    directory: Directory,
    what: String,
    managers: VecDeque<Uuid>,
    /// All users so far, including the manager at the top: managers may manage each other.
    seen: HashSet<Uuid>,
}

impl ReportingTree {
    /// Starts below this user.
    ///
    /// # Errors
    /// When there is no such user, or users can't be read.
    pub(super) async fn load(directory: &Directory, user: &UserId) -> Result<ReportingTree, DirectoryError> {
        let named = crate::text::sanitize::sanitize_truncated(&user.to_string(), 256);
        let url = format!("{}?$select=id", user.request_path());
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

    /// The next users. `None` when there are no more managers to request.
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
                // The user was deleted meanwhile, so no one reports to them now.
                Err(ReadError::NotFound) => {}
                Err(fault) => return Err(error(fault)),
            }
        }
        users.retain(|person| self.seen.insert(person.id));
        self.managers.extend(users.iter().map(|person| person.id));
        Ok(Some(users))
    }

    /// The direct reports of a manager: those on the first page or, if more pages follow, the whole list.
    async fn all_direct_reports(
        &self,
        manager: Uuid,
        page: &Value,
    ) -> Result<Vec<DirectoryUser>, DirectoryError> {
        let users = UserPager::mixed_objects(&self.directory.reader, self.direct_reports_request(manager));
        match (pages::next_link(page), page.get("value")) {
            // The link in an answer that came only after a retry may be bad, so the list is read from the start.
            (Ok(Some(_)), _) => users.collect_all().await,
            (Ok(None), Some(Value::Array(items))) => users.parse_users(items),
            (Err(fault), _) => Err(fault.with_context(&self.what, Permission::Users)),
            (Ok(None), _) => Err(ReadError::Untrusted("a page without a list".to_owned())
                .with_context(&self.what, Permission::Users)),
        }
    }

    fn direct_reports_request(&self, manager: Uuid) -> ReadRequest {
        // No $top: the documentation does not list it as a parameter.
        let url = format!("users/{manager}/directReports?$select={}", self.directory.users.select());
        ReadRequest { what: self.what.clone(), url, eventual: false, permission: Permission::Users, cost: 1 }
    }
}
