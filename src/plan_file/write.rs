//! Writes a plan file row by row. The file appears complete or not at all, and only its owner can read it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::Value;

use super::canonical::{self, CanonicalDigest};
use super::{PlanFileError, PlanFileHead, ROWS, SHA256};
use crate::files::Dir;
use crate::plan::{Draft, PlanRow};
use crate::text::sanitize;

/// The maximum number of bytes that are read to recognize a plan: the members before the rows.
const MAX_HEAD_BYTES: u64 = 1 << 20;

/// Checks that a plan may be written to this path. Called before sign-in, so that the error comes early.
///
/// # Errors
/// When there is a file that must not be replaced.
pub fn check_writable(path: &Path, overwrite: bool) -> Result<(), PlanFileError> {
    match path.symlink_metadata() {
        Ok(_) if !overwrite => Err(PlanFileError::Exists { path: path.to_owned() }),
        // The plan is renamed over the file. This would destroy a device or a list of users.
        Ok(there) if !there.is_file() || !is_plan_or_empty(path) => {
            Err(PlanFileError::NotReplaceable { path: path.to_owned() })
        }
        Ok(there) if there.is_dir() => {
            Err(PlanFileError::write_error(path)(io::ErrorKind::IsADirectory.into()))
        }
        _ => Ok(()),
    }
}

/// Whether a file is empty, or a plan, complete or not.
fn is_plan_or_empty(path: &Path) -> bool {
    let mut head = Vec::new();
    let opened = open_folder(path).and_then(|(folder, name)| folder.open_regular(name));
    let read = opened.and_then(|file| file.take(MAX_HEAD_BYTES).read_to_end(&mut head));
    let head = String::from_utf8_lossy(&head);
    read.is_ok() && (head.trim().is_empty() || head.contains(super::KIND))
}

/// Writes the plan and returns its SHA-256 in hex. Readers see the complete file or none.
///
/// # Errors
/// When it can't be written, or there is a file that must not be replaced.
pub fn write(
    head: &PlanFileHead,
    draft: Draft,
    path: &Path,
    overwrite: bool,
) -> Result<String, PlanFileError> {
    let (folder, name) = open_folder(path).map_err(PlanFileError::write_error(path))?;
    let mut filled = None;
    let put = |out: &mut dyn Write| match filled.insert(write_document(head, draft, out, path)) {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::other("the plan can't be written")),
    };
    let kept = if overwrite { folder.replace(name, put) } else { folder.write_new(name, put) };
    match (filled, kept) {
        (Some(Err(error)), _) => Err(error),
        (Some(Ok(sha256)), Ok(())) => Ok(sha256),
        (_, Err(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(PlanFileError::Exists { path: path.to_owned() })
        }
        (_, kept) => {
            let error = kept.err().unwrap_or_else(|| io::Error::other("nothing was written"));
            Err(PlanFileError::write_error(path)(error))
        }
    }
}

/// The open folder of the file, and the file's name in it. If the folder is replaced by another one, this has
/// no effect, and no link to the file is followed.
fn open_folder(path: &Path) -> io::Result<(Dir, &OsStr)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    Ok((Dir::open_parent(path.parent().unwrap_or(Path::new("")))?, name))
}

/// Writes one line for each member and each row, so that people can read the file. The hash comes last.
fn write_document(
    head: &PlanFileHead,
    draft: Draft,
    out: &mut dyn Write,
    path: &Path,
) -> Result<String, PlanFileError> {
    let fail = PlanFileError::write_error;
    let members = members(head).map_err(fail(path))?;
    let mut digest = CanonicalDigest::new();
    let hash = |digest: &mut CanonicalDigest, from: &str, before: bool| {
        let part = members.iter().filter(|(name, _)| (name.as_str() < from) == before);
        part.into_iter().try_for_each(|(name, value)| digest.member(name, value))
    };
    write_members(&members, out).map_err(fail(path))?;
    hash(&mut digest, ROWS, true).and_then(|()| digest.list(ROWS)).map_err(fail(path))?;
    let mut first = true;
    draft.for_each_row(|row| {
        write_row(row, first, out, &mut digest)?;
        first = false;
        Ok(())
    })?;
    digest.end_list().and_then(|()| hash(&mut digest, ROWS, false)).map_err(fail(path))?;
    let sha256 = digest.finish().map_err(fail(path))?;
    writeln!(out, "\n ],\n \"{SHA256}\": \"{sha256}\"\n}}").map_err(fail(path))?;
    Ok(sha256)
}

fn members(head: &PlanFileHead) -> io::Result<BTreeMap<String, Value>> {
    match serde_json::to_value(head)? {
        Value::Object(members) => Ok(members.into_iter().collect()),
        _ => Err(io::Error::other("the head of the plan is not a JSON object")),
    }
}

fn write_members(members: &BTreeMap<String, Value>, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"{")?;
    for (name, value) in members {
        write!(out, "\n \"{name}\": {},", sanitize::sanitize_json(&canonical::to_canonical_string(value)?))?;
    }
    write!(out, "\n \"{ROWS}\": [")
}

fn write_row(
    row: &PlanRow,
    first: bool,
    out: &mut dyn Write,
    digest: &mut CanonicalDigest,
) -> io::Result<()> {
    let text = canonical::to_canonical_string(&serde_json::to_value(row)?)?;
    digest.item(first, text.as_bytes())?;
    let separator = if first { "" } else { "," };
    write!(out, "{separator}\n  {}", sanitize::sanitize_json(&text))
}
