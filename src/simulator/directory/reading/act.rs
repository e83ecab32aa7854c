//! Which permission a reading needs.

use super::path::Reading;
use crate::simulator::permission::Act;
use crate::simulator::route::Whom;
use crate::simulator::session::TokenKind;

/// What whoever reads must be allowed.
pub(super) fn of(reading: &Reading, kind: Option<TokenKind>) -> Act {
    let user = kind == Some(TokenKind::User);
    match reading {
        Reading::Roles
        | Reading::Role(_)
        | Reading::RoleMembers { .. }
        | Reading::Definitions
        | Reading::Assignments => Act::ReadRoles,
        Reading::Eligibilities | Reading::EligibilityInstances => Act::ReadEligible,
        Reading::Units | Reading::Unit(_) | Reading::UnitMembers { .. } => Act::ReadUnits,
        Reading::Risky => Act::ReadRisky,
        // "List directReports": of themselves with `User.Read`.
        Reading::Reports { whom: Whom::Me, nested: false, .. } => Act::ReadMe,
        Reading::Reports { .. } | Reading::Manager(_) | Reading::DeletedUsers | Reading::Deleted(_) => {
            Act::ReadUsersInFull
        }
        Reading::Organization if user => Act::ReadOwnOrganization,
        Reading::Organization => Act::ReadOrganization,
        Reading::Apps(_) | Reading::Owners { .. } if user => Act::ReadOwners,
        Reading::Apps(_) | Reading::Owners { .. } => Act::ReadOwnOwners,
    }
}
