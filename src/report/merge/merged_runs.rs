//! The runs of a merged report, for `merge.json` and the summary.

use jiff::Timestamp;
use serde::Serialize;

use super::shard_set::ShardSet;
use crate::intake::Shard;
use crate::report::jsonl::serialize_millis_opt;
use crate::report::summary::{plural, serialize_millis};

/// Maximum number of users to list that several runs revoked.
pub(super) const MAX_NAMED: usize = 20;

/// The runs of a merged report.
#[derive(Clone, Debug, Serialize)]
pub struct MergedRuns {
    /// The number of shards of the input.
    pub shards: u32,
    /// The shards without a folder.
    pub missing: Vec<Shard>,
    /// The number of input rows that are in no folder.
    pub missing_rows: u64,
    /// The number of users that several runs revoked, because they have two IDs, or are in a file and a selection.
    pub sent_by_several: u64,
    /// The first of these users.
    pub sent_by_several_names: Vec<String>,
    /// The runs, in the order of their shards.
    pub runs: Vec<MergedRun>,
}

/// One of the runs.
#[derive(Clone, Debug, Serialize)]
pub struct MergedRun {
    /// Its short ID.
    pub run: String,
    /// Its shard of the input.
    pub shard: Shard,
    /// The path of its folder, as it was given.
    pub folder: String,
    /// The SHA-256 of its manifest, in hex. All its files match the manifest.
    pub manifest_sha256: String,
    /// The SHA-256 of its plan, in hex.
    pub plan_sha256: String,
    /// The number of its rows, including those from selections.
    pub rows: u64,
    /// The version of the program that started it.
    pub version: String,
    /// When it began.
    #[serde(serialize_with = "serialize_millis")]
    pub started_at: Timestamp,
    /// When its last process ended.
    #[serde(serialize_with = "serialize_millis_opt")]
    pub ended_at: Option<Timestamp>,
}

impl MergedRuns {
    pub(super) fn new(set: &ShardSet, repeated: &RepeatedUsers) -> MergedRuns {
        let run = |part: &super::ShardRun| {
            Some(MergedRun {
                run: part.record.id.clone(),
                shard: part.shard()?,
                folder: part.folder.path().display().to_string(),
                manifest_sha256: part.manifest_sha256.clone(),
                plan_sha256: part.record.plan.sha256.clone(),
                rows: part.record.plan.rows,
                version: part.record.version.clone(),
                started_at: part.record.started_at,
                ended_at: part.journal.ended_at,
            })
        };
        MergedRuns {
            shards: set.shard_count(),
            missing: set.missing(),
            missing_rows: set.input_rows().saturating_sub(set.rows_present()),
            sent_by_several: repeated.users,
            sent_by_several_names: repeated.names.clone(),
            runs: set.runs.iter().filter_map(run).collect(),
        }
    }

    /// `4 of 4 shards`.
    pub fn merged_phrase(&self) -> String {
        format!("{} of {}", self.runs.len(), plural(u64::from(self.shards), "shard"))
    }

    /// What is missing, in a few words. `None` if nothing is.
    pub fn missing_phrase(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| format!("{} missing", self.missing_shards()))
    }

    /// What is missing, in a sentence. `None` if nothing is.
    pub fn missing_sentence(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| {
            let rows = match self.missing_rows {
                0 => String::new(),
                rows => format!(" Nothing is known about {} of the input.", plural(rows, "row")),
            };
            let is = if self.missing.len() == 1 { "is" } else { "are" };
            format!("MISSING: {} {is} in none of these folders.{rows}", self.missing_shards())
        })
    }

    /// The users that were revoked more than once, in a sentence. `None` if there are none.
    pub fn repeated_sentence(&self) -> Option<String> {
        (self.sent_by_several > 0).then(|| {
            let names: Vec<&str> = self.sent_by_several_names.iter().take(3).map(String::as_str).collect();
            let more = if self.sent_by_several > names.len() as u64 { ", …" } else { "" };
            let users = plural(self.sent_by_several, "user");
            format!(
                "{users} had several IDs in several shards, and each shard revoked them: {}{more}.",
                names.join(", ")
            )
        })
    }

    fn missing_shards(&self) -> String {
        let names: Vec<String> = self.missing.iter().map(Shard::to_string).collect();
        format!("shard{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
    }
}

/// The users that several runs revoked.
#[derive(Debug, Default)]
pub(super) struct RepeatedUsers {
    pub(super) users: u64,
    pub(super) names: Vec<String>,
}
