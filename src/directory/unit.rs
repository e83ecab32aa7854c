//! The users of an administrative unit.

use uuid::Uuid;

use super::named::{NamedObject, NamedObjectKind};
use super::reader::GraphReader;
use super::users::Users;
use super::{Directory, DirectoryError, Permission, odata};

/// Administrative units, as they are looked up.
const UNITS: NamedObjectKind = NamedObjectKind {
    noun: "administrative unit",
    path: "directory/administrativeUnits",
    select: "id,displayName,visibility",
    need: Permission::Units,
};

/// The unit with this id, or of this name.
pub(super) async fn find(reader: &GraphReader, text: &str) -> Result<NamedObject, DirectoryError> {
    let text = text.trim();
    match Uuid::try_parse(text) {
        Ok(id) => UNITS.by_id(reader, id).await,
        Err(_) => {
            let filter = format!("displayName eq {}", odata::literal(text));
            UNITS.by_filter(reader, text, &filter, &["displayName"]).await
        }
    }
}

/// The users that are in a unit themselves. The members of a group in it are not: a group brings only itself into the
/// unit (learn.microsoft.com/entra/identity/role-based-access-control/admin-units-members-add).
pub(super) fn members(directory: &Directory, what: String, id: Uuid) -> Users {
    Users::at(directory, what, &format!("directory/administrativeUnits/{id}/members"), Permission::Units, 1)
}
