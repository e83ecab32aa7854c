//! The run folder, the append-only journal in it, and what a resumed run has left to do.
//!
//! A line of the journal is one [`Event`](crate::event::Event) as JSON. A `sent` line is written before its
//! request leaves; a `settled` line is synced to disk before anybody hears of it. What is lost with a torn tail
//! is therefore only knowledge of requests that can be sent again: revoking twice does no harm.

mod approved;
mod folder;
mod ledger;
mod place;
mod proof;
mod record;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use approved::plain_sha256;
pub use approved::{ProtectEntry, ProtectRecord};
pub use folder::{FolderError, JOURNAL, PLAN_CSV, RUN_JSON, RunFolder, RunLock, sync_folder};
pub use ledger::{ClosingLine, JournalIndex, JournalReplayError, TargetState, fingerprint};
pub use place::JournalPosition;
pub use record::{
    AppRecord, ApprovalDecision, ListRecord, OperatorRecord, PlanFileRecord, PlanRecord, ProfileRecord,
    RecordedCounts, RunRecord, SettingsRecord, ShardRecord, TenantRecord, UnprotectedRecord,
};
pub use writer::{Journal, JournalError, SyncedCount};

/// Version of the run folder's format. A reader refuses a newer one, and reads older ones: in format 1, `plan.csv` had
/// nothing of what the directory says; in format 2, a run had one tenant.
pub const FORMAT: u32 = 3;
