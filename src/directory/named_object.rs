//! Objects of the directory that are looked up by name: groups, administrative units, roles.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, Permission, directory_object, odata};
use crate::text::sanitize;

/// Maximum number of candidates to list for an ambiguous name.
const MAX_CANDIDATES: usize = 20;

/// A type of objects with names.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedObjectKind {
    /// The type in words.
    pub(super) noun: &'static str,
    /// The path of its collection.
    pub(super) path: &'static str,
    /// The fields to request.
    pub(super) select: &'static str,
    /// The permission to read them.
    pub(super) permission: Permission,
}

/// One object.
#[derive(Clone, Debug)]
pub(super) struct NamedObject {
    /// Object ID.
    pub(super) id: Uuid,
    /// Display name, safe to show. The ID if there is no name.
    pub(super) name: String,
    /// Whether its members are hidden (`visibility`).
    pub(super) hidden: bool,
}

impl NamedObject {
    /// Reads an object.
    ///
    /// # Errors
    /// When it has no object ID.
    pub(super) fn read(value: &Value, what: &str) -> Result<NamedObject, DirectoryError> {
        let id = directory_object::read_id(value, what)?;
        let name = value.get("displayName").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let hidden = value.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
        let name = name.map_or_else(|| id.to_string(), |name| sanitize::sanitize_truncated(name, 256));
        Ok(NamedObject { id, name, hidden })
    }

    /// Name and ID: `Finance (0785ef7c-…)`.
    pub(super) fn name_with_id(&self) -> String {
        let id = self.id.to_string();
        if self.name == id { id } else { format!("{} ({id})", self.name) }
    }
}

impl NamedObjectKind {
    /// In words: `group Finance`.
    pub(super) fn describe(&self, text: &str) -> String {
        format!("{} {}", self.noun, sanitize::sanitize_truncated(text, 256))
    }

    fn request(&self, text: &str, url: String) -> ReadRequest {
        ReadRequest { what: self.describe(text), url, eventual: false, permission: self.permission, cost: 1 }
    }

    /// Reads the object with this ID.
    pub(super) async fn find_by_id(
        &self,
        reader: &GraphReader,
        id: Uuid,
    ) -> Result<NamedObject, DirectoryError> {
        let text = id.to_string();
        let url = format!("{}/{id}?$select={}", self.path, self.select);
        let found = reader.get(&self.request(&text, url)).await?;
        let found = NamedObject::read(&found, &self.describe(&text))?;
        if found.id == id { Ok(found) } else { Err(self.wrong_object(&text)) }
    }

    /// Finds the object that matches a filter. `text` is the name to look for, and `fields` are the fields that may
    /// have it.
    ///
    /// # Errors
    /// Also when no object matches, or several do.
    pub(super) async fn find_by_filter(
        &self,
        reader: &GraphReader,
        text: &str,
        filter: &str,
        fields: &[&str],
    ) -> Result<NamedObject, DirectoryError> {
        let url = format!("{}?$filter={}&$select={}", self.path, odata::encode(filter), self.select);
        let mut pages = GraphPages::new(reader.clone(), self.request(text, url));
        let mut found: Vec<NamedObject> = Vec::new();
        while let Some(items) = pages.next().await? {
            for value in &items {
                if !fields.iter().any(|field| has_name(value, field, text)) {
                    return Err(self.wrong_object(text));
                }
                found.push(NamedObject::read(value, &self.describe(text))?);
            }
        }
        exactly_one(found, self.describe(text))
    }

    /// An answer about another object than the one requested: its members would be the wrong users.
    fn wrong_object(&self, text: &str) -> DirectoryError {
        let reason = format!("Graph's answer is about another {}", self.noun);
        DirectoryError::Untrusted { what: self.describe(text), reason }
    }
}

/// Whether an object has this name in a field. Graph's filters ignore case and do not trim.
fn has_name(value: &Value, field: &str, name: &str) -> bool {
    let found = value.get(field).and_then(Value::as_str);
    found.is_some_and(|found| found.trim().to_lowercase() == name.trim().to_lowercase())
}

/// The only object in `found`. The same object may be there twice, because a later page may repeat it.
///
/// # Errors
/// When there is none, or there are several.
pub(super) fn exactly_one(mut found: Vec<NamedObject>, what: String) -> Result<NamedObject, DirectoryError> {
    let mut seen = HashSet::new();
    found.retain(|one| seen.insert(one.id));
    match found.len() {
        0 => Err(DirectoryError::NotFound { what }),
        1 => Ok(found.remove(0)),
        _ => Err(DirectoryError::Ambiguous { what, candidates: candidates(&found) }),
    }
}

fn candidates(found: &[NamedObject]) -> Vec<String> {
    let mut shown: Vec<String> = found.iter().take(MAX_CANDIDATES).map(NamedObject::name_with_id).collect();
    if found.len() > MAX_CANDIDATES {
        shown.push(format!("and {} more", found.len() - MAX_CANDIDATES));
    }
    shown
}
