//! Reports of a manager, users at risk, and administrative units.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::simulator::store::{AdminUnit, DirectoryStore, Object};

/// The reports of a manager: the direct ones, or with `nested` also theirs, each once. The manager is not included.
pub(super) fn reports(store: &DirectoryStore, manager: u32, nested: bool) -> Vec<Object> {
    let mut found: Vec<u32> = store.direct_reports(manager).filter(|&at| at != manager).collect();
    let mut seen: HashSet<u32> = found.iter().copied().chain([manager]).collect();
    let mut next = 0;
    while nested && next < found.len() {
        found.extend(store.direct_reports(found[next]).filter(|&at| seen.insert(at)).collect::<Vec<_>>());
        next += 1;
    }
    found.into_iter().map(Object::User).collect()
}

/// The users at risk, as Identity Protection lists them ("List riskyUsers"). The ID is the user's.
pub(super) fn risky(store: &DirectoryStore) -> Vec<Value> {
    let row = |risky: &crate::simulator::store::RiskyUser| {
        let user = store.user_at(risky.user);
        json!({
            "id": user.id,
            "isDeleted": user.deleted,
            "isProcessing": false,
            "riskLastUpdatedDateTime": "2026-01-01T00:00:00Z",
            "riskLevel": risky.level,
            "riskState": risky.state,
            "riskDetail": "none",
            "userDisplayName": user.name,
            "userPrincipalName": user.upn,
        })
    };
    store.risky.iter().map(row).collect()
}

/// The JSON of a unit.
pub(super) fn unit(unit: &AdminUnit) -> Value {
    json!({
        "id": unit.id,
        "deletedDateTime": null,
        "displayName": unit.name,
        "description": null,
        "visibility": if unit.hidden { "HiddenMembership".into() } else { Value::Null },
    })
}
