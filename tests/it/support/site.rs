//! A simulator that stands for Graph and its authority over TLS, under host names of the test's choice. Includes
//! [`crate::ctx`] and needs it beside itself.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext};

pub(crate) const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
pub(crate) const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
pub(crate) const SECRET: &str = "fake-secret-CANARY-c10d";

/// The hosts of the global cloud.
pub(crate) const GRAPH: &str = "graph.microsoft.com";
pub(crate) const LOGIN: &str = "login.microsoftonline.com";

/// A simulator under these names, its CA in a file, and users in another.
pub(crate) struct Site {
    pub ctx: TestContext,
    pub ca: PathBuf,
    pub input: PathBuf,
    hosts: Vec<String>,
}

impl Site {
    /// The global cloud with so many users.
    pub(crate) fn global(users: usize) -> Site {
        Site::new(GRAPH, LOGIN, users, "")
    }

    /// Under the names of Graph and its authority, with further settings in TOML.
    pub(crate) fn new(graph: &str, login: &str, users: usize, toml: &str) -> Site {
        let ctx = TestContext::new(&format!(
            "tls = true\ntls_names = ['{graph}', '{login}']\nexpected_hosts = ['{graph}', '{login}']\n\
             accept_any_token = false\n\
             {toml}\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nsecret = '{SECRET}'\n"
        ));
        let ca = ctx.input("ca.pem", ctx.simulator.ca_pem().unwrap());
        let users: String = (0..users).map(|n| format!("u{n:02}@contoso.com\n")).collect();
        let input = ctx.input("users.txt", users);
        Site { ctx, ca, input, hosts: vec![graph.to_owned(), login.to_owned()] }
    }

    /// `run` with an app's secret; nothing says where it goes.
    pub(crate) fn bare_run(&self) -> Command {
        let mut command = self.ctx.bare("run");
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP).env("AZURE_CLIENT_SECRET", SECRET);
        command.arg("--yes").arg(&self.input);
        command
    }

    /// The same, with the simulator's CA.
    pub(crate) fn run(&self) -> Command {
        let mut command = self.bare_run();
        command.arg("--ca-cert").arg(&self.ca);
        command
    }

    /// Says that the site's names stand for the simulator.
    pub(crate) fn resolve(&self, command: &mut Command) {
        for host in &self.hosts {
            command.arg("--connect-to").arg(format!("{host}={}", self.ctx.simulator.addr()));
        }
    }

    /// Everybody was revoked once, and the simulator was called by its own names alone.
    #[track_caller]
    pub(crate) fn all_revoked(&self, users: usize) {
        let ledger = self.ctx.ledger();
        assert_eq!(ledger.users.len(), users);
        assert!(ledger.users.iter().all(|user| user.effects >= 1), "{:?}", ledger.users);
        assert_eq!(ledger.stats.unexpected_hosts.len(), 0, "{:?}", ledger.stats.unexpected_hosts);
        assert_eq!(ledger.stats.bad_auth, 0);
    }

    /// It ended at sign-in, said these things, sent nothing and left no run folder behind.
    #[track_caller]
    pub(crate) fn refused(&self, done: &CommandResult, words: &[&str]) {
        done.exits(4);
        for words in words {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
        assert_eq!(self.ctx.stats().revocations, 0);
        assert!(self.ctx.folders().is_empty(), "a run folder was made for nothing");
    }

    /// Each user ended in one of these words; whoever is told to be revoked is so in the simulator's ledger.
    #[track_caller]
    pub(crate) fn honest(&self, words: &[&str]) -> Vec<String> {
        let effects = self.ctx.ledger();
        let revoked = |id: &str| effects.users.iter().any(|user| user.id == id && user.effects > 0);
        let outcomes = self.ctx.folder().outcomes();
        for (user, outcome) in &outcomes {
            assert!(words.contains(&outcome.as_str()), "{user} is {outcome}");
            assert!(outcome != "revoked" || revoked(user), "{user} is told to be revoked and is not");
        }
        outcomes.into_values().collect()
    }
}

/// Waits for something to be so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to this: {what}");
        std::thread::yield_now();
    }
}

/// An address on which nobody listens, for as long as this is kept: another test can't come by it.
pub(crate) fn nobody() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}
