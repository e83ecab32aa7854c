//! squid in a typical configuration: it forwards to allowed hosts, and answers with HTML for others.

use std::process::Command;

use tempfile::TempDir;

use crate::ctx::CommandResult;
use crate::real_proxies::program::{Running, find, free, open_folder, run_through};
use crate::support::site::{Site, until};

struct Squid {
    running: Running,
    folder: TempDir,
    /// What its shared memory is called.
    name: String,
}

/// A squid that was killed leaves its shared memory behind, and the next one of that name stumbles over it.
impl Drop for Squid {
    fn drop(&mut self) {
        self.running.kill();
        let left = std::fs::read_dir("/dev/shm").into_iter().flatten().flatten();
        let own = format!("{}-", self.name);
        for file in left.filter(|file| file.file_name().to_string_lossy().starts_with(&own)) {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

impl Squid {
    /// One that goes to this port of this machine and nowhere else.
    fn start(port: u16) -> Option<Squid> {
        let program = find("squid")?;
        let (folder, addr) = (open_folder(), free());
        let path = |name: &str| folder.path().join(name);
        let config = format!(
            "http_port {addr}\npid_filename none\ncache deny all\npinger_enable off\nnetdb_filename none\n\
             visible_hostname squid.test\nshutdown_lifetime 0 seconds\ndns_nameservers 127.0.0.1\n\
             access_log stdio:{}\ncache_log {}\ncoredump_dir {}\ncache_mem 0\nmemory_cache_shared off\ncollapsed_forwarding off\n\
             acl here dstdomain localhost\nacl simulator port {port}\nacl CONNECT method CONNECT\n\
             http_access allow CONNECT here simulator\nhttp_access deny all\n",
            path("access.log").display(),
            path("cache.log").display(),
            folder.path().display(),
        );
        std::fs::write(path("squid.conf"), config).unwrap();
        let mut command = Command::new(program);
        let name = format!("test{}", addr.port());
        command.arg("-N").arg("-n").arg(&name).arg("-f").arg(path("squid.conf"));
        Some(Squid { running: Running::start(&mut command, addr, &path("output")), folder, name })
    }

    fn url(&self) -> String {
        format!("http://{}", self.running.addr)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }
}

#[test]
fn a_run_works_through_squid() {
    let site = Site::global(5);
    let port = site.ctx.simulator.addr().port();
    let Some(squid) = Squid::start(port) else { return };
    site.ctx.finish(run_through(&site, &squid.url()).arg("--ca-cert").arg(&site.ca)).exits(0);
    site.assert_all_revoked(5);
    // It writes down a tunnel once that has ended.
    let asked = format!("CONNECT localhost:{port}");
    until("squid wrote it down", || squid.log().contains(&asked));
}

#[test]
fn outcomes_are_correct_if_squid_stops() {
    let site = Site::global(12);
    let Some(mut squid) = Squid::start(site.ctx.simulator.addr().port()) else { return };
    site.ctx.simulator.change_config("latency = '20ms'").unwrap();
    let mut command = run_through(&site, &squid.url());
    command.arg("--ca-cert").arg(&site.ca).args(["-j", "2", "--retries", "1", "--timeout", "5s"]);
    let run = site.ctx.start(&mut command);
    until("three are revoked", || site.ctx.stats().effects >= 3);
    squid.running.kill();
    CommandResult::from(run.wait_with_output().unwrap()).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["revoked", "failed", "in_doubt", "not_attempted"]).len(), 12);
}

#[test]
fn hosts_that_squid_denies_lead_to_failed() {
    let site = Site::global(2);
    // Signing in goes past it; Graph is not allowed.
    let Some(squid) = Squid::start(1) else { return };
    let mut command = run_through(&site, &squid.url());
    let token = site
        .ctx
        .simulator
        .mint_token(entra_revoke::simulator::TokenKind::App, std::time::Duration::from_secs(600));
    command.env("ENTRA_REVOKE_TOKEN", token).arg("--ca-cert").arg(&site.ca).args(["--retries", "1"]);
    site.ctx.finish(&mut command).exits(3);
    assert_eq!(site.assert_honest_outcomes(&["failed"]).len(), 2);
    let detail = site.ctx.run_folder().row("u00@contoso.com")["detail"].clone();
    assert!(detail.contains("refused to connect to localhost"), "{detail}");
}
