//! The rows that the page shows: the first rows of each class, up to a limit.

use super::row::{ReportRow, format_time_or_empty};
use crate::outcome::{Outcome, OutcomeClass};
use crate::text::sanitize::sanitize_truncated;

/// Maximum length of a cell on the page, in characters. The files have the full text.
const MAX_TEXT: usize = 320;

/// Rows of one class.
pub(super) struct SampleGroup {
    /// The first rows.
    pub(super) rows: Vec<SampleRow>,
    /// The number of all rows of the class.
    pub(super) total: u64,
    cap: usize,
}

/// The first rows of each class.
pub(super) struct ReportSample {
    pub(super) not_done: SampleGroup,
    pub(super) done: SampleGroup,
    pub(super) left_out: SampleGroup,
}

/// A row for the page, already sanitized.
#[derive(Debug)]
pub(super) struct SampleRow {
    pub(super) line: String,
    pub(super) user: String,
    /// The names of the user, if they differ from the ID. Empty otherwise.
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// Status and code of the last answer, if there was one.
    pub(super) answer: String,
    pub(super) detail: String,
    pub(super) attempts: u32,
    pub(super) settled_at: String,
    pub(super) request_id: String,
    pub(super) client_request_id: String,
    pub(super) external: bool,
}

impl Default for ReportSample {
    fn default() -> Self {
        ReportSample {
            not_done: SampleGroup::new(2_000),
            done: SampleGroup::new(1_000),
            left_out: SampleGroup::new(500),
        }
    }
}

impl ReportSample {
    pub(super) fn add(&mut self, row: &ReportRow<'_>, class: OutcomeClass) {
        match class {
            OutcomeClass::NotDone => self.not_done.add(row),
            OutcomeClass::Done => self.done.add(row),
            OutcomeClass::LeftOut => self.left_out.add(row),
        }
    }
}

impl SampleGroup {
    fn new(cap: usize) -> SampleGroup {
        SampleGroup { rows: Vec::new(), total: 0, cap }
    }

    fn add(&mut self, row: &ReportRow<'_>) {
        self.total += 1;
        if self.rows.len() < self.cap {
            self.rows.push(SampleRow::new(row));
        }
    }

    /// The number of rows that are not shown.
    pub(super) fn hidden(&self) -> u64 {
        self.total - self.rows.len() as u64
    }
}

impl SampleRow {
    fn new(row: &ReportRow<'_>) -> SampleRow {
        let text = |text: &str| sanitize_truncated(text, MAX_TEXT);
        let user = if row.user_id.is_empty() { row.input } else { row.user_id };
        let status = row.http_status.map(|status| status.to_string());
        let answer: Vec<String> = status.into_iter().chain(row.error_code.map(text)).collect();
        let names = [row.display_name, row.user_principal_name];
        let name: Vec<&str> = names.into_iter().filter(|name| !name.is_empty() && *name != user).collect();
        SampleRow {
            line: text(row.line),
            user: text(user),
            name: text(&name.join(" · ")),
            outcome: row.outcome,
            answer: answer.join(" "),
            detail: text(&row.detail),
            attempts: row.attempts,
            settled_at: format_time_or_empty(row.settled_at),
            request_id: row.request_id.map(text).unwrap_or_default(),
            client_request_id: row.client_request_id.map(|id| id.to_string()).unwrap_or_default(),
            external: row.external == Some(true),
        }
    }
}
