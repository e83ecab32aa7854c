//! From the settings to a directory.

use std::collections::HashMap;

use uuid::Uuid;

use super::settings::{DirectoryConfig, GroupConfig, RoleConfig, UnitConfig, UserConfig, UserKind};
use super::{Group, Object, Risky, Role, Tenant, Text, Thing, Unit, User, generate, names};
use crate::simulator::config::ConfigError;
use crate::simulator::fingerprint;

/// The most users that a seed makes up.
const MOST: u32 = 200_000;

impl Tenant {
    /// The directory that `config` describes.
    pub(in crate::simulator) fn build(config: &DirectoryConfig) -> Result<Tenant, ConfigError> {
        if config.paging.empty_every == 1 || config.paging.most == Some(0) {
            return bad(
                "lists would never end: a page in two may be empty, and one must hold something".into()
            );
        }
        let mut builder = Builder {
            tenant: Tenant {
                organization: config.organization.clone(),
                domain: config.domain.clone(),
                paging: config.paging.clone(),
                ..Tenant::default()
            },
            groups: HashMap::new(),
        };
        if let Some(generate) = &config.generate {
            if !(1..=MOST).contains(&generate.users) {
                return bad(format!("it can make up 1 to {MOST} users, not {}", generate.users));
            }
            generate::fill(&mut builder, *generate);
        }
        builder.list(config)?;
        Ok(builder.tenant)
    }
}

/// A directory that is being made.
pub(super) struct Builder {
    pub(super) tenant: Tenant,
    /// Groups by name in lower case.
    groups: HashMap<String, Vec<u32>>,
}

impl Builder {
    /// Everything is first given its place and then its members: cycles may be.
    fn list(&mut self, config: &DirectoryConfig) -> Result<(), ConfigError> {
        for user in &config.user {
            self.user(user_of(user)?)?;
        }
        for user in &config.user {
            self.manager(user)?;
        }
        let groups = config.group.iter().map(|group| self.group(group)).collect::<Result<Vec<_>, _>>()?;
        for (&at, group) in groups.iter().zip(&config.group) {
            let (members, owners) = (self.all(&group.members)?, self.all(&group.owners)?);
            let group = &mut self.tenant.groups[at as usize];
            (group.members, group.owners) = (members, owners);
        }
        for unit in &config.unit {
            self.unit(unit)?;
        }
        for role in &config.role {
            self.role(role)?;
        }
        for risky in &config.risky {
            let Object::User(user) = self.who(&risky.user)? else {
                return bad(format!("{:?} is no user: only users are risky", risky.user));
            };
            let (level, state) = (risky.level.clone().into(), risky.state.clone().into());
            self.tenant.risky.push(Risky { user, level, state });
        }
        self.tenant.app_owners = self.all(&config.app.owners)?;
        Ok(())
    }

    /// Adds a user, whose manager must be there already.
    pub(super) fn user(&mut self, user: User) -> Result<u32, ConfigError> {
        let at = place(self.tenant.users.len());
        self.know(user.id, Object::User(at), &user.upn)?;
        if self.tenant.by_upn.insert(user.upn.to_lowercase().into(), at).is_some() {
            return bad(format!("the user {:?} is listed twice", user.upn));
        }
        if let Some(manager) = user.manager {
            self.tenant.reports.entry(manager).or_default().push(at);
        }
        self.tenant.users.push(user);
        Ok(at)
    }

    fn manager(&mut self, user: &UserConfig) -> Result<(), ConfigError> {
        let Some(manager) = &user.manager else { return Ok(()) };
        let (Object::User(manager), Object::User(report)) = (self.who(manager)?, self.who(&user.upn)?) else {
            return bad(format!("the manager {manager:?} is no user"));
        };
        self.tenant.users[report as usize].manager = Some(manager);
        self.tenant.reports.entry(manager).or_default().push(report);
        Ok(())
    }

    /// Adds a group without its members.
    pub(super) fn group(&mut self, group: &GroupConfig) -> Result<u32, ConfigError> {
        let at = place(self.tenant.groups.len());
        let key = filled("group", &group.name)?.to_lowercase();
        let same = self.groups.entry(key.clone()).or_default();
        let id = group.id.unwrap_or_else(|| fingerprint::guid(&format!("group:{key}#{}", same.len())));
        same.push(at);
        self.know(id, Object::Group(at), &group.name)?;
        self.tenant.groups.push(Group {
            id,
            name: group.name.clone(),
            hidden: group.hidden,
            role_assignable: group.role_assignable,
            ..Group::default()
        });
        Ok(at)
    }

    pub(super) fn unit(&mut self, unit: &UnitConfig) -> Result<u32, ConfigError> {
        let at = place(self.tenant.units.len());
        let key = filled("unit", &unit.name)?.to_lowercase();
        let id = unit.id.unwrap_or_else(|| fingerprint::guid(&format!("unit:{key}")));
        self.know(id, Object::Unit(at), &unit.name)?;
        let members = self.all(&unit.members)?;
        self.tenant.units.push(Unit { id, name: unit.name.clone(), hidden: unit.hidden, members });
        Ok(at)
    }

    /// Adds a role, or holders to one that is there.
    pub(super) fn role(&mut self, role: &RoleConfig) -> Result<(), ConfigError> {
        let name = filled("role", &role.name)?;
        let made = || fingerprint::guid(&format!("template:{}", name.to_lowercase()));
        let template = role.template.or_else(|| names::template(name)).unwrap_or_else(made);
        let (active, eligible) = (self.all(&role.active)?, self.all(&role.eligible)?);
        let scoped = role.scoped.iter().map(|scoped| {
            let unit = self.unit_named(&scoped.unit)?;
            Ok((self.who(&scoped.who)?, unit))
        });
        let scoped = scoped.collect::<Result<Vec<_>, ConfigError>>()?;
        let at = match self.tenant.roles.iter().position(|role| role.template == template) {
            Some(at) => at,
            None => self.new_role(name, template)?,
        };
        let role = &mut self.tenant.roles[at];
        role.active.extend(active);
        role.eligible.extend(eligible);
        role.scoped.extend(scoped);
        Ok(())
    }

    fn new_role(&mut self, name: &str, template: Uuid) -> Result<usize, ConfigError> {
        let at = self.tenant.roles.len();
        let id = fingerprint::guid(&format!("role:{template}"));
        self.know(id, Object::Role(place(at)), name)?;
        self.tenant.roles.push(Role { id, template, name: name.to_owned(), ..Role::default() });
        Ok(at)
    }

    fn know(&mut self, id: Uuid, object: Object, name: &str) -> Result<(), ConfigError> {
        match self.tenant.by_id.insert(id, object) {
            None => Ok(()),
            Some(_) => bad(format!("{name:?} has the id {id}, which something else has already")),
        }
    }

    fn unit_named(&self, name: &str) -> Result<u32, ConfigError> {
        let id = Uuid::try_parse(name).ok();
        let found = self.tenant.units.iter().position(|unit| Some(unit.id) == id || unit.name == name);
        found.map_or_else(|| bad(format!("there is no unit {name:?}")), |at| Ok(place(at)))
    }

    fn all(&mut self, names: &[String]) -> Result<Vec<Object>, ConfigError> {
        names.iter().map(|name| self.who(name)).collect()
    }

    /// Whoever is meant by `name`.
    fn who(&mut self, name: &str) -> Result<Object, ConfigError> {
        if let Some(group) = name.strip_prefix("group:") {
            return self.group_named(group);
        }
        if let Some(device) = name.strip_prefix("device:") {
            return self.thing(name, device, |tenant| &mut tenant.devices, Object::Device);
        }
        if let Some(app) = name.strip_prefix("app:") {
            return self.thing(name, app, |tenant| &mut tenant.apps, Object::App);
        }
        let user = self.tenant.any_user(name).map(|(at, _)| Object::User(at));
        user.map_or_else(|| bad(format!("there is no user {name:?}")), Ok)
    }

    fn group_named(&self, name: &str) -> Result<Object, ConfigError> {
        if let Some((at, _)) = self.tenant.group(name) {
            return Ok(Object::Group(at));
        }
        match self.groups.get(&name.to_lowercase()).map(Vec::as_slice) {
            Some(&[at]) => Ok(Object::Group(at)),
            Some(_) => bad(format!("several groups are called {name:?}: say `group:` and an id")),
            None => bad(format!("there is no group {name:?}")),
        }
    }

    /// A device or an app, made when it is first named.
    fn thing(
        &mut self,
        key: &str,
        name: &str,
        list: impl Fn(&mut Tenant) -> &mut Vec<Thing>,
        object: impl Fn(u32) -> Object,
    ) -> Result<Object, ConfigError> {
        let id = fingerprint::guid(&key.to_lowercase());
        if let Some(&known) = self.tenant.by_id.get(&id) {
            return Ok(known);
        }
        let things = list(&mut self.tenant);
        let found = object(place(things.len()));
        things.push(Thing { id, name: name.to_owned() });
        self.know(id, found, name)?;
        Ok(found)
    }
}

/// A user with nobody above.
fn user_of(config: &UserConfig) -> Result<User, ConfigError> {
    let upn = filled("user", &config.upn)?;
    let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
    let text = |text: &Option<String>| text.clone().map(Text::from);
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

/// Whether a principal name is that of another tenant's user.
fn is_external(upn: &str) -> bool {
    upn.to_lowercase().contains("#ext#")
}

fn filled<'a>(what: &str, name: &'a str) -> Result<&'a str, ConfigError> {
    if name.is_empty() { bad(format!("a {what} has no name")) } else { Ok(name) }
}

/// A place in a list. Lists are made of a file, or of at most [`MOST`].
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn bad<T>(why: String) -> Result<T, ConfigError> {
    Err(ConfigError::Value("directory", why))
}
