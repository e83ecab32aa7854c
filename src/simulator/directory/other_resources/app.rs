//! The app that signs in (its registration and its service principal), and the organization.

use serde_json::{Value, json};
use uuid::Uuid;

use super::path::AppKind;
use crate::simulator::config::TokenConfig;
use crate::simulator::fingerprint;
use crate::simulator::session::DEFAULT_APP;
use crate::simulator::store::DirectoryStore;

/// The app that signs in.
pub(super) struct AppObjects<'a> {
    /// The client ID.
    id: &'a str,
}

impl<'a> AppObjects<'a> {
    /// The configured app, or the app in the token. A token that is not a JWT contains no app ID, and then `token_app`
    /// is the token itself, which must not be shown.
    pub(super) fn new(config: &'a TokenConfig, token_app: &'a str) -> AppObjects<'a> {
        let named = Some(token_app).filter(|id| Uuid::try_parse(id).is_ok());
        AppObjects { id: config.client_id.as_deref().or(named).unwrap_or(DEFAULT_APP) }
    }

    /// The object ID.
    fn object_id(&self, kind: AppKind) -> Uuid {
        fingerprint::guid(&format!("{}:{}", kind.segment(), self.id.to_lowercase()))
    }

    /// Whether `key`, an app ID or an object ID, is this app.
    pub(super) fn matches(&self, kind: AppKind, key: &str) -> bool {
        key.eq_ignore_ascii_case(self.id) || Uuid::try_parse(key) == Ok(self.object_id(kind))
    }

    /// The JSON of the app.
    pub(super) fn show(&self, kind: AppKind) -> Value {
        json!({"id": self.object_id(kind), "appId": self.id, "displayName": "entra-revoke"})
    }
}

/// The JSON of the organization. `id` is the tenant's ID.
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
