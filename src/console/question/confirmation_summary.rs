//! What a plan comes to, in aligned lines that are read in five seconds: where, as whom, who, how long. What is zero is
//! not shown.

use std::fmt::Write as _;

use crate::console::{TimeLeft, use_color};
use crate::outcome::Outcome;
use crate::plan::PlanSummary;
use crate::text::humanize;
use crate::text::sanitize;
use crate::text::wrap;

/// How wide the names of lines are.
const LABEL_WIDTH: usize = 11;

/// How many names of people, and of roles, are told.
const MAX_SHOWN: usize = 3;

/// Longer values are cut, in characters.
const MAX_VALUE_CHARS: usize = 300;

/// A plan, where it goes, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct ConfirmationSummary<'a> {
    /// The cloud, by its name.
    pub cloud: &'a str,
    /// The tenant, by name and id.
    pub tenant: &'a str,
    /// Who the program is in that tenant: an app or an operator.
    pub identity: Option<&'a str>,
    /// How many users' sessions will be revoked.
    pub users: u64,
    /// Rows that are left out, by word.
    pub left_out: &'a [(Outcome, u64)],
    /// Users known to have their home in another tenant, by their names alone.
    pub external: u64,
    /// What is known of the plan as a whole.
    pub plan: &'a PlanSummary,
    /// How long it will take, as far as that is known: see [`crate::dispatch::RatePolicy::estimate_time`].
    pub time_left: TimeLeft,
}

/// The lines, each with its line break.
pub fn summary_lines(summary: &ConfirmationSummary<'_>, columns: Option<usize>) -> String {
    let mut page = QuestionPage { text: String::new(), columns };
    page.line("cloud", summary.cloud);
    page.line("tenant", summary.tenant);
    page.list("signs in", summary.identity.into_iter().map(str::to_owned));
    page.line("chosen", &summary.plan.selection.join("; "));
    page.line("users", &humanize::count(summary.users));
    add_user_lines(&mut page, summary);
    add_left_out_lines(&mut page, summary);
    page.list("first", summary.plan.first.iter().map(|name| sanitize::name(name)));
    page.list("last", summary.plan.last.iter().map(|name| sanitize::name(name)));
    page.line("not checked", &summary.plan.all_unchecked().join("; "));
    if let Some(span) = summary.time_left.span() {
        page.line("time", &format!("about {}", humanize::span(span)));
    }
    page.text
}

/// Who is among the users.
fn add_user_lines(page: &mut QuestionPage, summary: &ConfirmationSummary<'_>) {
    let facts = summary.plan;
    page.line("admins", &admins_text(facts));
    let guests = facts.guests.max(summary.external);
    page.count("guests", guests, ": no effect, their home tenant holds their sessions");
    page.count("disabled", facts.disabled, " already");
    page.count("synced", facts.synced, " from on-premises");
    page.count("not found", facts.missing, " in the directory");
    page.count("deleted", facts.deleted, "");
    for list in &facts.lists {
        page.line(&list.list, &humanize::list(list, true));
    }
    if !facts.unprotected.is_empty() {
        let each = facts.unprotected.iter().map(|(name, why)| format!("{} ({why})", sanitize::name(name)));
        let text = format!("sent although protected: {}", each.collect::<Vec<_>>().join(", "));
        page.line_in_red("UNPROTECTED", &text);
    }
}

fn admins_text(facts: &PlanSummary) -> String {
    if facts.administrators == 0 {
        return String::new();
    }
    let mut roles: Vec<(&String, &u64)> = facts.admins.iter().flatten().collect();
    // Global Administrators first: nobody else can take as much with them.
    roles.sort_by_key(|(name, count)| (!name.starts_with("Global Admin"), std::cmp::Reverse(**count)));
    let mut words: Vec<String> = roles
        .iter()
        .take(MAX_SHOWN)
        .map(|(name, count)| format!("{} {}", humanize::count(**count), sanitize::name(name)))
        .collect();
    if roles.len() > MAX_SHOWN {
        let others = roles.len() - MAX_SHOWN;
        words.push(format!("{others} other {}", if others == 1 { "role" } else { "roles" }));
    }
    let total = humanize::count(facts.administrators);
    if words.is_empty() { total } else { format!("{total}: {}", words.join(", ")) }
}

fn add_left_out_lines(page: &mut QuestionPage, summary: &ConfirmationSummary<'_>) {
    let of = |wanted: Outcome| {
        summary.left_out.iter().find(|(outcome, _)| *outcome == wanted).map_or(0, |(_, n)| *n)
    };
    let protected = of(Outcome::Protected);
    if protected > 0 {
        let shown = MAX_SHOWN.min(usize::try_from(protected).unwrap_or(MAX_SHOWN));
        let mut names: Vec<String> =
            summary.plan.protected.iter().take(shown).map(|(name, _)| sanitize::name(name)).collect();
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

struct QuestionPage {
    text: String,
    columns: Option<usize>,
}

impl QuestionPage {
    /// A line, unless it would be empty.
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

    /// A line that nobody should pass over.
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
    use crate::plan::ListResolution;

    fn facts() -> PlanSummary {
        let people = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        PlanSummary {
            selection: people(&["group Finance (0785ef7c)", "users.csv"]),
            resolution: ListResolution::Full,
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
  chosen       group Finance (0785ef7c); users.csv
  users        1,234
  admins       6: 1 Global Administrator, 4 Helpdesk Administrator, 2 A, 1 other
               role
  guests       12: no effect, their home tenant holds their sessions
  synced       1,000 from on-premises
  UNPROTECTED  sent although protected: boss@contoso.com (on the protect list)
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
        assert!(
            text.contains(
                "not checked  who of them exists, or is a guest; who of them is an administrator\n"
            )
        );
        for absent in ["left out", "time", "guests", "protected", "first", "chosen"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
        let why = ListResolution::Impossible("needs User.Read.All".to_owned());
        let facts =
            PlanSummary { resolution: why, unchecked: vec!["who holds roles (no)".to_owned()], ..nothing };
        let text = summary_lines(&summary(&facts), None);
        assert!(text.contains("or is a guest (needs User.Read.All); who holds roles (no)\n"), "{text}");
    }
}
