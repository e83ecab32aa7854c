//! The question before a real run.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use super::{TimeLeft, aside, wording};
use crate::harmless;
use crate::outcome::Outcome;

/// No answer is longer than this, in bytes.
const LONGEST: u64 = 4096;

/// What somebody at the terminal said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `y` or `yes`.
    Yes,
    /// Anything else, also nothing at all.
    No,
}

/// Nobody can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("there is no terminal to ask on; give --yes to go ahead without a question")]
pub struct NoTerminal;

/// Shows the text on standard error and reads one line from the person at the terminal: from standard input where that
/// is a terminal, or else (it may be the list of users) from the terminal itself. It blocks; ask before signals are
/// taken over, so that Ctrl-C still ends it.
pub fn ask(prompt: &str) -> Result<Answer, NoTerminal> {
    if !io::stderr().is_terminal() {
        return Err(NoTerminal);
    }
    let mut shown = io::stderr();
    if io::stdin().is_terminal() {
        return Ok(converse(prompt, &mut io::stdin().lock(), &mut shown));
    }
    let typed = terminal_to_read().ok_or(NoTerminal)?;
    Ok(converse(prompt, &mut BufReader::new(typed), &mut shown))
}

/// Whether there is somebody to ask: standard error is a terminal, and so is standard input or what is behind it.
pub fn is_possible() -> bool {
    io::stderr().is_terminal() && (io::stdin().is_terminal() || terminal_to_read().is_some())
}

fn terminal_to_read() -> Option<File> {
    let name = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
    OpenOptions::new().read(true).open(name).ok().filter(File::is_terminal)
}

/// One question, one line of answer. What can't be read is a no.
fn converse(prompt: &str, typed: &mut dyn BufRead, shown: &mut dyn Write) -> Answer {
    let asked = aside(|| shown.write_all(prompt.as_bytes()).and_then(|()| shown.flush()));
    if asked.is_err() {
        return Answer::No;
    }
    let mut line = Vec::new();
    let read = typed.take(LONGEST).read_until(b'\n', &mut line);
    if read.is_err() || !line.ends_with(b"\n") {
        // Nobody pressed Enter: the terminal still stands behind the question.
        let _ = shown.write_all(b"\n");
    }
    let line = line.trim_ascii().to_ascii_lowercase();
    match (read, line.as_slice()) {
        (Ok(_), b"y" | b"yes") => Answer::Yes,
        _ => Answer::No,
    }
}

/// What the question is about.
#[derive(Clone, Debug)]
pub struct Confirmation<'a> {
    /// The cloud, by its name.
    pub cloud: &'a str,
    /// The tenant, by domain or id.
    pub tenant: &'a str,
    /// Who the program is in that tenant: an app or an operator.
    pub identity: Option<&'a str>,
    /// How many users' sessions will be revoked.
    pub users: u64,
    /// Who is left out, by word; zeros are not shown.
    pub left_out: &'a [(Outcome, u64)],
    /// How long it will take, as far as that is known: see [`super::Pace::time_for`].
    pub time: TimeLeft,
}

/// The whole question: aligned lines that say what will happen where, and the sentence that asks. Ready for [`ask`].
pub fn confirmation(about: &Confirmation<'_>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<10} {}", harmless::shown(value));
    };
    line("cloud", about.cloud);
    line("tenant", about.tenant);
    if let Some(identity) = about.identity {
        line("as", identity);
    }
    line("users", &wording::count(about.users));
    let left_out: u64 = about.left_out.iter().map(|(_, n)| n).sum();
    if left_out > 0 {
        let words = about.left_out.iter().filter(|(_, n)| *n > 0);
        let words: Vec<_> = words.map(|(outcome, n)| format!("{outcome} {}", wording::count(*n))).collect();
        line("left out", &format!("{} ({})", wording::count(left_out), words.join(", ")));
    }
    if let Some(span) = about.time.span() {
        line("time", &format!("about {}", wording::span(span)));
    }
    let _ = write!(text, "\nRevoke the sign-in sessions of {}? [y/N] ", wording::users(about.users));
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answered(typed: &[u8]) -> (Answer, String) {
        let mut shown = Vec::new();
        let answer = converse("Really? ", &mut &*typed, &mut shown);
        (answer, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["y\n", "Y\r\n", " yes \n", "YES"] {
            assert_eq!(answered(yes.as_bytes()).0, Answer::Yes, "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yess\n", "ja\n", "\n y\n", "y\0\n"] {
            assert_eq!(answered(no.as_bytes()).0, Answer::No, "{no:?}");
        }
        assert_eq!(answered(b"\xffy\n").0, Answer::No);
        assert_eq!(answered(&[b'y'; 10_000]).0, Answer::No);
        assert_eq!((answered(b"n\n").1, answered(b"").1), ("Really? ".to_owned(), "Really? \n".to_owned()));
    }

    #[test]
    fn the_question_says_what_will_happen_where() {
        let about = Confirmation {
            cloud: "global (graph.microsoft.com)",
            tenant: "contoso\u{1b}[2J.com",
            identity: None,
            users: 1_234,
            left_out: &[(Outcome::Protected, 2), (Outcome::Excluded, 0), (Outcome::Duplicate, 4)],
            time: TimeLeft::About(Duration::from_secs(62)),
        };
        let expected = "  cloud      global (graph.microsoft.com)
  tenant     contoso\\u{1b}[2J.com
  users      1,234
  left out   6 (protected 2, duplicate 4)
  time       about 1m02s

Revoke the sign-in sessions of 1,234 users? [y/N] ";
        assert_eq!(confirmation(&about), expected);
        let one = Confirmation { users: 1, left_out: &[], time: TimeLeft::Unknown, ..about };
        let text = confirmation(&one);
        assert!(text.ends_with("of 1 user? [y/N] ") && !text.contains("left out") && !text.contains("time "));
    }
}
