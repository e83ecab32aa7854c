//! A terminal of 80 columns for the binary, with somebody who types.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// How long something may take to show, in seconds.
const PATIENCE: i64 = 20;

pub(crate) struct Terminal {
    screen: File,
    child: Child,
    seen: String,
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
        // The command keeps its side open for as long as it lives, and so would this.
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        Terminal { screen: File::from(screen), child, seen: String::new() }
    }

    /// Waits until this shows.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> &mut Terminal {
        while !self.seen.contains(text) {
            assert!(self.read(), "{text:?} never showed: {}", self.seen);
        }
        self
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) -> &mut Terminal {
        self.screen.write_all(format!("{line}\n").as_bytes()).unwrap();
        self
    }

    /// Waits for the end; gives the exit code and all that showed.
    #[track_caller]
    pub(crate) fn ends(mut self) -> (i32, String) {
        while self.read() {}
        (self.child.wait().unwrap().code().unwrap(), self.seen)
    }

    /// Reads some more; false once the other side is closed.
    fn read(&mut self) -> bool {
        let patience = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
        let mut waiting = [PollFd::new(&self.screen, PollFlags::IN)];
        if poll(&mut waiting, Some(&patience)).unwrap() == 0 {
            self.child.kill().unwrap();
            panic!("nothing more shows: {}", self.seen);
        }
        let mut part = [0; 4096];
        match self.screen.read(&mut part) {
            Ok(0) | Err(_) => false,
            Ok(n) => {
                self.seen.push_str(&String::from_utf8_lossy(&part[..n]).replace('\r', ""));
                true
            }
        }
    }
}
