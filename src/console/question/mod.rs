//! The confirmation prompt before a real run.

mod confirmation_summary;
mod expected_answer;

pub use confirmation_summary::{ConfirmationSummary, summary_lines};
pub use expected_answer::{ExpectedAnswer, TypedAnswer};

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::suspend_progress;
use crate::text::humanize;

/// Maximum length of an answer, in bytes.
const MAX_LINE: u64 = 4096;

/// The question can't be asked, because there is no terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("can't ask for confirmation, because there is no terminal; to continue without asking, use --yes")]
pub struct NoTerminal;

/// Shows the text on standard error and reads one line from the terminal: from standard input if that is a terminal,
/// otherwise (standard input may be the list of users) from the terminal device. It blocks. Call it before signal
/// handlers are installed, so that Ctrl-C still ends the program. Text that was typed before the question appeared is
/// discarded.
pub fn ask(prompt: &str, expected: ExpectedAnswer) -> Result<TypedAnswer, NoTerminal> {
    if !io::stderr().is_terminal() {
        return Err(NoTerminal);
    }
    let mut output = io::stderr();
    if io::stdin().is_terminal() {
        discard_typeahead(&io::stdin());
        return Ok(read_answer(prompt, expected, MIN_ANSWER_DELAY, &mut io::stdin().lock(), &mut output));
    }
    let input = open_terminal().ok_or(NoTerminal)?;
    discard_typeahead(&input);
    Ok(read_answer(prompt, expected, MIN_ANSWER_DELAY, &mut BufReader::new(input), &mut output))
}

/// Whether a question can be asked: standard error is a terminal, and an answer can be read from one.
pub fn can_ask() -> bool {
    io::stderr().is_terminal() && (io::stdin().is_terminal() || open_terminal().is_some())
}

/// The width of standard error's terminal, in columns; `None` if it is not known.
pub fn stderr_columns() -> Option<usize> {
    ::console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
}

fn open_terminal() -> Option<File> {
    let name = if cfg!(windows) { "CONIN$" } else { "/dev/tty" };
    OpenOptions::new().read(true).open(name).ok().filter(File::is_terminal)
}

/// Discards typed text that was not read yet.
#[cfg(unix)]
fn discard_typeahead(terminal: &impl std::os::fd::AsFd) {
    // If this fails, the terminal is gone, and reading the answer fails as well.
    let _ = rustix::termios::tcflush(terminal, rustix::termios::QueueSelector::IFlush);
}

/// Does nothing: there is no safe call for this. [`read_answer`] ignores an answer that comes too early instead.
#[cfg(not(unix))]
fn discard_typeahead<T>(_: &T) {}

/// The shortest time in which a person can answer. An earlier answer was typed before the question appeared.
const MIN_ANSWER_DELAY: Duration = Duration::from_millis(if cfg!(unix) { 0 } else { 100 });

/// Writes the question and reads one line. An unreadable answer counts as no, and lines before `min_delay` are ignored.
fn read_answer(
    prompt: &str,
    expected: ExpectedAnswer,
    min_delay: Duration,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> TypedAnswer {
    let asked = suspend_progress(|| output.write_all(prompt.as_bytes()).and_then(|()| output.flush()));
    if asked.is_err() {
        return TypedAnswer::No;
    }
    let appeared = Instant::now();
    let mut line = Vec::new();
    let read = loop {
        line.clear();
        let read = (&mut *input).take(MAX_LINE).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) || appeared.elapsed() >= min_delay {
            break read;
        }
    };
    if read.is_err() || !line.ends_with(b"\n") {
        // Enter was not pressed, so the cursor is still on the line of the question.
        let _ = output.write_all(b"\n");
    }
    match (read, str::from_utf8(&line)) {
        (Ok(_), Ok(line)) => expected.check(line),
        _ => TypedAnswer::No,
    }
}

/// The whole question for [`ask`]: aligned lines that say what will happen and where, and the sentence that asks.
pub fn confirmation_prompt(
    summary: &ConfirmationSummary<'_>,
    expected: ExpectedAnswer,
    columns: Option<usize>,
) -> String {
    let what = format!("the sign-in sessions of {}", humanize::users(summary.users));
    let asks = match expected {
        ExpectedAnswer::Yes => format!("Revoke {what}? [y/N] "),
        ExpectedAnswer::Number(_) | ExpectedAnswer::Fraction(..) => {
            format!("Type {expected} to revoke {what}: ")
        }
    };
    format!("{}\n{asks}", summary_lines(summary, columns))
}

/// A further question about one risk of the plan: the risk in one sentence, and what to type.
pub fn extra_confirmation_prompt(sentence: &str, expected: ExpectedAnswer, columns: Option<usize>) -> String {
    let text = format!("Careful: {sentence}. Type {expected} to continue:");
    format!("\n{} ", crate::text::wrap::hanging_indent(&text, 0, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask_with_input(input: &[u8], expected: ExpectedAnswer) -> (TypedAnswer, String) {
        let mut output = Vec::new();
        let answer = read_answer("Really? ", expected, Duration::ZERO, &mut &*input, &mut output);
        (answer, String::from_utf8(output).unwrap())
    }

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["y\n", "Y\r\n", " yes \n", "YES"] {
            assert_eq!(ask_with_input(yes.as_bytes(), ExpectedAnswer::Yes).0, TypedAnswer::Yes, "{yes:?}");
        }
        for no in ["", "\n", "n\n", "yess\n", "ja\n", "\n y\n", "y\0\n"] {
            assert_eq!(ask_with_input(no.as_bytes(), ExpectedAnswer::Yes).0, TypedAnswer::No, "{no:?}");
        }
        assert_eq!(ask_with_input(b"\xffy\n", ExpectedAnswer::Yes).0, TypedAnswer::No);
        assert_eq!(ask_with_input(&[b'y'; 10_000], ExpectedAnswer::Yes).0, TypedAnswer::No);
        let output = |input| ask_with_input(input, ExpectedAnswer::Yes).1;
        assert_eq!((output(b"n\n"), output(b"")), ("Really? ".to_owned(), "Really? \n".to_owned()));
    }

    #[test]
    fn a_number_is_typed_and_nothing_else_will_do() {
        for yes in ["1250\n", " 1,250 \r\n", "1250"] {
            assert_eq!(
                ask_with_input(yes.as_bytes(), ExpectedAnswer::Number(1250)).0,
                TypedAnswer::Yes,
                "{yes:?}"
            );
        }
        for no in ["", "y\n", "yes\n", "125\n", "12500\n", "1250 users\n", "0x4e2\n", "01250\n", "1 250 0\n"]
        {
            assert_eq!(
                ask_with_input(no.as_bytes(), ExpectedAnswer::Number(1250)).0,
                TypedAnswer::No,
                "{no:?}"
            );
        }
        for yes in ["3 of 4\n", "3 OF 4\n", "3/4\n"] {
            assert_eq!(
                ask_with_input(yes.as_bytes(), ExpectedAnswer::Fraction(3, 4)).0,
                TypedAnswer::Yes,
                "{yes:?}"
            );
        }
        for no in ["3\n", "4\n", "3 4\n", "4 of 3\n", "y\n"] {
            assert_eq!(
                ask_with_input(no.as_bytes(), ExpectedAnswer::Fraction(3, 4)).0,
                TypedAnswer::No,
                "{no:?}"
            );
        }
    }

    #[test]
    fn a_caution_says_why_and_what_to_type() {
        let text = extra_confirmation_prompt(
            "every user of the tenant is chosen",
            ExpectedAnswer::Number(5000),
            Some(50),
        );
        assert_eq!(text, "\nCareful: every user of the tenant is chosen. Type\n5000 to continue: ");
    }
}
