//! The holders of a role, directly or through a group.

use std::collections::{HashSet, VecDeque};

use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::role::{RoleAssignmentKind, RoleAssignments};
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, DirectoryUser, group};

/// The users who hold a role. Assignments within an administrative unit count as well as those in the whole tenant.
/// Service principals are skipped, because they have no sessions. Users who may only become members of a group with the
/// role (PIM for Groups) are not included.
#[derive(Debug)]
pub(super) struct RoleMembers {
    directory: Directory,
    what: String,
    lists: VecDeque<RoleAssignments>,
    groups: VecDeque<Uuid>,
    /// The groups so far: several assignments may have the same group.
    seen_groups: HashSet<Uuid>,
    members: Option<UserPager>,
}

impl RoleMembers {
    pub(super) fn new(directory: &Directory, what: &str, role: Uuid, eligible: bool) -> RoleMembers {
        let holds: &[RoleAssignmentKind] = if eligible {
            &[RoleAssignmentKind::Active, RoleAssignmentKind::Eligible]
        } else {
            &[RoleAssignmentKind::Active]
        };
        let list = |hold: &RoleAssignmentKind| {
            RoleAssignments::new(&directory.reader, what.to_owned(), Some(role), *hold)
        };
        RoleMembers {
            directory: directory.clone(),
            what: what.to_owned(),
            lists: holds.iter().map(list).collect(),
            groups: VecDeque::new(),
            seen_groups: HashSet::new(),
            members: None,
        }
    }

    /// The next users. `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<DirectoryUser>>, DirectoryError> {
        loop {
            if let Some(members) = &mut self.members {
                match members.next().await? {
                    Some(page) => return Ok(Some(page)),
                    None => {
                        members.check_complete()?;
                        self.members = None;
                    }
                }
            } else if let Some(id) = self.groups.pop_front() {
                let what = format!("{}: the members of group {id}", self.what);
                self.members = Some(group::members(&self.directory, what, id, false));
            } else if let Some(list) = self.lists.front_mut() {
                match list.next().await? {
                    Some(page) => {
                        let principals = page.into_iter().map(|assignment| assignment.principal);
                        return Ok(Some(self.collect_users(principals)));
                    }
                    None => drop(self.lists.pop_front()),
                }
            } else {
                return Ok(None);
            }
        }
    }

    /// Returns the users and queues the groups.
    fn collect_users(&mut self, principals: impl Iterator<Item = DirectoryObject>) -> Vec<DirectoryUser> {
        let mut users = Vec::new();
        for principal in principals {
            match principal {
                DirectoryObject::User(user) => users.push(user),
                DirectoryObject::Group(id) if self.seen_groups.insert(id) => self.groups.push_back(id),
                _ => {}
            }
        }
        users
    }
}
