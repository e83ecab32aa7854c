//! The folder of a merged report.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::merged_runs::{MAX_NAMED, MergedRuns, RepeatedUsers};
use super::row_merge::for_each_row;
use super::shard_set::{MergeError, ShardSet};
use crate::files::{Dir, is_partial};
use crate::journal::FORMAT;
use crate::report::row_writer::{ReportLayout, RowVisitor, write_rows};
use crate::report::{ReportError, ReportRow, Summary, manifest, write_pages};

/// The file that identifies the folder of a merged report.
const MERGE_JSON: &str = "merge.json";

/// Its files, in the manifest's order.
const FILES: [&str; 6] =
    [MERGE_JSON, "report.csv", "report.jsonl", "report.html", "summary.json", "remaining.csv"];

/// The destination of a merged report: a new folder, an empty one, or one that already has such a report.
#[derive(Debug)]
pub struct MergeOutput {
    path: PathBuf,
    /// The folder, if it exists.
    dir: Option<Dir>,
}

/// `merge.json`.
#[derive(Serialize)]
struct MergeRecord<'a> {
    format: u32,
    /// Made from the runs' manifests, so that the same runs give the same ID.
    id: &'a str,
    version: &'static str,
    #[serde(flatten)]
    merged: &'a MergedRuns,
}

impl MergeOutput {
    /// Checks that the folder has no other files, without writing.
    ///
    /// # Errors
    /// When it has, or can't be read.
    pub fn check(path: &Path) -> Result<MergeOutput, MergeError> {
        let dir = match Dir::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(MergeOutput { path: path.to_owned(), dir: None });
            }
            opened => opened.map_err(|source| MergeError::Output { folder: path.to_owned(), source })?,
        };
        let checked = dir.names().and_then(|names| {
            let is_free = names.is_empty() || dir.contains(MERGE_JSON)?;
            dir.check_trust(|name| {
                FILES.contains(&name) || name == manifest::NAME || is_partial(name, &FILES)
            })?;
            Ok(is_free)
        });
        match checked {
            Ok(true) => Ok(MergeOutput { path: path.to_owned(), dir: Some(dir) }),
            Ok(false) => Err(MergeError::Occupied { folder: path.to_owned() }),
            Err(source) => Err(MergeError::Output { folder: path.to_owned(), source }),
        }
    }

    /// Opens the folder, or creates it if it does not exist.
    fn open_or_create(self) -> io::Result<Dir> {
        match (self.dir, self.path.parent(), self.path.file_name()) {
            (Some(dir), _, _) => Ok(dir),
            (None, Some(parent), Some(name)) => Dir::create(parent, name),
            (None, ..) => Err(io::ErrorKind::InvalidFilename.into()),
        }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Writes the merged report, the manifest last, and returns its summary.
///
/// # Errors
/// When a plan or a journal can't be read, a file can't be written, or two runs have the same row.
pub fn write(set: &ShardSet, output: MergeOutput) -> Result<Summary, ReportError> {
    let path = output.path().to_owned();
    let folder = &output.open_or_create().map_err(ReportError::write(&path))?;
    folder.sweep(|name| is_partial(name, &FILES));
    manifest::remove(folder)?;
    let accepted = set.accepted();
    let layout = ReportLayout {
        columns: set.columns(),
        inputs: set.runs.first().map_or(0, |part| part.record.inputs.len()),
        selected: set.runs.iter().map(|part| part.record.plan.selected).sum(),
        accepted: &accepted,
        by_tenant: set.tenants().len() > 1,
    };
    let mut finder = RepeatedUserFinder::default();
    let rows = |visit: RowVisitor<'_>| {
        for_each_row(set, |row| {
            finder.add(row);
            visit(row)
        })
    };
    let stats = write_rows(folder, &layout, rows)?;
    let merged = MergedRuns::new(set, &finder.repeated);
    let id = merge_id(&merged);
    write_record(folder, &id, &merged)?;
    let no_run = || ReportError::read(&path)(io::Error::other("no run was given"));
    let summary = set.summary(&id, &stats.totals, stats.by_tenant.as_ref(), merged).ok_or_else(no_run)?;
    write_pages(folder, &summary, &stats.sample)?;
    manifest::write(folder, &id, &FILES, &summary.altered)?;
    Ok(summary)
}

fn write_record(folder: &Dir, id: &str, merged: &MergedRuns) -> Result<(), ReportError> {
    let record = MergeRecord { format: FORMAT, id, version: env!("CARGO_PKG_VERSION"), merged };
    let put = folder.replace(MERGE_JSON, |out| {
        let json = serde_json::to_string_pretty(&record)?;
        writeln!(out, "{}", crate::text::sanitize::sanitize_json(&json))
    });
    put.map_err(ReportError::write(&folder.file(MERGE_JSON)))
}

fn merge_id(merged: &MergedRuns) -> String {
    let all: Vec<&str> = merged.runs.iter().map(|run| run.manifest_sha256.as_str()).collect();
    hex::encode(digest(&SHA256, all.join("\n").as_bytes()))[..8].to_owned()
}

/// Finds users that several runs revoked, by a hash for each user. Within one run every target is a different user, so
/// a repeated user comes from another run.
#[derive(Default)]
struct RepeatedUserFinder {
    hasher: RandomState,
    users: HashSet<u64>,
    /// The users that came again.
    reported: HashSet<u64>,
    repeated: RepeatedUsers,
}

impl RepeatedUserFinder {
    fn add(&mut self, row: &ReportRow<'_>) {
        let user = row.target_no.map(|_| self.hasher.hash_one((row.tenant, row.user_id.to_lowercase())));
        let Some(user) = user else { return };
        if self.users.insert(user) || !self.reported.insert(user) {
            return;
        }
        self.repeated.users += 1;
        if self.repeated.names.len() < MAX_NAMED {
            let name = [row.user_principal_name, row.user_id].into_iter().find(|name| !name.is_empty());
            self.repeated.names.push(name.unwrap_or_default().to_owned());
        }
    }
}
