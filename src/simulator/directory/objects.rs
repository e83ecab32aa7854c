//! Directory objects of any type, in lists of members and by ID.

use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{DirectoryRequest, groups, no_property, person};
use crate::simulator::body::Body;
use crate::simulator::graph_response::GraphError;
use crate::simulator::odata::{ODataFilter, ODataQuery};
use crate::simulator::permission::Operation;
use crate::simulator::resource::ObjectType;
use crate::simulator::store::{DirectoryStore, Object, SimpleObject};

/// The maximum number of IDs that `getByIds` accepts.
const MAX_IDS: usize = 1000;
/// The properties of a device or an app.
const SIMPLE_OBJECT_PROPERTIES: [&str; 2] = ["id", "displayName"];

/// The type of an object that can be a member; `None` for other objects.
pub(super) fn object_type(object: Object) -> Option<ObjectType> {
    match object {
        Object::User(_) => Some(ObjectType::User),
        Object::Group(_) => Some(ObjectType::Group),
        Object::Device(_) => Some(ObjectType::Device),
        Object::App(_) => Some(ObjectType::App),
        Object::Unit(_) | Object::Role(_) => None,
    }
}

/// Whether the object is a user that matches the filter.
pub(super) fn matches(store: &DirectoryStore, object: Object, filter: &ODataFilter) -> bool {
    matches!(object, Object::User(at) if filter.matches(store.user_at(at)))
}

/// How objects are shown to a client. Of a type that the client may not read, only the type and the ID are shown
/// ("Limited information returned for inaccessible member objects").
pub(super) struct ObjectView<'a> {
    request: &'a DirectoryRequest<'a>,
    select: Option<Vec<String>>,
    cast: Option<ObjectType>,
}

impl<'a> ObjectView<'a> {
    /// A view with the properties that `query` selects.
    pub(super) fn new(
        request: &'a DirectoryRequest<'a>,
        query: &ODataQuery,
        cast: Option<ObjectType>,
    ) -> Result<ObjectView<'a>, GraphError> {
        let known = |name: &str| match cast {
            Some(ObjectType::User) => person::is_property(name),
            Some(ObjectType::Group) => groups::is_property(name),
            Some(ObjectType::Device | ObjectType::App) => SIMPLE_OBJECT_PROPERTIES.contains(&name),
            None => person::is_property(name) || groups::is_property(name),
        };
        let unknown = query.select.iter().flatten().find(|name| !known(name));
        if let Some(unknown) = unknown {
            return Err(no_property(unknown, "directoryObject"));
        }
        Ok(ObjectView { request, select: query.select.clone(), cast })
    }

    /// The JSON of an object.
    pub(super) fn value(&self, store: &DirectoryStore, object: Object) -> Value {
        let kind = object_type(object);
        let mut shown = Map::new();
        let type_name = kind.map_or("microsoft.graph.directoryObject", ObjectType::name);
        let full = match object {
            Object::User(at) => self.user(store, at),
            Object::Group(at) => {
                let readable = self.request.has_permission(Operation::ReadGroups);
                let names = self.names(groups::default_properties(), groups::is_property);
                if readable {
                    groups::group_properties(store.group_at(at), &names)
                } else {
                    null_properties(&names)
                }
            }
            Object::Device(at) => self.simple_object(&store.devices[at as usize], Operation::ReadDevices),
            Object::App(at) => self.simple_object(&store.apps[at as usize], Operation::ReadApps),
            Object::Unit(_) | Object::Role(_) => Map::new(),
        };
        // With a cast the type is known. An object that can't be read shows it anyway.
        if self.cast.is_none() || full.values().all(Value::is_null) {
            shown.insert("@odata.type".into(), format!("#{type_name}").into());
        }
        let selects_id = self.select.as_ref().is_none_or(|names| names.iter().any(|name| name == "id"));
        if selects_id || full.values().all(Value::is_null) {
            shown.insert("id".into(), store.object_id(object).to_string().into());
        }
        shown.extend(full.into_iter().filter(|(name, _)| name != "id"));
        shown.into()
    }

    fn user(&self, store: &DirectoryStore, at: u32) -> Map<String, Value> {
        let (call, user) = (self.request.call, store.user_at(at));
        let names = self.names(&person::DEFAULT, person::is_property);
        let (can_read_basic, can_read_all) = (
            self.request.has_permission(Operation::ReadUsers),
            self.request.has_permission(Operation::ReadUsersInFull),
        );
        let value = |name: &str| {
            if can_read_all || can_read_basic && person::BASIC.contains(&name) {
                person::property(call, user, name)
            } else {
                Value::Null
            }
        };
        names.iter().map(|&name| (name.to_owned(), value(name))).collect()
    }

    fn simple_object(&self, thing: &SimpleObject, operation: Operation) -> Map<String, Value> {
        let names = self.names(&SIMPLE_OBJECT_PROPERTIES, |name| SIMPLE_OBJECT_PROPERTIES.contains(&name));
        let mut shown = null_properties(&names);
        if let Some(name) = shown.get_mut("displayName").filter(|_| self.request.has_permission(operation)) {
            *name = thing.name.clone().into();
        }
        shown
    }

    /// The selected properties that exist for this type of object.
    fn names<'b>(&'b self, usual: &[&'b str], exists: impl Fn(&str) -> bool) -> Vec<&'b str> {
        match &self.select {
            Some(select) => select.iter().map(String::as_str).filter(|name| exists(name)).collect(),
            None => usual.to_vec(),
        }
    }
}

fn null_properties(names: &[&str]) -> Map<String, Value> {
    names.iter().map(|&name| (name.to_owned(), Value::Null)).collect()
}

/// `POST directoryObjects/getByIds`: the objects that exist among the IDs. Clients must not rely on the order.
pub(super) fn by_ids(request: &DirectoryRequest<'_>) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadObjects)?;
    let call = request.call;
    let bad = |message: &str| GraphError::new(StatusCode::BAD_REQUEST, "Request_BadRequest", message);
    let body: Value =
        serde_json::from_slice(&call.body).map_err(|_| bad("The request body is not valid JSON."))?;
    let ids = body["ids"].as_array().ok_or_else(|| bad("'ids' is missing."))?;
    if ids.len() > MAX_IDS {
        return Err(bad(&format!("Too many ids: {} of at most {MAX_IDS}.", ids.len())));
    }
    let types = body["types"].as_array();
    let wanted = |object: Object| {
        let name = object_type(object).and_then(|kind| kind.name().rsplit('.').next());
        types.is_none_or(|types| {
            types.iter().any(|one| one == "directoryObject" || name.is_some() && one.as_str() == name)
        })
    };
    let shown = ObjectView::new(request, &ODataQuery::parse(call.query)?, None)?;
    let store = call.live.store.as_deref();
    let value: Vec<Value> = store.map_or_else(Vec::new, |store| {
        let objects = ids.iter().filter_map(|id| store.object(id.as_str()?));
        let there = objects.filter(|&object| store.exists(object) && wanted(object));
        there.map(|object| shown.value(store, object)).collect()
    });
    let context = format!("https://graph.microsoft.com/{}/$metadata#directoryObjects", call.version);
    let body = json!({"@odata.context": context, "value": value});
    Ok(call.responder.ok(body.to_string().into()))
}
