//! The summary as plain text, for a terminal or a pipe.

use std::fmt::Write;
use std::path::Path;

use super::apps;
use super::outcome_text::{meaning, shorten_sentence};
use super::summary::{Summary, format_duration, group_digits, plural};
use super::tenants::incomplete_tenants;
use crate::outcome::Outcome;
use crate::text::sanitize::{sanitize_line, sanitize_truncated};
use crate::text::wrap::hanging_indent;

/// The summary as lines of text: what happened, the outcomes, why it stopped, the path of the evidence, and the `next`
/// commands. Without colours or escapes. On a terminal with `columns`, sentences are wrapped. Paths and commands are
/// not, so that you can copy them.
pub fn render(summary: &Summary, folder: &Path, next: &[String], columns: Option<usize>) -> String {
    let mut out = String::new();
    // Writing to a string never fails.
    let _ = fill(&mut out, summary, folder, next, columns);
    out
}

fn fill(
    out: &mut String,
    summary: &Summary,
    folder: &Path,
    next: &[String],
    columns: Option<usize>,
) -> std::fmt::Result {
    if summary.drill {
        writeln!(out, "DRILL: no tenant was touched.")?;
    }
    writeln!(out, "{}.", summary.headline())?;
    for finding in &summary.altered {
        let line = format!("ALTERED: {}.", sanitize_truncated(finding.trim_end_matches('.'), 400));
        writeln!(out, "{}", hanging_indent(&line, 0, columns))?;
    }
    outcomes(out, summary)?;
    tenants(out, summary, columns)?;
    if let Some(stopped) = &summary.stopped {
        let sentence = format!("Stopped early: {}.", sanitize_line(&stopped.sentence).trim_end_matches('.'));
        writeln!(out, "{}", hanging_indent(&sentence, 0, columns))?;
    } else if summary.ended_at.is_none() {
        writeln!(out, "The journal has no end: the process was killed, or is still running.")?;
    }
    if let Some(merged) = &summary.merged {
        writeln!(out, "Merged: {}.", merged.merged_phrase())?;
        for sentence in merged.missing_sentence().into_iter().chain(merged.repeated_sentence()) {
            writeln!(out, "{}", hanging_indent(&sanitize_line(&sentence), 0, columns))?;
        }
    }
    if summary.damaged_lines > 0 {
        let lines = plural(summary.damaged_lines, "line");
        writeln!(out, "Not counted: {lines} of the journal that could not be read.")?;
    }
    for what in &summary.decided.unchecked {
        let line = format!("Not checked: {}.", sanitize_truncated(what.trim_end_matches('.'), 300));
        writeln!(out, "{}", hanging_indent(&line, 0, columns))?;
    }
    let apps = apps::lines(&summary.apps, summary.tenants.len());
    for line in &apps {
        writeln!(out, "{}", hanging_indent(&sanitize_line(line), 0, columns))?;
    }
    if !apps.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", statistics_line(summary))?;
    writeln!(out, "Evidence: {}", sanitize_line(&folder.display().to_string()))?;
    if summary.remaining > 0 {
        let path = folder.join("remaining.csv");
        let rows = plural(summary.remaining, "row");
        writeln!(out, "Not done: {} ({rows})", sanitize_line(&path.display().to_string()))?;
    }
    if !next.is_empty() {
        writeln!(out, "\nNext:")?;
        for command in next {
            writeln!(out, "  {}", sanitize_line(command))?;
        }
    }
    Ok(())
}

/// Maximum number of tenants to list.
const MAX_TENANTS: usize = 5;

/// The incomplete tenants, the worst first. The others share one line.
fn tenants(out: &mut String, summary: &Summary, columns: Option<usize>) -> std::fmt::Result {
    if summary.tenants.is_empty() {
        return Ok(());
    }
    let open = incomplete_tenants(&summary.tenants);
    let (all, complete) = (summary.tenants.len() as u64, (summary.tenants.len() - open.len()) as u64);
    writeln!(out, "Tenants: {} of {} complete.", group_digits(complete), group_digits(all))?;
    for tenant in open.iter().take(MAX_TENANTS) {
        let why = match &tenant.stopped {
            Some(stopped) => format!(": {}", shorten_sentence(&stopped.sentence)),
            None => String::new(),
        };
        let name = sanitize_truncated(tenant.name(), 80);
        let users = plural(tenant.done + tenant.not_done, "user");
        let line = format!("{name}  {} of {users} not done{why}", group_digits(tenant.not_done));
        writeln!(out, "  {}", hanging_indent(&line, 4, columns))?;
    }
    if open.len() > MAX_TENANTS {
        writeln!(
            out,
            "  and {} more, in summary.json and report.html",
            group_digits((open.len() - MAX_TENANTS) as u64)
        )?;
    }
    writeln!(out)
}

/// The table of the outcomes that occur.
fn outcomes(out: &mut String, summary: &Summary) -> std::fmt::Result {
    let rows: Vec<(Outcome, String, String)> = summary
        .outcomes
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(outcome, count)| (*outcome, group_digits(*count), format_percent(*count, summary.rows)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let word_width = rows.iter().map(|(outcome, ..)| outcome.word().len()).max().unwrap_or_default();
    let count_width = rows.iter().map(|(_, count, _)| count.len()).max().unwrap_or_default();
    writeln!(out)?;
    for (outcome, count, share) in rows {
        let note =
            if summary.accepted.outcomes().any(|word| word == outcome) { " (accepted as done)" } else { "" };
        writeln!(
            out,
            "  {outcome:word_width$}  {count:>count_width$}  {share:>6}  {}{note}",
            meaning(outcome)
        )?;
    }
    writeln!(out)
}

/// A share in percent. It is never rounded up to `100.0%` or down to zero.
pub(super) fn format_percent(part: u64, total: u64) -> String {
    let (part, whole) = (u128::from(part), u128::from(total));
    if whole == 0 {
        return String::new();
    }
    let tenths = (part * 2_000 + whole) / (whole * 2);
    match tenths {
        0 if part > 0 => "<0.1%".to_owned(),
        1_000.. if part < whole => "99.9%".to_owned(),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

/// The duration, the requests and the throttling.
fn statistics_line(summary: &Summary) -> String {
    let mut line =
        format!("Took {}, {}", format_duration(summary.duration_ms), plural(summary.attempts, "request"));
    if let Some(rate) = summary.requests_per_second {
        line.push_str(&format!(" ({rate}/s)"));
    }
    if summary.throttled > 0 {
        line.push_str(&format!(", throttled {}", plural(summary.throttled, "time")));
    }
    line.push('.');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_never_says_all_where_one_is_missing() {
        assert_eq!(format_percent(999_999, 1_000_000), "99.9%");
        assert_eq!(format_percent(1, 1_000_000), "<0.1%");
        assert_eq!(
            [format_percent(0, 3), format_percent(3, 3), format_percent(2, 3)],
            ["0.0%", "100.0%", "66.7%"]
        );
    }
}
