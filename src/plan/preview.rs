//! The output of `--dry-run`: the plan for people and programs, before anything is sent.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::plan_csv::PLAN_COLUMNS;
use super::{Draft, LeftOutReason, LookupStatus, PlanError, PlanRow, distinct_names};
use crate::text::humanize;
use crate::text::sanitize::{self, escape_csv_formula, sanitize_line, sanitize_truncated};

/// The maximum number of rows in each list of the text.
const MAX_ROWS_SHOWN: usize = 20;

/// A row as JSON.
#[derive(Serialize)]
struct JsonRow<'a> {
    order: Option<u32>,
    line: &'a str,
    input: &'a str,
    user_id: &'a str,
    left_out: Option<&'a str>,
    detail: &'a str,
    external: Option<bool>,
    priority: &'a str,
    user_principal_name: &'a str,
    display_name: &'a str,
    user_type: &'a str,
    enabled: Option<bool>,
    synced: Option<bool>,
    roles: &'a str,
    tenant: &'a str,
}

impl Draft {
    /// Writes the plan as CSV: the content of `plan.csv`, but safe to show in a terminal and a spreadsheet.
    pub fn print_csv(self, out: &mut dyn Write) -> Result<(), PlanError> {
        let mut out = csv::Writer::from_writer(out);
        let own = distinct_names(self.columns(), &PLAN_COLUMNS);
        let header: Vec<String> =
            super::plan_csv::header(&own).map(|name| escape_csv_formula(name).into_owned()).collect();
        out.write_record(header).map_err(|error| plan_write_error(error.into()))?;
        self.for_each_row(|row| Ok(sanitize_row(row).write(&mut out)?))?;
        out.flush().map_err(plan_write_error)
    }

    /// Writes one JSON object per row.
    pub fn print_json(self, out: &mut dyn Write) -> Result<(), PlanError> {
        self.for_each_row(|row| {
            let left_out = row.left_out.as_ref();
            let json = JsonRow {
                order: row.order(),
                line: &row.line,
                input: &row.input,
                user_id: &row.user_id,
                left_out: left_out.map(|left_out| left_out.outcome.word()),
                detail: left_out.map_or(&row.note, |left_out| &left_out.detail),
                external: row.external,
                priority: &row.priority,
                user_principal_name: &row.user_principal_name,
                display_name: &row.display_name,
                user_type: row.user_type(),
                enabled: row.enabled,
                synced: row.synced,
                roles: &row.roles,
                tenant: &row.tenant,
            };
            writeln!(out, "{}", crate::text::sanitize::sanitize_json(&serde_json::to_string(&json)?))
        })?;
        out.flush().map_err(plan_write_error)
    }

    /// A short text for people: counts, the first users, and the rows that are left out.
    pub fn preview(self) -> Result<String, PlanError> {
        let record = self.record();
        let looked_up = self.facts.resolution.clone();
        let unchecked = self.unchecked();
        let lists = self.facts.lists.clone();
        let tenants = self.facts.tenants.len();
        let mut first: Vec<PlanRow> = Vec::new();
        let mut left_out: Vec<PlanRow> = Vec::new();
        self.for_each_row(|row| {
            match row.order() {
                Some(order) if order as usize <= MAX_ROWS_SHOWN => first.push(row.clone()),
                None if left_out.len() < MAX_ROWS_SHOWN => left_out.push(row.clone()),
                _ => {}
            }
            Ok(())
        })?;
        first.sort_by_key(|row| row.order());
        let mut text = String::new();
        // Writing to a string never fails.
        let _ = writeln!(
            text,
            "{} to revoke{}, of {}.",
            humanize::users(u64::from(record.targets)),
            tenants_suffix(tenants),
            rows_text(record.rows)
        );
        for list in &lists {
            let _ = writeln!(text, "{} list {}.", list.list, humanize::protect_list(list, true));
        }
        if record.external > 0 {
            let _ = writeln!(
                text,
                "External users: {}. Revoking has no effect, because their home tenant holds their sessions.",
                record.external
            );
        }
        for row in &first {
            let user = sanitize_truncated(&row.user_id, 70);
            let external = if row.external == Some(true) { "  (external)" } else { "" };
            let name = match (&*row.user_principal_name, &*row.display_name) {
                ("", "") => String::new(),
                ("", name) | (name, _) => format!("  {}", sanitize::sanitize_name(name)),
            };
            let tenant = match &*row.tenant {
                "" => String::new(),
                tenant => format!("  [{}]", sanitize_truncated(tenant, 70)),
            };
            let _ =
                writeln!(text, "  {:>6}  {user}{name}{external}{tenant}", row.order().unwrap_or_default());
        }
        write_more(&mut text, first.len(), u64::from(record.targets));
        let out: u64 = record.left_out.values().sum();
        if out > 0 {
            let words: Vec<String> =
                record.left_out.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
            let _ = writeln!(text, "\nLeft out: {}.", words.join(", "));
        }
        for row in &left_out {
            let Some(why) = &row.left_out else { continue };
            let (input, line) = (sanitize_truncated(&row.input, 50), sanitize_line(&row.line));
            let _ = writeln!(text, "  line {line}  {}  {input}  {}", why.outcome, sanitize_line(&why.detail));
        }
        write_more(&mut text, left_out.len(), out);
        let _ =
            writeln!(text, "\nNothing was revoked (--dry-run). For the whole plan, use -o csv or -o jsonl.");
        if let Some(unchecked) = unchecked {
            let _ = writeln!(text, "{}", sanitize_line(&unchecked));
        }
        if looked_up == LookupStatus::NotAsked && tenants < 2 {
            let _ = writeln!(
                text,
                "Users were not looked up. `entra-revoke plan` shows guests, unknown users and duplicates."
            );
        }
        Ok(text)
    }
}

fn plan_write_error(source: io::Error) -> PlanError {
    PlanError::Write { what: "the plan".to_owned(), source }
}

fn sanitize_row(row: &PlanRow) -> PlanRow {
    let safe = |text: &String| escape_csv_formula(text).into_owned();
    let left_out = row.left_out.as_ref();
    PlanRow {
        index: row.index,
        line: safe(&row.line),
        input: safe(&row.input),
        user_id: safe(&row.user_id),
        left_out: left_out.map(|left_out| LeftOutReason::new(left_out.outcome, safe(&left_out.detail))),
        external: row.external,
        priority: safe(&row.priority),
        note: safe(&row.note),
        user_principal_name: safe(&row.user_principal_name),
        display_name: safe(&row.display_name),
        guest: row.guest,
        enabled: row.enabled,
        synced: row.synced,
        roles: safe(&row.roles),
        tenant: safe(&row.tenant),
        cells: row.cells.iter().map(safe).collect(),
    }
}

fn tenants_suffix(tenants: usize) -> String {
    if tenants > 1 { format!(" in {} tenants", humanize::count(tenants as u64)) } else { String::new() }
}

fn rows_text(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{} rows", humanize::count(count)) }
}

fn write_more(text: &mut String, shown: usize, all: u64) {
    if all > shown as u64 {
        let _ = writeln!(text, "          … and {} more", humanize::count(all - shown as u64));
    }
}
