//! The app that signs in, as a registration and as a service principal, and the organization.

use serde_json::{Value, json};
use uuid::Uuid;

use super::path::AppKind;
use crate::simulator::config::TokenConfig;
use crate::simulator::fingerprint;
use crate::simulator::session::DEFAULT_APP;
use crate::simulator::store::DirectoryStore;

/// The app that signs in.
pub(super) struct AppObjects<'a> {
    /// Its client id.
    id: &'a str,
}

impl<'a> AppObjects<'a> {
    /// The configured one, or the one that the token names. A token that is no JWT names none, and stands for one itself:
    /// nobody is to read it again.
    pub(super) fn new(config: &'a TokenConfig, of_token: &'a str) -> AppObjects<'a> {
        let named = Some(of_token).filter(|id| Uuid::try_parse(id).is_ok());
        AppObjects { id: config.client_id.as_deref().or(named).unwrap_or(DEFAULT_APP) }
    }

    /// Its object id.
    fn object_id(&self, kind: AppKind) -> Uuid {
        fingerprint::guid(&format!("{}:{}", kind.segment(), self.id.to_lowercase()))
    }

    /// Whether `key`, an app id or an object id, means it.
    pub(super) fn matches(&self, kind: AppKind, key: &str) -> bool {
        key.eq_ignore_ascii_case(self.id) || Uuid::try_parse(key) == Ok(self.object_id(kind))
    }

    /// As Graph shows it.
    pub(super) fn show(&self, kind: AppKind) -> Value {
        json!({"id": self.object_id(kind), "appId": self.id, "displayName": "entra-revoke"})
    }
}

/// The organization. `id` is the tenant's.
pub(super) fn organization(store: &DirectoryStore, id: &str) -> Value {
    json!({
        "id": id,
        "displayName": store.organization,
        "tenantType": "AAD",
        "verifiedDomains": [
            {"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": true, "isInitial": true,
             "name": store.domain, "type": "Managed"}
        ],
    })
}
