//! Lists as JSON: an array, Graph's `{"value": […]}`, or one value after another.

use serde_json::{Deserializer, Value};

use super::{List, ListError, Record, Table};

/// Reads the records; none where the text is no JSON.
pub(super) fn read(bytes: &[u8]) -> Option<Result<List, ListError>> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\u{1a}');
    let values: Vec<Value> =
        Deserializer::from_str(text).into_iter::<Value>().collect::<Result<_, _>>().ok()?;
    let mut table = Table::default();
    for value in values {
        if let Err(reason) = top(value, &mut table) {
            return Some(Err(ListError::Line { line: table.records.len() as u64 + 1, reason }));
        }
    }
    Some(Ok(List { tables: vec![table], comments: Vec::new() }))
}

/// Takes in a value that stands alone.
fn top(value: Value, table: &mut Table) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().for_each(|item| push(item, table)),
        Value::Object(mut object) => {
            if object.keys().any(|key| key.to_ascii_lowercase().ends_with("nextlink")) {
                return Err("it is one page of several: there is an @odata.nextLink".to_owned());
            }
            if let Some(Value::Array(items)) = object.remove("value") {
                items.iter().for_each(|item| push(item, table));
                object.retain(|key, _| !key.starts_with("@odata."));
            }
            if !object.is_empty() {
                push(&Value::Object(object), table);
            }
        }
        other => push(&other, table),
    }
    Ok(())
}

fn push(item: &Value, table: &mut Table) {
    let (mut cells, mut names) = (Vec::new(), Vec::new());
    leaves("", item, &mut cells, &mut names);
    if cells.iter().any(|cell: &String| !crate::user_id::trim(cell).is_empty()) {
        let line = table.records.len() as u64 + 1;
        // A bare text has no name.
        let names = item.is_object().then_some(names);
        table.records.push(Record { line, cells, names });
    }
}

/// All texts within a value, with the names of their members; names that are ids themselves, too.
fn leaves(name: &str, value: &Value, cells: &mut Vec<String>, names: &mut Vec<String>) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| leaves(name, item, cells, names)),
        Value::Object(object) => {
            for (key, value) in object {
                if !key.starts_with('@') && !key.contains("@odata.") && super::super::cell::is_id_like(key) {
                    cells.push(key.clone());
                    names.push(String::new());
                }
                leaves(key, value, cells, names);
            }
        }
        other => {
            cells.push(other.as_str().map_or_else(|| other.to_string(), str::to_owned));
            names.push(name.to_owned());
        }
    }
}
