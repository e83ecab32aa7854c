//! The events of a run. The journal stores them, one per line. The progress display, the logs and the result stream
//! get each event after the journal has it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::outcome::Outcome;

/// A target's position in the plan's sending order, counted from 1.
pub type TargetNo = u32;

/// A tenant's position in the run's list of tenants, counted from 0.
pub type TenantIndex = u32;

/// Something that happened in a run. Times are UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process began to work on the run: the first line of the journal, and one more for each `resume`.
    Began(BeganEvent),
    /// A request is about to leave. The line is in the journal before the first byte is on the wire.
    Sent(SentEvent),
    /// An answer that did not settle its target, which is retried.
    Answered(AnsweredEvent),
    /// A pacer's gate closed.
    Throttled(ThrottledEvent),
    /// A probe succeeded, and the gate is open again.
    Reopened {
        /// When.
        at: Timestamp,
        /// The gate's tenant and app.
        #[serde(flatten)]
        scope: EventScope,
    },
    /// An access token was renewed.
    Renewed {
        /// When.
        at: Timestamp,
        /// The token's tenant and app.
        #[serde(flatten)]
        scope: EventScope,
    },
    /// An app sends nothing more in its tenant; others continue its work.
    Dropped {
        /// When.
        at: Timestamp,
        /// The app and its tenant.
        #[serde(flatten)]
        scope: EventScope,
        /// Why.
        why: StopReason,
    },
    /// The outcome of a target is final for this process.
    Settled(Box<SettledEvent>),
    /// Sending stops before the plan's end.
    Stopping {
        /// When.
        at: Timestamp,
        /// Why.
        why: StopReason,
        /// The tenant, if sending stops in this one only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<TenantIndex>,
    },
    /// The process has finished: nothing is in flight, and every line before this one is synced.
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// The tenant and the app that an event is about, if a run has several of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventScope {
    /// The tenant; `None` if there is only one, or if the event is about all of the app's tenants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantIndex>,
    /// The app; `None` if there is only one, or if the event is about all of the tenant's apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// A process begins to work on a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BeganEvent {
    /// When.
    pub at: Timestamp,
    /// Version of the journal's format; see [`crate::journal::FORMAT`].
    pub format: u32,
    /// The run's ID, as in its folder's name.
    pub run: String,
    /// SHA-256 of `plan.csv`, in hex.
    pub plan_sha256: String,
    /// Number of targets that are left for this process.
    pub targets: u32,
    /// Whether an earlier process began the run.
    pub resumed: bool,
    /// How this process signed in, and as which account, as far as the token says. Another person may resume a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The IDs of the apps that send, as far as they are known. A line without an app is from the only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<Arc<str>>,
    /// The mark of what was approved ([`crate::journal::RunRecord::approval_mark`]); `None` in journals of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// Whether the run is a drill: `run.json` must say the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// What differs from what was approved, each with how it was confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
}

/// A request is about to leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEvent {
    /// When.
    pub at: Timestamp,
    /// The target's number.
    pub target: TargetNo,
    /// The user ID, so that a line can be read alone.
    pub user: String,
    /// The attempt's number, from 1, over all processes of the run.
    pub attempt: u32,
    /// The `client-request-id` header.
    pub client_request_id: Uuid,
    /// The app that sends, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// Facts about an answer, kept for the report and for Microsoft's support.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerEvidence {
    /// HTTP status; `None` if there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// `error.code` of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What happened, in words; sanitized for display.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Graph's `request-id` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The `Date` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_date: Option<String>,
    /// The `x-ms-ags-diagnostic` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostic: Option<String>,
    /// The app that was answered, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// An answer after which the target waits for a retry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnsweredEvent {
    /// When.
    pub at: Timestamp,
    /// The target's number.
    pub target: TargetNo,
    /// The user ID.
    pub user: String,
    /// The number of the attempt that was answered.
    pub attempt: u32,
    /// The outcome if the run ends before a retry.
    pub outcome: Outcome,
    /// How long the target waited because of 429s up to this attempt, in milliseconds.
    #[serde(default)]
    pub throttled_ms: u64,
    /// The attempt's `client-request-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<Uuid>,
    /// The answer.
    #[serde(flatten)]
    pub evidence: AnswerEvidence,
}

/// A gate closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThrottledEvent {
    /// When.
    pub at: Timestamp,
    /// When the next request may leave.
    pub until: Timestamp,
    /// The value of `Retry-After`, in milliseconds; `None` if it was missing or unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The gate's tenant and app.
    #[serde(flatten)]
    pub event_scope: EventScope,
    /// The `x-ms-throttle-scope` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The `x-ms-throttle-information` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<String>,
}

/// The outcome of one target is final for this process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledEvent {
    /// When.
    pub at: Timestamp,
    /// The target's number.
    pub target: TargetNo,
    /// The user ID.
    pub user: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The last answer.
    #[serde(flatten)]
    pub evidence: AnswerEvidence,
    /// Number of requests sent for this target, over all processes of the run.
    pub attempts: u32,
    /// How long the target waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// When the first request left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_at: Option<Timestamp>,
    /// The last attempt's `client-request-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<Uuid>,
}

/// Why a run stopped before the end of its plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// `--halt` tripped.
    Halt {
        /// What tripped it.
        detail: String,
    },
    /// The time of `--deadline` was over.
    Deadline {
        /// What this means for the run.
        detail: String,
    },
    /// The plan has more users than `--max-users` allows; nothing was revoked.
    MaxUsers {
        /// Users in the plan.
        planned: u32,
        /// Users allowed.
        allowed: u32,
    },
    /// Graph asked to wait for longer than `--max-wait`.
    MaxWait {
        /// How long Graph asked to wait, and what to do.
        detail: String,
    },
    /// SIGINT, or Ctrl-C.
    Interrupted,
    /// SIGTERM or SIGHUP, or their equivalents on Windows.
    Terminated,
    /// No usable token, or Graph refused it.
    SignIn {
        /// What happened and what to do.
        detail: String,
    },
    /// Graph refused all of the first users (403).
    Permission {
        /// What is missing.
        detail: String,
    },
    /// The program could not continue, for example because the journal can't be written.
    Runtime {
        /// What happened.
        detail: String,
    },
}

impl StopReason {
    /// The process's exit code for this reason.
    pub fn exit_code(&self) -> u8 {
        match self {
            StopReason::Halt { .. } | StopReason::Deadline { .. } | StopReason::MaxUsers { .. } => 5,
            // Users are left for `resume`, so the code is that of a complete run with users not done.
            StopReason::MaxWait { .. } => 3,
            StopReason::Interrupted => 130,
            StopReason::Terminated => 143,
            StopReason::SignIn { .. } | StopReason::Permission { .. } => 4,
            StopReason::Runtime { .. } => 1,
        }
    }
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StopReason::Halt { detail } => write!(f, "halted: {detail}"),
            StopReason::Deadline { detail } => write!(f, "deadline reached: {detail}"),
            StopReason::MaxUsers { planned, allowed } => {
                write!(
                    f,
                    "the plan has {planned} users, but --max-users allows {allowed}: nothing was revoked"
                )
            }
            StopReason::MaxWait { detail } => write!(f, "throttled: {detail}"),
            StopReason::Interrupted => f.write_str("interrupted"),
            StopReason::Terminated => f.write_str("terminated"),
            StopReason::SignIn { detail } => write!(f, "sign-in: {detail}"),
            StopReason::Permission { detail } => write!(f, "permission: {detail}"),
            StopReason::Runtime { detail } => f.write_str(detail),
        }
    }
}

impl Event {
    /// The target that an event is about, if any.
    pub fn target(&self) -> Option<TargetNo> {
        match self {
            Event::Sent(sent) => Some(sent.target),
            Event::Answered(answered) => Some(answered.target),
            Event::Settled(settled) => Some(settled.target),
            _ => None,
        }
    }
}
