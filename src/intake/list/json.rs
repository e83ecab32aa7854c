//! Lists as JSON: an array, Graph's `{"value": […]}`, or one value after another.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use super::{List, ListError, Record, Table};

/// A value that keeps each member of an object, also where a name comes twice: programs differ in which one they take.
enum Json {
    Nothing,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Reads the records; none where the text is no JSON.
pub(super) fn read(bytes: &[u8]) -> Option<Result<List, ListError>> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\u{1a}');
    let values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    let values: Vec<Json> = values.collect::<Result<_, _>>().ok()?;
    let mut table = Table::default();
    for value in values {
        if let Err(reason) = read_document(value, &mut table) {
            return Some(Err(ListError::Line { line: table.records.len() as u64 + 1, reason }));
        }
    }
    Some(Ok(List { tables: vec![table], comments: Vec::new() }))
}

/// Takes in a value that stands alone.
fn read_document(value: Json, table: &mut Table) -> Result<(), String> {
    match value {
        Json::List(items) => items.iter().for_each(|item| push(item, table)),
        Json::Object(members) => {
            if members.iter().any(|(name, _)| name.to_ascii_lowercase().ends_with("nextlink")) {
                return Err("it is one page of several: there is an @odata.nextLink".to_owned());
            }
            let holds_list =
                |(name, value): &(String, Json)| name == "value" && matches!(value, Json::List(_));
            if !members.iter().any(holds_list) {
                push(&Json::Object(members), table);
                return Ok(());
            }
            let (lists, others): (Vec<_>, Vec<_>) = members.into_iter().partition(holds_list);
            for (_, list) in lists {
                if let Json::List(items) = list {
                    items.iter().for_each(|item| push(item, table));
                }
            }
            let others: Vec<_> =
                others.into_iter().filter(|(name, _)| !name.starts_with("@odata.")).collect();
            if !others.is_empty() {
                push(&Json::Object(others), table);
            }
        }
        other => push(&other, table),
    }
    Ok(())
}

fn push(item: &Json, table: &mut Table) {
    let (mut cells, mut names) = (Vec::new(), Vec::new());
    collect("", item, &mut cells, &mut names);
    if cells.iter().any(|cell: &String| !crate::user_id::trim(cell).is_empty()) {
        let line = table.records.len() as u64 + 1;
        // A bare text has no name.
        let names = matches!(item, Json::Object(_)).then_some(names);
        table.records.push(Record { line, cells, names });
    }
}

/// All texts within a value, with the names of their members; names that are ids themselves, too.
fn collect(name: &str, value: &Json, cells: &mut Vec<String>, names: &mut Vec<String>) {
    match value {
        Json::Nothing => {}
        Json::Text(text) => {
            cells.push(text.clone());
            names.push(name.to_owned());
        }
        Json::List(items) => items.iter().for_each(|item| collect(name, item, cells, names)),
        Json::Object(members) => {
            for (key, value) in members {
                if !key.starts_with('@') && !key.contains("@odata.") && super::super::cell::is_id_like(key) {
                    cells.push(key.clone());
                    names.push(String::new());
                }
                collect(key, value, cells, names);
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Json::Object(members))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Json::List(items))
            }

            fn visit_str<E>(self, text: &str) -> Result<Json, E> {
                Ok(Json::Text(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Text(value.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Nothing)
            }
        }
        from.deserialize_any(Reader)
    }
}
