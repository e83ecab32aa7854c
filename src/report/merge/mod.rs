//! Merges several runs of one input, each of its own shard, into one report.
//!
//! ```text
//!  run folder of 1/3 ─▶ checked against its manifest ─┐
//!  run folder of 2/3 ─▶ …                             ├─▶ one set ─▶ rows by line ─▶ the files of a report
//!  run folder of 3/3 ─▶ …                             ┘
//! ```
//!
//! The report only says what the folders prove: a changed file is refused, and a shard without a folder is reported as
//! missing. Only one row of each run and a few bytes for each user are kept in memory.

mod merged_runs;
mod output;
mod row_merge;
mod shard_set;
mod summary;

pub use merged_runs::{MergedRun, MergedRuns};
pub use output::{MergeOutput, write};
pub use row_merge::for_each_row;
pub use shard_set::{MergeError, ShardRun, ShardSet};
