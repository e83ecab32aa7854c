//! The built-in simulator as a separate process, without quotas and latency.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::ours::binary;

/// The protocol between client and simulator.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 without TLS.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    Http2,
}

impl Protocol {
    pub(crate) const ALL: [Protocol; 3] = [Protocol::Http, Protocol::Https, Protocol::Http2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Http => "HTTP/1.1",
            Protocol::Https => "HTTPS",
            Protocol::Http2 => "HTTP/2",
        }
    }
}

/// A running simulator, which is stopped on drop.
pub(crate) struct Simulator {
    pub(crate) url: String,
    /// The certificate authority, if it uses TLS.
    pub(crate) ca: Option<PathBuf>,
    process: Child,
    _folder: TempDir,
}

impl Simulator {
    pub(crate) fn start(spoken: Protocol) -> Simulator {
        let folder = tempfile::tempdir().unwrap();
        let (config, ca) = (folder.path().join("simulator.toml"), folder.path().join("ca.pem"));
        let (tls, http2) = (spoken != Protocol::Http, spoken == Protocol::Http2);
        let text = format!("ledger = \"counts\"\nhttp2 = {http2}\n[quota]\nenabled = false\n");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(binary());
        command.args(["simulator", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
        if tls {
            command.arg("--tls").arg("--ca-file").arg(&ca);
        }
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("the simulator's address").to_owned();
        Simulator { url, ca: tls.then_some(ca), process, _folder: folder }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
