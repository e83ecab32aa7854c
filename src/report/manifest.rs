//! `manifest.json`: size and SHA-256 of every file of the run, so that a copy can be checked against it.

use std::fs;
use std::io;

use serde::Serialize;

use super::ReportError;
use crate::digest::sha256_of;
use crate::journal::{FORMAT, RunFolder, write_private};

const NAME: &str = "manifest.json";

/// The files that it speaks of, in order: all but itself and the lock.
const FILES: [&str; 8] = [
    "run.json",
    "plan.csv",
    "journal.jsonl",
    "report.csv",
    "report.jsonl",
    "report.html",
    "summary.json",
    "remaining.csv",
];

#[derive(Serialize)]
struct Manifest<'a> {
    format: u32,
    run: &'a str,
    files: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    name: &'static str,
    bytes: u64,
    sha256: String,
}

/// Takes an earlier manifest away.
pub(super) fn remove(folder: &RunFolder) -> Result<(), ReportError> {
    let path = folder.file(NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(ReportError::write(&path)(error)),
        _ => Ok(()),
    }
}

/// Hashes the run's files and writes the manifest. Fails where one of them is missing.
pub(super) fn write(folder: &RunFolder, run: &str) -> Result<(), ReportError> {
    let entry = |name: &'static str| {
        let path = folder.file(name);
        let bytes = fs::metadata(&path).map_err(ReportError::read(&path))?.len();
        let sha256 = sha256_of(&path).map_err(ReportError::read(&path))?;
        Ok(Entry { name, bytes, sha256 })
    };
    let files = FILES.into_iter().map(entry).collect::<Result<_, ReportError>>()?;
    let manifest = Manifest { format: FORMAT, run, files };
    let path = folder.file(NAME);
    write_private(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, &manifest)?;
        out.write_all(b"\n")
    })
    .map_err(ReportError::write(&path))
}
