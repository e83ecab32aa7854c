//! `manifest.json`: size and SHA-256 of every file of the run, so that a copy can be checked against it.

use std::fs;
use std::io;
use std::thread;

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

/// Makes the run's files durable, hashes them meanwhile, and writes the manifest. Fails where one of them is missing.
pub(super) fn write(folder: &RunFolder, run: &str) -> Result<(), ReportError> {
    let (synced, files) = thread::scope(|scope| {
        let hashing = FILES.map(|name| scope.spawn(move || entry(folder, name)));
        let synced = folder.sync(&FILES);
        let broken = |_| Err(ReportError::read(folder.path())(io::Error::other("hashing broke down")));
        let files = hashing.into_iter().map(|one| one.join().unwrap_or_else(broken));
        (synced, files.collect::<Result<_, _>>())
    });
    synced?;
    let files = files?;
    let manifest = Manifest { format: FORMAT, run, files };
    let path = folder.file(NAME);
    write_private(&path, |out| {
        serde_json::to_writer_pretty(&mut *out, &manifest)?;
        out.write_all(b"\n")
    })
    .map_err(ReportError::write(&path))
}

fn entry(folder: &RunFolder, name: &'static str) -> Result<Entry, ReportError> {
    let path = folder.file(name);
    let bytes = fs::metadata(&path).map_err(ReportError::read(&path))?.len();
    let sha256 = sha256_of(&path).map_err(ReportError::read(&path))?;
    Ok(Entry { name, bytes, sha256 })
}
