//! Users as they can be read.

use hyper::Response;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::answer::GraphError;
use super::body::Body;
use super::fingerprint;
use super::graph::Call;
use super::recorder::Account;

/// What Graph gives of a user when nothing is selected (user resource type, "Properties returned by default").
const DEFAULT: [&str; 11] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];

/// The user, with the properties that `$select` in `query` names. `signInSessionsValidFromDateTime` is given only
/// when it is selected, and says when the last revocation took effect.
pub(super) fn user(
    call: &Call<'_>,
    user: &Account,
    query: Option<&str>,
) -> Result<Response<Body>, GraphError> {
    if !call.live.knows(user) {
        return Err(GraphError::not_found(&user.sent));
    }
    let selected = select(query);
    let names: Vec<&str> = match &selected {
        Some(list) => list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
        None => DEFAULT.to_vec(),
    };
    let mut body = Map::new();
    let part = selected.as_deref().map_or_else(String::new, |list| format!("({list})"));
    let context = format!("https://graph.microsoft.com/{}/$metadata#users{part}/$entity", call.version);
    body.insert("@odata.context".into(), context.into());
    for name in names {
        body.insert(name.into(), property(call, user, name)?);
    }
    Ok(call.marks.ok(Value::from(body).to_string().into()))
}

fn property(call: &Call<'_>, user: &Account, name: &str) -> Result<Value, GraphError> {
    let is_guid = uuid::Uuid::try_parse(&user.key).is_ok();
    Ok(match name {
        "id" if is_guid => user.key.clone().into(),
        "id" => fingerprint::guid(&user.key).to_string().into(),
        "userPrincipalName" if is_guid => format!("{}@example.com", user.key).into(),
        "userPrincipalName" => user.sent.clone().into(),
        "displayName" => user.sent.split('@').next().unwrap_or_default().into(),
        "userType" => if call.live.is_external(user) { "Guest" } else { "Member" }.into(),
        "accountEnabled" => true.into(),
        "businessPhones" => json!([]),
        "signInSessionsValidFromDateTime" => {
            let revoked = call.world.recorder.revoked(&user.key).unwrap_or_default();
            // Whole seconds, as Graph has them.
            format!("{:.0}", call.world.clock.wall(revoked)).into()
        }
        name if DEFAULT.contains(&name) => Value::Null,
        other => {
            let message =
                format!("Could not find a property named '{other}' on type 'microsoft.graph.user'.");
            return Err(GraphError::bad_request(&message));
        }
    })
}

fn select(query: Option<&str>) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = percent_decode_str(key).decode_utf8().ok()?;
        let value = percent_decode_str(value).decode_utf8().ok()?;
        key.eq_ignore_ascii_case("$select").then(|| value.into_owned())
    })
}
