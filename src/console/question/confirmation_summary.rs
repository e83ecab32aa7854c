//! The summary of a plan that is shown before the question: aligned lines that can be read in five seconds. They say
//! where the run goes, which account signs in, which users it has, and how long it takes. Zero counts are not shown.

use std::fmt::Write as _;

use crate::console::{TimeLeft, use_color};
use crate::outcome::Outcome;
use crate::plan::PlanSummary;
use crate::text::humanize;
use crate::text::sanitize;
use crate::text::wrap;

/// Width of the labels, in columns.
const LABEL_WIDTH: usize = 11;

/// Maximum number of names of people, and of roles, in a line.
const MAX_SHOWN: usize = 3;

/// Maximum length of a value, in characters; longer ones are cut.
const MAX_VALUE_CHARS: usize = 300;

/// A plan, its destination, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmationSummary<'a> {
    /// The name of the cloud.
    pub cloud: &'a str,
    /// The tenant's name and ID.
    pub tenant: &'a str,
    /// The account that signs in to the tenant: an app or a person.
    pub identity: Option<&'a str>,
    /// Number of users to revoke.
    pub users: u64,
    /// Number of rows that are left out, by outcome.
    pub left_out: &'a [(Outcome, u64)],
    /// Number of users whose user principal name says that their home is another tenant.
    pub external: u64,
    /// What is known about the plan as a whole.
    pub plan: &'a PlanSummary,
    /// How long the run will take, as far as it is known: see [`crate::dispatch::RatePolicy::estimate_time`].
    pub time_left: TimeLeft,
}

/// The lines, each with its line break.
pub fn summary_lines(summary: &ConfirmationSummary<'_>, columns: Option<usize>) -> String {
    let mut page = SummaryText { text: String::new(), columns };
    page.line("cloud", summary.cloud);
    page.line("tenant", summary.tenant);
    page.list("sign-in", summary.identity.into_iter().map(str::to_owned));
    page.line("selected", &summary.plan.selection.join("; "));
    page.line("users", &humanize::count(summary.users));
    add_user_lines(&mut page, summary);
    add_left_out_lines(&mut page, summary);
    page.list("first", summary.plan.first.iter().map(|name| sanitize::sanitize_name(name)));
    page.list("last", summary.plan.last.iter().map(|name| sanitize::sanitize_name(name)));
    page.line("not checked", &summary.plan.all_unchecked().join("; "));
    if let Some(span) = summary.time_left.span() {
        page.line("time", &format!("about {}", humanize::span(span)));
    }
    page.text
}

/// Adds the lines about groups of users, such as administrators and guests.
fn add_user_lines(page: &mut SummaryText, summary: &ConfirmationSummary<'_>) {
    let facts = summary.plan;
    page.line("admins", &admins_text(facts));
    let guests = facts.guests.max(summary.external);
    page.count("guests", guests, ": no effect, because their home tenant holds their sessions");
    page.count("disabled", facts.disabled, " already");
    page.count("synced", facts.synced, " from on-premises");
    page.count("unknown", facts.missing, " not in the directory");
    page.count("deleted", facts.deleted, "");
    for list in &facts.lists {
        page.line(&list.list, &humanize::protect_list(list, true));
    }
    if !facts.unprotected.is_empty() {
        let each =
            facts.unprotected.iter().map(|(name, why)| format!("{} ({why})", sanitize::sanitize_name(name)));
        let text = format!("revoked although protected: {}", each.collect::<Vec<_>>().join(", "));
        page.line_in_red("UNPROTECTED", &text);
    }
}

fn admins_text(facts: &PlanSummary) -> String {
    if facts.administrators == 0 {
        return String::new();
    }
    let mut roles: Vec<(&String, &u64)> = facts.admins.iter().flatten().collect();
    // Global Administrators first, because revoking them has the largest effect.
    roles.sort_by_key(|(name, count)| (!name.starts_with("Global Admin"), std::cmp::Reverse(**count)));
    let mut words: Vec<String> = roles
        .iter()
        .take(MAX_SHOWN)
        .map(|(name, count)| format!("{} {}", humanize::count(**count), sanitize::sanitize_name(name)))
        .collect();
    if roles.len() > MAX_SHOWN {
        let others = roles.len() - MAX_SHOWN;
        words.push(format!("{others} other {}", if others == 1 { "role" } else { "roles" }));
    }
    let total = humanize::count(facts.administrators);
    if words.is_empty() { total } else { format!("{total}: {}", words.join(", ")) }
}

fn add_left_out_lines(page: &mut SummaryText, summary: &ConfirmationSummary<'_>) {
    let of =
        |outcome: Outcome| summary.left_out.iter().find(|(word, _)| *word == outcome).map_or(0, |(_, n)| *n);
    let protected = of(Outcome::Protected);
    if protected > 0 {
        let shown = MAX_SHOWN.min(usize::try_from(protected).unwrap_or(MAX_SHOWN));
        let mut names: Vec<String> = summary
            .plan
            .protected
            .iter()
            .take(shown)
            .map(|(name, _)| sanitize::sanitize_name(name))
            .collect();
        let more = protected.saturating_sub(names.len() as u64);
        if more > 0 && !names.is_empty() {
            names.push(format!("{} more", humanize::count(more)));
        }
        let separator = if names.is_empty() { "" } else { ": " };
        page.line(
            "protected",
            &format!("{} left out{separator}{}", humanize::count(protected), names.join(", ")),
        );
    }
    let others = summary.left_out.iter().filter(|(outcome, n)| *n > 0 && *outcome != Outcome::Protected);
    let others: Vec<(Outcome, u64)> = others.copied().collect();
    let total: u64 = others.iter().map(|(_, n)| n).sum();
    if total > 0 {
        let words: Vec<_> =
            others.iter().map(|(word, n)| format!("{word} {}", humanize::count(*n))).collect();
        page.line("left out", &format!("{} ({})", humanize::count(total), words.join(", ")));
    }
}

struct SummaryText {
    text: String,
    columns: Option<usize>,
}

impl SummaryText {
    /// Adds a line, unless its value is empty.
    fn line(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            // Writing to a string never fails.
            let _ = writeln!(self.text, "  {name:<LABEL_WIDTH$}  {}", self.wrap_value(value));
        }
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = String>) {
        self.line(name, &items.collect::<Vec<_>>().join(", "));
    }

    fn count(&mut self, name: &str, count: u64, what: &str) {
        if count > 0 {
            self.line(name, &format!("{}{what}", humanize::count(count)));
        }
    }

    /// Adds a line in red, which must not be overlooked.
    fn line_in_red(&mut self, name: &str, value: &str) {
        let style = if use_color() {
            ::console::Style::new().red().bold().force_styling(true)
        } else {
            ::console::Style::new()
        };
        let value = self.wrap_value(value);
        let line = style.apply_to(format!("{name:<LABEL_WIDTH$}  {value}"));
        let _ = writeln!(self.text, "  {line}");
    }

    fn wrap_value(&self, value: &str) -> String {
        wrap::hanging_indent(
            &sanitize::sanitize_truncated(value, MAX_VALUE_CHARS),
            LABEL_WIDTH + 4,
            self.columns,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::LookupStatus;

    fn facts() -> PlanSummary {
        let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        PlanSummary {
            selection: people(&["group Finance (0785ef7c)", "users.csv"]),
            resolution: LookupStatus::Full,
            guests: 12,
            synced: 1_000,
            admins: Some(
                [("Helpdesk Administrator", 4), ("Global Administrator", 1), ("A", 2), ("B", 1)]
                    .map(|(name, count)| (name.to_owned(), count))
                    .into(),
            ),
            administrators: 6,
            global_administrators: Some((1, 4)),
            protected: ["Ann", "Bob", "Cy", "Dee"].map(|name| (name.to_owned(), "list".to_owned())).to_vec(),
            unprotected: vec![("boss@contoso.com".to_owned(), "on the protect list".to_owned())],
            first: people(&["a\u{1b}[2J", "b", "c"]),
            last: people(&["x", "y", "z"]),
            unchecked: people(&["the app's owners"]),
            ..PlanSummary::default()
        }
    }

    fn summary(facts: &PlanSummary) -> ConfirmationSummary<'_> {
        ConfirmationSummary {
            cloud: "global",
            tenant: "contoso\u{1b}[2J.com",
            identity: None,
            users: 1_234,
            left_out: &[(Outcome::Protected, 5), (Outcome::Excluded, 0), (Outcome::Duplicate, 4)],
            external: 0,
            plan: facts,
            time_left: TimeLeft::Estimated(Duration::from_secs(62)),
        }
    }

    #[test]
    fn the_lines_say_what_will_happen_where() {
        let facts = facts();
        let expected = "  cloud        global
  tenant       contoso\\u{1b}[2J.com
  selected     group Finance (0785ef7c); users.csv
  users        1,234
  admins       6: 1 Global Administrator, 4 Helpdesk Administrator, 2 A, 1 other
               role
  guests       12: no effect, because their home tenant holds their sessions
  synced       1,000 from on-premises
  UNPROTECTED  revoked although protected: boss@contoso.com (on the protect
               list)
  protected    5 left out: Ann, Bob, Cy, 2 more
  left out     4 (duplicate 4)
  first        a\\u{1b}[2J, b, c
  last         x, y, z
  not checked  the app's owners
  time         about 1m02s
";
        let text = summary_lines(&summary(&facts), Some(80));
        assert_eq!(::console::strip_ansi_codes(&text), expected);
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn unchecked_facts_are_listed() {
        let nothing = PlanSummary::default();
        let text = summary_lines(
            &ConfirmationSummary { left_out: &[], time_left: TimeLeft::Unknown, ..summary(&nothing) },
            None,
        );
        assert!(text.contains(
            "not checked  which users exist, and which are guests; which users are administrators\n"
        ));
        for absent in ["left out", "time", "guests", "protected", "first", "selected"] {
            assert!(!text.contains(&format!("\n  {absent}  ")), "{absent} in {text}");
        }
        let why = LookupStatus::Impossible("needs User.Read.All".to_owned());
        let facts =
            PlanSummary { resolution: why, unchecked: vec!["holders of roles (no)".to_owned()], ..nothing };
        let text = summary_lines(&summary(&facts), None);
        assert!(
            text.contains("and which are guests (needs User.Read.All); holders of roles (no)\n"),
            "{text}"
        );
    }
}
