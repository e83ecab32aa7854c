//! The built-in simulator as a process of its own, without quota and latency.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::ours::binary;

/// What is spoken on the wire.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Spoken {
    /// HTTP/1.1 in the clear.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 over TLS.
    Http2,
}

impl Spoken {
    pub(crate) const ALL: [Spoken; 3] = [Spoken::Http, Spoken::Https, Spoken::Http2];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Spoken::Http => "HTTP/1.1",
            Spoken::Https => "HTTPS",
            Spoken::Http2 => "HTTP/2",
        }
    }
}

/// A running simulator; it ends with this.
pub(crate) struct Simulator {
    pub(crate) url: String,
    /// The authority to trust, where it speaks TLS.
    pub(crate) ca: Option<PathBuf>,
    process: Child,
    _folder: TempDir,
}

impl Simulator {
    pub(crate) fn start(spoken: Spoken) -> Simulator {
        let folder = tempfile::tempdir().unwrap();
        let (config, ca) = (folder.path().join("simulator.toml"), folder.path().join("ca.pem"));
        let (tls, http2) = (spoken != Spoken::Http, spoken == Spoken::Http2);
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
