//! The users of an administrative unit.

use uuid::Uuid;

use super::named::{Kind, Named};
use super::reader::Reader;
use super::users::Users;
use super::{Directory, DirectoryError, Need, odata};

/// Administrative units, as they are looked up.
const UNITS: Kind = Kind {
    noun: "administrative unit",
    path: "directory/administrativeUnits",
    select: "id,displayName,visibility",
    need: Need::Units,
};

/// The unit with this id, or of this name.
pub(super) async fn find(reader: &Reader, text: &str) -> Result<Named, DirectoryError> {
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
    Users::at(directory, what, &format!("directory/administrativeUnits/{id}/members"), Need::Units, 1)
}
