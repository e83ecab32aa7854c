//! Something of the directory that people call by its name: a group, an administrative unit, a role.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::pages::GraphPages;
use super::reader::{GraphReader, ReadRequest};
use super::{DirectoryError, Permission, directory_object, odata};
use crate::text::sanitize;

/// How many of those that have one name are told.
const MAX_CANDIDATES: usize = 20;

/// A kind of things with names.
#[derive(Clone, Copy, Debug)]
pub(super) struct NamedObjectKind {
    /// In words.
    pub(super) noun: &'static str,
    /// Its collection.
    pub(super) path: &'static str,
    /// What is asked for of each.
    pub(super) select: &'static str,
    /// What reading needs.
    pub(super) permission: Permission,
}

/// One thing.
#[derive(Clone, Debug)]
pub(super) struct NamedObject {
    /// Object id.
    pub(super) id: Uuid,
    /// Display name, harmless to show; the id where there is none.
    pub(super) name: String,
    /// Whether its members are hidden (`visibility`).
    pub(super) hidden: bool,
}

impl NamedObject {
    /// Reads one.
    ///
    /// # Errors
    /// When it has no object id.
    pub(super) fn read(value: &Value, what: &str) -> Result<NamedObject, DirectoryError> {
        let id = directory_object::read_id(value, what)?;
        let name = value.get("displayName").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
        let hidden = value.get("visibility").and_then(Value::as_str) == Some("HiddenMembership");
        let name = name.map_or_else(|| id.to_string(), |name| sanitize::sanitize_truncated(name, 256));
        Ok(NamedObject { id, name, hidden })
    }

    /// Name and id: `Finance (0785ef7c-…)`.
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

    /// The one with this object id.
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

    /// The one that a filter finds; `text` is what people called it, in one of these fields.
    ///
    /// # Errors
    /// Also when there are none, or several.
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

    /// An answer about another thing than was asked for: nobody knows whom it would lead to.
    fn wrong_object(&self, text: &str) -> DirectoryError {
        let reason = format!("Graph's answer is about another {}", self.noun);
        DirectoryError::Untrusted { what: self.describe(text), reason }
    }
}

/// Whether a thing has this name in a field; Graph's filters compare without case, and trim nothing.
fn has_name(value: &Value, field: &str, name: &str) -> bool {
    let found = value.get(field).and_then(Value::as_str);
    found.is_some_and(|found| found.trim().to_lowercase() == name.trim().to_lowercase())
}

/// The only one of those that were found; a thing may come again on a later page.
///
/// # Errors
/// When there are none, or several.
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
