//! Several runs of one input, each of its own shard, as one report.
//!
//! ```text
//!  run folder of 1/3 ─▶ checked against its manifest ─┐
//!  run folder of 2/3 ─▶ …                             ├─▶ one set ─▶ rows by line ─▶ the files of a report
//!  run folder of 3/3 ─▶ …                             ┘
//! ```
//!
//! What the folders prove, the report says, and no more: a file that was changed is refused, and a shard whose folder is
//! not there is told as missing. A row at a time is held, and a few bytes for each user.

mod merged_runs;
mod output;
mod row_merge;
mod shard_set;
mod summary;

pub use merged_runs::{MergedRun, MergedRuns};
pub use output::{MergeOutput, write};
pub use row_merge::for_each_row;
pub use shard_set::{MergeError, ShardRun, ShardSet};
