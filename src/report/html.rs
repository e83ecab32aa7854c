//! `report.html`: a single page for people, without scripts or external resources.

use std::io::{self, Write};

use askama::Template;

use super::apps;
use super::merge::MergedRuns;
use super::outcome_text::{meaning, next_step, shorten_sentence};
use super::row::format_time;
use super::sample::{ReportSample, SampleGroup};
use super::summary::{Summary, format_duration, group_digits, plural};
use super::tenants::{TenantSummary, incomplete_tenants};
use super::text::format_percent;
use crate::outcome::{Outcome, OutcomeClass};
use crate::text::sanitize::{sanitize_line, sanitize_truncated};

/// The name of the file.
pub(super) const NAME: &str = "report.html";

/// A list with at most this many rows is open initially.
const MAX_OPEN_ROWS: u64 = 100;

#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'a> {
    title: String,
    headline: String,
    tone: &'static str,
    drill: bool,
    warnings: Vec<String>,
    facts: Vec<(&'static str, String)>,
    outcomes: Vec<OutcomeRow>,
    shares: Vec<PageShare>,
    steps: Vec<(Outcome, String, &'static str)>,
    inputs: Vec<PageInput>,
    plans: Vec<(String, &'a str)>,
    tenants: Vec<TenantRow>,
    tenants_open: bool,
    groups: [RowList<'a>; 3],
}

/// A line in the table of tenants.
struct TenantRow {
    name: String,
    id: String,
    tone: &'static str,
    users: String,
    done: String,
    not_done: String,
    why: String,
}

/// A line in the table of outcomes.
struct OutcomeRow {
    outcome: Outcome,
    tone: &'static str,
    count: String,
    share: String,
    meaning: &'static str,
    accepted: bool,
}

/// A segment of the bar that shows the shares of the outcomes.
struct PageShare {
    tone: &'static str,
    label: String,
    /// Its share of all rows, as a flex factor.
    weight: u64,
}

struct PageInput {
    name: String,
    bytes: String,
    sha256: String,
}

/// A list of rows.
struct RowList<'a> {
    title: &'static str,
    tone: &'static str,
    total: String,
    open: bool,
    hidden: Option<String>,
    group: &'a SampleGroup,
}

/// Writes the page.
pub(super) fn write(out: &mut dyn Write, summary: &Summary, sample: &ReportSample) -> io::Result<()> {
    ReportPage::new(summary, sample).write_into(out)
}

impl<'a> ReportPage<'a> {
    fn new(summary: &'a Summary, sample: &'a ReportSample) -> ReportPage<'a> {
        let headline = summary.headline();
        let case =
            summary.case_id.as_deref().map(|id| format!("{} · ", sanitize_line(id))).unwrap_or_default();
        ReportPage {
            title: format!("{case}{headline}"),
            headline,
            tone: page_tone(summary),
            drill: summary.drill,
            warnings: warnings(summary),
            facts: facts(summary),
            outcomes: outcomes(summary),
            shares: shares(summary),
            steps: steps(summary),
            inputs: inputs(summary),
            plans: plans(summary),
            tenants: tenants(summary),
            tenants_open: summary.tenants.len() as u64 <= MAX_OPEN_ROWS,
            groups: [
                RowList::new("Not done", "open", &sample.not_done),
                RowList::new("Done", "done", &sample.done),
                RowList::new("Left out", "out", &sample.left_out),
            ],
        }
    }
}

impl<'a> RowList<'a> {
    fn new(title: &'static str, tone: &'static str, group: &'a SampleGroup) -> RowList<'a> {
        RowList {
            title,
            tone,
            total: group_digits(group.total),
            open: tone == "open" || group.total <= MAX_OPEN_ROWS,
            hidden: (group.hidden() > 0).then(|| group_digits(group.hidden())),
            group,
        }
    }
}

/// Green only if it is certain that every user is signed out.
fn page_tone(summary: &Summary) -> &'static str {
    let all = summary.users() == summary.count(Outcome::Revoked) && summary.users() > 0;
    let missing = summary.merged.iter().any(|merged| !merged.missing.is_empty());
    let doubtful = missing || !summary.altered.is_empty();
    match (summary.not_done + u64::from(doubtful), all && !summary.drill && summary.stopped.is_none()) {
        (0, true) => "done",
        (0, false) => "out",
        _ => "open",
    }
}

fn outcome_tone(summary: &Summary, outcome: Outcome) -> &'static str {
    match summary.accepted.standing(outcome) {
        OutcomeClass::NotDone => "open",
        OutcomeClass::Done if outcome == Outcome::Revoked => "done",
        OutcomeClass::Done | OutcomeClass::LeftOut => "out",
    }
}

fn warnings(summary: &Summary) -> Vec<String> {
    let altered = |finding: &String| {
        let finding = sanitize_truncated(finding.trim_end_matches('.'), 400);
        format!("Altered: {finding}. This page alone proves nothing.")
    };
    let mut warnings: Vec<String> = summary.altered.iter().map(altered).collect();
    if let Some(stopped) = &summary.stopped {
        let sentence = sanitize_line(&stopped.sentence);
        warnings.push(format!("The run stopped early: {}.", sentence.trim_end_matches('.')));
    } else if summary.ended_at.is_none() {
        warnings.push("The journal has no end: the process was killed, or was still running.".to_owned());
    }
    let merged = summary.merged.iter();
    warnings.extend(
        merged.flat_map(|merged| merged.missing_sentence().into_iter().chain(merged.repeated_sentence())),
    );
    if summary.damaged_lines > 0 {
        let lines = plural(summary.damaged_lines, "line");
        warnings.push(format!("Not counted: {lines} of the journal that could not be read."));
    }
    warnings.extend(
        summary
            .decided
            .unchecked
            .iter()
            .map(|what| format!("Not checked before sending: {}.", sanitize_line(what))),
    );
    warnings.extend(apps::loss_sentences(&summary.apps).map(|loss| sanitize_line(&loss).into_owned()));
    warnings
}

fn facts(summary: &Summary) -> Vec<(&'static str, String)> {
    let operator = &summary.operator;
    let machine = [operator.local_user.as_deref(), operator.host.as_deref()];
    let machine: Vec<&str> = machine.into_iter().flatten().collect();
    let tenant_id = summary.tenant_id.clone().filter(|id| summary.tenant.as_ref() != Some(id));
    let ended = summary.ended_at.map_or_else(|| "not known".to_owned(), format_time);
    let requests = match summary.requests_per_second {
        Some(rate) => format!("{} ({rate} per second)", group_digits(summary.attempts)),
        None => group_digits(summary.attempts),
    };
    let throttled = match summary.throttled {
        0 => "never".to_owned(),
        times => plural(times, "time"),
    };
    let accepted: Vec<&str> = summary.accepted.outcomes().map(Outcome::word).collect();
    let facts = [
        ("Case", summary.case_id.clone()),
        ("Tenant", summary.tenant.clone()),
        ("Tenant ID", tenant_id),
        ("Cloud", Some(summary.cloud.clone())),
        ("Signed in with", Some(operator.auth.clone())),
        ("As user", operator.user.clone()),
        ("As app", operator.app_id.clone().filter(|_| summary.apps.len() < 2)),
        ("Users by app", apps::app_breakdown(&summary.apps, summary.tenants.len())),
        ("From", Some(machine.join(" on "))),
        ("Started", Some(format_time(summary.started_at))),
        ("Ended", Some(ended)),
        ("Took", Some(format_duration(summary.duration_ms))),
        ("Requests", Some(requests)),
        ("Throttled", Some(throttled)),
        ("Accepted as done", Some(accepted.join(", "))),
        (
            "Processes",
            (summary.processes > 1).then(|| format!("{} (the run was resumed)", summary.processes)),
        ),
        ("Merged", summary.merged.as_ref().map(MergedRuns::merged_phrase)),
        ("Run", Some(summary.run.clone())),
        ("Program", Some(format!("entra-revoke {}", summary.version))),
    ];
    let known = facts.into_iter().filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_empty())?)));
    known.map(|(name, value)| (name, sanitize_line(&value).into_owned())).collect()
}

fn outcomes(summary: &Summary) -> Vec<OutcomeRow> {
    let occurring = summary.outcomes.iter().filter(|(_, count)| **count > 0);
    occurring
        .map(|(outcome, count)| OutcomeRow {
            outcome: *outcome,
            tone: outcome_tone(summary, *outcome),
            count: group_digits(*count),
            share: format_percent(*count, summary.rows),
            meaning: meaning(*outcome),
            accepted: summary.accepted.outcomes().any(|word| word == *outcome),
        })
        .collect()
}

fn shares(summary: &Summary) -> Vec<PageShare> {
    let revoked = summary.count(Outcome::Revoked);
    let parts = [
        ("done", "signed out", revoked),
        ("open", "not done", summary.not_done),
        ("out", "accepted as done", summary.accepted_as_done()),
        ("out", "left out", summary.left_out),
    ];
    let label = |name: &str, count| format!("{} {name}", group_digits(count));
    let share = |(tone, name, count)| PageShare { tone, label: label(name, count), weight: count };
    parts.into_iter().filter(|(.., count)| *count > 0).map(share).collect()
}

fn steps(summary: &Summary) -> Vec<(Outcome, String, &'static str)> {
    let step = |(outcome, count): (&Outcome, &u64)| {
        let open = *count > 0 && !summary.accepted.is_done(*outcome);
        Some((*outcome, group_digits(*count), next_step(*outcome).filter(|_| open)?))
    };
    summary.outcomes.iter().filter_map(step).collect()
}

/// All tenants, incomplete ones first.
fn tenants(summary: &Summary) -> Vec<TenantRow> {
    let complete = summary.tenants.iter().filter(|tenant| tenant.not_done == 0);
    let row = |tenant: &TenantSummary| TenantRow {
        name: sanitize_truncated(tenant.name(), 80),
        id: sanitize_truncated(&tenant.tenant, 80),
        tone: if tenant.not_done > 0 { "open" } else { "done" },
        users: group_digits(tenant.users),
        done: group_digits(tenant.done),
        not_done: group_digits(tenant.not_done),
        why: tenant.stopped.as_ref().map(|stopped| shorten_sentence(&stopped.sentence)).unwrap_or_default(),
    };
    incomplete_tenants(&summary.tenants).into_iter().chain(complete).map(row).collect()
}

/// The plans with their SHA-256.
fn plans(summary: &Summary) -> Vec<(String, &str)> {
    let own = summary.plan_sha256.as_deref().map(|sha256| ("plan.csv".to_owned(), sha256));
    let runs = summary.merged.iter().flat_map(|merged| &merged.runs);
    let joined = runs.map(|run| (format!("plan.csv of shard {}", run.shard), run.plan_sha256.as_str()));
    own.into_iter().chain(joined).collect()
}

fn inputs(summary: &Summary) -> Vec<PageInput> {
    let input = |source: &crate::intake::InputDigest| PageInput {
        name: sanitize_line(&source.name).into_owned(),
        bytes: group_digits(source.bytes),
        sha256: sanitize_line(&source.sha256).into_owned(),
    };
    summary.inputs.iter().map(input).collect()
}
