//! A user's properties.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::simulator::fingerprint;
use crate::simulator::graph::Call;
use crate::simulator::odata::{FilterSchema, HasProperties, PropertyType, PropertyValue};
use crate::simulator::recorder::Account;
use crate::simulator::store::User;

/// The properties of a user that Graph returns by default (user resource type, "Properties returned by default").
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

/// The properties that `User.ReadBasic.All` allows (Graph's permission reference).
pub(super) const BASIC: [&str; 6] =
    ["displayName", "givenName", "id", "mail", "surname", "userPrincipalName"];

/// The properties that a filter for users may use, and which need the advanced query parameters ("Support for filter by
/// properties of Microsoft Entra ID objects").
pub(super) const SCHEMA: FilterSchema = FilterSchema {
    name: "user",
    properties: &[
        ("accountEnabled", PropertyType::Flag),
        ("city", PropertyType::Text),
        ("companyName", PropertyType::AdvancedText),
        ("country", PropertyType::Text),
        ("creationType", PropertyType::Text),
        ("department", PropertyType::Text),
        ("displayName", PropertyType::Text),
        ("employeeId", PropertyType::Text),
        ("externalUserState", PropertyType::Text),
        ("givenName", PropertyType::Text),
        ("id", PropertyType::Text),
        ("jobTitle", PropertyType::Text),
        ("mail", PropertyType::Address),
        ("mobilePhone", PropertyType::AdvancedText),
        ("officeLocation", PropertyType::AdvancedText),
        ("onPremisesSamAccountName", PropertyType::AdvancedText),
        ("onPremisesSyncEnabled", PropertyType::Flag),
        ("otherMails", PropertyType::List),
        ("preferredLanguage", PropertyType::AdvancedText),
        ("proxyAddresses", PropertyType::List),
        ("surname", PropertyType::Text),
        ("userPrincipalName", PropertyType::Address),
        ("userType", PropertyType::Text),
    ],
};

impl HasProperties for User {
    fn property(&self, name: &str) -> PropertyValue<'_> {
        fn text(text: Option<&str>) -> PropertyValue<'_> {
            PropertyValue::Text(text.map(Cow::Borrowed))
        }
        let (given, family) = self.name.split_once(' ').map_or((None, None), |(a, b)| (Some(a), Some(b)));
        match name {
            "accountEnabled" => PropertyValue::Flag(Some(self.enabled)),
            "city" => text(self.city.as_deref()),
            "companyName" => text(self.company.as_deref()),
            "country" => text(self.country.as_deref()),
            "creationType" => text(self.creation_type.as_deref()),
            "department" => text(self.department.as_deref()),
            "displayName" => text(Some(&self.name)),
            "employeeId" => text(self.employee_id.as_deref()),
            "externalUserState" => text(self.external_state.as_deref()),
            "givenName" => text(given),
            "id" => PropertyValue::Text(Some(self.id.to_string().into())),
            "jobTitle" => text(self.job_title.as_deref()),
            "mail" => text(self.mail.as_deref()),
            "onPremisesDomainName" => text(self.sam_domain.as_deref()),
            "onPremisesSamAccountName" => text(self.sam.as_deref()),
            // Never false: users that were never synced have no value.
            "onPremisesSyncEnabled" => PropertyValue::Flag(self.synced.then_some(true)),
            "otherMails" => PropertyValue::List(&self.other_mails),
            "proxyAddresses" => PropertyValue::List(&self.proxies),
            "surname" => text(family),
            "userPrincipalName" => text(Some(&self.upn)),
            "userType" => text(Some(if self.guest { "Guest" } else { "Member" })),
            _ => PropertyValue::Text(None),
        }
    }
}

/// Whether users have such a property.
pub(super) fn is_property(name: &str) -> bool {
    ["signInSessionsValidFromDateTime", "onPremisesDomainName"].contains(&name)
        || DEFAULT.contains(&name)
        || SCHEMA.properties.iter().any(|(other, _)| *other == name)
}

/// A property of a user in the directory. [`is_property`] must be true for `name`.
pub(super) fn property(call: &Call<'_>, user: &User, name: &str) -> Value {
    match name {
        "businessPhones" => json!([]),
        "signInSessionsValidFromDateTime" => valid_from(call, &user.upn.to_lowercase()),
        name => match user.property(name) {
            PropertyValue::Text(text) => text.into(),
            PropertyValue::Flag(flag) => flag.into(),
            PropertyValue::List(items) => items.iter().map(|item| Value::from(&**item)).collect(),
        },
    }
}

/// A property of a user in a tenant without a directory, where every user exists.
pub(super) fn synthetic_property(call: &Call<'_>, user: &Account, name: &str) -> Value {
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

/// When a revocation last took effect.
fn valid_from(call: &Call<'_>, key: &str) -> Value {
    let revoked = call.state.recorder.last_revoked(key).unwrap_or_default();
    // Whole seconds, as in Graph.
    format!("{:.0}", call.state.clock.wall_time(revoked)).into()
}
