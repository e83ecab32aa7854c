//! Which permission a read needs.

use super::path::OtherResource;
use crate::simulator::permission::Operation;
use crate::simulator::route::UserRef;
use crate::simulator::session::TokenKind;

/// The operation that the client must have a permission for.
pub(super) fn required_for(resource: &OtherResource, kind: Option<TokenKind>) -> Operation {
    let user = kind == Some(TokenKind::User);
    match resource {
        OtherResource::Roles
        | OtherResource::Role(_)
        | OtherResource::RoleMembers { .. }
        | OtherResource::Definitions
        | OtherResource::Assignments => Operation::ReadRoles,
        OtherResource::Eligibilities | OtherResource::EligibilityInstances => Operation::ReadEligible,
        OtherResource::Units | OtherResource::Unit(_) | OtherResource::UnitMembers { .. } => {
            Operation::ReadUnits
        }
        OtherResource::Risky => Operation::ReadRisky,
        // "List directReports": `User.Read` is enough for one's own reports.
        OtherResource::Reports { user_ref: UserRef::Me, nested: false, .. } => Operation::ReadMe,
        OtherResource::Reports { .. }
        | OtherResource::Manager(_)
        | OtherResource::DeletedUsers
        | OtherResource::Deleted(_) => Operation::ReadUsersInFull,
        OtherResource::Organization if user => Operation::ReadOwnOrganization,
        OtherResource::Organization => Operation::ReadOrganization,
        OtherResource::Apps(_) | OtherResource::Owners { .. } if user => Operation::ReadOwners,
        OtherResource::Apps(_) | OtherResource::Owners { .. } => Operation::ReadOwnOwners,
    }
}
