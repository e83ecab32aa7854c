//! A user's properties.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::simulator::fingerprint;
use crate::simulator::graph::Call;
use crate::simulator::odata::{Field, Fields, Property, Schema};
use crate::simulator::recorder::Account;
use crate::simulator::tenant::User;

/// What Graph gives of a user when nothing is selected (user resource type, "Properties returned by default").
pub(super) const DEFAULT: [&str; 11] = [
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

/// What `User.ReadBasic.All` gives (Graph's permission reference).
pub(super) const BASIC: [&str; 6] =
    ["displayName", "givenName", "id", "mail", "surname", "userPrincipalName"];

/// By what users can be filtered, and what only with the advanced query parameters ("Support for filter by properties
/// of Microsoft Entra ID objects").
pub(super) const SCHEMA: Schema = Schema {
    name: "user",
    properties: &[
        ("accountEnabled", Property::Flag),
        ("city", Property::Text),
        ("companyName", Property::Rare),
        ("country", Property::Text),
        ("creationType", Property::Text),
        ("department", Property::Text),
        ("displayName", Property::Text),
        ("employeeId", Property::Text),
        ("externalUserState", Property::Text),
        ("givenName", Property::Text),
        ("id", Property::Text),
        ("jobTitle", Property::Text),
        ("mail", Property::Address),
        ("mobilePhone", Property::Rare),
        ("officeLocation", Property::Rare),
        ("onPremisesSamAccountName", Property::Rare),
        ("onPremisesSyncEnabled", Property::Flag),
        ("otherMails", Property::List),
        ("preferredLanguage", Property::Rare),
        ("proxyAddresses", Property::List),
        ("surname", Property::Text),
        ("userPrincipalName", Property::Address),
        ("userType", Property::Text),
    ],
};

impl Fields for User {
    fn field(&self, name: &str) -> Field<'_> {
        fn text(text: Option<&str>) -> Field<'_> {
            Field::Text(text.map(Cow::Borrowed))
        }
        let (given, family) = self.name.split_once(' ').map_or((None, None), |(a, b)| (Some(a), Some(b)));
        match name {
            "accountEnabled" => Field::Flag(Some(self.enabled)),
            "city" => text(self.city.as_deref()),
            "companyName" => text(self.company.as_deref()),
            "country" => text(self.country.as_deref()),
            "creationType" => text(self.creation_type.as_deref()),
            "department" => text(self.department.as_deref()),
            "displayName" => text(Some(&self.name)),
            "employeeId" => text(self.employee_id.as_deref()),
            "externalUserState" => text(self.external_state.as_deref()),
            "givenName" => text(given),
            "id" => Field::Text(Some(self.id.to_string().into())),
            "jobTitle" => text(self.job_title.as_deref()),
            "mail" => text(self.mail.as_deref()),
            "onPremisesDomainName" => text(self.sam_domain.as_deref()),
            "onPremisesSamAccountName" => text(self.sam.as_deref()),
            // Never false: who never came from there has none.
            "onPremisesSyncEnabled" => Field::Flag(self.synced.then_some(true)),
            "otherMails" => Field::List(&self.other_mails),
            "proxyAddresses" => Field::List(&self.proxies),
            "surname" => text(family),
            "userPrincipalName" => text(Some(&self.upn)),
            "userType" => text(Some(if self.guest { "Guest" } else { "Member" })),
            _ => Field::Text(None),
        }
    }
}

/// Whether users have such a property.
pub(super) fn exists(name: &str) -> bool {
    ["signInSessionsValidFromDateTime", "onPremisesDomainName"].contains(&name)
        || DEFAULT.contains(&name)
        || SCHEMA.properties.iter().any(|(other, _)| *other == name)
}

/// A property of a user in the directory, one that [`exists`].
pub(super) fn property(call: &Call<'_>, user: &User, name: &str) -> Value {
    match name {
        "businessPhones" => json!([]),
        "signInSessionsValidFromDateTime" => valid_from(call, &user.upn.to_lowercase()),
        name => match user.field(name) {
            Field::Text(text) => text.into(),
            Field::Flag(flag) => flag.into(),
            Field::List(items) => items.iter().map(|item| Value::from(&**item)).collect(),
        },
    }
}

/// The same of somebody in a tenant that knows everybody.
pub(super) fn property_of_anybody(call: &Call<'_>, user: &Account, name: &str) -> Value {
    let is_guid = uuid::Uuid::try_parse(&user.key).is_ok();
    match name {
        "id" if is_guid => user.key.clone().into(),
        "id" => fingerprint::guid(&user.key).to_string().into(),
        "userPrincipalName" if is_guid => format!("{}@example.com", user.key).into(),
        "userPrincipalName" => user.sent.clone().into(),
        "displayName" => user.sent.split('@').next().unwrap_or_default().into(),
        "userType" => if call.live.is_external(user) { "Guest" } else { "Member" }.into(),
        "accountEnabled" => true.into(),
        "businessPhones" | "otherMails" | "proxyAddresses" => json!([]),
        "signInSessionsValidFromDateTime" => valid_from(call, &user.key),
        _ => Value::Null,
    }
}

/// When the last revocation took effect.
fn valid_from(call: &Call<'_>, key: &str) -> Value {
    let revoked = call.world.recorder.revoked(key).unwrap_or_default();
    // Whole seconds, as Graph has them.
    format!("{:.0}", call.world.clock.wall(revoked)).into()
}
