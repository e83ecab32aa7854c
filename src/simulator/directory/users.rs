//! `users`: one user, all users, and their number.

use hyper::Response;
use serde_json::{Map, Value};

use super::{DirectoryRequest, no_property, person};
use crate::simulator::body::Body;
use crate::simulator::graph_response::GraphError;
use crate::simulator::odata::{ODataFilter, ODataQuery, PagedList, count_response};
use crate::simulator::permission::Operation;
use crate::simulator::recorder::Account;
use crate::simulator::store::User;

/// One user, with the properties in `$select`. `signInSessionsValidFromDateTime` is only returned if it is selected. It
/// is the time when a revocation last took effect.
pub(super) fn read_one(
    request: &DirectoryRequest<'_>,
    operation: Operation,
    user: &Account,
) -> Result<Response<Body>, GraphError> {
    let call = request.call;
    // Users may read all of their own properties.
    if operation == Operation::ReadMe {
        request.require(Operation::ReadMe)?
    } else {
        request.require(Operation::ReadUsers)?
    }
    let query = ODataQuery::parse(call.query)?;
    let in_full = operation == Operation::ReadMe || request.has_permission(Operation::ReadUsersInFull);
    let names = selected(&query, in_full)?;
    if !call.live.has_user(user) {
        return Err(GraphError::not_found(&user.sent));
    }
    let mut body = Map::new();
    let part = context_suffix(&query);
    let context = format!("https://graph.microsoft.com/{}/$metadata#users{part}/$entity", call.version);
    body.insert("@odata.context".into(), context.into());
    let listed = call.live.store.as_ref().zip(user.resolved.as_ref());
    let listed = listed.map(|(store, known)| store.user_at(known.index));
    for name in names {
        let value = match listed {
            Some(user) => visible_property(request, user, name, in_full),
            None => person::synthetic_property(call, user, name),
        };
        body.insert(name.into(), value);
    }
    Ok(call.responder.ok(Value::from(body).to_string().into()))
}

/// All users, or those that match the filter.
pub(super) fn list(request: &DirectoryRequest<'_>) -> Result<Response<Body>, GraphError> {
    let call = request.call;
    request.require(Operation::ReadUsers)?;
    let query = ODataQuery::parse(call.query)?;
    let in_full = request.has_permission(Operation::ReadUsersInFull);
    let names = selected(&query, in_full)?;
    let filter = filter(request, &query, in_full)?;
    let users = users(request);
    PagedList {
        context: format!("users{}", context_suffix(&query)),
        len: users.len(),
        is_included: &|at| is_listed(&users[at], filter.as_ref()),
        item_json: &|at| {
            let user = &users[at];
            let shown =
                names.iter().map(|&name| (name.to_owned(), visible_property(request, user, name, in_full)));
            Value::from(shown.collect::<Map<_, _>>())
        },
    }
    .respond(call, &query)
}

/// The number of users.
pub(super) fn count(request: &DirectoryRequest<'_>) -> Result<Response<Body>, GraphError> {
    request.require(Operation::ReadUsers)?;
    let query = ODataQuery { count: true, ..ODataQuery::parse(request.call.query)? };
    let filter = filter(request, &query, request.has_permission(Operation::ReadUsersInFull))?;
    let wanted = |user: &&User| is_listed(user, filter.as_ref());
    count_response(request.call, || users(request).iter().filter(wanted).count())
}

fn users<'a>(request: &'a DirectoryRequest<'_>) -> &'a [User] {
    request.call.live.store.as_ref().map_or(&[], |store| &store.users)
}

fn is_listed(user: &User, filter: Option<&ODataFilter>) -> bool {
    !user.deleted && filter.is_none_or(|filter| filter.matches(user))
}

/// The filter of a query, if it is supported and uses no property that the client may not read.
pub(super) fn filter(
    request: &DirectoryRequest<'_>,
    query: &ODataQuery,
    in_full: bool,
) -> Result<Option<ODataFilter>, GraphError> {
    let Some(text) = &query.filter else { return Ok(None) };
    let filter = ODataFilter::parse(text)?;
    filter.check(&person::SCHEMA, query.is_advanced(request.call.headers))?;
    if !in_full && filter.properties().iter().any(|name| !person::BASIC.contains(name)) {
        return Err(GraphError::denied());
    }
    Ok(Some(filter))
}

/// The names of the selected properties. A client that may only read basic properties may neither select others nor
/// filter by them: 403, as users report (microsoft-graph-toolkit #2602, EntraCP #265).
pub(super) fn selected(query: &ODataQuery, in_full: bool) -> Result<Vec<&str>, GraphError> {
    let Some(select) = &query.select else { return Ok(person::DEFAULT.to_vec()) };
    if let Some(unknown) = select.iter().find(|name| !person::is_property(name)) {
        return Err(no_property(unknown, "user"));
    }
    if !in_full && select.iter().any(|name| !person::BASIC.contains(&name.as_str())) {
        return Err(GraphError::denied());
    }
    Ok(select.iter().map(String::as_str).collect())
}

/// The value of a property; null if the client may not read it.
fn visible_property(request: &DirectoryRequest<'_>, user: &User, name: &str, in_full: bool) -> Value {
    if in_full || person::BASIC.contains(&name) {
        person::property(request.call, user, name)
    } else {
        Value::Null
    }
}

/// The part of the context that names the selected properties.
fn context_suffix(query: &ODataQuery) -> String {
    query.select.as_ref().map_or_else(String::new, |names| format!("({})", names.join(",")))
}
