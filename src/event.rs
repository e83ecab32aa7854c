//! The one enum that everything behind the dispatcher sees. The journal stores these events line by line; the
//! progress display, the logs and the result stream listen to the same ones, after the journal has them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::outcome::Outcome;

/// A target's place in the plan's sending order, counted from 1.
pub type TargetNo = u32;

/// A tenant's place among those of its run, counted from 0.
pub type TenantIndex = u32;

/// Something that happened in a run. Times are UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A process took up the run: its first line, and one more for each `resume`.
    Began(BeganEvent),
    /// A request is about to leave. In the journal before the first byte is on the wire.
    Sent(SentEvent),
    /// An answer that did not settle its target: it will be tried again.
    Answered(AnsweredEvent),
    /// A pacer's gate closed.
    Throttled(ThrottledEvent),
    /// A probe went through; the gate is open again.
    Reopened {
        /// When.
        at: Timestamp,
        /// Whose gate.
        #[serde(flatten)]
        scope: EventScope,
    },
    /// An access token was renewed.
    Renewed {
        /// When.
        at: Timestamp,
        /// Whose.
        #[serde(flatten)]
        scope: EventScope,
    },
    /// An app sends nothing more in its tenant; others go on with its work.
    Dropped {
        /// When.
        at: Timestamp,
        /// Which.
        #[serde(flatten)]
        scope: EventScope,
        /// Why.
        why: StopReason,
    },
    /// It ended for one target.
    Settled(Box<SettledEvent>),
    /// Sending stops ahead of the plan's end.
    Stopping {
        /// When.
        at: Timestamp,
        /// Why.
        why: StopReason,
        /// In which tenant alone, where the others go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tenant: Option<TenantIndex>,
    },
    /// The process leaves the run: nothing is in flight, and every line before this one is synced.
    Ended {
        /// When.
        at: Timestamp,
    },
}

/// For whom something holds, where a run has several tenants or apps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventScope {
    /// The tenant; none where there is one only, or where it holds for all of an app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantIndex>,
    /// The app; none where there is one only, or where it holds for all of the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// A process takes up a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BeganEvent {
    /// When.
    pub at: Timestamp,
    /// Version of the journal's format; see [`crate::journal::FORMAT`].
    pub format: u32,
    /// The run's id, as in its folder's name.
    pub run: String,
    /// SHA-256 of `plan.csv`, in hex.
    pub plan_sha256: String,
    /// How many targets are left for this process.
    pub targets: u32,
    /// Whether an earlier process began the run.
    pub resumed: bool,
    /// How this process signed in and as whom, as far as the token tells; another person may go on with a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// The ids of the apps that send, as far as they are known. A line that names no app is of the only one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apps: Vec<Arc<str>>,
    /// The mark of what was approved ([`crate::journal::RunRecord::approval_mark`]); none in journals of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<String>,
    /// Whether the run is a drill: `run.json` must say the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drill: bool,
    /// What differs from what was approved, and how this process was allowed to go on all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<String>,
}

/// A request is about to leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SentEvent {
    /// When.
    pub at: Timestamp,
    /// Whose sessions.
    pub target: TargetNo,
    /// The user id, so that a line stands by itself.
    pub user: String,
    /// Counted from 1, over all processes of the run.
    pub attempt: u32,
    /// The `client-request-id` header.
    pub client_request_id: Uuid,
    /// The app that sends, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// What an answer said of itself: kept for the report and for Microsoft's support.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AnswerEvidence {
    /// HTTP status; none where no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// `error.code` of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// What happened, in words; made harmless for display.
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
    /// The app that was answered, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<Arc<str>>,
}

/// An answer after which the target waits for another try.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnsweredEvent {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub target: TargetNo,
    /// The user id.
    pub user: String,
    /// Which attempt it answers.
    pub attempt: u32,
    /// The word that holds if the run ends before another try.
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

/// The gate closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ThrottledEvent {
    /// When.
    pub at: Timestamp,
    /// When the next request may leave.
    pub until: Timestamp,
    /// What `Retry-After` said, in milliseconds; none where it was missing or unreadable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whose gate closed.
    #[serde(flatten)]
    pub whose: EventScope,
    /// The `x-ms-throttle-scope` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The `x-ms-throttle-information` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub information: Option<String>,
}

/// How it ended for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettledEvent {
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub target: TargetNo,
    /// The user id.
    pub user: String,
    /// The word.
    pub outcome: Outcome,
    /// The last answer.
    #[serde(flatten)]
    pub evidence: AnswerEvidence,
    /// Requests sent for this target, over all processes of the run.
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

/// Why a run stopped ahead of its plan's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StopReason {
    /// `--halt` tripped.
    Halt {
        /// What tripped it.
        detail: String,
    },
    /// `--deadline` came.
    Deadline {
        /// What that means here.
        detail: String,
    },
    /// The plan holds more users than `--max-users` allows; nothing was sent.
    MaxUsers {
        /// Users in the plan.
        planned: u32,
        /// Users allowed.
        allowed: u32,
    },
    /// Graph asked to wait for longer than `--max-wait`.
    MaxWait {
        /// How long, and what to do.
        detail: String,
    },
    /// SIGINT, or Ctrl-C.
    Interrupted,
    /// SIGTERM, or its Windows twins.
    Terminated,
    /// No usable token, or Graph refused it.
    SignIn {
        /// What happened and what to do.
        detail: String,
    },
    /// Graph refused the first users one after the other.
    Permission {
        /// What is missing.
        detail: String,
    },
    /// The program could not go on: the journal can't be written, mostly.
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
            // Users are left, as after a run that came to its end.
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
            StopReason::Deadline { detail } => write!(f, "the deadline came: {detail}"),
            StopReason::MaxUsers { planned, allowed } => {
                write!(f, "the plan holds {planned} users, --max-users allows {allowed}: nothing was sent")
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
    /// The target that a line speaks of, if any.
    pub fn target(&self) -> Option<TargetNo> {
        match self {
            Event::Sent(sent) => Some(sent.target),
            Event::Answered(answered) => Some(answered.target),
            Event::Settled(settled) => Some(settled.target),
            _ => None,
        }
    }
}
