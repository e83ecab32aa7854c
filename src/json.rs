//! JSON with all members of an object in order, including duplicate names. Programs differ in which of two equal names
//! they use, so another program may read another value than this one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// A name occurs twice in one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name occurs twice in one object")]
pub(crate) struct DuplicateMember;

impl Json {
    /// The value, if no object at any depth has a duplicate name.
    pub(crate) fn into_value(self) -> Result<Value, DuplicateMember> {
        Ok(match self {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(truth),
            Json::Number(number) => Value::Number(number),
            Json::Text(text) => Value::String(text),
            Json::List(items) => {
                Value::Array(items.into_iter().map(Json::into_value).collect::<Result<_, _>>()?)
            }
            Json::Object(members) => {
                let mut object = serde_json::Map::new();
                for (name, member) in members {
                    if object.insert(name, member.into_value()?).is_some() {
                        return Err(DuplicateMember);
                    }
                }
                Value::Object(object)
            }
        })
    }

    /// The member of exactly this name; the first one if there are several.
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(given, _)| given == name).map(|(_, member)| member)
            }
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Json, D::Error> {
        from.deserialize_any(JsonVisitor)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => to.serialize_unit(),
            Json::Bool(truth) => to.serialize_bool(*truth),
            Json::Number(number) => number.serialize(to),
            Json::Text(text) => to.serialize_str(text),
            Json::List(items) => to.collect_seq(items),
            Json::Object(members) => to.collect_map(members.iter().map(|(name, member)| (name, member))),
        }
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
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

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Json, E> {
        Number::from_f64(number).map(Json::Number).ok_or_else(|| E::custom("invalid number"))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_name_that_comes_twice_is_seen_at_any_depth() {
        for doubled in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"[{"b":[{"a":1,"c":2,"a":3}]}]"#,
            r#"{"a":{"b":{"c":{"d":null,"d":null}}}}"#,
        ] {
            assert_eq!(read(doubled).into_value(), Err(DuplicateMember), "{doubled}");
        }
        assert!(read(r#"[{"a":1},{"a":1},{"b":{"a":1},"a":1,"A":1}]"#).into_value().is_ok());
    }

    proptest::proptest! {
        #[test]
        fn what_is_unambiguous_is_read_as_it_stands(text in r#"[\[\]{}",:0-9a-c .e-]{0,24}"#) {
            let (own, usual) = (serde_json::from_str::<Json>(&text), serde_json::from_str::<Value>(&text));
            proptest::prop_assert_eq!(own.is_ok(), usual.is_ok());
            if let (Ok(own), Ok(usual)) = (own, usual) {
                let again: Json = serde_json::from_str(&serde_json::to_string(&own).unwrap()).unwrap();
                proptest::prop_assert_eq!(&again, &own);
                proptest::prop_assert!(own.into_value().map_or(true, |value| value == usual));
            }
        }
    }
}
