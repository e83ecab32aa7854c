//! A simulator that takes the place of Graph and its authority, over TLS and under host names that the test chooses.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::ctx::{CommandResult, TestContext};

pub(crate) const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
pub(crate) const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
pub(crate) const SECRET: &str = "fake-secret-CANARY-c10d";

/// The host names of the global cloud.
pub(crate) const GRAPH: &str = "graph.microsoft.com";
pub(crate) const LOGIN: &str = "login.microsoftonline.com";

/// A simulator under these names, with its CA and a list of users in files.
pub(crate) struct Site {
    pub ctx: TestContext,
    pub ca: PathBuf,
    pub input: PathBuf,
    hosts: Vec<String>,
}

impl Site {
    /// The global cloud, with this number of users.
    pub(crate) fn global(users: usize) -> Site {
        Site::new(GRAPH, LOGIN, users, "")
    }

    /// A site under these names for Graph and its authority, with further settings in TOML.
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

    /// `run` with an app's secret. Nothing redirects it to the simulator.
    pub(crate) fn bare_run(&self) -> Command {
        let mut command = self.ctx.command_without_token("run");
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

    /// Maps the site's names to the simulator.
    pub(crate) fn resolve(&self, command: &mut Command) {
        for host in &self.hosts {
            command.arg("--connect-to").arg(format!("{host}={}", self.ctx.simulator.addr()));
        }
    }

    /// Asserts that all users were revoked, and that the simulator was only addressed by its own names.
    #[track_caller]
    pub(crate) fn assert_all_revoked(&self, users: usize) {
        let ledger = self.ctx.ledger();
        assert_eq!(ledger.users.len(), users);
        assert!(ledger.users.iter().all(|user| user.effects >= 1), "{:?}", ledger.users);
        assert_eq!(ledger.stats.unexpected_hosts.len(), 0, "{:?}", ledger.stats.unexpected_hosts);
        assert_eq!(ledger.stats.bad_auth, 0);
    }

    /// Asserts that the run failed at sign-in with these texts, sent no revocation and left no run folder.
    #[track_caller]
    pub(crate) fn assert_sign_in_refused(&self, done: &CommandResult, words: &[&str]) {
        done.exits(4);
        for words in words {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
        assert_eq!(self.ctx.stats().revocations, 0);
        assert!(self.ctx.run_folders().is_empty(), "a run folder was made for nothing");
    }

    /// Asserts that each outcome is one of these words, and that every user who is reported as `revoked` really is,
    /// according to the simulator's ledger.
    #[track_caller]
    pub(crate) fn assert_honest_outcomes(&self, words: &[&str]) -> Vec<String> {
        let effects = self.ctx.ledger();
        let revoked = |id: &str| effects.users.iter().any(|user| user.id == id && user.effects > 0);
        let outcomes = self.ctx.run_folder().outcomes();
        for (user, outcome) in &outcomes {
            assert!(words.contains(&outcome.as_str()), "{user} is {outcome}");
            assert!(outcome != "revoked" || revoked(user), "{user} is reported as revoked and is not");
        }
        outcomes.into_values().collect()
    }
}

/// Waits for a condition, for 20 s at most.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "this never happened: {what}");
        std::thread::yield_now();
    }
}

/// An address where nothing listens. It is reserved as long as the socket is kept, so that no other test can get it.
pub(crate) fn unused_address() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}
