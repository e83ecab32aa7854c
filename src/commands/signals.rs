//! The first signal stops the sending; a second one ends the process at once.

use tokio::sync::mpsc;

use crate::event::Stop;

/// Listens from here on. What comes through the channel is to be handed to the dispatcher.
///
/// The process ends on the second signal whatever it is doing: the journal survives that, and `resume` goes on.
pub(super) fn listen() -> std::io::Result<mpsc::Receiver<Stop>> {
    let (tell, told) = mpsc::channel(1);
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let first = signals.next().await;
        let said = format!("{first}: waiting for what is in flight; once more ends at once");
        // The dispatcher may have ended already; then only a second signal matters. It is told before anybody else:
        // a terminal or pipe that takes nothing more must not keep the sending going.
        let _ = tell.send(first).await;
        // In a thread of its own: a stuck terminal must not keep the second signal from being heard.
        std::thread::spawn(move || crate::console::say(&said));
        let second = signals.next().await;
        #[allow(clippy::exit)]
        std::process::exit(i32::from(second.exit_code()));
    });
    Ok(told)
}

/// Listens from here on, and says so only: the first signal comes through the channel.
pub(super) fn wait() -> std::io::Result<mpsc::Receiver<Stop>> {
    let (tell, told) = mpsc::channel(1);
    let mut signals = Signals::new()?;
    tokio::spawn(async move { tell.send(signals.next().await).await });
    Ok(told)
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Signals { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Interrupted,
            _ = self.terminate.recv() => Stop::Terminated,
        }
    }
}

#[cfg(windows)]
struct Signals {
    ctrl_c: tokio::signal::windows::CtrlC,
    ctrl_break: tokio::signal::windows::CtrlBreak,
    close: tokio::signal::windows::CtrlClose,
    shutdown: tokio::signal::windows::CtrlShutdown,
}

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Signals> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Signals {
            ctrl_c: ctrl_c()?,
            ctrl_break: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.ctrl_c.recv() => Stop::Interrupted,
            _ = self.ctrl_break.recv() => Stop::Terminated,
            _ = self.close.recv() => Stop::Terminated,
            _ = self.shutdown.recv() => Stop::Terminated,
        }
    }
}
