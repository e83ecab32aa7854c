//! What an item of a list is.

use serde_json::Value;
use uuid::Uuid;

use super::{DirectoryError, DirectoryUser};

/// An object of the directory, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A user.
    User(DirectoryUser),
    /// A group.
    Group(Uuid),
    /// Something that has no sessions of its own: a device, a service principal, a contact.
    Other,
    /// It does not say what it is.
    Untold(Uuid),
}

impl Item {
    /// Reads an item of a list in which anything may stand; `@odata.type` tells what it is. `what` is the list.
    ///
    /// # Errors
    /// When a user, a group or something untold has no id: then it can't be told whom the list holds.
    pub(super) fn read(value: &Value, what: &str) -> Result<Item, DirectoryError> {
        let kind = value.get("@odata.type").and_then(Value::as_str).map(|kind| kind.trim_start_matches('#'));
        match kind {
            // An agent's user is a user, too (learn.microsoft.com/graph/api/resources/agentuser).
            Some("microsoft.graph.user" | "microsoft.graph.agentUser") => {
                Item::user(value, what).map(Item::User)
            }
            Some("microsoft.graph.group") => id(value, what).map(Item::Group),
            Some("microsoft.graph.directoryObject") | None => id(value, what).map(Item::Untold),
            Some(_) => Ok(Item::Other),
        }
    }

    /// Reads an item of a list that holds users alone.
    ///
    /// # Errors
    /// When it is no user.
    pub(super) fn user(value: &Value, what: &str) -> Result<DirectoryUser, DirectoryError> {
        let person = DirectoryUser::read(value).map_err(|reason| DirectoryError::Untrusted {
            what: what.to_owned(),
            reason: format!("Graph's answer holds {reason}"),
        })?;
        // Who may not read users gets ids alone, and null for all else: that says nothing of the user
        // (learn.microsoft.com/graph/permissions-overview, "Limited information returned for inaccessible objects").
        Ok(match person.upn {
            Some(_) => person,
            None => DirectoryUser { id: person.id, ..DirectoryUser::default() },
        })
    }
}

/// The object id.
pub(super) fn id(value: &Value, what: &str) -> Result<Uuid, DirectoryError> {
    let text = value.get("id").and_then(Value::as_str).unwrap_or_default();
    Uuid::try_parse(text).map_err(|_| DirectoryError::Untrusted {
        what: what.to_owned(),
        reason: format!(
            "an item in Graph's answer has no object id ({})",
            crate::harmless::sanitize_truncated(text, 60)
        ),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";

    fn read(value: Value) -> Item {
        Item::read(&value, "group Finance").unwrap()
    }

    #[test]
    fn the_type_tells_what_an_item_is() {
        let id = Uuid::try_parse(ID).unwrap();
        let of = |kind: &str| read(json!({ "@odata.type": kind, "id": ID }));
        assert!(matches!(of("#microsoft.graph.user"), Item::User(person) if person.id == id));
        assert!(matches!(of("#microsoft.graph.agentUser"), Item::User(_)));
        assert_eq!(of("#microsoft.graph.group"), Item::Group(id));
        assert_eq!(of("#microsoft.graph.servicePrincipal"), Item::Other);
        assert_eq!(of("#microsoft.graph.directoryObject"), Item::Untold(id));
        assert_eq!(read(json!({ "id": ID })), Item::Untold(id));
    }

    #[test]
    fn what_has_no_id_is_not_passed_over() {
        for odd in [json!({}), json!({ "@odata.type": "#microsoft.graph.user", "id": null })] {
            let error = Item::read(&odd, "group Finance").unwrap_err();
            assert!(matches!(error, DirectoryError::Untrusted { .. }), "{error}");
        }
    }

    #[test]
    fn nulls_of_who_may_not_read_users_say_nothing() {
        let nulls = json!({ "id": ID, "userPrincipalName": null, "onPremisesSyncEnabled": null });
        assert_eq!(Item::user(&nulls, "x").unwrap().synced, None);
        let told = json!({ "id": ID, "userPrincipalName": "a@b.c", "onPremisesSyncEnabled": null });
        assert_eq!(Item::user(&told, "x").unwrap().synced, Some(false));
    }
}
