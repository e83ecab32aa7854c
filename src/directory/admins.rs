//! Who holds directory roles.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::item::Item;
use super::reader::Reader;
use super::role::{self, Assignment, Assignments, Hold};
use super::{Directory, DirectoryError, group};

/// The template of the role Global Administrator (learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
pub const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10);

/// What is read, in words.
const WHAT: &str = "the holders of directory roles";

/// Everybody who holds a directory role, by itself or through a group. Any role counts, also one that lets its holder
/// only read: who asks for a role for somebody means to be told of them.
#[derive(Clone, Debug, Default)]
pub struct Admins {
    /// The roles' display names, by person: in the whole tenant or in an administrative unit. Sorted, each once.
    pub roles: BTreeMap<Uuid, Vec<String>>,
    /// Who holds Global Administrator in the whole tenant. Sorted, each once.
    pub global: Vec<Uuid>,
    /// Why some groups that hold roles could not be read, in words, where that is so: their members are missing here.
    pub unread: Option<String>,
}

impl Directory {
    /// Who holds which role, actively. A few requests: the roles' names, the assignments, and the members of each group
    /// that holds one.
    ///
    /// # Errors
    /// When roles can't be read, or a group that holds one for another reason than a permission.
    pub async fn admins(&self) -> Result<Admins, DirectoryError> {
        let definitions = role::definitions(&self.reader, WHAT).await?;
        let names: BTreeMap<Uuid, String> =
            definitions.into_iter().map(|one| (one.named.id, one.named.name)).collect();
        let mut groups: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
        let mut admins = Admins::default();
        for assignment in assignments(&self.reader, &names).await? {
            match &assignment.principal {
                Item::User(person) => admins.add(person.id, &assignment, &names),
                Item::Group(id) => {
                    if !groups.contains_key(id) {
                        let read = match members(self, *id).await {
                            // Whoever holds a role by itself is known all the same.
                            Err(DirectoryError::Forbidden { need, .. }) => {
                                admins.unread = Some(format!("needs {}", need.permission()));
                                Vec::new()
                            }
                            Err(why @ (DirectoryError::SignIn(_) | DirectoryError::Unavailable { .. })) => {
                                return Err(why);
                            }
                            Err(why) => {
                                admins.unread.get_or_insert(why.to_string());
                                Vec::new()
                            }
                            Ok(read) => read,
                        };
                        groups.insert(*id, read);
                    }
                    for member in groups.get(id).into_iter().flatten() {
                        admins.add(*member, &assignment, &names);
                    }
                }
                Item::Other | Item::Untold(_) => {}
            }
        }
        admins.tidy();
        Ok(admins)
    }
}

impl Admins {
    fn add(&mut self, person: Uuid, assignment: &Assignment, names: &BTreeMap<Uuid, String>) {
        let name = match assignment.role {
            Some(role) => names.get(&role).cloned().unwrap_or_else(|| format!("role {role}")),
            None => "a role without an id".to_owned(),
        };
        self.roles.entry(person).or_default().push(name);
        if assignment.role == Some(GLOBAL_ADMINISTRATOR) && assignment.tenant_wide {
            self.global.push(person);
        }
    }

    fn tidy(&mut self) {
        for roles in self.roles.values_mut() {
            roles.sort();
            roles.dedup();
        }
        self.global.sort();
        self.global.dedup();
    }
}

/// All assignments: in one list, or, where Graph refuses a list without a filter, role by role.
async fn assignments(
    reader: &Reader,
    names: &BTreeMap<Uuid, String>,
) -> Result<Vec<Assignment>, DirectoryError> {
    let mut list = Assignments::of(reader, WHAT.to_owned(), None, Hold::Active);
    let mut all = match list.next().await {
        Err(DirectoryError::Refused { .. }) => return role_by_role(reader, names).await,
        page => page?.unwrap_or_default(),
    };
    while let Some(page) = list.next().await? {
        all.extend(page);
    }
    Ok(all)
}

async fn role_by_role(
    reader: &Reader,
    names: &BTreeMap<Uuid, String>,
) -> Result<Vec<Assignment>, DirectoryError> {
    let mut all = Vec::new();
    for role in names.keys() {
        let mut list = Assignments::of(reader, WHAT.to_owned(), Some(*role), Hold::Active);
        while let Some(page) = list.next().await? {
            all.extend(page);
        }
    }
    Ok(all)
}

async fn members(directory: &Directory, id: Uuid) -> Result<Vec<Uuid>, DirectoryError> {
    let what = format!("{WHAT}: the members of group {id}");
    let members = group::members(directory, what, id, false).all().await?;
    Ok(members.into_iter().map(|person| person.id).collect())
}
