//! Who holds directory roles.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::directory_object::DirectoryObject;
use super::reader::GraphReader;
use super::role::{self, RoleAssignment, RoleAssignments, RoleHold};
use super::unchecked_read::short_reason;
use super::{Directory, DirectoryError, group};

/// The template of the role Global Administrator (learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
pub const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10);

/// What is read, in words.
const WHAT: &str = "the holders of directory roles";

/// Everybody who holds a directory role, by itself or through a group. Any role counts, also one that lets its holder
/// only read: who asks for a role for somebody means to be told of them.
#[derive(Clone, Debug, Default)]
pub struct PrivilegedUsers {
    /// The roles' display names, by person: in the whole tenant or in an administrative unit. Sorted, each once.
    pub roles: BTreeMap<Uuid, Vec<String>>,
    /// Who holds Global Administrator in the whole tenant. Sorted, each once.
    pub global: Vec<Uuid>,
    /// Why some groups that hold roles could not be read, in words, where that is so: their members are missing here.
    pub unread_groups: Option<String>,
    /// What else is missing here, in words: `who holds role Helpdesk Administrator (…)`.
    pub gaps: Vec<String>,
    /// Whether Global Administrators may be missing for such a gap.
    pub global_unsure: bool,
}

impl Directory {
    /// Who holds which role, actively. A few requests: the roles' names, the assignments, and the members of each group
    /// that holds one. What of it can't be read is a gap, and the rest counts.
    ///
    /// # Errors
    /// When nothing of it can be read.
    pub async fn privileged_users(&self) -> Result<PrivilegedUsers, DirectoryError> {
        let mut admins = PrivilegedUsers::default();
        // Without the names, the assignments tell their roles by id.
        let names: BTreeMap<Uuid, String> = match role::definitions(&self.reader, WHAT).await {
            Ok(roles) => roles.into_iter().map(|one| (one.object.id, one.object.name)).collect(),
            Err(why @ (DirectoryError::Forbidden { .. } | DirectoryError::SignIn(_))) => return Err(why),
            Err(why) => {
                admins.gaps.push(format!("the names of directory roles ({})", short_reason(&why)));
                BTreeMap::new()
            }
        };
        let AdminSearch { assignments, missed } = all_assignments(&self.reader, &names).await;
        match missed {
            Some(UnreadAdmins { why, .. }) if assignments.is_empty() => return Err(why),
            Some(missed) => {
                admins.gaps.push(format!("{} ({})", missed.what, short_reason(&missed.why)));
                admins.global_unsure = missed.global;
            }
            None => {}
        }
        let mut groups: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        for assignment in assignments {
            match &assignment.principal {
                DirectoryObject::User(person) => admins.add(person.id, &assignment, &names),
                DirectoryObject::Group(id) => {
                    if !groups.contains_key(id) {
                        // Whoever holds a role by itself is known all the same.
                        let read = members(self, *id).await.unwrap_or_else(|why| {
                            // What a permission would mend is told before other causes.
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
            None => "a role without an id".to_owned(),
        };
        self.roles.entry(person).or_default().push(name);
        if assignment.role == Some(GLOBAL_ADMINISTRATOR) && assignment.tenant_wide {
            self.global.push(person);
        }
    }

    fn sort_and_dedup(&mut self) {
        for roles in self.roles.values_mut() {
            roles.sort();
            roles.dedup();
        }
        self.global.sort();
        self.global.dedup();
    }
}

/// Assignments that were read, and what was not.
#[derive(Default)]
struct AdminSearch {
    assignments: Vec<RoleAssignment>,
    missed: Option<UnreadAdmins>,
}

/// What could not be read.
struct UnreadAdmins {
    what: String,
    why: DirectoryError,
    /// Whether Global Administrators may be among it.
    global: bool,
}

impl AdminSearch {
    /// Takes in a list to its end, or as far as it comes; single assignments that make no sense are passed over.
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

/// All assignments: in one list, or, where Graph refuses a list without a filter, role by role.
async fn all_assignments(reader: &GraphReader, names: &BTreeMap<Uuid, String>) -> AdminSearch {
    let mut found = AdminSearch::default();
    let all = RoleAssignments::new(reader, WHAT.to_owned(), None, RoleHold::Active);
    match found.collect(all).await {
        Ok(()) => found,
        Err(DirectoryError::Refused { .. }) if found.assignments.is_empty() => {
            assignments_by_role(reader, names).await
        }
        Err(why) => {
            let what = "all who hold roles: some are not known".to_owned();
            found.missed = Some(UnreadAdmins { what, why, global: true });
            found
        }
    }
}

async fn assignments_by_role(reader: &GraphReader, names: &BTreeMap<Uuid, String>) -> AdminSearch {
    let (mut found, mut missed, mut count) = (AdminSearch::default(), None::<UnreadAdmins>, 0);
    let mut roles: Vec<Uuid> = names.keys().copied().collect();
    if roles.is_empty() {
        roles.push(GLOBAL_ADMINISTRATOR);
    }
    for role in &roles {
        let list = RoleAssignments::new(reader, WHAT.to_owned(), Some(*role), RoleHold::Active);
        let Err(why) = found.collect(list).await else { continue };
        count += 1;
        let what = names.get(role).cloned().unwrap_or_else(|| role.to_string());
        let global = *role == GLOBAL_ADMINISTRATOR;
        missed = Some(match missed {
            Some(first) => UnreadAdmins { global: first.global || global, ..first },
            None => UnreadAdmins { what, why, global },
        });
    }
    found.missed = missed.map(|first| {
        let more =
            if count > 1 { format!(" and {} more of {}", count - 1, roles.len()) } else { String::new() };
        UnreadAdmins { what: format!("who holds role {}{more}", first.what), ..first }
    });
    // Without the roles' names, the others were never asked for.
    if let (None, true) = (&found.missed, names.is_empty()) {
        found.missed = Some(UnreadAdmins {
            what: "who holds other roles than Global Administrator".to_owned(),
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
    let members = group::members(directory, what, id, false).all().await?;
    Ok(members.into_iter().map(|person| person.id).collect())
}
