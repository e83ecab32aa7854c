//! Flattens one JSON value to cells with their keys, and checks what an object around a list says about it.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::super::cell::{is_id_like, trim};
use super::super::column_roles::is_known_id;
use super::super::error::quote;
use super::super::json_completeness::{
    LISTS, has_further_pages, is_description, normalize_key, parse_count, text_means_further_pages,
};
use crate::json::Json;

/// How deep objects may be nested.
const MAX_DEPTH: usize = 32;

/// A key and the JSON text of its value, unchanged.
pub(super) type JsonMember = (String, String);

/// Whether one of the keys names a user.
pub(super) fn names_user(parts: &[JsonMember]) -> bool {
    parts.iter().any(|(key, value)| is_known_id(key) && !matches!(value.as_str(), "null" | "\"\""))
}

/// The cells of an object: keys of nested objects are joined with a dot, and lists remain JSON.
pub(super) fn flatten(object: &[JsonMember]) -> Result<Vec<(String, String)>, String> {
    if let Some((key, _)) = object.iter().find(|(key, _)| is_id_like(key)) {
        return Err(format!(
            "the key {} looks like a user ID, and users are read from values: write a list of them, as \
             `jq 'keys'` does",
            quote(key)
        ));
    }
    let mut cells = Vec::new();
    flatten_into(&mut cells, "", object, 1)?;
    Ok(cells)
}

fn flatten_into(
    cells: &mut Vec<(String, String)>,
    prefix: &str,
    object: &[JsonMember],
    depth: usize,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("objects are nested more than {MAX_DEPTH} deep: is it the right file?"));
    }
    for (key, value) in object {
        let name = format!("{prefix}{key}");
        match value.as_bytes().first() {
            Some(b'{') => {
                let inner = parse_members(value)?;
                if inner.is_empty() {
                    cells.push((name, String::new()));
                } else if normalize_key(key) == "additionalproperties" {
                    // The Graph SDKs put properties there that their types don't have: for example, the type of a
                    // group's member.
                    let taken =
                        |(inner, _): &&JsonMember| object.iter().any(|(key, _)| is_same_key(key, inner));
                    let (kept, lifted): (Vec<&JsonMember>, Vec<&JsonMember>) = inner.iter().partition(taken);
                    let own = |parts: Vec<&JsonMember>| parts.into_iter().cloned().collect::<Vec<_>>();
                    flatten_into(cells, prefix, &own(lifted), depth + 1)?;
                    flatten_into(cells, &format!("{name}."), &own(kept), depth + 1)?;
                } else {
                    flatten_into(cells, &format!("{name}."), &inner, depth + 1)?;
                }
            }
            Some(b'[') => {
                let list = compact(value);
                if holds_users(key, &list) {
                    return Err(inner_list_error(&name));
                }
                cells.push((name, if list == "[]" { String::new() } else { list }));
            }
            _ => cells.push((name, scalar(value)?)),
        }
    }
    Ok(())
}

/// Whether two keys are the same column.
pub(super) fn is_same_key(a: &str, b: &str) -> bool {
    trim(a).to_lowercase() == trim(b).to_lowercase()
}

/// Whether a list under this key of a record is a list of users, for example of a group.
fn holds_users(key: &str, list: &str) -> bool {
    let key = normalize_key(key);
    let named = LISTS.contains(&key.as_str()) || key == "membersdelta";
    named && (list.contains('{') || list.split('"').any(is_id_like))
}

/// The error for a list of users in a record.
pub(super) fn inner_list_error(key: &str) -> String {
    format!("{} is itself a list: save only that list to a file, as `jq '.[].members'` does", quote(key))
}

/// The text of a string, a number, `true` or `false`; empty for `null`.
pub(super) fn scalar(value: &str) -> Result<String, String> {
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).map_err(|error| explain(&error)),
        Some(b'n') => Ok(String::new()),
        _ => Ok(value.to_owned()),
    }
}

/// The keys and values of an object, unchanged. A key that occurs twice is refused.
pub(super) fn parse_members(object: &str) -> Result<Vec<JsonMember>, String> {
    struct MemberVisitor;

    impl<'de> Visitor<'de> for MemberVisitor {
        type Value = Vec<JsonMember>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<JsonMember>, A::Error> {
            let mut parts = Vec::new();
            while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                parts.push((key, value.get().to_owned()));
            }
            refuse_duplicate_keys(&parts).map_err(A::Error::custom)?;
            Ok(parts)
        }
    }

    serde_json::Deserializer::from_str(object).deserialize_map(MemberVisitor).map_err(|error| explain(&error))
}

/// Refuses an object in which a key occurs twice, because programs differ in which of the two they use.
pub(super) fn refuse_duplicate_keys(parts: &[JsonMember]) -> Result<(), String> {
    let mut seen = std::collections::HashSet::new();
    match parts.iter().find(|(key, _)| !seen.insert(trim(key).to_lowercase())) {
        Some((key, _)) => Err(duplicate_key_error(key)),
        None => Ok(()),
    }
}

/// The error for an object that has a key twice.
pub(super) fn duplicate_key_error(key: &str) -> String {
    format!("the key {} occurs twice in one object (ignoring case): rename or delete one of them", quote(key))
}

/// Checks the object around a list of `count` records: it must not say that there are more records, and nothing next to
/// the list may name users.
pub(super) fn check_context(list: &str, count: u64, parts: &[JsonMember]) -> Result<(), String> {
    if names_user(parts) {
        return Err(format!(
            "the object has a list in {} and also names a user: save only the list to a file, as `jq '.value'` \
             does",
            quote(list)
        ));
    }
    let is_list = |value: &str| value.starts_with('[') && compact(value) != "[]";
    if let Some((key, _)) = parts.iter().find(|(key, value)| is_list(value) && !is_description(key)) {
        return Err(format!(
            "the object has two lists, {} and {}: save only the one you want to a file, as `jq '.value'` does",
            quote(list),
            quote(key)
        ));
    }
    let around = parts.iter().filter(|(key, _)| !is_description(key)).cloned().collect::<Vec<_>>();
    let descriptions = ["links", "meta", "metadata"];
    for (key, value) in parts.iter().filter(|(key, _)| descriptions.contains(&normalize_key(key).as_str())) {
        if serde_json::from_str::<Json>(value).is_ok_and(|value| has_further_pages(&value)) {
            return Err(further_pages_error(list, key));
        }
        if value.starts_with('{') {
            check_is_complete(list, count, &flatten(&parse_members_or_empty(value))?)?;
        }
    }
    check_is_complete(list, count, &flatten(&around)?)
}

fn parse_members_or_empty(object: &str) -> Vec<JsonMember> {
    parse_members(object).unwrap_or_default()
}

/// Refuses a list that is not complete.
fn check_is_complete(list: &str, count: u64, cells: &[(String, String)]) -> Result<(), String> {
    for (key, text) in cells {
        if text_means_further_pages(key, text) {
            return Err(further_pages_error(list, key));
        }
        if parse_count(key, text).is_some_and(|stated| stated > count as f64) {
            return Err(format!(
                "{} says {text}, but {} has {count}, so it is not the whole list. Fetch all of it",
                quote(key),
                quote(list)
            ));
        }
    }
    Ok(())
}

fn further_pages_error(list: &str, key: &str) -> String {
    format!(
        "{} says that more pages follow, so {} is not the whole list. Fetch all pages, and join their lists as \
         `jq -s '[.[].value[]]'` does",
        quote(key),
        quote(list)
    )
}

/// What the object is, if it is neither a user nor a list of users.
pub(super) fn describe_foreign_object(object: &[JsonMember]) -> Option<String> {
    let holds = |name: &str, first: char| {
        object.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && value.starts_with(first))
    };
    if holds("tables", '[') {
        return Some(
            "it is a response of Log Analytics, with its rows in `tables`: export the result as CSV, or query it \
             with `az monitor log-analytics query`, whose JSON is read"
                .to_owned(),
        );
    }
    if holds("responses", '[') {
        return Some(
            "it is the response to a batch of requests: save only the list of users to a file".to_owned(),
        );
    }
    if holds("error", '{') && !names_user(object) {
        let code = object.iter().find(|(key, _)| key.eq_ignore_ascii_case("error"));
        let code = code.and_then(|(_, error)| parse_members(error).ok());
        let code = code.and_then(|parts| parts.into_iter().find(|(key, _)| key.eq_ignore_ascii_case("code")));
        let code = code.and_then(|(_, code)| scalar(&code).ok()).map(|code| format!(" ({})", quote(&code)));
        return Some(format!(
            "it is the response to a failed request{}, not a list: fetch the list again",
            code.unwrap_or_default()
        ));
    }
    None
}

/// The JSON text without white space between its tokens.
fn compact(text: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let mut kept = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '"' && !escaped {
            inside = !inside;
        }
        escaped = inside && c == '\\' && !escaped;
        if inside || !c.is_ascii_whitespace() {
            kept.push(c);
        }
    }
    kept
}

/// The parser's message without its own line number, which the tracker's replaces.
pub(super) fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Result<Vec<(String, String)>, String> {
        flatten(&parse_members(text)?)
    }

    fn cell(text: &str, key: &str) -> Option<String> {
        cells(text).unwrap().into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    #[test]
    fn values_are_text() {
        let text = r#"{"a": "x\n\u00e9", "n": 12345678901234567890.10, "t": true, "z": null, "l": [ 1, " \" " ], "e": []}"#;
        let values: Vec<String> = cells(text).unwrap().into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["x\né", "12345678901234567890.10", "true", "", r#"[1," \" "]"#, ""]);
    }

    #[test]
    fn objects_within_are_columns_with_dots() {
        let text = r#"{"user": {"id": "1", "more": {"x": 2}}, "o": {}}"#;
        let names: Vec<String> = cells(text).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["user.id", "user.more.x", "o"]);
        let sdk =
            r##"{"Id": "1", "AdditionalProperties": {"@odata.type": "#microsoft.graph.group", "id": "2"}}"##;
        assert_eq!(cell(sdk, "@odata.type").as_deref(), Some("#microsoft.graph.group"));
        assert_eq!(cell(sdk, "AdditionalProperties.id").as_deref(), Some("2"));
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert!(cells(&deep).unwrap_err().contains("deep"));
    }

    #[test]
    fn nested_user_lists_are_refused() {
        assert!(cells(r#"{"id": 1, "ID": 2}"#).unwrap_err().contains("occurs twice"));
        assert!(
            cells(r#"{"ann@contoso.com": {"name": "Ann"}}"#).unwrap_err().contains("looks like a user ID")
        );
        assert!(cells(r#"{"id": 1, "members": [{"id": 2}]}"#).unwrap_err().contains("is itself a list"));
        assert!(cells(r#"{"id": 1, "users": ["a@b.de"]}"#).unwrap_err().contains("is itself a list"));
        assert!(cells(r#"{"id": 1, "proxyAddresses": ["SMTP:a@b.de"], "users": []}"#).is_ok());
    }

    #[test]
    fn a_page_is_not_a_list() {
        let around = |text: &str, count| check_context("value", count, &parse_members(text).unwrap());
        assert!(around(r#"{"@odata.context": "x", "@odata.count": 2}"#, 2).is_ok());
        assert!(around(r#"{"@odata.nextLink": "https://x"}"#, 2).unwrap_err().contains("more pages"));
        assert!(around(r#"{"@odata.nextLink": null, "Count": 2}"#, 2).is_ok());
        assert!(around(r#"{"totalResults": 3}"#, 2).unwrap_err().contains("has 2"));
        assert!(around(r#"{"paging": {"next": "x"}}"#, 2).is_err());
        assert!(around(r#"{"links": {"next": "x"}}"#, 2).is_err());
        assert!(around(r#"{"links": [{"rel": "next", "href": "x"}]}"#, 2).is_err());
        assert!(around(r#"{"_links": {"next": {"href": "x"}}}"#, 2).is_err());
        assert!(around(r#"{"page": 1, "total_pages": 2}"#, 2).is_err());
        assert!(around(r#"{"hasMore": true}"#, 2).is_err());
        assert!(around(r#"{"hasMore": false}"#, 2).is_ok());
        assert!(around(r#"{"guests": ["x"]}"#, 2).unwrap_err().contains("two lists"));
        assert!(around(r#"{"Schema": [{"Name": "x"}]}"#, 2).is_ok());
        assert!(around(r#"{"upn": "a@b.de"}"#, 2).unwrap_err().contains("also names a user"));
    }
}
