//! Which folders belong together.

use std::path::PathBuf;

use crate::intake::{InputDigest, Shard};
use crate::journal::{JournalIndex, RunFolder, RunLock, RunRecord, ShardRecord};
use crate::outcome::{AcceptedOutcomes, Outcome};

/// The folders can't be merged. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The folder for the report has other files.
    #[error("{folder} has other files: name a new folder for the merged report", folder = folder.display())]
    Occupied {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder for the report can't be used.
    #[error("can't use {folder}: {source}", folder = folder.display())]
    Output {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A run without --shard.
    #[error(
        "{folder} is not a shard: its run used all of its input. Only runs of one input with --shard I/N can \
         be merged",
        folder = folder.display()
    )]
    NotAShard {
        /// The folder.
        folder: PathBuf,
    },
    /// The same folder, or a copy of it.
    #[error("{one} and {other} have the same run", one = one.display(), other = other.display())]
    SameRun {
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two runs of the same shard.
    #[error(
        "{one} and {other} are both shard {shard}: their users were revoked twice. Name the one that counts",
        one = one.display(), other = other.display()
    )]
    SameShard {
        /// The shard.
        shard: Shard,
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two runs that are not shards of the same input.
    #[error("{one} and {other} are not shards of the same input: they differ in \
         {what}", one = one.display(), other = other.display())]
    Mismatch {
        /// What differs.
        what: String,
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A run that was killed or has not ended yet.
    #[error(
        "{folder}: the run has not ended. Finish it first: entra-revoke resume \
         {command}", folder = folder.display(), command = crate::shell::path(folder)
    )]
    NotEnded {
        /// The folder.
        folder: PathBuf,
    },
    /// All shards are there, but not all rows of the input.
    #[error(
        "all {shards} shards are here, but have {found} of the input's {rows} rows: they were not split from \
         the same rows. They must have the same --column, --skip-rows, --max-rows, --sheet and the like"
    )]
    RowCountMismatch {
        /// The number of shards.
        shards: u32,
        /// The number of their rows.
        found: u64,
        /// The number of rows of the input.
        rows: u64,
    },
}

/// One run of the set.
pub struct ShardRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Keeps other processes from changing it.
    pub lock: RunLock,
    /// Its record.
    pub record: RunRecord,
    /// Its journal.
    pub journal: JournalIndex,
    /// The SHA-256 of the manifest that its files were checked against, in hex.
    pub manifest_sha256: String,
    /// The findings that show changes of its files before that manifest was made.
    pub altered: Vec<String>,
}

/// Runs that belong together, in the order of their shards.
pub struct ShardSet {
    pub(super) runs: Vec<ShardRun>,
}

impl ShardSet {
    /// Checks by their records whether these runs are shards of the same input.
    ///
    /// # Errors
    /// When they are not, or a run or a shard occurs twice.
    pub fn check<'a>(
        runs: impl IntoIterator<Item = (&'a RunFolder, &'a RunRecord)>,
    ) -> Result<(), MergeError> {
        let runs: Vec<(&RunFolder, &RunRecord)> = runs.into_iter().collect();
        for (at, (folder, record)) in runs.iter().enumerate() {
            let path = || folder.path().to_owned();
            let Some(sharded) = &record.approval.shard_record else {
                return Err(MergeError::NotAShard { folder: path() });
            };
            for (other_folder, other) in &runs[..at] {
                let (one, other_path) = (other_folder.path().to_owned(), path());
                if other.id == record.id && other.started_at == record.started_at {
                    return Err(MergeError::SameRun { one, other: other_path });
                }
                if let Some(what) = difference(other, record) {
                    return Err(MergeError::Mismatch { what, one, other: other_path });
                }
                if other.approval.shard_record.as_ref().is_some_and(|other| other.shard == sharded.shard) {
                    return Err(MergeError::SameShard { shard: sharded.shard, one, other: other_path });
                }
            }
        }
        Ok(())
    }

    /// Combines checked runs.
    ///
    /// # Errors
    /// When a run has not ended, or all shards are there but not all rows.
    pub fn new(mut parts: Vec<ShardRun>) -> Result<ShardSet, MergeError> {
        if let Some(part) = parts.iter().find(|part| part.journal.ended_at.is_none()) {
            return Err(MergeError::NotEnded { folder: part.folder.path().to_owned() });
        }
        parts.sort_by_key(|part| part.shard_record().map(|sharded| sharded.shard));
        let set = ShardSet { runs: parts };
        let (found, rows) = (set.rows_present(), set.input_rows());
        match set.missing().is_empty() && found != rows || found > rows {
            true => Err(MergeError::RowCountMismatch { shards: set.shard_count(), found, rows }),
            false => Ok(set),
        }
    }

    /// The number of shards of the input.
    pub fn shard_count(&self) -> u32 {
        self.first_shard().map_or(0, Shard::total)
    }

    /// The shards without a folder.
    pub fn missing(&self) -> Vec<Shard> {
        let there = |shard: &Shard| self.runs.iter().any(|part| part.shard() == Some(*shard));
        self.first_shard().into_iter().flat_map(Shard::siblings).filter(|shard| !there(shard)).collect()
    }

    /// The number of rows of the input, including those of missing shards, but without those from selections.
    pub fn input_rows(&self) -> u64 {
        self.runs.first().and_then(ShardRun::shard_record).map_or(0, |sharded| sharded.input_rows)
    }

    /// The number of input rows that are there.
    pub fn rows_present(&self) -> u64 {
        self.runs
            .iter()
            .map(|part| part.record.plan.rows - part.record.plan.selected.min(part.record.plan.rows))
            .sum()
    }

    /// The outcomes that all runs count as done. An outcome that one of them does not accept is not done.
    pub fn accepted(&self) -> AcceptedOutcomes {
        let by_all = |outcome: &Outcome| {
            let accepts =
                |part: &ShardRun| part.record.settings.accept.outcomes().any(|word| word == *outcome);
            self.runs.iter().all(accepts)
        };
        Outcome::ALL.into_iter().filter(by_all).collect()
    }

    /// The columns of the inputs.
    pub fn columns(&self) -> &[String] {
        self.runs.first().map_or(&[], |part| &part.record.columns)
    }

    fn first_shard(&self) -> Option<Shard> {
        self.runs.first().and_then(ShardRun::shard)
    }
}

impl ShardRun {
    pub(super) fn shard_record(&self) -> Option<&ShardRecord> {
        self.record.approval.shard_record.as_ref()
    }

    pub(super) fn shard(&self) -> Option<Shard> {
        self.shard_record().map(|sharded| sharded.shard)
    }
}

/// The difference between two runs that should be shards of the same input. Paths may differ, because each machine may
/// have the input at another place.
fn difference(one: &RunRecord, other: &RunRecord) -> Option<String> {
    let inputs = |record: &RunRecord| -> Vec<(String, u64)> {
        let digest = |input: &InputDigest| (input.sha256.clone(), input.bytes);
        record.inputs.iter().map(digest).collect()
    };
    let sharded = |record: &RunRecord| record.approval.shard_record.clone();
    let (a, b) = (sharded(one)?, sharded(other)?);
    let tenant = |record: &RunRecord| record.tenant_id.as_deref().map(str::to_lowercase);
    let selected = |sharded: &ShardRecord, inputs: usize| {
        sharded.sources.iter().skip(inputs).cloned().collect::<Vec<_>>()
    };
    let what = if inputs(one) != inputs(other) {
        "the SHA-256 of their input files".to_owned()
    } else if a.shard.total() != b.shard.total() {
        format!("the number of shards: {} and {}", a.shard, b.shard)
    } else if selected(&a, one.inputs.len()) != selected(&b, other.inputs.len()) {
        "the selections from the directory".to_owned()
    } else if one.drill.is_some() != other.drill.is_some() {
        "the destination: only one of them is a drill".to_owned()
    } else if one.cloud != other.cloud {
        format!("their cloud: {} and {}", one.cloud, other.cloud)
    } else if tenant(one) != tenant(other) && !(one.by_row && other.by_row) {
        "their tenant".to_owned()
    } else if one.columns != other.columns {
        "the columns of their input".to_owned()
    } else if one.case_id != other.case_id {
        "their case ID".to_owned()
    } else if a.input_rows != b.input_rows {
        format!("the number of input rows: {} and {}", a.input_rows, b.input_rows)
    } else {
        return None;
    };
    Some(what)
}
