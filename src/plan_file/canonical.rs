//! Canonical JSON, so that the hash depends only on the content: compact, with members sorted by name, in
//! plain UTF-8. These are the bytes that `jq -cjS` writes, so you can check the hash with your own tools.

use std::io::{self, Write};

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;

/// Writes a value in canonical form.
pub(super) fn write_canonical(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    match value {
        Value::Null => out.write_all(b"null"),
        Value::Bool(yes) => write!(out, "{yes}"),
        Value::Number(number) => write!(out, "{number}"),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            let mut separator: &[u8] = b"[";
            for item in items {
                out.write_all(separator)?;
                write_canonical(item, out)?;
                separator = b",";
            }
            out.write_all(if items.is_empty() { b"[]" } else { b"]" })
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by(|one, other| one.0.cmp(other.0));
            let mut separator: &[u8] = b"{";
            for (name, member) in sorted {
                out.write_all(separator)?;
                write_text(name, out)?;
                out.write_all(b":")?;
                write_canonical(member, out)?;
                separator = b",";
            }
            out.write_all(if members.is_empty() { b"{}" } else { b"}" })
        }
    }
}

/// A value in canonical form, as text.
pub(super) fn to_canonical_string(value: &Value) -> io::Result<String> {
    let mut bytes = Vec::new();
    write_canonical(value, &mut bytes)?;
    String::from_utf8(bytes).map_err(io::Error::other)
}

fn write_text(text: &str, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"\"")?;
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..0x20 | 0x7f => "",
            _ => continue,
        };
        out.write_all(&text.as_bytes()[plain..at])?;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}")?;
        } else {
            out.write_all(escape.as_bytes())?;
        }
        plain = at + 1;
    }
    out.write_all(&text.as_bytes()[plain..])?;
    out.write_all(b"\"")
}

/// The SHA-256 of an object in canonical form, computed member by member, so that the object need not be in
/// memory. Members must be added in the order of their names.
pub(super) struct CanonicalDigest {
    hash: HashWriter,
    has_members: bool,
}

struct HashWriter(Context);

impl Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl CanonicalDigest {
    pub(super) fn new() -> CanonicalDigest {
        CanonicalDigest { hash: HashWriter(Context::new(&SHA256)), has_members: false }
    }

    /// Adds the next member.
    pub(super) fn member(&mut self, name: &str, value: &Value) -> io::Result<()> {
        self.write_name(name)?;
        write_canonical(value, &mut self.hash)
    }

    /// Begins the next member, which is a list. Its items follow with [`CanonicalDigest::item`], then
    /// [`CanonicalDigest::end_list`].
    pub(super) fn list(&mut self, name: &str) -> io::Result<()> {
        self.write_name(name)?;
        self.hash.write_all(b"[")
    }

    /// Adds the next item of a list, in canonical form.
    pub(super) fn item(&mut self, first: bool, canonical: &[u8]) -> io::Result<()> {
        if !first {
            self.hash.write_all(b",")?;
        }
        self.hash.write_all(canonical)
    }

    pub(super) fn end_list(&mut self) -> io::Result<()> {
        self.hash.write_all(b"]")
    }

    /// The hash in lower-case hex.
    pub(super) fn finish(mut self) -> io::Result<String> {
        self.hash.write_all(if self.has_members { b"}" } else { b"{}" })?;
        Ok(hex::encode(self.hash.0.finish()))
    }

    fn write_name(&mut self, name: &str) -> io::Result<()> {
        self.hash.write_all(if self.has_members { b"," } else { b"{" })?;
        self.has_members = true;
        write_text(name, &mut self.hash)?;
        self.hash.write_all(b":")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_sorted_without_whitespace() {
        let value = json!({"b": [1, {"d": null, "c": true}], "a": {}, "aa": [], "é": "ü\u{1f600}"});
        assert_eq!(
            to_canonical_string(&value).unwrap(),
            r#"{"a":{},"aa":[],"b":[1,{"c":true,"d":null}],"é":"ü😀"}"#
        );
    }

    #[test]
    fn controls_are_escaped_in_one_way() {
        let value = json!("a\"b\\c/\n\r\t\u{8}\u{c}\u{0}\u{1b}\u{7f}\u{85}");
        assert_eq!(
            to_canonical_string(&value).unwrap(),
            "\"a\\\"b\\\\c/\\n\\r\\t\\b\\f\\u0000\\u001b\\u007f\u{85}\""
        );
    }

    #[test]
    fn the_hash_is_that_of_the_text() {
        let value = json!({"a": 1, "rows": [{"x": "y"}, 2], "z": "é"});
        let mut digest = CanonicalDigest::new();
        digest.member("a", &value["a"]).unwrap();
        digest.list("rows").unwrap();
        digest.item(true, br#"{"x":"y"}"#).unwrap();
        digest.item(false, b"2").unwrap();
        digest.end_list().unwrap();
        digest.member("z", &value["z"]).unwrap();
        let mut context = Context::new(&SHA256);
        context.update(to_canonical_string(&value).unwrap().as_bytes());
        assert_eq!(digest.finish().unwrap(), hex::encode(context.finish()));
    }
}
