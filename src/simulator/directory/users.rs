//! `users`, one or all.

use hyper::Response;
use serde_json::{Map, Value};

use super::{Reader, no_property, person};
use crate::simulator::answer::GraphError;
use crate::simulator::body::Body;
use crate::simulator::odata::{Filter, List, Query, plain_count};
use crate::simulator::permission::Act;
use crate::simulator::recorder::Account;
use crate::simulator::tenant::User;

/// The user, with what `$select` names. `signInSessionsValidFromDateTime` is given only when it is selected, and says
/// when the last revocation took effect.
pub(super) fn one(reader: &Reader<'_>, act: Act, user: &Account) -> Result<Response<Body>, GraphError> {
    let call = reader.call;
    // Of themselves everybody may read everything.
    if act == Act::ReadMe {
        reader.must(Act::ReadMe)?
    } else {
        reader.must(Act::ReadUsers)?
    }
    let query = Query::read(call.query)?;
    let in_full = act == Act::ReadMe || reader.may(Act::ReadUsersInFull);
    let names = selected(&query, in_full)?;
    if !call.live.knows(user) {
        return Err(GraphError::not_found(&user.sent));
    }
    let mut body = Map::new();
    let part = part(&query);
    let context = format!("https://graph.microsoft.com/{}/$metadata#users{part}/$entity", call.version);
    body.insert("@odata.context".into(), context.into());
    let listed = call.live.tenant.as_ref().zip(user.known.as_ref());
    let listed = listed.map(|(tenant, known)| tenant.user_at(known.at));
    for name in names {
        let value = match listed {
            Some(user) => shown(reader, user, name, in_full),
            None => person::property_of_anybody(call, user, name),
        };
        body.insert(name.into(), value);
    }
    Ok(call.marks.ok(Value::from(body).to_string().into()))
}

/// All users, or those whom a filter means.
pub(super) fn list(reader: &Reader<'_>) -> Result<Response<Body>, GraphError> {
    let call = reader.call;
    reader.must(Act::ReadUsers)?;
    let query = Query::read(call.query)?;
    let in_full = reader.may(Act::ReadUsersInFull);
    let names = selected(&query, in_full)?;
    let filter = filter(reader, &query, in_full)?;
    let users = users(reader);
    List {
        context: format!("users{}", part(&query)),
        len: users.len(),
        wanted: &|at| is_wanted(&users[at], filter.as_ref()),
        show: &|at| {
            let user = &users[at];
            let shown = names.iter().map(|&name| (name.to_owned(), shown(reader, user, name, in_full)));
            Value::from(shown.collect::<Map<_, _>>())
        },
    }
    .answer(call, &query)
}

/// How many.
pub(super) fn count(reader: &Reader<'_>) -> Result<Response<Body>, GraphError> {
    reader.must(Act::ReadUsers)?;
    let query = Query { count: true, ..Query::read(reader.call.query)? };
    let filter = filter(reader, &query, reader.may(Act::ReadUsersInFull))?;
    let wanted = |user: &&User| is_wanted(user, filter.as_ref());
    plain_count(reader.call, || users(reader).iter().filter(wanted).count())
}

fn users<'a>(reader: &'a Reader<'_>) -> &'a [User] {
    reader.call.live.tenant.as_ref().map_or(&[], |tenant| &tenant.users)
}

fn is_wanted(user: &User, filter: Option<&Filter>) -> bool {
    !user.deleted && filter.is_none_or(|filter| filter.matches(user))
}

/// The filter in a query, if it is one that is supported and about nothing that is hidden.
pub(super) fn filter(
    reader: &Reader<'_>,
    query: &Query,
    in_full: bool,
) -> Result<Option<Filter>, GraphError> {
    let Some(text) = &query.filter else { return Ok(None) };
    let filter = Filter::read(text)?;
    filter.check(&person::SCHEMA, query.is_advanced(reader.call.headers))?;
    if !in_full && filter.properties().iter().any(|name| !person::BASIC.contains(name)) {
        return Err(GraphError::denied());
    }
    Ok(Some(filter))
}

/// The names of what is to be shown. Whoever may read only what is basic may neither select nor filter by more: 403, as
/// users report (microsoft-graph-toolkit #2602, EntraCP #265).
pub(super) fn selected(query: &Query, in_full: bool) -> Result<Vec<&str>, GraphError> {
    let Some(select) = &query.select else { return Ok(person::DEFAULT.to_vec()) };
    if let Some(unknown) = select.iter().find(|name| !person::exists(name)) {
        return Err(no_property(unknown, "user"));
    }
    if !in_full && select.iter().any(|name| !person::BASIC.contains(&name.as_str())) {
        return Err(GraphError::denied());
    }
    Ok(select.iter().map(String::as_str).collect())
}

/// A property, or nothing where it is more than the reader may see.
fn shown(reader: &Reader<'_>, user: &User, name: &str, in_full: bool) -> Value {
    if in_full || person::BASIC.contains(&name) {
        person::property(reader.call, user, name)
    } else {
        Value::Null
    }
}

/// What of the selection stands in the context.
fn part(query: &Query) -> String {
    query.select.as_ref().map_or_else(String::new, |names| format!("({})", names.join(",")))
}
