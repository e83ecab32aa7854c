//! Which operation needs which permission (Graph's permission reference, 2026-08; `permissions.json` of
//! microsoft-graph-devx-content). For roles, units, users at risk, the organization and owners: the permission tables
//! of Graph's pages ("List unifiedRoleAssignments", "List roleEligibilitySchedules", "List members" of an
//! administrative unit, "List riskyUsers", "List organization", "List owners"; docs-contrib, 2023 to 2025).

/// An operation that needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Revoke sessions.
    Revoke,
    /// Read the signed-in user.
    ReadMe,
    /// Read the basic properties of users: names, mail, IDs.
    ReadUsers,
    /// Read all properties of users.
    ReadUsersInFull,
    /// Read groups.
    ReadGroups,
    /// Read the members of a group, at least their IDs.
    ReadMembers,
    /// Read the members of a group or unit that hides them.
    ReadHidden,
    /// Read devices.
    ReadDevices,
    /// Read apps.
    ReadApps,
    /// Read any object by its ID.
    ReadObjects,
    /// Read directory roles and their holders.
    ReadRoles,
    /// Read which principals are eligible for a role.
    ReadEligible,
    /// Read administrative units.
    ReadUnits,
    /// Read users at risk.
    ReadRisky,
    /// Read the organization, as an app.
    ReadOrganization,
    /// Read the organization, as one of its users.
    ReadOwnOrganization,
    /// Read apps and their owners, as a user.
    ReadOwners,
    /// Read the app and its owners, as that app.
    ReadOwnOwners,
}

impl Operation {
    /// The permissions, one of which is enough.
    pub(super) fn permissions(self) -> &'static [&'static str] {
        match self {
            Operation::Revoke => &[
                "User.RevokeSessions.All",
                "User.ReadWrite.All",
                "Directory.ReadWrite.All",
                "AgentIdUser.ReadWrite.All",
                "AgentIdUser.ReadWrite.IdentityParentedBy",
            ],
            Operation::ReadMe => &[
                "User.Read",
                "User.ReadWrite",
                "User.ReadBasic.All",
                "User.Read.All",
                "User.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadUsers => &[
                "User.ReadBasic.All",
                "User.Read.All",
                "User.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadUsersInFull => {
                &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]
            }
            Operation::ReadGroups => &[
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadMembers => &[
                "GroupMember.ReadBasic.All",
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadHidden => &["Member.Read.Hidden"],
            Operation::ReadDevices => &["Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
            Operation::ReadApps => &["Application.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
            Operation::ReadRoles => &[
                "RoleManagement.Read.Directory",
                "RoleManagement.Read.All",
                "Directory.Read.All",
                "RoleManagement.ReadWrite.Directory",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadEligible => &[
                "RoleEligibilitySchedule.Read.Directory",
                "RoleEligibilitySchedule.ReadWrite.Directory",
                "RoleManagement.Read.All",
                "RoleManagement.Read.Directory",
                "RoleManagement.ReadWrite.Directory",
            ],
            Operation::ReadUnits => &[
                "AdministrativeUnit.Read.All",
                "AdministrativeUnit.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            // The table has no higher permission, but the write permission also allows reads.
            Operation::ReadRisky => &["IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"],
            // The page has only the `Directory` permissions; the permissions reference has `Organization.Read.All` too.
            Operation::ReadOrganization => &[
                "Organization.Read.All",
                "Organization.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadOwnOrganization => &[
                "User.Read",
                "User.ReadWrite",
                "User.Read.All",
                "User.ReadWrite.All",
                "Organization.Read.All",
                "Organization.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadOwners => &[
                "Application.Read.All",
                "Application.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadOwnOwners => &[
                "Application.ReadWrite.OwnedBy",
                "Application.Read.All",
                "Application.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Operation::ReadObjects => &["Directory.Read.All", "Directory.ReadWrite.All"],
        }
    }

    /// Whether one of the granted permissions is enough.
    pub(super) fn allowed_by(self, granted: &[String]) -> bool {
        granted.iter().any(|one| self.permissions().contains(&one.as_str()))
    }
}
