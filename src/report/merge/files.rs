//! The folder of a joined report.

use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::merged::{Merged, NAMED, Several};
use super::rows::for_each_row;
use super::set::{MergeError, Set};
use crate::journal::{FORMAT, create_private_dir, write_private};
use crate::report::pass::{Form, Visit, write_rows};
use crate::report::{ReportError, ReportRow, Summary, manifest, write_pages};

/// What tells a folder of a joined report from any other.
const NAME: &str = "merge.json";

/// Its files, in the manifest's order.
const FILES: [&str; 6] = [NAME, "report.csv", "report.jsonl", "report.html", "summary.json", "remaining.csv"];

/// Where a joined report is written: a new folder, an empty one, or one that holds such a report already.
#[derive(Debug)]
pub struct Output(PathBuf);

/// `merge.json`.
#[derive(Serialize)]
struct MergeRecord<'a> {
    format: u32,
    /// Of the runs' manifests: the same runs give the same id.
    id: &'a str,
    version: &'static str,
    #[serde(flatten)]
    merged: &'a Merged,
}

impl Output {
    /// Makes sure that nothing else lies there, without writing.
    ///
    /// # Errors
    /// When something does, or it can't be looked at.
    pub fn check(path: &Path) -> Result<Output, MergeError> {
        let entries = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Output(path.to_owned())),
            Err(source) => return Err(MergeError::Output { folder: path.to_owned(), source }),
            Ok(mut entries) => entries.next(),
        };
        match entries.is_some() && !path.join(NAME).exists() {
            true => Err(MergeError::Occupied { folder: path.to_owned() }),
            false => Ok(Output(path.to_owned())),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Writes the joined report, the manifest last, and gives its summary.
///
/// # Errors
/// When a plan or a journal can't be read, a file can't be written, or the runs hold the same row.
pub fn write(set: &Set, output: &Output) -> Result<Summary, ReportError> {
    let folder = output.path();
    create_private_dir(folder).map_err(ReportError::write(folder))?;
    manifest::remove(folder)?;
    let accepted = set.accepted();
    let form = Form {
        columns: set.columns(),
        inputs: set.parts.first().map_or(0, |part| part.record.inputs.len()),
        selected: set.parts.iter().map(|part| part.record.plan.selected).sum(),
        accepted: &accepted,
        by_tenant: set.tenants().len() > 1,
    };
    let mut sent = Sent::default();
    let rows = |visit: Visit<'_>| {
        for_each_row(set, |row| {
            sent.take(row);
            visit(row)
        })
    };
    let pass = write_rows(folder, &form, rows)?;
    let merged = Merged::new(set, &sent.several);
    let id = id_of(&merged);
    write_record(folder, &id, &merged)?;
    let nobody = || ReportError::read(folder)(io::Error::other("no run was given"));
    let summary = set.summary(&id, &pass.totals, pass.by_tenant.as_ref(), merged).ok_or_else(nobody)?;
    write_pages(folder, &summary, &pass.sample)?;
    manifest::write(folder, &id, &FILES, &summary.altered)?;
    Ok(summary)
}

fn write_record(folder: &Path, id: &str, merged: &Merged) -> Result<(), ReportError> {
    let path = folder.join(NAME);
    let record = MergeRecord { format: FORMAT, id, version: env!("CARGO_PKG_VERSION"), merged };
    write_private(&path, |out| {
        let json = serde_json::to_string_pretty(&record)?;
        writeln!(out, "{}", crate::harmless::json(&json))
    })
    .map_err(ReportError::write(&path))
}

fn id_of(merged: &Merged) -> String {
    let all: Vec<&str> = merged.runs.iter().map(|run| run.manifest_sha256.as_str()).collect();
    hex::encode(digest(&SHA256, all.join("\n").as_bytes()))[..8].to_owned()
}

/// Who was sent so far: a hash for each. Within one run nobody is sent twice as a row of their own, so whoever comes again
/// is another run's.
#[derive(Default)]
struct Sent {
    hasher: RandomState,
    users: HashSet<u64>,
    /// Those who came again.
    again: HashSet<u64>,
    several: Several,
}

impl Sent {
    fn take(&mut self, row: &ReportRow<'_>) {
        let user = row.order.map(|_| self.hasher.hash_one((row.tenant, row.user_id.to_lowercase())));
        let Some(user) = user else { return };
        if self.users.insert(user) || !self.again.insert(user) {
            return;
        }
        self.several.users += 1;
        if self.several.names.len() < NAMED {
            let name = [row.user_principal_name, row.user_id].into_iter().find(|name| !name.is_empty());
            self.several.names.push(name.unwrap_or_default().to_owned());
        }
    }
}
