//! Rows of JSON that can be filtered and reduced to the selected properties.

use serde_json::{Map, Value};

use crate::simulator::odata::{FilterSchema, HasProperties, PropertyType, PropertyValue};

/// A JSON object as something that a filter can be applied to.
pub(super) struct FilterableRow<'a>(pub(super) &'a Value);

impl HasProperties for FilterableRow<'_> {
    fn property(&self, name: &str) -> PropertyValue<'_> {
        match &self.0[name] {
            Value::Bool(flag) => PropertyValue::Flag(Some(*flag)),
            value => PropertyValue::Text(value.as_str().map(Into::into)),
        }
    }
}

/// The row with only the selected properties, or all of it.
pub(super) fn select(row: &Value, names: Option<&[String]>) -> Value {
    let (Some(names), Some(all)) = (names, row.as_object()) else { return row.clone() };
    let kept = |name: &str| name.starts_with('@') || names.iter().any(|one| one == name);
    all.iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

/// The properties that a filter for activated roles may use.
pub(super) const ROLE: FilterSchema = FilterSchema {
    name: "directoryRole",
    properties: &[
        ("id", PropertyType::Text),
        ("displayName", PropertyType::Text),
        ("roleTemplateId", PropertyType::Text),
    ],
};
/// The properties that a filter for role definitions may use.
pub(super) const DEFINITION: FilterSchema = FilterSchema {
    name: "unifiedRoleDefinition",
    properties: &[
        ("id", PropertyType::Text),
        ("displayName", PropertyType::Text),
        ("isBuiltIn", PropertyType::Flag),
        ("templateId", PropertyType::Text),
    ],
};
/// The properties that a filter for role assignments may use.
pub(super) const ASSIGNMENT: FilterSchema =
    FilterSchema { name: "unifiedRoleAssignment", properties: HOLDING };
/// The properties that a filter for eligibilities may use.
pub(super) const ELIGIBILITY: FilterSchema =
    FilterSchema { name: "unifiedRoleEligibilitySchedule", properties: HOLDING };

const HOLDING: &[(&str, PropertyType)] = &[
    ("id", PropertyType::Text),
    ("principalId", PropertyType::Text),
    ("roleDefinitionId", PropertyType::Text),
    ("directoryScopeId", PropertyType::Text),
];

/// The properties that a filter for administrative units may use.
pub(super) const UNIT: FilterSchema = FilterSchema {
    name: "administrativeUnit",
    properties: &[("id", PropertyType::Text), ("displayName", PropertyType::Text)],
};
/// The properties that a filter for users at risk may use.
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
/// The properties that a filter for apps may use.
pub(super) const APP: FilterSchema = FilterSchema {
    name: "application",
    properties: &[
        ("id", PropertyType::Text),
        ("appId", PropertyType::Text),
        ("displayName", PropertyType::Text),
    ],
};
/// The properties that a filter for the organization may use.
pub(super) const ORGANIZATION: FilterSchema = FilterSchema {
    name: "organization",
    properties: &[("id", PropertyType::Text), ("displayName", PropertyType::Text)],
};
