//! mitmproxy, which decrypts TLS as company proxies do.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::real_proxies::program::{Running, find, free, run_through};
use crate::support::site::Site;

struct Mitmproxy {
    running: Running,
    folder: TempDir,
}

/// It goes to this machine alone.
const STAY_HERE: &str = "
def http_connect(flow):
    if flow.request.host != 'localhost':
        flow.kill()
";

/// It writes down what it sees inside of TLS.
const LISTEN: &str = "
import os

def request(flow):
    with open(os.path.join(os.path.dirname(__file__), 'seen'), 'a') as seen:
        seen.write(flow.request.path + '\\n')
";

/// A portal that answers for Graph.
const PORTAL: &str = "
from mitmproxy import http

def request(flow):
    if flow.request.path.endswith('/revokeSignInSessions'):
        page = b'<html><body>Your device must be registered.</body></html>'
        flow.response = http.Response.make(200, page, {'content-type': 'text/html'})
";

impl Mitmproxy {
    fn start(site: &Site, script: &str) -> Option<Mitmproxy> {
        let program = find("mitmdump")?;
        let (folder, addr) = (tempfile::tempdir().unwrap(), free());
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("script.py"), format!("{STAY_HERE}{script}")).unwrap();
        let mut command = Command::new(program);
        command.args(["--mode", "regular", "--listen-host", "127.0.0.1"]);
        command.args(["--listen-port", &addr.port().to_string(), "--set", "onboarding=false"]);
        command.args(["--set", &format!("confdir={}", folder.path().display())]);
        command.args(["--set", &format!("ssl_verify_upstream_trusted_ca={}", site.ca.display())]);
        command.arg("--scripts").arg(path("script.py"));
        Some(Mitmproxy { running: Running::start(&mut command, addr, &path("output")), folder })
    }

    fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("mitmproxy-ca-cert.pem")
    }

    fn seen(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("seen")).unwrap()
    }
}

#[test]
fn mitmproxy_is_trusted_only_with_its_ca() {
    let site = Site::global(5);
    let Some(proxy) = Mitmproxy::start(&site, LISTEN) else { return };
    // The simulator's own CA is of no use: another one signs.
    let done = site.ctx.finish(run_through(&site, &proxy.url()).arg("--ca-cert").arg(&site.ca));
    site.assert_sign_in_refused(
        &done,
        &["TLS", "localhost", "through the proxy", "--ca-cert", "SSL_CERT_FILE"],
    );
    assert_eq!(site.ctx.stats().token_requests, 0, "the secret was shown to the proxy");

    let mut command = run_through(&site, &proxy.url());
    site.ctx.finish(command.env("SSL_CERT_FILE", proxy.ca())).exits(0);
    site.assert_all_revoked(5);
    assert!(proxy.seen().contains("/revokeSignInSessions"), "it looked into nothing: {}", proxy.seen());
}

#[test]
fn mitmproxys_ca_can_be_given_by_flag() {
    let site = Site::global(2);
    let Some(proxy) = Mitmproxy::start(&site, "") else { return };
    site.ctx.finish(run_through(&site, &proxy.url()).arg("--ca-cert").arg(proxy.ca())).exits(0);
    site.assert_all_revoked(2);
}

#[test]
fn mitmproxys_pages_never_count_as_revoked() {
    let site = Site::global(4);
    let Some(proxy) = Mitmproxy::start(&site, PORTAL) else { return };
    let mut command = run_through(&site, &proxy.url());
    site.ctx.finish(command.arg("--ca-cert").arg(proxy.ca()).args(["--retries", "1"])).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 4);
    assert_eq!((site.ctx.stats().revocations, site.ctx.stats().tokens_issued), (0, 1));
}
