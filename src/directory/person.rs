//! A user as the directory knows it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One user. What the directory did not tell is none: without the permission to read users, only the id is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Object id.
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
    /// `onPremisesSyncEnabled`; Graph's null means that it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<bool>,
}

/// What an id turned out to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A user of the directory.
    Person(Person),
    /// Nobody.
    Missing,
    /// A user who was deleted and can still be restored; under which object id, where that is known.
    Deleted(Option<Uuid>),
    /// Several users: their names. Never guessed.
    Ambiguous(Vec<String>),
}
