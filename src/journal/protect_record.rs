//! What was approved when a run began: the mark by which a changed `run.json` is noticed, and whom the run protects.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunRecord;
use crate::plan::ListEntry;
use crate::text::digest::{HashingWriter, sha256_of};

/// Whom a run protects, as it was named. `resume` reads the lists again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectRecord {
    /// The entries of `--protect` and of the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<ProtectEntry>,
    /// The ids of `--unprotect`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprotect: Vec<String>,
    /// `--eligible`, which counts for roles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eligible: bool,
    /// `--allow-empty`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_empty: bool,
    /// `--no-lookup`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_lookup: bool,
}

/// One entry: an id, `group:…`, `role:…`, or a file with its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectEntry {
    /// As it was given; a file by its whole path.
    pub entry: String,
    /// SHA-256 of a file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl ProtectEntry {
    /// Takes the fingerprint of what is named.
    pub fn new(text: &str, eligible: bool) -> ProtectEntry {
        let ListEntry::File(path) = ListEntry::parse(text, eligible) else {
            return ProtectEntry { entry: text.to_owned(), sha256: None };
        };
        let full_path = std::path::absolute(&path).unwrap_or(path);
        ProtectEntry {
            sha256: sha256_of_plain_file(&full_path).ok(),
            entry: full_path.to_string_lossy().into_owned(),
        }
    }

    /// The file that it names, if it names one.
    pub fn file(&self, eligible: bool) -> Option<PathBuf> {
        match ListEntry::parse(&self.entry, eligible) {
            ListEntry::File(path) => Some(path),
            ListEntry::Id(_) | ListEntry::Selected(_) => None,
        }
    }
}

/// SHA-256 of a plain file; a pipe would wait for a writer.
pub(crate) fn sha256_of_plain_file(path: &std::path::Path) -> io::Result<String> {
    match fs::metadata(path)?.is_file() {
        true => sha256_of(path),
        false => Err(io::Error::other("it is not a plain file")),
    }
}

impl RunRecord {
    /// The mark of what was approved: where the run sends, as which app, which plan, and whom it protects. Settings that
    /// `resume` may change do not count. It stands in the journal's `began` lines.
    pub fn approval_mark(&self) -> String {
        let tenants: Vec<_> =
            self.tenants.iter().map(|one| (&one.tenant, &one.tenant_id, &one.app_id, &one.closed)).collect();
        let apps: Vec<_> = self.apps.iter().map(|app| &app.app_id).collect();
        let protect = self.settings.protect.as_ref();
        let facts = (
            (&self.id, &self.cloud, &self.tenant, &self.tenant_id, &self.unverified_tenant),
            (&self.operator.app_id, &self.operator.user, apps, tenants),
            (self.plan.rows, self.plan.targets, &self.plan.sha256),
            (protect, self.drill.is_some()),
        );
        let mut out = HashingWriter::new(io::sink());
        // Plain data always becomes JSON, and a sink takes it.
        let written =
            serde_json::to_writer(&mut out, &facts).map_err(io::Error::from).and_then(|()| out.flush());
        written.map(|()| out.finish().1).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_keeps_the_fingerprint_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("list.txt");
        fs::write(&path, "abc").unwrap();
        let entry = ProtectEntry::new(path.to_str().unwrap(), false);
        assert_eq!(entry.file(false), Some(path));
        assert!(entry.sha256.unwrap().starts_with("ba7816bf"));
        for named in ["group:Board", "ann@contoso.com"] {
            let entry = ProtectEntry::new(named, false);
            assert_eq!((entry.entry.as_str(), &entry.sha256, entry.file(false)), (named, &None, None));
        }
    }
}
