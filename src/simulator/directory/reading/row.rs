//! Rows of JSON as lists: filtered, and cut down to what is selected.

use serde_json::{Map, Value};

use crate::simulator::odata::{Field, Fields, Property, Schema};

/// A row.
pub(super) struct Row<'a>(pub(super) &'a Value);

impl Fields for Row<'_> {
    fn field(&self, name: &str) -> Field<'_> {
        match &self.0[name] {
            Value::Bool(flag) => Field::Flag(Some(*flag)),
            value => Field::Text(value.as_str().map(Into::into)),
        }
    }
}

/// The row with the properties that are selected, or all of it.
pub(super) fn select(row: &Value, names: Option<&[String]>) -> Value {
    let (Some(names), Some(all)) = (names, row.as_object()) else { return row.clone() };
    let kept = |name: &str| name.starts_with('@') || names.iter().any(|one| one == name);
    all.iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// By what activated roles can be filtered.
pub(super) const ROLE: Schema = Schema {
    name: "directoryRole",
    properties: &[
        ("id", Property::Text),
        ("displayName", Property::Text),
        ("roleTemplateId", Property::Text),
    ],
};
/// By what role definitions can be filtered.
pub(super) const DEFINITION: Schema = Schema {
    name: "unifiedRoleDefinition",
    properties: &[
        ("id", Property::Text),
        ("displayName", Property::Text),
        ("isBuiltIn", Property::Flag),
        ("templateId", Property::Text),
    ],
};
/// By what assignments of roles can be filtered.
pub(super) const ASSIGNMENT: Schema = Schema { name: "unifiedRoleAssignment", properties: HOLDING };
/// By what eligibilities can be filtered.
pub(super) const ELIGIBILITY: Schema = Schema { name: "unifiedRoleEligibilitySchedule", properties: HOLDING };

const HOLDING: &[(&str, Property)] = &[
    ("id", Property::Text),
    ("principalId", Property::Text),
    ("roleDefinitionId", Property::Text),
    ("directoryScopeId", Property::Text),
];

/// By what administrative units can be filtered.
pub(super) const UNIT: Schema = Schema {
    name: "administrativeUnit",
    properties: &[("id", Property::Text), ("displayName", Property::Text)],
};
/// By what users at risk can be filtered.
pub(super) const RISKY: Schema = Schema {
    name: "riskyUser",
    properties: &[
        ("id", Property::Text),
        ("isDeleted", Property::Flag),
        ("riskDetail", Property::Text),
        ("riskLevel", Property::Text),
        ("riskState", Property::Text),
        ("userPrincipalName", Property::Text),
    ],
};
/// By what apps can be filtered.
pub(super) const APP: Schema = Schema {
    name: "application",
    properties: &[("id", Property::Text), ("appId", Property::Text), ("displayName", Property::Text)],
};
/// By what the organization can be filtered.
pub(super) const ORGANIZATION: Schema =
    Schema { name: "organization", properties: &[("id", Property::Text), ("displayName", Property::Text)] };
