//! `summary.json`: the run in numbers, and the reason for its exit code.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::apps::{self, AppReport};
use super::integrity::was_drill;
use super::jsonl::serialize_millis_opt;
use super::merge::MergedRuns;
use super::tenants::{self, TenantSummary, TenantTotals};
use super::totals::Totals;
use crate::event::StopReason;
use crate::intake::InputDigest;
use crate::journal::{ApprovalDecision, FORMAT, JournalIndex, OperatorRecord, OutcomeCounts, RunRecord};
use crate::outcome::{AcceptedOutcomes, Outcome};

/// The name of the file.
pub(super) const NAME: &str = "summary.json";

/// The run in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The version of the folder's format: see [`crate::journal::FORMAT`].
    pub format: u32,
    /// The run's short ID.
    pub run: String,
    /// Whether it was a drill against the simulator, which touches no tenant.
    pub drill: bool,
    /// The operator's case ID.
    pub case_id: Option<String>,
    /// Whether nothing is left to do.
    pub complete: bool,
    /// The exit code of the run: see [`exit_code`].
    pub exit_code: u8,
    /// When the run began.
    #[serde(serialize_with = "serialize_millis")]
    pub started_at: Timestamp,
    /// When the last process ended. `None` if it was killed.
    #[serde(serialize_with = "serialize_millis_opt")]
    pub ended_at: Option<Timestamp>,
    /// The time of the journal's last line.
    #[serde(serialize_with = "serialize_millis_opt")]
    pub last_event_at: Option<Timestamp>,
    /// From the start to the end, or to the last line if there is no end, in milliseconds.
    pub duration_ms: u64,
    /// The number of processes: one, and one more for each `resume`.
    pub processes: u64,
    /// Why the last process stopped early.
    pub stopped: Option<StopRecord>,
    /// The version of the program that started the run.
    pub version: String,
    /// The name of the cloud.
    pub cloud: String,
    /// The tenant as it was given.
    pub tenant: Option<String>,
    /// The tenant's ID, from the token.
    pub tenant_id: Option<String>,
    /// The tenants, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<TenantSummary>,
    /// The operator.
    pub operator: OperatorRecord,
    /// The apps that sent, the operator's first.
    pub apps: Vec<AppReport>,
    /// The inputs with their SHA-256.
    pub inputs: Vec<InputDigest>,
    /// What was decided before the run began: which users to revoke, and who confirmed it.
    #[serde(flatten)]
    pub decided: ApprovalDecision,
    /// The SHA-256 of `plan.csv` in hex. `None` for merged runs, because each has its own.
    pub plan_sha256: Option<String>,
    /// The number of rows of the input.
    pub rows: u64,
    /// The number of users to revoke.
    pub targets: u64,
    /// The number of rows by outcome. Every outcome is present, even if its count is zero.
    pub outcomes: OutcomeCounts,
    /// The outcomes that count as done in addition to `revoked`.
    pub accepted: AcceptedOutcomes,
    /// The number of rows that are done.
    pub done: u64,
    /// The number of rows that are not done.
    pub not_done: u64,
    /// The number of rows that were left out on purpose.
    pub left_out: u64,
    /// The number of rows in `remaining.csv`.
    pub remaining: u64,
    /// The number of requests.
    pub attempts: u64,
    /// How often the pacer's gate closed for a 429.
    pub throttled: u64,
    /// The total time that targets waited because of 429s, in milliseconds.
    pub throttled_ms: u64,
    /// Requests per second, from the first request to the end. `None` if the run was resumed or took no time.
    pub requests_per_second: Option<f64>,
    /// The number of journal lines that could not be read.
    pub damaged_lines: u64,
    /// The findings that show changes of the run's files, as sentences without the full stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub altered: Vec<String>,
    /// The merged runs, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged: Option<MergedRuns>,
}

/// Why a run stopped early.
#[derive(Clone, Debug, Serialize)]
pub struct StopRecord {
    /// The reason and its details.
    #[serde(flatten)]
    pub why: StopReason,
    /// The same in a sentence.
    pub sentence: String,
}

impl StopRecord {
    pub(super) fn new(why: StopReason) -> StopRecord {
        StopRecord { sentence: why.to_string(), why }
    }
}

/// The exit code of a run. If it stopped early, that of the reason. Otherwise 4 if the sign-in or a permission failed
/// in individual tenants and left rows undone, 3 if rows are not done, and 0 if all are done. A killed process left no
/// reason, so its run has 3 or 0.
pub fn exit_code<'a>(
    stopped: Option<&StopReason>,
    stopped_in: impl IntoIterator<Item = &'a StopReason>,
    not_done: u64,
) -> u8 {
    match stopped {
        Some(stop) => stop.exit_code(),
        None if stopped_in.into_iter().any(|stop| stop.exit_code() == 4) => 4,
        None if not_done > 0 => 3,
        None => 0,
    }
}

impl Summary {
    /// Summarizes the record, the journal and the rows.
    pub(super) fn new(
        record: &RunRecord,
        journal: &JournalIndex,
        totals: &Totals,
        by_tenant: Option<&TenantTotals>,
    ) -> Summary {
        let tenants =
            tenants::summarize(tenants::summarize_run(record, journal), by_tenant, journal.stopped.as_ref());
        let stopped_in = tenants.iter().filter_map(|tenant| Some(&tenant.stopped.as_ref()?.why));
        let ended = journal.ended_at.or(journal.last_at).unwrap_or(record.started_at);
        Summary {
            format: FORMAT,
            run: record.id.clone(),
            drill: record.drill.is_some() || was_drill(journal),
            case_id: record.case_id.clone(),
            complete: totals.not_done == 0,
            exit_code: exit_code(journal.stopped.as_ref(), stopped_in, totals.not_done),
            started_at: record.started_at,
            ended_at: journal.ended_at,
            last_event_at: journal.last_at,
            duration_ms: millis_between(record.started_at, ended),
            processes: journal.processes.len() as u64,
            stopped: journal.stopped.clone().map(StopRecord::new),
            version: record.version.clone(),
            cloud: record.cloud.clone(),
            tenant: record.tenant.clone(),
            tenant_id: record.tenant_id.clone(),
            tenants,
            operator: record.operator.clone(),
            apps: apps::app_reports(record, journal, totals),
            inputs: record.inputs.clone(),
            decided: record.approval.clone(),
            plan_sha256: Some(record.plan.sha256.clone()),
            rows: totals.rows,
            targets: totals.targets,
            outcomes: totals.outcomes.clone(),
            accepted: record.settings.accept.clone(),
            done: totals.done,
            not_done: totals.not_done,
            left_out: totals.left_out,
            remaining: totals.not_done,
            attempts: totals.attempts,
            throttled: journal.throttle_count,
            throttled_ms: totals.throttled_ms,
            requests_per_second: request_rate(journal, ended, totals.attempts),
            damaged_lines: journal.damaged,
            altered: Vec::new(),
            merged: None,
        }
    }

    /// Writes it as JSON.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        writeln!(out, "{}", crate::text::sanitize::sanitize_json(&json))
    }

    /// The number of rows with this outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or_default()
    }

    /// The number of users to sign out, including rows without a valid user ID.
    pub fn users(&self) -> u64 {
        self.rows - self.left_out
    }

    /// The number of rows that only count as done because their outcome is accepted.
    pub fn accepted_as_done(&self) -> u64 {
        self.done - self.count(Outcome::Revoked)
    }

    /// What happened, in one sentence without the full stop: `37 of 40 users signed out; 3 not done`.
    pub fn headline(&self) -> String {
        let users = self.users();
        let revoked = self.count(Outcome::Revoked);
        let kind = if self.drill { "simulated user" } else { "user" };
        let mut parts = vec![match (users, revoked) {
            (0, _) => "No users to sign out".to_owned(),
            (1, 1) => format!("The {kind} is signed out"),
            _ if users == revoked => format!("All {} {kind}s signed out", group_digits(users)),
            _ => format!("{} of {} signed out", group_digits(revoked), plural(users, kind)),
        }];
        if self.not_done > 0 {
            parts.push(format!("{} not done", group_digits(self.not_done)));
        }
        if self.accepted_as_done() > 0 {
            parts.push(format!("{} accepted as done", group_digits(self.accepted_as_done())));
        }
        if self.left_out > 0 {
            parts.push(format!("{} left out", plural(self.left_out, "row")));
        }
        if let Some(missing) = self.merged.as_ref().and_then(MergedRuns::missing_phrase) {
            parts.push(missing);
        }
        parts.join("; ")
    }
}

/// Requests per second of the only process.
fn request_rate(journal: &JournalIndex, ended: Timestamp, attempts: u64) -> Option<f64> {
    let [began] = &journal.processes[..] else { return None };
    rate_between(began.at, ended, attempts)
}

/// Requests per second between two times.
pub(super) fn rate_between(began: Timestamp, ended: Timestamp, attempts: u64) -> Option<f64> {
    let millis = millis_between(began, ended);
    // More than two decimals would suggest a precision that is not there.
    (millis > 0).then(|| (attempts as f64 * 100_000.0 / millis as f64).round() / 100.0)
}

pub(super) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or_default()
}

pub(super) fn serialize_millis<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_millis_opt(&Some(*at), serializer)
}

/// `1 row`, `2 rows`.
pub(super) fn plural(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", group_digits(count), if count == 1 { "" } else { "s" })
}

/// A number with thousands separators: `1,000,000`.
pub(super) fn group_digits(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A duration for people: `850 ms`, `12.3 s`, `4 min 5 s`, `2 h 3 min`.
pub(super) fn format_duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
        _ => format!("{} h {} min", millis / 3_600_000, millis % 3_600_000 / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes() {
        let detail = String::new;
        let table = [
            (None, 0, 0),
            (None, 1, 3),
            (Some(StopReason::Halt { detail: detail() }), 9, 5),
            (Some(StopReason::Deadline { detail: detail() }), 9, 5),
            (Some(StopReason::MaxUsers { planned: 2, allowed: 1 }), 2, 5),
            (Some(StopReason::Interrupted), 9, 130),
            (Some(StopReason::Interrupted), 0, 130),
            (Some(StopReason::Terminated), 9, 143),
            (Some(StopReason::SignIn { detail: detail() }), 9, 4),
            (Some(StopReason::Permission { detail: detail() }), 9, 4),
            (Some(StopReason::Runtime { detail: detail() }), 9, 1),
        ];
        for (stopped, not_done, code) in table {
            assert_eq!(exit_code(stopped.as_ref(), [], not_done), code, "{stopped:?}, {not_done} not done");
        }
        let sign_in = StopReason::SignIn { detail: detail() };
        let slow = StopReason::Runtime { detail: detail() };
        assert_eq!(exit_code(None, [&slow, &sign_in], 3), 4);
        assert_eq!(exit_code(None, [&slow], 3), 3);
        assert_eq!(exit_code(Some(&StopReason::Interrupted), [&sign_in], 3), 130);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(group_digits), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [850, 12_345, 245_000, 7_380_000].map(format_duration),
            ["850 ms", "12.3 s", "4 min 5 s", "2 h 3 min"]
        );
        assert_eq!((plural(1, "row"), plural(2, "row")), ("1 row".to_owned(), "2 rows".to_owned()));
    }
}
