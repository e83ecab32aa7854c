//! Standard output, which may lose its reader.

use std::io::{self, IsTerminal, Stdout, Write};

use super::suspend_progress;

/// Standard output. Once its reader is gone (a broken pipe), everything written is dropped without an error, so that
/// nothing else ends because of it. All other errors are returned.
#[derive(Debug)]
pub struct StdoutWriter {
    out: Stdout,
    is_closed: bool,
}

impl StdoutWriter {
    /// A writer to standard output.
    #[allow(clippy::new_without_default)]
    pub fn new() -> StdoutWriter {
        StdoutWriter { out: io::stdout(), is_closed: false }
    }

    fn ignore_broken_pipe<T>(&mut self, done: io::Result<T>, instead: T) -> io::Result<T> {
        match done {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.is_closed = true;
                tracing::info!("the reader of standard output is gone");
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

/// Runs `write`, which writes to standard output. The bar is moved aside only if standard output is a terminal;
/// otherwise the bar would have to wait for the reader.
pub fn with_console<R>(write: impl FnOnce() -> R) -> R {
    if io::stdout().is_terminal() { suspend_progress(write) } else { write() }
}

/// The width of standard output's terminal, in columns; `None` if it is not a terminal.
pub fn stdout_columns() -> Option<usize> {
    let size = ::console::Term::stdout().size_checked().filter(|_| io::stdout().is_terminal());
    size.map(|(_, columns)| columns.into())
}

/// Writes the text to standard output, unchanged.
pub fn print_stdout(text: &str) -> io::Result<()> {
    with_console(|| {
        let mut out = StdoutWriter::new();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    })
}
