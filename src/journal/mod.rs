//! The run folder, the append-only journal in it, and what a resumed run has left to do.
//!
//! A line of the journal is one [`Event`](crate::event::Event) as JSON. A `sent` line is written before its
//! request leaves; a `settled` line is synced to disk before anybody hears of it. What is lost with a torn tail
//! is therefore only knowledge of requests that can be sent again: revoking twice does no harm.

mod consistency;
mod folder;
mod index;
mod location;
mod protect_record;
mod run_record;
#[cfg(test)]
mod tests;
mod writer;

pub use folder::{FolderError, JOURNAL, PLAN_CSV, RUN_JSON, RunFolder, RunLock, sync_folder};
pub use index::{ClosingLine, JournalIndex, JournalReadError, TargetState, fingerprint};
pub use location::JournalLocation;
pub(crate) use protect_record::sha256_of_plain_file;
pub use protect_record::{ProtectEntry, ProtectRecord};
pub use run_record::{
    AppRecord, ApprovalDecision, ListRecord, OperatorRecord, OutcomeCounts, PlanFileRecord, PlanRecord,
    ProfileRecord, RunRecord, SettingsRecord, ShardRecord, TenantRecord, UnprotectedRecord,
};
pub use writer::{Journal, JournalError, SyncedBytes};

/// Version of the run folder's format. A reader refuses a newer one, and reads older ones: in format 1, `plan.csv` had
/// nothing of what the directory says; in format 2, a run had one tenant.
pub const FORMAT: u32 = 3;
