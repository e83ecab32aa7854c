//! Who is above and below whom, who is at risk, and who belongs to a unit.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::simulator::store::{AdminUnit, DirectoryStore, Object};

/// The reports of a manager: direct ones, or with theirs and so on, each once. The manager is not among them.
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

/// What Identity Protection says ("List riskyUsers"); the id is the user's.
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

/// A unit as Graph shows it.
pub(super) fn unit(unit: &AdminUnit) -> Value {
    json!({
        "id": unit.id,
        "deletedDateTime": null,
        "displayName": unit.name,
        "description": null,
        "visibility": if unit.hidden { "HiddenMembership".into() } else { Value::Null },
    })
}
