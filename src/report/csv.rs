//! `report.csv`, for spreadsheets and for all tools that read CSV.
//!
//! UTF-8 without a byte order mark, with LF line ends. Most tools other than spreadsheets (Python's `csv`, `awk`, SIEM
//! imports) would read a mark as part of the first column's name, and PowerShell's `Import-Csv` reads a file without a
//! mark as UTF-8. In Excel, *Data › From Text/CSV* asks for the encoding.

use std::io::{self, Write};

use super::row::{COLUMNS, ReportRow, format_time_or_empty};
use crate::plan::distinct_names;
use crate::text::sanitize::escape_csv_formula;

/// Rows as CSV, with a header.
pub(super) struct CsvRows<W: Write> {
    out: csv::Writer<W>,
    columns: usize,
}

impl<W: Write> CsvRows<W> {
    /// Writes the header: the report's columns, then the input's `columns`. A column of the input whose name is taken
    /// gets a number, because PowerShell refuses a file with duplicate names.
    pub(super) fn new(out: W, columns: &[String]) -> io::Result<CsvRows<W>> {
        let mut out = csv::Writer::from_writer(out);
        for name in COLUMNS {
            out.write_field(name)?;
        }
        for name in distinct_names(columns, &COLUMNS) {
            out.write_field(escape_csv_formula(&name).as_bytes())?;
        }
        out.write_record(None::<&[u8]>)?;
        Ok(CsvRows { out, columns: columns.len() })
    }

    /// Writes one row. Missing cells of the input are empty.
    pub(super) fn write(&mut self, row: &ReportRow<'_>) -> io::Result<()> {
        let status = row.http_status.map(|status| status.to_string()).unwrap_or_default();
        let attempts = row.attempts.to_string();
        let throttled = row.throttled_ms.to_string();
        let first_sent_at = format_time_or_empty(row.first_sent_at);
        let settled_at = format_time_or_empty(row.settled_at);
        let client_request_id = row.client_request_id.map(|id| id.to_string()).unwrap_or_default();
        let valid_from = format_time_or_empty(row.sessions_valid_from);
        let order = row.target_no.map(|order| order.to_string()).unwrap_or_default();
        let fields: [&str; COLUMNS.len()] = [
            row.line,
            row.input,
            row.user_id,
            row.outcome.word(),
            &status,
            row.error_code.unwrap_or_default(),
            &row.detail,
            &attempts,
            &throttled,
            &first_sent_at,
            &settled_at,
            row.request_id.unwrap_or_default(),
            &client_request_id,
            flag(row.external),
            flag(row.verified),
            &valid_from,
            &order,
            row.user_principal_name,
            row.display_name,
            row.tenant,
            row.app_id.unwrap_or_default(),
            row.case_id.unwrap_or_default(),
        ];
        for field in fields {
            self.out.write_field(escape_csv_formula(field).as_bytes())?;
        }
        for place in 0..self.columns {
            let cell = row.cells.get(place).map_or("", String::as_str);
            self.out.write_field(escape_csv_formula(cell).as_bytes())?;
        }
        Ok(self.out.write_record(None::<&[u8]>)?)
    }

    /// Flushes everything that was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn flag(known: Option<bool>) -> &'static str {
    match known {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}
