//! The question before a real run.

mod lines;
mod wanted;

pub use lines::{ConfirmationSummary, lines};
pub use wanted::{ExpectedAnswer, TypedAnswer};

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::{suspend_progress, wording};

/// No answer is longer than this, in bytes.
const LONGEST: u64 = 4096;

/// Nobody can be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("there is no terminal to ask on; give --yes to go ahead without a question")]
pub struct NoTerminal;

/// Shows the text on standard error and reads one line from the person at the terminal: from standard input where that
/// is a terminal, or else (it may be the list of users) from the terminal itself. It blocks; ask before signals are
/// taken over, so that Ctrl-C still ends it. What was typed before the question appeared does not answer it.
pub fn ask(prompt: &str, wanted: ExpectedAnswer) -> Result<TypedAnswer, NoTerminal> {
    if !io::stderr().is_terminal() {
        return Err(NoTerminal);
    }
    let mut shown = io::stderr();
    if io::stdin().is_terminal() {
        drop_typed(&io::stdin());
        return Ok(converse(prompt, wanted, SOONEST, &mut io::stdin().lock(), &mut shown));
    }
    let typed = terminal_to_read().ok_or(NoTerminal)?;
    drop_typed(&typed);
    Ok(converse(prompt, wanted, SOONEST, &mut BufReader::new(typed), &mut shown))
}

/// Whether there is somebody to ask: standard error is a terminal, and so is standard input or what is behind it.
pub fn is_possible() -> bool {
    io::stderr().is_terminal() && (io::stdin().is_terminal() || terminal_to_read().is_some())
}

/// How wide the terminal is that the question is shown on, in columns; none where that is not known.
pub fn columns() -> Option<usize> {
    ::console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
}

fn terminal_to_read() -> Option<File> {
    let name = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
    OpenOptions::new().read(true).open(name).ok().filter(File::is_terminal)
}

/// Drops what the terminal holds that nobody has read yet.
#[cfg(unix)]
fn drop_typed(terminal: &impl std::os::fd::AsFd) {
    // Where it can't, the terminal is gone, and reading the answer will tell.
    let _ = rustix::termios::tcflush(terminal, rustix::termios::QueueSelector::IFlush);
}

/// The console has no call for that which is safe: [`converse`] passes over an answer that comes too soon to be one.
#[cfg(not(unix))]
fn drop_typed<T>(_: &T) {}

/// An answer that comes sooner was typed before the question could be read.
const SOONEST: Duration = Duration::from_millis(if cfg!(unix) { 0 } else { 100 });

/// One question, one line of answer. What can't be read is a no, and what comes before `soonest` is no answer.
fn converse(
    prompt: &str,
    wanted: ExpectedAnswer,
    soonest: Duration,
    typed: &mut dyn BufRead,
    shown: &mut dyn Write,
) -> TypedAnswer {
    let asked = suspend_progress(|| shown.write_all(prompt.as_bytes()).and_then(|()| shown.flush()));
    if asked.is_err() {
        return TypedAnswer::No;
    }
    let appeared = Instant::now();
    let mut line = Vec::new();
    let read = loop {
        line.clear();
        let read = (&mut *typed).take(LONGEST).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || appeared.elapsed() >= soonest {
            break read;
        }
    };
    if read.is_err() || !line.ends_with(b"\n") {
        // Nobody pressed Enter: the terminal still stands behind the question.
        let _ = shown.write_all(b"\n");
    }
    match (read, str::from_utf8(&line)) {
        (Ok(_), Ok(line)) => wanted.check(line),
        _ => TypedAnswer::No,
    }
}

/// The whole question: aligned lines that say what will happen where, and the sentence that asks. Ready for [`ask`].
pub fn confirmation(
    about: &ConfirmationSummary<'_>,
    wanted: ExpectedAnswer,
    columns: Option<usize>,
) -> String {
    let what = format!("the sign-in sessions of {}", wording::users(about.users));
    let asks = match wanted {
        ExpectedAnswer::Yes => format!("Revoke {what}? [y/N] "),
        ExpectedAnswer::Number(_) | ExpectedAnswer::Of(..) => format!("Type {wanted} to revoke {what}: "),
    };
    format!("{}\n{asks}", lines(about, columns))
}

/// A question about one thing that wants a number of its own: why, in one sentence, and what to type.
pub fn caution(sentence: &str, wanted: ExpectedAnswer, columns: Option<usize>) -> String {
    let text = format!("Careful: {sentence}. Type {wanted} to go on:");
    format!("\n{} ", super::wrap::hanging(&text, 0, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(typed: &[u8], wanted: ExpectedAnswer) -> (TypedAnswer, String) {
        let mut shown = Vec::new();
        let answer = converse("Really? ", wanted, Duration::ZERO, &mut &*typed, &mut shown);
        (answer, String::from_utf8(shown).unwrap())
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["y\n", "Y\r\n", " yes \n", "YES"] {
            assert_eq!(answered(yes.as_bytes(), ExpectedAnswer::Yes).0, TypedAnswer::Yes, "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yess\n", "ja\n", "\n y\n", "y\0\n"] {
            assert_eq!(answered(no.as_bytes(), ExpectedAnswer::Yes).0, TypedAnswer::No, "{no:?}");
        }
        assert_eq!(answered(b"\xffy\n", ExpectedAnswer::Yes).0, TypedAnswer::No);
        assert_eq!(answered(&[b'y'; 10_000], ExpectedAnswer::Yes).0, TypedAnswer::No);
        let shown = |typed| answered(typed, ExpectedAnswer::Yes).1;
        assert_eq!((shown(b"n\n"), shown(b"")), ("Really? ".to_owned(), "Really? \n".to_owned()));
    }

    #[test]
    fn a_number_is_typed_and_nothing_else_will_do() {
        for yes in ["1250\n", " 1,250 \r\n", "1250"] {
            assert_eq!(answered(yes.as_bytes(), ExpectedAnswer::Number(1250)).0, TypedAnswer::Yes, "{yes:?}");
        }
        for no in ["", "y\n", "yes\n", "125\n", "12500\n", "1250 users\n", "0x4e2\n", "01250\n", "1 250 0\n"]
        {
            assert_eq!(answered(no.as_bytes(), ExpectedAnswer::Number(1250)).0, TypedAnswer::No, "{no:?}");
        }
        for yes in ["3 of 4\n", "3 OF 4\n", "3/4\n"] {
            assert_eq!(answered(yes.as_bytes(), ExpectedAnswer::Of(3, 4)).0, TypedAnswer::Yes, "{yes:?}");
        }
        for no in ["3\n", "4\n", "3 4\n", "4 of 3\n", "y\n"] {
            assert_eq!(answered(no.as_bytes(), ExpectedAnswer::Of(3, 4)).0, TypedAnswer::No, "{no:?}");
        }
    }

    #[test]
    fn a_caution_says_why_and_what_to_type() {
        let text = caution("every user of the tenant is chosen", ExpectedAnswer::Number(5000), Some(50));
        assert_eq!(text, "\nCareful: every user of the tenant is chosen. Type\n5000 to go on: ");
    }
}
