//! Lookups in a directory.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::{AdminUnit, DirectoryConfig, DirectoryStore, Group, Object, Role, User, names};
use crate::simulator::lock::lock;

impl DirectoryStore {
    /// A directory without objects.
    pub(in crate::simulator) fn empty() -> DirectoryStore {
        let DirectoryConfig { organization, domain, .. } = DirectoryConfig::default();
        DirectoryStore { organization, domain, ..DirectoryStore::default() }
    }

    /// The user with this principal name or object ID, ignoring case, even if deleted.
    pub(in crate::simulator) fn user_including_deleted(&self, id: &str) -> Option<(u32, &User)> {
        let at = match Uuid::try_parse(id) {
            Ok(id) => match self.by_id.get(&id)? {
                Object::User(at) => *at,
                _ => return None,
            },
            Err(_) => *self.by_upn.get(id.to_lowercase().as_str())?,
        };
        Some((at, self.user_at(at)))
    }

    /// The same, unless the user is deleted.
    pub(in crate::simulator) fn user(&self, id: &str) -> Option<(u32, &User)> {
        self.user_including_deleted(id).filter(|(_, user)| !user.deleted)
    }

    /// The object with this ID.
    pub(in crate::simulator) fn object(&self, id: &str) -> Option<Object> {
        self.by_id.get(&Uuid::try_parse(id).ok()?).copied()
    }

    /// The group with this ID.
    pub(in crate::simulator) fn group(&self, id: &str) -> Option<(u32, &Group)> {
        match self.object(id)? {
            Object::Group(at) => Some((at, self.group_at(at))),
            _ => None,
        }
    }

    /// The administrative unit with this ID.
    pub(in crate::simulator) fn unit(&self, id: &str) -> Option<&AdminUnit> {
        match self.object(id)? {
            Object::Unit(at) => self.units.get(at as usize),
            _ => None,
        }
    }

    /// The directory role with this ID or this template.
    pub(in crate::simulator) fn role(&self, id: &str) -> Option<&Role> {
        let id = Uuid::try_parse(id).ok()?;
        self.roles.iter().find(|role| role.id == id || role.template == id)
    }

    /// The built-in roles and their templates, even if no principal holds them.
    pub(in crate::simulator) fn built_in_roles() -> impl Iterator<Item = (&'static str, Uuid)> {
        names::roles()
    }

    /// The user at this index.
    pub(in crate::simulator) fn user_at(&self, at: u32) -> &User {
        &self.users[at as usize]
    }

    /// The group at this index.
    pub(in crate::simulator) fn group_at(&self, at: u32) -> &Group {
        &self.groups[at as usize]
    }

    /// The object's ID.
    pub(in crate::simulator) fn object_id(&self, object: Object) -> Uuid {
        match object {
            Object::User(at) => self.user_at(at).id,
            Object::Group(at) => self.group_at(at).id,
            Object::Device(at) => self.devices[at as usize].id,
            Object::App(at) => self.apps[at as usize].id,
            Object::Unit(at) => self.units[at as usize].id,
            Object::Role(at) => self.roles[at as usize].id,
        }
    }

    /// Whether the object exists, which deleted users do not.
    pub(in crate::simulator) fn exists(&self, object: Object) -> bool {
        !matches!(object, Object::User(at) if self.user_at(at).deleted)
    }

    /// The direct reports of a manager that are not deleted.
    pub(in crate::simulator) fn direct_reports(&self, manager: u32) -> impl Iterator<Item = u32> {
        let all = self.reports.get(&manager).map_or(&[][..], Vec::as_slice);
        all.iter().copied().filter(|&at| !self.user_at(at).deleted)
    }

    /// All direct and nested members of a group, each once, except for members of groups that `hides` is true for. A
    /// group that contains itself through other groups is one of its own members, as in Graph.
    pub(in crate::simulator) fn nested_members(
        &self,
        group: u32,
        hides: &dyn Fn(&Group) -> bool,
    ) -> Arc<[Object]> {
        let hidden = self.groups.iter().any(hides);
        if let Some(known) = lock(&self.nested).get(&(group, hidden)) {
            return Arc::clone(known);
        }
        let members: Arc<[Object]> = self.walk(group, hides).into();
        // Cached, because the pages of a list are requested one after the other.
        lock(&self.nested).insert((group, hidden), Arc::clone(&members));
        members
    }

    fn walk(&self, group: u32, hides: &dyn Fn(&Group) -> bool) -> Vec<Object> {
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        let mut open = vec![group];
        while let Some(at) = open.pop() {
            let group = self.group_at(at);
            let visible = if hides(group) { &[][..] } else { &group.members };
            for &member in visible.iter().filter(|&&member| seen.insert(member)) {
                members.push(member);
                if let Object::Group(inner) = member {
                    open.push(inner);
                }
            }
        }
        members
    }
}
