//! The choice of the managed identity: the machine's own, or a user-assigned one.

use super::super::{CredentialConfig, SignInError};
use crate::text::sanitize::sanitize_truncated;

/// A user-assigned identity, by one of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IdentityRef {
    Client(String),
    Object(String),
    Resource(String),
}

impl IdentityRef {
    /// The identity of `--identity`, or else of `--client-id` or `AZURE_CLIENT_ID`, as in Azure Identity's default
    /// chain. `None` is the machine's own identity.
    pub(super) fn from_config(config: &CredentialConfig) -> Result<Option<IdentityRef>, SignInError> {
        match (&config.sources.identity, &config.client_id) {
            (Some(text), _) => IdentityRef::parse(text).map(Some),
            (None, Some(client_id)) => Ok(Some(IdentityRef::Client(client_id.clone()))),
            (None, None) => Ok(None),
        }
    }

    /// Reads a client ID (a GUID), `object:GUID`, or a resource ID (`/subscriptions/…`).
    pub(super) fn parse(text: &str) -> Result<IdentityRef, SignInError> {
        let text = text.trim();
        let guid = |text: &str| uuid::Uuid::try_parse(text).map(|guid| guid.to_string()).ok();
        let object = text.split_once(':').filter(|(word, _)| word.eq_ignore_ascii_case("object"));
        let resource = text.get(..15).is_some_and(|begin| begin.eq_ignore_ascii_case("/subscriptions/"));
        let found = match object {
            Some((_, id)) => guid(id.trim()).map(IdentityRef::Object),
            None if resource => Some(IdentityRef::Resource(text.to_owned())),
            None => guid(text).map(IdentityRef::Client),
        };
        found.ok_or_else(|| SignInError::Setting {
            name: "--identity",
            reason: format!(
                "invalid managed identity '{}': use its client ID (a GUID), object:GUID, or its resource ID \
                 (/subscriptions/…)",
                sanitize_truncated(text, 100)
            ),
        })
    }

    /// The query parameter that names it, with the service's names for object and resource IDs.
    pub(super) fn parameter<'a>(&'a self, object: &'a str, resource: &'a str) -> (&'a str, &'a str) {
        match self {
            IdentityRef::Client(id) => ("client_id", id),
            IdentityRef::Object(id) => (object, id),
            IdentityRef::Resource(id) => (resource, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "5a1e0000-0000-4000-8000-0000000000a1";

    #[test]
    fn identities_have_three_names() {
        let resource =
            "/subscriptions/x/resourcegroups/y/providers/Microsoft.ManagedIdentity/userAssignedIdentities/z";
        assert_eq!(IdentityRef::parse(&GUID.to_uppercase()), Ok(IdentityRef::Client(GUID.into())));
        assert_eq!(IdentityRef::parse(&format!("object:{GUID}")), Ok(IdentityRef::Object(GUID.into())));
        assert_eq!(IdentityRef::parse(resource), Ok(IdentityRef::Resource(resource.into())));
        for bad in ["", "name", "object:name", "client:x", "/providers/x", "é/subscriptions/x"] {
            assert!(IdentityRef::parse(bad).is_err(), "{bad}");
        }
    }
}
