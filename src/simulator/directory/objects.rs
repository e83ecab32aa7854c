//! Objects of any kind: in lists of members, and by their ids.

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{Reader, groups, no_property, person};
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::odata::{Filter, Query};
use crate::simulator::permission::Act;
use crate::simulator::resource::Kind;
use crate::simulator::tenant::{Object, Tenant, Thing};

/// The most ids that `getByIds` takes.
const MOST_IDS: usize = 1000;
/// What there is of a device or an app.
const THING: [&str; 2] = ["id", "displayName"];

/// What kind of object it is, if it is one that can be a member.
pub(super) fn kind(object: Object) -> Option<Kind> {
    match object {
        Object::User(_) => Some(Kind::User),
        Object::Group(_) => Some(Kind::Group),
        Object::Device(_) => Some(Kind::Device),
        Object::App(_) => Some(Kind::App),
        Object::Unit(_) | Object::Role(_) => None,
    }
}

/// Whether a user is as the filter wants.
pub(super) fn matches(tenant: &Tenant, object: Object, filter: &Filter) -> bool {
    matches!(object, Object::User(at) if filter.matches(tenant.user_at(at)))
}

/// How objects are shown to somebody. Of a kind that they may not read there is only the type and the id ("Limited
/// information returned for inaccessible member objects").
pub(super) struct Shown<'a> {
    reader: &'a Reader<'a>,
    select: Option<Vec<String>>,
    cast: Option<Kind>,
}

impl<'a> Shown<'a> {
    /// As `query` selects.
    pub(super) fn new(
        reader: &'a Reader<'a>,
        query: &Query,
        cast: Option<Kind>,
    ) -> Result<Shown<'a>, GraphError> {
        let known = |name: &str| match cast {
            Some(Kind::User) => person::exists(name),
            Some(Kind::Group) => groups::exists(name),
            Some(Kind::Device | Kind::App) => THING.contains(&name),
            None => person::exists(name) || groups::exists(name),
        };
        let unknown = query.select.iter().flatten().find(|name| !known(name));
        if let Some(unknown) = unknown {
            return Err(no_property(unknown, "directoryObject"));
        }
        Ok(Shown { reader, select: query.select.clone(), cast })
    }

    /// The object.
    pub(super) fn value(&self, tenant: &Tenant, object: Object) -> Value {
        let kind = kind(object);
        let mut shown = Map::new();
        let type_name = kind.map_or("microsoft.graph.directoryObject", Kind::name);
        let full = match object {
            Object::User(at) => self.user(tenant, at),
            Object::Group(at) => {
                let readable = self.reader.may(Act::ReadGroups);
                let names = self.names(groups::all(), groups::exists);
                if readable { groups::shown(tenant.group_at(at), &names) } else { nothing(&names) }
            }
            Object::Device(at) => self.thing(&tenant.devices[at as usize], Act::ReadDevices),
            Object::App(at) => self.thing(&tenant.apps[at as usize], Act::ReadApps),
            Object::Unit(_) | Object::Role(_) => Map::new(),
        };
        // A cast says what the type is; what can't be read says it all the same.
        if self.cast.is_none() || full.values().all(Value::is_null) {
            shown.insert("@odata.type".into(), format!("#{type_name}").into());
        }
        let selects_id = self.select.as_ref().is_none_or(|names| names.iter().any(|name| name == "id"));
        if selects_id || full.values().all(Value::is_null) {
            shown.insert("id".into(), tenant.id_of(object).to_string().into());
        }
        shown.extend(full.into_iter().filter(|(name, _)| name != "id"));
        shown.into()
    }

    fn user(&self, tenant: &Tenant, at: u32) -> Map<String, Value> {
        let (call, user) = (self.reader.call, tenant.user_at(at));
        let names = self.names(&person::DEFAULT, person::exists);
        let (some, all) = (self.reader.may(Act::ReadUsers), self.reader.may(Act::ReadUsersInFull));
        let value = |name: &str| {
            if all || some && person::BASIC.contains(&name) {
                person::property(call, user, name)
            } else {
                Value::Null
            }
        };
        names.iter().map(|&name| (name.to_owned(), value(name))).collect()
    }

    fn thing(&self, thing: &Thing, act: Act) -> Map<String, Value> {
        let names = self.names(&THING, |name| THING.contains(&name));
        let mut shown = nothing(&names);
        if let Some(name) = shown.get_mut("displayName").filter(|_| self.reader.may(act)) {
            *name = thing.name.clone().into();
        }
        shown
    }

    /// What is selected, of what there is of this kind.
    fn names<'b>(&'b self, usual: &[&'b str], exists: impl Fn(&str) -> bool) -> Vec<&'b str> {
        match &self.select {
            Some(select) => select.iter().map(String::as_str).filter(|name| exists(name)).collect(),
            None => usual.to_vec(),
        }
    }
}

fn nothing(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|&name| (name.to_owned(), Value::Null)).collect()
}

/// `POST directoryObjects/getByIds`: those of the ids that there are, in no promised order.
pub(super) fn by_ids(reader: &Reader<'_>) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadObjects)?;
    let call = reader.call;
    let bad = |message: &str| GraphError::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message);
    let body: Value =
        serde_json::from_slice(&call.body).map_err(|_| bad("The request body is not valid JSON."))?;
    let ids = body["ids"].as_array().ok_or_else(|| bad("'ids' is missing."))?;
    if ids.len() > MOST_IDS {
        return Err(bad(&format!("Too many ids: {} of at most {MOST_IDS}.", ids.len())));
    }
    let types = body["types"].as_array();
    let wanted = |object: Object| {
        let name = kind(object).and_then(|kind| kind.name().rsplit('.').next());
        types.is_none_or(|types| {
            types.iter().any(|one| one == "directoryObject" || name.is_some() && one.as_str() == name)
        })
    };
    let shown = Shown::new(reader, &Query::read(call.query)?, None)?;
    let tenant = call.live.tenant.as_deref();
    let value: Vec<Value> = tenant.map_or_else(Vec::new, |tenant| {
        let objects = ids.iter().filter_map(|id| tenant.object(id.as_str()?));
        let there = objects.filter(|&object| tenant.exists(object) && wanted(object));
        there.map(|object| shown.value(tenant, object)).collect()
    });
    let context = format!("https://graph.microsoft.com/{}/$metadata#directoryObjects", call.version);
    let body = json!({"@odata.context": context, "value": value});
    Ok(call.marks.ok(body.to_string().into()))
}
