//! Running another program without a shell, without this program's secrets, and with a time limit.

use std::io;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

#[cfg(unix)]
use super::descendants;

/// Time limit for a program. `az` is slow to start, and asks Entra if its own token is old.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for the end of the output after a program has ended. All of it is there by then, but a process that
/// the program started and left running, as `az` may do, can keep the output open.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest output that is read, in bytes. Output with a token has a few thousand.
const MAX_OUTPUT: usize = 256 << 10;

/// Secrets of this program that its children do not get.
const SECRETS: [&str; 6] = [
    "ENTRA_REVOKE_TOKEN",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "SYSTEM_ACCESSTOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "IDENTITY_HEADER",
];

/// The exit status and output of a program. Standard output may contain a token.
pub(super) struct ToolExit {
    pub(super) success: bool,
    pub(super) stdout: Zeroizing<Vec<u8>>,
    pub(super) stderr: String,
}

/// Why a program did not run to its end.
pub(super) enum ToolFailure {
    Start(io::Error),
    TimedOut(Duration),
    Io(io::Error),
}

/// Runs a program to its end.
pub(super) async fn run(path: &Path, arguments: &[&str]) -> Result<ToolExit, ToolFailure> {
    run_with_timeout(path, arguments, TIMEOUT).await
}

async fn run_with_timeout(
    path: &Path,
    arguments: &[&str],
    time_out: Duration,
) -> Result<ToolExit, ToolFailure> {
    let mut running = RunningTool(command(path, arguments).spawn().map_err(ToolFailure::Start)?);
    match tokio::time::timeout(time_out, wait_with_output(&mut running.0)).await {
        Ok(ended) => ended.map_err(ToolFailure::Io),
        Err(_) => Err(ToolFailure::TimedOut(time_out)),
    }
}

/// A running program that is killed on drop, with its descendants. If it has ended on its own, the processes that it
/// left running are kept.
struct RunningTool(Child);

impl Drop for RunningTool {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(id) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())) {
            let started = descendants::list(id);
            // The program first, so that it can't start more processes.
            let _ = self.0.start_kill();
            descendants::kill_all(&started);
        }
    }
}

fn command(path: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(path);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    // Not the current folder, because some programs load settings or code from there.
    if let Some(folder) = path.parent() {
        command.current_dir(folder);
    }
    // It stays in this program's process group, because ^C in a terminal is meant for both.
    command
}

async fn wait_with_output(child: &mut Child) -> io::Result<ToolExit> {
    let (from_stdout, from_stderr) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (buffer(), buffer());
    let status = {
        let mut reading =
            pin!(async { tokio::try_join!(read(from_stdout, &mut stdout), read(from_stderr, &mut stderr)) });
        tokio::select! {
            status = child.wait() => {
                // After a timeout, the output so far counts.
                if let Ok(read) = tokio::time::timeout(DRAIN_TIMEOUT, reading).await {
                    read?;
                }
                status?
            }
            read = &mut reading => {
                read?;
                child.wait().await?
            }
        }
    };
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    Ok(ToolExit { success: status.success(), stdout, stderr })
}

/// A buffer of full size, because a growing buffer leaves copies of secrets in memory.
fn buffer() -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(MAX_OUTPUT))
}

/// Reads as much as fits. If the read is cancelled, the output so far is in the buffer.
async fn read(from: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) -> io::Result<()> {
    let Some(from) = from else { return Ok(()) };
    let mut from = from.take(MAX_OUTPUT as u64);
    while bytes.len() < MAX_OUTPUT && from.read_buf(bytes).await? > 0 {}
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_that_hangs_is_ended_with_what_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("pid");
        // The `wait` keeps the shell from replacing itself with `sleep`, so that there are two processes.
        let script = format!("sleep 600 & echo $! > {}; wait", note.display());
        let failed =
            run_with_timeout(Path::new("/bin/sh"), &["-c", &script], Duration::from_millis(300)).await;
        assert!(matches!(failed, Err(ToolFailure::TimedOut(_))));
        let pid: u32 = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        let state = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
        let gone = |stat: io::Result<String>| stat.map_or(true, |stat| stat.contains(") Z "));
        let began = std::time::Instant::now();
        while cfg!(target_os = "linux") && !gone(state()) {
            assert!(began.elapsed() < Duration::from_secs(5), "{:?}", state());
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn both_outputs_and_exit_status_are_returned() {
        let ended = run(Path::new("/bin/sh"), &["-c", "echo out; echo err >&2; read line; exit 3"]).await;
        let Ok(ended) = ended else { panic!("it ran") };
        assert_eq!(
            (ended.success, ended.stdout.as_slice(), ended.stderr.as_str()),
            (false, &b"out\n"[..], "err\n")
        );
    }

    #[tokio::test]
    async fn grandchild_holding_the_output_does_not_block() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("pid");
        let script = format!("sleep 60 & echo $! > {}; echo out; echo err >&2", note.display());
        let began = std::time::Instant::now();
        let ended = run_with_timeout(Path::new("/bin/sh"), &["-c", &script], Duration::from_secs(5)).await;
        let sleeper = std::fs::read_to_string(&note).unwrap().trim().parse().unwrap();
        let sleeper = rustix::process::Pid::from_raw(sleeper).unwrap();
        rustix::process::kill_process(sleeper, rustix::process::Signal::KILL).unwrap();
        let Ok(ended) = ended else { panic!("it ended, with all its output") };
        assert_eq!(
            (ended.success, ended.stdout.as_slice(), ended.stderr.as_str()),
            (true, &b"out\n"[..], "err\n")
        );
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    }
}
