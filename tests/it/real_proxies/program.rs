//! An installed program, which runs on loopback during a test.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::site::{Site, until};

/// Where a program is; none, and said so, where this machine has none.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian keeps daemons where only root looks.
    let found = std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        // Not by `eprintln!`, which the test harness keeps to itself where a test passes.
        let _ = writeln!(std::io::stderr(), "skipped: {name} is not installed here");
    }
    found
}

/// A port on loopback that is free now.
pub(crate) fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A folder that a program which drops its privileges can write in.
pub(crate) fn open_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A running proxy; it is ended when this is dropped.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    child: Child,
}

impl Running {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(command: &mut Command, addr: SocketAddr, log: &Path) -> Running {
        let log = std::fs::File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        until("it listens", || {
            assert_eq!(child.try_wait().unwrap(), None, "{command:?} ended");
            TcpStream::connect(addr).is_ok()
        });
        Running { addr, child }
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// `run` against the site by its address on loopback, through this proxy. The proxies would ask DNS for any other name.
pub(crate) fn run_through(site: &Site, proxy: &str) -> Command {
    let mut command = site.bare_run();
    let url = site.ctx.simulator.url();
    assert!(url.starts_with("https://localhost:"), "{url}");
    command.args(["--graph-url", &url, "--authority-url", &url]).env("HTTPS_PROXY", proxy);
    command
}
