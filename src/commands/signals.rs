//! The first signal stops the sending; a second one ends the process at once.

use tokio::sync::mpsc;

use crate::event::StopReason;

/// Listens from here on. What comes through the channel is to be handed to the dispatcher.
///
/// The process ends on the second signal whatever it is doing: the journal survives that, and `resume` goes on.
pub(super) fn listen_and_exit_on_second() -> std::io::Result<mpsc::Receiver<StopReason>> {
    let (sender, receiver) = mpsc::channel(1);
    let mut signals = StopSignals::new()?;
    tokio::spawn(async move {
        let first = signals.next().await;
        let message = format!("{first}: waiting for what is in flight; once more ends at once");
        // The dispatcher may have ended already; then only a second signal matters. It is told before anybody else:
        // a terminal or pipe that takes nothing more must not keep the sending going.
        let _ = sender.send(first).await;
        // In a thread of its own: a stuck terminal must not keep the second signal from being heard.
        std::thread::spawn(move || crate::console::print_status(&message));
        let second = signals.next().await;
        #[allow(clippy::exit)]
        std::process::exit(i32::from(second.exit_code()));
    });
    Ok(receiver)
}

/// Listens from here on, and says so only: the first signal comes through the channel.
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
    /// None where it is ignored, as under `nohup`: then the run is meant to outlive the terminal.
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

/// Whether whoever started the program has it ignore SIGHUP. Linux tells; elsewhere it is taken for so where no stream
/// is a terminal, which is how `nohup` leaves them. Then the signal does what it did when the program started.
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

/// Lets a write beyond the limit on the size of files (`ulimit -f`) fail, instead of ending the process (SIGXFSZ): the
/// error says which file it was, and what was done is reported.
#[cfg(unix)]
pub(super) fn ignore_file_size_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    // Once heard, the signal stays heard. Where that fails, the process ends as it did before.
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
