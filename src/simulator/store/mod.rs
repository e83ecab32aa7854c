//! The directory of the simulated tenant. It does not change while it is in use; revocations are only in the ledger.
//!
//! ```text
//! [directory] ── config ──▶ build ◀── generate ◀── names
//!                            │
//!                            ▼
//!                     DirectoryStore ── lookup: by ID, by name, nested members
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

/// Text that is often the same for many users.
pub(in crate::simulator) type SharedText = Cow<'static, str>;

/// The directory.
#[derive(Debug, Default)]
pub(in crate::simulator) struct DirectoryStore {
    /// The display name.
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
    /// By principal name, in lower case.
    by_upn: HashMap<Box<str>, u32>,
    /// Direct reports, by manager.
    reports: HashMap<u32, Vec<u32>>,
    nested: NestedMembersCache,
}

/// Nested members that were looked up, by group and by whether any group hides its members.
type NestedMembersCache = Mutex<HashMap<(u32, bool), Arc<[Object]>>>;

/// An object with an object ID, as the index in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::simulator) enum Object {
    User(u32),
    Group(u32),
    Device(u32),
    App(u32),
    Unit(u32),
    /// An activated directory role.
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
    /// In the deleted items, and not in lists of users.
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
    /// The index of the manager in `users`.
    pub(in crate::simulator) manager: Option<u32>,
}

/// A group.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Group {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) name: String,
    pub(in crate::simulator) hidden: bool,
    pub(in crate::simulator) role_assignable: bool,
    /// Direct members.
    pub(in crate::simulator) members: Vec<Object>,
    pub(in crate::simulator) owners: Vec<Object>,
}

/// A device or an app, of which only the name is needed.
#[derive(Debug)]
pub(in crate::simulator) struct SimpleObject {
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) name: String,
}

/// A directory role.
#[derive(Debug, Default)]
pub(in crate::simulator) struct Role {
    /// The ID of the activated role (`directoryRoles`). A definition in `roleDefinitions` has the template's ID.
    pub(in crate::simulator) id: Uuid,
    pub(in crate::simulator) template: Uuid,
    pub(in crate::simulator) name: String,
    /// Holders in the whole tenant.
    pub(in crate::simulator) active: Vec<Object>,
    /// Holders within a unit, with the index of the unit.
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

/// A user at risk, according to Identity Protection.
#[derive(Debug)]
pub(in crate::simulator) struct RiskyUser {
    /// The index of the user.
    pub(in crate::simulator) user: u32,
    pub(in crate::simulator) level: SharedText,
    pub(in crate::simulator) state: SharedText,
}
