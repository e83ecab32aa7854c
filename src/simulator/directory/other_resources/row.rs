//! Rows of JSON as lists: filtered, and cut down to what is selected.

use serde_json::{Map, Value};

use crate::simulator::odata::{FilterSchema, HasProperties, PropertyType, PropertyValue};

/// A row.
pub(super) struct FilterableRow<'a>(pub(super) &'a Value);

impl HasProperties for FilterableRow<'_> {
    fn property(&self, name: &str) -> PropertyValue<'_> {
        match &self.0[name] {
            Value::Bool(flag) => PropertyValue::Flag(Some(*flag)),
            value => PropertyValue::Text(value.as_str().map(Into::into)),
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
pub(super) const ROLE: FilterSchema = FilterSchema {
    name: "directoryRole",
    properties: &[
        ("id", PropertyType::Text),
        ("displayName", PropertyType::Text),
        ("roleTemplateId", PropertyType::Text),
    ],
};
/// By what role definitions can be filtered.
pub(super) const DEFINITION: FilterSchema = FilterSchema {
    name: "unifiedRoleDefinition",
    properties: &[
        ("id", PropertyType::Text),
        ("displayName", PropertyType::Text),
        ("isBuiltIn", PropertyType::Flag),
        ("templateId", PropertyType::Text),
    ],
};
/// By what assignments of roles can be filtered.
pub(super) const ASSIGNMENT: FilterSchema =
    FilterSchema { name: "unifiedRoleAssignment", properties: HOLDING };
/// By what eligibilities can be filtered.
pub(super) const ELIGIBILITY: FilterSchema =
    FilterSchema { name: "unifiedRoleEligibilitySchedule", properties: HOLDING };

const HOLDING: &[(&str, PropertyType)] = &[
    ("id", PropertyType::Text),
    ("principalId", PropertyType::Text),
    ("roleDefinitionId", PropertyType::Text),
    ("directoryScopeId", PropertyType::Text),
];

/// By what administrative units can be filtered.
pub(super) const UNIT: FilterSchema = FilterSchema {
    name: "administrativeUnit",
    properties: &[("id", PropertyType::Text), ("displayName", PropertyType::Text)],
};
/// By what users at risk can be filtered.
pub(super) const RISKY: FilterSchema = FilterSchema {
    name: "riskyUser",
    properties: &[
        ("id", PropertyType::Text),
        ("isDeleted", PropertyType::Flag),
        ("riskDetail", PropertyType::Text),
        ("riskLevel", PropertyType::Text),
        ("riskState", PropertyType::Text),
        ("userPrincipalName", PropertyType::Text),
    ],
};
/// By what apps can be filtered.
pub(super) const APP: FilterSchema = FilterSchema {
    name: "application",
    properties: &[
        ("id", PropertyType::Text),
        ("appId", PropertyType::Text),
        ("displayName", PropertyType::Text),
    ],
};
/// By what the organization can be filtered.
pub(super) const ORGANIZATION: FilterSchema = FilterSchema {
    name: "organization",
    properties: &[("id", PropertyType::Text), ("displayName", PropertyType::Text)],
};
