//! The holders of directory roles.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::reader::GraphReader;
use super::role::{self, RoleAssignment, RoleAssignmentKind, RoleAssignments};
use super::unchecked_read::short_reason;
use super::{Directory, DirectoryError, group};

/// The template ID of the role Global Administrator
/// (learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
pub const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10);

/// What is read, in words.
const WHAT: &str = "the holders of directory roles";

/// All users who hold a directory role, directly or through a group. Every role counts, even one that only allows
/// reading: an account with a role deserves a note.
#[derive(Clone, Debug, Default)]
pub struct PrivilegedUsers {
    /// The roles' display names by user, for roles in the whole tenant or in an administrative unit. Sorted and without
    /// duplicates.
    pub roles: BTreeMap<Uuid, Vec<String>>,
    /// The holders of Global Administrator in the whole tenant. Sorted and without duplicates.
    pub global_administrators: Vec<Uuid>,
    /// Why the members of some groups with roles could not be read, in words. Those members are missing here.
    pub unread_groups: Option<String>,
    /// What else is missing here, in words: `holders of role Helpdesk Administrator (…)`.
    pub gaps: Vec<String>,
    /// Whether Global Administrators may be missing because of such a gap.
    pub global_administrators_incomplete: bool,
}

impl Directory {
    /// The active holders of each role. This takes a few requests: for the roles' names, for the assignments, and for
    /// the members of each group that holds a role. What can't be read is a gap, and the rest counts.
    ///
    /// # Errors
    /// When nothing can be read.
    pub async fn privileged_users(&self) -> Result<PrivilegedUsers, DirectoryError> {
        let mut admins = PrivilegedUsers::default();
        // Without the names, a role is shown by its ID.
        let names: BTreeMap<Uuid, String> = match role::definitions(&self.reader, WHAT).await {
            Ok(roles) => roles.into_iter().map(|one| (one.object.id, one.object.name)).collect(),
            Err(why @ (DirectoryError::Forbidden { .. } | DirectoryError::SignIn(_))) => return Err(why),
            Err(why) => {
                admins.gaps.push(format!("the names of directory roles ({})", short_reason(&why)));
                BTreeMap::new()
            }
        };
        let AssignmentSearch { assignments, unread: missed } = all_assignments(&self.reader, &names).await;
        match missed {
            Some(UnreadAdmins { why, .. }) if assignments.is_empty() => return Err(why),
            Some(missed) => {
                admins.gaps.push(format!("{} ({})", missed.what, short_reason(&missed.why)));
                admins.global_administrators_incomplete = missed.global;
            }
            None => {}
        }
        let mut groups: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for assignment in assignments {
            match &assignment.principal {
                DirectoryObject::User(person) => admins.add(person.id, &assignment, &names),
                DirectoryObject::Group(id) => {
                    if !groups.contains_key(id) {
                        // The direct holders of the role are known even if this fails.
                        let read = members(self, *id).await.unwrap_or_else(|why| {
                            // A missing permission is reported first, because you can grant it.
                            match why {
                                DirectoryError::Forbidden { .. } => {
                                    admins.unread_groups = Some(short_reason(&why))
                                }
                                _ => drop(admins.unread_groups.get_or_insert_with(|| why.to_string())),
                            }
                            Vec::new()
                        });
                        groups.insert(*id, read);
                    }
                    for member in groups.get(id).into_iter().flatten() {
                        admins.add(*member, &assignment, &names);
                    }
                }
                DirectoryObject::Other | DirectoryObject::Untyped(_) => {}
            }
        }
        admins.sort_and_dedup();
        Ok(admins)
    }
}

impl PrivilegedUsers {
    fn add(&mut self, person: Uuid, assignment: &RoleAssignment, names: &BTreeMap<Uuid, String>) {
        let name = match assignment.role {
            Some(role) => names.get(&role).cloned().unwrap_or_else(|| format!("role {role}")),
            None => "a role without an ID".to_owned(),
        };
        self.roles.entry(person).or_default().push(name);
        if assignment.role == Some(GLOBAL_ADMINISTRATOR) && assignment.tenant_wide {
            self.global_administrators.push(person);
        }
    }

    fn sort_and_dedup(&mut self) {
        for roles in self.roles.values_mut() {
            roles.sort();
            roles.dedup();
        }
        self.global_administrators.sort();
        self.global_administrators.dedup();
    }
}

/// The assignments that could be read, and what could not.
#[derive(Default)]
struct AssignmentSearch {
    assignments: Vec<RoleAssignment>,
    unread: Option<UnreadAdmins>,
}

/// What could not be read.
struct UnreadAdmins {
    what: String,
    why: DirectoryError,
    /// Whether Global Administrators may be missing because of it.
    global: bool,
}

impl AssignmentSearch {
    /// Adds all pages of a list, or the pages before a failure. Invalid assignments are skipped.
    async fn collect(&mut self, mut list: RoleAssignments) -> Result<(), DirectoryError> {
        let mut odd = None;
        while let Some(page) = list.next_each().await? {
            for assignment in page {
                match assignment {
                    Ok(assignment) => self.assignments.push(assignment),
                    Err(why) => odd = Some(odd.unwrap_or(why)),
                }
            }
        }
        odd.map_or(Ok(()), Err)
    }
}

/// Reads all assignments in one list or, if Graph refuses a list without a filter, role by role.
async fn all_assignments(reader: &GraphReader, names: &BTreeMap<Uuid, String>) -> AssignmentSearch {
    let mut found = AssignmentSearch::default();
    let all = RoleAssignments::new(reader, WHAT.to_owned(), None, RoleAssignmentKind::Active);
    match found.collect(all).await {
        Ok(()) => found,
        Err(DirectoryError::Refused { .. }) if found.assignments.is_empty() => {
            assignments_by_role(reader, names).await
        }
        Err(why) => {
            let what = "some holders of directory roles".to_owned();
            found.unread = Some(UnreadAdmins { what, why, global: true });
            found
        }
    }
}

async fn assignments_by_role(reader: &GraphReader, names: &BTreeMap<Uuid, String>) -> AssignmentSearch {
    let (mut found, mut missed, mut count) = (AssignmentSearch::default(), None::<UnreadAdmins>, 0);
    let mut roles: Vec<Uuid> = names.keys().copied().collect();
    if roles.is_empty() {
        roles.push(GLOBAL_ADMINISTRATOR);
    }
    for role in &roles {
        let list = RoleAssignments::new(reader, WHAT.to_owned(), Some(*role), RoleAssignmentKind::Active);
        let Err(why) = found.collect(list).await else { continue };
        count += 1;
        let what = names.get(role).cloned().unwrap_or_else(|| role.to_string());
        let global = *role == GLOBAL_ADMINISTRATOR;
        missed = Some(match missed {
            Some(first) => UnreadAdmins { global: first.global || global, ..first },
            None => UnreadAdmins { what, why, global },
        });
    }
    found.unread = missed.map(|first| {
        let more =
            if count > 1 { format!(" and {} more of {}", count - 1, roles.len()) } else { String::new() };
        UnreadAdmins { what: format!("holders of role {}{more}", first.what), ..first }
    });
    // Without the roles' names, the other roles could not be queried.
    if let (None, true) = (&found.unread, names.is_empty()) {
        found.unread = Some(UnreadAdmins {
            what: "holders of roles other than Global Administrator".to_owned(),
            why: DirectoryError::Untrusted {
                what: WHAT.to_owned(),
                reason: "Graph lists neither roles nor all assignments".to_owned(),
            },
            global: false,
        });
    }
    found
}

async fn members(directory: &Directory, id: Uuid) -> Result<Vec<Uuid>, DirectoryError> {
    let what = format!("{WHAT}: the members of group {id}");
    let members = group::members(directory, what, id, false).collect_all().await?;
    Ok(members.into_iter().map(|person| person.id).collect())
}
