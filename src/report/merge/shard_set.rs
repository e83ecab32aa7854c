//! Which folders belong together.

use std::path::PathBuf;

use crate::intake::{InputDigest, Shard};
use crate::journal::{JournalIndex, RunFolder, RunLock, RunRecord, ShardRecord};
use crate::outcome::{Accepted, Outcome};

/// Folders can't be joined. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// Something else lies where the report is to be written.
    #[error("{folder} holds other files: name a new folder for the joined report", folder = folder.display())]
    Occupied {
        /// Which folder.
        folder: PathBuf,
    },
    /// The folder for the report can't be looked at.
    #[error("can't use {folder}: {source}", folder = folder.display())]
    Output {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A run that is no part of anything.
    #[error(
        "{folder} is no shard: its run took all of its input. Only runs of one input with --shard I/N can be joined",
        folder = folder.display()
    )]
    NotAShard {
        /// Which folder.
        folder: PathBuf,
    },
    /// The same folder, or a copy of it.
    #[error("{one} and {other} hold the same run", one = one.display(), other = other.display())]
    SameRun {
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two runs of the same shard.
    #[error(
        "{one} and {other} are both shard {shard}: their users were sent twice. Give the one that counts",
        one = one.display(), other = other.display()
    )]
    SameShard {
        /// Which shard.
        shard: Shard,
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Two runs that have nothing to do with each other.
    #[error("{one} and {other} are no parts of one whole: they differ in {what}", one = one.display(), other = other.display())]
    Mismatch {
        /// What differs.
        what: String,
        /// One folder.
        one: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// A run that was cut off, or goes on.
    #[error(
        "{folder}: the run has not ended. Let it end first: entra-revoke resume {command}", folder = folder.display(), command = crate::shell::path(folder)
    )]
    NotEnded {
        /// Which folder.
        folder: PathBuf,
    },
    /// All parts are there, and do not make up the whole.
    #[error(
        "all {shards} shards are here, and hold {found} of the input's {rows} rows: they were not cut from the same rows. \
         They must have the same --column, --skip-rows, --max-rows, --sheet and the like"
    )]
    RowCountMismatch {
        /// How many shards.
        shards: u32,
        /// Rows that they hold.
        found: u64,
        /// Rows of the input.
        rows: u64,
    },
}

/// One run of the set.
pub struct ShardRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Nobody changes it meanwhile.
    pub lock: RunLock,
    /// What it is.
    pub record: RunRecord,
    /// What happened.
    pub journal: JournalIndex,
    /// SHA-256 of its manifest, in hex, with which its files were compared.
    pub manifest_sha256: String,
    /// What shows that its files were changed before that manifest was made.
    pub altered: Vec<String>,
}

/// Runs that belong together, in the order of their shards.
pub struct ShardSet {
    pub(super) parts: Vec<ShardRun>,
}

impl ShardSet {
    /// Tells whether these runs are parts of one whole, by what they say of themselves.
    ///
    /// # Errors
    /// When they are not, or one is there twice.
    pub fn check<'a>(
        runs: impl IntoIterator<Item = (&'a RunFolder, &'a RunRecord)>,
    ) -> Result<(), MergeError> {
        let runs: Vec<(&RunFolder, &RunRecord)> = runs.into_iter().collect();
        for (at, (folder, record)) in runs.iter().enumerate() {
            let path = || folder.path().to_owned();
            let Some(sharded) = &record.decided.sharded else {
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
                if other.decided.sharded.as_ref().is_some_and(|other| other.shard == sharded.shard) {
                    return Err(MergeError::SameShard { shard: sharded.shard, one, other: other_path });
                }
            }
        }
        Ok(())
    }

    /// Puts checked parts together.
    ///
    /// # Errors
    /// When a run has not ended, or all are there and do not make up the whole.
    pub fn new(mut parts: Vec<ShardRun>) -> Result<ShardSet, MergeError> {
        if let Some(part) = parts.iter().find(|part| part.journal.ended_at.is_none()) {
            return Err(MergeError::NotEnded { folder: part.folder.path().to_owned() });
        }
        parts.sort_by_key(|part| part.shard_record().map(|sharded| sharded.shard));
        let set = ShardSet { parts };
        let (found, rows) = (set.rows_present(), set.input_rows());
        match set.missing().is_empty() && found != rows || found > rows {
            true => Err(MergeError::RowCountMismatch { shards: set.shard_count(), found, rows }),
            false => Ok(set),
        }
    }

    /// How many shards there are in all.
    pub fn shard_count(&self) -> u32 {
        self.first_shard().map_or(0, Shard::total)
    }

    /// Those of which there is no folder.
    pub fn missing(&self) -> Vec<Shard> {
        let there = |shard: &Shard| self.parts.iter().any(|part| part.shard() == Some(*shard));
        self.first_shard().into_iter().flat_map(Shard::siblings).filter(|shard| !there(shard)).collect()
    }

    /// Rows of the input, those of missing shards among them; without those of selections.
    pub fn input_rows(&self) -> u64 {
        self.parts.first().and_then(ShardRun::shard_record).map_or(0, |sharded| sharded.input_rows)
    }

    /// Rows of the input that are there.
    pub fn rows_present(&self) -> u64 {
        self.parts
            .iter()
            .map(|part| part.record.plan.rows - part.record.plan.selected.min(part.record.plan.rows))
            .sum()
    }

    /// The words that all of them count as done: what one of them does not, is not done.
    pub fn accepted(&self) -> Accepted {
        let by_all = |outcome: &Outcome| {
            let accepts = |part: &ShardRun| part.record.settings.accept.words().any(|word| word == *outcome);
            self.parts.iter().all(accepts)
        };
        Outcome::ALL.into_iter().filter(by_all).collect()
    }

    /// The inputs' own columns.
    pub fn columns(&self) -> &[String] {
        self.parts.first().map_or(&[], |part| &part.record.columns)
    }

    fn first_shard(&self) -> Option<Shard> {
        self.parts.first().and_then(ShardRun::shard)
    }
}

impl ShardRun {
    pub(super) fn shard_record(&self) -> Option<&ShardRecord> {
        self.record.decided.sharded.as_ref()
    }

    pub(super) fn shard(&self) -> Option<Shard> {
        self.shard_record().map(|sharded| sharded.shard)
    }
}

/// What two runs differ in that are parts of one whole; paths may, since machines may have the input at other places.
fn difference(one: &RunRecord, other: &RunRecord) -> Option<String> {
    let inputs = |record: &RunRecord| -> Vec<(String, u64)> {
        let digest = |input: &InputDigest| (input.sha256.clone(), input.bytes);
        record.inputs.iter().map(digest).collect()
    };
    let sharded = |record: &RunRecord| record.decided.sharded.clone();
    let (a, b) = (sharded(one)?, sharded(other)?);
    let tenant = |record: &RunRecord| record.tenant_id.as_deref().map(str::to_lowercase);
    let selected = |sharded: &ShardRecord, inputs: usize| {
        sharded.sources.iter().skip(inputs).cloned().collect::<Vec<_>>()
    };
    let what = if inputs(one) != inputs(other) {
        "their input: the SHA-256 of its files".to_owned()
    } else if a.shard.total() != b.shard.total() {
        format!("how many shards there are: {} and {}", a.shard, b.shard)
    } else if selected(&a, one.inputs.len()) != selected(&b, other.inputs.len()) {
        "the selections from the directory".to_owned()
    } else if one.drill.is_some() != other.drill.is_some() {
        "that one of them is a drill".to_owned()
    } else if one.cloud != other.cloud {
        format!("their cloud: {} and {}", one.cloud, other.cloud)
    } else if tenant(one) != tenant(other) && !(one.by_row && other.by_row) {
        "their tenant".to_owned()
    } else if one.columns != other.columns {
        "the columns of their input".to_owned()
    } else if one.case_id != other.case_id {
        "their case id".to_owned()
    } else if a.input_rows != b.input_rows {
        format!("how many rows their input has: {} and {}", a.input_rows, b.input_rows)
    } else {
        return None;
    };
    Some(what)
}
