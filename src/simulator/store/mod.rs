//! The directory of the simulated tenant: who there is, and what belongs to whom. It never changes while it is in
//! force; what is done to its users is in the ledger.
//!
//! ```text
//! [directory] ── settings ──▶ build ◀── generate: seed, number
//!                               │
//!                               ▼
//!                            Tenant ── find: by id, by name, nested members
//! ```

mod build;
mod config;
mod generate;
mod lookup;
mod names;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

pub use config::{
    AdminUnitConfig, AppConfig, DirectoryConfig, GenerateConfig, GroupConfig, PagingConfig, RiskyUserConfig,
    RoleConfig, ScopedRoleConfig, UserConfig, UserKind,
};

/// Text of which much is the same for many users.
pub(in crate::simulator) type SharedText = Cow<'static, str>;

/// The directory.
#[derive(Debug, Default)]
pub(in crate::simulator) struct DirectoryStore {
    /// The name for people.
    pub(in crate::simulator) organization: String,
    pub(in crate::simulator) domain: String,
    pub(in crate::simulator) users: Vec<User>,
    pub(in crate::simulator) groups: Vec<Group>,
    pub(in crate::simulator) devices: Vec<SimpleObject>,
    /// Service principals.
    pub(in crate::simulator) apps: Vec<SimpleObject>,
    pub(in crate::simulator) roles: Vec<Role>,
    pub(in crate::simulator) units: Vec<AdminUnit>,
    pub(in crate::simulator) risky: Vec<RiskyUser>,
    /// Owners of the app that signs in.
    pub(in crate::simulator) app_owners: Vec<Object>,
    pub(in crate::simulator) paging: PagingConfig,
    by_id: HashMap<Uuid, Object>,
    /// By principal name in lower case.
    by_upn: HashMap<Box<str>, u32>,
    /// Direct reports, by manager.
    reports: HashMap<u32, Vec<u32>>,
    nested: NestedMembersCache,
}

/// Nested members that were looked up, by group and by whether something was hidden.
type NestedMembersCache = Mutex<HashMap<(u32, bool), Arc<[Object]>>>;

/// Something that has an object id, and where it stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::simulator) enum Object {
    User(u32),
    Group(u32),
    Device(u32),
    App(u32),
    Unit(u32),
    /// A directory role that was activated.
    Role(u32),
}

/// A user. There may be 200,000.
#[derive(Debug, Default)]
pub(in crate::simulator) struct User {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) upn: Box<str>,
    pub(in crate::simulator) name: Box<str>,
    pub(in crate::simulator) guest: bool,
    pub(in crate::simulator) enabled: bool,
    pub(in crate::simulator) synced: bool,
    /// Among the deleted items, and in no list of users.
    pub(in crate::simulator) deleted: bool,
    pub(in crate::simulator) mail: Option<Box<str>>,
    pub(in crate::simulator) proxies: Box<[Box<str>]>,
    pub(in crate::simulator) other_mails: Box<[Box<str>]>,
    pub(in crate::simulator) sam: Option<Box<str>>,
    pub(in crate::simulator) sam_domain: Option<Box<str>>,
    pub(in crate::simulator) employee_id: Option<Box<str>>,
    pub(in crate::simulator) department: Option<SharedText>,
    pub(in crate::simulator) job_title: Option<SharedText>,
    pub(in crate::simulator) country: Option<SharedText>,
    pub(in crate::simulator) city: Option<SharedText>,
    pub(in crate::simulator) company: Option<SharedText>,
    pub(in crate::simulator) creation_type: Option<SharedText>,
    pub(in crate::simulator) external_state: Option<SharedText>,
    /// Where the manager stands among the users.
    pub(in crate::simulator) manager: Option<u32>,
}

/// A group.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Group {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) hidden: bool,
    pub(in crate::simulator) role_assignable: bool,
    /// Direct ones.
    pub(in crate::simulator) members: Vec<Object>,
    pub(in crate::simulator) owners: Vec<Object>,
}

/// A device or an app: of those only the name matters here.
#[derive(Debug)]
pub(in crate::simulator) struct SimpleObject {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) name: String,
}

/// A directory role.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Role {
    /// Of the activated role (`directoryRoles`); `roleDefinitions` go by the template's.
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) template: Uuid,
    pub(in crate::simulator) name: String,
    /// Who holds it in the whole tenant.
    pub(in crate::simulator) active: Vec<Object>,
    /// Who holds it within a unit, and where that stands among the units.
    pub(in crate::simulator) scoped: Vec<(Object, u32)>,
    pub(in crate::simulator) eligible: Vec<Object>,
}

/// An administrative unit.
#[derive(Debug, Default)]
pub(in crate::simulator) struct AdminUnit {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) hidden: bool,
    pub(in crate::simulator) members: Vec<Object>,
}

/// What Identity Protection says of a user.
#[derive(Debug)]
pub(in crate::simulator) struct RiskyUser {
    /// Where the user stands.
    pub(in crate::simulator) user: u32,
    pub(in crate::simulator) level: SharedText,
    pub(in crate::simulator) state: SharedText,
}
