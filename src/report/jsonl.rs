//! `report.jsonl`: one JSON object per row, for programs. Text is exact: characters that could affect a terminal are
//! written as JSON escapes, which read back as the same text.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::row::ReportRow;
use crate::event::TargetNo;
use crate::outcome::Outcome;
use crate::plan::distinct_names;
use crate::text::sanitize::sanitize_json;

/// Rows as JSON lines.
pub(super) struct JsonRows<W: Write> {
    out: W,
    columns: Vec<String>,
}

/// The object of one row: the columns of the CSV file under the same names, and further fields.
#[derive(Serialize)]
struct JsonObject<'a> {
    line: ReportLine<'a>,
    input: &'a str,
    user_id: Option<&'a str>,
    outcome: Outcome,
    http_status: Option<u16>,
    error_code: Option<&'a str>,
    detail: &'a str,
    attempts: u32,
    throttled_ms: u64,
    #[serde(serialize_with = "serialize_millis_opt")]
    first_sent_at: Option<Timestamp>,
    #[serde(serialize_with = "serialize_millis_opt")]
    settled_at: Option<Timestamp>,
    request_id: Option<&'a str>,
    client_request_id: Option<Uuid>,
    external: Option<bool>,
    verified: Option<bool>,
    #[serde(serialize_with = "serialize_millis_opt")]
    sessions_valid_from: Option<Timestamp>,
    order: Option<TargetNo>,
    user_principal_name: Option<&'a str>,
    display_name: Option<&'a str>,
    tenant: Option<&'a str>,
    app_id: Option<&'a str>,
    case_id: Option<&'a str>,
    /// The input's name. Null if the run has one input.
    source: Option<&'a str>,
    server_date: Option<&'a str>,
    ags_diagnostic: Option<&'a str>,
    input_columns: InputColumns<'a>,
}

/// A line's number, or other text for it.
#[derive(Serialize)]
#[serde(untagged)]
enum ReportLine<'a> {
    Number(u64),
    Text(&'a str),
    Unknown,
}

impl ReportLine<'_> {
    /// Splits `users.csv:12`.
    fn parse(text: &str) -> (ReportLine<'_>, Option<&str>) {
        let (source, number) = match text.rsplit_once(':') {
            Some((source, number)) => (Some(source), number),
            None => (None, text),
        };
        match number.parse() {
            Ok(number) => (ReportLine::Number(number), source),
            Err(_) if text.is_empty() => (ReportLine::Unknown, None),
            Err(_) => (ReportLine::Text(text), None),
        }
    }
}

/// The columns of the input, by name.
struct InputColumns<'a> {
    names: &'a [String],
    cells: &'a [String],
}

impl Serialize for InputColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.names.len()))?;
        for (name, cell) in self.names.iter().zip(self.cells) {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl<W: Write> JsonRows<W> {
    /// Writes rows of inputs with these `columns`. A duplicate name gets a number, so that no cell is lost.
    pub(super) fn new(out: W, columns: &[String]) -> JsonRows<W> {
        JsonRows { out, columns: distinct_names(columns, &[]) }
    }

    /// Writes one row and its line end with a single call.
    pub(super) fn write(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        let (line, source) = ReportLine::parse(row.line);
        let object = JsonObject {
            line,
            input: row.input,
            user_id: Some(row.user_id).filter(|id| !id.is_empty()),
            outcome: row.outcome,
            http_status: row.http_status,
            error_code: row.error_code,
            detail: &row.detail,
            attempts: row.attempts,
            throttled_ms: row.throttled_ms,
            first_sent_at: row.first_sent_at,
            settled_at: row.settled_at,
            request_id: row.request_id,
            client_request_id: row.client_request_id,
            external: row.external,
            verified: row.verified,
            sessions_valid_from: row.sessions_valid_from,
            order: row.target_no,
            user_principal_name: Some(row.user_principal_name).filter(|name| !name.is_empty()),
            display_name: Some(row.display_name).filter(|name| !name.is_empty()),
            tenant: Some(row.tenant).filter(|tenant| !tenant.is_empty()),
            app_id: row.app_id,
            case_id: row.case_id,
            source,
            server_date: row.server_date,
            ags_diagnostic: row.diagnostic,
            input_columns: InputColumns { names: &self.columns, cells: row.cells },
        };
        let mut line = serde_json::to_string(&object)?;
        line.push('\n');
        self.out.write_all(sanitize_json(&line).as_bytes())
    }

    /// Flushes everything that was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A time in the reports' format, or null.
pub(super) fn serialize_millis_opt<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(&format_args!("{at:.3}")),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PlanRow;
    use crate::text::sanitize::needs_escape;

    #[test]
    fn text_is_exact_and_does_not_act() {
        let nasty = "=1\u{1b}\u{9b}\u{202e}\u{e0041}\"ö";
        let plan = PlanRow { line: "b:c.csv:7".to_owned(), input: nasty.to_owned(), ..PlanRow::default() };
        let mut out = Vec::new();
        JsonRows::new(&mut out, &[]).write(&ReportRow::from_plan_row(&plan, None)).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.trim_end().chars().any(needs_escape), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["input"], nasty);
        assert_eq!((read["line"].as_u64(), read["source"].as_str()), (Some(7), Some("b:c.csv")));
    }
}
