//! Writing a plan file: row by row, whole or not at all, for its owner alone.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use serde_json::Value;
use tempfile::NamedTempFile;

use super::canonical::{self, Digest};
use super::{Head, PlanFileError, ROWS, SHA256};
use crate::harmless;
use crate::plan::{Draft, PlanRow};

/// How much of a file is looked at, in bytes: the members before the rows.
const HEAD: u64 = 1 << 20;

/// Whether a plan may be written there: better known before anybody signs in.
///
/// # Errors
/// When there is a file, and it must not be replaced.
pub fn is_free(path: &Path, overwrite: bool) -> Result<(), PlanFileError> {
    match path.symlink_metadata() {
        Ok(_) if !overwrite => Err(PlanFileError::Exists { path: path.to_owned() }),
        // Renamed over, a device would be gone, and so would a list of users.
        Ok(there) if !there.is_file() || !holds_plan(path) => {
            Err(PlanFileError::NoPlanThere { path: path.to_owned() })
        }
        Ok(there) if there.is_dir() => Err(PlanFileError::write(path)(io::ErrorKind::IsADirectory.into())),
        _ => Ok(()),
    }
}

/// Whether a file is a plan, whole or not, or empty.
fn holds_plan(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    read.is_ok() && (head.trim().is_empty() || head.contains(super::KIND))
}

/// Writes the plan and gives its SHA-256, in hex. A reader sees all of it or nothing.
///
/// # Errors
/// When it can't be written, or a file is there that must not be replaced.
pub fn write(head: &Head, draft: Draft, path: &Path, overwrite: bool) -> Result<String, PlanFileError> {
    let fail = PlanFileError::write;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is its owner's alone, and keeps that under its own name.
    let mut file = tempfile::Builder::new().prefix(".plan-").tempfile_in(folder).map_err(fail(path))?;
    let mut out = BufWriter::with_capacity(1 << 16, file.as_file_mut());
    let sha256 = fill(head, draft, &mut out, path)?;
    out.into_inner().map_err(|error| fail(path)(error.into_error()))?.sync_all().map_err(fail(path))?;
    keep(file, path, overwrite)?;
    Ok(sha256)
}

fn keep(file: NamedTempFile, path: &Path, overwrite: bool) -> Result<(), PlanFileError> {
    let kept = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    match kept {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(PlanFileError::Exists { path: path.to_owned() })
        }
        Err(error) => Err(PlanFileError::write(path)(error.error)),
    }
}

/// A line for each member and for each row, so that the file can be looked at; the hash comes last.
fn fill(head: &Head, draft: Draft, out: &mut dyn Write, path: &Path) -> Result<String, PlanFileError> {
    let fail = PlanFileError::write;
    let members = members(head).map_err(fail(path))?;
    let mut digest = Digest::new();
    let hash = |digest: &mut Digest, from: &str, before: bool| {
        let part = members.iter().filter(|(name, _)| (name.as_str() < from) == before);
        part.into_iter().try_for_each(|(name, value)| digest.member(name, value))
    };
    put_members(&members, out).map_err(fail(path))?;
    hash(&mut digest, ROWS, true).and_then(|()| digest.list(ROWS)).map_err(fail(path))?;
    let mut first = true;
    draft.for_each_row(|row| {
        put_row(row, first, out, &mut digest)?;
        first = false;
        Ok(())
    })?;
    digest.end_list().and_then(|()| hash(&mut digest, ROWS, false)).map_err(fail(path))?;
    let sha256 = digest.finish().map_err(fail(path))?;
    writeln!(out, "\n ],\n \"{SHA256}\": \"{sha256}\"\n}}").map_err(fail(path))?;
    Ok(sha256)
}

fn members(head: &Head) -> io::Result<BTreeMap<String, Value>> {
    match serde_json::to_value(head)? {
        Value::Object(members) => Ok(members.into_iter().collect()),
        _ => Err(io::Error::other("the head of a plan is an object")),
    }
}

fn put_members(members: &BTreeMap<String, Value>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{")?;
    for (name, value) in members {
        write!(out, "\n \"{name}\": {},", harmless::json(&canonical::text(value)?))?;
    }
    write!(out, "\n \"{ROWS}\": [")
}

fn put_row(row: &PlanRow, first: bool, out: &mut dyn Write, digest: &mut Digest) -> io::Result<()> {
    let text = canonical::text(&serde_json::to_value(row)?)?;
    digest.item(first, text.as_bytes())?;
    let separator = if first { "" } else { "," };
    write!(out, "{separator}\n  {}", harmless::json(&text))
}
