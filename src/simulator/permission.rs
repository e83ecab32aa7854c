//! What needs which permission (Graph's permission reference, 2026-08; `permissions.json` of
//! microsoft-graph-devx-content). Of roles, units, users at risk, the organization and owners: the permission tables of
//! Graph's pages ("List unifiedRoleAssignments", "List roleEligibilitySchedules", "List members" of an administrative unit,
//! "List riskyUsers", "List organization", "List owners"; docs-contrib, 2023 to 2025).

/// Something that a caller may do or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Revoke sessions.
    Revoke,
    /// Read the user who signed in.
    ReadMe,
    /// Read what is basic of users: names, mail, ids.
    ReadUsers,
    /// Read everything of users.
    ReadUsersInFull,
    /// Read groups.
    ReadGroups,
    /// Read who is in a group, by id at least.
    ReadMembers,
    /// See who is in a group or unit that hides its members.
    ReadHidden,
    /// Read devices.
    ReadDevices,
    /// Read apps.
    ReadApps,
    /// Read any object by its id.
    ReadObjects,
    /// Read directory roles and who holds them.
    ReadRoles,
    /// Read who may activate a role.
    ReadEligible,
    /// Read administrative units.
    ReadUnits,
    /// Read who is at risk.
    ReadRisky,
    /// Read the organization, as an app.
    ReadOrganization,
    /// The same as one of its users.
    ReadOwnOrganization,
    /// Read apps and their owners, as a user.
    ReadOwners,
    /// The same as the app.
    ReadOwnOwners,
}

impl Operation {
    /// The permissions of which one is enough.
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
            // The table has no higher one; who may write may read, too.
            Operation::ReadRisky => &["IdentityRiskyUser.Read.All", "IdentityRiskyUser.ReadWrite.All"],
            // The page has the `Directory` ones alone, the permissions reference `Organization.Read.All` too.
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

    /// Whether these permissions, granted to somebody, are enough.
    pub(super) fn allowed_by(self, granted: &[String]) -> bool {
        granted.iter().any(|one| self.permissions().contains(&one.as_str()))
    }
}
