//! What an item of a list is.

use serde_json::Value;
use uuid::Uuid;

use super::{DirectoryError, DirectoryUser};

/// An object of the directory, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DirectoryObject {
    /// A user.
    User(DirectoryUser),
    /// A group.
    Group(Uuid),
    /// Something that has no sessions of its own: a device, a service principal, a contact.
    Other,
    /// An object without a type.
    Untyped(Uuid),
}

impl DirectoryObject {
    /// Reads an item of a list that may have objects of all types. `@odata.type` is the type. `what` is the list.
    ///
    /// # Errors
    /// When a user, a group or an object without a type has no ID, because then it is not known who is in the list.
    pub(super) fn read(value: &Value, what: &str) -> Result<DirectoryObject, DirectoryError> {
        let kind = value.get("@odata.type").and_then(Value::as_str).map(|kind| kind.trim_start_matches('#'));
        match kind {
            // The user of an agent is a user as well (learn.microsoft.com/graph/api/resources/agentuser).
            Some("microsoft.graph.user" | "microsoft.graph.agentUser") => {
                DirectoryObject::read_user(value, what).map(DirectoryObject::User)
            }
            Some("microsoft.graph.group") => read_id(value, what).map(DirectoryObject::Group),
            Some("microsoft.graph.directoryObject") | None => {
                read_id(value, what).map(DirectoryObject::Untyped)
            }
            Some(_) => Ok(DirectoryObject::Other),
        }
    }

    /// Reads an item of a list that has only users.
    ///
    /// # Errors
    /// When the item is not a user.
    pub(super) fn read_user(value: &Value, what: &str) -> Result<DirectoryUser, DirectoryError> {
        let user = DirectoryUser::read(value).map_err(|reason| DirectoryError::Untrusted {
            what: what.to_owned(),
            reason: format!("Graph's answer has {reason}"),
        })?;
        // Without the permission to read users, Graph returns only IDs, and null for everything else. The nulls say
        // nothing about the user (learn.microsoft.com/graph/permissions-overview, "Limited information returned for
        // inaccessible objects").
        Ok(match user.upn {
            Some(_) => user,
            None => DirectoryUser { id: user.id, ..DirectoryUser::default() },
        })
    }
}

/// Reads the object ID.
pub(super) fn read_id(value: &Value, what: &str) -> Result<Uuid, DirectoryError> {
    let text = value.get("id").and_then(Value::as_str).unwrap_or_default();
    Uuid::try_parse(text).map_err(|_| DirectoryError::Untrusted {
        what: what.to_owned(),
        reason: format!(
            "an item in Graph's answer has no object ID ({})",
            crate::text::sanitize::sanitize_truncated(text, 60)
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

    fn read(value: Value) -> DirectoryObject {
        DirectoryObject::read(&value, "group Finance").unwrap()
    }

    #[test]
    fn the_type_tells_what_an_item_is() {
        let id = Uuid::try_parse(ID).unwrap();
        let of = |kind: &str| read(json!({ "@odata.type": kind, "id": ID }));
        assert!(matches!(of("#microsoft.graph.user"), DirectoryObject::User(user) if user.id == id));
        assert!(matches!(of("#microsoft.graph.agentUser"), DirectoryObject::User(_)));
        assert_eq!(of("#microsoft.graph.group"), DirectoryObject::Group(id));
        assert_eq!(of("#microsoft.graph.servicePrincipal"), DirectoryObject::Other);
        assert_eq!(of("#microsoft.graph.directoryObject"), DirectoryObject::Untyped(id));
        assert_eq!(read(json!({ "id": ID })), DirectoryObject::Untyped(id));
    }

    #[test]
    fn object_without_id_is_an_error() {
        for odd in [json!({}), json!({ "@odata.type": "#microsoft.graph.user", "id": null })] {
            let error = DirectoryObject::read(&odd, "group Finance").unwrap_err();
            assert!(matches!(error, DirectoryError::Untrusted { .. }), "{error}");
        }
    }

    #[test]
    fn nulls_without_read_permission_are_unknown() {
        let nulls = json!({ "id": ID, "userPrincipalName": null, "onPremisesSyncEnabled": null });
        assert_eq!(DirectoryObject::read_user(&nulls, "x").unwrap().synced, None);
        let known = json!({ "id": ID, "userPrincipalName": "a@b.c", "onPremisesSyncEnabled": null });
        assert_eq!(DirectoryObject::read_user(&known, "x").unwrap().synced, Some(false));
    }
}
