//! Builds a directory from its configuration.

use std::collections::HashMap;

use uuid::Uuid;

use super::config::{AdminUnitConfig, DirectoryConfig, GroupConfig, RoleConfig, UserConfig, UserKind};
use super::{
    AdminUnit, DirectoryStore, Group, Object, RiskyUser, Role, SharedText, SimpleObject, User, generate,
    names,
};
use crate::simulator::config::ConfigError;
use crate::simulator::fingerprint;

/// The maximum number of generated users.
const MAX_GENERATED_USERS: u32 = 200_000;

impl DirectoryStore {
    /// Builds the directory that `config` describes.
    pub(in crate::simulator) fn build(config: &DirectoryConfig) -> Result<DirectoryStore, ConfigError> {
        if config.paging.empty_every == 1 || config.paging.most == Some(0) {
            return invalid(
                "lists would never end: `paging.empty_every` can't be 1, `paging.most` can't be 0".into(),
            );
        }
        let mut builder = DirectoryBuilder {
            store: DirectoryStore {
                organization: config.organization.clone(),
                domain: config.domain.clone(),
                paging: config.paging.clone(),
                ..DirectoryStore::default()
            },
            groups: HashMap::new(),
        };
        if let Some(generate) = &config.generate {
            if !(1..=MAX_GENERATED_USERS).contains(&generate.users) {
                return invalid(format!(
                    "`generate.users` is {}, but must be from 1 to {MAX_GENERATED_USERS}",
                    generate.users
                ));
            }
            generate::generate_into(&mut builder, *generate);
        }
        builder.add_configured(config)?;
        Ok(builder.store)
    }
}

/// A directory under construction.
pub(super) struct DirectoryBuilder {
    pub(super) store: DirectoryStore,
    /// Groups by name, in lower case.
    groups: HashMap<String, Vec<u32>>,
}

impl DirectoryBuilder {
    /// Adds all objects first and then their members, because groups can contain each other.
    fn add_configured(&mut self, config: &DirectoryConfig) -> Result<(), ConfigError> {
        for user in &config.user {
            self.add_user(user_from_config(user)?)?;
        }
        for user in &config.user {
            self.set_manager(user)?;
        }
        let groups = config.group.iter().map(|group| self.add_group(group)).collect::<Result<Vec<_>, _>>()?;
        for (&at, group) in groups.iter().zip(&config.group) {
            let (members, owners) = (self.resolve_all(&group.members)?, self.resolve_all(&group.owners)?);
            let group = &mut self.store.groups[at as usize];
            (group.members, group.owners) = (members, owners);
        }
        for unit in &config.unit {
            self.add_unit(unit)?;
        }
        for role in &config.role {
            self.add_role(role)?;
        }
        for risky in &config.risky {
            let Object::User(user) = self.resolve(&risky.user)? else {
                return invalid(format!("{:?} is not a user: only users are risky", risky.user));
            };
            let (level, state) = (risky.level.clone().into(), risky.state.clone().into());
            self.store.risky.push(RiskyUser { user, level, state });
        }
        self.store.app_owners = self.resolve_all(&config.app.owners)?;
        Ok(())
    }

    /// Adds a user, whose manager must have been added before.
    pub(super) fn add_user(&mut self, user: User) -> Result<u32, ConfigError> {
        let at = to_index(self.store.users.len());
        self.register_id(user.id, Object::User(at), &user.upn)?;
        if self.store.by_upn.insert(user.upn.to_lowercase().into(), at).is_some() {
            return invalid(format!("the user {:?} is listed twice", user.upn));
        }
        if let Some(manager) = user.manager {
            self.store.reports.entry(manager).or_default().push(at);
        }
        self.store.users.push(user);
        Ok(at)
    }

    fn set_manager(&mut self, user: &UserConfig) -> Result<(), ConfigError> {
        let Some(manager) = &user.manager else { return Ok(()) };
        let (Object::User(manager), Object::User(report)) =
            (self.resolve(manager)?, self.resolve(&user.upn)?)
        else {
            return invalid(format!("the manager {manager:?} is not a user"));
        };
        self.store.users[report as usize].manager = Some(manager);
        self.store.reports.entry(manager).or_default().push(report);
        Ok(())
    }

    /// Adds a group without members.
    pub(super) fn add_group(&mut self, group: &GroupConfig) -> Result<u32, ConfigError> {
        let at = to_index(self.store.groups.len());
        let key = non_empty("group", &group.name)?.to_lowercase();
        let same = self.groups.entry(key.clone()).or_default();
        let id = group.id.unwrap_or_else(|| fingerprint::guid(&format!("group:{key}#{}", same.len())));
        same.push(at);
        self.register_id(id, Object::Group(at), &group.name)?;
        self.store.groups.push(Group {
            id,
            name: group.name.clone(),
            hidden: group.hidden,
            role_assignable: group.role_assignable,
            ..Group::default()
        });
        Ok(at)
    }

    pub(super) fn add_unit(&mut self, unit: &AdminUnitConfig) -> Result<u32, ConfigError> {
        let at = to_index(self.store.units.len());
        let key = non_empty("unit", &unit.name)?.to_lowercase();
        let id = unit.id.unwrap_or_else(|| fingerprint::guid(&format!("unit:{key}")));
        self.register_id(id, Object::Unit(at), &unit.name)?;
        let members = self.resolve_all(&unit.members)?;
        self.store.units.push(AdminUnit { id, name: unit.name.clone(), hidden: unit.hidden, members });
        Ok(at)
    }

    /// Adds a role, or more holders to an existing one.
    pub(super) fn add_role(&mut self, role: &RoleConfig) -> Result<(), ConfigError> {
        let name = non_empty("role", &role.name)?;
        let made = || fingerprint::guid(&format!("template:{}", name.to_lowercase()));
        let template = role.template.or_else(|| names::template(name)).unwrap_or_else(made);
        let (active, eligible) = (self.resolve_all(&role.active)?, self.resolve_all(&role.eligible)?);
        let scoped = role.scoped.iter().map(|scoped| {
            let unit = self.find_unit(&scoped.unit)?;
            Ok((self.resolve(&scoped.who)?, unit))
        });
        let scoped = scoped.collect::<Result<Vec<_>, ConfigError>>()?;
        let at = match self.store.roles.iter().position(|role| role.template == template) {
            Some(at) => at,
            None => self.add_new_role(name, template)?,
        };
        let role = &mut self.store.roles[at];
        role.active.extend(active);
        role.eligible.extend(eligible);
        role.scoped.extend(scoped);
        Ok(())
    }

    fn add_new_role(&mut self, name: &str, template: Uuid) -> Result<usize, ConfigError> {
        let at = self.store.roles.len();
        let id = fingerprint::guid(&format!("role:{template}"));
        self.register_id(id, Object::Role(to_index(at)), name)?;
        self.store.roles.push(Role { id, template, name: name.to_owned(), ..Role::default() });
        Ok(at)
    }

    fn register_id(&mut self, id: Uuid, object: Object, name: &str) -> Result<(), ConfigError> {
        match self.store.by_id.insert(id, object) {
            None => Ok(()),
            Some(_) => invalid(format!("{name:?} has the ID {id}, which is already in use")),
        }
    }

    fn find_unit(&self, name: &str) -> Result<u32, ConfigError> {
        let id = Uuid::try_parse(name).ok();
        let found = self.store.units.iter().position(|unit| Some(unit.id) == id || unit.name == name);
        found.map_or_else(|| invalid(format!("there is no unit {name:?}")), |at| Ok(to_index(at)))
    }

    fn resolve_all(&mut self, names: &[String]) -> Result<Vec<Object>, ConfigError> {
        names.iter().map(|name| self.resolve(name)).collect()
    }

    /// The object that `name` stands for.
    fn resolve(&mut self, name: &str) -> Result<Object, ConfigError> {
        if let Some(group) = name.strip_prefix("group:") {
            return self.find_group(group);
        }
        if let Some(device) = name.strip_prefix("device:") {
            return self.simple_object(name, device, |tenant| &mut tenant.devices, Object::Device);
        }
        if let Some(app) = name.strip_prefix("app:") {
            return self.simple_object(name, app, |tenant| &mut tenant.apps, Object::App);
        }
        let user = self.store.user_including_deleted(name).map(|(at, _)| Object::User(at));
        user.map_or_else(|| invalid(format!("there is no user {name:?}")), Ok)
    }

    fn find_group(&self, name: &str) -> Result<Object, ConfigError> {
        if let Some((at, _)) = self.store.group(name) {
            return Ok(Object::Group(at));
        }
        match self.groups.get(&name.to_lowercase()).map(Vec::as_slice) {
            Some(&[at]) => Ok(Object::Group(at)),
            Some(_) => {
                invalid(format!("several groups are called {name:?}: use `group:` and the group's ID"))
            }
            None => invalid(format!("there is no group {name:?}")),
        }
    }

    /// A device or an app, which is created when it is named for the first time.
    fn simple_object(
        &mut self,
        key: &str,
        name: &str,
        list: impl Fn(&mut DirectoryStore) -> &mut Vec<SimpleObject>,
        object: impl Fn(u32) -> Object,
    ) -> Result<Object, ConfigError> {
        let id = fingerprint::guid(&key.to_lowercase());
        if let Some(&known) = self.store.by_id.get(&id) {
            return Ok(known);
        }
        let things = list(&mut self.store);
        let found = object(to_index(things.len()));
        things.push(SimpleObject { id, name: name.to_owned() });
        self.register_id(id, found, name)?;
        Ok(found)
    }
}

/// A user without a manager.
fn user_from_config(config: &UserConfig) -> Result<User, ConfigError> {
    let upn = non_empty("user", &config.upn)?;
    let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
    let text = |text: &Option<String>| text.clone().map(SharedText::from);
    let before_at = upn.split('@').next().unwrap_or_default();
    Ok(User {
        id: config.id.unwrap_or_else(|| fingerprint::guid(&upn.to_lowercase())),
        name: config.name.as_deref().unwrap_or(before_at).into(),
        upn: upn.into(),
        guest: config.kind.map_or_else(|| is_external(upn), |kind| kind == UserKind::Guest),
        enabled: config.enabled.unwrap_or(true),
        synced: config.synced,
        deleted: config.deleted,
        mail: boxed(&config.mail),
        proxies: texts(&config.proxies),
        other_mails: texts(&config.other_mails),
        sam: boxed(&config.sam),
        sam_domain: boxed(&config.sam_domain),
        employee_id: boxed(&config.employee_id),
        department: text(&config.department),
        job_title: text(&config.job_title),
        country: text(&config.country),
        city: text(&config.city),
        company: text(&config.company),
        creation_type: text(&config.creation_type),
        external_state: text(&config.external_state),
        manager: None,
    })
}

/// Whether a principal name belongs to a user of another tenant.
fn is_external(upn: &str) -> bool {
    upn.to_lowercase().contains("#ext#")
}

fn non_empty<'a>(what: &str, name: &'a str) -> Result<&'a str, ConfigError> {
    if name.is_empty() { invalid(format!("a {what} has no name")) } else { Ok(name) }
}

/// An index in a list. Lists come from a file, or have at most [`MAX_GENERATED_USERS`] entries.
fn to_index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn invalid<T>(why: String) -> Result<T, ConfigError> {
    Err(ConfigError::Value("directory", why))
}
