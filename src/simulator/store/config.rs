//! A directory as it is written: the `[directory]` table.

use serde::Deserialize;

/// The directory of the simulated tenant. With it only its users exist.
///
/// Whoever is named elsewhere (`members`, `owners`, `active`, …) is a user by principal name or object id, or
/// `group:NAME` (or its id), `device:NAME`, `app:NAME`; devices and apps need no entry of their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DirectoryConfig {
    /// The tenant's name, for people.
    pub organization: String,
    /// Its initial domain.
    pub domain: String,
    /// People, groups and roles that a seed makes up; what is listed comes on top.
    pub generate: Option<GenerateConfig>,
    /// Users.
    pub user: Vec<UserConfig>,
    /// Groups.
    pub group: Vec<GroupConfig>,
    /// Directory roles, and who holds them.
    pub role: Vec<RoleConfig>,
    /// Administrative units.
    pub unit: Vec<AdminUnitConfig>,
    /// Users of whom Identity Protection says something.
    pub risky: Vec<RiskyUserConfig>,
    /// The app that signs in.
    pub app: AppConfig,
    /// How lists are cut into pages.
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

/// How much a seed makes up. The same numbers make the same tenant, on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// How many users, 1 to 200,000.
    pub users: u32,
    /// Who they are.
    #[serde(default)]
    pub seed: u64,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserConfig {
    /// User principal name; must be given.
    pub upn: String,
    /// Object id; without it one is made from `upn`.
    pub id: Option<uuid::Uuid>,
    /// Display name; without it what stands before the `@`.
    pub name: Option<String>,
    /// `Member` or `Guest`; without it a guest if there is `#EXT#` in `upn`.
    #[serde(rename = "type")]
    pub kind: Option<UserKind>,
    /// Whether they may sign in; without it they may.
    pub enabled: Option<bool>,
    /// Whether they come from an Active Directory on premises.
    pub synced: bool,
    /// Deleted, and still among `directory/deletedItems`.
    pub deleted: bool,
    /// Mail address.
    pub mail: Option<String>,
    /// Proxy addresses: `SMTP:` before the main one, `smtp:` before others.
    pub proxies: Vec<String>,
    /// Further mail addresses.
    pub other_mails: Vec<String>,
    /// Name on premises (`onPremisesSamAccountName`).
    pub sam: Option<String>,
    /// DNS name of the domain that it is of (`onPremisesDomainName`).
    pub sam_domain: Option<String>,
    /// Employee id.
    pub employee_id: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Job title.
    pub job_title: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// City.
    pub city: Option<String>,
    /// Company's name.
    pub company: Option<String>,
    /// How the account came to be (`Invitation`).
    pub creation_type: Option<String>,
    /// Of an invited one, `PendingAcceptance` or `Accepted`.
    pub external_state: Option<String>,
    /// The manager: a user.
    pub manager: Option<String>,
}

/// Whether a user is the tenant's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum UserKind {
    /// The tenant's own.
    Member,
    /// Another tenant's.
    Guest,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupConfig {
    /// Display name; must be given. Several groups may have the same.
    pub name: String,
    /// Object id; without it one is made from `name` (and from how many of that name came before).
    pub id: Option<uuid::Uuid>,
    /// Its membership is hidden (`Member.Read.Hidden`).
    pub hidden: bool,
    /// It may hold directory roles.
    pub role_assignable: bool,
    /// Direct members; cycles may be.
    pub members: Vec<String>,
    /// Owners.
    pub owners: Vec<String>,
}

/// A directory role.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleConfig {
    /// Display name; must be given.
    pub name: String,
    /// Template id; known for built-in roles, made from the name for others.
    pub template: Option<uuid::Uuid>,
    /// Who holds it now, in the whole tenant.
    pub active: Vec<String>,
    /// Who holds it now, within an administrative unit.
    pub scoped: Vec<ScopedRoleConfig>,
    /// Who may activate it (Privileged Identity Management).
    pub eligible: Vec<String>,
}

/// A role within an administrative unit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopedRoleConfig {
    /// The holder.
    pub who: String,
    /// The unit's name or id.
    pub unit: String,
}

/// An administrative unit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminUnitConfig {
    /// Display name; must be given.
    pub name: String,
    /// Object id; without it one is made from `name`.
    pub id: Option<uuid::Uuid>,
    /// Its membership is hidden (`Member.Read.Hidden`).
    pub hidden: bool,
    /// Members.
    pub members: Vec<String>,
}

/// What Identity Protection says of a user.
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
    /// Its owners.
    pub owners: Vec<String>,
}

/// How lists are cut into pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagingConfig {
    /// No page is longer, whatever `$top` asks.
    pub most: Option<usize>,
    /// Every so manieth page is empty and yet has a link to the next; 0: none.
    pub empty_every: usize,
    /// A page begins with the last item of the one before.
    pub repeat_across_pages: bool,
    /// The link on the second page and later ones leads to this address.
    pub foreign_next_link: Option<String>,
    /// The first request for each list's second page answers 503, and the link in the answer to its retry leads
    /// nowhere (`DirectoryPageTokenNotFoundException`).
    pub lose_token_once: bool,
}
