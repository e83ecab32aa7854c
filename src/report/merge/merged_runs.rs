//! What a joined report is made of: `merge.json`, and a part of its summary.

use jiff::Timestamp;
use serde::Serialize;

use super::shard_set::ShardSet;
use crate::intake::Shard;
use crate::report::jsonl::serialize_millis_opt;
use crate::report::summary::{plural, serialize_millis};

/// Users that are named where several runs sent them.
pub(super) const MAX_NAMED: usize = 20;

/// What a joined report is made of.
#[derive(Clone, Debug, Serialize)]
pub struct MergedRuns {
    /// How many shards the input was split into.
    pub shards: u32,
    /// Those of which there is no folder.
    pub missing: Vec<Shard>,
    /// Rows of the input that are in no folder.
    pub missing_rows: u64,
    /// Users whom more than one run sent: named by two ids, or by a file and a selection.
    pub sent_by_several: u64,
    /// The first of them.
    pub sent_by_several_names: Vec<String>,
    /// The runs, in the order of their shards.
    pub runs: Vec<MergedRun>,
}

/// One of the runs.
#[derive(Clone, Debug, Serialize)]
pub struct MergedRun {
    /// Its short id.
    pub run: String,
    /// Which part it took.
    pub shard: Shard,
    /// Its folder, as it was given.
    pub folder: String,
    /// SHA-256 of its manifest, in hex: all its files fit that.
    pub manifest_sha256: String,
    /// SHA-256 of its plan, in hex.
    pub plan_sha256: String,
    /// Its rows, those of selections among them.
    pub rows: u64,
    /// Version of the program that began it.
    pub version: String,
    /// When it was begun.
    #[serde(serialize_with = "serialize_millis")]
    pub started_at: Timestamp,
    /// When its last process left it.
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
            runs: set.parts.iter().filter_map(run).collect(),
        }
    }

    /// `4 of 4 shards`.
    pub fn merged_phrase(&self) -> String {
        format!("{} of {}", self.runs.len(), plural(u64::from(self.shards), "shard"))
    }

    /// What is missing, in a few words; none where nothing is.
    pub fn missing_phrase(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| format!("{} missing", self.missing_shards()))
    }

    /// What is missing, in a sentence; none where nothing is.
    pub fn missing_sentence(&self) -> Option<String> {
        (!self.missing.is_empty()).then(|| {
            let rows = match self.missing_rows {
                0 => String::new(),
                rows => format!(
                    " {} of the input stand in no folder: nothing is known of them.",
                    plural(rows, "row")
                ),
            };
            let is = if self.missing.len() == 1 { "is" } else { "are" };
            format!("MISSING: {} {is} not here.{rows}", self.missing_shards())
        })
    }

    /// Who was sent more than once, in a sentence; none where nobody was.
    pub fn repeated_sentence(&self) -> Option<String> {
        (self.sent_by_several > 0).then(|| {
            let names: Vec<&str> = self.sent_by_several_names.iter().take(3).map(String::as_str).collect();
            let more = if self.sent_by_several > names.len() as u64 { ", …" } else { "" };
            let users = plural(self.sent_by_several, "user");
            format!(
                "{users} stood in several shards by several ids, and each of them sent them: {}{more}.",
                names.join(", ")
            )
        })
    }

    fn missing_shards(&self) -> String {
        let names: Vec<String> = self.missing.iter().map(Shard::to_string).collect();
        format!("shard{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
    }
}

/// Users whom more than one run sent.
#[derive(Debug, Default)]
pub(super) struct RepeatedUsers {
    pub(super) users: u64,
    pub(super) names: Vec<String>,
}
