//! Standard output, whose reader may go away.

use std::io::{self, IsTerminal, Stdout, Write};

use super::suspend_progress;

/// Standard output. Once nobody reads it any more, what is written goes nowhere: that is no failure, and nothing
/// else ends because of it. Whatever else goes wrong is one.
#[derive(Debug)]
pub struct StdoutWriter {
    out: Stdout,
    is_closed: bool,
}

impl StdoutWriter {
    /// Takes standard output.
    #[allow(clippy::new_without_default)]
    pub fn new() -> StdoutWriter {
        StdoutWriter { out: io::stdout(), is_closed: false }
    }

    fn ignore_broken_pipe<T>(&mut self, done: io::Result<T>, instead: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                tracing::info!("nobody reads standard output any more");
                Ok(instead)
            }
            done => done,
        }
    }
}

impl Write for StdoutWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Ok(bytes.len());
        }
        let written = self.out.write(bytes);
        self.ignore_broken_pipe(written, bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_closed {
            return Ok(());
        }
        let flushed = self.out.flush();
        self.ignore_broken_pipe(flushed, ())
    }
}

/// Runs `write`, which writes to standard output: beside the bar where both are on a terminal. Elsewhere the bar
/// must not wait for whoever reads.
pub fn with_console<R>(write: impl FnOnce() -> R) -> R {
    if io::stdout().is_terminal() { suspend_progress(write) } else { write() }
}

/// How wide the terminal is that standard output is, in columns; none where it is no terminal.
pub fn stdout_columns() -> Option<usize> {
    let size = ::console::Term::stdout().size_checked().filter(|_| io::stdout().is_terminal());
    size.map(|(_, columns)| columns.into())
}

/// Writes to standard output as it is.
pub fn print_stdout(text: &str) -> io::Result<()> {
    with_console(|| {
        let mut out = StdoutWriter::new();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    })
}
