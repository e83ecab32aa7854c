//! What was approved when a run began: the mark that reveals a changed `run.json`, and the users that the run protects.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunRecord;
use crate::plan::ListEntry;
use crate::text::digest::{HashingWriter, sha256_of_file};

/// The protect list as it was given. `resume` reads the lists again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectRecord {
    /// The entries of `--protect` and of the profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<ProtectEntry>,
    /// The IDs of `--unprotect`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unprotect: Vec<String>,
    /// `--eligible`, which applies to roles.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub eligible: bool,
    /// `--allow-empty`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_empty: bool,
    /// `--no-lookup`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_lookup: bool,
}

/// One entry: an ID, `group:…`, `role:…`, or a file with its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectEntry {
    /// As it was given. A file has its absolute path.
    pub entry: String,
    /// SHA-256 of a file, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl ProtectEntry {
    /// Parses an entry and hashes its file.
    pub fn new(text: &str, eligible: bool) -> ProtectEntry {
        let ListEntry::File(path) = ListEntry::parse(text, eligible) else {
            return ProtectEntry { entry: text.to_owned(), sha256: None };
        };
        let full_path = std::path::absolute(&path).unwrap_or(path);
        ProtectEntry {
            sha256: sha256_of_regular_file(&full_path).ok(),
            entry: full_path.to_string_lossy().into_owned(),
        }
    }

    /// The file of the entry, if it is one.
    pub fn file(&self, eligible: bool) -> Option<PathBuf> {
        match ListEntry::parse(&self.entry, eligible) {
            ListEntry::File(path) => Some(path),
            ListEntry::Id(_) | ListEntry::Selector(_) => None,
        }
    }
}

/// The SHA-256 of a regular file. A pipe would wait for a writer.
pub(crate) fn sha256_of_regular_file(path: &std::path::Path) -> io::Result<String> {
    match fs::metadata(path)?.is_file() {
        true => sha256_of_file(path),
        false => Err(io::Error::other("it is not a regular file")),
    }
}

impl RunRecord {
    /// The mark of what was approved: the destination, the app, the plan, and the protected users. Settings that
    /// `resume` may change are not included. It is written to the journal's `began` lines.
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
        // Plain data always becomes JSON, and a sink accepts it.
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
