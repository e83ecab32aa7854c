//! The configuration of a directory: the `[directory]` table.

use serde::Deserialize;

/// The directory of the simulated tenant. If it is configured, only its users exist.
///
/// Other keys (`members`, `owners`, `active`, …) refer to a user by principal name or object ID, or to `group:NAME` (or
/// the group's ID), `device:NAME`, `app:NAME`. Devices and apps need no entry of their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    /// The tenant's display name.
    pub organization: String,
    /// The tenant's initial domain.
    pub domain: String,
    /// Generated users, groups and roles. The configured ones are added to them.
    pub generate: Option<GenerateConfig>,
    /// Users.
    pub user: Vec<UserConfig>,
    /// Groups.
    pub group: Vec<GroupConfig>,
    /// Directory roles and their holders.
    pub role: Vec<RoleConfig>,
    /// Administrative units.
    pub unit: Vec<AdminUnitConfig>,
    /// Users at risk, according to Identity Protection.
    pub risky: Vec<RiskyUserConfig>,
    /// The app that signs in.
    pub app: AppConfig,
    /// The pages of lists.
    pub paging: PagingConfig,
}

impl Default for DirectoryConfig {
    fn default() -> DirectoryConfig {
        DirectoryConfig {
            organization: "Contoso Ltd".into(),
            domain: "contoso.example".into(),
            generate: None,
            user: Vec::new(),
            group: Vec::new(),
            role: Vec::new(),
            unit: Vec::new(),
            risky: Vec::new(),
            app: AppConfig::default(),
            paging: PagingConfig::default(),
        }
    }
}

/// How much to generate. The same numbers give the same tenant on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// The number of users, 1 to 200,000.
    pub users: u32,
    /// The seed that decides on their properties.
    #[serde(default)]
    pub seed: u64,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserConfig {
    /// User principal name; required.
    pub upn: String,
    /// Object ID. By default it is made from `upn`.
    pub id: Option<uuid::Uuid>,
    /// Display name. By default the part of `upn` before the `@`.
    pub name: Option<String>,
    /// `Member` or `Guest`. By default a guest if `upn` contains `#EXT#`.
    #[serde(rename = "type")]
    pub kind: Option<UserKind>,
    /// Whether the account is enabled. By default it is.
    pub enabled: Option<bool>,
    /// Whether the user is synced from an Active Directory on premises.
    pub synced: bool,
    /// Whether the user is deleted, and still in `directory/deletedItems`.
    pub deleted: bool,
    /// Mail address.
    pub mail: Option<String>,
    /// Proxy addresses, with `SMTP:` before the primary one and `smtp:` before the others.
    pub proxies: Vec<String>,
    /// Further mail addresses.
    pub other_mails: Vec<String>,
    /// Account name on premises (`onPremisesSamAccountName`).
    pub sam: Option<String>,
    /// DNS name of the domain on premises (`onPremisesDomainName`).
    pub sam_domain: Option<String>,
    /// Employee ID.
    pub employee_id: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Company name.
    pub company: Option<String>,
    /// How the account was created (`Invitation`).
    pub creation_type: Option<String>,
    /// For an invited user, `PendingAcceptance` or `Accepted`.
    pub external_state: Option<String>,
    /// The manager, who is a user.
    pub manager: Option<String>,
}

/// Whether a user belongs to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum UserKind {
    /// Belongs to the tenant.
    Member,
    /// Belongs to another tenant.
    Guest,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// Display name; required. Several groups may have the same one.
    pub name: String,
    /// Object ID. By default it is made from `name` and the number of earlier groups with that name.
    pub id: Option<uuid::Uuid>,
    /// Whether the members are hidden (`Member.Read.Hidden`).
    pub hidden: bool,
    /// Whether directory roles can be assigned to the group.
    pub role_assignable: bool,
    /// Direct members. Groups may contain each other.
    pub members: Vec<String>,
    /// Owners.
    pub owners: Vec<String>,
}

/// A directory role.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleConfig {
    /// Display name; required.
    pub name: String,
    /// Template ID. Known for built-in roles, and by default made from the name for others.
    pub template: Option<uuid::Uuid>,
    /// Holders in the whole tenant.
    pub active: Vec<String>,
    /// Holders within an administrative unit.
    pub scoped: Vec<ScopedRoleConfig>,
    /// Principals that are eligible (Privileged Identity Management).
    pub eligible: Vec<String>,
}

/// A role that is held within an administrative unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopedRoleConfig {
    /// The holder.
    pub who: String,
    /// The unit's name or ID.
    pub unit: String,
}

/// An administrative unit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminUnitConfig {
    /// Display name; required.
    pub name: String,
    /// Object ID. By default it is made from `name`.
    pub id: Option<uuid::Uuid>,
    /// Whether the members are hidden (`Member.Read.Hidden`).
    pub hidden: bool,
    /// Members.
    pub members: Vec<String>,
}

/// A user at risk, according to Identity Protection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskyUserConfig {
    /// The user.
    pub user: String,
    /// `low`, `medium`, `high`, `hidden`, `none`.
    pub level: String,
    /// `atRisk`, `confirmedCompromised`, `remediated`, `dismissed`, `confirmedSafe`, `none`.
    #[serde(default = "at_risk")]
    pub state: String,
}

fn at_risk() -> String {
    "atRisk".into()
}

/// The app that signs in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppConfig {
    /// Owners of the app.
    pub owners: Vec<String>,
}

/// The pages of lists, and their faults.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagingConfig {
    /// The maximum length of a page, whatever `$top` asks for.
    pub most: Option<usize>,
    /// Every n-th page is empty, but still has a link to the next one. 0 means none.
    pub empty_every: usize,
    /// A page begins with the last item of the previous one.
    pub repeat_across_pages: bool,
    /// The link on the second and later pages leads to this address.
    pub foreign_next_link: Option<String>,
    /// The first request for the second page of each list is answered with 503, and the link in the answer to the retry
    /// has an expired token (`DirectoryPageTokenNotFoundException`).
    pub lose_token_once: bool,
}
