//! `manifest.json`: the size and SHA-256 of every file of the run, to check a copy against.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread;

use serde::{Deserialize, Serialize};

use super::ReportError;
use crate::files::Dir;
use crate::journal::{FORMAT, sync_folder};
use crate::text::digest::sha256_of_reader;

pub(super) const NAME: &str = "manifest.json";

/// The files of a run that it lists, in order: all except itself and the lock.
pub(super) const RUN_FILES: [&str; 8] = [
    "run.json",
    "plan.csv",
    "journal.jsonl",
    "report.csv",
    "report.jsonl",
    "report.html",
    "summary.json",
    "remaining.csv",
];

#[derive(Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    pub(super) run: String,
    pub(super) files: Vec<ManifestEntry>,
    /// The differences found when the run's files were compared with earlier manifests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) altered: Vec<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct ManifestEntry {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// Why a folder does not match its manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The folder has no manifest.
    #[error(
        "{folder} has no manifest, because its run has not ended or was killed. Finish it (entra-revoke \
         resume), or make its reports again (entra-revoke report)", folder = folder.display()
    )]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// It can't be read, or is not valid.
    #[error("can't read {path}: {reason}", path = path.display())]
    Unreadable {
        /// The manifest or a file that it lists.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// A file does not match it.
    #[error(
        "{path} does not match the folder's manifest: it was changed after the run ended, or copied only in \
         part. Use an unchanged copy of the folder", path = path.display()
    )]
    Changed {
        /// The path of the file.
        path: PathBuf,
    },
    /// It does not list a required file, or is for another run.
    #[error("{path} is not the manifest of this run: {reason}", path = path.display())]
    Foreign {
        /// The manifest.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Checks every file of a run against its manifest. Returns the SHA-256 of the manifest itself, in hex.
///
/// # Errors
/// When there is no manifest, or a file is missing or different.
pub fn check(folder: &Dir, run: &str) -> Result<String, ManifestError> {
    let path = folder.file(NAME);
    let unreadable = |reason: String| ManifestError::Unreadable { path: path.clone(), reason };
    let mut text = Vec::new();
    match folder.read(NAME).and_then(|mut file| file.read_to_end(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ManifestError::Missing { folder: folder.path().to_owned() });
        }
        Err(error) => return Err(unreadable(error.to_string())),
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    let foreign = |reason: String| ManifestError::Foreign { path: path.clone(), reason };
    if manifest.run != run {
        let theirs = crate::text::sanitize::sanitize_truncated(&manifest.run, 40);
        return Err(foreign(format!("it is for run {theirs}, but run.json is for {run}")));
    }
    let named: HashSet<&str> = manifest.files.iter().map(|entry| entry.name.as_str()).collect();
    if let Some(missing) = RUN_FILES.into_iter().find(|name| !named.contains(name)) {
        return Err(foreign(format!("it does not list {missing}")));
    }
    // Other names that it may list are not files of a run, and could be anywhere.
    for entry in manifest.files.iter().filter(|entry| RUN_FILES.contains(&entry.name.as_str())) {
        let path = folder.file(&entry.name);
        let failed =
            |error: io::Error| ManifestError::Unreadable { path: path.clone(), reason: error.to_string() };
        if folder.read(&entry.name).and_then(sha256_of_reader).map_err(failed)? != entry.sha256 {
            return Err(ManifestError::Changed { path });
        }
    }
    sha256_of_reader(&text[..]).map_err(|error| unreadable(error.to_string()))
}

/// Removes an earlier manifest.
pub(super) fn remove(folder: &Dir) -> Result<(), ReportError> {
    match folder.remove(NAME) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ReportError::write(&folder.file(NAME))(error))
        }
        _ => Ok(()),
    }
}

/// Syncs these files of a folder to disk, hashes them at the same time, and writes the manifest.
///
/// # Errors
/// When a file is missing.
pub(super) fn write(
    folder: &Dir,
    run: &str,
    files: &[&'static str],
    altered: &[String],
) -> Result<(), ReportError> {
    let (synced, files) = thread::scope(|scope| {
        let hashing: Vec<_> = files.iter().map(|name| scope.spawn(move || hash_file(folder, name))).collect();
        let synced = sync_folder(folder, files);
        let broken =
            |_| Err(ReportError::read(folder.path())(io::Error::other("internal error: hashing panicked")));
        let files = hashing.into_iter().map(|one| one.join().unwrap_or_else(broken));
        (synced, files.collect::<Result<_, _>>())
    });
    synced?;
    let altered = altered.to_vec();
    let manifest = Manifest { format: FORMAT, run: run.to_owned(), files: files?, altered };
    let put = folder.replace(NAME, |out| {
        serde_json::to_writer_pretty(&mut *out, &manifest)?;
        out.write_all(b"\n")
    });
    put.map_err(ReportError::write(&folder.file(NAME)))
}

fn hash_file(folder: &Dir, name: &str) -> Result<ManifestEntry, ReportError> {
    let hash = |file: File| Ok((file.metadata()?.len(), sha256_of_reader(file)?));
    let hashed = folder.read(name).and_then(hash);
    let (bytes, sha256) = hashed.map_err(ReportError::read(&folder.file(name)))?;
    Ok(ManifestEntry { name: name.to_owned(), bytes, sha256 })
}
