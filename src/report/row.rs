//! One row of the report: what was asked, what became of it, and how we know.

use std::borrow::Cow;

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::{AnswerEvidence, SettledEvent, TargetNo};
use crate::journal::TargetState;
use crate::outcome::Outcome;
use crate::plan::PlanRow;

/// The report's columns before the input's own, in order.
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

/// A row of the report. It borrows from the plan and the journal; text is exactly what they hold, and each
/// format makes it harmless in its own way.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportRow<'a> {
    /// The input's line, as `12`, or `users.csv:12` where there are several inputs.
    pub line: &'a str,
    /// The id cell as it stood in the input.
    pub input: &'a str,
    /// The user id in its canonical spelling; empty where there is none.
    pub user_id: &'a str,
    /// The word.
    pub outcome: Outcome,
    /// HTTP status of the last answer; none where no answer came.
    pub http_status: Option<u16>,
    /// `error.code` of the last answer's body.
    pub error_code: Option<&'a str>,
    /// What happened, in words; empty where the outcome says it all.
    pub detail: Cow<'a, str>,
    /// Requests sent.
    pub attempts: u32,
    /// Time waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// When the first request left.
    pub first_sent_at: Option<Timestamp>,
    /// When it was settled.
    pub settled_at: Option<Timestamp>,
    /// Graph's `request-id` header.
    pub request_id: Option<&'a str>,
    /// The last attempt's `client-request-id` header.
    pub client_request_id: Option<Uuid>,
    /// Whether the user's home is another tenant, where that is known.
    pub external: Option<bool>,
    /// Whether a second look at the user confirmed it; none where nobody looked.
    pub verified: Option<bool>,
    /// The user's `signInSessionsValidFromDateTime`; none where nobody looked.
    pub sessions_valid_from: Option<Timestamp>,
    /// Its place in the sending order; none where it is not sent.
    pub target_no: Option<TargetNo>,
    /// User principal name, as the directory has it; empty where nobody looked.
    pub user_principal_name: &'a str,
    /// Display name, likewise.
    pub display_name: &'a str,
    /// The tenant: its id, or as it was named where its id is not known.
    pub tenant: &'a str,
    /// The app that was answered last; none where nothing was sent, or nothing is known.
    pub app_id: Option<&'a str>,
    /// The operator's case id.
    pub case_id: Option<&'a str>,
    /// The answer's `Date` header.
    pub server_date: Option<&'a str>,
    /// The answer's `x-ms-ags-diagnostic` header.
    pub diagnostic: Option<&'a str>,
    /// The input's own cells.
    pub cells: &'a [String],
}

impl<'a> ReportRow<'a> {
    /// A row that was never sent. A row that is a target after all counts as `not_attempted`.
    pub fn from_left_out(row: &'a PlanRow, case_id: Option<&'a str>) -> ReportRow<'a> {
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

    /// A target's row, with what the journal knows of it.
    pub fn from_target(row: &'a PlanRow, state: &'a TargetState, case_id: Option<&'a str>) -> ReportRow<'a> {
        ReportRow {
            outcome: state.outcome,
            attempts: state.attempts,
            throttled_ms: state.throttled_ms,
            first_sent_at: state.first_sent_at,
            settled_at: state.settled_at,
            client_request_id: state.client_request_id,
            ..ReportRow::from_left_out(row, case_id).with_evidence(&state.evidence)
        }
    }

    /// A target's row, as it settles. Where no row of the plan is at hand, a [`PlanRow`] with `user_id` and
    /// `input` alone does.
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
            ..ReportRow::from_left_out(row, case_id).with_evidence(&settled.evidence)
        }
    }

    /// With the app that sent, where the journal names none since there was one only.
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

/// A time as reports write it: RFC 3339, UTC, with milliseconds.
pub(super) fn format_time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A time, or nothing.
pub(super) fn format_time_or_empty(at: Option<Timestamp>) -> String {
    at.map(format_time).unwrap_or_default()
}
