//! A terminal of 80 columns for the binary, in which a test can type.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long to wait for output, in seconds.
const TIMEOUT_SECONDS: i64 = 20;

pub(crate) struct Terminal {
    screen: File,
    child: Child,
    output: String,
}

impl Terminal {
    /// Starts a command with all three streams on a new terminal.
    pub(crate) fn start(command: &mut Command) -> Terminal {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        tcsetwinsize(&screen, Winsize { ws_row: 50, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
        let flags = OFlags::NOCTTY.bits() as i32;
        let side = || OpenOptions::new().read(true).write(true).custom_flags(flags).open(&name).unwrap();
        command.stdin(side()).stdout(side()).stderr(side()).env("TERM", "xterm").env("NO_COLOR", "1");
        let child = command.spawn().expect("the binary starts");
        // The command would keep its side of the terminal open, so that the end could not be detected.
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        Terminal { screen: File::from(screen), child, output: String::new() }
    }

    /// Waits until this text is shown.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> &mut Terminal {
        while !self.output.contains(text) {
            assert!(self.read(), "{text:?} never showed: {}", self.output);
        }
        self
    }

    /// Types a line.
    pub(crate) fn type_line(&mut self, line: &str) -> &mut Terminal {
        self.screen.write_all(format!("{line}\n").as_bytes()).unwrap();
        self
    }

    /// Waits for the process to end. Returns the exit code and all output.
    #[track_caller]
    pub(crate) fn wait_for_exit(mut self) -> (i32, String) {
        while self.read() {}
        (self.child.wait().unwrap().code().unwrap(), self.output)
    }

    /// Reads more output. False if the other side is closed.
    fn read(&mut self) -> bool {
        let patience = Timespec { tv_sec: TIMEOUT_SECONDS, tv_nsec: 0 };
        let mut waiting = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut waiting, Some(&patience)).unwrap() == 0 {
            self.child.kill().unwrap();
            panic!("nothing more shows: {}", self.output);
        }
        let mut part = [0; 4096];
        match self.screen.read(&mut part) {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.output.push_str(&String::from_utf8_lossy(&part[..n]).replace('\r', ""));
                true
            }
        }
    }
}
