//! A row of the report: the input, the outcome, and the evidence for it.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{AnswerEvidence, SettledEvent, TargetNo};
use crate::journal::TargetState;
use crate::outcome::Outcome;
use crate::plan::PlanRow;

/// The report's columns before those of the input, in order.
pub const COLUMNS: [&str; 22] = [
    "line",
    "input",
    "user_id",
    "outcome",
    "http_status",
    "error_code",
    "detail",
    "attempts",
    "throttled_ms",
    "first_sent_at",
    "settled_at",
    "request_id",
    "client_request_id",
    "external",
    "verified",
    "sessions_valid_from",
    "order",
    "user_principal_name",
    "display_name",
    "tenant",
    "app_id",
    "case_id",
];

/// A row of the report. It borrows from the plan and the journal. The text is unchanged, and each format sanitizes it
/// in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow<'a> {
    /// The input's line, such as `12`, or `users.csv:12` if there are several inputs.
    pub line: &'a str,
    /// The cell with the ID, as it is in the input.
    pub input: &'a str,
    /// The user ID in its canonical form. Empty if it is not valid.
    pub user_id: &'a str,
    /// The outcome.
    pub outcome: Outcome,
    /// HTTP status of the last answer. `None` if there was no answer.
    pub http_status: Option<u16>,
    /// `error.code` of the last answer's body.
    pub error_code: Option<&'a str>,
    /// What happened, in words. Empty if the outcome says it all.
    pub detail: Cow<'a, str>,
    /// The number of requests.
    pub attempts: u32,
    /// Time waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// When the first request was sent.
    pub first_sent_at: Option<Timestamp>,
    /// When its outcome became final.
    pub settled_at: Option<Timestamp>,
    /// Graph's `request-id` header.
    pub request_id: Option<&'a str>,
    /// The last attempt's `client-request-id` header.
    pub client_request_id: Option<Uuid>,
    /// Whether the user's home is another tenant, if that is known.
    pub external: Option<bool>,
    /// Whether a second check of the user confirmed it. `None` if there was no check.
    pub verified: Option<bool>,
    /// The user's `signInSessionsValidFromDateTime`. `None` if there was no check.
    pub sessions_valid_from: Option<Timestamp>,
    /// Its target number. `None` if it is not a target.
    pub target_no: Option<TargetNo>,
    /// User principal name from the directory. Empty if it was not looked up.
    pub user_principal_name: &'a str,
    /// Display name, as above.
    pub display_name: &'a str,
    /// The tenant's ID, or its name in the input if the ID is not known.
    pub tenant: &'a str,
    /// The app that got the last answer. `None` if nothing was sent or it is not known.
    pub app_id: Option<&'a str>,
    /// The operator's case ID.
    pub case_id: Option<&'a str>,
    /// The answer's `Date` header.
    pub server_date: Option<&'a str>,
    /// The answer's `x-ms-ags-diagnostic` header.
    pub diagnostic: Option<&'a str>,
    /// The cells of the input.
    pub cells: &'a [String],
}

impl<'a> ReportRow<'a> {
    /// A row that was left out. A target counts as `not_attempted`.
    pub fn from_plan_row(row: &'a PlanRow, case_id: Option<&'a str>) -> ReportRow<'a> {
        let (outcome, detail) = match &row.left_out {
            Some(left_out) => (left_out.outcome, left_out.detail.as_str()),
            None => (Outcome::NotAttempted, row.note.as_str()),
        };
        ReportRow {
            line: &row.line,
            input: &row.input,
            user_id: &row.user_id,
            outcome,
            http_status: None,
            error_code: None,
            detail: detail.into(),
            attempts: 0,
            throttled_ms: 0,
            first_sent_at: None,
            settled_at: None,
            request_id: None,
            client_request_id: None,
            external: row.external,
            verified: None,
            sessions_valid_from: None,
            target_no: row.order(),
            user_principal_name: &row.user_principal_name,
            display_name: &row.display_name,
            tenant: &row.tenant,
            app_id: None,
            case_id,
            server_date: None,
            diagnostic: None,
            cells: &row.cells,
        }
    }

    /// A target's row, with its state in the journal.
    pub fn from_target(row: &'a PlanRow, state: &'a TargetState, case_id: Option<&'a str>) -> ReportRow<'a> {
        ReportRow {
            outcome: state.outcome,
            attempts: state.attempts,
            throttled_ms: state.throttled_ms,
            first_sent_at: state.first_sent_at,
            settled_at: state.settled_at,
            client_request_id: state.client_request_id,
            ..ReportRow::from_plan_row(row, case_id).with_evidence(&state.evidence)
        }
    }

    /// A target's row at the moment it settles. Without the plan at hand, a [`PlanRow`] with only `user_id` and `input`
    /// is enough.
    pub fn from_settled(
        row: &'a PlanRow,
        settled: &'a SettledEvent,
        case_id: Option<&'a str>,
    ) -> ReportRow<'a> {
        ReportRow {
            outcome: settled.outcome,
            attempts: settled.attempts,
            throttled_ms: settled.throttled_ms,
            first_sent_at: settled.first_sent_at,
            settled_at: Some(settled.at),
            client_request_id: settled.client_request_id,
            ..ReportRow::from_plan_row(row, case_id).with_evidence(&settled.evidence)
        }
    }

    /// Adds the app, if the journal does not name it because there was only one.
    #[must_use]
    pub fn with_default_app(mut self, app_id: Option<&'a str>) -> ReportRow<'a> {
        if self.attempts > 0 {
            self.app_id = self.app_id.or(app_id);
        }
        self
    }

    fn with_evidence(self, evidence: &'a AnswerEvidence) -> ReportRow<'a> {
        let detail = match (&*self.detail, &*evidence.detail) {
            ("", answer_detail) => answer_detail.into(),
            (_, "") => self.detail,
            (known, answer_detail) => format!("{known}; {answer_detail}").into(),
        };
        ReportRow {
            http_status: evidence.http_status,
            error_code: evidence.error_code.as_deref(),
            detail,
            request_id: evidence.request_id.as_deref(),
            server_date: evidence.server_date.as_deref(),
            diagnostic: evidence.diagnostic.as_deref(),
            app_id: evidence.app_id.as_deref(),
            ..self
        }
    }
}

/// A time in the reports' format: RFC 3339, UTC, with milliseconds.
pub(super) fn format_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The same, or an empty string.
pub(super) fn format_time_or_empty(at: Option<Timestamp>) -> String {
    at.map(format_time).unwrap_or_default()
}
