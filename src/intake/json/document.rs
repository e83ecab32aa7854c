//! Reads JSON values one after another, and adds their records to the table one at a time.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::super::json_completeness::may_hold_list;
use super::flatten::{
    JsonMember, check_context, describe_foreign_object, explain, names_user, refuse_duplicate_keys,
};
use super::line_tracker::LineTracker;
use super::table::JsonTable;
use crate::json::Json;

/// Why a text is refused, and on which line.
#[derive(Debug)]
pub(super) struct JsonFault {
    pub(super) line: u64,
    pub(super) what: String,
}

/// Reads the whole text into the table.
pub(super) fn read(reader: impl Read, place: &LineTracker, table: &mut JsonTable) -> Result<(), JsonFault> {
    let mut reading = DocumentState { tracker: place, table, fault: None };
    let mut parser = serde_json::Deserializer::from_reader(reader);
    loop {
        match parser.end() {
            Ok(()) => return Ok(()),
            // Another value follows.
            Err(error) if error.is_syntax() => {}
            Err(error) => return Err(reading.describe_fault(&error)),
        }
        place.begin_record();
        let line = place.line();
        let document = JsonDocument { line, state: &mut reading };
        if let Err(error) = document.deserialize(&mut parser) {
            return Err(reading.describe_fault(&error));
        }
    }
}

struct DocumentState<'a> {
    tracker: &'a LineTracker,
    table: &'a mut JsonTable,
    /// The fault that this program found, if the parser found none.
    fault: Option<JsonFault>,
}

impl DocumentState<'_> {
    fn describe_fault(&mut self, error: &serde_json::Error) -> JsonFault {
        if let Some(fault) = self.fault.take() {
            return fault;
        }
        let what = if self.tracker.is_exhausted() {
            "one record is longer than 1 MiB: is it the right file?".to_owned()
        } else if error.is_eof() {
            "the text ends inside a list or an object: the file is truncated. Export it again".to_owned()
        } else if explain(error).contains("unicode code point") {
            "its bytes are not UTF-8. If the file was saved as Windows-1252, use --encoding windows-1252"
                .to_owned()
        } else {
            format!("{}. Export the file again, or correct this line", explain(error))
        };
        JsonFault { line: self.tracker.line(), what }
    }

    fn refuse<E: serde::de::Error>(&mut self, line: u64, what: String) -> E {
        self.fault = Some(JsonFault { line, what });
        E::custom("refused")
    }

    fn add<E: serde::de::Error>(&mut self, line: u64, value: &str) -> Result<(), E> {
        self.table.add(line, value).map_err(|what| self.refuse(line, what))
    }
}

/// One top-level value: a list of records, an object around such a list, or a record.
struct JsonDocument<'a, 'b> {
    line: u64,
    state: &'a mut DocumentState<'b>,
}

impl<'de> DeserializeSeed<'de> for JsonDocument<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for JsonDocument<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        read_list(self.state, seq).map(drop)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.state.add(self.line, &serde_json::Value::from(text).to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let JsonDocument { line, state: reading } = self;
        let mut parts: Vec<JsonMember> = Vec::new();
        let mut list: Option<(String, u64)> = None;
        while let Some(key) = map.next_key::<String>()? {
            if !may_hold_list(&key) {
                parts.push((key, map.next_value::<Box<RawValue>>()?.get().to_owned()));
                continue;
            }
            match map.next_value_seed(ObjectSeed { reading })? {
                ObjectContent::Value(value) => parts.push((key, value)),
                ObjectContent::List(0) => parts.push((key, "[]".to_owned())),
                ObjectContent::List(count) => {
                    if let Some((other, _)) = &list {
                        let what =
                            format!("the object has two lists, {other} and {key}: save only one to a file");
                        return Err(reading.refuse(line, what));
                    }
                    list = Some((key, count));
                    reading.tracker.begin_record();
                }
            }
        }
        refuse_duplicate_keys(&parts).map_err(|what| reading.refuse(line, what))?;
        if let Some(what) = describe_foreign_object(&parts) {
            return Err(reading.refuse(line, what));
        }
        // An empty list is the list, unless it belongs to a user.
        if list.is_none() && !names_user(&parts) {
            let empty = |(key, value): &JsonMember| may_hold_list(key) && value == "[]";
            list = parts.iter().position(empty).map(|at| (parts.remove(at).0, 0));
        }
        match list {
            Some((key, count)) => {
                check_context(&key, count, &parts).map_err(|what| reading.refuse(line, what))
            }
            None => reading.table.add_object(line, &parts).map_err(|what| reading.refuse(line, what)),
        }
    }
}

/// Reads the records of a list, and returns their number.
fn read_list<'de, A: SeqAccess<'de>>(reading: &mut DocumentState<'_>, mut seq: A) -> Result<u64, A::Error> {
    let mut count = 0;
    while seq.next_element_seed(JsonRecord { reading })?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// One record of a list.
struct JsonRecord<'a, 'b> {
    reading: &'a mut DocumentState<'b>,
}

impl<'de> DeserializeSeed<'de> for JsonRecord<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        // The parser has read only the first byte of the record.
        self.reading.tracker.begin_record();
        let line = self.reading.tracker.line();
        let value = Box::<RawValue>::deserialize(deserializer)?;
        self.reading.add(line, value.get())
    }
}

/// The value of a key that may have the list of users.
struct ObjectSeed<'a, 'b> {
    reading: &'a mut DocumentState<'b>,
}

enum ObjectContent {
    /// A list with this number of records, which were added to the table.
    List(u64),
    /// Anything else, as JSON.
    Value(String),
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_, '_> {
    type Value = ObjectContent;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<ObjectContent, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_, '_> {
    type Value = ObjectContent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<ObjectContent, A::Error> {
        read_list(self.reading, seq).map(ObjectContent::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ObjectContent, A::Error> {
        // A name that occurs twice is kept, so that the record is refused for it.
        let value = Json::deserialize(MapAccessDeserializer::new(map))?;
        serde_json::to_string(&value).map(ObjectContent::Value).map_err(serde::de::Error::custom)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value(serde_json::Value::from(text).to_string()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<ObjectContent, E> {
        Ok(ObjectContent::Value("null".to_owned()))
    }
}
