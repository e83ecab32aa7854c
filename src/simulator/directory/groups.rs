//! `groups`: one, all, and who is in them.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::Response;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{Reader, no_property, objects, users};
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::odata::{Field, Fields, Filter, List, Property, Query, Schema, plain_count};
use crate::simulator::permission::Act;
use crate::simulator::resource::{Kind, Members};
use crate::simulator::tenant::{Group, Object, Tenant};

/// What is given of a group when nothing is selected, as far as there is such a thing here.
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

const SCHEMA: Schema = Schema {
    name: "group",
    properties: &[
        ("displayName", Property::Text),
        ("id", Property::Text),
        ("isAssignableToRole", Property::Flag),
        ("mail", Property::Text),
        ("mailEnabled", Property::Flag),
        ("mailNickname", Property::Text),
        ("securityEnabled", Property::Flag),
    ],
};

impl Fields for Group {
    fn field(&self, name: &str) -> Field<'_> {
        match name {
            "displayName" => Field::Text(Some(Cow::Borrowed(&self.name))),
            "id" => Field::Text(Some(self.id.to_string().into())),
            "isAssignableToRole" => Field::Flag(self.role_assignable.then_some(true)),
            "mailEnabled" => Field::Flag(Some(false)),
            "securityEnabled" => Field::Flag(Some(true)),
            "visibility" => Field::Text(self.hidden.then_some("HiddenMembership".into())),
            _ => Field::Text(None),
        }
    }
}

/// A group, with what is selected of it.
pub(super) fn shown(group: &Group, names: &[&str]) -> Map<String, Value> {
    let value = |name: &str| match (name, group.field(name)) {
        ("groupTypes", _) => json!([]),
        (_, Field::Text(text)) => text.into(),
        (_, Field::Flag(flag)) => flag.into(),
        (_, Field::List(_)) => Value::Null,
    };
    names.iter().map(|&name| (name.to_owned(), value(name))).collect()
}

/// The group with this id.
pub(super) fn one(reader: &Reader<'_>, id: &str) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadGroups)?;
    let query = Query::read(reader.call.query)?;
    let names = selected(&query)?;
    let (_, group) = find(tenant(reader), id)?;
    let context = format!("https://graph.microsoft.com/{}/$metadata#groups/$entity", reader.call.version);
    let mut body = Map::from_iter([("@odata.context".to_owned(), context.into())]);
    body.extend(shown(group, &names));
    Ok(reader.call.marks.ok(Value::from(body).to_string().into()))
}

/// All groups, or those that a filter means.
pub(super) fn list(reader: &Reader<'_>) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadGroups)?;
    let query = Query::read(reader.call.query)?;
    let names = selected(&query)?;
    let filter = filter(reader, &query)?;
    let groups = groups(reader);
    List {
        context: "groups".into(),
        len: groups.len(),
        wanted: &|at| filter.as_ref().is_none_or(|filter| filter.matches(&groups[at])),
        show: &|at| shown(&groups[at], &names).into(),
    }
    .answer(reader.call, &query)
}

/// How many.
pub(super) fn count(reader: &Reader<'_>) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadGroups)?;
    let query = Query { count: true, ..Query::read(reader.call.query)? };
    let filter = filter(reader, &query)?;
    let wanted = |group: &&Group| filter.as_ref().is_none_or(|filter| filter.matches(*group));
    plain_count(reader.call, || groups(reader).iter().filter(wanted).count())
}

/// Who is in a group. Whoever may not see hidden members sees none: the list is empty, and nothing says why.
pub(super) fn members(reader: &Reader<'_>, asked: &Members) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadMembers)?;
    let call = reader.call;
    let mut query = Query::read(call.query)?;
    query.count |= asked.count;
    let Some(tenant) = tenant(reader) else { return Err(GraphError::not_found(&asked.group)) };
    let (at, group) = find(Some(tenant), &asked.group)?;
    let in_full = reader.may(Act::ReadUsersInFull);
    if asked.cast.is_some() && !query.is_advanced(call.headers) {
        return Err(GraphError::new(
            StatusCode::BAD_REQUEST,
            "Request_UnsupportedQuery",
            "Invalid search request.",
        ));
    }
    let filter = match (&query.filter, asked.cast) {
        (None, _) => None,
        (Some(_), Some(Kind::User)) => users::filter(reader, &query, in_full)?,
        (Some(_), _) => {
            let message = "The specified filter to the reference property query is currently not supported.";
            return Err(GraphError::new(StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", message));
        }
    };
    let hides = |group: &Group| group.hidden && !reader.may(Act::ReadHidden);
    let list: Arc<[Object]> = match asked.nested {
        _ if hides(group) => Arc::new([]),
        true => tenant.nested_members(at, &hides),
        false => group.members.as_slice().into(),
    };
    let wanted = |at: usize| {
        let member = list[at];
        tenant.exists(member)
            && asked.cast.is_none_or(|cast| objects::kind(member) == Some(cast))
            // Known issue: service principals are no members in v1.0.
            && (call.version == "beta" || objects::kind(member) != Some(Kind::App))
            && filter.as_ref().is_none_or(|filter| objects::matches(tenant, member, filter))
    };
    if asked.count {
        return plain_count(call, || (0..list.len()).filter(|&at| wanted(at)).count());
    }
    let shown = objects::Shown::new(reader, &query, asked.cast)?;
    let context = if asked.cast == Some(Kind::User) { "users" } else { "directoryObjects" };
    List {
        context: context.into(),
        len: list.len(),
        wanted: &wanted,
        show: &|at| shown.value(tenant, list[at]),
    }
    .answer(call, &query)
}

fn tenant<'a>(reader: &'a Reader<'_>) -> Option<&'a Tenant> {
    reader.call.live.tenant.as_deref()
}

fn groups<'a>(reader: &'a Reader<'_>) -> &'a [Group] {
    tenant(reader).map_or(&[], |tenant| &tenant.groups)
}

fn find<'a>(tenant: Option<&'a Tenant>, id: &str) -> Result<(u32, &'a Group), GraphError> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Err(GraphError::new(
            StatusCode::BAD_REQUEST,
            "Request_BadRequest",
            &format!("Invalid object identifier '{id}'."),
        ));
    }
    tenant.and_then(|tenant| tenant.group(id)).ok_or_else(|| GraphError::not_found(id))
}

fn filter(reader: &Reader<'_>, query: &Query) -> Result<Option<Filter>, GraphError> {
    let Some(text) = &query.filter else { return Ok(None) };
    let filter = Filter::read(text)?;
    filter.check(&SCHEMA, query.is_advanced(reader.call.headers))?;
    Ok(Some(filter))
}

fn selected(query: &Query) -> Result<Vec<&str>, GraphError> {
    let Some(select) = &query.select else { return Ok(PROPERTIES.to_vec()) };
    match select.iter().find(|name| !exists(name)) {
        Some(unknown) => Err(no_property(unknown, "group")),
        None => Ok(select.iter().map(String::as_str).collect()),
    }
}

/// Whether groups have such a property.
pub(super) fn exists(name: &str) -> bool {
    PROPERTIES.contains(&name)
}

/// All of a group that is shown where nothing is selected.
pub(super) fn all() -> &'static [&'static str] {
    &PROPERTIES
}
