//! A user as the directory knows it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::user_id::names_external;

/// One user. What the directory did not return is `None`: without the permission to read users, only the ID is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectoryUser {
    /// Object ID.
    pub id: Uuid,
    /// User principal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upn: Option<Box<str>>,
    /// `displayName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    /// Whether `userType` is `Guest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<bool>,
    /// `accountEnabled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `onPremisesSyncEnabled`. Graph's null means that the user was never synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<bool>,
}

/// The user that an ID names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvedId {
    /// A user of the directory.
    User(DirectoryUser),
    /// No user.
    Missing,
    /// A user who was deleted and can still be restored. The object ID, if it is known.
    Deleted(Option<Uuid>),
    /// Several users: their names. The program never picks one of them.
    Ambiguous(Vec<String>),
}

/// The fields of a user to request (`$select`).
pub(super) const SELECT: &str =
    "id,userPrincipalName,displayName,userType,accountEnabled,onPremisesSyncEnabled";

/// The fields if only basic profiles may be read (`User.ReadBasic.All`).
pub(super) const BASIC_SELECT: &str = "id,userPrincipalName,displayName";

impl DirectoryUser {
    /// Reads a user from an answer. `onPremisesSyncEnabled` is null for a user who was never synced.
    ///
    /// # Errors
    /// Why the value is not a user: it has no object ID, or a field has the wrong type.
    pub fn read(user: &Value) -> Result<DirectoryUser, &'static str> {
        let id = user.get("id").and_then(Value::as_str).ok_or("a user without an ID")?;
        let id = Uuid::try_parse(id.trim()).map_err(|_| "a user whose ID is not an object ID")?;
        if id.is_nil() {
            return Err("a user whose ID is not an object ID");
        }
        let synced = user.get("onPremisesSyncEnabled").is_some().then_some(false);
        let upn = optional_text(user, "userPrincipalName")?;
        // If the token may read the user, null means that the field was never set: accounts older than `userType` do
        // not have one, and `accountEnabled` is false only for disabled accounts.
        let was_told = |field: &str| upn.is_some() && user.get(field).is_some();
        let by_name = || upn.as_deref().filter(|_| was_told("userType")).map(names_external);
        let enabled = was_told("accountEnabled").then_some(true);
        Ok(DirectoryUser {
            id,
            name: optional_text(user, "displayName")?,
            guest: optional_text(user, "userType")?
                .map(|kind| kind.eq_ignore_ascii_case("guest"))
                .or_else(by_name),
            enabled: optional_bool(user, "accountEnabled")?.or(enabled),
            synced: optional_bool(user, "onPremisesSyncEnabled")?.or(synced),
            upn,
        })
    }
}

fn optional_text(user: &Value, field: &str) -> Result<Option<Box<str>>, &'static str> {
    match user.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err("a user whose name is not text"),
    }
}

fn optional_bool(user: &Value, field: &str) -> Result<Option<bool>, &'static str> {
    match user.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(_) => Err("a user whose state is neither true nor false"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0785EF7C-1C1B-4FF4-9AB1-1A2B3C4D5E6F";

    #[test]
    fn a_user_is_read_as_far_as_it_is_told() {
        let user = json!({
            "id": ID, "userPrincipalName": "Jo@contoso.com", "displayName": null, "userType": "Guest",
            "accountEnabled": false, "onPremisesSyncEnabled": null,
        });
        let person = DirectoryUser::read(&user).unwrap();
        assert_eq!(person.id.to_string(), ID.to_lowercase());
        assert_eq!((person.upn.as_deref(), person.name), (Some("Jo@contoso.com"), None));
        assert_eq!((person.guest, person.enabled, person.synced), (Some(true), Some(false), Some(false)));
        let old = json!({
            "id": ID, "userPrincipalName": "a_b.com#EXT#@contoso.com", "userType": null, "accountEnabled": null,
        });
        let old = DirectoryUser::read(&old).unwrap();
        assert_eq!((old.guest, old.enabled), (Some(true), Some(true)), "never set, and not unknown");
        let bare = DirectoryUser::read(&json!({"id": ID})).unwrap();
        assert_eq!((bare.upn, bare.guest, bare.enabled, bare.synced), (None, None, None, None));
    }

    #[test]
    fn malformed_user_is_rejected() {
        for odd in [
            json!({}),
            json!({"id": null}),
            json!({"id": "jo@contoso.com"}),
            json!({"id": Uuid::nil()}),
            json!({"id": ID, "userPrincipalName": 1}),
            json!({"id": ID, "accountEnabled": "true"}),
            json!([]),
        ] {
            assert!(DirectoryUser::read(&odd).is_err(), "{odd}");
        }
    }
}
