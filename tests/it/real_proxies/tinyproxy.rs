//! tinyproxy, with a password.

use std::process::Command;

use tempfile::TempDir;

use crate::ctx::CommandResult;
use crate::real_proxies::program::{Running, find, free, open_folder, run_through};
use crate::support::site::{Site, until};

const PASSWORD: &str = "CANARY-tiny-pw";

struct Tinyproxy {
    running: Running,
    folder: TempDir,
}

impl Tinyproxy {
    /// One that goes to the site and nowhere else.
    fn start(site: &Site) -> Option<Tinyproxy> {
        let program = find("tinyproxy")?;
        let (folder, addr) = (open_folder(), free());
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("filter"), "^localhost$\n").unwrap();
        let config = format!(
            "Port {}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Connect\n\
             LogFile \"{}\"\nConnectPort {}\nBasicAuth responder {PASSWORD}\n\
             Filter \"{}\"\nFilterExtended On\nFilterDefaultDeny Yes\n",
            addr.port(),
            path("access.log").display(),
            site.ctx.simulator.addr().port(),
            path("filter").display(),
        );
        std::fs::write(path("tinyproxy.conf"), config).unwrap();
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(path("tinyproxy.conf"));
        Some(Tinyproxy { running: Running::start(&mut command, addr, &path("output")), folder })
    }

    fn url(&self) -> String {
        format!("http://responder:{PASSWORD}@{}", self.running.addr)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap()
    }
}

#[test]
fn a_run_works_through_tinyproxy() {
    let site = Site::global(5);
    let Some(proxy) = Tinyproxy::start(&site) else { return };
    site.ctx.finish(run_through(&site, &proxy.url()).arg("--ca-cert").arg(&site.ca)).exits(0);
    site.assert_all_revoked(5);
    let asked = format!("CONNECT localhost:{}", site.ctx.simulator.addr().port());
    assert!(proxy.log().contains(&asked), "{}", proxy.log());
}

#[test]
fn a_missing_password_for_tinyproxy_is_reported() {
    let site = Site::global(1);
    let Some(proxy) = Tinyproxy::start(&site) else { return };
    let url = format!("http://{}", proxy.running.addr);
    let done = site.ctx.finish(run_through(&site, &url).arg("--ca-cert").arg(&site.ca));
    site.assert_sign_in_refused(&done, &["407", "http://user:password@host:port", "HTTPS_PROXY"]);
}

/// Takes 15 s: tinyproxy answers 401 to a wrong password, which does not mean a wrong password, so it is asked five times.
#[test]
fn a_wrong_password_for_tinyproxy_is_reported() {
    let site = Site::global(1);
    let Some(proxy) = Tinyproxy::start(&site) else { return };
    let url = proxy.url().replace("CANARY", "OTHER");
    let done = site.ctx.finish(run_through(&site, &url).arg("--ca-cert").arg(&site.ca));
    site.assert_sign_in_refused(&done, &["the proxy", "the user name and password are right"]);
    assert!(!done.stderr.contains("tiny-pw"), "{}", done.stderr);
}

#[test]
fn resume_completes_a_run_after_tinyproxy_stopped() {
    let site = Site::global(12);
    let Some(mut proxy) = Tinyproxy::start(&site) else { return };
    site.ctx.simulator.change_config("latency = '20ms'").unwrap();
    let mut command = run_through(&site, &proxy.url());
    command.arg("--ca-cert").arg(&site.ca).args(["-j", "2", "--retries", "1", "--timeout", "5s"]);
    let run = site.ctx.start(&mut command);
    until("three are revoked", || site.ctx.stats().effects >= 3);
    proxy.running.kill();
    CommandResult::from(run.wait_with_output().unwrap()).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["revoked", "failed", "in_doubt", "not_attempted"]).len(), 12);

    let again = Tinyproxy::start(&site).unwrap();
    let mut resume = site.ctx.command_without_token("resume");
    resume
        .args(["--graph-url", &site.ctx.simulator.url(), "--authority-url", &site.ctx.simulator.url()])
        .arg("--ca-cert")
        .arg(&site.ca)
        .arg(site.ctx.run_folder().path)
        .env("AZURE_CLIENT_SECRET", crate::support::site::SECRET);
    site.ctx.finish(resume.env("HTTPS_PROXY", again.url())).exits(0);
    assert_eq!(site.assert_honest_outcomes(&["revoked"]).len(), 12);
    site.assert_all_revoked(12);
}
