//! Checks a filter against a schema, and matches objects with it. The operators that need the advanced query parameters
//! are those in Graph's "Advanced query capabilities on Microsoft Entra ID objects".

use std::borrow::Cow;

use super::filter::{Comparison, Literal, ODataFilter};
use super::query::{needs_advanced, unsupported};
use super::tokens::invalid;
use crate::simulator::graph_response::GraphError;

/// The maximum number of values in `in` and `or` without the advanced query parameters.
const MAX_CHILDREN: usize = 15;

/// The value of a property.
pub(in crate::simulator) enum PropertyValue<'a> {
    Text(Option<Cow<'a, str>>),
    Flag(Option<bool>),
    List(&'a [Box<str>]),
}

/// An object that a filter can be applied to.
pub(in crate::simulator) trait HasProperties {
    /// The property with this name. A property that does not exist is an empty text.
    fn property(&self, name: &str) -> PropertyValue<'_>;
}

/// The type of a property, which decides on the operators for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum PropertyType {
    Text,
    /// A text that supports `endsWith`.
    Address,
    /// A text that needs the advanced query parameters.
    AdvancedText,
    Flag,
    List,
}

/// The properties that a filter for one type may use.
pub(in crate::simulator) struct FilterSchema {
    /// The type's name in error messages: `user`.
    pub(in crate::simulator) name: &'static str,
    pub(in crate::simulator) properties: &'static [(&'static str, PropertyType)],
}

impl ODataFilter {
    /// Checks that the filter is supported for `schema`. `advanced` says whether the request has the advanced query
    /// parameters.
    pub(in crate::simulator) fn check(
        &self,
        schema: &FilterSchema,
        advanced: bool,
    ) -> Result<(), GraphError> {
        match self {
            ODataFilter::And(parts) => parts.iter().try_for_each(|part| part.check(schema, advanced)),
            ODataFilter::Or(parts) => {
                check_child_count(parts.len(), advanced)?;
                parts.iter().try_for_each(|part| part.check(schema, advanced))
            }
            ODataFilter::Not(_) if !advanced => Err(needs_advanced("Operator 'not'")),
            ODataFilter::Not(part) => part.check(schema, advanced),
            ODataFilter::Compare { property, comparison: is } => {
                let kind = schema.property(property)?;
                if kind == PropertyType::List {
                    return Err(invalid(&format!("'{property}' is a collection: 'any' is wanted.")));
                }
                check(schema, property, kind, is, advanced)
            }
            ODataFilter::Any { property, item_filter: is } => match schema.property(property)? {
                PropertyType::List => check_items(schema, property, is, advanced),
                _ => Err(invalid(&format!("Any can only be used with a collection, not with '{property}'."))),
            },
        }
    }

    /// The names of all properties in the filter.
    pub(in crate::simulator) fn properties(&self) -> Vec<&str> {
        match self {
            ODataFilter::And(parts) | ODataFilter::Or(parts) => {
                parts.iter().flat_map(ODataFilter::properties).collect()
            }
            ODataFilter::Not(part) => part.properties(),
            ODataFilter::Compare { property, .. } | ODataFilter::Any { property, .. } => vec![property],
        }
    }

    /// Whether the object matches the filter.
    pub(in crate::simulator) fn matches(&self, thing: &dyn HasProperties) -> bool {
        match self {
            ODataFilter::And(parts) => parts.iter().all(|part| part.matches(thing)),
            ODataFilter::Or(parts) => parts.iter().any(|part| part.matches(thing)),
            ODataFilter::Not(part) => !part.matches(thing),
            ODataFilter::Compare { property, comparison: is } => match thing.property(property) {
                PropertyValue::Text(text) => is.matches_text(text.as_deref()),
                PropertyValue::Flag(flag) => is.matches_flag(flag),
                PropertyValue::List(_) => false,
            },
            ODataFilter::Any { property, item_filter: is } => match thing.property(property) {
                PropertyValue::List(items) => items.iter().any(|item| is.matches_item(item)),
                _ => false,
            },
        }
    }

    fn matches_item(&self, item: &str) -> bool {
        match self {
            ODataFilter::And(parts) => parts.iter().all(|part| part.matches_item(item)),
            ODataFilter::Or(parts) => parts.iter().any(|part| part.matches_item(item)),
            ODataFilter::Not(part) => !part.matches_item(item),
            ODataFilter::Compare { comparison: is, .. } => is.matches_text(Some(item)),
            ODataFilter::Any { .. } => false,
        }
    }
}

impl FilterSchema {
    fn property(&self, name: &str) -> Result<PropertyType, GraphError> {
        let found = self.properties.iter().find(|(other, _)| *other == name);
        found.map(|&(_, property)| property).ok_or_else(|| {
            let kind = self.name;
            invalid(&format!("Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."))
        })
    }
}

fn check(
    schema: &FilterSchema,
    property: &str,
    kind: PropertyType,
    is: &Comparison,
    advanced: bool,
) -> Result<(), GraphError> {
    let (operator, values) = match is {
        Comparison::Equal(value) => ("eq", std::slice::from_ref(value)),
        Comparison::NotEqual(value) => ("ne", std::slice::from_ref(value)),
        Comparison::In(values) => ("in", values.as_slice()),
        Comparison::StartsWith(_) => ("startsWith", &[][..]),
        Comparison::EndsWith(_) => ("endsWith", &[][..]),
    };
    let fits = |value: &Literal| match value {
        Literal::Null => true,
        Literal::Flag(_) => kind == PropertyType::Flag,
        Literal::Text(_) => kind != PropertyType::Flag,
    };
    if !values.iter().all(fits) {
        return Err(invalid("A binary operator with incompatible types was detected."));
    }
    let by_part = matches!(is, Comparison::StartsWith(_) | Comparison::EndsWith(_));
    let by_end =
        matches!(is, Comparison::EndsWith(_)) && !matches!(kind, PropertyType::Address | PropertyType::List);
    if by_end || by_part && kind == PropertyType::Flag {
        return Err(unsupported(&format!(
            "Unsupported or invalid query filter clause specified for property '{property}' of resource '{}'.",
            schema.name
        )));
    }
    check_child_count(values.len(), advanced)?;
    let null = values.contains(&Literal::Null);
    if !advanced
        && (matches!(is, Comparison::NotEqual(_) | Comparison::EndsWith(_))
            || null
            || kind == PropertyType::AdvancedText)
    {
        return Err(needs_advanced(&format!("Operator '{operator}'")));
    }
    Ok(())
}

fn check_items(
    schema: &FilterSchema,
    property: &str,
    is: &ODataFilter,
    advanced: bool,
) -> Result<(), GraphError> {
    match is {
        ODataFilter::And(parts) | ODataFilter::Or(parts) => {
            parts.iter().try_for_each(|part| check_items(schema, property, part, advanced))
        }
        ODataFilter::Not(_) if !advanced => Err(needs_advanced("Operator 'not'")),
        ODataFilter::Not(part) => check_items(schema, property, part, advanced),
        ODataFilter::Compare { comparison: is, .. } => {
            check(schema, property, PropertyType::List, is, advanced)
        }
        ODataFilter::Any { .. } => Err(invalid("'any' can't be within 'any'.")),
    }
}

fn check_child_count(count: usize, advanced: bool) -> Result<(), GraphError> {
    if advanced || count <= MAX_CHILDREN {
        return Ok(());
    }
    Err(unsupported(&format!(
        "Too many child clauses specified in search filter expression containing 'OR' operators: {count}. Max allowed: \
         {MAX_CHILDREN}."
    )))
}

impl Comparison {
    fn matches_text(&self, text: Option<&str>) -> bool {
        let equal = |value: &Literal| match (value, text) {
            (Literal::Null, text) => text.is_none(),
            (Literal::Text(wanted), Some(text)) => equals_ignoring_case(text, wanted),
            _ => false,
        };
        match self {
            Comparison::Equal(value) => equal(value),
            Comparison::NotEqual(value) => !equal(value),
            Comparison::In(values) => values.iter().any(equal),
            Comparison::StartsWith(part) => text.is_some_and(|text| text.to_lowercase().starts_with(part)),
            Comparison::EndsWith(part) => text.is_some_and(|text| text.to_lowercase().ends_with(part)),
        }
    }

    fn matches_flag(&self, flag: Option<bool>) -> bool {
        let equal = |value: &Literal| match value {
            Literal::Null => flag.is_none(),
            Literal::Flag(wanted) => flag == Some(*wanted),
            Literal::Text(_) => false,
        };
        match self {
            Comparison::Equal(value) => equal(value),
            Comparison::NotEqual(value) => !equal(value),
            Comparison::In(values) => values.iter().any(equal),
            Comparison::StartsWith(_) | Comparison::EndsWith(_) => false,
        }
    }
}

/// Whether the texts are equal, ignoring case. `wanted` must be in lower case.
fn equals_ignoring_case(text: &str, wanted: &str) -> bool {
    // Most texts are plain ASCII and need no allocation.
    text.eq_ignore_ascii_case(wanted) || (!text.is_ascii() && text.to_lowercase() == wanted)
}
