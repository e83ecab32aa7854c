//! What a plan comes to, in aligned lines that are read in five seconds: where, as whom, who, how long. What is zero is
//! not shown.

use std::fmt::Write as _;

use crate::console::{TimeLeft, coloured, wording, wrap};
use crate::harmless;
use crate::outcome::Outcome;
use crate::plan::PlanSummary;

/// How wide the names of lines are.
const NAMES: usize = 11;

/// How many names of people, and of roles, are told.
const TOLD: usize = 3;

/// Longer values are cut, in characters.
const LONGEST: usize = 300;

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
    pub facts: &'a PlanSummary,
    /// How long it will take, as far as that is known: see [`crate::dispatch::Pace::time_for`].
    pub time: TimeLeft,
}

/// The lines, each with its line break.
pub fn lines(about: &ConfirmationSummary<'_>, columns: Option<usize>) -> String {
    let mut page = QuestionPage { text: String::new(), columns };
    page.line("cloud", about.cloud);
    page.line("tenant", about.tenant);
    page.list("signs in", about.identity.into_iter().map(str::to_owned));
    page.line("chosen", &about.facts.selection.join("; "));
    page.line("users", &wording::count(about.users));
    people(&mut page, about);
    left_out(&mut page, about);
    page.list("first", about.facts.first.iter().map(|name| harmless::name(name)));
    page.list("last", about.facts.last.iter().map(|name| harmless::name(name)));
    page.line("not checked", &about.facts.unknown().join("; "));
    if let Some(span) = about.time.span() {
        page.line("time", &format!("about {}", wording::span(span)));
    }
    page.text
}

/// Who is among the users.
fn people(page: &mut QuestionPage, about: &ConfirmationSummary<'_>) {
    let facts = about.facts;
    page.line("admins", &admins(facts));
    let guests = facts.guests.max(about.external);
    page.count("guests", guests, ": no effect, their home tenant holds their sessions");
    page.count("disabled", facts.disabled, " already");
    page.count("synced", facts.synced, " from on-premises");
    page.count("not found", facts.missing, " in the directory");
    page.count("deleted", facts.deleted, "");
    for list in &facts.lists {
        page.line(&list.list, &wording::list(list, true));
    }
    if !facts.unprotected.is_empty() {
        let each = facts.unprotected.iter().map(|(name, why)| format!("{} ({why})", harmless::name(name)));
        let text = format!("sent although protected: {}", each.collect::<Vec<_>>().join(", "));
        page.loud("UNPROTECTED", &text);
    }
}

fn admins(facts: &PlanSummary) -> String {
    if facts.administrators == 0 {
        return String::new();
    }
    let mut roles: Vec<(&String, &u64)> = facts.admins.iter().flatten().collect();
    // Global Administrators first: nobody else can take as much with them.
    roles.sort_by_key(|(name, count)| (!name.starts_with("Global Admin"), std::cmp::Reverse(**count)));
    let mut words: Vec<String> = roles
        .iter()
        .take(TOLD)
        .map(|(name, count)| format!("{} {}", wording::count(**count), harmless::name(name)))
        .collect();
    if roles.len() > TOLD {
        let others = roles.len() - TOLD;
        words.push(format!("{others} other {}", if others == 1 { "role" } else { "roles" }));
    }
    let total = wording::count(facts.administrators);
    if words.is_empty() { total } else { format!("{total}: {}", words.join(", ")) }
}

fn left_out(page: &mut QuestionPage, about: &ConfirmationSummary<'_>) {
    let of = |wanted: Outcome| {
        about.left_out.iter().find(|(outcome, _)| *outcome == wanted).map_or(0, |(_, n)| *n)
    };
    let protected = of(Outcome::Protected);
    if protected > 0 {
        let shown = TOLD.min(usize::try_from(protected).unwrap_or(TOLD));
        let mut names: Vec<String> =
            about.facts.protected.iter().take(shown).map(|(name, _)| harmless::name(name)).collect();
        let more = protected.saturating_sub(names.len() as u64);
        if more > 0 && !names.is_empty() {
            names.push(format!("{} more", wording::count(more)));
        }
        let separator = if names.is_empty() { "" } else { ": " };
        page.line(
            "protected",
            &format!("{} left out{separator}{}", wording::count(protected), names.join(", ")),
        );
    }
    let others = about.left_out.iter().filter(|(outcome, n)| *n > 0 && *outcome != Outcome::Protected);
    let others: Vec<(Outcome, u64)> = others.copied().collect();
    let total: u64 = others.iter().map(|(_, n)| n).sum();
    if total > 0 {
        let words: Vec<_> = others.iter().map(|(word, n)| format!("{word} {}", wording::count(*n))).collect();
        page.line("left out", &format!("{} ({})", wording::count(total), words.join(", ")));
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
            let _ = writeln!(self.text, "  {name:<NAMES$}  {}", self.broken(value));
        }
    }

    fn list(&mut self, name: &str, items: impl Iterator<Item = String>) {
        self.line(name, &items.collect::<Vec<_>>().join(", "));
    }

    fn count(&mut self, name: &str, count: u64, what: &str) {
        if count > 0 {
            self.line(name, &format!("{}{what}", wording::count(count)));
        }
    }

    /// A line that nobody should pass over.
    fn loud(&mut self, name: &str, value: &str) {
        let style = if coloured() {
            ::console::Style::new().red().bold().force_styling(true)
        } else {
            ::console::Style::new()
        };
        let value = self.broken(value);
        let line = style.apply_to(format!("{name:<NAMES$}  {value}"));
        let _ = writeln!(self.text, "  {line}");
    }

    fn broken(&self, value: &str) -> String {
        wrap::hanging(&harmless::sanitize_truncated(value, LONGEST), NAMES + 4, self.columns)
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

    fn about(facts: &PlanSummary) -> ConfirmationSummary<'_> {
        ConfirmationSummary {
            cloud: "global",
            tenant: "contoso\u{1b}[2J.com",
            identity: None,
            users: 1_234,
            left_out: &[(Outcome::Protected, 5), (Outcome::Excluded, 0), (Outcome::Duplicate, 4)],
            external: 0,
            facts,
            time: TimeLeft::About(Duration::from_secs(62)),
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
        let text = lines(&about(&facts), Some(80));
        assert_eq!(::console::strip_ansi_codes(&text), expected);
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
    }

    #[test]
    fn what_nobody_could_tell_is_said() {
        let nothing = PlanSummary::default();
        let text =
            lines(&ConfirmationSummary { left_out: &[], time: TimeLeft::Unknown, ..about(&nothing) }, None);
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
        let text = lines(&about(&facts), None);
        assert!(text.contains("or is a guest (needs User.Read.All); who holds roles (no)\n"), "{text}");
    }
}
