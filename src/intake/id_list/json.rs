//! Lists as JSON: an array, an object `{"value": […]}` as in Graph, or one value after another.

use super::super::json_completeness::{has_further_pages, is_annotation, states_more_than_list};
use super::{IdList, ListError, ListRow, ListTable};
use crate::json::Json;

/// Reads the records; `None` if the text does not begin like JSON.
pub(super) fn read(bytes: &[u8]) -> Option<Result<IdList, ListError>> {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    if !matches!(first, b'{' | b'[') {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\u{1a}');
    let values = serde_json::Deserializer::from_str(text).into_iter::<Json>();
    // If an object has a name twice, both values count, because programs differ in which of the two they use.
    let values: Vec<Json> = match values.collect::<Result<_, serde_json::Error>>() {
        Ok(values) => values,
        // It is not read as text: if it is truncated or damaged, entries would be lost.
        Err(error) => {
            // The parser's message is not shown, because it may quote the text.
            let reason = "it begins like JSON but is not valid JSON. Export the list again".to_owned();
            return Some(Err(ListError::Line { line: error.line() as u64, reason }));
        }
    };
    let mut table = ListTable::default();
    for value in values {
        if let Err(reason) = read_document(value, &mut table) {
            return Some(Err(ListError::Line { line: table.records.len() as u64 + 1, reason }));
        }
    }
    Some(Ok(IdList { tables: vec![table], comments: Vec::new() }))
}

/// Adds a top-level value to the table. Its content is never shown, not even a key.
fn read_document(value: Json, table: &mut ListTable) -> Result<(), String> {
    if has_further_pages(&value) {
        return Err(
            "it is one page of several: it says that more pages follow (@odata.nextLink). Fetch all pages"
                .to_owned(),
        );
    }
    if states_more_than_list(&value) {
        return Err(
            "it is incomplete: it says that there are more entries than it has. Fetch all of them".to_owned()
        );
    }
    match value {
        Json::List(items) => items.iter().for_each(|item| push(item, table)),
        Json::Object(members) => {
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

fn push(item: &Json, table: &mut ListTable) {
    let (mut cells, mut names) = (Vec::new(), Vec::new());
    collect("", item, &mut cells, &mut names);
    if cells.iter().any(|cell: &String| !crate::user_id::trim(cell).is_empty()) {
        let line = table.records.len() as u64 + 1;
        // A bare string has no names.
        let names = matches!(item, Json::Object(_)).then_some(names);
        table.records.push(ListRow { line, cells, names });
    }
}

/// Collects all texts in a value with the names of their members, and also names that are IDs.
fn collect(name: &str, value: &Json, cells: &mut Vec<String>, names: &mut Vec<String>) {
    let mut put = |text: String| {
        cells.push(text);
        names.push(name.to_owned());
    };
    match value {
        Json::Null => {}
        Json::Text(text) => put(text.clone()),
        Json::Bool(truth) => put(truth.to_string()),
        Json::Number(number) => put(number.to_string()),
        Json::List(items) => items.iter().for_each(|item| collect(name, item, cells, names)),
        Json::Object(members) => {
            for (key, value) in members {
                if !is_annotation(key) && super::super::cell::is_id_like(key) {
                    cells.push(key.clone());
                    names.push(String::new());
                }
                collect(key, value, cells, names);
            }
        }
    }
}
