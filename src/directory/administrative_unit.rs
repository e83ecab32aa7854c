//! The users of an administrative unit.

use uuid::Uuid;

use super::named_object::{NamedObject, NamedObjectKind};
use super::reader::GraphReader;
use super::user_pager::UserPager;
use super::{Directory, DirectoryError, Permission, odata};

/// How administrative units are looked up.
const UNITS: NamedObjectKind = NamedObjectKind {
    noun: "administrative unit",
    path: "directory/administrativeUnits",
    select: "id,displayName,visibility",
    permission: Permission::Units,
};

/// Finds the unit with this ID or this name.
pub(super) async fn find(reader: &GraphReader, text: &str) -> Result<NamedObject, DirectoryError> {
    let text = text.trim();
    match Uuid::try_parse(text) {
        Ok(id) => UNITS.find_by_id(reader, id).await,
        Err(_) => {
            let filter = format!("displayName eq {}", odata::quote(text));
            UNITS.find_by_filter(reader, text, &filter, &["displayName"]).await
        }
    }
}

/// The users that are direct members of a unit. The members of a group in the unit are not: a group adds only itself to
/// the unit (learn.microsoft.com/entra/identity/role-based-access-control/admin-units-members-add).
pub(super) fn members(directory: &Directory, what: String, id: Uuid) -> UserPager {
    UserPager::members(
        directory,
        what,
        &format!("directory/administrativeUnits/{id}/members"),
        Permission::Units,
        1,
    )
}
