//! A simulator that stands for Graph and its authority over TLS, under host names of the test's choice. Includes
//! [`crate::stage`] and needs it beside itself.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::stage::{Done, Stage};

pub const TENANT: &str = "0785ef7c-1c1b-4ff4-9ab1-1a2b3c4d5e6f";
pub const APP: &str = "5a1e0000-0000-4000-8000-0000000000a1";
pub const SECRET: &str = "fake-secret-CANARY-c10d";

/// The hosts of the global cloud.
pub const GRAPH: &str = "graph.microsoft.com";
pub const LOGIN: &str = "login.microsoftonline.com";

/// A simulator under these names, its CA in a file, and users in another.
pub struct Site {
    pub stage: Stage,
    pub ca: PathBuf,
    pub input: PathBuf,
    hosts: Vec<String>,
}

impl Site {
    /// The global cloud with so many users.
    pub fn global(users: usize) -> Site {
        Site::new(GRAPH, LOGIN, users, "")
    }

    /// Under the names of Graph and its authority, with further settings in TOML.
    pub fn new(graph: &str, login: &str, users: usize, toml: &str) -> Site {
        let stage = Stage::new(&format!(
            "tls = true\ntls_names = ['{graph}', '{login}']\nexpected_hosts = ['{graph}', '{login}']\n\
             accept_any_token = false\n\
             {toml}\n[token]\ntenant = '{TENANT}'\nclient_id = '{APP}'\nsecret = '{SECRET}'\n"
        ));
        let ca = stage.input("ca.pem", stage.simulator.ca_pem().unwrap());
        let users: String = (0..users).map(|n| format!("u{n:02}@contoso.com\n")).collect();
        let input = stage.input("users.txt", users);
        Site { stage, ca, input, hosts: vec![graph.to_owned(), login.to_owned()] }
    }

    /// `run` with an app's secret; nothing says where it goes.
    pub fn bare_run(&self) -> Command {
        let mut command = self.stage.bare("run");
        command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        command.env("AZURE_TENANT_ID", TENANT).env("AZURE_CLIENT_ID", APP).env("AZURE_CLIENT_SECRET", SECRET);
        command.arg("--yes").arg(&self.input);
        command
    }

    /// The same, with the simulator's CA.
    pub fn run(&self) -> Command {
        let mut command = self.bare_run();
        command.arg("--ca-cert").arg(&self.ca);
        command
    }

    /// Says that the site's names stand for the simulator.
    pub fn resolve(&self, command: &mut Command) {
        for host in &self.hosts {
            command.arg("--connect-to").arg(format!("{host}={}", self.stage.simulator.addr()));
        }
    }

    /// Everybody was revoked once, and the simulator was called by its own names alone.
    #[track_caller]
    pub fn all_revoked(&self, users: usize) {
        let ledger = self.stage.ledger();
        assert_eq!(ledger.users.len(), users);
        assert!(ledger.users.iter().all(|user| user.effects >= 1), "{:?}", ledger.users);
        assert_eq!(ledger.stats.unexpected_hosts.len(), 0, "{:?}", ledger.stats.unexpected_hosts);
        assert_eq!(ledger.stats.bad_auth, 0);
    }

    /// It ended at sign-in, said these things, sent nothing and left no run folder behind.
    #[track_caller]
    pub fn refused(&self, done: &Done, words: &[&str]) {
        done.exits(4);
        for words in words {
            assert!(done.stderr.contains(words), "{words:?} is not in: {}", done.stderr);
        }
        assert!(!done.stderr.contains(SECRET), "{}", done.stderr);
        assert_eq!(self.stage.stats().revocations, 0);
        assert!(self.stage.folders().is_empty(), "a run folder was made for nothing");
    }

    /// Each user ended in one of these words; whoever is told to be revoked is so in the simulator's ledger.
    #[track_caller]
    pub fn honest(&self, words: &[&str]) -> Vec<String> {
        let effects = self.stage.ledger();
        let revoked = |id: &str| effects.users.iter().any(|user| user.id == id && user.effects > 0);
        let outcomes = self.stage.folder().outcomes();
        for (user, outcome) in &outcomes {
            assert!(words.contains(&outcome.as_str()), "{user} is {outcome}");
            assert!(outcome != "revoked" || revoked(user), "{user} is told to be revoked and is not");
        }
        outcomes.into_values().collect()
    }
}

/// Waits for something to be so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came to this: {what}");
        std::thread::yield_now();
    }
}

/// An address on which nobody listens, for as long as this is kept: another test can't come by it.
pub fn nobody() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}
