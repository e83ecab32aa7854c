//! The run folder, its append-only journal, and the users that a resumed run still has to revoke.
//!
//! A line of the journal is one [`Event`](crate::event::Event) as JSON. A `sent` line is written before its request is
//! sent, and a `settled` line is synced to disk before its outcome is shown. So a truncated end only loses the
//! knowledge of requests that can be sent again: revoking twice does no harm.

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
pub use index::{JournalIndex, JournalReadError, TargetState, ThrottleWait, fingerprint};
pub use location::JournalLocation;
pub(crate) use protect_record::sha256_of_regular_file;
pub use protect_record::{ProtectEntry, ProtectRecord};
pub use run_record::{
    AppRecord, ApprovalDecision, ListRecord, OperatorRecord, OutcomeCounts, PlanFileRecord, PlanRecord,
    ProfileRecord, RunRecord, SettingsRecord, ShardRecord, TenantRecord, UnprotectedRecord,
};
pub use writer::{Journal, JournalError, SyncedBytes};

/// The version of the run folder's format. A newer format is refused, and older ones can be read: in format 1,
/// `plan.csv` has nothing from the directory; in format 2, a run has one tenant.
pub const FORMAT: u32 = 3;
