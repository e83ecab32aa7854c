//! Signals: the first one stops the sending, and a second one ends the process at once.

use tokio::sync::mpsc;

use crate::event::StopReason;

/// Begins to listen. The first signal comes through the channel, for the dispatcher.
///
/// The second signal ends the process at any point. The journal survives that, and `resume` can continue.
pub(super) fn listen_and_exit_on_second() -> std::io::Result<mpsc::Receiver<StopReason>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut signals = StopSignals::new()?;
    tokio::spawn(async move {
        let first = signals.next().await;
        let message = format!("{first}: waiting for requests in flight; press again to end at once");
        // The dispatcher gets the signal before the message is printed, because a blocked terminal or pipe must not
        // delay the stop. If the dispatcher has ended already, only a second signal matters.
        let _ = sender.send(first).await;
        // In a separate thread, so that a blocked terminal does not delay the second signal.
        std::thread::spawn(move || crate::console::print_status(&message));
        let second = signals.next().await;
        #[allow(clippy::exit)]
        std::process::exit(i32::from(second.exit_code()));
    });
    Ok(receiver)
}

/// Begins to listen, and sends the first signal through the channel. Nothing is printed.
pub(super) fn listen_once() -> std::io::Result<mpsc::Receiver<StopReason>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut signals = StopSignals::new()?;
    tokio::spawn(async move { sender.send(signals.next().await).await });
    Ok(receiver)
}

#[cfg(unix)]
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` if SIGHUP is ignored, as under `nohup`: then the run should outlive the terminal.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl StopSignals {
    fn new() -> std::io::Result<StopSignals> {
        use tokio::signal::unix::{SignalKind, signal};
        let hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(StopSignals { interrupt: signal(interrupt)?, terminate: signal(terminate)?, hang_up })
    }

    async fn next(&mut self) -> StopReason {
        tokio::select! {
            _ = self.interrupt.recv() => StopReason::Interrupted,
            _ = self.terminate.recv() => StopReason::Terminated,
            Some(_) = recv_hang_up(&mut self.hang_up) => StopReason::Terminated,
        }
    }
}

#[cfg(unix)]
async fn recv_hang_up(signal: &mut Option<tokio::signal::unix::Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => std::future::pending().await,
    }
}

/// Whether SIGHUP was ignored when the program started, as under `nohup`. Linux shows this in `/proc`; elsewhere it is
/// assumed if no standard stream is a terminal, because `nohup` redirects them. Then the signal stays as it was.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    use std::io::IsTerminal;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().find_map(|line| line.strip_prefix("SigIgn:")) {
        Some(mask) => is_ignored(mask, rustix::process::Signal::HUP.as_raw()),
        None => {
            !std::io::stdin().is_terminal()
                && !std::io::stdout().is_terminal()
                && !std::io::stderr().is_terminal()
        }
    }
}

/// Whether a signal is in a mask as Linux writes it: in hex, the lowest bit for signal 1.
#[cfg(unix)]
fn is_ignored(mask: &str, signal: i32) -> bool {
    u64::from_str_radix(mask.trim(), 16).is_ok_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// Ignores SIGXFSZ, so that a write beyond the limit on file sizes (`ulimit -f`) fails but does not end the process.
/// Then the error names the file, and the reports are still written.
#[cfg(unix)]
pub(super) fn ignore_file_size_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // tokio keeps a handler once it is registered. If that fails, the signal still ends the process.
    let _ = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub(super) fn ignore_file_size_signal() {}

#[cfg(windows)]
struct StopSignals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl StopSignals {
    fn new() -> std::io::Result<StopSignals> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(StopSignals {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> StopReason {
        tokio::select! {
            _ = self.ctrl_c.recv() => StopReason::Interrupted,
            _ = self.ctrl_break.recv() => StopReason::Terminated,
            _ = self.close.recv() => StopReason::Terminated,
            _ = self.shutdown.recv() => StopReason::Terminated,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::is_ignored;

    #[test]
    fn an_ignored_signal_is_found_in_the_mask() {
        assert!(is_ignored("\t0000000000001001", 1));
        assert!(!is_ignored("\t0000000000001000", 1));
        assert!(is_ignored("\t0000000000001000", 13));
        assert!(!is_ignored("", 1));
    }
}
