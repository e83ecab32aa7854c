//! What needs which permission (Graph's permission reference, 2026-08; `permissions.json` of
//! microsoft-graph-devx-content).

/// Something that a caller may do or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
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
}

impl Act {
    /// The permissions of which one is enough.
    pub(super) fn permissions(self) -> &'static [&'static str] {
        match self {
            Act::Revoke => &[
                "User.RevokeSessions.All",
                "User.ReadWrite.All",
                "Directory.ReadWrite.All",
                "AgentIdUser.ReadWrite.All",
                "AgentIdUser.ReadWrite.IdentityParentedBy",
            ],
            Act::ReadMe => &[
                "User.Read",
                "User.ReadWrite",
                "User.ReadBasic.All",
                "User.Read.All",
                "User.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Act::ReadUsers => &[
                "User.ReadBasic.All",
                "User.Read.All",
                "User.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Act::ReadUsersInFull => {
                &["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"]
            }
            Act::ReadGroups => &[
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Act::ReadMembers => &[
                "GroupMember.ReadBasic.All",
                "GroupMember.Read.All",
                "GroupMember.ReadWrite.All",
                "Group.Read.All",
                "Group.ReadWrite.All",
                "Directory.Read.All",
                "Directory.ReadWrite.All",
            ],
            Act::ReadHidden => &["Member.Read.Hidden"],
            Act::ReadDevices => &["Device.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
            Act::ReadApps => &["Application.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"],
            Act::ReadObjects => &["Directory.Read.All", "Directory.ReadWrite.All"],
        }
    }

    /// Whether these permissions, granted to somebody, are enough.
    pub(super) fn allowed_by(self, granted: &[String]) -> bool {
        granted.iter().any(|one| self.permissions().contains(&one.as_str()))
    }
}
