//! `groups`: one group, all groups, and their members.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::Response;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{DirectoryRequest, no_property, objects, users};
use crate::simulator::body::Body;
use crate::simulator::graph_response::GraphError;
use crate::simulator::odata::{
    FilterSchema, HasProperties, ODataFilter, ODataQuery, PagedList, PropertyType, PropertyValue,
    count_response,
};
use crate::simulator::permission::Operation;
use crate::simulator::resource::{MembersQuery, ObjectType};
use crate::simulator::store::{DirectoryStore, Group, Object};

/// The properties that Graph returns by default, as far as they exist here.
const PROPERTIES: [&str; 11] = [
    "id",
    "description",
    "displayName",
    "groupTypes",
    "isAssignableToRole",
    "mail",
    "mailEnabled",
    "mailNickname",
    "onPremisesSyncEnabled",
    "securityEnabled",
    "visibility",
];

const SCHEMA: FilterSchema = FilterSchema {
    name: "group",
    properties: &[
        ("displayName", PropertyType::Text),
        ("id", PropertyType::Text),
        ("isAssignableToRole", PropertyType::Flag),
        ("mail", PropertyType::Text),
        ("mailEnabled", PropertyType::Flag),
        ("mailNickname", PropertyType::Text),
        ("securityEnabled", PropertyType::Flag),
    ],
};

impl HasProperties for Group {
    fn property(&self, name: &str) -> PropertyValue<'_> {
        match name {
            "displayName" => PropertyValue::Text(Some(Cow::Borrowed(&self.name))),
            "id" => PropertyValue::Text(Some(self.id.to_string().into())),
            "isAssignableToRole" => PropertyValue::Flag(self.role_assignable.then_some(true)),
            "mailEnabled" => PropertyValue::Flag(Some(false)),
            "securityEnabled" => PropertyValue::Flag(Some(true)),
            "visibility" => PropertyValue::Text(self.hidden.then_some("HiddenMembership".into())),
            _ => PropertyValue::Text(None),
        }
    }
}

/// The selected properties of a group.
pub(super) fn group_properties(group: &Group, names: &[&str]) -> Map<String, Value> {
    let value = |name: &str| match (name, group.property(name)) {
        ("groupTypes", _) => json!([]),
        (_, PropertyValue::Text(text)) => text.into(),
        (_, PropertyValue::Flag(flag)) => flag.into(),
        (_, PropertyValue::List(_)) => Value::Null,
    };
    names.iter().map(|&name| (name.to_owned(), value(name))).collect()
}

/// The group with this ID.
pub(super) fn read_one(request: &DirectoryRequest<'_>, id: &str) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadGroups)?;
    let query = ODataQuery::parse(request.call.query)?;
    let names = selected(&query)?;
    let (_, group) = find(store(request), id)?;
    let context = format!("https://graph.microsoft.com/{}/$metadata#groups/$entity", request.call.version);
    let mut body = Map::from_iter([("@odata.context".to_owned(), context.into())]);
    body.extend(group_properties(group, &names));
    Ok(request.call.responder.ok(Value::from(body).to_string().into()))
}

/// All groups, or those that match the filter.
pub(super) fn list(request: &DirectoryRequest<'_>) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadGroups)?;
    let query = ODataQuery::parse(request.call.query)?;
    let names = selected(&query)?;
    let filter = filter(request, &query)?;
    let groups = groups(request);
    PagedList {
        context: "groups".into(),
        len: groups.len(),
        is_included: &|at| filter.as_ref().is_none_or(|filter| filter.matches(&groups[at])),
        item_json: &|at| group_properties(&groups[at], &names).into(),
    }
    .respond(request.call, &query)
}

/// The number of groups.
pub(super) fn count(request: &DirectoryRequest<'_>) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadGroups)?;
    let query = ODataQuery { count: true, ..ODataQuery::parse(request.call.query)? };
    let filter = filter(request, &query)?;
    let wanted = |group: &&Group| filter.as_ref().is_none_or(|filter| filter.matches(*group));
    count_response(request.call, || groups(request).iter().filter(wanted).count())
}

/// The members of a group. If members are hidden from the client, the list is empty and nothing says why.
pub(super) fn members(
    request: &DirectoryRequest<'_>,
    members_query: &MembersQuery,
) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadMembers)?;
    let call = request.call;
    let mut query = ODataQuery::parse(call.query)?;
    query.count |= members_query.count;
    let Some(store) = store(request) else { return Err(GraphError::not_found(&members_query.group)) };
    let (at, group) = find(Some(store), &members_query.group)?;
    let in_full = request.has_permission(Operation::ReadUsersInFull);
    if members_query.cast.is_some() && !query.is_advanced(call.headers) {
        return Err(GraphError::new(
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            "Invalid search request.",
        ));
    }
    let filter = match (&query.filter, members_query.cast) {
        (None, _) => None,
        (Some(_), Some(ObjectType::User)) => users::filter(request, &query, in_full)?,
        (Some(_), _) => {
            let message = "The specified filter to the reference property query is currently not supported.";
            return Err(GraphError::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message));
        }
    };
    let hides = |group: &Group| group.hidden && !request.has_permission(Operation::ReadHidden);
    let list: Arc<[Object]> = match members_query.nested {
        _ if hides(group) => Arc::new([]),
        true => store.nested_members(at, &hides),
        false => group.members.as_slice().into(),
    };
    let wanted = |at: usize| {
        let member = list[at];
        store.exists(member)
            && members_query.cast.is_none_or(|cast| objects::object_type(member) == Some(cast))
            // Known issue: service principals are not listed as members in v1.0.
            && (call.version == "beta" || objects::object_type(member) != Some(ObjectType::App))
            && filter.as_ref().is_none_or(|filter| objects::matches(store, member, filter))
    };
    if members_query.count {
        return count_response(call, || (0..list.len()).filter(|&at| wanted(at)).count());
    }
    let shown = objects::ObjectView::new(request, &query, members_query.cast)?;
    let context = if members_query.cast == Some(ObjectType::User) { "users" } else { "directoryObjects" };
    PagedList {
        context: context.into(),
        len: list.len(),
        is_included: &wanted,
        item_json: &|at| shown.value(store, list[at]),
    }
    .respond(call, &query)
}

fn store<'a>(request: &'a DirectoryRequest<'_>) -> Option<&'a DirectoryStore> {
    request.call.live.store.as_deref()
}

fn groups<'a>(request: &'a DirectoryRequest<'_>) -> &'a [Group] {
    store(request).map_or(&[], |store| &store.groups)
}

fn find<'a>(store: Option<&'a DirectoryStore>, id: &str) -> Result<(u32, &'a Group), GraphError> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Err(GraphError::new(
            StatusCode::BAD_REQUEST,
            "Request_BadRequest",
            &format!("Invalid object identifier '{id}'."),
        ));
    }
    store.and_then(|store| store.group(id)).ok_or_else(|| GraphError::not_found(id))
}

fn filter(request: &DirectoryRequest<'_>, query: &ODataQuery) -> Result<Option<ODataFilter>, GraphError> {
    let Some(text) = &query.filter else { return Ok(None) };
    let filter = ODataFilter::parse(text)?;
    filter.check(&SCHEMA, query.is_advanced(request.call.headers))?;
    Ok(Some(filter))
}

fn selected(query: &ODataQuery) -> Result<Vec<&str>, GraphError> {
    let Some(select) = &query.select else { return Ok(PROPERTIES.to_vec()) };
    match select.iter().find(|name| !is_property(name)) {
        Some(unknown) => Err(no_property(unknown, "group")),
        None => Ok(select.iter().map(String::as_str).collect()),
    }
}

/// Whether groups have such a property.
pub(super) fn is_property(name: &str) -> bool {
    PROPERTIES.contains(&name)
}

/// The properties that are returned if none are selected.
pub(super) fn default_properties() -> &'static [&'static str] {
    &PROPERTIES
}
