//! A filter against what it is about. What works by default and what only with the advanced query parameters: Graph's
//! "Advanced query capabilities on Microsoft Entra ID objects".

use std::borrow::Cow;

use super::filter::{Filter, Is, Literal};
use super::query::{needs_advanced, unsupported};
use super::words::invalid;
use crate::simulator::answer::GraphError;

/// How many values `in` and `or` may have without the advanced query parameters.
const MOST_CHILDREN: usize = 15;

/// What a property holds.
pub(in crate::simulator) enum Field<'a> {
    Text(Option<Cow<'a, str>>),
    Flag(Option<bool>),
    List(&'a [Box<str>]),
}

/// Something that has properties.
pub(in crate::simulator) trait Fields {
    /// The property of this name; one that there isn't is empty.
    fn field(&self, name: &str) -> Field<'_>;
}

/// A property by which can be filtered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulator) enum Property {
    Text,
    /// A text that can be filtered by its end, too.
    Address,
    /// A text by which can be filtered only with the advanced query parameters.
    Rare,
    Flag,
    List,
}

/// The properties by which things of one type can be filtered.
pub(in crate::simulator) struct Schema {
    /// The type's name in errors: `user`.
    pub(in crate::simulator) name: &'static str,
    pub(in crate::simulator) properties: &'static [(&'static str, Property)],
}

impl Filter {
    /// Checks that the filter is one over `schema` that is supported; `advanced` says whether the request has the
    /// advanced query parameters.
    pub(in crate::simulator) fn check(&self, schema: &Schema, advanced: bool) -> Result<(), GraphError> {
        match self {
            Filter::And(parts) => parts.iter().try_for_each(|part| part.check(schema, advanced)),
            Filter::Or(parts) => {
                children(parts.len(), advanced)?;
                parts.iter().try_for_each(|part| part.check(schema, advanced))
            }
            Filter::Not(_) if !advanced => Err(needs_advanced("Operator 'not'")),
            Filter::Not(part) => part.check(schema, advanced),
            Filter::Is { property, is } => {
                let kind = schema.property(property)?;
                if kind == Property::List {
                    return Err(invalid(&format!("'{property}' is a collection: 'any' is wanted.")));
                }
                check(schema, property, kind, is, advanced)
            }
            Filter::Any { property, is } => match schema.property(property)? {
                Property::List => check_items(schema, property, is, advanced),
                _ => Err(invalid(&format!("Any can only be used with a collection, not with '{property}'."))),
            },
        }
    }

    /// The properties that it names.
    pub(in crate::simulator) fn properties(&self) -> Vec<&str> {
        match self {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().flat_map(Filter::properties).collect(),
            Filter::Not(part) => part.properties(),
            Filter::Is { property, .. } | Filter::Any { property, .. } => vec![property],
        }
    }

    /// Whether it is so.
    pub(in crate::simulator) fn matches(&self, thing: &dyn Fields) -> bool {
        match self {
            Filter::And(parts) => parts.iter().all(|part| part.matches(thing)),
            Filter::Or(parts) => parts.iter().any(|part| part.matches(thing)),
            Filter::Not(part) => !part.matches(thing),
            Filter::Is { property, is } => match thing.field(property) {
                Field::Text(text) => is.so(text.as_deref()),
                Field::Flag(flag) => is.so_flag(flag),
                Field::List(_) => false,
            },
            Filter::Any { property, is } => match thing.field(property) {
                Field::List(items) => items.iter().any(|item| is.matches_item(item)),
                _ => false,
            },
        }
    }

    fn matches_item(&self, item: &str) -> bool {
        match self {
            Filter::And(parts) => parts.iter().all(|part| part.matches_item(item)),
            Filter::Or(parts) => parts.iter().any(|part| part.matches_item(item)),
            Filter::Not(part) => !part.matches_item(item),
            Filter::Is { is, .. } => is.so(Some(item)),
            Filter::Any { .. } => false,
        }
    }
}

impl Schema {
    fn property(&self, name: &str) -> Result<Property, GraphError> {
        let found = self.properties.iter().find(|(other, _)| *other == name);
        found.map(|&(_, property)| property).ok_or_else(|| {
            let kind = self.name;
            invalid(&format!("Could not find a property named '{name}' on type 'microsoft.graph.{kind}'."))
        })
    }
}

fn check(schema: &Schema, property: &str, kind: Property, is: &Is, advanced: bool) -> Result<(), GraphError> {
    let (operator, values) = match is {
        Is::Equal(value) => ("eq", std::slice::from_ref(value)),
        Is::Other(value) => ("ne", std::slice::from_ref(value)),
        Is::In(values) => ("in", values.as_slice()),
        Is::Begins(_) => ("startsWith", &[][..]),
        Is::Ends(_) => ("endsWith", &[][..]),
    };
    let fits = |value: &Literal| match value {
        Literal::Null => true,
        Literal::Flag(_) => kind == Property::Flag,
        Literal::Text(_) => kind != Property::Flag,
    };
    if !values.iter().all(fits) {
        return Err(invalid("A binary operator with incompatible types was detected."));
    }
    let by_part = matches!(is, Is::Begins(_) | Is::Ends(_));
    let by_end = matches!(is, Is::Ends(_)) && !matches!(kind, Property::Address | Property::List);
    if by_end || by_part && kind == Property::Flag {
        return Err(unsupported(&format!(
            "Unsupported or invalid query filter clause specified for property '{property}' of resource '{}'.",
            schema.name
        )));
    }
    children(values.len(), advanced)?;
    let null = values.contains(&Literal::Null);
    if !advanced && (matches!(is, Is::Other(_) | Is::Ends(_)) || null || kind == Property::Rare) {
        return Err(needs_advanced(&format!("Operator '{operator}'")));
    }
    Ok(())
}

fn check_items(schema: &Schema, property: &str, is: &Filter, advanced: bool) -> Result<(), GraphError> {
    match is {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter().try_for_each(|part| check_items(schema, property, part, advanced))
        }
        Filter::Not(_) if !advanced => Err(needs_advanced("Operator 'not'")),
        Filter::Not(part) => check_items(schema, property, part, advanced),
        Filter::Is { is, .. } => check(schema, property, Property::List, is, advanced),
        Filter::Any { .. } => Err(invalid("'any' can't be within 'any'.")),
    }
}

fn children(count: usize, advanced: bool) -> Result<(), GraphError> {
    if advanced || count <= MOST_CHILDREN {
        return Ok(());
    }
    Err(unsupported(&format!(
        "Too many child clauses specified in search filter expression containing 'OR' operators: {count}. Max allowed: \
         {MOST_CHILDREN}."
    )))
}

impl Is {
    fn so(&self, text: Option<&str>) -> bool {
        let equal = |value: &Literal| match (value, text) {
            (Literal::Null, text) => text.is_none(),
            (Literal::Text(wanted), Some(text)) => same(text, wanted),
            _ => false,
        };
        match self {
            Is::Equal(value) => equal(value),
            Is::Other(value) => !equal(value),
            Is::In(values) => values.iter().any(equal),
            Is::Begins(part) => text.is_some_and(|text| text.to_lowercase().starts_with(part)),
            Is::Ends(part) => text.is_some_and(|text| text.to_lowercase().ends_with(part)),
        }
    }

    fn so_flag(&self, flag: Option<bool>) -> bool {
        let equal = |value: &Literal| match value {
            Literal::Null => flag.is_none(),
            Literal::Flag(wanted) => flag == Some(*wanted),
            Literal::Text(_) => false,
        };
        match self {
            Is::Equal(value) => equal(value),
            Is::Other(value) => !equal(value),
            Is::In(values) => values.iter().any(equal),
            Is::Begins(_) | Is::Ends(_) => false,
        }
    }
}

/// Whether they are the same but for case; `wanted` is in lower case.
fn same(text: &str, wanted: &str) -> bool {
    // Most are plain ASCII: no new text for those.
    text.eq_ignore_ascii_case(wanted) || (!text.is_ascii() && text.to_lowercase() == wanted)
}
